//! The page is left, or may be: what the recorder has goes out before it is too late.

use protocol::Millis;
use protocol::item::EndCause;

use crate::recorder::{Phase, Recorder};
use crate::run::Ending;
use crate::{Effect, Moment};

/// A recorder hands over whole packets of sound only, each 60 ms. One that was just being filled when
/// the page began to go is had a moment later, if the page lives so long.
const FLUSH_EVERY: Millis = Millis::new(20);

/// A page that is still there after this has not been left.
const LEAVING_TAKES: Millis = Millis::from_secs(1);

/// Bytes of messages in one beacon. Browsers take 64 KB for all beacons of a page together.
const MESSAGE_BYTES_MAX: usize = 40 * 1024;

/// Bytes of items that are put aside, with their headers. Browsers take some 5 million characters, four
/// of which make three bytes; the other sessions and notes need room too.
const STASH_BYTES_MAX: usize = 1024 * 1024;

/// When to flush next, while the page may be gone in a moment.
#[derive(Debug, Default)]
pub(crate) struct Leaving(Option<NextFlush>);

#[derive(Debug)]
struct NextFlush {
    at: Millis,
    until: Millis,
}

impl Leaving {
    pub(crate) fn next_flush(&self) -> Option<Millis> {
        self.0.as_ref().map(|next| next.at)
    }
}

impl Recorder {
    /// The page may be left, and the candidate may yet change their mind. Later than this the
    /// recorder would not answer any more.
    pub fn leaving(&mut self, now: Millis) {
        if let (Phase::Capturing(_), Some(session)) = (&self.phase, &mut self.session) {
            session.expect_the_end();
            self.ask_runs(Effect::Flush);
            let next = NextFlush { at: now + FLUSH_EVERY, until: now + LEAVING_TAKES };
            self.leaving = Leaving(Some(next));
        }
    }

    pub(crate) fn flush_if_leaving(&mut self, now: Millis) {
        let Some(next) = &mut self.leaving.0 else { return };
        if !matches!(self.phase, Phase::Capturing(_)) || now >= next.until {
            self.leaving = Leaving::default();
        } else if now >= next.at {
            next.at = now + FLUSH_EVERY;
            self.ask_runs(Effect::Flush);
        }
    }

    /// The page may be stopped without another word, as phones do with hidden pages.
    pub fn hidden(&mut self) {
        if matches!(self.phase, Phase::Capturing(_)) {
            self.ask_runs(Effect::Flush);
        }
    }

    /// The page goes. A recording that was just being stopped is over, as the candidate asked. Whatever
    /// is un-acked and at hand is sent once more, in a way that outlives the page, and what may not be
    /// on disk yet is put where that takes no time.
    pub fn left(&mut self, at: Moment) {
        if matches!(self.phase, Phase::Closing { ending: Ending::Save, .. }) {
            self.closed(at);
        } else {
            self.mark_ends(at.now, EndCause::PageLeft);
        }
        self.note_numbers();
        let Some(session) = &self.session else { return };
        let record = session.sender.record().clone();
        let items = session.sender.unspooled(STASH_BYTES_MAX);
        let messages = session.sender.parting(MESSAGE_BYTES_MAX);
        for header in session.tails() {
            self.ask(Effect::SendTail { seq: header.first_seq, header });
        }
        self.ask(Effect::Stash { record, items });
        if !messages.is_empty() {
            self.ask(Effect::Part(messages));
        }
    }

    /// The page came back out of the browser's cache.
    pub fn returned(&mut self) {
        if let Some(session) = &self.session {
            self.ask(Effect::ForgetStash(session.id()));
        }
    }

    /// True while leaving the page would cost sound, or delay what the server is waiting for.
    pub fn is_unsafe_to_leave(&self) -> bool {
        self.is_at_work()
            || self.session.as_ref().is_some_and(|one| one.sender.backlog_status().items > 0)
    }
}

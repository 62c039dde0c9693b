//! The page is left, or may be: what the recorder has goes out before it is too late.

use protocol::Millis;
use protocol::item::EndCause;

use super::{CompanionRun, Ending, Live, Phase, Recorder};

/// A recorder hands over whole packets of sound only, each 60 ms. One that was just being filled when
/// the page began to go is had a moment later, if the page lives so long.
const FLUSH_EVERY: Millis = Millis::new(20);

/// A page that is still there after this has not been left.
const LEAVING_TAKES: Millis = Millis::from_secs(1);

/// When to flush next, while the page may be gone in a moment.
#[derive(Default)]
pub(super) struct Leaving(Option<NextFlush>);

struct NextFlush {
    at: Millis,
    until: Millis,
}

impl Leaving {
    pub(super) fn next_flush(&self) -> Option<Millis> {
        self.0.as_ref().map(|next| next.at)
    }
}

impl Live {
    fn flush(&self) {
        self.run.flush();
        if let Some(companion) = &self.companion {
            companion.flush();
        }
    }
}

impl Recorder {
    /// The page may be left, and the candidate may yet change their mind. Later than this the
    /// recorder would not answer any more.
    pub(crate) fn leaving(&mut self, now: Millis) {
        if let (Phase::Capturing(live), Some(session)) = (&self.phase, &mut self.session) {
            session.pipeline.expect_the_end();
            live.flush();
            let next = NextFlush { at: now + FLUSH_EVERY, until: now + LEAVING_TAKES };
            self.leaving = Leaving(Some(next));
        }
    }

    /// To be called after every input and when [`Leaving::next_flush`] is reached.
    pub(super) fn flush_if_leaving(&mut self, now: Millis) {
        let Some(next) = &mut self.leaving.0 else { return };
        match &self.phase {
            Phase::Capturing(live) if now < next.until => {
                if now >= next.at {
                    next.at = now + FLUSH_EVERY;
                    live.flush();
                }
            }
            Phase::Capturing(_)
            | Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => self.leaving = Leaving::default(),
        }
    }

    /// The page may be stopped without another word, as phones do with hidden pages.
    pub(crate) fn hidden(&self) {
        if let Phase::Capturing(live) = &self.phase {
            live.flush();
        }
    }

    /// The page goes. A recording that was just being stopped is over, as the candidate asked.
    pub(crate) fn left(&mut self, now: Millis) {
        match &self.phase {
            Phase::Closing { ending: Ending::Save, .. } => self.closed(now),
            Phase::Capturing(live) | Phase::Closing { live, .. } => {
                let companion = live.companion.as_ref().map(CompanionRun::segment);
                if let Some(session) = &mut self.session {
                    session.segment_ended(now, live.segment, EndCause::PageLeft);
                    if let Some(segment) = companion {
                        session.companion_ended(now, segment, EndCause::PageLeft);
                    }
                }
            }
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
        if let Some(session) = &mut self.session {
            session.pipeline.part();
        }
    }

    /// The page came back out of the browser's cache.
    pub(crate) fn returned(&mut self) {
        if let Some(session) = &mut self.session {
            session.pipeline.returned();
        }
    }

    /// True while leaving the page would cost sound, or delay what the server is waiting for.
    pub(crate) fn is_unsafe_to_leave(&self) -> bool {
        self.is_at_work()
            || self.session.as_ref().is_some_and(|session| session.pipeline.backlog().items > 0)
    }
}

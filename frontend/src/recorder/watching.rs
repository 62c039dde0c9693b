//! What the recorder keeps an eye on, a few times a second: the level, the recorder's deliveries, the
//! page's own sleep, the muting, the spool. What is noticed becomes a note in the session.
//!
//! In a page in view a timer says when to look. In a hidden one timers come once a second, or once a
//! minute, but every chunk that the recorder delivers is a moment to look too; so silence is told in
//! time there as well, and only a recorder that delivers nothing takes a hidden page longer to
//! notice.

use protocol::Millis;
use protocol::item::{EndCause, Incident};

use super::{Ending, Phase, Recorder};
use crate::browser;
use crate::watch::{Silence, Sleep};

const LOOK_EVERY: Millis = Millis::new(250);

#[derive(Default)]
pub(super) struct Watching {
    silence: Silence,
    sleep: Sleep,
    looked_at: Millis,
    is_muted: bool,
    is_spool_failing: bool,
}

impl Recorder {
    pub(super) fn is_silent(&self) -> bool {
        self.microphone.is_some() && self.watching.silence.is_silent()
    }

    /// When to look next; `None` while there is nothing to see.
    pub(super) fn next_look(&self) -> Option<Millis> {
        let has_sound = self.microphone.is_some();
        let is_watched = has_sound && matches!(self.phase, Phase::Idle | Phase::Capturing(_));
        is_watched.then(|| self.watching.looked_at + LOOK_EVERY)
    }

    /// To be called after everything that happens.
    pub(super) fn look(&mut self, now: Millis) {
        self.note_spool(now);
        if self.microphone.is_none() {
            self.watching.sleep = Sleep::default();
            if self.session.is_none() {
                self.watching.silence = Silence::default();
            }
        }
        if self.next_look().is_some_and(|at| now >= at) {
            self.watching.looked_at = now;
            self.watch_page(now);
            self.listen(now);
            self.watch_recorder(now);
        }
    }

    /// A new run begins: what is known of the microphone belongs to its session.
    pub(super) fn note_beginning(&mut self, now: Millis) {
        self.watching.is_muted = false;
        self.note_muting(now);
        if self.watching.silence.is_silent() {
            self.note(now, Incident::MicrophoneSilent);
        }
    }

    pub(super) fn note_muting(&mut self, now: Millis) {
        let is_muted = self.microphone.as_ref().is_some_and(|microphone| microphone.is_muted());
        let is_capturing = matches!(self.phase, Phase::Capturing(_) | Phase::Closing { .. });
        if is_capturing && std::mem::replace(&mut self.watching.is_muted, is_muted) != is_muted {
            let incident =
                if is_muted { Incident::MicrophoneMuted } else { Incident::MicrophoneUnmuted };
            self.note(now, incident);
        }
    }

    fn note_spool(&mut self, now: Millis) {
        let Some(session) = &self.session else { return };
        let is_failing = session.pipeline.is_spool_failing();
        if std::mem::replace(&mut self.watching.is_spool_failing, is_failing) == is_failing {
            return;
        }
        let incident = if is_failing { Incident::SpoolFailed } else { Incident::SpoolRecovered };
        self.note(now, incident);
    }

    fn watch_page(&mut self, now: Millis) {
        let Phase::Capturing(live) = &self.phase else {
            self.watching.sleep = Sleep::default();
            return;
        };
        let is_delivering = !live.run.is_paused();
        if let Some(span) = self.watching.sleep.look(now, browser::wall_clock(), is_delivering) {
            self.note(now, Incident::PageSlept(span));
        }
    }

    fn listen(&mut self, now: Millis) {
        let Some(microphone) = &self.microphone else { return };
        if matches!(&self.phase, Phase::Capturing(live) if live.run.is_paused()) {
            self.watching.silence.rest();
            return;
        }
        // What the system has muted is silent on purpose, and told as such.
        let peak = microphone.peak().filter(|_| !microphone.is_muted());
        if let Some(incident) = self.watching.silence.hear(now, peak) {
            self.note(now, incident);
        }
    }

    fn watch_recorder(&mut self, now: Millis) {
        let is_muted = self.microphone.as_ref().is_some_and(|microphone| microphone.is_muted());
        if let Phase::Capturing(live) = &mut self.phase
            && live.stall.look(now, !live.run.is_paused() && !is_muted)
        {
            self.close(now, Ending::GoOn(EndCause::RecorderStalled));
        }
    }

    /// What happens before the recording begins, or after its end, is no part of it.
    fn note(&mut self, now: Millis, incident: Incident) {
        if !matches!(self.phase, Phase::Finishing)
            && let Some(session) = &mut self.session
        {
            session.note(now, incident);
        }
    }
}

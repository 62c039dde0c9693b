//! What the recorder keeps an eye on, a few times a second: the level, the recorder's deliveries, the
//! page's own sleep, the muting, the spool. What is noticed becomes a note in the session.
//!
//! In a page in view a timer says when to look. In a hidden one timers come once a second, or once a
//! minute, but every chunk that the recorder delivers is a moment to look too; so silence is told in
//! time there as well, and only a recorder that delivers nothing takes a hidden page longer to
//! notice.

use protocol::Millis;
use protocol::item::{EndCause, Incident};

use crate::opening::Purpose;
use crate::recorder::{Phase, Recorder};
use crate::run::Ending;
use crate::watch::{Silence, Sleep};
use crate::{CaptureError, Effect, MicrophoneState, Moment, RequestNo};

const LOOK_EVERY: Millis = Millis::new(250);

#[derive(Debug, Default)]
pub(crate) struct Watching {
    silence: Silence,
    sleep: Sleep,
    looked_at: Millis,
    is_muted: bool,
    is_spool_failing: bool,
}

impl Recorder {
    /// How an open microphone is just now: one that is not live was unplugged, or is no longer allowed.
    pub fn microphone_is(&mut self, at: Moment, request: RequestNo, state: MicrophoneState) {
        if let Some(next) = self.replacing.next(request) {
            next.state = state;
            return;
        }
        let in_use = self.microphone.as_mut().filter(|one| one.request == request);
        let Some(microphone) = in_use else { return };
        let has_ended = microphone.state.is_live && !state.is_live;
        microphone.state = state;
        self.note_muting(at);
        if has_ended {
            self.microphone_ended(at);
        }
    }

    fn microphone_ended(&mut self, at: Moment) {
        match self.phase {
            Phase::Capturing(_) => self.close(at.now, Ending::GoOn(EndCause::DeviceLost)),
            Phase::Idle => {
                self.drop_microphone();
                self.fail(CaptureError::Disconnected, Purpose::Test);
            }
            Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.microphone.is_some() && self.watching.silence.is_silent()
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.microphone.as_ref().is_some_and(|microphone| microphone.state.is_muted)
    }

    /// When to look next; `None` while there is nothing to see.
    pub(crate) fn next_look(&self) -> Option<Millis> {
        let has_sound = self.microphone.is_some();
        let is_watched = has_sound && matches!(self.phase, Phase::Idle | Phase::Capturing(_));
        is_watched.then(|| self.watching.looked_at + LOOK_EVERY)
    }

    /// To be called after everything that happens.
    pub(crate) fn look(&mut self, at: Moment) {
        self.note_spool(at);
        if self.microphone.is_none() {
            self.watching.sleep = Sleep::default();
            if self.session.is_none() {
                self.watching.silence = Silence::default();
            }
        }
        if self.next_look().is_some_and(|due| at.now >= due) {
            self.watching.looked_at = at.now;
            self.watch_page(at);
            self.listen();
            self.watch_recorder(at);
        }
    }

    /// A new run begins: what is known of the microphone belongs to its session.
    pub(crate) fn note_beginning(&mut self, at: Moment) {
        self.watching.is_muted = false;
        self.note_muting(at);
        if self.watching.silence.is_silent() {
            self.note(at, Incident::MicrophoneSilent);
        }
    }

    fn note_muting(&mut self, at: Moment) {
        let is_muted = self.is_muted();
        let is_capturing = matches!(self.phase, Phase::Capturing(_) | Phase::Closing { .. });
        if is_capturing && std::mem::replace(&mut self.watching.is_muted, is_muted) != is_muted {
            let incident =
                if is_muted { Incident::MicrophoneMuted } else { Incident::MicrophoneUnmuted };
            self.note(at, incident);
        }
    }

    fn note_spool(&mut self, at: Moment) {
        let Some(session) = &self.session else { return };
        let is_failing = session.sender.is_spool_failing();
        if std::mem::replace(&mut self.watching.is_spool_failing, is_failing) == is_failing {
            return;
        }
        let incident = if is_failing { Incident::SpoolFailed } else { Incident::SpoolRecovered };
        self.note(at, incident);
    }

    fn watch_page(&mut self, at: Moment) {
        let Phase::Capturing(live) = &self.phase else {
            self.watching.sleep = Sleep::default();
            return;
        };
        if let Some(span) = self.watching.sleep.look(at.now, at.wall, !live.is_paused) {
            self.note(at, Incident::PageSlept(span));
        }
    }

    fn listen(&mut self) {
        let Some(microphone) = &self.microphone else { return };
        if matches!(&self.phase, Phase::Capturing(live) if live.is_paused) {
            self.watching.silence.rest();
        } else {
            self.ask(Effect::Listen(microphone.request));
        }
    }

    /// The answer to [`Effect::Listen`]: the loudest sample of late, 0 to 1; `None` while that is not
    /// known.
    pub fn heard(&mut self, at: Moment, peak: Option<f32>) {
        // What the system has muted is silent on purpose, and told as such.
        let peak = peak.filter(|_| !self.is_muted());
        if let Some(incident) = self.watching.silence.hear(at.now, peak) {
            self.note(at, incident);
        }
    }

    fn watch_recorder(&mut self, at: Moment) {
        let is_muted = self.is_muted();
        if let Phase::Capturing(live) = &mut self.phase
            && live.stall.look(at.now, !live.is_paused && !is_muted)
        {
            self.close(at.now, Ending::GoOn(EndCause::RecorderStalled));
        }
    }

    /// What happens before the recording begins, or after its end, is no part of it.
    fn note(&mut self, at: Moment, incident: Incident) {
        if !matches!(self.phase, Phase::Finishing)
            && let Some(session) = &mut self.session
        {
            session.note(at.now, incident);
        }
    }
}

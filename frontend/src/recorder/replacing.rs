//! How a recording goes on without its microphone, or with another one: by itself as soon as there is
//! one, in a new segment.

use protocol::Millis;
use protocol::item::{EndCause, StartCause};
use wasm_bindgen_futures::spawn_local;

use app::recorder::port::{Device, Source};

use super::{Ending, GoOn, Opened, Phase, Purpose, Recorder};
use crate::capture_error::CaptureError;
use crate::devices;
use crate::driver::Input;
use crate::microphone::Microphone;

/// A device that has just come or gone may not be ready at once. Later, the browser's word that a
/// device came, or the candidate's, is waited for.
const TRIES_BY_ITSELF_MAX: u8 = 4;
const TRY_AGAIN_AFTER: Millis = Millis::from_secs(1);

/// Recorder runs in a row that delivered nothing, after which the candidate is asked.
const FRUITLESS_RUNS_MAX: u8 = 4;

/// What has happened to the microphone while recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Another one is used now.
    Replaced,
    /// The recorder stood still.
    Restarted,
    /// The one that was chosen cannot be had.
    Stayed(CaptureError),
}

#[derive(Default)]
pub(super) struct Replacing {
    /// Open, and to be used once the old run is closed.
    next: Option<Microphone>,
    /// What the candidate has chosen while recording, until it is open. The inner `None` is the
    /// browser's default.
    switching_to: Option<Option<String>>,
    tries: u8,
    fruitless_runs: u8,
    /// The latest, for the candidate to know.
    turn: Option<Turn>,
    /// What the system's own choice was when the microphone was opened, as far as the browser tells.
    default: Option<String>,
    /// What it is now, when it has changed.
    new_default: Option<String>,
}

impl Replacing {
    pub(super) fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref()
    }

    pub(super) fn new_default(&self) -> Option<&str> {
        self.new_default.as_deref()
    }

    pub(super) fn microphone_opened(&mut self) {
        self.tries = 0;
        self.default = None;
        self.new_default = None;
    }

    /// Nothing follows: what was opened to go on with is closed.
    pub(super) fn give_up(&mut self) {
        self.next = None;
        self.switching_to = None;
    }

    /// A run delivers.
    pub(super) fn run_is_fruitful(&mut self) {
        self.fruitless_runs = 0;
    }

    /// The candidate says so: whatever was tried before no longer counts.
    pub(super) fn start_over(&mut self) {
        self.tries = 0;
        self.fruitless_runs = 0;
    }

    /// When to ask for a microphone again that could not be had. Only a recording that was
    /// interrupted is worth it, and never a question that the candidate has answered with "no".
    pub(super) fn next_try(
        &mut self,
        now: Millis,
        error: &CaptureError,
        again: Purpose,
    ) -> Option<Millis> {
        self.tries = self.tries.saturating_add(1);
        let may_help = matches!(again, Purpose::GoOn(_)) && error.may_pass_with_a_device();
        (may_help && self.tries < TRIES_BY_ITSELF_MAX).then(|| now + TRY_AGAIN_AFTER)
    }

    fn listed(&mut self, devices: &[Device]) {
        let Some(default) = devices::default_label(devices) else { return };
        let before = self.default.get_or_insert_with(|| default.to_owned());
        self.new_default = Some(default.to_owned()).filter(|default| default != before);
    }
}

impl Recorder {
    /// The candidate wants another microphone while recording: the one in use is kept until the
    /// other is open.
    pub(super) fn switch_to(&mut self, chosen: Option<String>) {
        self.request = self.request.next();
        self.replacing.switching_to = Some(chosen.clone());
        let (request, inputs) = (self.request, self.inputs.clone());
        let wants_picture = self.source == Source::Camera;
        spawn_local(async move {
            let microphone = Microphone::open_exactly(chosen, wants_picture).await;
            let opened = Opened { microphone, companion: None };
            inputs.send(Input::Opened { request, opened });
        });
    }

    /// The answer to [`Recorder::switch_to`].
    pub(super) fn switch(&mut self, now: Millis, microphone: Result<Microphone, CaptureError>) {
        let Some(chosen) = self.replacing.switching_to.take() else { return };
        match microphone {
            Ok(microphone) => {
                self.set_chosen(chosen);
                self.replacing.next = Some(microphone);
                self.close(now, Ending::GoOn(EndCause::DeviceChanged));
            }
            Err(error) => self.replacing.turn = Some(Turn::Stayed(error)),
        }
    }

    /// A run has ended that another one is to follow.
    pub(super) fn follow(&mut self, now: Millis, ended: EndCause, is_paused: bool) {
        let go_on = GoOn { cause: start_after(ended), is_paused };
        // An answer still to come was asked for in the place of a microphone that is gone.
        self.replacing.switching_to = None;
        if let Some(next) = self.replacing.next.take().filter(Microphone::is_live) {
            self.take_over(next);
            return self.go_on(now, go_on);
        }
        if go_on.cause == StartCause::RecorderRestarted {
            self.replacing.fruitless_runs += 1;
            if self.replacing.fruitless_runs >= FRUITLESS_RUNS_MAX {
                self.microphone = None;
                return self.fail(CaptureError::RecorderStopped, Purpose::GoOn(go_on));
            }
            // Once on the same microphone; after that, it may be the microphone itself.
            let first = self.replacing.fruitless_runs == 1;
            if first && self.microphone.as_ref().is_some_and(Microphone::is_live) {
                return self.go_on(now, go_on);
            }
        }
        self.acquire(Purpose::GoOn(go_on));
    }

    /// Starts a new segment on the open microphone.
    pub(super) fn go_on(&mut self, now: Millis, go_on: GoOn) {
        self.begin_as(now, go_on.cause, Purpose::GoOn(go_on));
        if let Phase::Capturing(live) = &mut self.phase {
            self.replacing.turn = Some(match go_on.cause {
                StartCause::RecorderRestarted => Turn::Restarted,
                StartCause::Begun
                | StartCause::PageReturned
                | StartCause::TakenOver
                | StartCause::Retried
                | StartCause::DeviceChanged => Turn::Replaced,
            });
            if go_on.is_paused {
                live.run.pause();
            }
        }
    }

    /// A device came or went.
    pub(crate) fn devices_changed(&mut self) {
        if let Phase::Failed { error, again, .. } = &self.phase
            && error.may_pass_with_a_device()
        {
            let again = self.by_itself(*again);
            self.replacing.start_over();
            self.acquire(again);
        }
        self.restore_companion_device();
    }

    pub(crate) fn devices_listed(&mut self, devices: &[Device]) {
        if self.microphone.is_some() && self.chosen.is_none() {
            self.replacing.listed(devices);
        }
    }

    /// The candidate has allowed the microphone in the browser's settings.
    pub(crate) fn permission_granted(&mut self) {
        if let Phase::Failed { error: CaptureError::Blocked, again, .. } = &self.phase {
            let again = self.by_itself(*again);
            self.acquire(again);
        }
    }

    pub(super) fn retry_by_itself(&mut self, now: Millis) {
        if let Phase::Failed { again, retry_at: Some(at), .. } = self.phase
            && now >= at
        {
            self.acquire(again);
        }
    }

    /// A recording that was interrupted goes on. One that never began waits for its button: nobody
    /// is to be recorded without having asked for it just now.
    fn by_itself(&self, again: Purpose) -> Purpose {
        match again {
            Purpose::Record if self.session.is_none() => Purpose::Test,
            Purpose::Record | Purpose::Test | Purpose::GoOn(_) => again,
        }
    }
}

impl Purpose {
    /// The same, now that the candidate has asked for it.
    pub(super) fn on_request(self) -> Self {
        match self {
            Self::GoOn(go_on) => Self::GoOn(GoOn { cause: StartCause::Retried, ..go_on }),
            Self::Test | Self::Record => self,
        }
    }
}

/// Why the segment starts that follows one which ended so.
const fn start_after(ended: EndCause) -> StartCause {
    match ended {
        EndCause::DeviceLost | EndCause::DeviceChanged => StartCause::DeviceChanged,
        EndCause::RecorderFailed | EndCause::RecorderStalled => StartCause::RecorderRestarted,
        EndCause::TakenOver => StartCause::TakenOver,
        EndCause::PageLeft => StartCause::PageReturned,
        EndCause::Stopped => StartCause::Retried,
    }
}

//! How a recording goes on without its microphone, or with another one: by itself as soon as there is
//! one, in a new segment.

use protocol::Millis;
use protocol::item::{EndCause, StartCause};

use crate::opening::{GoOn, Microphone, Purpose};
use crate::recorder::{Phase, Recorder};
use crate::run::Ending;
use crate::{CaptureError, Device, MicrophoneState, Moment, RequestNo, Source, devices};

/// A device that has just come or gone may not be ready at once. Later, the browser's word that a
/// device came, or the candidate's, is waited for.
const TRIES_BY_ITSELF_MAX: u8 = 4;
const TRY_AGAIN_AFTER: Millis = Millis::from_secs(1);

/// Recorder runs in a row that delivered nothing, after which the candidate is asked.
const FRUITLESS_RUNS_MAX: u8 = 4;

/// What has happened to the microphone while recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Another one is used now.
    Replaced,
    /// The recorder stood still.
    Restarted,
    /// The one that was chosen cannot be had.
    Stayed(CaptureError),
}

#[derive(Debug, Default)]
pub(crate) struct Replacing {
    /// Open, and to be used once the old run is closed.
    next: Option<Microphone>,
    /// What the candidate has chosen while recording, until it is open. The inner `None` is the
    /// browser's default.
    switching_to: Option<(RequestNo, Option<String>)>,
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
    pub(crate) fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref()
    }

    pub(crate) fn new_default(&self) -> Option<&str> {
        self.new_default.as_deref()
    }

    /// The one that is to be used next, if this is it.
    pub(crate) fn next(&mut self, request: RequestNo) -> Option<&mut Microphone> {
        self.next.as_mut().filter(|next| next.request == request)
    }

    /// What the candidate has chosen, if this is the answer.
    pub(crate) fn switched_by(&mut self, request: RequestNo) -> Option<Option<String>> {
        let (_, chosen) = self.switching_to.take_if(|(awaited, _)| *awaited == request)?;
        Some(chosen)
    }

    pub(crate) fn microphone_opened(&mut self) {
        self.tries = 0;
        self.default = None;
        self.new_default = None;
    }

    /// Nothing follows. Returns what was opened to go on with.
    pub(crate) fn give_up(&mut self) -> Option<Microphone> {
        self.switching_to = None;
        self.next.take()
    }

    /// A run delivers.
    pub(crate) fn run_is_fruitful(&mut self) {
        self.fruitless_runs = 0;
    }

    /// The candidate says so: whatever was tried before no longer counts.
    pub(crate) fn start_over(&mut self) {
        self.tries = 0;
        self.fruitless_runs = 0;
    }

    /// When to ask for a microphone again that could not be had. Only a recording that was
    /// interrupted is worth it, and never a question that the candidate has answered with "no".
    pub(crate) fn next_try(
        &mut self,
        now: Millis,
        error: &CaptureError,
        again: Purpose,
    ) -> Option<Millis> {
        self.tries = self.tries.saturating_add(1);
        let may_help = matches!(again, Purpose::GoOn(_)) && error.may_pass_with_a_device();
        (may_help && self.tries < TRIES_BY_ITSELF_MAX).then(|| now + TRY_AGAIN_AFTER)
    }

    pub(crate) fn went_on(&mut self, cause: StartCause) {
        self.turn = Some(match cause {
            StartCause::RecorderRestarted => Turn::Restarted,
            StartCause::Begun
            | StartCause::PageReturned
            | StartCause::TakenOver
            | StartCause::Retried
            | StartCause::DeviceChanged => Turn::Replaced,
        });
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
    pub(crate) fn switch_to(&mut self, chosen: Option<String>) {
        let request = self.ask_for_microphone(chosen.clone(), self.source == Source::Camera);
        self.replacing.switching_to = Some((request, chosen));
    }

    /// The answer to [`Recorder::switch_to`].
    pub(crate) fn switch(
        &mut self,
        at: Moment,
        request: RequestNo,
        chosen: Option<String>,
        opened: Result<MicrophoneState, CaptureError>,
    ) {
        if !matches!(self.phase, Phase::Capturing(_)) {
            return self.close_late(request, opened.is_ok());
        }
        match opened {
            Ok(state) => {
                let wants_picture = self.source == Source::Camera;
                let next = Microphone::new(request, chosen.clone(), wants_picture, state);
                self.set_chosen(chosen);
                self.replacing.next = Some(next);
                self.close(at.now, Ending::GoOn(EndCause::DeviceChanged));
            }
            Err(error) => self.replacing.turn = Some(Turn::Stayed(error)),
        }
    }

    /// A run has ended that another one is to follow.
    pub(crate) fn follow(&mut self, ended: EndCause, is_paused: bool) {
        let go_on = GoOn { cause: start_after(ended), is_paused };
        // An answer still to come was asked for in the place of a microphone that is gone.
        match self.replacing.give_up() {
            Some(next) if next.state.is_live => {
                self.drop_microphone();
                self.take_microphone(next);
                return self.begin(Purpose::GoOn(go_on));
            }
            Some(next) => self.close_late(next.request, true),
            None => {}
        }
        if go_on.cause == StartCause::RecorderRestarted {
            self.replacing.fruitless_runs += 1;
            if self.replacing.fruitless_runs >= FRUITLESS_RUNS_MAX {
                self.drop_microphone();
                return self.fail(CaptureError::RecorderStopped, Purpose::GoOn(go_on));
            }
            // Once on the same microphone; after that, it may be the microphone itself.
            let first = self.replacing.fruitless_runs == 1;
            if first && self.microphone.as_ref().is_some_and(|one| one.state.is_live) {
                return self.begin(Purpose::GoOn(go_on));
            }
        }
        self.acquire(Purpose::GoOn(go_on));
    }

    /// A device came or went.
    pub fn devices_changed(&mut self) {
        if let Phase::Failed { error, again, .. } = &self.phase
            && error.may_pass_with_a_device()
        {
            let again = self.by_itself(*again);
            self.replacing.start_over();
            self.acquire(again);
        }
        self.restore_companion_device();
    }

    /// The microphones that the browser knows.
    pub fn devices_listed(&mut self, devices: &[Device]) {
        if self.microphone.is_some() && self.chosen.is_none() {
            self.replacing.listed(devices);
        }
    }

    /// The candidate has allowed the microphone in the browser's settings.
    pub fn permission_granted(&mut self) {
        if let Phase::Failed { error: CaptureError::Blocked, again, .. } = &self.phase {
            let again = self.by_itself(*again);
            self.acquire(again);
        }
    }

    pub(crate) fn retry_by_itself(&mut self, now: Millis) {
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
    pub(crate) fn on_request(self) -> Self {
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

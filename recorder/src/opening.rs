//! Opening what is to be recorded: the microphone and what is recorded beside it, one after the other,
//! and what takes the place of a device that cannot be had.

use protocol::item::StartCause;

use crate::companion_track::{OpenCompanion, Wanted};
use crate::recorder::{Phase, Recorder};
use crate::{CaptureError, Effect, MicrophoneState, Moment, RequestNo, Source};

/// What a microphone is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Test,
    Record,
    /// To go on with a recording whose microphone or recorder was lost.
    GoOn(GoOn),
}

/// How a recording goes on that has lost its sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoOn {
    pub(crate) cause: StartCause,
    /// It was paused, and stays so.
    pub(crate) is_paused: bool,
}

/// What was asked for and has not all been answered.
#[derive(Debug)]
pub(crate) struct Opening {
    purpose: Purpose,
    device: Option<String>,
    wants_picture: bool,
    /// Nothing is recorded yet: without all of it nothing is to begin. Later the sound goes on
    /// without the rest.
    is_beginning: bool,
    /// The answer that is waited for.
    request: RequestNo,
    /// The microphone that was asked for last, which may be to take the place of another.
    tried: Tried,
    /// To be recorded beside it, until the answer is there.
    companion: Option<Wanted>,
    microphone: Option<Microphone>,
    opened_companion: Option<Result<OpenCompanion, CaptureError>>,
}

#[derive(Debug, Clone)]
struct Tried {
    device: Option<String>,
    wants_picture: bool,
}

/// One that is open.
#[derive(Debug)]
pub(crate) struct Microphone {
    pub(crate) request: RequestNo,
    /// The device that was asked for; none is the browser's default.
    asked_for: Option<String>,
    wants_picture: bool,
    /// The device asked for was gone, and this is the default.
    is_stand_in: bool,
    /// As it was named when it was opened.
    first_label: String,
    pub(crate) state: MicrophoneState,
}

impl Microphone {
    pub(crate) fn new(
        request: RequestNo,
        asked_for: Option<String>,
        wants_picture: bool,
        state: MicrophoneState,
    ) -> Self {
        let first_label = state.label.clone();
        Self { request, asked_for, wants_picture, is_stand_in: false, first_label, state }
    }

    /// True when opening this would give this very microphone.
    fn serves(&self, device: Option<&String>, wants_picture: bool) -> bool {
        let Self { asked_for, state, .. } = self;
        state.is_live && asked_for.as_ref() == device && self.wants_picture == wants_picture
    }

    /// The system has put another device behind it.
    pub(crate) fn is_relabelled(&self) -> bool {
        self.state.label != self.first_label
    }
}

impl Recorder {
    /// The open microphone is the one to record with, and nothing else has to be opened.
    pub(crate) fn has_all_for_recording(&self) -> bool {
        let wants_picture = self.source == Source::Camera;
        let serves = |one: &Microphone| one.serves(self.chosen.as_ref(), wants_picture);
        self.microphone.as_ref().is_some_and(serves)
            && self.wanted_companion(Purpose::Record).is_none()
    }

    /// Opens what is to be recorded for this.
    pub(crate) fn acquire(&mut self, purpose: Purpose) {
        // Some devices can be opened only once.
        self.drop_microphone();
        self.enter(Phase::Acquiring(purpose));
        let (device, wants_picture) = (self.chosen.clone(), self.source == Source::Camera);
        let opening = Opening {
            purpose,
            is_beginning: self.session.is_none(),
            request: RequestNo::default(),
            tried: Tried { device: device.clone(), wants_picture },
            device,
            wants_picture,
            companion: self.wanted_companion(purpose),
            microphone: None,
            opened_companion: None,
        };
        // The screen comes first: a browser asks for it only right after a click.
        match opening.companion.clone().filter(|wanted| wanted.kind.is_shared()) {
            Some(shared) => self.open_companion(opening, shared),
            None => self.open_microphone(opening),
        }
    }

    fn open_microphone(&mut self, mut opening: Opening) {
        let Tried { device, wants_picture } = opening.tried.clone();
        opening.request = self.ask_for_microphone(device, wants_picture);
        self.opening = Some(opening);
    }

    fn open_companion(&mut self, mut opening: Opening, wanted: Wanted) {
        let first = opening.microphone.as_ref().and_then(|one| one.state.device.clone());
        opening.request = self.ask_for_companion(wanted, first);
        self.opening = Some(opening);
    }

    pub(crate) fn ask_for_microphone(
        &mut self,
        device: Option<String>,
        wants_picture: bool,
    ) -> RequestNo {
        let request = self.next_request();
        self.ask(Effect::OpenMicrophone { request, device, wants_picture });
        request
    }

    pub(crate) fn ask_for_companion(&mut self, wanted: Wanted, first: Option<String>) -> RequestNo {
        let request = self.next_request();
        self.ask(Effect::OpenCompanion { request, wanted, first });
        request
    }

    /// The answer to [`Effect::OpenMicrophone`].
    pub fn microphone_opened(
        &mut self,
        at: Moment,
        request: RequestNo,
        opened: Result<MicrophoneState, CaptureError>,
    ) {
        if let Some(chosen) = self.replacing.switched_by(request) {
            return self.switch(at, request, chosen, opened);
        }
        let Some(mut opening) = self.take_opening(request) else {
            return self.close_late(request, opened.is_ok());
        };
        let is_interrupted = matches!(opening.purpose, Purpose::GoOn(_));
        match opened {
            Ok(state) => {
                let microphone = Microphone {
                    is_stand_in: opening.tried.device != opening.device,
                    ..Microphone::new(request, opening.device.clone(), opening.wants_picture, state)
                };
                match opening.companion.clone() {
                    Some(wanted) => {
                        opening.microphone = Some(microphone);
                        self.open_companion(opening, wanted);
                    }
                    None => self.all_opened(opening, microphone),
                }
            }
            Err(CaptureError::ChosenIsGone | CaptureError::NoMicrophone)
                if opening.tried.device.is_some() =>
            {
                opening.tried.device = None;
                self.open_microphone(opening);
            }
            // To go on with a recording: its sound matters more than a camera that is gone.
            Err(CaptureError::NoCamera) if opening.tried.wants_picture && is_interrupted => {
                opening.tried = Tried { device: opening.device.clone(), wants_picture: false };
                self.open_microphone(opening);
            }
            Err(error) => self.not_opened(at, opening, error),
        }
    }

    /// The answer to [`Effect::OpenCompanion`].
    pub fn companion_opened(
        &mut self,
        at: Moment,
        request: RequestNo,
        opened: Result<(), CaptureError>,
    ) {
        if let Some(wanted) = self.companion.restored_by(request) {
            return self.companion_restored(request, wanted, opened);
        }
        let Some(mut opening) = self.take_opening(request) else {
            return self.close_late(request, opened.is_ok());
        };
        let Some(wanted) = opening.companion.take() else { return };
        match opened {
            Err(error) if opening.is_beginning => return self.not_opened(at, opening, error),
            opened => {
                let opened = opened.map(|()| OpenCompanion::new(request, wanted));
                opening.opened_companion = Some(opened);
            }
        }
        match opening.microphone.take() {
            Some(microphone) => self.all_opened(opening, microphone),
            None => self.open_microphone(opening),
        }
    }

    fn take_opening(&mut self, request: RequestNo) -> Option<Opening> {
        self.opening.take_if(|opening| opening.request == request)
    }

    fn all_opened(&mut self, opening: Opening, microphone: Microphone) {
        if let Some(companion) = opening.opened_companion {
            self.take_companion(companion);
        }
        self.take_microphone(microphone);
        match opening.purpose {
            Purpose::Test => self.enter(Phase::Idle),
            purpose @ (Purpose::Record | Purpose::GoOn(_)) => self.begin(purpose),
        }
    }

    fn not_opened(&mut self, at: Moment, opening: Opening, error: CaptureError) {
        let Opening { purpose, microphone, opened_companion, .. } = opening;
        if let Some(microphone) = microphone {
            self.ask(Effect::Close(microphone.request));
        }
        if let Some(companion) = opened_companion {
            self.take_companion(companion);
        }
        let error = match purpose {
            Purpose::GoOn(_) => error.after_a_loss(),
            Purpose::Test | Purpose::Record => error,
        };
        let retry_at = self.replacing.next_try(at.now, &error, purpose);
        self.enter(Phase::Failed { error, again: purpose, retry_at });
    }

    /// This microphone is used from now on.
    pub(crate) fn take_microphone(&mut self, microphone: Microphone) {
        self.replacing.microphone_opened();
        if microphone.is_stand_in {
            self.has_stand_in = true;
            self.chosen = None;
        }
        self.ask(Effect::Use(microphone.request));
        self.microphone = Some(microphone);
        self.show_preview();
    }

    pub(crate) fn drop_microphone(&mut self) {
        if let Some(microphone) = self.microphone.take() {
            self.ask(Effect::Close(microphone.request));
        }
    }

    /// Nobody waits for it any more.
    pub(crate) fn close_late(&mut self, request: RequestNo, is_open: bool) {
        if is_open {
            self.ask(Effect::Close(request));
        }
    }

    /// What was open of it. What is yet to come is closed when it does.
    pub(crate) fn close_opening(&mut self, opening: &Opening) {
        if let Some(microphone) = &opening.microphone {
            self.ask(Effect::Close(microphone.request));
        }
        if let Some(Ok(companion)) = &opening.opened_companion {
            self.ask(Effect::Close(companion.request));
        }
    }
}

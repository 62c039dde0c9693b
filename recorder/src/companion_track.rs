//! What is recorded beside the microphone, on a track of its own. Its runs begin and end with the
//! microphone's. When it is lost, the sound is recorded all the same, and the candidate is told.

use protocol::item::{EndCause, StartCause};
use protocol::{SegmentNo, TrackKind};

use crate::opening::Purpose;
use crate::recorder::{Live, Phase, Recorder};
use crate::{CaptureError, Companion, Effect, Moment, RequestNo, RunForm};

/// What is to be opened beside the microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub kind: Companion,
    /// Of a second microphone; none is the first that is left.
    pub device: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct CompanionTrack {
    open: Option<OpenCompanion>,
    /// The second microphone that was chosen; none is the first that is left.
    device: Option<String>,
    /// Why it is not recorded, although it should be.
    error: Option<CaptureError>,
    /// Asked for once more, while the microphone is recorded.
    restoring: Option<(RequestNo, Wanted)>,
    starting: Option<(SegmentNo, StartCause)>,
}

#[derive(Debug)]
pub(crate) struct OpenCompanion {
    pub(crate) request: RequestNo,
    wanted: Wanted,
    is_live: bool,
}

/// A run on the second track.
#[derive(Debug)]
pub(crate) struct CompanionRun {
    pub(crate) segment: SegmentNo,
    is_over: bool,
}

impl CompanionTrack {
    pub(crate) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    pub(crate) fn error(&self) -> Option<&CaptureError> {
        self.error.as_ref()
    }

    /// The open one that has a picture.
    pub(crate) fn picture(&self) -> Option<RequestNo> {
        let open = self.open.as_ref().filter(|open| open.wanted.kind.has_picture());
        open.map(|open| open.request)
    }

    /// What was to be restored, if this is the answer.
    pub(crate) fn restored_by(&mut self, request: RequestNo) -> Option<Wanted> {
        let (_, wanted) = self.restoring.take_if(|(awaited, _)| *awaited == request)?;
        Some(wanted)
    }
}

impl OpenCompanion {
    pub(crate) const fn new(request: RequestNo, wanted: Wanted) -> Self {
        Self { request, wanted, is_live: true }
    }
}

impl Live {
    /// Everything of all of its runs has been handed over.
    pub(crate) fn is_over(&self) -> bool {
        self.is_main_over && self.companion.as_ref().is_none_or(|run| run.is_over)
    }
}

impl Recorder {
    /// What has to be opened beside the microphone for this. Browsers share the screen only upon a
    /// click; nobody is to be asked for it just to test a microphone.
    pub(crate) fn wanted_companion(&self, purpose: Purpose) -> Option<Wanted> {
        let kind = self.source.companion()?;
        let is_upon_a_click = matches!(purpose, Purpose::Record);
        let wanted = self.wanted(kind);
        let is_wanted = |open: &OpenCompanion| open.wanted == wanted && open.is_live;
        let is_there = self.companion.open.as_ref().is_some_and(is_wanted);
        (!is_there && (is_upon_a_click || !kind.is_shared())).then_some(wanted)
    }

    fn wanted(&self, kind: Companion) -> Wanted {
        let is_second_microphone = kind == Companion::SecondMicrophone;
        Wanted { kind, device: self.companion.device.clone().filter(|_| is_second_microphone) }
    }

    /// By [`crate::Device::id`]; empty for the first that is left.
    pub fn choose_second_device(&mut self, id: String) {
        self.companion.device = Some(id).filter(|id| !id.is_empty());
        self.drop_companion();
    }

    fn drop_companion(&mut self) {
        if let Some(open) = self.companion.open.take() {
            self.ask(Effect::Close(open.request));
        }
    }

    /// Nothing is known of it any more, and nothing waited for.
    pub(crate) fn close_companion(&mut self) {
        self.drop_companion();
        self.companion.error = None;
        self.companion.restoring = None;
    }

    /// Takes in what was opened, or why it was not.
    pub(crate) fn take_companion(&mut self, opened: Result<OpenCompanion, CaptureError>) {
        self.close_companion();
        match opened {
            Ok(companion) => self.companion.open = Some(companion),
            Err(error) => self.companion.error = Some(error),
        }
        self.show_preview();
    }

    /// Starts a run on the open companion, beside the microphone's.
    pub(crate) fn begin_companion(&mut self, cause: StartCause) {
        let Some(session) = &self.session else { return };
        let run = session.next_segment();
        let Some(companion) = self.companion.open.as_ref().filter(|open| open.is_live) else {
            return;
        };
        let companion = companion.request;
        self.companion.starting = Some((run, cause));
        self.ask(Effect::StartCompanion { run, companion });
    }

    /// The answer to [`Effect::StartCompanion`].
    pub fn companion_started(
        &mut self,
        at: Moment,
        run: SegmentNo,
        started: Result<RunForm, CaptureError>,
    ) {
        let starting = self.companion.starting.take_if(|(starting, _)| *starting == run);
        let kind = self.companion.open.as_ref().map(|open| open.wanted.kind.track_kind());
        let (Some((_, cause)), Some(kind), Some(session), Phase::Capturing(live)) =
            (starting, kind, &mut self.session, &mut self.phase)
        else {
            return self.ask(Effect::Drop(run));
        };
        match started {
            Ok(form) => {
                session.companion_started(at, kind, &form, cause);
                live.companion = Some(CompanionRun { segment: run, is_over: false });
                self.companion.error = None;
                if live.is_paused {
                    self.ask(Effect::Pause(run));
                }
            }
            Err(error) => self.companion.error = Some(error),
        }
    }

    /// Its run has handed over everything, asked to or not.
    pub(crate) fn companion_stopped(&mut self, at: Moment) {
        match &mut self.phase {
            Phase::Capturing(_) => self.lose_companion(at),
            Phase::Closing { live, .. } => {
                if let Some(run) = &mut live.companion {
                    run.is_over = true;
                }
                self.close_if_over(at);
            }
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    /// The run beside the microphone has ended by itself.
    fn lose_companion(&mut self, at: Moment) {
        let is_live = self.companion.open.as_ref().is_some_and(|open| open.is_live);
        let cause = if is_live { EndCause::RecorderFailed } else { EndCause::DeviceLost };
        let Phase::Capturing(live) = &mut self.phase else { return };
        if let (Some(ended), Some(session)) = (live.companion.take(), &mut self.session) {
            session.companion_ended(at.now, ended.segment, cause);
            self.ask(Effect::Drop(ended.segment));
        }
        self.close_companion();
        self.companion.error =
            self.source.companion().map(|kind| match (is_live, kind.is_shared()) {
                (true, _) => CaptureError::RecorderStopped.of_companion(kind),
                (false, true) => CaptureError::ShareEnded,
                (false, false) => CaptureError::Disconnected.of_companion(kind),
            });
        self.show_preview();
    }

    /// How the open companion is just now: one that is not live was unplugged, or is no longer allowed
    /// or shared.
    pub fn companion_is(&mut self, at: Moment, request: RequestNo, is_live: bool) {
        let Some(open) = self.companion.open.as_mut().filter(|open| open.request == request) else {
            return;
        };
        if is_live || !std::mem::replace(&mut open.is_live, false) {
            return;
        }
        match &self.phase {
            // A recorder says itself when its stream has ended; pictures are taken by a timer.
            Phase::Capturing(Live { companion: Some(run), .. }) => {
                self.ask(Effect::Stop(run.segment));
            }
            Phase::Capturing(_) => self.lose_companion(at),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {
                self.close_companion();
                self.show_preview();
            }
        }
    }

    /// Opens once more what is missing beside the microphone.
    pub fn restore_companion(&mut self) {
        let Some(kind) = self.missing_companion() else { return };
        // One whose recorder does not run: some devices can be opened only once.
        self.drop_companion();
        let wanted = self.wanted(kind);
        let first = self.microphone.as_ref().and_then(|one| one.state.device.clone());
        let request = self.ask_for_companion(wanted.clone(), first);
        self.companion.restoring = Some((request, wanted));
    }

    pub(crate) fn companion_restored(
        &mut self,
        request: RequestNo,
        wanted: Wanted,
        opened: Result<(), CaptureError>,
    ) {
        if self.missing_companion().is_none() {
            return self.close_late(request, opened.is_ok());
        }
        self.take_companion(opened.map(|()| OpenCompanion::new(request, wanted)));
        self.begin_companion(StartCause::Retried);
    }

    /// A device came or went, which may be the one that is missing.
    pub(crate) fn restore_companion_device(&mut self) {
        let may_pass =
            self.companion.error.as_ref().is_some_and(CaptureError::may_pass_with_a_device);
        if may_pass && self.missing_companion().is_some_and(|kind| !kind.is_shared()) {
            self.restore_companion();
        }
    }

    /// What should be recorded beside the microphone just now, and is not.
    pub(crate) fn missing_companion(&self) -> Option<Companion> {
        match &self.phase {
            Phase::Capturing(Live { companion: None, .. }) => self.source.companion(),
            Phase::Capturing(_)
            | Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => None,
        }
    }
}

impl Companion {
    const fn track_kind(self) -> TrackKind {
        match self {
            Self::Stills => TrackKind::Stills,
            Self::SecondMicrophone => TrackKind::Microphone,
            Self::SystemAudio => TrackKind::SystemAudio,
            Self::Screen => TrackKind::Screen,
        }
    }
}

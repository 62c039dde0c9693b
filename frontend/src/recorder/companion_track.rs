//! What is recorded beside the microphone, on a track of its own. Its runs begin and end with the
//! microphone's. When it is lost, the sound is recorded all the same, and the candidate is told.

use app::recorder::port::Companion as Kind;
use protocol::item::{EndCause, StartCause};
use protocol::{Millis, SegmentNo};
use wasm_bindgen_futures::spawn_local;

use super::{Live, Phase, Purpose, Recorder, RequestNo};
use crate::capture::RunEvent;
use crate::capture_error::CaptureError;
use crate::companion::{Companion, Take, Wanted};
use crate::driver::Input;
use crate::session::RunStart;

#[derive(Default)]
pub(super) struct CompanionTrack {
    open: Option<Companion>,
    /// The second microphone that was chosen; none is the first that is left.
    device: Option<String>,
    /// Why it is not recorded, although it should be.
    error: Option<CaptureError>,
    /// Counts the companions that were asked for, to know the events of earlier ones.
    request: RequestNo,
}

/// A run on the second track.
pub(super) struct CompanionRun {
    take: Take,
    segment: SegmentNo,
    is_over: bool,
}

impl CompanionTrack {
    pub(super) fn open(&self) -> Option<&Companion> {
        self.open.as_ref()
    }

    pub(super) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    pub(super) fn error(&self) -> Option<&CaptureError> {
        self.error.as_ref()
    }

    pub(super) fn close(&mut self) {
        self.open = None;
        self.error = None;
        self.request = self.request.next();
    }
}

impl CompanionRun {
    pub(super) fn take(&mut self) -> &mut Take {
        &mut self.take
    }

    pub(super) fn flush(&self) {
        self.take.flush();
    }

    pub(super) const fn segment(&self) -> SegmentNo {
        self.segment
    }
}

impl Live {
    /// Everything of all of its runs has been handed over.
    pub(super) fn is_over(&self) -> bool {
        self.is_main_over && self.companion.as_ref().is_none_or(|run| run.is_over)
    }
}

impl Recorder {
    /// What has to be opened beside the microphone for this. Browsers share the screen only upon a
    /// click; nobody is to be asked for it just to test a microphone.
    pub(super) fn wanted_companion(&self, purpose: Purpose) -> Option<Wanted> {
        let kind = self.source.companion()?;
        let is_upon_a_click = matches!(purpose, Purpose::Record);
        let wanted = self.wanted(kind);
        let is_there = self.companion.open.as_ref().is_some_and(|open| open.is(&wanted));
        (!is_there && (is_upon_a_click || !kind.is_shared())).then_some(wanted)
    }

    fn wanted(&self, kind: Kind) -> Wanted {
        let device = self.companion.device.clone().filter(|_| kind == Kind::SecondMicrophone);
        Wanted { kind, device }
    }

    pub(super) fn choose_second(&mut self, id: String) {
        self.companion.device = Some(id).filter(|id| !id.is_empty());
        self.companion.open = None;
    }

    /// Takes in what was opened, or why it was not.
    pub(super) fn companion_opened(&mut self, opened: Result<Companion, CaptureError>) {
        self.companion.close();
        match opened {
            Ok(mut companion) => {
                let (request, inputs) = (self.companion.request, self.inputs.clone());
                companion.watch(move || inputs.send(Input::CompanionEnded(request)));
                self.companion.open = Some(companion);
            }
            Err(error) => self.companion.error = Some(error),
        }
        self.show_preview();
    }

    /// Starts a run on the open companion, beside the microphone's.
    pub(super) fn begin_companion(&mut self, now: Millis, cause: StartCause) {
        let (Phase::Capturing(live), Some(session)) = (&mut self.phase, &mut self.session) else {
            return;
        };
        let open = self.companion.open.as_ref().filter(|companion| companion.is_live());
        let Some(companion) = open else { return };
        let (segment, inputs) = (session.next_segment(), self.inputs.clone());
        match companion.record(move |event| inputs.send(Input::Run { segment, event })) {
            Ok(mut take) => {
                let kind = companion.track_kind();
                let run = RunStart { kind, mime: take.mime(), label: &companion.label() };
                session.companion_started(now, &run, cause);
                if live.run.is_paused() {
                    take.pause();
                }
                live.companion = Some(CompanionRun { take, segment, is_over: false });
                self.companion.error = None;
            }
            Err(error) => self.companion.error = Some(error),
        }
    }

    pub(super) fn companion_event(&mut self, now: Millis, segment: SegmentNo, event: RunEvent) {
        let (Phase::Capturing(live) | Phase::Closing { live, .. }) = &mut self.phase else {
            return;
        };
        let Some(run) = live.companion.as_mut().filter(|one| one.segment == segment) else {
            return;
        };
        match event {
            RunEvent::Chunk(blob) => {
                if let Some(session) = &mut self.session {
                    session.companion_chunk(now, segment, blob);
                }
            }
            RunEvent::Picture(blob, taken_at) => {
                if let Some(session) = &mut self.session {
                    session.companion_chunk(taken_at, segment, blob);
                }
            }
            // The microphone's run has told of it.
            RunEvent::Paused | RunEvent::Resumed => {}
            RunEvent::Failed => run.take.stop(),
            RunEvent::Stopped => {
                run.is_over = true;
                match &self.phase {
                    Phase::Capturing(_) => self.lose_companion(now),
                    Phase::Idle
                    | Phase::Acquiring(_)
                    | Phase::Closing { .. }
                    | Phase::Finishing
                    | Phase::HandingOver { .. }
                    | Phase::GivenAway
                    | Phase::Failed { .. } => self.close_if_over(now),
                }
            }
        }
    }

    /// The run beside the microphone has ended by itself.
    fn lose_companion(&mut self, now: Millis) {
        let is_live = self.companion.open.as_ref().is_some_and(Companion::is_live);
        let cause = if is_live { EndCause::RecorderFailed } else { EndCause::DeviceLost };
        let Phase::Capturing(live) = &mut self.phase else { return };
        if let (Some(ended), Some(session)) = (live.companion.take(), &mut self.session) {
            session.companion_ended(now, ended.segment, cause);
        }
        self.companion.close();
        self.companion.error =
            self.source.companion().map(|kind| match (is_live, kind.is_shared()) {
                (true, _) => CaptureError::RecorderStopped.of_companion(kind),
                (false, true) => CaptureError::ShareEnded,
                (false, false) => CaptureError::Disconnected.of_companion(kind),
            });
        self.show_preview();
    }

    /// Unplugged, no longer allowed, or no longer shared.
    pub(crate) fn companion_ended(&mut self, now: Millis, request: RequestNo) {
        if request != self.companion.request {
            return;
        }
        match &mut self.phase {
            // A recorder says itself when its stream has ended; pictures are taken by a timer.
            Phase::Capturing(Live { companion: Some(run), .. }) => run.take.stop(),
            Phase::Capturing(_) => self.lose_companion(now),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {
                self.companion.close();
                self.show_preview();
            }
        }
    }

    /// Opens once more what is missing beside the microphone; the answer is
    /// [`Input::CompanionOpened`].
    pub(super) fn restore_companion(&mut self) {
        let Some(kind) = self.missing_companion() else { return };
        let (wanted, inputs) = (self.wanted(kind), self.inputs.clone());
        let first = self.microphone.as_ref().and_then(|microphone| microphone.device());
        self.companion.request = self.companion.request.next();
        let request = self.companion.request;
        spawn_local(async move {
            let opened = Companion::open(wanted, first).await;
            inputs.send(Input::CompanionOpened { request, opened });
        });
    }

    pub(crate) fn companion_restored(
        &mut self,
        now: Millis,
        request: RequestNo,
        opened: Result<Companion, CaptureError>,
    ) {
        if request == self.companion.request && self.missing_companion().is_some() {
            self.companion_opened(opened);
            self.begin_companion(now, StartCause::Retried);
        }
    }

    /// A device came or went, which may be the one that is missing.
    pub(super) fn restore_companion_device(&mut self) {
        let may_pass =
            self.companion.error.as_ref().is_some_and(CaptureError::may_pass_with_a_device);
        if may_pass && self.missing_companion().is_some_and(|kind| !kind.is_shared()) {
            self.restore_companion();
        }
    }

    /// What should be recorded beside the microphone just now, and is not.
    pub(super) fn missing_companion(&self) -> Option<Kind> {
        match &self.phase {
            Phase::Capturing(Live { companion: None, .. }) => self.source.companion(),
            Phase::Capturing(_)
            | Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => None,
        }
    }
}

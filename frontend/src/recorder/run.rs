//! The recorder's runs: how one starts, what it hands over, and how it ends. What is captured goes
//! to the session.

use protocol::item::{EndCause, StartCause};
use protocol::{Millis, SegmentNo, TrackKind};

use super::{Ending, Live, Phase, Purpose, Recorder};
use crate::capture::{Run, RunEvent};
use crate::capture_error::CaptureError;
use crate::driver::Input;
use crate::session::{RunStart, Session};
use crate::source;
use crate::storage;
use crate::watch::Stall;

/// How long a run may take to hand over its last chunk.
const STOP_DEADLINE: Millis = Millis::from_secs(10);

/// The same for one that has stood still: while it is waited for, nothing is captured.
const STALLED_STOP_DEADLINE: Millis = Millis::from_secs(1);

/// How long the spool may take to write down the rest, before the session is let go without it.
const HAND_OVER_DEADLINE: Millis = Millis::from_secs(4);

impl Recorder {
    /// Starts a run on the open microphone, in a new session or in the one that was interrupted.
    pub(super) fn begin(&mut self, now: Millis) {
        self.begin_as(now, StartCause::Retried, Purpose::Record);
    }

    /// The same, with the cause of a segment that is not the session's first in this page, and with
    /// what to try again should the run not start.
    pub(super) fn begin_as(&mut self, now: Millis, cause: StartCause, again: Purpose) {
        match self.begin_run(now, cause) {
            Ok((live, cause)) => {
                self.phase = Phase::Capturing(live);
                self.begin_companion(now, cause);
                self.note_beginning(now);
            }
            Err(error) => {
                self.microphone = None;
                if self.session.is_none() {
                    self.companion.close();
                }
                self.fail(error, again);
            }
        }
    }

    /// The run comes first: a recorder that does not start must not leave an empty session behind.
    /// Its events come later, and so after the segment's first marker.
    fn begin_run(
        &mut self,
        now: Millis,
        cause: StartCause,
    ) -> Result<(Live, StartCause), CaptureError> {
        let microphone = self.microphone.as_ref().ok_or(CaptureError::NoMicrophone)?;
        let segment =
            self.session.as_ref().map_or(SegmentNo::new(0), |session| session.next_segment());
        let inputs = self.inputs.clone();
        let (stream, has_picture) = (microphone.stream(), microphone.has_picture());
        let on_event = move |event| inputs.send(Input::Run { segment, event });
        let run = Run::start(stream, has_picture, on_event)?;
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                storage::ask_to_persist();
                Session::new(now, self.spool.clone(), self.inputs.clone())
                    .map_err(|error| CaptureError::of_recorder(&error))?
            }
        };
        let session = self.session.insert(session);
        let kind = if has_picture { TrackKind::Camera } else { TrackKind::Microphone };
        let start = RunStart { kind, mime: run.mime(), label: &microphone.whole_label() };
        let cause = session.segment_started(now, &start, cause);
        source::note(session.pipeline.session(), self.source);
        let stall = Stall::new(now);
        Ok((Live { run, segment, stall, is_main_over: false, companion: None }, cause))
    }

    pub(crate) fn run_event(&mut self, now: Millis, segment: SegmentNo, event: RunEvent) {
        let (Phase::Capturing(live) | Phase::Closing { live, .. }) = &mut self.phase else {
            return;
        };
        if live.segment != segment {
            return self.companion_event(now, segment, event);
        }
        let Some(session) = &mut self.session else { return };
        match event {
            RunEvent::Chunk(blob) => {
                live.stall.delivered(now);
                self.replacing.run_is_fruitful();
                session.chunk(now, segment, blob);
            }
            // Of a camera beside it.
            RunEvent::Picture(..) => {}
            RunEvent::Paused => session.paused(now),
            RunEvent::Resumed => session.resumed(now),
            RunEvent::Failed => self.close(now, Ending::GoOn(EndCause::RecorderFailed)),
            RunEvent::Stopped => {
                live.is_main_over = true;
                if matches!(self.phase, Phase::Capturing(_)) {
                    self.close(now, Ending::GoOn(self.unasked_end()));
                }
                self.close_if_over(now);
            }
        }
    }

    /// Once all runs have handed over the rest.
    pub(super) fn close_if_over(&mut self, now: Millis) {
        if matches!(&self.phase, Phase::Closing { live, .. } if live.is_over()) {
            self.closed(now);
        }
    }

    /// Tells the runs to stop; the rest of each arrives before its [`RunEvent::Stopped`].
    pub(super) fn close(&mut self, now: Millis, ending: Ending) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Capturing(mut live) => {
                live.run.stop();
                if let Some(companion) = &mut live.companion {
                    companion.take().stop();
                }
                let stalled = matches!(ending, Ending::GoOn(EndCause::RecorderStalled));
                let limit = if stalled { STALLED_STOP_DEADLINE } else { STOP_DEADLINE };
                Phase::Closing { live, ending, deadline: now + limit }
            }
            other @ (Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. }) => other,
        };
    }

    /// The runs are over: everything of them has its number, and is read or being read.
    pub(super) fn closed(&mut self, now: Millis) {
        let (live, ending) = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Closing { live, ending, .. } => (live, ending),
            other @ (Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Capturing(_)
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. }) => {
                self.phase = other;
                return;
            }
        };
        if let Some(session) = &mut self.session {
            session.segment_ended(now, live.segment, ending.cause());
            if let Some(companion) = &live.companion {
                session.companion_ended(now, companion.segment(), ending.cause());
            }
        }
        match ending {
            Ending::Save => {
                self.close_microphone();
                self.finish(now);
            }
            Ending::HandOver => {
                self.close_microphone();
                self.phase = Phase::HandingOver { deadline: now + HAND_OVER_DEADLINE };
            }
            Ending::GoOn(cause) => self.follow(now, cause, live.run.is_paused()),
        }
    }

    /// Why a recorder ends that nobody has told to: mostly because its microphone did.
    fn unasked_end(&self) -> EndCause {
        match &self.microphone {
            Some(microphone) if microphone.is_live() => EndCause::RecorderFailed,
            Some(_) | None => EndCause::DeviceLost,
        }
    }
}

impl Ending {
    const fn cause(&self) -> EndCause {
        match self {
            Self::Save => EndCause::Stopped,
            Self::GoOn(cause) => *cause,
            Self::HandOver => EndCause::TakenOver,
        }
    }
}

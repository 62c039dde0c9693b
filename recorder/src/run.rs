//! The recorder's runs: how one starts, what it hands over, and how it ends.

use bytes::Bytes;
use protocol::item::{EndCause, StartCause};
use protocol::{Millis, SegmentNo, Seq, TrackKind};

use crate::companion_track::CompanionRun;
use crate::opening::Purpose;
use crate::recorder::{Live, Phase, Recorder};
use crate::session::{Numbered, Session};
use crate::watch::Stall;
use crate::{CaptureError, Effect, Moment, Started};

/// How long a run may take to hand over its last chunk.
const STOP_DEADLINE: Millis = Millis::from_secs(10);

/// The same for one that has stood still: while it is waited for, nothing is captured.
const STALLED_STOP_DEADLINE: Millis = Millis::from_secs(1);

/// How long the spool may take to write down the rest, before the session is let go without it.
pub(crate) const HAND_OVER_DEADLINE: Millis = Millis::from_secs(4);

/// What follows once a run is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Save,
    /// The recording goes on in a new segment.
    GoOn(EndCause),
    /// To another tab.
    HandOver,
}

/// Whose run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Microphone,
    Companion,
}

impl Recorder {
    /// Starts a run on the open microphone, in a new session or in the one that was interrupted.
    pub(crate) fn begin(&mut self, purpose: Purpose) {
        let Some(microphone) = &self.microphone else {
            return self.fail(CaptureError::NoMicrophone, purpose);
        };
        let (microphone, has_picture) = (microphone.request, microphone.state.has_picture);
        let is_first = self.session.is_none();
        let run = self.session.as_ref().map_or(SegmentNo::new(0), Session::next_segment);
        self.ask(Effect::StartRun { run, microphone, has_picture, is_first });
        self.enter(Phase::Starting(purpose));
    }

    /// The answer to [`Effect::StartRun`]. The run comes first: a recorder that does not start must
    /// not leave an empty session behind.
    pub fn run_started(
        &mut self,
        at: Moment,
        run: SegmentNo,
        started: Result<Started, CaptureError>,
    ) {
        let Phase::Starting(purpose) = self.phase else {
            return self.ask(Effect::Drop(run));
        };
        match started {
            Ok(started) => self.capture(at, run, started, purpose),
            Err(error) => {
                self.drop_microphone();
                if self.session.is_none() {
                    self.close_companion();
                }
                self.fail(error, purpose);
            }
        }
    }

    fn capture(&mut self, at: Moment, run: SegmentNo, started: Started, purpose: Purpose) {
        let Started { form, session } = started;
        if let Some(new) = session.filter(|_| self.session.is_none()) {
            self.ask(Effect::Begin(new.session));
            self.session = Some(Session::new(at, new));
        }
        let Some(session) = &mut self.session else {
            self.ask(Effect::Drop(run));
            return self.fail(CaptureError::RecorderStopped, purpose);
        };
        let has_picture = self.microphone.as_ref().is_some_and(|one| one.state.has_picture);
        let kind = if has_picture { TrackKind::Camera } else { TrackKind::Microphone };
        let cause = session.segment_started(at, kind, &form, purpose.cause());
        let id = session.id();
        self.ask(Effect::NoteSource(id, self.source));
        self.enter(Phase::Capturing(Live {
            segment: run,
            is_paused: false,
            stall: Stall::new(at.now),
            is_main_over: false,
            companion: None,
        }));
        if let Purpose::GoOn(go_on) = purpose {
            self.replacing.went_on(go_on.cause);
            // Before the companion's run starts, which is paused with this one.
            if go_on.is_paused {
                self.ask(Effect::Pause(run));
            }
        }
        self.begin_companion(cause);
        self.note_beginning(at);
    }

    /// The candidate makes a pause.
    pub fn pause(&mut self) {
        if let Phase::Capturing(live) = &self.phase
            && !live.is_paused
        {
            self.ask_runs(Effect::Pause);
        }
    }

    /// The candidate goes on after a pause.
    pub fn resume(&mut self) {
        if let Phase::Capturing(live) = &self.phase
            && live.is_paused
        {
            self.ask_runs(Effect::Resume);
        }
    }

    /// The answer to [`Effect::Pause`].
    pub fn run_paused(&mut self, at: Moment, run: SegmentNo) {
        if self.set_paused(run, true)
            && let Some(session) = &mut self.session
        {
            session.paused(at.now);
        }
    }

    /// The answer to [`Effect::Resume`].
    pub fn run_resumed(&mut self, at: Moment, run: SegmentNo) {
        if self.set_paused(run, false)
            && let Some(session) = &mut self.session
        {
            session.resumed(at.now);
        }
    }

    /// True when the microphone's run is meant, which tells for both, and something has changed.
    fn set_paused(&mut self, run: SegmentNo, is_paused: bool) -> bool {
        match &mut self.phase {
            Phase::Capturing(live) if live.segment == run => {
                std::mem::replace(&mut live.is_paused, is_paused) != is_paused
            }
            Phase::Capturing(_)
            | Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => false,
        }
    }

    /// A run hands over a chunk of so many bytes, never none, or a picture that was taken then.
    /// Returns the number that it has from now on.
    pub fn chunk(
        &mut self,
        at: Moment,
        run: SegmentNo,
        taken_at: Millis,
        bytes: usize,
    ) -> Option<Seq> {
        let whose = self.whose(run)?;
        let (Phase::Capturing(live) | Phase::Closing { live, .. }) = &mut self.phase else {
            return None;
        };
        let session = self.session.as_mut()?;
        let Numbered { seq, urgent_tail } = match whose {
            Whose::Microphone => {
                live.stall.delivered(at.now);
                self.replacing.run_is_fruitful();
                session.chunk(taken_at, run, bytes)
            }
            Whose::Companion => session.companion_chunk(taken_at, run, bytes),
        };
        let is_urgent = urgent_tail.is_some();
        if let Some(header) = urgent_tail {
            self.note_numbers();
            self.ask(Effect::SendTail { seq, header });
        }
        self.ask(Effect::Read { seq, is_urgent });
        Some(seq)
    }

    /// The answer to [`Effect::Read`]: the bytes, or `None` when they cannot be had.
    pub fn chunk_read(&mut self, at: Moment, seq: Seq, bytes: Option<Bytes>) {
        if let Some(session) = &mut self.session {
            session.read(at.now, seq, bytes);
        }
    }

    /// Every number so far may be in use from now on, although no spool knows of it.
    pub(crate) fn note_numbers(&mut self) {
        if let Some(session) = &self.session {
            let note = session.sender.record().to_note();
            self.ask(Effect::Sender(note));
        }
    }

    /// The browser's recorder reports an error.
    pub fn run_failed(&mut self, at: Moment, run: SegmentNo) {
        match self.whose(run) {
            Some(Whose::Microphone) => {
                self.close(at.now, Ending::GoOn(EndCause::RecorderFailed));
            }
            Some(Whose::Companion) => self.ask(Effect::Stop(run)),
            None => {}
        }
    }

    /// A run has handed over everything, asked to or not.
    pub fn run_stopped(&mut self, at: Moment, run: SegmentNo) {
        match self.whose(run) {
            Some(Whose::Microphone) => {
                if matches!(self.phase, Phase::Capturing(_)) {
                    self.close(at.now, Ending::GoOn(self.unasked_end()));
                }
                if let Phase::Closing { live, .. } = &mut self.phase {
                    live.is_main_over = true;
                }
                self.close_if_over(at);
            }
            Some(Whose::Companion) => self.companion_stopped(at),
            None => {}
        }
    }

    fn whose(&self, run: SegmentNo) -> Option<Whose> {
        let live = self.live()?;
        if live.segment == run {
            return Some(Whose::Microphone);
        }
        let is_it = live.companion.as_ref().is_some_and(|companion| companion.segment == run);
        is_it.then_some(Whose::Companion)
    }

    /// Once all runs have handed over the rest.
    pub(crate) fn close_if_over(&mut self, at: Moment) {
        if matches!(&self.phase, Phase::Closing { live, .. } if live.is_over()) {
            self.closed(at);
        }
    }

    /// Tells the runs to stop; the rest of each arrives before it has stopped.
    pub(crate) fn close(&mut self, now: Millis, ending: Ending) {
        if !matches!(self.phase, Phase::Capturing(_)) {
            return;
        }
        self.ask_runs(Effect::Stop);
        if let Phase::Capturing(live) = std::mem::replace(&mut self.phase, Phase::Idle) {
            let has_stalled = ending == Ending::GoOn(EndCause::RecorderStalled);
            let limit = if has_stalled { STALLED_STOP_DEADLINE } else { STOP_DEADLINE };
            self.phase = Phase::Closing { live, ending, deadline: now + limit };
        }
    }

    /// The runs are over: everything of them has its number, and is read or being read.
    pub(crate) fn closed(&mut self, at: Moment) {
        let Phase::Closing { live, ending, .. } = &self.phase else { return };
        let (ending, is_paused) = (*ending, live.is_paused);
        self.mark_ends(at.now, ending.cause());
        match ending {
            Ending::Save => self.finish(at.now),
            Ending::HandOver => {
                self.close_microphone();
                self.enter(Phase::HandingOver { deadline: at.now + HAND_OVER_DEADLINE });
            }
            Ending::GoOn(cause) => {
                self.enter(Phase::Idle);
                self.follow(cause, is_paused);
            }
        }
    }

    /// Where the runs end on the timeline, and why.
    pub(crate) fn mark_ends(&mut self, now: Millis, cause: EndCause) {
        let (Phase::Capturing(live) | Phase::Closing { live, .. }) = &self.phase else { return };
        let Some(session) = &mut self.session else { return };
        session.segment_ended(now, live.segment, cause);
        if let Some(CompanionRun { segment, .. }) = live.companion {
            session.companion_ended(now, segment, cause);
        }
    }

    /// Why a recorder ends that nobody has told to: mostly because its microphone did.
    fn unasked_end(&self) -> EndCause {
        match &self.microphone {
            Some(microphone) if microphone.state.is_live => EndCause::RecorderFailed,
            Some(_) | None => EndCause::DeviceLost,
        }
    }

    /// The same of all runs, the microphone's first.
    pub(crate) fn ask_runs(&mut self, what: impl Fn(SegmentNo) -> Effect) {
        let Some(live) = self.live() else { return };
        let (main, companion) = (live.segment, live.companion.as_ref().map(|run| run.segment));
        self.ask(what(main));
        if let Some(companion) = companion {
            self.ask(what(companion));
        }
    }
}

impl Purpose {
    /// Why the segment starts, from the second one of the page on.
    const fn cause(self) -> StartCause {
        match self {
            Self::Test | Self::Record => StartCause::Retried,
            Self::GoOn(go_on) => go_on.cause,
        }
    }
}

impl Ending {
    const fn cause(self) -> EndCause {
        match self {
            Self::Save => EndCause::Stopped,
            Self::GoOn(cause) => cause,
            Self::HandOver => EndCause::TakenOver,
        }
    }
}

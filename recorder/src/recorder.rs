//! The candidate's commands, and how a recorder stands: what is opened is in [`crate::opening`], the
//! runs in [`crate::run`], what is recorded beside the microphone in [`crate::companion_track`], the way
//! on when the microphone is lost or another one is chosen in [`crate::replacing`], what is kept an eye
//! on in [`crate::watching`], the page's end in [`crate::leaving`].

use std::collections::VecDeque;

use protocol::item::{EndCause, StartCause};
use protocol::sender::{FinishStatus, Sender};
use protocol::{Millis, SegmentNo, SessionId};

use crate::companion_track::{CompanionRun, CompanionTrack};
use crate::leaving::Leaving;
use crate::opening::{Microphone, Opening, Purpose};
use crate::replacing::Replacing;
use crate::run::{Ending, HAND_OVER_DEADLINE};
use crate::session::Session;
use crate::watch::Stall;
use crate::watching::Watching;
use crate::{CaptureError, Effect, Moment, RequestNo, Source};

#[derive(Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Idle,
    Acquiring(Purpose),
    /// Until the shell says whether the run has begun.
    Starting(Purpose),
    Capturing(Live),
    /// The run was told to stop and hands over the rest.
    Closing {
        live: Live,
        ending: Ending,
        deadline: Millis,
    },
    /// Capture is over for good.
    Finishing,
    /// Another tab is to go on, once the spool has everything.
    HandingOver {
        deadline: Millis,
    },
    /// Another tab goes on.
    GivenAway,
    Failed {
        error: CaptureError,
        again: Purpose,
        /// When it is tried again without being asked to.
        retry_at: Option<Millis>,
    },
}

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) segment: SegmentNo,
    pub(crate) is_paused: bool,
    pub(crate) stall: Stall,
    /// The microphone's run has handed over everything.
    pub(crate) is_main_over: bool,
    pub(crate) companion: Option<CompanionRun>,
}

/// One page's recorder. It has at most one session in its life.
#[derive(Debug, Default)]
pub struct Recorder {
    pub(crate) phase: Phase,
    requests: RequestNo,
    /// Only while acquiring.
    pub(crate) opening: Option<Opening>,
    pub(crate) chosen: Option<String>,
    pub(crate) source: Source,
    pub(crate) microphone: Option<Microphone>,
    pub(crate) companion: CompanionTrack,
    pub(crate) session: Option<Session>,
    is_unlocked: bool,
    pub(crate) replacing: Replacing,
    pub(crate) watching: Watching,
    pub(crate) leaving: Leaving,
    /// The chosen microphone was gone, and the default took its place.
    pub(crate) has_stand_in: bool,
    /// The browser did not hand over the end of a run in time.
    pub(crate) tail_was_lost: bool,
    effects: VecDeque<Effect>,
}

impl Recorder {
    /// The session's sender, while there is a session.
    pub fn sender(&self) -> Option<&Sender> {
        self.session.as_ref().map(|session| &session.sender)
    }

    /// The same, to be told what its link and its spool report.
    pub fn sender_mut(&mut self) -> Option<&mut Sender> {
        self.session.as_mut().map(|session| &mut session.sender)
    }

    pub fn session(&self) -> Option<SessionId> {
        self.session.as_ref().map(Session::id)
    }

    /// True while this page has no session of its own.
    pub fn is_free(&self) -> bool {
        self.session.is_none() && matches!(self.phase, Phase::Idle)
    }

    /// True while sound is captured, or is about to be again.
    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Capturing(_) | Phase::Closing { .. }) || self.is_going_on()
    }

    /// It has lost its sound and is about to have it again.
    pub(crate) fn is_going_on(&self) -> bool {
        matches!(self.phase, Phase::Acquiring(Purpose::GoOn(_)) | Phase::Starting(Purpose::GoOn(_)))
    }

    /// Makes the session of an earlier page or of another tab this one's, and goes on recording.
    pub fn take_up(&mut self, at: Moment, sender: Sender, source: Source, cause: StartCause) {
        self.source = source;
        self.close_companion();
        self.session = Some(Session::resume(at, sender, cause));
        self.start();
    }

    /// Makes the session of an earlier page this one's, and saves it.
    pub fn take_up_to_finish(&mut self, at: Moment, sender: Sender) {
        self.session = Some(Session::resume(at, sender, StartCause::PageReturned));
        self.finish(at.now);
    }

    /// Another tab wants to go on with this session: the run is closed, and once the spool has all
    /// of it, the session is let go. What is being saved already is saved here.
    pub fn hand_over(&mut self, now: Millis, session: SessionId) {
        if self.session() != Some(session) {
            return;
        }
        match &mut self.phase {
            Phase::Capturing(_) => self.close(now, Ending::HandOver),
            Phase::Closing { ending: ending @ Ending::GoOn(_), .. } => *ending = Ending::HandOver,
            Phase::Acquiring(Purpose::GoOn(_)) | Phase::Failed { .. } => {
                self.enter(Phase::HandingOver { deadline: now + HAND_OVER_DEADLINE });
            }
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway => {}
        }
    }

    /// Another tab has taken this session without waiting: it may be at work on it already.
    pub fn lock_lost(&mut self, session: SessionId) {
        if self.session() == Some(session) {
            self.give_away();
        }
    }

    fn give_away(&mut self) {
        self.enter(Phase::GivenAway);
        self.close_microphone();
        self.ask(Effect::LetGo);
        self.session = None;
    }

    /// Also the one that was opened to go on with, and what is open beside it.
    pub(crate) fn close_microphone(&mut self) {
        self.drop_microphone();
        if let Some(next) = self.replacing.give_up() {
            self.ask(Effect::Close(next.request));
        }
        self.close_companion();
        self.show_preview();
    }

    pub fn test_microphone(&mut self) {
        if matches!(self.phase, Phase::Idle) && self.microphone.is_none() {
            self.acquire(Purpose::Test);
        }
    }

    pub fn stop_test(&mut self) {
        match self.phase {
            Phase::Idle | Phase::Acquiring(Purpose::Test) => {
                self.close_microphone();
                self.enter(Phase::Idle);
            }
            Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    /// By [`crate::Device::id`]; empty for the browser's default.
    pub fn choose_device(&mut self, id: String) {
        let chosen = Some(id).filter(|id| !id.is_empty());
        match self.phase {
            Phase::Capturing(_) => self.switch_to(chosen),
            Phase::Idle if self.microphone.is_some() => {
                self.set_chosen(chosen);
                self.acquire(Purpose::Test);
            }
            Phase::Failed { again, .. } => {
                self.set_chosen(chosen);
                self.acquire(again);
            }
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway => {
                self.set_chosen(chosen);
            }
        }
    }

    /// Only before a recording begins: within one the picture would come and go.
    pub fn choose_source(&mut self, source: Source) {
        if matches!(self.phase, Phase::Idle | Phase::Failed { .. }) && self.session.is_none() {
            self.source = source;
            self.close_companion();
            if self.microphone.is_some() || matches!(self.phase, Phase::Failed { .. }) {
                self.acquire(Purpose::Test);
            }
        }
    }

    pub(crate) fn set_chosen(&mut self, chosen: Option<String>) {
        self.chosen = chosen;
        self.has_stand_in = false;
    }

    /// Begins to record, as soon as everything is open that it takes.
    pub fn start(&mut self) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        if self.has_all_for_recording() {
            self.begin(Purpose::Record);
        } else {
            self.acquire(Purpose::Record);
        }
    }

    /// The candidate says "stop and save".
    pub fn stop(&mut self, now: Millis) {
        match &mut self.phase {
            Phase::Capturing(_) => self.close(now, Ending::Save),
            Phase::Closing { ending: ending @ Ending::GoOn(_), .. } => *ending = Ending::Save,
            Phase::Acquiring(Purpose::GoOn(_)) => self.finish(now),
            Phase::Failed { .. } if self.session.is_some() => self.finish(now),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    /// The candidate says "try again".
    pub fn retry(&mut self, now: Millis) {
        match self.phase {
            Phase::Failed { again, .. } => {
                self.replacing.start_over();
                self.acquire(again.on_request());
            }
            Phase::Finishing if self.has_failed_to_finish() => self.finish(now),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Finishing => {}
        }
    }

    fn has_failed_to_finish(&self) -> bool {
        self.sender().is_some_and(|one| matches!(one.finish_status(), FinishStatus::Failed(_)))
    }

    pub(crate) fn finish(&mut self, now: Millis) {
        self.close_microphone();
        self.enter(Phase::Finishing);
        if let Some(session) = &mut self.session {
            session.sender.finish(now);
        }
    }

    pub(crate) fn fail(&mut self, error: CaptureError, again: Purpose) {
        self.enter(Phase::Failed { error, again, retry_at: None });
    }

    /// Leaves the phase before, and lets go of what it had.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if let Some(opening) = self.opening.take() {
            self.close_opening(&opening);
        }
        match std::mem::replace(&mut self.phase, phase) {
            Phase::Capturing(live) | Phase::Closing { live, .. } => {
                self.ask(Effect::Drop(live.segment));
                if let Some(companion) = live.companion {
                    self.ask(Effect::Drop(companion.segment));
                }
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

    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Capturing(live) | Phase::Closing { live, .. } => Some(live),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => None,
        }
    }

    pub(crate) fn next_request(&mut self) -> RequestNo {
        self.requests = self.requests.next();
        self.requests
    }

    /// After what the sender has asked for so far.
    pub(crate) fn ask(&mut self, effect: Effect) {
        if let Some(session) = &mut self.session {
            let before = std::iter::from_fn(|| session.sender.poll_effect());
            self.effects.extend(before.map(Effect::Sender));
        }
        self.effects.push_back(effect);
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        let of_sender = || self.session.as_mut()?.sender.poll_effect().map(Effect::Sender);
        self.effects.pop_front().or_else(of_sender)
    }

    /// When to call [`Recorder::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let phase = match &self.phase {
            Phase::Closing { deadline, .. } | Phase::HandingOver { deadline } => Some(*deadline),
            Phase::Failed { retry_at, .. } => *retry_at,
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Capturing(_)
            | Phase::Finishing
            | Phase::GivenAway => None,
        };
        let sender = self.sender().and_then(Sender::poll_timeout);
        [phase, sender, self.next_look(), self.leaving.next_flush()].into_iter().flatten().min()
    }

    /// Does what is due. To be called when [`Recorder::poll_timeout`] says so, and after everything
    /// that happens: inputs come often while recording, also in a hidden page, whose timers the browser
    /// slows down.
    pub fn handle_timeout(&mut self, at: Moment) {
        self.close_overdue(at);
        self.retry_by_itself(at.now);
        self.look(at);
        self.flush_if_leaving(at.now);
        if let Phase::HandingOver { deadline } = self.phase
            && (at.now >= deadline || self.sender().is_none_or(Sender::is_kept))
        {
            self.give_away();
        }
        let Some(session) = &mut self.session else { return };
        if session.sender.poll_timeout().is_some_and(|due| at.now >= due) {
            session.sender.handle_timeout(at.now);
        }
        let is_completed = matches!(session.sender.finish_status(), FinishStatus::Completed(_));
        if is_completed && !std::mem::replace(&mut self.is_unlocked, true) {
            self.ask(Effect::Unlock);
        }
    }

    /// What has not been handed over in time is given up.
    fn close_overdue(&mut self, at: Moment) {
        if let Phase::Closing { deadline, ending, .. } = &self.phase
            && at.now >= *deadline
        {
            // Of one that stood still nothing more was expected.
            let has_stalled = *ending == Ending::GoOn(EndCause::RecorderStalled);
            self.tail_was_lost |= !has_stalled;
            self.closed(at);
        }
    }
}

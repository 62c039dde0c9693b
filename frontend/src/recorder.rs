//! The candidate's recorder: what each command and each event of the microphone means in the state
//! in which it comes. What is opened is in [`opening`], the recorder's runs in [`run`], what is
//! recorded beside the microphone in [`companion_track`], the way on when the microphone is lost or
//! another one is chosen in [`replacing`], what is kept an eye on in [`watching`], the page's end in
//! [`leaving`], what the candidate is told in [`view`].

mod companion_track;
mod leaving;
mod opening;
mod replacing;
mod run;
mod view;
mod watching;

use std::rc::Rc;

use app::recorder::port::{Command, Source};
use protocol::item::{EndCause, StartCause};
use protocol::sender::FinishStatus;
use protocol::{Millis, SegmentNo, SessionId};
use replacing::Replacing;
use wasm_bindgen_futures::spawn_local;

use crate::browser;
use crate::capture::Run;
use crate::capture_error::CaptureError;
use crate::companion::Companion;
use crate::driver::Input;
use crate::earlier::Taken;
use crate::microphone::{Microphone, MicrophoneEvent};
use crate::pipeline::Pipeline;
use crate::port::Inputs;
use crate::preview;
use crate::session::Session;
use crate::source;
use crate::spool::Spool;
use crate::watch::Stall;
use companion_track::{CompanionRun, CompanionTrack};
use leaving::Leaving;
pub(crate) use opening::Opened;
use opening::Wish;
use watching::Watching;

/// Counts the times that a microphone was asked for: an answer to an earlier request, or an event
/// of an earlier microphone, is known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestNo(u32);

/// What a microphone is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Test,
    Record,
    /// To go on with a recording whose microphone or recorder was lost.
    GoOn(GoOn),
}

/// How a recording goes on that has lost its sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GoOn {
    cause: StartCause,
    /// It was paused, and stays so.
    is_paused: bool,
}

enum Phase {
    Idle,
    Acquiring(Purpose),
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

struct Live {
    run: Run,
    segment: SegmentNo,
    stall: Stall,
    /// The microphone's run has handed over everything.
    is_main_over: bool,
    companion: Option<CompanionRun>,
}

enum Ending {
    Save,
    /// The recording goes on in a new segment.
    GoOn(EndCause),
    /// To another tab.
    HandOver,
}

pub(crate) struct Recorder {
    spool: Spool,
    inputs: Inputs,
    on_level: Rc<dyn Fn(f32)>,
    phase: Phase,
    request: RequestNo,
    chosen: Option<String>,
    source: Source,
    microphone: Option<Microphone>,
    companion: CompanionTrack,
    /// The request that the open microphone was the answer to.
    in_use: RequestNo,
    session: Option<Session>,
    replacing: Replacing,
    watching: Watching,
    leaving: Leaving,
    /// The chosen microphone was gone, and the default took its place.
    has_stand_in: bool,
    /// The browser did not hand over the end of a run in time.
    tail_was_lost: bool,
}

impl Recorder {
    pub(crate) fn new(spool: Spool, inputs: Inputs) -> Self {
        Self {
            spool,
            inputs,
            on_level: Rc::new(|_| {}),
            phase: Phase::Idle,
            request: RequestNo(0),
            chosen: None,
            source: Source::default(),
            microphone: None,
            companion: CompanionTrack::default(),
            in_use: RequestNo(0),
            session: None,
            replacing: Replacing::default(),
            watching: Watching::default(),
            leaving: Leaving::default(),
            has_stand_in: false,
            tail_was_lost: false,
        }
    }

    pub(crate) fn show_level(&mut self, on_level: Box<dyn Fn(f32)>) {
        self.on_level = on_level.into();
    }

    pub(crate) fn pipeline(&mut self) -> Option<&mut Pipeline> {
        self.session.as_mut().map(|session| &mut session.pipeline)
    }

    /// True while this page has no session of its own.
    pub(crate) fn is_free(&self) -> bool {
        self.session.is_none() && matches!(self.phase, Phase::Idle)
    }

    /// Makes the session of an earlier page or of another tab this one's, and goes on recording.
    pub(crate) fn take_up(&mut self, now: Millis, taken: Taken, cause: StartCause) {
        browser::drop_fragment();
        self.source = source::read(taken.pipeline.session());
        self.companion.close();
        self.session = Some(Session::resume(now, taken, cause, &self.inputs));
        self.start(now);
    }

    /// Makes the session of an earlier page this one's, and saves it.
    pub(crate) fn take_up_to_finish(&mut self, now: Millis, taken: Taken) {
        browser::drop_fragment();
        let cause = StartCause::PageReturned;
        self.session = Some(Session::resume(now, taken, cause, &self.inputs));
        self.close_microphone();
        self.finish(now);
    }

    /// Another tab wants to go on with this session: the run is closed, and once the spool has all
    /// of it, the session is let go. What is being saved already is saved here.
    pub(crate) fn hand_over(&mut self, now: Millis, session: SessionId) {
        if self.session_id() != Some(session) {
            return;
        }
        match &mut self.phase {
            Phase::Capturing(_) => self.close(now, Ending::HandOver),
            Phase::Closing { ending: ending @ Ending::GoOn(_), .. } => *ending = Ending::HandOver,
            Phase::Acquiring(Purpose::GoOn(_)) | Phase::Failed { .. } => {
                self.request = self.request.next();
                self.phase = Phase::HandingOver { deadline: now };
            }
            Phase::Idle
            | Phase::Acquiring(Purpose::Test | Purpose::Record)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway => {}
        }
    }

    /// Another tab has taken this session without waiting: it may be at work on it already.
    pub(crate) fn lock_lost(&mut self, session: SessionId) {
        if self.session_id() == Some(session) {
            self.give_away();
        }
    }

    /// Also the one that was opened to go on with, and what is open beside it.
    fn close_microphone(&mut self) {
        self.microphone = None;
        self.replacing.give_up();
        self.companion.close();
        self.show_preview();
    }

    fn give_away(&mut self) {
        self.phase = Phase::GivenAway;
        self.close_microphone();
        self.session = None;
    }

    fn session_id(&self) -> Option<SessionId> {
        self.session.as_ref().map(|session| session.pipeline.session())
    }

    pub(crate) fn command(&mut self, now: Millis, command: Command) {
        match command {
            Command::TestMicrophone => self.test(),
            Command::StopTest => self.stop_test(),
            Command::ChooseSource(source) => self.choose_source(source),
            Command::ChooseDevice(id) => self.choose(id),
            Command::ChooseSecondDevice(id) => self.choose_second(id),
            Command::Start => self.start(now),
            Command::Pause => {
                if let Phase::Capturing(live) = &mut self.phase {
                    live.run.pause();
                    if let Some(companion) = &mut live.companion {
                        companion.take().pause();
                    }
                }
            }
            Command::Resume => {
                if let Phase::Capturing(live) = &mut self.phase {
                    live.run.resume();
                    if let Some(companion) = &mut live.companion {
                        companion.take().resume();
                    }
                }
            }
            Command::RestoreCompanion => self.restore_companion(),
            Command::Stop => self.stop(now),
            Command::Retry => self.retry(now),
            // The driver's: they are not about this page's session, or not about it alone.
            Command::ResumeUnfinished
            | Command::FinishUnfinished
            | Command::DiscardUnfinished
            | Command::SaveUnreadable
            | Command::SaveKept
            | Command::TakeOver => {}
        }
    }

    fn test(&mut self) {
        if matches!(self.phase, Phase::Idle) && self.microphone.is_none() {
            self.acquire(Purpose::Test);
        }
    }

    fn stop_test(&mut self) {
        match self.phase {
            Phase::Idle | Phase::Acquiring(Purpose::Test) => {
                self.request = self.request.next();
                self.close_microphone();
                self.phase = Phase::Idle;
            }
            Phase::Acquiring(Purpose::Record | Purpose::GoOn(_))
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    fn choose(&mut self, id: String) {
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
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway => {
                self.set_chosen(chosen);
            }
        }
    }

    /// Only before a recording begins: within one the picture would come and go.
    fn choose_source(&mut self, source: Source) {
        if matches!(self.phase, Phase::Idle | Phase::Failed { .. }) && self.session.is_none() {
            self.source = source;
            self.companion.close();
            if self.microphone.is_some() || matches!(self.phase, Phase::Failed { .. }) {
                self.acquire(Purpose::Test);
            }
        }
    }

    fn set_chosen(&mut self, chosen: Option<String>) {
        self.chosen = chosen;
        self.has_stand_in = false;
    }

    fn start(&mut self, now: Millis) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        let tested = self.microphone.as_ref();
        let wants_picture = self.source == Source::Camera;
        let serves = |one: &Microphone| one.serves(self.chosen.as_ref(), wants_picture);
        if tested.is_some_and(serves) && self.wanted_companion(Purpose::Record).is_none() {
            self.begin(now);
        } else {
            self.acquire(Purpose::Record);
        }
    }

    fn stop(&mut self, now: Millis) {
        match self.phase {
            Phase::Capturing(_) => self.close(now, Ending::Save),
            Phase::Closing { ending: ref mut ending @ Ending::GoOn(_), .. } => {
                *ending = Ending::Save;
            }
            Phase::Acquiring(Purpose::GoOn(_)) => {
                self.request = self.request.next();
                self.finish(now);
            }
            Phase::Failed { .. } if self.session.is_some() => self.finish(now),
            Phase::Idle
            | Phase::Acquiring(Purpose::Test | Purpose::Record)
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => {}
        }
    }

    fn retry(&mut self, now: Millis) {
        match self.phase {
            Phase::Failed { again, .. } => {
                self.replacing.start_over();
                self.acquire(again.on_request());
            }
            Phase::Finishing if self.has_failed_to_finish() => self.finish(now),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Finishing => {}
        }
    }

    /// Opens the chosen microphone; the answer is [`Input::Opened`].
    fn acquire(&mut self, purpose: Purpose) {
        // Some devices can be opened only once.
        self.microphone = None;
        self.request = self.request.next();
        self.phase = Phase::Acquiring(purpose);
        let (request, inputs) = (self.request, self.inputs.clone());
        let wish = Wish {
            device: self.chosen.clone(),
            wants_picture: self.source == Source::Camera,
            companion: self.wanted_companion(purpose),
            is_beginning: self.session.is_none(),
            is_after_a_loss: matches!(purpose, Purpose::GoOn(_)),
        };
        spawn_local(async move {
            let opened = wish.fulfil().await;
            inputs.send(Input::Opened { request, opened });
        });
    }

    pub(crate) fn opened(&mut self, now: Millis, request: RequestNo, opened: Opened) {
        if request != self.request {
            return;
        }
        let Opened { microphone, companion } = opened;
        if let Some(companion) = companion {
            self.companion_opened(companion);
        }
        let purpose = match self.phase {
            Phase::Acquiring(purpose) => purpose,
            Phase::Capturing(_) => return self.switch(now, microphone),
            Phase::Idle
            | Phase::Closing { .. }
            | Phase::Finishing
            | Phase::HandingOver { .. }
            | Phase::GivenAway
            | Phase::Failed { .. } => return,
        };
        match (microphone, purpose) {
            (Ok(microphone), Purpose::Test) => {
                self.take_over(microphone);
                self.phase = Phase::Idle;
            }
            (Ok(microphone), Purpose::Record) => {
                self.take_over(microphone);
                self.begin(now);
            }
            (Ok(microphone), Purpose::GoOn(go_on)) => {
                self.take_over(microphone);
                self.go_on(now, go_on);
            }
            (Err(error), again) => {
                let error = match again {
                    Purpose::GoOn(_) => error.after_a_loss(),
                    Purpose::Test | Purpose::Record => error,
                };
                let retry_at = self.replacing.next_try(now, &error, again);
                self.phase = Phase::Failed { error, again, retry_at };
            }
        }
    }

    fn take_over(&mut self, mut microphone: Microphone) {
        let (request, inputs) = (self.request, self.inputs.clone());
        self.in_use = request;
        self.replacing.microphone_opened();
        let on_level = self.on_level.clone();
        microphone.watch(
            move |event| inputs.send(Input::Microphone { request, event }),
            move |level| on_level(level),
        );
        if microphone.is_stand_in() {
            self.has_stand_in = true;
            self.chosen = None;
        }
        self.microphone = Some(microphone);
        self.show_preview();
    }

    fn show_preview(&self) {
        let camera = self.microphone.as_ref().filter(|one| one.has_picture());
        let camera = camera.map(Microphone::stream);
        let companion = self.companion.open().filter(|one| one.has_picture());
        preview::show(camera.or_else(|| companion.map(Companion::recorded)));
    }

    pub(crate) fn microphone_event(
        &mut self,
        now: Millis,
        request: RequestNo,
        event: MicrophoneEvent,
    ) {
        if request != self.in_use {
            return;
        }
        match event {
            MicrophoneEvent::MutingChanged => self.note_muting(now),
            // The recorder goes on with the sound; the view says so.
            MicrophoneEvent::PictureEnded => {}
            MicrophoneEvent::Ended => match self.phase {
                Phase::Capturing(_) => self.close(now, Ending::GoOn(EndCause::DeviceLost)),
                Phase::Idle => {
                    self.microphone = None;
                    self.fail(CaptureError::Disconnected, Purpose::Test);
                }
                Phase::Acquiring(_)
                | Phase::Closing { .. }
                | Phase::Finishing
                | Phase::HandingOver { .. }
                | Phase::GivenAway
                | Phase::Failed { .. } => {}
            },
        }
    }

    fn fail(&mut self, error: CaptureError, again: Purpose) {
        self.phase = Phase::Failed { error, again, retry_at: None };
    }

    fn finish(&mut self, now: Millis) {
        self.phase = Phase::Finishing;
        if let Some(session) = &mut self.session {
            session.pipeline.finish(now);
        }
    }

    fn has_failed_to_finish(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            matches!(session.pipeline.finish_status(), FinishStatus::Failed(_))
        })
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        let phase = match &self.phase {
            Phase::Closing { deadline, .. } | Phase::HandingOver { deadline } => Some(*deadline),
            Phase::Failed { retry_at, .. } => *retry_at,
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Capturing(_)
            | Phase::Finishing
            | Phase::GivenAway => None,
        };
        let session = self.session.as_ref().and_then(|session| session.pipeline.poll_timeout());
        [phase, session, self.next_look(), self.leaving.next_flush()].into_iter().flatten().min()
    }

    /// To be called after every input and when [`Recorder::poll_timeout`] is reached.
    pub(crate) fn tick(&mut self, now: Millis) {
        if let Phase::Closing { deadline, ending, .. } = &self.phase
            && now >= *deadline
        {
            // Of one that stood still nothing more was expected.
            self.tail_was_lost |= !matches!(ending, Ending::GoOn(EndCause::RecorderStalled));
            self.closed(now);
        }
        self.retry_by_itself(now);
        self.look(now);
        self.flush_if_leaving(now);
        if let Phase::HandingOver { deadline } = self.phase
            && (now >= deadline || self.session.as_ref().is_none_or(|one| one.pipeline.is_kept()))
        {
            self.give_away();
        }
        if let Some(session) = &mut self.session {
            session.pipeline.tick(now);
            if matches!(session.pipeline.finish_status(), FinishStatus::Completed(_)) {
                session.unlock();
            }
        }
    }

    /// True while sound is captured, or is about to be again.
    pub(crate) fn is_at_work(&self) -> bool {
        matches!(
            self.phase,
            Phase::Capturing(_) | Phase::Closing { .. } | Phase::Acquiring(Purpose::GoOn(_))
        )
    }
}

impl RequestNo {
    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

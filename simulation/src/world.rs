//! The world of one run: pages with their spool, links, servers with their ledger, and a clock that
//! jumps from event to event.

mod candidate;
mod devices;
mod disk;
mod event;
mod link;
mod model;
mod page;
mod peer;
mod recording;
mod request;
mod segments;
mod server;
mod spool;
mod tabs;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use ledger::rules::Policy;
use protocol::message::Refusal;
use protocol::sender::{FinishStatus, LinkStatus, Sender};
use protocol::{Millis, SessionId, SessionToken, UnixMillis};

use crate::breakage::Breakage;
use crate::dice::{Dice, Purpose, Roll};
use crate::drive::Drive;
use crate::faults::{FaultId, FaultKind, FaultSet, Faults};
use disk::Disk;
use event::Event;
use link::Links;
use model::Model;
use page::{Page, PageNo};
use server::Servers;
use spool::Spool;
use trace::Trace;

/// Faults strike until then.
const FAULTS_END: Millis = Millis::from_secs(40);
/// Once the faults stop, everything must be done by this time: a job that four servers have left unfinished
/// waits for two minutes, by a clock that may have jumped by one and a half.
const DONE_BY: Millis = Millis::from_secs(40 + 300);
/// What is still on its way when the session is done arrives within this time.
const AFTERLIFE: Millis = Millis::from_secs(40);
const STEPS_MAX: usize = 100_000;

/// When an event happens; the count keeps those of the same moment in order.
type Key = (Millis, u64);

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub seed: u64,
    pub faults: FaultSet,
    /// If given, no other faults strike.
    pub only: Option<BTreeSet<FaultId>>,
    pub breakage: Option<Breakage>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub broken: Option<String>,
    pub struck: BTreeSet<FaultId>,
    pub steps: usize,
    pub trace: String,
}

/// Runs one plan on a ledger that `make` makes, to its end or to the first broken promise.
pub fn run<D: Drive>(plan: &Plan, traced: bool, make: impl Fn(Policy) -> D) -> Outcome {
    World::new(plan, traced, make).run()
}

struct World<D> {
    now: Millis,
    dice: Dice,
    faults: Faults,
    breakage: Option<Breakage>,
    events: BTreeMap<Key, Event>,
    event_count: u64,

    session: SessionId,
    token: SessionToken,
    speaking: bool,
    pauses_until: Millis,
    /// The candidate wants to throw the session away.
    discards: bool,
    has_microphone: bool,
    /// How far the wall clocks are off.
    browser_clock_off_ms: i64,
    server_clock_off_ms: i64,

    pages: BTreeMap<PageNo, Page>,
    page_count: u64,
    spool: Spool,
    links: Links,
    servers: Servers,
    disk: Disk<D>,
    model: Model,
    done_at: Option<Millis>,
    trace: Trace,
}

impl<D: Drive> World<D> {
    fn new(plan: &Plan, traced: bool, make: impl Fn(Policy) -> D) -> Self {
        let mut faults = Faults::new(plan.seed, plan.faults, plan.only.clone());
        let drive = make(disk::policy(&mut faults));
        let session = SessionId::from_parts(START, [3; 10]);
        let mut world = Self {
            now: Millis::ZERO,
            dice: Dice::new(plan.seed),
            faults,
            breakage: plan.breakage,
            events: BTreeMap::new(),
            event_count: 0,
            session,
            token: SessionToken::from_random([5; 32]),
            speaking: true,
            pauses_until: Millis::ZERO,
            discards: false,
            has_microphone: true,
            browser_clock_off_ms: 0,
            server_clock_off_ms: 0,
            pages: BTreeMap::new(),
            page_count: 0,
            spool: Spool::default(),
            links: Links::default(),
            servers: Servers::default(),
            disk: Disk::new(drive, session, plan.breakage),
            model: Model::default(),
            done_at: None,
            trace: Trace::new(traced),
        };
        for (at, kind) in world.faults.schedule(FAULTS_END) {
            world.schedule_at(at, Event::Fault(kind));
        }
        let speaking = world.dice.millis(Millis::ZERO, Purpose::Setting, 10_000, 45_000);
        world.schedule(speaking, Event::StopSpeaking);
        world.schedule(FAULTS_END, Event::FaultsEnd);
        world.start_process();
        world.open_page();
        world
    }

    /// Runs to its end, or to the first broken promise.
    fn run(mut self) -> Outcome {
        let mut steps = 0;
        let broken = loop {
            steps += 1;
            match self.step() {
                Ok(true) if steps < STEPS_MAX => {}
                Ok(true) => break Some(format!("not done after {STEPS_MAX} steps")),
                Ok(false) => break None,
                Err(broken) => break Some(broken),
            }
        };
        let struck = self.faults.struck().clone();
        Outcome { broken, struck, steps, trace: self.trace.text() }
    }

    /// Lets the next thing happen and checks every promise. False when the run is over.
    fn step(&mut self) -> Result<bool, String> {
        let Some(((at, _), event)) = self.events.pop_first() else {
            return Err("nothing left to happen, and the session is not done".into());
        };
        if let Some(done_at) = self.done_at
            && at > done_at + AFTERLIFE
        {
            self.check_done()?;
            return Ok(false);
        }
        if at > DONE_BY + AFTERLIFE || (self.done_at.is_none() && at > DONE_BY) {
            return Err(self.why_not_done());
        }
        self.now = at;
        self.trace.note(at, &event);
        self.happen(event);
        self.check_step()?;
        if self.done_at.is_none() && self.is_done() {
            self.check_done()?;
            self.done_at = Some(self.now);
            self.faults_end();
        }
        Ok(true)
    }

    fn happen(&mut self, event: Event) {
        if let Some(wakes) = event.script_of().and_then(|page| self.asleep_until(page)) {
            self.schedule_at(wakes, event);
            return;
        }
        match event {
            Event::Fault(kind) => self.fault(kind),
            Event::FaultsEnd => self.faults_end(),
            Event::DiskHasRoom => self.disk.is_full = false,
            Event::QuotaHasRoom => self.spool.is_full = false,
            Event::StopSpeaking => self.speaking = false,
            Event::OpenPage => self.open_page(),
            Event::MicrophoneAnswers { page, request } => self.microphone_answers(page, request),
            Event::StreamChanged { page } => self.with_page(page, |_, _| {}),
            Event::DevicesChanged { page } => {
                self.with_page(page, |page, _| page.recorder.devices_changed());
            }
            Event::MicrophoneIsBack => self.microphone_is_back(),
            Event::Capture { page, run } => self.capture(page, run),
            Event::Flushed { page, run } => self.hand_over_chunk(page, run),
            Event::RunStops { page, run } => self.run_stops(page, run),
            Event::Read { page, seq } => self.chunk_is_read(page, seq),
            Event::PageTimer { page } => self.page_timer(page),
            Event::Candidate { page } => self.candidate_looks(page),
            Event::TakeOver { page } => self.take_over(page),
            Event::LockLost { page } => self.lock_lost(page),
            Event::SpoolDone { operation } => self.spool_done(operation),
            Event::SpoolSays { page, answer } => self.spool_says(page, answer),
            Event::Connected { page, link } => self.connected(page, link),
            Event::NotConnected { page, link } => self.not_connected(page, link),
            Event::ToServer { link, frame } => self.arrive_at_server(link, frame),
            Event::ToPage { link, frame } => self.arrive_at_page(link, frame),
            Event::PageSeesEnd { link } => self.page_sees_end(link),
            Event::ServerSeesEnd { link } => self.server_sees_end(link),
            Event::Tail { body } => self.tail_arrives(body),
            Event::Courier => self.courier_comes(),
            Event::Posted(posted) => self.posted_arrives(&posted),
            Event::Opened { link, hello } => self.opened(link, &hello),
            Event::Written { link, items } => self.written(link, items),
            Event::Committed { link, items } => self.committed(link, &items),
            Event::Finish { link, finish } => self.finish_asked(link, &finish),
            Event::Discard { link } => self.discard_asked(link),
            Event::ServerTimer { link } => self.server_timer(link),
            Event::Check { process } => self.check_deadlines(process),
            Event::Recording { process } => self.recording_step(process),
            Event::ProcessStarts => self.start_process(),
            Event::ProcessEnds { process } => self.kill_process(process),
        }
    }

    fn fault(&mut self, kind: FaultKind) {
        let Some(mut roll) = self.faults.strikes(self.now, kind, 1) else { return };
        match kind {
            FaultKind::Cut => self.cut_some_link(&mut roll),
            FaultKind::BlackHole => self.swallow_some_link(&mut roll),
            FaultKind::PageCrash => self.crash_page(&mut roll),
            FaultKind::PageLeft => self.leave_page(&mut roll),
            FaultKind::TakeOver => self.ask_to_hand_over(),
            FaultKind::Steal => self.steal(&mut roll),
            FaultKind::Sleep => self.sleep(&mut roll),
            FaultKind::QuotaFull => {
                self.spool.is_full = true;
                self.schedule(roll.millis(500, 8_000), Event::QuotaHasRoom);
            }
            FaultKind::ServerCrash => self.crash_server(&mut roll),
            FaultKind::OtherServer => self.change_server(&mut roll),
            FaultKind::DiskFull => {
                self.disk.is_full = true;
                self.schedule(roll.millis(500, 10_000), Event::DiskHasRoom);
            }
            FaultKind::WallJump => self.jump_clock(&mut roll),
            FaultKind::Forged => self.forge(&mut roll),
            FaultKind::Discard => self.discards = true,
            FaultKind::DeviceLost => self.lose_microphone(&mut roll),
            FaultKind::RecorderStalled => self.make_run_stand_still(),
            FaultKind::Pause => self.pause(&mut roll),
            FaultKind::CutInFrame
            | FaultKind::LateFrame
            | FaultKind::TwiceFrame
            | FaultKind::DamagedFrame
            | FaultKind::NoConnection
            | FaultKind::SlowSpool
            | FaultKind::Unreadable
            | FaultKind::Oversized
            | FaultKind::SlowServer
            | FaultKind::ShortGrace
            | FaultKind::ShortWindow
            | FaultKind::RecordingFails
            | FaultKind::Courier
            | FaultKind::SlowDevice => {}
        }
    }

    /// From here on the world is kind.
    fn faults_end(&mut self) {
        self.faults.stop();
        self.disk.is_full = false;
        self.spool.is_full = false;
        (self.browser_clock_off_ms, self.server_clock_off_ms) = (0, 0);
        self.microphone_is_back();
    }

    fn jump_clock(&mut self, roll: &mut Roll) {
        let off = i64::try_from(roll.between(0, 180_000)).unwrap() - 90_000;
        if roll.once_in(2) {
            self.browser_clock_off_ms = off;
        } else {
            self.server_clock_off_ms = off;
        }
    }

    fn browser_wall(&self) -> UnixMillis {
        wall(self.now, self.browser_clock_off_ms)
    }

    fn server_wall(&self) -> UnixMillis {
        wall(self.now, self.server_clock_off_ms)
    }

    fn schedule(&mut self, after: Millis, event: Event) -> Key {
        self.schedule_at(self.now + after, event)
    }

    fn schedule_at(&mut self, at: Millis, event: Event) -> Key {
        self.event_count += 1;
        let key = (at, self.event_count);
        self.events.insert(key, event);
        key
    }

    /// The candidate has been told how it ended.
    fn is_done(&self) -> bool {
        self.pages.values().any(|page| match page.finish_status() {
            FinishStatus::Completed(_) | FinishStatus::Discarded => true,
            FinishStatus::NotAsked
            | FinishStatus::Finishing
            | FinishStatus::Failed(_)
            | FinishStatus::Discarding => {
                page.link_status() == Some(LinkStatus::Stopped(Refusal::Discarded))
            }
        })
    }

    fn why_not_done(&self) -> String {
        let mut why =
            format!("not done at {DONE_BY}; the server says {:?}", self.disk.known.status());
        for (no, page) in &self.pages {
            why += &format!(
                "; page {no:?}: {:?}, {:?}, {:?}, {:?}",
                page.recorder.view(Millis::ZERO).state,
                page.link_status(),
                page.finish_status(),
                page.sender().map(Sender::backlog_status)
            );
        }
        why
    }
}

/// The wall clocks' zero.
const START: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn wall(now: Millis, off_ms: i64) -> UnixMillis {
    UnixMillis::new(START.plus(now).get().saturating_add_signed(off_ms))
}

//! The world of one run: a page with its spool, a link, a server with its ledger, and a clock that
//! jumps from event to event.

mod link;
mod page;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use protocol::item::{SegmentStart, StartCause};
use protocol::limits::SILENCE_MAX;
use protocol::message::{Finish, Limits, Opening, Refusal, Welcome};
use protocol::receiver::{self, FinishStep, Receiver, Verdict};
use protocol::sender::{self, FinishStatus, LinkStatus, Sender, SessionRecord};
use protocol::{
    ClientMessage, Content, Digest, Epoch, Item, Marker, Millis, Receipt, SegmentNo, Seq, SeqSet,
    ServerMessage, SessionId, SessionStatus, SessionToken, TrackKind, TrackNo, UnixMillis,
};

use crate::dice::Dice;

/// How long the candidate speaks; faults happen during that time only.
const SPEAKING: Millis = Millis::from_secs(40);
const TIMESLICE_MS: u64 = 250;
/// Once the faults stop, everything must be done by this time.
const DONE_BY: Millis = Millis::from_secs(40 + 120);
const STEPS_MAX: usize = 200_000;
const TRACE_LINES: usize = 60;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) link_cuts: bool,
    pub(crate) page_crashes: bool,
    pub(crate) server_crashes: bool,
    pub(crate) spool_failures: bool,
    pub(crate) damaged_frames: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        link_cuts: false,
        page_crashes: false,
        server_crashes: false,
        spool_failures: false,
        damaged_frames: false,
    };
    pub(crate) const ALL: Self = Self {
        link_cuts: true,
        page_crashes: true,
        server_crashes: true,
        spool_failures: true,
        damaged_frames: true,
    };
}

#[derive(Debug, Clone)]
enum Event {
    Capture,
    StopSpeaking,
    Fault,
    /// The spool has finished a write, well or not.
    Spooled {
        page: u64,
        item: Item,
        record: Versioned,
        well: bool,
    },
    Loaded {
        page: u64,
        seqs: Vec<Seq>,
    },
    Connected {
        page: u64,
        link: u64,
    },
    Refused {
        page: u64,
    },
    ToServer {
        link: u64,
        frame: Vec<u8>,
    },
    ToPage {
        link: u64,
        frame: Vec<u8>,
    },
    Committed {
        link: u64,
        items: Vec<Item>,
    },
    Finished {
        link: u64,
        finish: Finish,
    },
    PageTimer {
        page: u64,
    },
    ServerTimer {
        link: u64,
    },
    PageReturns,
    ServerReturns,
}

struct Page {
    sender: Sender,
    segment: SegmentNo,
    segment_announced: bool,
}

/// Writes to the spool are asked for one after another and take effect in that order, so an older
/// record never replaces a newer one.
#[derive(Debug, Clone)]
struct Versioned {
    version: u64,
    record: SessionRecord,
}

/// What survives in the browser when a page crashes.
#[derive(Default)]
struct Spool {
    record: Option<Versioned>,
    items: BTreeMap<Seq, Item>,
}

/// What survives in the server when it is killed.
#[derive(Default)]
struct Ledger {
    known: bool,
    epoch: u64,
    status: Option<SessionStatus>,
    items: BTreeMap<Seq, Item>,
}

pub(crate) struct World {
    now: Millis,
    dice: Dice,
    faults: Faults,
    events: BTreeMap<(Millis, u64), Event>,
    event_count: u64,

    page: Option<Page>,
    page_no: u64,
    spool: Spool,
    speaking: bool,

    /// The connection that is up, by its number.
    link: Option<u64>,
    link_count: u64,
    /// Frames on one connection arrive in order.
    last_delivery: Millis,

    server_up: bool,
    receivers: BTreeMap<u64, Receiver>,
    ledger: Ledger,

    /// The reference: every item ever captured, by number, and those a page crash took with it.
    captured: BTreeMap<Seq, Digest>,
    /// On the browser's disk at some time: from then on no crash may take it.
    once_spooled: BTreeSet<Seq>,
    /// Captured, and neither spooled nor stored when its page died.
    died_with_page: BTreeSet<Seq>,
    segments: u32,

    ack_before_commit: bool,
    delete_on_send: bool,
    broken: Option<String>,
    /// Filled only when asked for: it costs more than all the rest.
    trace: Option<VecDeque<String>>,
    /// The timers that are armed, so that none is armed twice.
    page_timer: Option<(u64, Millis)>,
    server_timer: Option<(u64, Millis)>,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let mut world = Self {
            now: Millis::ZERO,
            dice: Dice::new(seed),
            faults,
            events: BTreeMap::new(),
            event_count: 0,
            page: None,
            page_no: 0,
            spool: Spool::default(),
            speaking: true,
            link: None,
            link_count: 0,
            last_delivery: Millis::ZERO,
            server_up: true,
            receivers: BTreeMap::new(),
            ledger: Ledger::default(),
            captured: BTreeMap::new(),
            once_spooled: BTreeSet::new(),
            died_with_page: BTreeSet::new(),
            segments: 0,
            ack_before_commit: false,
            delete_on_send: false,
            broken: None,
            trace: None,
            page_timer: None,
            server_timer: None,
        };
        world.open_page();
        world.schedule(Millis::new(TIMESLICE_MS), Event::Capture);
        world.schedule(SPEAKING, Event::StopSpeaking);
        world.schedule_fault();
        world
    }

    pub(crate) fn traced(mut self) -> Self {
        self.trace = Some(VecDeque::new());
        self
    }

    pub(crate) fn acking_before_commit(mut self) -> Self {
        self.ack_before_commit = true;
        self
    }

    pub(crate) fn deleting_on_send(mut self) -> Self {
        self.delete_on_send = true;
        self
    }

    pub(crate) fn trace(&self) -> String {
        self.trace.iter().flatten().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Runs to completion, or to the first broken promise.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            let Some(((at, _), event)) = self.events.pop_first() else {
                return Err("nothing left to happen, and the session is not completed".into());
            };
            if at > DONE_BY {
                return Err(format!("not completed {DONE_BY} after the start"));
            }
            self.now = at;
            self.note(&event);
            self.happen(event);
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
            if self.is_completed() {
                return self.check_completed();
            }
        }
        Err(format!("not completed after {STEPS_MAX} steps"))
    }

    fn note(&mut self, event: &Event) {
        let Some(trace) = &mut self.trace else { return };
        if trace.len() == TRACE_LINES {
            trace.pop_front();
        }
        let line = match event {
            Event::ToServer { link, frame } => {
                format!("ToServer {{ link: {link}, {} }}", summary(ClientMessage::decode(frame)))
            }
            Event::ToPage { link, frame } => {
                format!("ToPage {{ link: {link}, {} }}", summary(ServerMessage::decode(frame)))
            }
            Event::Spooled { item, well, .. } => format!("Spooled {{ {} {well} }}", item.seq),
            Event::Committed { items, .. } => format!("Committed {{ {} items }}", items.len()),
            Event::Capture
            | Event::StopSpeaking
            | Event::Fault
            | Event::Loaded { .. }
            | Event::Connected { .. }
            | Event::Refused { .. }
            | Event::Finished { .. }
            | Event::PageTimer { .. }
            | Event::ServerTimer { .. }
            | Event::PageReturns
            | Event::ServerReturns => format!("{event:?}"),
        };
        trace.push_back(format!("{:>6} {line}", self.now.get()));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Capture => self.capture(),
            Event::StopSpeaking => self.stop_speaking(),
            Event::Fault => self.fault(),
            Event::Spooled { page, item, record, well } => self.spooled(page, item, record, well),
            Event::Loaded { page, seqs } => self.loaded(page, &seqs),
            Event::Connected { page, link } => self.connected(page, link),
            Event::Refused { page } => self.with_page(page, |sender, now| {
                sender.handle_disconnected(now);
            }),
            Event::ToServer { link, frame } => self.arrive_at_server(link, &frame),
            Event::ToPage { link, frame } => self.arrive_at_page(link, &frame),
            Event::Committed { link, items } => self.committed(link, &items),
            Event::Finished { link, finish } => self.finished(link, &finish),
            Event::PageTimer { page } => self.with_page(page, |sender, now| {
                sender.handle_timeout(now);
            }),
            Event::ServerTimer { link } => self.server_timer(link),
            Event::PageReturns => self.open_page(),
            Event::ServerReturns => self.server_up = true,
        }
    }

    // Faults and the clock.

    fn schedule_fault(&mut self) {
        let pause = Millis::new(self.dice.between(100, 6_000));
        if self.now + pause < SPEAKING {
            self.schedule(pause, Event::Fault);
        }
    }

    fn fault(&mut self) {
        match self.dice.between(0, 4) {
            0 if self.faults.link_cuts => self.cut_link(),
            // A black hole: nothing arrives any more, and nobody is told.
            1 if self.faults.link_cuts => self.cut_link_silently(),
            2 if self.faults.page_crashes => self.crash_page(),
            3 if self.faults.server_crashes && self.server_up => self.crash_server(),
            _ => {}
        }
        self.schedule_fault();
    }

    fn schedule(&mut self, after: Millis, event: Event) {
        self.schedule_at(self.now + after, event);
    }

    fn schedule_at(&mut self, at: Millis, event: Event) {
        self.event_count += 1;
        self.events.insert((at, self.event_count), event);
    }

    // The reference.

    fn is_completed(&self) -> bool {
        let page = self.page.as_ref();
        page.is_some_and(|page| matches!(page.sender.finish_status(), FinishStatus::Completed(_)))
    }

    /// What must hold once the candidate has been shown the receipt.
    fn check_completed(&self) -> Result<(), String> {
        let Some(page) = &self.page else {
            return Err("no page".into());
        };
        if !matches!(page.sender.link_status(), LinkStatus::Online) {
            return Err("completed, but the page says it is reconnecting".into());
        }
        for seq in self.captured.keys() {
            if !self.ledger.items.contains_key(seq) && !self.died_with_page.contains(seq) {
                return Err(format!("{seq} was captured and is nowhere"));
            }
        }
        if !self.spool.items.is_empty() {
            return Err(format!("{} items were left in the spool", self.spool.items.len()));
        }
        Ok(())
    }
}

fn summary<M: std::fmt::Debug, E: std::fmt::Debug>(message: Result<M, E>) -> String {
    let mut text = format!("{message:?}");
    if let Some((end, _)) = text.char_indices().nth(160) {
        text.truncate(end);
    }
    text
}

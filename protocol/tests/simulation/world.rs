//! The world of one run: a page with its spool, a link, a server with its ledger, and a clock that
//! jumps from event to event.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use protocol::item::SegmentStart;
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

/// What survives in the browser when a page crashes.
#[derive(Default)]
struct Spool {
    record: Option<SessionRecord>,
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
        self.trace
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
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
                format!(
                    "ToServer {{ link: {link}, {} }}",
                    summary(ClientMessage::decode(frame))
                )
            }
            Event::ToPage { link, frame } => {
                format!(
                    "ToPage {{ link: {link}, {} }}",
                    summary(ServerMessage::decode(frame))
                )
            }
            Event::Spooled { item, well, .. } => format!("Spooled {{ {} {well} }}", item.seq),
            Event::Committed { items, .. } => format!("Committed {{ {} items }}", items.len()),
            event => format!("{event:?}"),
        };
        trace.push_back(format!("{:>6} {line}", self.now.get()));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Capture => self.capture(),
            Event::StopSpeaking => self.stop_speaking(),
            Event::Fault => self.fault(),
            Event::Spooled { page, item, well } => self.spooled(page, item, well),
            Event::Loaded { page, seqs } => self.loaded(page, &seqs),
            Event::Connected { page, link } => self.connected(page, link),
            Event::Refused { page } => self.with_page(page, |sender, now| {
                sender.handle_disconnected(now);
            }),
            Event::ToServer { link, frame } => self.to_server(link, &frame),
            Event::ToPage { link, frame } => self.to_page(link, &frame),
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

    // The page.

    fn open_page(&mut self) {
        self.page_no += 1;
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [3; 10]);
        let sender = match self.spool.record.clone() {
            None => Sender::new(
                self.now,
                session,
                SessionToken::from_random([5; 32]),
                Opening::New {
                    started_at: UnixMillis::new(0),
                },
            ),
            Some(record) => {
                let items = self.spool.items.values();
                let span = Millis::new(TIMESLICE_MS);
                Sender::restore(
                    self.now,
                    record,
                    items.map(|item| (item.seq, item.payload_bytes(), span)),
                )
            }
        };
        let segment = SegmentNo::new(self.segments);
        self.segments += 1;
        self.page = Some(Page {
            sender,
            segment,
            segment_announced: false,
        });
        self.with_page(self.page_no, |_, _| {});
        if !self.speaking {
            self.with_page(self.page_no, |sender, now| sender.finish(now));
        }
    }

    fn capture(&mut self) {
        if !self.speaking {
            return;
        }
        self.schedule(Millis::new(TIMESLICE_MS), Event::Capture);
        let Some(page) = &mut self.page else { return };
        let (segment, track) = (page.segment, TrackNo::new(0));
        let announce = !std::mem::replace(&mut page.segment_announced, true);
        // Once in a while the browser hands over far more than an item may hold.
        let bytes = if self.dice.once_in(400) {
            1_200_000
        } else {
            self.dice.between(1, 900)
        };
        let fill = u8::try_from(self.dice.between(0, 256)).unwrap();
        let bytes = Bytes::from(vec![fill; usize::try_from(bytes).unwrap()]);
        self.with_page(self.page_no, |sender, now| {
            if announce {
                let start = SegmentStart {
                    track,
                    segment,
                    kind: TrackKind::Microphone,
                    mime: "audio/webm;codecs=opus".into(),
                    label: String::new(),
                    wall: UnixMillis::new(now.get()),
                };
                let marker = Content::Marker(Marker::SegmentStarted(start));
                sender.capture(now, now, Millis::ZERO, marker);
            }
            let chunk = Content::Chunk {
                track,
                segment,
                bytes,
            };
            sender.capture(now, now, Millis::new(TIMESLICE_MS), chunk);
        });
    }

    fn stop_speaking(&mut self) {
        self.speaking = false;
        if self.page.is_some() {
            self.with_page(self.page_no, |sender, now| sender.finish(now));
        }
    }

    fn spooled(&mut self, page: u64, item: Item, well: bool) {
        if page != self.page_no || self.page.is_none() {
            return;
        }
        let seq = item.seq;
        if well {
            self.spool.items.insert(seq, item);
        }
        self.with_page(page, |sender, now| {
            if well {
                sender.handle_spooled(now, seq)
            } else {
                sender.handle_spool_failed(now, seq)
            }
        });
    }

    fn loaded(&mut self, page: u64, seqs: &[Seq]) {
        for seq in seqs {
            let item = self.spool.items.get(seq).cloned();
            self.with_page(page, |sender, now| match item {
                Some(item) => sender.handle_loaded(now, item),
                None => sender.handle_vanished(now, *seq),
            });
        }
    }

    fn crash_page(&mut self) {
        let Some(page) = self.page.take() else { return };
        drop(page);
        self.cut_link();
        for seq in self.captured.keys() {
            if !self.spool.items.contains_key(seq) && !self.ledger.items.contains_key(seq) {
                self.died_with_page.insert(*seq);
            }
        }
        let away = self.dice.between(100, 8_000);
        self.schedule(Millis::new(away), Event::PageReturns);
    }

    /// Lets the page's sender handle something, then carries out what it asks.
    fn with_page(&mut self, page_no: u64, handle: impl FnOnce(&mut Sender, Millis)) {
        let Some(page) = self.page.as_mut().filter(|_| page_no == self.page_no) else {
            return;
        };
        handle(&mut page.sender, self.now);
        loop {
            let Some(page) = &mut self.page else { return };
            let Some(effect) = page.sender.poll_effect() else {
                break;
            };
            self.page_effect(effect);
        }
        if let Some(at) = self
            .page
            .as_ref()
            .and_then(|page| page.sender.poll_timeout())
        {
            let at = at.max(self.now + Millis::new(1));
            if self.page_timer.replace((page_no, at)) != Some((page_no, at)) {
                self.schedule_at(at, Event::PageTimer { page: page_no });
            }
        }
    }

    fn page_effect(&mut self, effect: sender::Effect) {
        let page = self.page_no;
        match effect {
            sender::Effect::Remember(record) => self.spool.record = Some(record),
            sender::Effect::Spool(item) => self.spool_item(item),
            sender::Effect::Forget { seqs, record } => {
                for seq in seqs {
                    if !self.ledger.items.contains_key(&seq) {
                        self.broken = Some(format!("{seq} was deleted before it was durable"));
                    }
                    self.spool.items.remove(&seq);
                }
                self.spool.record = Some(record);
            }
            sender::Effect::Load(seqs) => {
                let delay = self.dice.between(1, 50);
                self.schedule(Millis::new(delay), Event::Loaded { page, seqs });
            }
            sender::Effect::Release => self.spool = Spool::default(),
            sender::Effect::Connect => {
                self.link_count += 1;
                let delay = Millis::new(self.dice.between(5, 300));
                if self.server_up {
                    let link = self.link_count;
                    self.schedule(delay, Event::Connected { page, link });
                } else {
                    self.schedule(delay, Event::Refused { page });
                }
            }
            sender::Effect::Send(message) => {
                if self.delete_on_send
                    && let ClientMessage::Items(items) = &message
                {
                    for item in items {
                        self.spool.items.remove(&item.seq);
                    }
                }
                self.send_to_server(message.encode());
            }
            sender::Effect::Disconnect => self.cut_link_silently(),
        }
    }

    fn spool_item(&mut self, item: Item) {
        let digest = item.digest;
        if self
            .captured
            .insert(item.seq, digest)
            .is_some_and(|before| before != digest && !self.died_with_page.remove(&item.seq))
        {
            self.broken = Some(format!("{} was given to two items", item.seq));
        }
        let well = !(self.faults.spool_failures && self.dice.once_in(20));
        let slow = self.faults.spool_failures && self.dice.once_in(50);
        let delay = if slow {
            self.dice.between(4_000, 9_000)
        } else {
            self.dice.between(1, 40)
        };
        let page = self.page_no;
        self.schedule(Millis::new(delay), Event::Spooled { page, item, well });
    }

    // The link.

    fn connected(&mut self, page: u64, link: u64) {
        if page != self.page_no || self.page.is_none() {
            return;
        }
        if !self.server_up || link != self.link_count {
            self.with_page(page, |sender, now| sender.handle_disconnected(now));
            return;
        }
        self.link = Some(link);
        self.last_delivery = self.now;
        self.receivers
            .insert(link, Receiver::new(self.now, SILENCE_MAX));
        self.with_page(page, |sender, now| sender.handle_connected(now));
    }

    fn send_to_server(&mut self, mut frame: Vec<u8>) {
        let Some(link) = self.link else { return };
        if self.faults.damaged_frames && self.speaking && self.dice.once_in(80) {
            let at = usize::try_from(self.dice.between(0, frame.len() as u64)).unwrap();
            frame[at] ^= 1 << self.dice.between(0, 8);
        }
        let at = self.delivery_time();
        self.schedule_at(at, Event::ToServer { link, frame });
    }

    fn delivery_time(&mut self) -> Millis {
        let at = self.now + Millis::new(self.dice.between(1, 120));
        self.last_delivery = self.last_delivery.max(at);
        self.last_delivery
    }

    /// Both ends notice, the server at some later time.
    fn cut_link(&mut self) {
        if self.link.take().is_some() && self.page.is_some() {
            self.with_page(self.page_no, |sender, now| sender.handle_disconnected(now));
        }
    }

    fn cut_link_silently(&mut self) {
        self.link = None;
    }

    // The server.

    fn to_server(&mut self, link: u64, frame: &[u8]) {
        // What was on its way when a link was cut may still arrive.
        let lost = self.link != Some(link) && self.dice.once_in(2);
        if lost || !self.server_up {
            return;
        }
        let now = self.now;
        if let Some(receiver) = self.receivers.get_mut(&link) {
            receiver.handle_frame(now, frame);
        }
        self.serve(link);
    }

    fn serve(&mut self, link: u64) {
        while let Some(effect) = self
            .receivers
            .get_mut(&link)
            .and_then(Receiver::poll_effect)
        {
            match effect {
                receiver::Effect::Open(hello) => {
                    let opened = self.open_session(&hello);
                    if let Some(receiver) = self.receivers.get_mut(&link) {
                        receiver.handle_opened(opened);
                    }
                }
                receiver::Effect::Store(items) => {
                    if self.ack_before_commit
                        && let Some(receiver) = self.receivers.get_mut(&link)
                    {
                        let seqs: Vec<_> = items.iter().map(|item| item.seq).collect();
                        receiver.handle_stored(seqs.into_iter().map(|seq| (seq, Verdict::Stored)));
                    }
                    let delay = Millis::new(self.dice.between(1, 80));
                    self.schedule(delay, Event::Committed { link, items });
                }
                receiver::Effect::Heartbeat(_) => {}
                receiver::Effect::Finish(finish) => {
                    let delay = Millis::new(self.dice.between(1, 200));
                    self.schedule(delay, Event::Finished { link, finish });
                }
                receiver::Effect::Send(message) => self.send_to_page(link, &message),
                receiver::Effect::Close => {
                    self.receivers.remove(&link);
                }
            }
        }
        if let Some(at) = self.receivers.get(&link).and_then(Receiver::poll_timeout) {
            let at = at.max(self.now + Millis::new(1));
            if self.server_timer.replace((link, at)) != Some((link, at)) {
                self.schedule_at(at, Event::ServerTimer { link });
            }
        }
    }

    fn open_session(&mut self, hello: &protocol::message::Hello) -> Result<Welcome, Refusal> {
        match hello.opening {
            Opening::New { .. } => self.ledger.known = true,
            Opening::Existing if !self.ledger.known => return Err(Refusal::UnknownSession),
            Opening::Existing => {}
        }
        self.ledger.epoch += 1;
        let status = self.ledger.status.unwrap_or(SessionStatus::Active);
        Ok(Welcome {
            epoch: Epoch::new(self.ledger.epoch),
            have: self.ledger.items.keys().copied().collect(),
            status,
            limits: Limits::default(),
            server_time: UnixMillis::new(self.now.get()),
        })
    }

    fn committed(&mut self, link: u64, items: &[Item]) {
        // Killed before the commit: as if it had never arrived.
        let Some(receiver) = self.receivers.get_mut(&link) else {
            return;
        };
        let Some((_, epoch)) = receiver.writer() else {
            return;
        };
        if epoch.get() != self.ledger.epoch {
            receiver.refuse(Refusal::Fenced);
            self.serve(link);
            return;
        }
        let mut verdicts = Vec::new();
        for item in items {
            let verdict = match self.ledger.items.get(&item.seq) {
                Some(stored) => Verdict::of_second(&stored.digest, &item.digest),
                None => {
                    if self.captured.get(&item.seq) != Some(&item.digest) {
                        self.broken =
                            Some(format!("{} is stored otherwise than captured", item.seq));
                    }
                    self.ledger.items.insert(item.seq, item.clone());
                    Verdict::Stored
                }
            };
            if let Verdict::Refused(error) = verdict {
                self.broken = Some(format!("{} was refused: {error}", item.seq));
            }
            verdicts.push((item.seq, verdict));
        }
        if self.faults.server_crashes && self.speaking && self.dice.once_in(60) {
            // Killed between the commit and the ack.
            self.crash_server();
            return;
        }
        if !self.ack_before_commit {
            receiver.handle_stored(verdicts);
        }
        self.serve(link);
    }

    fn finished(&mut self, link: u64, finish: &Finish) {
        let Some(receiver) = self.receivers.get_mut(&link) else {
            return;
        };
        let have: SeqSet = self.ledger.items.keys().copied().collect();
        let missing = finish
            .last_seq
            .map(|last| have.missing_up_to(last).difference(&finish.lost))
            .unwrap_or_default();
        if missing.is_empty() {
            self.ledger.status = Some(SessionStatus::Completed);
            receiver.handle_finish(FinishStep::Finalizing);
            receiver.handle_finish(FinishStep::Completed(Receipt {
                items: have.len(),
                bytes: 0,
                duration: Millis::ZERO,
                digest: Digest::from_bytes([0; 32]),
                missing: SeqSet::new(),
            }));
        } else {
            receiver.handle_finish(FinishStep::Missing(missing));
        }
        self.serve(link);
    }

    fn server_timer(&mut self, link: u64) {
        let now = self.now;
        if let Some(receiver) = self.receivers.get_mut(&link)
            && receiver.poll_timeout().is_some_and(|at| at <= now)
        {
            receiver.handle_timeout(now);
            self.serve(link);
        }
    }

    fn send_to_page(&mut self, link: u64, message: &ServerMessage) {
        if let ServerMessage::Ack { seqs, .. } = message {
            for seq in seqs
                .ranges()
                .flat_map(|range| range.start().get()..=range.end().get())
            {
                if !self.ledger.items.contains_key(&Seq::new(seq)) {
                    self.broken = Some(format!("{seq} was acked before it was durable"));
                }
            }
        }
        let at = self.delivery_time();
        self.schedule_at(
            at,
            Event::ToPage {
                link,
                frame: message.encode(),
            },
        );
    }

    fn to_page(&mut self, link: u64, frame: &[u8]) {
        if self.link != Some(link) {
            return;
        }
        let Ok(message) = ServerMessage::decode(frame) else {
            self.broken = Some("the server sent what cannot be decoded".into());
            return;
        };
        self.with_page(self.page_no, |sender, now| {
            sender.handle_message(now, message)
        });
    }

    fn crash_server(&mut self) {
        self.server_up = false;
        self.receivers.clear();
        self.cut_link();
        let away = self.dice.between(100, 6_000);
        self.schedule(Millis::new(away), Event::ServerReturns);
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
            return Err(format!(
                "{} items were left in the spool",
                self.spool.items.len()
            ));
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

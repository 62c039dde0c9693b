//! The browser's side of the protocol: numbers items at capture, has them spooled, sends what the
//! server does not have, and lets go of an item only after its ack. Carries out nothing itself.

mod backlog;
mod effect;
mod link;

use std::collections::VecDeque;

pub use backlog::BacklogStatus;
pub use effect::{Effect, FinishStatus, LinkStatus, SessionRecord};

use crate::limits::{
    IN_FLIGHT_BYTES_MAX, IN_FLIGHT_ITEMS_MAX, ITEM_PAYLOAD_BYTES_MAX, ITEMS_PER_MESSAGE_MAX,
    MESSAGE_ITEM_BYTES_MAX, PROTOCOL_VERSION, SEQ_SKIP_AFTER_UNSPOOLED,
};
use crate::message::{ClientMessage, Finish, Heartbeat, Hello, Opening, ServerMessage, Welcome};
use crate::{Content, Item, Millis, Receipt, Seq, SeqSet, SessionId, SessionStatus, SessionToken};
use crate::{SegmentNo, TrackNo, UnixMillis};
use backlog::Backlog;
use link::{Due, Link, Phase};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Finishing {
    NotAsked,
    Asked,
    Sent { since: Millis },
    Completed(Receipt),
    Failed(String),
}

/// The sender of one session.
#[derive(Debug)]
pub struct Sender {
    record: SessionRecord,
    backlog: Backlog,
    link: Link,
    finishing: Finishing,
    lost: SeqSet,
    server_status: Option<SessionStatus>,
    effects: VecDeque<Effect>,
}

impl Sender {
    /// Starts a session that the server does not know yet.
    pub fn new(
        now: Millis,
        session: SessionId,
        token: SessionToken,
        started_at: UnixMillis,
    ) -> Self {
        let record = SessionRecord {
            session,
            token,
            opening: Opening::New { started_at },
            started_at,
            next_segment: SegmentNo::new(0),
            timeline_end: Millis::ZERO,
            recorded: Millis::ZERO,
            next_seq: Seq::ZERO,
            finish_asked: false,
            unspooled_sent: false,
        };
        let mut sender = Self::with_record(now, record.clone());
        sender.effects.push_back(Effect::Remember(record));
        sender.pump(now);
        sender
    }

    /// Takes up a session from what an earlier page left in the spool: the seq, payload bytes and
    /// media time of every item there.
    pub fn restore(
        now: Millis,
        mut record: SessionRecord,
        items: impl IntoIterator<Item = (Seq, usize, Millis)>,
    ) -> Self {
        let items: Vec<_> = items.into_iter().collect();
        for (seq, ..) in &items {
            record.next_seq = record.next_seq.max(seq.next());
        }
        let mut sender = Self::with_record(now, record);
        sender.skip_unspooled();
        for (seq, payload_bytes, span) in items {
            sender.backlog.restored(seq, payload_bytes, span);
        }
        sender.pump(now);
        sender
    }

    /// Leaves room for what an earlier page sent from memory. The hole is declared, so that it
    /// holds nothing up; the receipt still tells of it.
    fn skip_unspooled(&mut self) {
        if self.record.unspooled_sent && !self.record.finish_asked {
            let first = self.record.next_seq;
            let next = Seq::new(first.get().saturating_add(SEQ_SKIP_AFTER_UNSPOOLED));
            self.lost.insert_range(first..=Seq::new(next.get() - 1));
            self.record.next_seq = next;
            self.record.unspooled_sent = false;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
    }

    fn with_record(now: Millis, record: SessionRecord) -> Self {
        let id = record.session.as_bytes();
        let jitter_seed =
            u64::from_le_bytes([id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]]);
        Self {
            finishing: if record.finish_asked { Finishing::Asked } else { Finishing::NotAsked },
            record,
            backlog: Backlog::default(),
            link: Link::new(now, jitter_seed),
            lost: SeqSet::new(),
            server_status: None,
            effects: VecDeque::new(),
        }
    }

    pub fn session(&self) -> SessionId {
        self.record.session
    }

    /// What is remembered of the session beside its items.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    pub fn backlog_status(&self) -> BacklogStatus {
        self.backlog.status()
    }

    pub fn link_status(&self) -> LinkStatus {
        match &self.link.phase {
            Phase::Online { .. } | Phase::Closed => LinkStatus::Online,
            Phase::Stopped(refusal) => LinkStatus::Stopped(refusal.clone()),
            Phase::Down { .. } | Phase::Connecting { .. } | Phase::Greeting { .. } => {
                LinkStatus::Reconnecting
            }
        }
    }

    pub fn finish_status(&self) -> FinishStatus {
        match &self.finishing {
            Finishing::NotAsked => FinishStatus::NotAsked,
            Finishing::Asked | Finishing::Sent { .. } => FinishStatus::Finishing,
            Finishing::Completed(receipt) => FinishStatus::Completed(receipt.clone()),
            Finishing::Failed(reason) => FinishStatus::Failed(reason.clone()),
        }
    }

    /// What the server last said of the session; `None` before the first `Welcome`.
    pub fn server_status(&self) -> Option<SessionStatus> {
        self.server_status
    }

    /// Numbers captured content at once and has it spooled. A chunk above the item limit becomes
    /// several items; an empty one becomes none. `span` is the media time that it covers.
    pub fn capture(&mut self, now: Millis, at: Millis, span: Millis, content: Content) {
        match content {
            Content::Chunk { track, segment, bytes } => {
                self.capture_chunk(now, at, span, track, segment, bytes);
            }
            Content::Marker(marker) => self.capture_one(now, at, span, Content::Marker(marker)),
        }
        self.pump(now);
    }

    fn capture_chunk(
        &mut self,
        now: Millis,
        at: Millis,
        mut span: Millis,
        track: TrackNo,
        segment: SegmentNo,
        mut bytes: bytes::Bytes,
    ) {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(ITEM_PAYLOAD_BYTES_MAX));
            self.capture_one(now, at, span, Content::Chunk { track, segment, bytes: part });
            span = Millis::ZERO;
        }
    }

    fn capture_one(&mut self, now: Millis, at: Millis, span: Millis, content: Content) {
        let record = &mut self.record;
        if let Some(segment) = content.segment() {
            let next = SegmentNo::new(segment.get().saturating_add(1));
            record.next_segment = record.next_segment.max(next);
        }
        let item = Item::new(record.next_seq, at, content);
        record.next_seq = record.next_seq.next();
        record.timeline_end = record.timeline_end.max(at);
        record.recorded = record.recorded + span;
        let (spooled, record) = (item.clone(), record.clone());
        self.effects.push_back(Effect::Spool { item: spooled, span, record });
        self.backlog.captured(now, item, span);
    }

    /// The spool has the item on disk.
    pub fn handle_spooled(&mut self, now: Millis, seq: Seq) {
        if self.backlog.spooled(seq) {
            self.forget(vec![seq]);
        }
        self.pump(now);
    }

    /// The spool cannot take the item; it stays in memory.
    pub fn handle_spool_failed(&mut self, now: Millis, seq: Seq) {
        self.backlog.not_spooled(seq);
        self.pump(now);
    }

    /// An item asked for by [`Effect::Load`].
    pub fn handle_loaded(&mut self, now: Millis, item: Item) {
        if let Some(item) = self.backlog.loaded(now, item) {
            self.effects.push_back(Effect::Send(ClientMessage::Items(vec![item])));
        }
        self.pump(now);
    }

    /// An item asked for by [`Effect::Load`] is not in the spool.
    pub fn handle_vanished(&mut self, now: Millis, seq: Seq) {
        if self.backlog.vanished(seq) {
            self.lost.insert(seq);
        }
        self.pump(now);
    }

    pub fn handle_connected(&mut self, now: Millis) {
        if self.link.connected(now) {
            let hello = Hello {
                version: PROTOCOL_VERSION,
                session: self.record.session,
                token: self.record.token.clone(),
                opening: self.record.opening,
            };
            self.effects.push_back(Effect::Send(ClientMessage::Hello(hello)));
        }
    }

    pub fn handle_disconnected(&mut self, now: Millis) {
        self.lose_link(now);
    }

    /// The browser reports that the network is back.
    pub fn handle_network_online(&mut self, now: Millis) {
        self.link.network_is_back(now);
        self.handle_timeout(now);
    }

    /// The candidate says "stop and save": nothing more will be captured. Also tries again after a
    /// failure.
    pub fn finish(&mut self, now: Millis) {
        match self.finishing {
            Finishing::NotAsked | Finishing::Failed(_) => {
                self.finishing = Finishing::Asked;
                self.record.finish_asked = true;
                self.effects.push_back(Effect::Remember(self.record.clone()));
            }
            Finishing::Asked | Finishing::Sent { .. } | Finishing::Completed(_) => {}
        }
        self.pump(now);
    }

    pub fn handle_message(&mut self, now: Millis, message: ServerMessage) {
        self.link.heard(now);
        match message {
            ServerMessage::Welcome(welcome) => self.welcomed(now, welcome),
            ServerMessage::Ack { seqs, duplicates: _ } => self.acked(&seqs),
            ServerMessage::Refused(items) => {
                for (seq, error) in items {
                    self.backlog.refused(seq, error);
                }
            }
            ServerMessage::HeartbeatAck => {}
            ServerMessage::Missing(missing) => {
                let lost = self.backlog.undeliverable(&missing);
                for range in lost.ranges() {
                    self.lost.insert_range(range);
                }
                self.finish_again();
            }
            ServerMessage::Finalizing => {
                self.server_status = Some(SessionStatus::Finalizing);
                if let Finishing::Sent { since } = &mut self.finishing {
                    *since = now;
                }
            }
            ServerMessage::Completed(receipt) => self.completed(receipt),
            ServerMessage::Failed(reason) => {
                self.server_status = Some(SessionStatus::Failed);
                self.finishing = Finishing::Failed(reason);
            }
            ServerMessage::Goodbye(refusal) => {
                self.effects.push_back(Effect::Disconnect);
                self.lose_link(now);
                if !refusal.is_temporary() {
                    self.link.stopped(refusal);
                }
            }
        }
        self.pump(now);
    }

    /// Call when [`Sender::poll_timeout`] says so. Calling early does no harm.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.backlog.spool_overdue(now);
        match self.link.due(now, self.oldest_question()) {
            Due::Connect => {
                self.link.connecting(now);
                self.effects.push_back(Effect::Connect);
            }
            Due::GiveUp => {
                self.effects.push_back(Effect::Disconnect);
                self.lose_link(now);
            }
            Due::Heartbeat => {
                let pending = self.backlog.status().items;
                let heartbeat = ClientMessage::Heartbeat(Heartbeat { pending });
                self.effects.push_back(Effect::Send(heartbeat));
                self.link.heartbeat_sent(now);
            }
            Due::Nothing => {}
        }
        self.pump(now);
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Sender::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Millis> {
        [self.link.deadline(self.oldest_question()), self.backlog.spool_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn welcomed(&mut self, now: Millis, welcome: Welcome) {
        if !matches!(self.link.phase, Phase::Greeting { .. }) {
            return;
        }
        self.link.welcomed(now, welcome.epoch);
        self.server_status = Some(welcome.status);
        if let Some(last) = welcome.have.last() {
            self.record.next_seq = self.record.next_seq.max(last.next());
        }
        self.record.opening = Opening::Existing;
        self.effects.push_back(Effect::Remember(self.record.clone()));
        self.acked(&welcome.have);
    }

    fn acked(&mut self, seqs: &SeqSet) {
        let spooled = self.backlog.acked(seqs);
        self.forget(spooled);
    }

    fn forget(&mut self, seqs: Vec<Seq>) {
        if !seqs.is_empty() {
            let record = self.record.clone();
            self.effects.push_back(Effect::Forget { seqs, record });
        }
    }

    fn completed(&mut self, receipt: Receipt) {
        self.server_status = Some(SessionStatus::Completed);
        self.finishing = Finishing::Completed(receipt);
        // What the server would not take stays in the spool: it is nowhere else.
        if self.backlog.is_empty() {
            self.effects.push_back(Effect::Release);
        }
        self.effects.push_back(Effect::Disconnect);
        self.link.close();
    }

    fn lose_link(&mut self, now: Millis) {
        self.link.lost(now);
        self.backlog.link_lost();
        self.finish_again();
    }

    fn finish_again(&mut self) {
        if matches!(self.finishing, Finishing::Sent { .. }) {
            self.finishing = Finishing::Asked;
        }
    }

    /// The oldest thing that the server still owes an answer to.
    fn oldest_question(&self) -> Option<Millis> {
        let finish = match self.finishing {
            Finishing::Sent { since } => Some(since),
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Completed(_)
            | Finishing::Failed(_) => None,
        };
        [self.backlog.oldest_in_flight(), finish].into_iter().flatten().min()
    }

    /// Sends what the window allows, then `Finish` once nothing is left to send.
    fn pump(&mut self, now: Millis) {
        if matches!(self.link.phase, Phase::Down { retry_at } if now >= retry_at) {
            self.link.connecting(now);
            self.effects.push_back(Effect::Connect);
        }
        if !self.link.is_online() {
            return;
        }
        self.send_items(now);
        if self.finishing == Finishing::Asked && self.backlog.is_settled() {
            let last_seq = self.record.next_seq.get().checked_sub(1).map(Seq::new);
            let finish = Finish { last_seq, lost: self.lost.clone() };
            self.effects.push_back(Effect::Send(ClientMessage::Finish(finish)));
            self.finishing = Finishing::Sent { since: now };
        }
    }

    fn send_items(&mut self, now: Millis) {
        let mut to_load = Vec::new();
        loop {
            let bytes_free = IN_FLIGHT_BYTES_MAX.saturating_sub(self.backlog.in_flight_bytes());
            let items_free = IN_FLIGHT_ITEMS_MAX.saturating_sub(self.backlog.in_flight_items());
            let batch = self.backlog.next_batch(
                now,
                bytes_free.min(MESSAGE_ITEM_BYTES_MAX),
                items_free.min(ITEMS_PER_MESSAGE_MAX),
            );
            if batch.items.is_empty() && batch.to_load.is_empty() {
                break;
            }
            if batch.any_unspooled && !self.record.unspooled_sent {
                self.record.unspooled_sent = true;
                self.effects.push_back(Effect::Remember(self.record.clone()));
            }
            if !batch.items.is_empty() {
                self.effects.push_back(Effect::Send(ClientMessage::Items(batch.items)));
            }
            to_load.extend(batch.to_load);
        }
        if !to_load.is_empty() {
            self.effects.push_back(Effect::Load(to_load));
        }
    }
}

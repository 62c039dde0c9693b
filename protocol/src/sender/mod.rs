//! The browser's side of the protocol: numbers items at capture, has them spooled, sends what the
//! server does not have, and lets go of an item only after its ack. Carries out nothing itself.

mod backlog;
mod courier;
mod effect;
mod link;
mod spooling;
mod unreadable;

use std::collections::VecDeque;

pub use backlog::BacklogStatus;
pub use courier::Dispatch;
pub use effect::{Effect, FinishStatus, LinkStatus, Reserved, SessionRecord};

use crate::limits::{
    IN_FLIGHT_BYTES_MAX, IN_FLIGHT_ITEMS_MAX, ITEM_PAYLOAD_BYTES_MAX, ITEMS_PER_MESSAGE_MAX,
    PROTOCOL_VERSION, SEGMENT_SKIP_AFTER_UNSPOOLED, SEQ_SKIP_AFTER_UNSPOOLED,
};
use crate::message::{ClientMessage, Finish, Heartbeat, Hello, Opening, Progress};
use crate::message::{ServerMessage, Welcome};
use crate::{Content, Epoch, Item, Millis, Receipt, Seq, SeqSet};
use crate::{Refusal, SegmentNo, UnixMillis};
use crate::{SessionId, SessionStatus, SessionToken, Version};
use backlog::Backlog;
use link::{Due, Link, Phase};
use unreadable::Unreadable;

/// Why a session cannot finish whose missing items lie here.
const WITHHELD: &str =
    "Some of it is only on this device, where this version of the page cannot read it";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Finishing {
    NotAsked,
    Asked,
    Sent {
        since: Millis,
    },
    Completed(Receipt),
    Failed(String),
    /// To be thrown away. `None`: the server is yet to be told.
    Discarding {
        sent_at: Option<Millis>,
    },
    Discarded,
}

/// The sender of one session.
#[derive(Debug)]
pub struct Sender {
    record: SessionRecord,
    /// What the server understands.
    version: Version,
    backlog: Backlog,
    unreadable: Unreadable,
    link: Link,
    finishing: Finishing,
    /// Reserved, and not filled yet.
    unfilled: SeqSet,
    lost: SeqSet,
    /// Every number below this that is in use outside the spool is written down.
    noted: Seq,
    server_status: Option<SessionStatus>,
    /// Why the server ended the last connection, as long as it has stored nothing since.
    turned_away: Option<Refusal>,
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
        let opening = Opening::New { started_at };
        let record = SessionRecord::new(session, token, opening, started_at);
        let mut sender = Self::with_record(now, record.clone());
        sender.effects.push_back(Effect::Remember(record));
        sender.pump(now);
        sender
    }

    /// Takes up a session of which nothing is here but its token: the server says at the welcome
    /// how far it has come.
    pub fn recover(now: Millis, session: SessionId, token: SessionToken) -> Self {
        let started_at = session.created_at();
        let record = SessionRecord::new(session, token, Opening::Existing, started_at);
        let mut sender = Self::with_record(now, record);
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
            let segments = self.record.next_segment.get();
            self.record.next_segment =
                SegmentNo::new(segments.saturating_add(SEGMENT_SKIP_AFTER_UNSPOOLED));
            self.record.unspooled_sent = false;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
    }

    fn with_record(now: Millis, record: SessionRecord) -> Self {
        let id = record.session.as_bytes();
        let jitter_seed =
            u64::from_le_bytes([id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]]);
        let finishing = match (record.discard_asked, record.finish_asked) {
            (true, _) => Finishing::Discarding { sent_at: None },
            (false, true) => Finishing::Asked,
            (false, false) => Finishing::NotAsked,
        };
        Self {
            finishing,
            record,
            version: PROTOCOL_VERSION,
            backlog: Backlog::default(),
            unreadable: Unreadable::default(),
            link: Link::new(now, jitter_seed),
            unfilled: SeqSet::new(),
            lost: SeqSet::new(),
            noted: Seq::ZERO,
            server_status: None,
            turned_away: None,
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

    /// In which to speak to the server, outside the connection too.
    pub fn version(&self) -> Version {
        self.version
    }

    pub fn backlog_status(&self) -> BacklogStatus {
        self.backlog.status()
    }

    /// The spool has refused a write or does not answer; nothing more is known to be written until
    /// this is false again.
    pub fn is_spool_failing(&self) -> bool {
        self.backlog.is_spool_failing()
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
            Finishing::Discarding { .. } => FinishStatus::Discarding,
            Finishing::Discarded => FinishStatus::Discarded,
        }
    }

    /// True when numbers were used for what will never arrive, because it could not be read or has gone
    /// from the spool, or for what this version cannot read there.
    pub fn has_losses(&self) -> bool {
        !self.lost.is_empty() || !self.unreadable.is_empty()
    }

    /// Pieces in the spool that this version cannot read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.count()
    }

    /// It holds items that will not be sent from here, or that a crash of the page would lose.
    pub fn keeps_back(&self) -> bool {
        let BacklogStatus { items, refused_items, memory_only_items, .. } = self.backlog_status();
        let is_over = matches!(self.finishing, Finishing::Completed(_) | Finishing::Failed(_));
        let is_stopped = matches!(self.link.phase, Phase::Stopped(_));
        refused_items > 0 || memory_only_items > 0 || (items > 0 && (is_over || is_stopped))
    }

    /// True when every un-acked item is on disk here: another page can take up all of it.
    pub fn is_kept(&self) -> bool {
        self.unfilled.is_empty() && self.backlog.is_kept()
    }

    /// What the server last said of the session; `None` before the first `Welcome`.
    pub fn server_status(&self) -> Option<SessionStatus> {
        self.server_status
    }

    /// Why the server takes nothing just now, if it said so.
    pub fn turned_away(&self) -> Option<&Refusal> {
        self.turned_away.as_ref()
    }

    /// Numbers captured content at once and has it spooled. A chunk above the item limit becomes
    /// several items; an empty one becomes none. `span` is the media time that it covers.
    pub fn capture(&mut self, now: Millis, at: Millis, span: Millis, content: Content) {
        if matches!(&content, Content::Chunk { bytes, .. } if bytes.is_empty()) {
            return;
        }
        let reserved = self.reserve(content.payload_bytes());
        self.fill(now, reserved, at, span, content);
    }

    /// Takes the numbers that a chunk of so many bytes needs, before its bytes are at hand. To be
    /// called in the very moment of its capture.
    pub fn reserve(&mut self, payload_bytes: usize) -> Reserved {
        let first = self.record.next_seq;
        let more = payload_bytes.saturating_sub(1) / ITEM_PAYLOAD_BYTES_MAX;
        let last = Seq::new(first.get().saturating_add(more as u64));
        self.record.next_seq = last.next();
        self.unfilled.insert_range(first..=last);
        Reserved { first, last }
    }

    /// Seals content under the numbers that were reserved for it, and has it spooled.
    pub fn fill(
        &mut self,
        now: Millis,
        reserved: Reserved,
        at: Millis,
        mut span: Millis,
        content: Content,
    ) {
        let Reserved { first, last } = reserved;
        self.unfilled.remove_range(first..=last);
        // As many as there are numbers, which were reserved by the length of the same bytes.
        let parts = content.into_parts();
        for (seq, part) in (first.get()..=last.get()).map(Seq::new).zip(parts) {
            self.capture_one(now, seq, at, span, part);
            span = Millis::ZERO;
        }
        self.pump(now);
    }

    /// The content could not be read: its numbers stay empty, and both sides know.
    pub fn abandon(&mut self, now: Millis, reserved: Reserved) {
        let Reserved { first, last } = reserved;
        self.unfilled.remove_range(first..=last);
        self.lost.insert_range(first..=last);
        self.pump(now);
    }

    fn capture_one(&mut self, now: Millis, seq: Seq, at: Millis, span: Millis, content: Content) {
        let record = &mut self.record;
        if let Some(segment) = content.segment() {
            let next = SegmentNo::new(segment.get().saturating_add(1));
            record.next_segment = record.next_segment.max(next);
        }
        let item = Item::new(seq, at, content);
        record.timeline_end = record.timeline_end.max(at);
        record.recorded = record.recorded + span;
        let (spooled, record) = (item.clone(), record.clone());
        self.effects.push_back(Effect::Spool { item: spooled, span, record });
        self.backlog.captured(now, item, span);
    }

    /// The spool has the item on disk.
    pub fn handle_spooled(&mut self, now: Millis, seq: Seq) {
        if self.backlog.spooled(now, seq) {
            self.forget(vec![seq]);
        }
        // The record now on its way covers every number that was ever used.
        if self.record.unspooled_sent && self.backlog.is_spooled() {
            self.record.unspooled_sent = false;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
        self.respool(now);
        self.pump(now);
    }

    /// The spool cannot take the item; it stays in memory, and is tried again from time to time.
    pub fn handle_spool_failed(&mut self, now: Millis, seq: Seq) {
        self.backlog.not_spooled(now, seq);
        self.pump(now);
    }

    /// Has the spool try once more what it could not take before.
    fn respool(&mut self, now: Millis) {
        for (item, span) in self.backlog.next_rewrites(now) {
            let record = self.record.clone();
            self.effects.push_back(Effect::Spool { item, span, record });
        }
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

    /// A piece in the spool that this version cannot read, and its number, if that is known. The server
    /// is not told that it is lost: as long as it misses it, the session does not finish from here.
    pub fn handle_unreadable(&mut self, now: Millis, seq: Option<Seq>) {
        self.unreadable.note(seq);
        match seq {
            Some(seq) => {
                self.lost.remove(seq);
                self.backlog.vanished(seq);
                self.record.next_seq = self.record.next_seq.max(seq.next());
            }
            // Whatever was given up may be it.
            None => self.lost = SeqSet::new(),
        }
        self.pump(now);
    }

    pub fn handle_connected(&mut self, now: Millis) {
        if self.link.connected(now) {
            let hello = self.hello(self.record.opening);
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
            Finishing::Asked
            | Finishing::Sent { .. }
            | Finishing::Completed(_)
            | Finishing::Discarding { .. }
            | Finishing::Discarded => {}
        }
        self.pump(now);
    }

    /// The candidate throws the session away: nothing more of it is sent, and once the server has
    /// deleted its part, everything here is erased.
    pub fn discard(&mut self, now: Millis) {
        match self.finishing {
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Sent { .. }
            | Finishing::Failed(_) => {
                self.finishing = Finishing::Discarding { sent_at: None };
                self.record.discard_asked = true;
                self.effects.push_back(Effect::Remember(self.record.clone()));
            }
            Finishing::Completed(_) | Finishing::Discarding { .. } | Finishing::Discarded => {}
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
            ServerMessage::Missing(missing) => self.missing(&missing),
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
            ServerMessage::Discarded => self.discarded(),
            ServerMessage::Goodbye(refusal) => self.refused(now, refusal),
        }
        self.pump(now);
    }

    /// Call when [`Sender::poll_timeout`] says so. Calling early does no harm.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.backlog.spool_overdue(now);
        self.respool(now);
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
                let backlog = self.backlog.status();
                let (pending, pending_span) = (backlog.items, backlog.span);
                let heartbeat = ClientMessage::Heartbeat(Heartbeat { pending, pending_span });
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

    /// What a page that is gone in a moment can still send, outside the connection: as many of the
    /// un-acked items as it has at hand. Empty when there is nothing to send, or no server that
    /// knows the session.
    pub fn parting(&self, bytes_max: usize) -> Vec<ClientMessage> {
        let Phase::Online { epoch, .. } = &self.link.phase else {
            return Vec::new();
        };
        let items = self.backlog.at_hand(bytes_max);
        if items.is_empty() || self.record.discard_asked {
            return Vec::new();
        }
        let hello = self.hello(Opening::Joining { epoch: *epoch });
        vec![ClientMessage::Hello(hello), ClientMessage::Items(items)]
    }

    /// What is lost with a page that is gone in a moment, unless it is written down where a write is
    /// done when its call returns: items that the spool is not known to have, and the media time that
    /// each covers.
    pub fn unspooled(&self, bytes_max: usize) -> Vec<(Item, Millis)> {
        if self.record.discard_asked { Vec::new() } else { self.backlog.unspooled(bytes_max) }
    }

    fn hello(&self, opening: Opening) -> Hello {
        self.record.hello(self.version, opening, self.link.failed_tries())
    }

    fn missing(&mut self, missing: &SeqSet) {
        let absent = self.backlog.undeliverable(missing);
        let lost = self.unreadable.lost_of(&absent);
        for range in lost.ranges() {
            self.lost.insert_range(range);
        }
        if lost == absent {
            self.finish_again();
        } else {
            self.finishing = Finishing::Failed(WITHHELD.to_owned());
        }
    }

    fn welcomed(&mut self, now: Millis, welcome: Welcome) {
        if !matches!(self.link.phase, Phase::Greeting { .. }) {
            return;
        }
        let epoch = welcome.epoch;
        self.link.welcomed(now, epoch);
        self.server_status = Some(welcome.status);
        if let Some(last) = welcome.have.last() {
            self.record.next_seq = self.record.next_seq.max(last.next());
        }
        let Progress { next_segment, timeline_end } = welcome.progress;
        self.record.next_segment = self.record.next_segment.max(next_segment);
        self.record.timeline_end = self.record.timeline_end.max(timeline_end);
        // Less, if there were gaps; but a page that knows nothing can know no better.
        if self.record.recorded == Millis::ZERO {
            self.record.recorded = timeline_end;
        }
        self.record.opening = Opening::Following { epoch };
        self.effects.push_back(Effect::Remember(self.record.clone()));
        self.acked(&welcome.have);
    }

    fn refused(&mut self, now: Millis, refusal: Refusal) {
        let is_gone = matches!(refusal, Refusal::Discarded | Refusal::UnknownSession);
        if is_gone && matches!(self.finishing, Finishing::Discarding { .. }) {
            self.discarded();
            return;
        }
        self.link.turned_away();
        self.effects.push_back(Effect::Disconnect);
        self.lose_link(now);
        if let Some(version) = self.version_for(&refusal) {
            self.version = version;
            self.link.network_is_back(now);
        } else if let Refusal::Outdated { current } = refusal {
            self.outdated(now, current);
        } else if refusal.is_temporary() {
            self.turned_away = Some(refusal);
        } else {
            self.link.stopped(refusal);
        }
    }

    /// What to speak with a server of the release before: one may be there for a moment while servers
    /// are replaced, or for longer when that was taken back.
    fn version_for(&self, refusal: &Refusal) -> Option<Version> {
        let Refusal::UnsupportedVersion { server, .. } = refusal else { return None };
        Version::try_from(*server).ok().filter(|older| *older < self.version)
    }

    /// A newer connection was welcomed: one of this session's own that was given up, or that of a
    /// page before; or another page has taken over.
    fn outdated(&mut self, now: Millis, current: Epoch) {
        if self.link.is_fenced_by(current) {
            self.link.stopped(Refusal::Fenced);
        } else {
            self.record.opening = Opening::Following { epoch: current };
            self.link.network_is_back(now);
        }
    }

    fn discarded(&mut self) {
        self.server_status = Some(SessionStatus::Discarded);
        self.finishing = Finishing::Discarded;
        // Nothing of it may be written once more after it was erased.
        self.backlog = Backlog::default();
        self.effects.push_back(Effect::Erase);
        self.effects.push_back(Effect::Disconnect);
        self.link.close();
    }

    fn acked(&mut self, seqs: &SeqSet) {
        self.turned_away = None;
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
        // What the server would not take, or could not be told, stays in the spool: it is nowhere else.
        if self.backlog.is_empty() && self.unreadable.is_empty() {
            self.effects.push_back(Effect::Erase);
        }
        self.effects.push_back(Effect::Disconnect);
        self.link.close();
    }

    fn lose_link(&mut self, now: Millis) {
        self.link.lost(now);
        self.backlog.link_lost();
        self.finish_again();
    }

    /// Whatever the server was asked at the end is to be asked again.
    fn finish_again(&mut self) {
        match &mut self.finishing {
            Finishing::Sent { .. } => self.finishing = Finishing::Asked,
            Finishing::Discarding { sent_at } => *sent_at = None,
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Completed(_)
            | Finishing::Failed(_)
            | Finishing::Discarded => {}
        }
    }

    /// The oldest thing that the server still owes an answer to.
    fn oldest_question(&self) -> Option<Millis> {
        let finish = match self.finishing {
            Finishing::Sent { since } => Some(since),
            Finishing::Discarding { sent_at } => sent_at,
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Completed(_)
            | Finishing::Failed(_)
            | Finishing::Discarded => None,
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
        if let Finishing::Discarding { sent_at } = &mut self.finishing {
            if sent_at.is_none() {
                *sent_at = Some(now);
                self.effects.push_back(Effect::Send(ClientMessage::Discard));
            }
            return;
        }
        self.send_items(now);
        let is_settled = self.unfilled.is_empty() && self.backlog.is_settled();
        if self.finishing == Finishing::Asked && is_settled {
            let last_seq = self.record.next_seq.get().checked_sub(1).map(Seq::new);
            let finish = Finish { last_seq, lost: self.lost.clone() };
            self.effects.push_back(Effect::Send(ClientMessage::Finish(finish)));
            self.finishing = Finishing::Sent { since: now };
        }
    }

    /// Keeps later pages from using the numbers of what leaves without being in the spool.
    fn note(&mut self) {
        let next_seq = self.record.next_seq;
        if self.noted < next_seq {
            self.noted = next_seq;
            self.effects.push_back(self.record.to_note());
        }
    }

    /// For a page that finds no note.
    fn remember_unspooled(&mut self) {
        if !self.record.unspooled_sent {
            self.record.unspooled_sent = true;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
    }

    fn send_items(&mut self, now: Millis) {
        let mut to_load = Vec::new();
        loop {
            let bytes_free = IN_FLIGHT_BYTES_MAX.saturating_sub(self.backlog.in_flight_bytes());
            let items_free = IN_FLIGHT_ITEMS_MAX.saturating_sub(self.backlog.in_flight_items());
            let items_max = items_free.min(ITEMS_PER_MESSAGE_MAX);
            let batch = self.backlog.next_batch(now, bytes_free, items_max);
            if batch.items.is_empty() && batch.to_load.is_empty() {
                break;
            }
            if batch.any_unspooled {
                self.note();
                self.remember_unspooled();
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

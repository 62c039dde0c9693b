//! The browser's side of the protocol: numbers items at capture, has them spooled, sends what the
//! server does not have, and lets go of an item only after its ack. Carries out nothing itself.

mod backlog;
mod capturing;
mod conversation;
mod courier;
mod effect;
mod finishing;
mod link;
mod spooling;
mod unreadable;

use std::collections::VecDeque;

pub use backlog::BacklogStatus;
pub use courier::Dispatch;
pub use effect::{Effect, FinishStatus, LinkStatus, Reserved, SessionRecord};

use crate::limits::{PROTOCOL_VERSION, SEGMENT_SKIP_AFTER_UNSPOOLED, SEQ_SKIP_AFTER_UNSPOOLED};
use crate::message::{ClientMessage, Heartbeat, Opening};
use crate::{
    Millis, Refusal, SegmentNo, Seq, SeqSet, SessionId, SessionStatus, SessionToken, UnixMillis,
    Version,
};
use backlog::Backlog;
use finishing::Finishing;
use link::{Due, Link, Phase};
use unreadable::Unreadable;

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
}

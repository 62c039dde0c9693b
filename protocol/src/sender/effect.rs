//! What comes out of a sender: the effects that its shell carries out, and how it stands.

use serde::{Deserialize, Serialize};

use crate::message::{ClientMessage, Hello, Opening, Refusal};
use crate::wire::{to_bytes, whole};
use crate::{Item, Millis, Receipt, SegmentNo, Seq, SessionId, SessionToken, UnixMillis, Version};

/// What the spool must remember of a session beside its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub session: SessionId,
    pub token: SessionToken,
    pub opening: Opening,
    pub started_at: UnixMillis,
    /// The number that the next recorder run gets.
    pub next_segment: SegmentNo,
    /// Where the newest item lies on the session's timeline.
    pub timeline_end: Millis,
    /// The media time captured so far.
    pub recorded: Millis,
    /// Every number below this may have been used.
    pub next_seq: Seq,
    /// The candidate has said "stop and save".
    pub finish_asked: bool,
    /// The candidate has said "discard".
    pub discard_asked: bool,
    /// Items were sent that the spool did not hold: numbers above `next_seq` may be in use.
    pub unspooled_sent: bool,
}

impl SessionRecord {
    /// Of a session of which nothing was captured here yet.
    pub(super) fn new(
        session: SessionId,
        token: SessionToken,
        opening: Opening,
        started_at: UnixMillis,
    ) -> Self {
        Self {
            session,
            token,
            opening,
            started_at,
            next_segment: SegmentNo::new(0),
            timeline_end: Millis::ZERO,
            recorded: Millis::ZERO,
            next_seq: Seq::ZERO,
            finish_asked: false,
            discard_asked: false,
            unspooled_sent: false,
        }
    }

    /// What is to be written down before any of it is used outside the spool.
    pub fn to_note(&self) -> Effect {
        Effect::Note { next_seq: self.next_seq, next_segment: self.next_segment }
    }

    /// Takes in what another copy of it knows, an older or a newer one. How to open the session stays:
    /// a server that knows better says so.
    pub fn catch_up(&mut self, other: &Self) {
        self.next_segment = self.next_segment.max(other.next_segment);
        self.timeline_end = self.timeline_end.max(other.timeline_end);
        self.recorded = self.recorded.max(other.recorded);
        self.next_seq = self.next_seq.max(other.next_seq);
        self.finish_asked |= other.finish_asked;
        self.discard_asked |= other.discard_asked;
        self.unspooled_sent |= other.unspooled_sent;
    }

    /// As it lies in the spool.
    pub fn encode(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// `None` when the bytes are something else, or more than that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        whole(bytes)
    }

    pub(super) fn hello(&self, version: Version, opening: Opening, failed_tries: u32) -> Hello {
        let Self { session, token, .. } = self;
        Hello { version, session: *session, token: token.clone(), opening, failed_tries }
    }

    /// Takes in what [`Effect::Note`] wrote down last. To be called before
    /// [`super::Sender::restore`].
    pub fn note(&mut self, next_seq: Seq, next_segment: SegmentNo) {
        self.next_seq = self.next_seq.max(next_seq);
        self.next_segment = self.next_segment.max(next_segment);
        // All that was sent from memory had been noted: there is no need to guess.
        self.unspooled_sent = false;
    }
}

/// What the shell has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write the session's record to the spool.
    Remember(SessionRecord),
    /// Write the item to the spool with strict durability, then call
    /// [`super::Sender::handle_spooled`] or [`super::Sender::handle_spool_failed`].
    Spool {
        item: Item,
        /// The media time that it covers, for [`super::Sender::restore`].
        span: Millis,
        /// To be written in the same transaction, so that it is never behind its items.
        record: SessionRecord,
    },
    /// In one transaction, write the record and delete these acked items.
    Forget {
        seqs: Vec<Seq>,
        record: SessionRecord,
    },
    /// Write down, before the next effect is carried out, that every number below these may be in
    /// use outside the spool, for [`SessionRecord::note`]. To be kept where a write is done when
    /// its call returns, as `localStorage` is: the spool may be full, or too slow for a page that
    /// is being left.
    Note {
        next_seq: Seq,
        next_segment: SegmentNo,
    },
    /// Read these from the spool, then call [`super::Sender::handle_loaded`] for each, or
    /// [`super::Sender::handle_vanished`] or [`super::Sender::handle_unreadable`].
    Load(Vec<Seq>),
    /// Nothing of this session is needed here any more, because all of it is safe on the server or
    /// thrown away: delete its record and all its items. Some may be left that
    /// [`Effect::Forget`] named, when the disk was full. Some may be unreadable, when the candidate has
    /// thrown it away.
    Erase,
    /// Open a connection, then call [`super::Sender::handle_connected`] or
    /// [`super::Sender::handle_disconnected`].
    Connect,
    Send(ClientMessage),
    /// Drop the connection without waiting for anything.
    Disconnect,
}

/// The state of the link as the candidate should see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStatus {
    Online,
    Reconnecting,
    /// The server refused for good.
    Stopped(Refusal),
}

/// How far "stop and save" has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishStatus {
    NotAsked,
    /// Items are still being sent, or the recording is being made.
    Finishing,
    Completed(Receipt),
    /// There is no recording: the server could make none, or misses what is here and cannot be read.
    /// What it has is kept.
    Failed(String),
    /// The candidate has said "discard"; the server does not know yet.
    Discarding,
    Discarded,
}

/// Numbers taken at capture for content that is still being read. To be handed back to
/// [`super::Sender::fill`] or [`super::Sender::abandon`]; until then the session cannot finish.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Reserved {
    pub(super) first: Seq,
    pub(super) last: Seq,
}

impl Reserved {
    pub const fn first(&self) -> Seq {
        self.first
    }
}

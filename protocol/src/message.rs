//! What the browser and the server say to each other.

use serde::{Deserialize, Serialize};

use crate::item::ItemError;
use crate::wire::farewell;
use crate::{Epoch, Item, Millis, Receipt, SegmentNo, Seq, SeqSet, SessionId, SessionStatus};
use crate::{SessionToken, UnixMillis, Version, limits};

/// From the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// The first message of every connection.
    Hello(Hello),
    Items(Vec<Item>),
    Heartbeat(Heartbeat),
    Finish(Finish),
    /// The candidate throws the session away.
    Discard,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// First, so that any version of the server can read it. The server answers in it.
    pub version: Version,
    pub session: SessionId,
    pub token: SessionToken,
    pub opening: Opening,
    /// Connections that failed since the last one that was welcomed.
    pub failed_tries: u32,
}

/// Whether the session may be created by this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// The client was never welcomed: the server may not know the session yet. Refused as outdated
    /// when somebody was welcomed to it since.
    New { started_at: UnixMillis },
    /// The client was welcomed before: a server that does not know the session has lost it, and
    /// must say so rather than start an empty one.
    Existing,
    /// One more request of the writer that was welcomed under this epoch. Fences nobody off, and
    /// is refused once a newer writer is there.
    Joining { epoch: Epoch },
    /// The client knows of no newer writer than this one. Refused as outdated when there is one: a
    /// `Hello` that was on its way for too long must not fence off those that came after it.
    Following { epoch: Epoch },
}

impl Opening {
    /// The epoch of the connection that opens like this, when `current` is that of the newest one.
    pub fn epoch_after(self, current: Epoch) -> Result<Epoch, Overtaken> {
        let next = Epoch::new(current.get().saturating_add(1));
        match self {
            Self::Existing => Ok(next),
            Self::New { .. } if current == Epoch::default() => Ok(next),
            Self::Following { epoch } if epoch == current => Ok(next),
            Self::New { .. } | Self::Following { .. } => Err(Overtaken::Outdated { current }),
            Self::Joining { epoch } if epoch == current => Ok(epoch),
            Self::Joining { .. } => Err(Overtaken::Fenced),
        }
    }
}

/// Why a connection cannot open its session: another one is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overtaken {
    Fenced,
    Outdated { current: Epoch },
}

impl From<Overtaken> for Refusal {
    fn from(overtaken: Overtaken) -> Self {
        match overtaken {
            Overtaken::Fenced => Self::Fenced,
            Overtaken::Outdated { current } => Self::Outdated { current },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Items not yet acked, as the client sees it.
    pub pending: u64,
    /// The media time that they cover: how far the server lags behind the candidate.
    pub pending_span: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// `None`: nothing was captured at all.
    pub last_seq: Option<Seq>,
    /// What the client knows it cannot deliver any more; the server finalizes without it.
    pub lost: SeqSet,
}

/// From the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    Welcome(Welcome),
    /// These are durable. Sent only after the commit.
    Ack {
        seqs: SeqSet,
        /// Those of `seqs` that had been stored before.
        duplicates: SeqSet,
    },
    /// These items were not stored, each with its reason. All others are unaffected.
    Refused(Vec<(Seq, ItemError)>),
    HeartbeatAck,
    /// `Finish` must wait: these were never stored.
    Missing(SeqSet),
    /// `Finish` was accepted; the recording is being made.
    Finalizing,
    Completed(Receipt),
    /// No recording could be made. The items are kept; `Finish` may be sent again.
    Failed(String),
    /// The session was thrown away, and everything of it is deleted here.
    Discarded,
    /// The server ends the connection, with the reason. It closes right after.
    Goodbye(#[serde(with = "farewell")] Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub epoch: Epoch,
    /// What is durable already; the client sends exactly what is not in it.
    pub have: SeqSet,
    pub progress: Progress,
    pub status: SessionStatus,
}

/// How far the session has come as the server knows it: where a page goes on that knows less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The first number that no stored recorder run has.
    pub next_segment: SegmentNo,
    /// Where the newest stored item lies on the session's timeline.
    pub timeline_end: Millis,
}

/// Why the server ends a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("protocol version {client} is not spoken here; this server speaks {server}")]
    UnsupportedVersion { client: u16, server: u16 },
    #[error("the frame cannot be read")]
    UndecodableFrame,
    #[error("the frame is above the limit of {} bytes", limits::FRAME_BYTES_MAX)]
    FrameTooLarge,
    #[error("a message holds at most {} items", limits::ITEMS_PER_MESSAGE_MAX)]
    TooManyItems,
    #[error("the session id is not a UUID of version 7")]
    InvalidSessionId,
    #[error("there is no such session")]
    UnknownSession,
    #[error("the token does not belong to this session")]
    WrongToken,
    #[error("the session was discarded")]
    Discarded,
    #[error("the first message must be Hello, and only the first")]
    HelloExpected,
    #[error("another tab or page has taken over this session")]
    Fenced,
    #[error("a connection that opened meanwhile is epoch {current}; connect again")]
    Outdated { current: Epoch },
    #[error("no sign of life for too long")]
    Silent,
    #[error("the server is shutting down; connect again")]
    ShuttingDown,
    #[error("the server cannot store anything just now; connect again")]
    Unavailable,
    #[error("the server's disk is full; connect again")]
    DiskFull,
    #[error("the server has as many connections as it allows; connect again")]
    TooManyConnections,
    /// What a newer server says and this version has no word for. Stays the last, for it is no word of
    /// the wire.
    #[serde(skip)]
    #[error("{words}")]
    Other { is_temporary: bool, words: String },
}

impl Refusal {
    /// The word in the metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::UndecodableFrame => "undecodable_frame",
            Self::FrameTooLarge => "frame_too_large",
            Self::TooManyItems => "too_many_items",
            Self::InvalidSessionId => "invalid_session_id",
            Self::UnknownSession => "unknown_session",
            Self::WrongToken => "wrong_token",
            Self::Discarded => "discarded",
            Self::HelloExpected => "hello_expected",
            Self::Fenced => "fenced",
            Self::Silent => "silent",
            Self::ShuttingDown => "shutting_down",
            Self::Outdated { .. } => "outdated",
            Self::Unavailable => "unavailable",
            Self::DiskFull => "disk_full",
            Self::TooManyConnections => "too_many_connections",
            Self::Other { .. } => "other",
        }
    }

    /// True when the same client may succeed later by doing the same again.
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Outdated { .. }
            | Self::Silent
            | Self::ShuttingDown
            | Self::Unavailable
            | Self::DiskFull
            | Self::TooManyConnections
            // Bytes can be damaged on the way; the same frame may arrive whole the next time.
            | Self::UndecodableFrame
            | Self::Other { is_temporary: true, .. } => true,
            Self::UnsupportedVersion { .. }
            | Self::FrameTooLarge
            | Self::TooManyItems
            | Self::InvalidSessionId
            | Self::UnknownSession
            | Self::WrongToken
            | Self::Discarded
            | Self::HelloExpected
            | Self::Fenced
            | Self::Other { is_temporary: false, .. } => false,
        }
    }
}

//! What can be asked of a session, on whose word, and why it is refused.

use protocol::event::{LossCause, Transport};
use protocol::message::{Opening, Overtaken, Refusal};
use protocol::status::IllegalTransition;
use protocol::{Epoch, Millis, Seq, SeqSet, SessionStatus, TokenHash, UnixMillis};

use crate::work::{Beside, Work};

/// On whose word something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A writer that was welcomed under this epoch, as long as there is no newer one.
    Writer(Epoch),
    /// The holder of the session's token. Who names the epoch that it was welcomed under is refused
    /// once there is a newer writer.
    Candidate { token: TokenHash, epoch: Option<Epoch> },
    /// Whoever may review.
    Reviewer,
}

/// What a recording was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeOf {
    /// The session's status when it was begun.
    pub began_in: SessionStatus,
    /// Items that were there then.
    pub items: u64,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Makes the session, or finds the one that the same token made before.
    Create { token: TokenHash, started_at: UnixMillis },
    /// A writer says `Hello`. A connection is a sign of life; a request over HTTP is none.
    Open { token: TokenHash, opening: Opening, transport: Transport },
    /// A sign of life, said on purpose.
    Heartbeat { by: By },
    /// The connection of this writer is gone.
    LoseConnection { epoch: Epoch, cause: LossCause },
    /// Nobody has heard of the session since: it has lost its connection. `None`: no server has any.
    NoteSilence { since: Option<UnixMillis> },
    /// Its deadline may have passed.
    CheckDeadline,
    /// Takes no more items from here on, and has its recording made. `last_seq` is the writer's last
    /// item, if it said so; `lost` is what the writer cannot deliver any more.
    Finish { by: By, last_seq: Option<Seq>, lost: SeqSet },
    /// A recording can be played.
    RecordingPlayable { of: MadeOf },
    /// The same recording is done: its digest is known, too.
    /// `sounds` of it can be drawn.
    RecordingDone { of: MadeOf, duration: Millis, bytes: u64, took: Millis, sounds: u32 },
    /// Somebody misses what is made of the recording.
    Want { beside: Beside },
    /// Whoever looks after the server has a job tried once more that was given up.
    Retry { work: Work },
    /// A supplement can be played, and tells what is left out of it. It was made of these items.
    SupplementMade { of: SeqSet, duration: Millis, bytes: u64, took: Millis },
    /// No recording can be made of what is there.
    RecordingFailed { reason: String, took: Millis },
    /// The candidate, or a reviewer, throws away what is not finished.
    Discard { by: By },
    /// A reviewer deletes it, whatever it is.
    Delete,
}

impl Command {
    /// Of a command that makes the session if there is none: when it began, by the client's clock.
    pub const fn started_at(&self) -> Option<UnixMillis> {
        match self {
            Self::Create { started_at, .. }
            | Self::Open { opening: Opening::New { started_at }, .. } => Some(*started_at),
            Self::Open { .. }
            | Self::Heartbeat { .. }
            | Self::LoseConnection { .. }
            | Self::NoteSilence { .. }
            | Self::CheckDeadline
            | Self::Finish { .. }
            | Self::RecordingPlayable { .. }
            | Self::RecordingDone { .. }
            | Self::SupplementMade { .. }
            | Self::RecordingFailed { .. }
            | Self::Want { .. }
            | Self::Retry { .. }
            | Self::Discard { .. }
            | Self::Delete => None,
        }
    }
}

/// Why a command is not carried out. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such session")]
    UnknownSession,
    #[error("the token does not belong to this session")]
    WrongToken,
    #[error("a newer writer has taken over this session")]
    Fenced,
    #[error("a newer connection, of epoch {current}, was welcomed to this session")]
    Outdated { current: Epoch },
    #[error("the session was discarded")]
    Discarded,
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// It cannot be finished before these are there.
    #[error("{} items are missing", .0.len())]
    Missing(SeqSet),
    #[error("the last item's number is too far ahead of all that came")]
    TooFarAhead,
    /// It was begun before the last items came, and the recording takes none any more.
    #[error("the recording lacks what came after it was begun")]
    RecordingOutdated,
    #[error("there is no recording")]
    NoRecording,
    #[error("the session is not completed")]
    NotCompleted,
    #[error("there is no such job")]
    NoJob,
    #[error("the job was not given up")]
    NotGivenUp,
}

impl From<Overtaken> for Refused {
    fn from(overtaken: Overtaken) -> Self {
        match overtaken {
            Overtaken::Fenced => Self::Fenced,
            Overtaken::Outdated { current } => Self::Outdated { current },
        }
    }
}

impl Refused {
    /// What a connection is told that ends because of it.
    pub const fn goodbye(&self) -> Refusal {
        match self {
            Self::UnknownSession => Refusal::UnknownSession,
            Self::WrongToken => Refusal::WrongToken,
            Self::Fenced => Refusal::Fenced,
            Self::Outdated { current } => Refusal::Outdated { current: *current },
            Self::Discarded => Refusal::Discarded,
            Self::Illegal(_)
            | Self::Missing(_)
            | Self::TooFarAhead
            | Self::RecordingOutdated
            | Self::NoRecording
            | Self::NotCompleted
            | Self::NoJob
            | Self::NotGivenUp => Refusal::Unavailable,
        }
    }
}

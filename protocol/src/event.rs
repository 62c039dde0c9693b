//! What happened to a session, as the server's log keeps it: one vocabulary for the database, the
//! API and the session's page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::item::{EndCause, Incident, StartCause, named_enum};
use crate::message::Refusal;
use crate::{Epoch, Marker, Millis, SegmentNo, Seq, TrackNo};

/// In JSON its name is `kind`, and what it tells beside that is `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum Event {
    Created,
    /// A writer was welcomed.
    Connected {
        epoch: Epoch,
        /// Connections that failed since the one before.
        failed_tries: u32,
        transport: Transport,
    },
    /// The writer is gone, and the grace period runs.
    ConnectionLost {
        cause: LossCause,
    },
    /// The writer is back.
    Resumed {
        away_ms: Millis,
        /// False: the session counted as incomplete already.
        within_grace: bool,
    },
    GraceOver,
    ResumeWindowOver,
    SegmentStarted {
        track: TrackNo,
        segment: SegmentNo,
        cause: StartCause,
    },
    SegmentEnded {
        track: TrackNo,
        segment: SegmentNo,
        cause: EndCause,
    },
    Paused,
    PauseOver,
    /// The candidate's browser reports something.
    Noted {
        incident: Incident,
    },
    /// Items of one connection that had been stored before.
    DuplicatesReceived {
        items: u64,
    },
    /// Items of one connection that were not stored, by reason.
    ItemsRefused {
        reasons: BTreeMap<String, u64>,
    },
    /// Another item came under a number that is taken. The first one is kept.
    DigestConflict {
        seq: Seq,
    },
    /// The writer wanted to finish, and was asked for these first.
    MissingAsked {
        items: u64,
        first: Seq,
        last: Seq,
    },
    FinishAsked {
        by: Asker,
        last_seq: Option<Seq>,
    },
    RecordingMade {
        duration_ms: Millis,
        bytes: u64,
        took_ms: Millis,
        /// False: of what there was so far; the session went on.
        complete: bool,
    },
    RecordingFailed {
        reason: String,
        took_ms: Millis,
    },
    /// All that had come after the recording was made, in files of its own.
    SupplementMade {
        items: u64,
        duration_ms: Millis,
        bytes: u64,
        took_ms: Millis,
    },
    /// The writer of this epoch was cut off, because a newer one had taken over.
    Fenced {
        epoch: Epoch,
    },
    Discarded,
    /// The log of a session is bounded: what came after this was not kept.
    MoreNotKept,
}

named_enum!(
    /// How a writer reaches the server.
    Transport {
        WebSocket = "web_socket",
        /// Requests, from networks that let no WebSocket through or from the background.
        Http = "http",
    }
);

named_enum!(
    /// Why a connection ended.
    LossCause {
        /// The browser closed it: the page was left, or went to another network.
        Closed = "closed",
        /// It broke without a word.
        Broken = "broken",
        /// No sign of life for too long.
        Silent = "silent",
        /// The peer did not read what it was sent.
        NotReading = "not_reading",
        /// The peer sent what cannot be accepted.
        Refused = "refused",
        /// The server could not store anything at that moment.
        Unavailable = "unavailable",
        /// The server was stopped in good order.
        ServerStopping = "server_stopping",
        /// The server was gone without notice, and is back.
        ServerGone = "server_gone",
    }
);

named_enum!(
    /// Who asked for the recording.
    Asker {
        Candidate = "candidate",
        Reviewer = "reviewer",
    }
);

impl Event {
    /// What a marker among the items says.
    pub fn of_marker(marker: &Marker) -> Self {
        match marker {
            Marker::SegmentStarted(start) => Self::SegmentStarted {
                track: start.track,
                segment: start.segment,
                cause: start.cause,
            },
            Marker::SegmentEnded(end) => {
                Self::SegmentEnded { track: end.track, segment: end.segment, cause: end.cause }
            }
            Marker::Paused => Self::Paused,
            Marker::Resumed => Self::PauseOver,
            Marker::Noted(incident) => Self::Noted { incident: *incident },
        }
    }
}

impl LossCause {
    /// What a connection that the server ended with this was lost to.
    pub const fn of_goodbye(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Silent => Self::Silent,
            Refusal::ShuttingDown => Self::ServerStopping,
            Refusal::Unavailable | Refusal::DiskFull => Self::Unavailable,
            Refusal::UnsupportedVersion { .. }
            | Refusal::UndecodableFrame
            | Refusal::FrameTooLarge
            | Refusal::TooManyItems
            | Refusal::InvalidSessionId
            | Refusal::UnknownSession
            | Refusal::WrongToken
            | Refusal::Discarded
            | Refusal::HelloExpected
            | Refusal::Fenced
            | Refusal::Outdated { .. }
            | Refusal::TooManyConnections
            | Refusal::Other { .. } => Self::Refused,
        }
    }
}

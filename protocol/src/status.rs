//! The life of a session on the server: its statuses and which event leads where.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// A writer is connected, or was so recently that nothing is wrong.
    Active,
    /// The connection is lost; the grace period runs.
    Interrupted,
    /// The grace period is over. A recording of what is there exists; the writer may still return.
    Incomplete,
    /// The recording is being made for good.
    Finalizing,
    /// The recording is verified and durable.
    Completed,
    /// No recording could be made of what is there.
    Failed,
    /// Thrown away by the candidate.
    Discarded,
}

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    WriterConnected,
    ConnectionLost,
    GraceOver,
    FinishAsked,
    RecordingDurable,
    RecordingFailed,
    Discarded,
    /// A reviewer, or the time for which it is kept, deletes it, whatever it is.
    Deleted,
}

/// An event that the status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {from} cannot take the event {event:?}")]
pub struct IllegalTransition {
    pub from: SessionStatus,
    pub event: SessionEvent,
}

impl SessionStatus {
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Interrupted,
        Self::Incomplete,
        Self::Finalizing,
        Self::Completed,
        Self::Failed,
        Self::Discarded,
    ];

    /// The status after `event`, or a refusal. Repeating what has already happened is allowed and
    /// changes nothing, so that every step can be tried again after a crash.
    pub const fn after(self, event: SessionEvent) -> Result<Self, IllegalTransition> {
        use SessionEvent as E;
        use SessionStatus as S;
        match (self, event) {
            (S::Active | S::Interrupted | S::Incomplete, E::WriterConnected) => Ok(S::Active),
            (S::Active | S::Interrupted, E::ConnectionLost) => Ok(S::Interrupted),
            (S::Interrupted | S::Incomplete, E::GraceOver) => Ok(S::Incomplete),
            // A failed session may be tried again: the items are still there.
            (
                S::Active | S::Interrupted | S::Incomplete | S::Finalizing | S::Failed,
                E::FinishAsked,
            ) => Ok(S::Finalizing),
            (S::Finalizing | S::Completed, E::RecordingDurable) => Ok(S::Completed),
            (S::Finalizing | S::Failed, E::RecordingFailed) => Ok(S::Failed),
            (
                S::Active | S::Interrupted | S::Incomplete | S::Failed | S::Discarded,
                E::Discarded,
            ) => Ok(S::Discarded),
            (_, E::Deleted) => Ok(S::Discarded),
            (
                S::Active
                | S::Interrupted
                | S::Incomplete
                | S::Finalizing
                | S::Completed
                | S::Failed
                | S::Discarded,
                _,
            ) => Err(IllegalTransition { from: self, event }),
        }
    }

    /// True while the session takes items.
    pub const fn takes_items(self) -> bool {
        match self {
            Self::Active | Self::Interrupted | Self::Incomplete => true,
            Self::Finalizing | Self::Completed | Self::Failed | Self::Discarded => false,
        }
    }

    /// The word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Interrupted => "interrupted",
            Self::Incomplete => "incomplete",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }

    /// The word on the pages.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Interrupted => "Interrupted",
            Self::Incomplete => "Incomplete",
            Self::Finalizing => "Finalizing",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Discarded => "Discarded",
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such status; there are active, interrupted, incomplete, finalizing, completed, failed, discarded"
)]
pub struct UnknownStatus;

impl FromStr for SessionStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_found_by_its_word() {
        for status in SessionStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("recording".parse::<SessionStatus>(), Err(UnknownStatus));
    }

    #[test]
    fn a_session_can_be_left_and_taken_up_again_until_it_is_finished() {
        use SessionEvent as E;
        let mut status = SessionStatus::Active;
        for (event, expected) in [
            (E::ConnectionLost, SessionStatus::Interrupted),
            (E::WriterConnected, SessionStatus::Active),
            (E::ConnectionLost, SessionStatus::Interrupted),
            (E::GraceOver, SessionStatus::Incomplete),
            (E::WriterConnected, SessionStatus::Active),
            (E::FinishAsked, SessionStatus::Finalizing),
            (E::RecordingFailed, SessionStatus::Failed),
            (E::FinishAsked, SessionStatus::Finalizing),
            (E::RecordingDurable, SessionStatus::Completed),
        ] {
            status = status.after(event).unwrap();
            assert_eq!(status, expected);
        }
    }

    #[test]
    fn a_completed_session_stays_completed() {
        use SessionEvent as E;
        for event in
            [E::WriterConnected, E::ConnectionLost, E::GraceOver, E::FinishAsked, E::Discarded]
        {
            assert!(SessionStatus::Completed.after(event).is_err(), "{event:?}");
        }
    }
}

//! Recordings that cannot be made now. A session fails only when no recording can be made of what
//! is stored; trouble with the disk says nothing about that. Its items are safe, so it stays as it
//! is, and the recording is tried again until it is there. What is postponed when the server ends
//! is taken up by the next start.

use std::collections::HashMap;
use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use media::MediaError;
use protocol::{Refusal, SessionId, SessionStatus};

use super::{AssembleError, Outcome, Recordings};
use crate::store::{self, StoreError};

/// How long to wait before trying again: the first time, and at most.
const TRY_AGAIN_MIN: Duration = Duration::from_secs(1);
const TRY_AGAIN_MAX: Duration = Duration::from_secs(60);

/// Why a recording has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Postponed {
    DiskFull,
    /// The database, the disk or the object store does not work.
    Unavailable,
    /// Making it ended the server: the next try waits.
    AfterEnd,
}

/// Whether the task that tries again knows of everybody who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Again,
    Seen,
}

impl Postponed {
    /// `None`: trying again would end the same way.
    pub(super) fn by(error: &AssembleError) -> Option<Self> {
        match error {
            AssembleError::Io(error) | AssembleError::Media(MediaError::Io(error)) => {
                Some(Self::by_io(error))
            }
            AssembleError::Files(error) => {
                Some(io_cause(error).map_or(Self::Unavailable, Self::by_io))
            }
            AssembleError::Store(StoreError::DiskFull) => Some(Self::DiskFull),
            AssembleError::Store(StoreError::Database(_)) => Some(Self::Unavailable),
            AssembleError::Store(
                StoreError::UnknownSession
                | StoreError::WrongToken
                | StoreError::Fenced
                | StoreError::Outdated(_)
                | StoreError::Discarded
                | StoreError::Illegal(_)
                | StoreError::Migration(_)
                | StoreError::Corrupt(_),
            )
            | AssembleError::Media(
                MediaError::Refused(_)
                | MediaError::NotFinished { .. }
                | MediaError::OutOfOrder(_)
                | MediaError::TooManySegments
                | MediaError::Encoding(_),
            )
            | AssembleError::NothingRecorded
            | AssembleError::BrokeOff
            | AssembleError::EndedTheServer { .. } => None,
        }
    }

    fn by_io(error: &io::Error) -> Self {
        if store::is_full(error) { Self::DiskFull } else { Self::Unavailable }
    }

    /// What a client is told that waits for the receipt.
    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::DiskFull => Refusal::DiskFull,
            Self::Unavailable | Self::AfterEnd => Refusal::Unavailable,
        }
    }
}

fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref())
}

impl Recordings {
    /// One task a session, however often it is asked for.
    pub(super) fn try_again_later(&self, id: SessionId) {
        if self.postponed().insert(id, Asked::Again).is_some() {
            return;
        }
        tracing::warn!(session = %id, "the recording has to wait; it is tried again");
        let this = self.clone();
        tokio::spawn(async move {
            let mut pause = TRY_AGAIN_MIN;
            while this.pause(pause).await {
                this.postponed().insert(id, Asked::Seen);
                pause = match this.still_postponed(id).await {
                    None if this.is_forgotten(id) => return,
                    // It is known when its turn comes: looking costs nothing.
                    Some(Postponed::AfterEnd) => TRY_AGAIN_MIN,
                    Some(Postponed::DiskFull | Postponed::Unavailable) | None => {
                        (pause * 2).min(TRY_AGAIN_MAX)
                    }
                };
            }
        });
    }

    /// False when the server stops.
    async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            () = self.0.stopping.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Tries, if a recording is still wanted. Tells why it has to wait on.
    async fn still_postponed(&self, id: SessionId) -> Option<Postponed> {
        if !self.is_wanted(id).await {
            return None;
        }
        match self.make_apart(id).await {
            Outcome::Postponed(postponed) => Some(postponed),
            Outcome::Completed(_) | Outcome::Partial | Outcome::Failed(_) => None,
        }
    }

    /// False when somebody asked again meanwhile.
    fn is_forgotten(&self, id: SessionId) -> bool {
        let mut postponed = self.postponed();
        match postponed.get(&id) {
            Some(Asked::Again) => false,
            Some(Asked::Seen) | None => {
                postponed.remove(&id);
                true
            }
        }
    }

    /// A session that was taken up again asks for its recording at its end.
    async fn is_wanted(&self, id: SessionId) -> bool {
        match self.0.store.session(id).await {
            Ok(session) => match session.status {
                SessionStatus::Incomplete | SessionStatus::Finalizing => true,
                SessionStatus::Active
                | SessionStatus::Interrupted
                | SessionStatus::Completed
                | SessionStatus::Failed
                | SessionStatus::Discarded => false,
            },
            // Nobody knows; trying finds out.
            Err(_) => true,
        }
    }

    fn postponed(&self) -> MutexGuard<'_, HashMap<SessionId, Asked>> {
        self.0.postponed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_behind_an_object_stores_error() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = object_store::Error::Generic { store: "local", source: Box::new(full) };
        assert_eq!(Postponed::by(&AssembleError::Files(error)), Some(Postponed::DiskFull));
        let broken = AssembleError::Io(io::Error::other("broken"));
        assert_eq!(Postponed::by(&broken), Some(Postponed::Unavailable));
    }

    #[test]
    fn what_was_never_recorded_is_not_tried_again() {
        assert_eq!(Postponed::by(&AssembleError::NothingRecorded), None);
    }
}

//! Recordings that cannot be made now. A session fails only when no recording can be made of what
//! is stored; trouble with the disk says nothing about that. Its items are safe, so it stays as it
//! is, and the job is tried again until the recording is there.

use std::io;

use media::MediaError;
use protocol::Refusal;

use super::AssembleError;
use crate::store::{self, StoreError};

/// Why a recording has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Postponed {
    DiskFull,
    /// The database, the disk or the object store does not work.
    Unavailable,
    /// Making it ended the server: the next try waits.
    AfterEnd,
}

impl Postponed {
    /// `None`: trying again would end the same way.
    pub(super) fn by(error: &AssembleError) -> Option<Self> {
        match error {
            AssembleError::Io(error) | AssembleError::Media(MediaError::Io(error)) => {
                Some(Self::by_io(error))
            }
            AssembleError::Files(error) => Some(Self::by_files(error)),
            AssembleError::Store(error) => Self::of_store(error),
            AssembleError::Media(
                MediaError::Refused(_)
                | MediaError::NotFinished { .. }
                | MediaError::OutOfOrder(_)
                | MediaError::TooManySegments
                | MediaError::Encoding(_),
            )
            | AssembleError::NothingRecorded
            | AssembleError::BrokeOff
            | AssembleError::FileGone(_)
            | AssembleError::EndedTheServer { .. } => None,
        }
    }

    pub(super) fn of_store(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::DiskFull => Some(Self::DiskFull),
            StoreError::Database(_) => Some(Self::Unavailable),
            StoreError::Refused(_) | StoreError::Migration(_) | StoreError::Corrupt(_) => None,
        }
    }

    /// For the operator.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "there is no room on the disk",
            Self::Unavailable => "the database or the disk does not work",
            Self::AfterEnd => "it ended the server before, or broke off",
        }
    }

    pub(super) fn by_files(error: &object_store::Error) -> Self {
        io_cause(error).map_or(Self::Unavailable, Self::by_io)
    }

    pub(super) fn by_io(error: &io::Error) -> Self {
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

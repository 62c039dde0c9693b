//! Why there is no export: in the words that whoever asks is told, and as it went wrong inside, which
//! only the log says.

use std::io;

use ledger::jobs::JobEnd;
use media::{MediaError, Refusal};
use tokio::task::JoinError;
use zip::result::ZipError;

use super::ffmpeg::PastLimit;
use crate::recording::{MixError, NotMade};
use crate::store::{self, StoreError};

/// Nothing of the server's insides is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExportError {
    #[error("This needs ffmpeg, which is not installed on the server.")]
    NoFfmpeg,
    #[error("A recording of this kind has no such form: {0}")]
    NotPossible(&'static str),
    #[error("Too many exports are being made; try again.")]
    TooMany,
    #[error("The server is shutting down; try again.")]
    ShuttingDown,
    #[error("The server's disk is full; try again.")]
    DiskFull,
    #[error("The export was stopped: {0}.")]
    PastLimit(PastLimit),
    #[error("The recording cannot be put into this form: {0}.")]
    Refused(Refusal),
    #[error("Its sounds cannot be mixed into one; the operator's log says why.")]
    NotMixed,
    #[error("Its sounds cannot be mixed into one now; try again.")]
    MixPutOff,
    #[error("ffmpeg could not convert the recording; the operator's log says why.")]
    NotConverted,
    #[error("The server could not read or write what this takes; the operator's log says why.")]
    Storage,
    #[error("Making it broke off; the operator's log says why.")]
    BrokeOff,
    #[error("Making it ended the server {tries} times, or broke off.")]
    EndedTheServer { tries: u32 },
    /// As an earlier try told it.
    #[error("{0}")]
    Told(String),
}

impl ExportError {
    /// What was told in these words. Only what clients tell apart is known again.
    pub(super) fn of_words(words: String) -> Self {
        let limits = PastLimit::ALL.into_iter().map(Self::PastLimit);
        let mut known = limits.chain([Self::DiskFull]);
        known.find(|one| one.to_string() == words).unwrap_or(Self::Told(words))
    }

    /// What it means to the job.
    pub(super) fn end(&self) -> JobEnd {
        let words = self.to_string();
        match self {
            Self::ShuttingDown => JobEnd::HandedBack,
            Self::DiskFull | Self::MixPutOff => JobEnd::Postponed(words),
            Self::BrokeOff => JobEnd::BrokeOff(words),
            Self::NoFfmpeg
            | Self::NotPossible(_)
            | Self::TooMany
            | Self::PastLimit(_)
            | Self::Refused(_)
            | Self::NotMixed
            | Self::NotConverted
            | Self::Storage
            | Self::EndedTheServer { .. }
            | Self::Told(_) => JobEnd::Failed(words),
        }
    }
}

/// How an export stands is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StandingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the recordings cannot be reached: {0}")]
    Files(#[from] object_store::Error),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("the server is shutting down, or nobody wants it any more")]
    CutOff,
    #[error(transparent)]
    Impossible(ExportError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("its sound cannot be had in one track: {0}")]
    Mix(#[from] MixError),
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("the recordings cannot be reached: {0}")]
    Files(#[from] object_store::Error),
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] ZipError),
    #[error("what is known of the session cannot be told: {0:#}")]
    Documents(anyhow::Error),
    #[error("past a limit: {0}")]
    PastLimit(PastLimit),
    #[error("ffmpeg: {0}")]
    Ffmpeg(String),
    #[error("making it broke off: {0}")]
    BrokeOff(#[from] JoinError),
}

impl MakeError {
    /// What whoever asked for it is told.
    pub(super) fn told(&self) -> ExportError {
        match self {
            Self::CutOff | Self::Mix(MixError::NotMade(NotMade::ShuttingDown)) => {
                ExportError::ShuttingDown
            }
            Self::Impossible(obstacle) => obstacle.clone(),
            Self::Store(StoreError::DiskFull)
            | Self::Mix(MixError::NotMade(NotMade::Store(StoreError::DiskFull))) => {
                ExportError::DiskFull
            }
            Self::Io(error)
            | Self::Archive(ZipError::Io(error))
            | Self::Media(MediaError::Io(error))
                if store::is_full(error) =>
            {
                ExportError::DiskFull
            }
            Self::Media(MediaError::Refused(refusal)) => ExportError::Refused(refusal.clone()),
            Self::Mix(MixError::NotMade(NotMade::GivenUp(_))) => ExportError::NotMixed,
            Self::Mix(MixError::NotMade(NotMade::PutOff)) => ExportError::MixPutOff,
            Self::PastLimit(limit) => ExportError::PastLimit(*limit),
            Self::Ffmpeg(_) => ExportError::NotConverted,
            Self::BrokeOff(_) => ExportError::BrokeOff,
            Self::Store(_)
            | Self::Media(_)
            | Self::Mix(MixError::Files(_) | MixError::NotMade(NotMade::Store(_)))
            | Self::Io(_)
            | Self::Files(_)
            | Self::Archive(_)
            | Self::Documents(_) => ExportError::Storage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_nothing_of_what_went_wrong_inside() {
        const INSIDE: &str = "SELECT x FROM /secret/place (os error 5)";
        let io = || io::Error::other(INSIDE);
        let files = object_store::Error::Generic { store: "local", source: INSIDE.into() };
        for error in [
            MakeError::Store(StoreError::Database(sqlx::Error::Protocol(INSIDE.to_owned()))),
            MakeError::Media(MediaError::Io(io())),
            MakeError::Media(MediaError::Encoding(INSIDE.to_owned())),
            MakeError::Io(io()),
            MakeError::Files(files),
            MakeError::Archive(ZipError::Io(io())),
            MakeError::Documents(anyhow::anyhow!(INSIDE)),
            MakeError::Ffmpeg(INSIDE.to_owned()),
        ] {
            assert!(error.to_string().contains(INSIDE), "the log has it: {error}");
            let told = error.told().to_string();
            assert!(told.ends_with("the operator's log says why."), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn what_is_known_of_a_failure_in_words_is_told() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        for error in [
            MakeError::Io(full()),
            MakeError::Media(MediaError::Io(full())),
            MakeError::Mix(NotMade::Store(StoreError::DiskFull).into()),
            MakeError::Store(StoreError::DiskFull),
        ] {
            assert_eq!(error.told(), ExportError::DiskFull, "{error}");
        }
        let empty = MakeError::Media(MediaError::Refused(Refusal::Empty));
        assert!(empty.told().to_string().contains("the segment is empty"));
        let words = || ExportError::DiskFull.to_string();
        assert_eq!(ExportError::DiskFull.end(), JobEnd::Postponed(words()));
        assert_eq!(ExportError::of_words(words()), ExportError::DiskFull, "it is known again");
        let stopping = MakeError::Mix(NotMade::ShuttingDown.into());
        assert_eq!(stopping.told().end(), JobEnd::HandedBack);
        for limit in PastLimit::ALL.map(ExportError::PastLimit) {
            assert_eq!(ExportError::of_words(limit.to_string()), limit);
            assert_eq!(limit.end(), JobEnd::Failed(limit.to_string()));
        }
        let other = ExportError::of_words(ExportError::Storage.to_string());
        assert_eq!(other.to_string(), ExportError::Storage.to_string());
    }
}

//! What is made of a recording and kept beside it: has it made by a job, waits for it, and says how such
//! a job ended.

use std::io;

use ledger::jobs::{JobEnd, JobState};
use ledger::{Beside, Command, Job, JobKey, Ledger as _, Refused};
use media::MediaError;
use protocol::SessionId;
use tokio::sync::OwnedMutexGuard;

use super::Recordings;
use super::postponed::Postponed;
use crate::clock;
use crate::store::{Recording, StoreError};

/// Why a job has not made it.
#[derive(Debug, thiserror::Error)]
pub(super) enum BesideError {
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("the recordings cannot be reached: {0}")]
    Files(#[from] object_store::Error),
    #[error("the recording cannot be decoded: {0}")]
    Media(#[from] MediaError),
    #[error("it cannot be written down: {0}")]
    Unwritable(#[from] postcard::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it broke off")]
    BrokeOff,
}

/// Why it cannot be had now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMade {
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("it cannot be made now, and will be tried again")]
    PutOff,
    #[error("it is given up: {0}")]
    GivenUp(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Recordings {
    /// Has it made, unless that is about to be done, or given up for good.
    pub(crate) async fn want(&self, id: SessionId, beside: Beside) -> Result<(), NotMade> {
        match self.0.store.job(JobKey::new(id, beside.work())).await? {
            Some(job @ Job { state: JobState::Stopped, .. }) if job.is_spent() => {
                return Err(NotMade::GivenUp(job.error.unwrap_or_default()));
            }
            Some(Job { state: JobState::Waiting | JobState::Running { .. }, .. }) => {}
            Some(Job { state: JobState::Stopped, .. }) | None => {
                self.0.store.carry_out(id, &Command::Want { beside }, clock::wall()).await?;
                self.0.leases.look();
            }
        }
        Ok(())
    }

    /// The same, and waits for it. The job goes on even when nobody waits any more.
    pub(super) async fn made(&self, id: SessionId, beside: Beside) -> Result<(), NotMade> {
        self.want(id, beside).await?;
        let key = JobKey::new(id, beside.work());
        let over = self.0.leases.until(|| self.is_over(key)).await?;
        over.ok_or(NotMade::ShuttingDown)
    }

    /// Whether there is no such job any more. An error: it does not go on for now.
    async fn is_over(&self, key: JobKey) -> Result<Option<()>, NotMade> {
        let Some(job) = self.0.store.job(key).await? else { return Ok(Some(())) };
        match job.state {
            JobState::Stopped => Err(NotMade::GivenUp(job.error.unwrap_or_default())),
            JobState::Waiting if !job.may_begin(clock::wall()) => Err(NotMade::PutOff),
            JobState::Running { .. } if !self.0.leases.is_ours(&job) => Err(NotMade::PutOff),
            JobState::Waiting | JobState::Running { .. } => Ok(None),
        }
    }

    /// To be held while something is put beside a recording: nobody replaces or erases that meanwhile.
    /// `None`: somebody has.
    pub(crate) async fn place_beside(
        &self,
        id: SessionId,
        recording: &Recording,
    ) -> Result<Option<OwnedMutexGuard<()>>, StoreError> {
        let held = self.lock_of(id).lock_owned().await;
        let current = self.0.store.session(id).await?.recording;
        Ok(current.is_some_and(|current| current.key == recording.key).then_some(held))
    }
}

pub(super) fn end_of(made: Result<(), BesideError>) -> JobEnd {
    match made {
        Ok(()) | Err(BesideError::Store(StoreError::Refused(Refused::UnknownSession))) => {
            JobEnd::Done
        }
        Err(BesideError::ShuttingDown) => JobEnd::HandedBack,
        Err(error) => {
            tracing::warn!(%error, "nothing is made of a recording");
            match postponed(&error) {
                Some(postponed) => JobEnd::Postponed(postponed.as_str().into()),
                None if matches!(error, BesideError::BrokeOff) => {
                    JobEnd::BrokeOff(error.to_string())
                }
                None => JobEnd::Failed(told(&error)),
            }
        }
    }
}

/// `None`: trying again would end the same way, or is to be counted.
fn postponed(error: &BesideError) -> Option<Postponed> {
    match error {
        BesideError::Files(object_store::Error::NotFound { .. }) => None,
        BesideError::Io(error) if error.kind() == io::ErrorKind::NotFound => None,
        BesideError::Io(error) | BesideError::Media(MediaError::Io(error)) => {
            Some(Postponed::by_io(error))
        }
        BesideError::Files(error) => Some(Postponed::by_files(error)),
        BesideError::Store(error) => Postponed::of_store(error),
        BesideError::Media(_)
        | BesideError::Unwritable(_)
        | BesideError::ShuttingDown
        | BesideError::BrokeOff => None,
    }
}

/// For people: nothing of the server's insides is in it.
fn told(error: &BesideError) -> String {
    match error {
        BesideError::Io(_) | BesideError::Files(_) => "the recording's file is not there".into(),
        BesideError::Media(MediaError::Encoding(_)) => "its sound cannot be encoded".into(),
        BesideError::Store(_) => "what is stored of it cannot be read".into(),
        BesideError::Media(_)
        | BesideError::Unwritable(_)
        | BesideError::ShuttingDown
        | BesideError::BrokeOff => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use media::Refusal;

    use super::*;

    #[test]
    fn what_cannot_be_made_now_is_put_off_and_what_never_can_be_is_given_up_in_words() {
        const INSIDE: &str = "/secret/place (os error 5)";
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let no_room = JobEnd::Postponed("there is no room on the disk".into());
        let failed = |why: &str| JobEnd::Failed(why.to_owned());
        let gone = object_store::Error::NotFound { path: INSIDE.into(), source: INSIDE.into() };
        let gone_meanwhile = StoreError::Refused(Refused::UnknownSession);
        for (error, end) in [
            (BesideError::Io(full()), no_room.clone()),
            (BesideError::Media(MediaError::Io(full())), no_room.clone()),
            (BesideError::Store(StoreError::DiskFull), no_room),
            (BesideError::Files(gone), failed("the recording's file is not there")),
            (
                BesideError::Media(MediaError::Encoding(INSIDE.into())),
                failed("its sound cannot be encoded"),
            ),
            (BesideError::BrokeOff, JobEnd::BrokeOff("it broke off".into())),
            (BesideError::ShuttingDown, JobEnd::HandedBack),
            (BesideError::Store(gone_meanwhile), JobEnd::Done),
        ] {
            assert_eq!(end_of(Err(error)), end);
        }
        let refused = end_of(Err(BesideError::Media(MediaError::Refused(Refusal::Empty))));
        assert!(matches!(refused, JobEnd::Failed(why) if why.contains("the segment is empty")));
    }
}

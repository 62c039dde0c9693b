//! Tells whoever waits what became of a session: of its recording, or of what was to be erased.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger::jobs::JobState;
use ledger::{Command, Job, JobKey, Ledger as _, Work};
use protocol::{SessionId, SessionStatus};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::postponed::Postponed;
use super::{AssembleError, Outcome, Recordings};
use crate::clock;
use crate::leases::LOOK_EVERY;
use crate::metrics::Made;
use crate::store::StoreError;

/// How long whoever throws a session away waits until nothing of it is left, and how often it looks.
const ERASED_WITHIN: Duration = Duration::from_secs(5);
const ERASED_EVERY: Duration = Duration::from_millis(10);

/// Who waits for the recording of a session.
pub(super) type Waiters = HashMap<SessionId, Vec<oneshot::Sender<Outcome>>>;

impl Recordings {
    /// Waits for the recording that somebody has asked for.
    pub(crate) async fn outcome(&self, id: SessionId) -> Outcome {
        let (told, outcome) = oneshot::channel();
        self.waiters().entry(id).or_default().push(told);
        self.0.leases.look();
        tokio::pin!(outcome);
        loop {
            match self.standing(id).await {
                Ok(Some(outcome)) => return outcome,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(session = %id, %error, "how its recording stands is not known");
                    let postponed = Postponed::of_store(&error);
                    return Outcome::Postponed(postponed.unwrap_or(Postponed::Unavailable));
                }
            }
            // Another server may make it: then nobody is told here.
            if let Ok(told) = timeout(LOOK_EVERY, &mut outcome).await {
                return told.unwrap_or(Outcome::Postponed(Postponed::Unavailable));
            }
        }
    }

    /// Waits a while for what was thrown away to be erased, and tells whether it is. It will be in any
    /// case.
    pub(crate) async fn erased(&self, id: SessionId) -> bool {
        self.0.leases.cut_off_beside(id);
        self.0.leases.look();
        let erasing = async {
            // The rows go before the last traces in the database's log.
            let key = JobKey::new(id, Work::Erase);
            while self.0.leases.has(key) || matches!(self.0.store.job(key).await, Ok(Some(_))) {
                sleep(ERASED_EVERY).await;
            }
        };
        let is_erased = timeout(ERASED_WITHIN, erasing).await.is_ok();
        if !is_erased {
            tracing::warn!(session = %id, "erasing it takes long");
        }
        is_erased
    }

    /// `None`: it is in the making, or will be at once.
    async fn standing(&self, id: SessionId) -> Result<Option<Outcome>, StoreError> {
        let key = JobKey::new(id, Work::Assemble);
        match self.0.store.job(key).await? {
            Some(job) if self.0.leases.is_ours(&job) || job.may_begin(clock::wall()) => Ok(None),
            Some(Job { state: JobState::Waiting | JobState::Running { .. }, .. }) => {
                Ok(Some(Outcome::Postponed(Postponed::AfterEnd)))
            }
            Some(Job { state: JobState::Stopped, .. }) | None => {
                self.outcome_by_status(id).await.map(Some)
            }
        }
    }

    /// Where nothing is to be made.
    pub(super) async fn outcome_by_status(&self, id: SessionId) -> Result<Outcome, StoreError> {
        let session = self.0.store.session(id).await?;
        let by_receipt = session.receipt().map(Outcome::Completed);
        Ok(by_receipt.unwrap_or_else(|| match session.status {
            SessionStatus::Failed => Outcome::Failed(session.failure.unwrap_or_default()),
            SessionStatus::Finalizing | SessionStatus::Completed => {
                Outcome::Postponed(Postponed::Unavailable)
            }
            SessionStatus::Active
            | SessionStatus::Interrupted
            | SessionStatus::Incomplete
            | SessionStatus::Discarded => Outcome::Partial,
        }))
    }

    pub(crate) fn tell(&self, id: SessionId, outcome: &Outcome) {
        let waiting = self.waiters().remove(&id);
        for told in waiting.into_iter().flatten() {
            // Who has gone meanwhile asks again.
            drop(told.send(outcome.clone()));
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        let mut waiters = self.0.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.retain(|_, waiting| {
            waiting.retain(|told| !told.is_closed());
            !waiting.is_empty()
        });
        waiters
    }

    /// The recording was begun too often without coming to an end. Tells why.
    pub(crate) async fn give_up(&self, id: SessionId, tries: u32, started: Instant) -> String {
        let error = AssembleError::EndedTheServer { tries }.to_string();
        self.failed(id, &error, started.elapsed()).await;
        self.tell(id, &Outcome::Failed(error.clone()));
        error
    }

    pub(super) async fn failed(&self, id: SessionId, reason: &str, took: Duration) {
        self.0.metrics.recording(Made::Failed, took);
        let failed =
            Command::RecordingFailed { reason: reason.to_owned(), took: clock::millis(took) };
        if let Err(error) = self.0.store.carry_out(id, &failed, clock::wall()).await {
            tracing::error!(session = %id, %error, "cannot note the failure");
        }
    }
}

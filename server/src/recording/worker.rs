//! Does the jobs that are due on sessions, one at a time for each session, and tells whoever waits for a
//! recording. What is due, and when it is tried again, is in the database: nothing of it is lost with the
//! process.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger::jobs::{JobEnd, JobState};
use ledger::limits::JOB_TRIES_MAX;
use ledger::{Command, Job, JobKind, Ledger as _, Refused};
use protocol::{SessionId, SessionStatus};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::postponed::Postponed;
use super::progress::Progress;
use super::{AssembleError, Outcome, RecordingFiles, Recordings, beside};
use crate::clock;
use crate::metrics::Made;
use crate::store::{KeptFile, Store, StoreError};

/// How often it is looked for work that nobody has told of: what waited for its time, or was left by
/// another server.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a job is said to be still worked on, and how far it has come; well within its lease.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How long whoever throws a session away waits until nothing of it is left, and how often it looks.
const ERASED_WITHIN: Duration = Duration::from_secs(5);
const ERASED_EVERY: Duration = Duration::from_millis(10);

/// Why what is in no hurry waits that has ended a server before.
const NOT_ALONE: &str = "it ended the server before, and waits until nothing else is done";

/// Who waits for the recording of a session.
pub(super) type Waiters = HashMap<SessionId, Vec<oneshot::Sender<Outcome>>>;

/// One try of a job.
#[derive(Debug, Clone)]
struct Task {
    id: SessionId,
    kind: JobKind,
    job: Job,
    started: Instant,
    progress: Progress,
}

/// What a job came to.
enum Ended {
    Recording(Outcome),
    Other(JobEnd),
}

impl Recordings {
    /// Something may be due.
    pub(crate) fn look_for_work(&self) {
        self.0.work.notify_one();
    }

    /// Until the server stops.
    pub(crate) async fn work(&self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.stopping.cancelled() => return,
                () = self.0.work.notified() => {}
                _ = looks.tick() => {}
            }
            for kind in JobKind::ALL {
                match self.begin_due(kind).await {
                    Ok(()) | Err(StoreError::DiskFull) => {}
                    Err(error) => {
                        tracing::warn!(kind = kind.as_str(), %error, "no job can be begun");
                    }
                }
            }
        }
    }

    async fn begin_due(&self, kind: JobKind) -> Result<(), StoreError> {
        while let Ok(permit) = Arc::clone(self.permits_of(kind)).try_acquire_owned() {
            if self.0.stopping.is_cancelled() {
                return Ok(());
            }
            let claimed = self.0.store.claim(kind, self.0.worker, clock::wall()).await?;
            let Some((id, job)) = claimed else { return Ok(()) };
            self.running().insert((id, kind));
            let this = self.clone();
            self.0.tasks.spawn(async move { this.do_job(id, kind, job, permit).await });
        }
        Ok(())
    }

    fn permits_of(&self, kind: JobKind) -> &Arc<Semaphore> {
        if decodes(kind) { &self.0.decoding } else { &self.0.permits }
    }

    async fn do_job(&self, id: SessionId, kind: JobKind, job: Job, permit: OwnedSemaphorePermit) {
        let (started, progress) = (Instant::now(), Progress::default());
        let task = Task { id, kind, job, started, progress };
        let ended = if task.job.is_poison() {
            self.give_up(&task).await
        } else {
            self.do_apart(&task).await
        };
        let (outcome, end) = match ended {
            Ended::Recording(outcome) => {
                let end = end_of(&outcome);
                (Some(outcome), end)
            }
            Ended::Other(end) => (None, end),
        };
        self.end_job(id, kind, end).await;
        drop(permit);
        if let Some(outcome) = outcome {
            self.tell(id, &outcome);
        }
        self.look_for_work();
    }

    async fn end_job(&self, id: SessionId, kind: JobKind, end: JobEnd) {
        let store = &self.0.store;
        let mut ended = store.end_job(id, kind, self.0.worker, end.clone(), clock::wall()).await;
        while matches!(ended, Err(StoreError::DiskFull)) && !self.0.stopping.is_cancelled() {
            sleep(LOOK_EVERY).await;
            ended = store.end_job(id, kind, self.0.worker, end.clone(), clock::wall()).await;
        }
        self.running().remove(&(id, kind));
        self.0.ended.notify_waiters();
        match ended {
            Ok(Some(Job { state: JobState::Stopped, error, .. })) => {
                tracing::error!(session = %id, kind = kind.as_str(), ?error, "a job is given up");
            }
            Ok(Some(_) | None) => {}
            // Its lease ends, and it is done again: nothing is lost.
            Err(error) => {
                tracing::warn!(session = %id, kind = kind.as_str(), ?end, %error, "not noted");
            }
        }
    }

    /// In a task of its own, which takes nobody with it.
    async fn do_apart(&self, task: &Task) -> Ended {
        let (id, kind, worker) = (task.id, task.kind, self.0.worker);
        let (this, its_own) = (self.clone(), task.clone());
        let mut work = tokio::spawn(async move { this.do_in_company(&its_own).await });
        let mut renewals = interval(RENEW_EVERY);
        renewals.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done.unwrap_or_else(|error| {
                    tracing::error!(session = %id, kind = kind.as_str(), %error, "a job broke off");
                    Ended::Other(JobEnd::BrokeOff("it broke off".into()))
                }),
                _ = renewals.tick() => {
                    let progress = task.progress.thousandths();
                    let renewed = self.0.store.renew(id, kind, worker, progress, clock::wall());
                    if let Err(error) = renewed.await {
                        tracing::warn!(session = %id, kind = kind.as_str(), %error, "not renewed");
                    }
                }
            }
        }
    }

    /// What has ended a server before is done with nothing else beside it, so that nobody else's work
    /// goes with it. What only decodes waits for such a moment, and keeps no recording waiting.
    async fn do_in_company(&self, task: &Task) -> Ended {
        let beside = &self.0.beside;
        match (decodes(task.kind), task.job.is_suspect()) {
            (false, false) => {
                let _with_others = beside.read().await;
                self.perform(task).await
            }
            (false, true) => {
                let _alone = beside.write().await;
                self.perform(task).await
            }
            (true, false) => self.perform(task).await,
            (true, true) => match beside.try_write() {
                Ok(_alone) => self.perform(task).await,
                Err(_) => Ended::Other(JobEnd::Postponed(NOT_ALONE.into())),
            },
        }
    }

    async fn perform(&self, task: &Task) -> Ended {
        let Task { id, kind, progress, .. } = task;
        // What only decodes holds nobody up until it puts into its place what it has made.
        let _one_at_a_time =
            if decodes(*kind) { None } else { Some(self.lock_of(*id).lock_owned().await) };
        match kind {
            JobKind::Assemble => Ended::Recording(self.assemble(*id, task.started).await),
            JobKind::Supplement => Ended::Other(ended(self.supplement(*id, task.started).await)),
            JobKind::Release => Ended::Other(ended(self.release(*id).await)),
            JobKind::Erase => Ended::Other(ended(self.erase(*id).await)),
            JobKind::Waveform => Ended::Other(beside::end_of(self.draw(*id, progress).await)),
            JobKind::Mix => Ended::Other(beside::end_of(self.mix(*id, progress).await)),
        }
    }

    /// It was begun too often without coming to an end.
    async fn give_up(&self, task: &Task) -> Ended {
        let tries = (task.job.tries - 1).min(JOB_TRIES_MAX);
        if task.kind != JobKind::Assemble {
            let error = format!("it ended the server {tries} times, or broke off");
            return Ended::Other(JobEnd::Failed(error));
        }
        let error = AssembleError::EndedTheServer { tries }.to_string();
        self.failed(task.id, &error, task.started.elapsed()).await;
        self.tell(task.id, &Outcome::Failed(error.clone()));
        Ended::Other(JobEnd::Failed(error))
    }

    /// The server stops in good order: what is cut off now has not ended it.
    pub(crate) async fn stop(&self) -> Result<(), StoreError> {
        let cut_off: Vec<(SessionId, JobKind)> = self.running().drain().collect();
        for (id, kind) in cut_off {
            let (store, back) = (&self.0.store, JobEnd::HandedBack);
            store.end_job(id, kind, self.0.worker, back, clock::wall()).await?;
        }
        self.0.store.ahead_over().await
    }

    /// To be called before anything is made: what is found was left by a server that is gone.
    pub(crate) async fn take_up(&self) -> Result<(), StoreError> {
        let sessions = self.0.store.give_up_ahead().await?;
        if sessions > 0 {
            tracing::info!(sessions, "not worked ahead for any more: the last server did not stop");
        }
        let jobs = self.0.store.expire_jobs(clock::wall()).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "begun by a server that is gone: the next try waits");
        }
        Ok(())
    }

    /// Waits for the recording that somebody has asked for.
    pub(crate) async fn outcome(&self, id: SessionId) -> Outcome {
        let (told, outcome) = oneshot::channel();
        self.waiters().entry(id).or_default().push(told);
        self.look_for_work();
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
        self.look_for_work();
        let erasing = async {
            // The rows go before the last traces in the database's log.
            while self.running().contains(&(id, JobKind::Erase))
                || matches!(self.0.store.job(id, JobKind::Erase).await, Ok(Some(_)))
            {
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
        let now = clock::wall();
        match self.0.store.job(id, JobKind::Assemble).await? {
            Some(Job { state: JobState::Running { by, .. }, .. }) if by == self.0.worker => {
                Ok(None)
            }
            Some(job) if job.may_begin(now) => Ok(None),
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

    fn tell(&self, id: SessionId, outcome: &Outcome) {
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

    pub(super) async fn failed(&self, id: SessionId, reason: &str, took: Duration) {
        self.0.metrics.recording(Made::Failed, took);
        let failed =
            Command::RecordingFailed { reason: reason.to_owned(), took: clock::millis(took) };
        if let Err(error) = self.0.store.carry_out(id, &failed, clock::wall()).await {
            tracing::error!(session = %id, %error, "cannot note the failure");
        }
    }

    /// Lets the chunks go, only once all files are certainly there: until then they are all there is.
    async fn release(&self, id: SessionId) -> Result<(), AssembleError> {
        let session = self.0.store.session(id).await?;
        let all_is_in_files = session.recording.is_some_and(|recording| recording.left_out == 0);
        if session.status != SessionStatus::Completed || !all_is_in_files {
            return Ok(());
        }
        for KeptFile { key, bytes } in self.0.store.kept_files(id).await? {
            if self.0.files.bytes_of(&key).await? != Some(bytes) {
                return Err(AssembleError::FileGone(key));
            }
        }
        Ok(self.0.store.release_payloads(id).await?)
    }

    async fn erase(&self, id: SessionId) -> Result<(), AssembleError> {
        drop(self.0.ahead.take(id));
        erase(&self.0.store, &self.0.files, id).await
    }
}

/// Removes what a session that was thrown away has left. Its rows tell for a while that it was there.
pub(crate) async fn erase(
    store: &Store,
    files: &RecordingFiles,
    id: SessionId,
) -> Result<(), AssembleError> {
    let Some(session) = store.find(id).await? else { return Ok(()) };
    if session.status != SessionStatus::Discarded {
        return Ok(());
    }
    files.delete_all(id).await?;
    store.erase_payloads(id).await?;
    if session.deadline.is_none_or(|until| until <= clock::wall()) {
        store.erase_rows(id).await?;
        tracing::info!(session = %id, "erased");
    }
    Ok(store.empty_wal().await?)
}

/// Work for a processor on a recording that is there.
const fn decodes(kind: JobKind) -> bool {
    match kind {
        JobKind::Waveform | JobKind::Mix => true,
        JobKind::Assemble | JobKind::Supplement | JobKind::Release | JobKind::Erase => false,
    }
}

fn end_of(outcome: &Outcome) -> JobEnd {
    match outcome {
        // What failed is written on the session.
        Outcome::Completed(_) | Outcome::Partial | Outcome::Failed(_) => JobEnd::Done,
        Outcome::Postponed(postponed) => JobEnd::Postponed(postponed.as_str().into()),
    }
}

fn ended(done: Result<(), AssembleError>) -> JobEnd {
    match done {
        Ok(()) | Err(AssembleError::Store(StoreError::Refused(Refused::UnknownSession))) => {
            JobEnd::Done
        }
        Err(error) => {
            tracing::warn!(%error, "a job is not done");
            match Postponed::by(&error) {
                Some(postponed) => JobEnd::Postponed(postponed.as_str().into()),
                None => JobEnd::Failed(error.told()),
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The jobs that this process has in its hands: takes them from the database, says all the while that they
//! are still worked on, tells those to end that nobody wants any more, writes down how they ended, and tells
//! whoever waits for that. What is done about each of them is the worker's.

mod progress;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger::jobs::{JobEnd, JobState, Worker};
use ledger::{Job, JobKey, JobKind, Ledger as _};
use protocol::SessionId;
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use progress::Progress;

use crate::clock;
use crate::store::{Store, StoreError};

/// How often it is looked for what nobody has told of: work that waited for its time, or was left or done by
/// another server.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a job is said to be still worked on, and how far it has come; well within its lease.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long it is waited for what was cut off to end: less than whoever deletes a session waits.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub(crate) struct Leases(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// This process, as the owner of the jobs that it works on.
    me: Worker,
    /// Told that something may be due.
    due: Notify,
    /// Told whenever a job has ended.
    ended: Notify,
    /// Jobs that are begun, and have not ended, with what cuts each of them off.
    held: Mutex<HashMap<JobKey, CancellationToken>>,
    stopping: CancellationToken,
}

impl Leases {
    pub(crate) fn new(store: Store, stopping: CancellationToken) -> Self {
        let (due, ended, held) = (Notify::new(), Notify::new(), Mutex::default());
        Self(Arc::new(Inner { store, me: Worker(rand::random()), due, ended, held, stopping }))
    }

    /// Something may be due.
    pub(crate) fn look(&self) {
        self.0.due.notify_one();
    }

    /// Somebody has said that something may be due.
    pub(crate) async fn looked_for(&self) {
        self.0.due.notified().await;
    }

    /// The job of this kind that has waited longest, to be worked on from now on.
    pub(crate) async fn claim(&self, kind: JobKind) -> Result<Option<(JobKey, Job)>, StoreError> {
        let claimed = self.0.store.claim(kind, self.0.me, clock::wall()).await?;
        if let Some((key, _)) = claimed {
            self.held().insert(key, self.0.stopping.child_token());
        }
        Ok(claimed)
    }

    /// Says that a job is still worked on, until that is over which is done about it in a task of its own.
    pub(crate) async fn keep<T>(
        &self,
        key: JobKey,
        progress: &Progress,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        let mut renewals = interval(RENEW_EVERY);
        renewals.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = renewals.tick() => {
                    let thousandths = progress.thousandths();
                    let renewed = self.0.store.renew(key, self.0.me, thousandths, clock::wall());
                    match renewed.await {
                        Ok(true) => {}
                        // It is another worker's, or its session is gone.
                        Ok(false) => self.stopping_of(key).cancel(),
                        Err(error) => tracing::warn!(job = %key, %error, "not renewed"),
                    }
                }
            }
        }
    }

    /// Writes down how a try ended; waits for room if there is none.
    pub(crate) async fn end(&self, key: JobKey, end: JobEnd) {
        let Inner { store, me, stopping, .. } = &*self.0;
        let mut ended = store.end_job(key, *me, end.clone(), clock::wall()).await;
        while matches!(ended, Err(StoreError::DiskFull)) && !stopping.is_cancelled() {
            sleep(LOOK_EVERY).await;
            ended = store.end_job(key, *me, end.clone(), clock::wall()).await;
        }
        self.held().remove(&key);
        self.0.ended.notify_waiters();
        match ended {
            Ok(Some(Job { state: JobState::Stopped, error, .. })) => {
                tracing::error!(job = %key, ?error, "a job is given up");
            }
            Ok(Some(_) | None) => {}
            // Its lease ends, and it is done again: nothing is lost.
            Err(error) => tracing::warn!(job = %key, ?end, %error, "not noted"),
        }
    }

    /// Cancelled when the server stops, or when the job is cut off.
    pub(crate) fn stopping_of(&self, key: JobKey) -> CancellationToken {
        let held = self.held().get(&key).cloned();
        held.unwrap_or_else(|| self.0.stopping.child_token())
    }

    /// Cuts off what is being made beside the recording of a session, which nobody wants any more. False:
    /// nothing is.
    pub(crate) fn cut_off_beside(&self, id: SessionId) -> bool {
        let is_meant = |key: &JobKey| key.session == id && key.work.is_beside();
        let held = self.held();
        let meant: Vec<_> = held.iter().filter(|(key, _)| is_meant(key)).collect();
        for (_, stopping) in &meant {
            stopping.cancel();
        }
        !meant.is_empty()
    }

    /// The same, and waits a while until it has ended.
    pub(crate) async fn end_beside(&self, id: SessionId) {
        let has_ended = || ready(Ok::<_, Infallible>((!self.cut_off_beside(id)).then_some(())));
        if timeout(CUT_OFF_WITHIN, self.until(has_ended)).await.is_err() {
            tracing::warn!(session = %id, "what was made of its recording does not end");
        }
    }

    /// Whether it is worked on here.
    pub(crate) fn has(&self, key: JobKey) -> bool {
        self.held().contains_key(&key)
    }

    /// The same, as the job itself says.
    pub(crate) fn is_ours(&self, job: &Job) -> bool {
        matches!(job.state, JobState::Running { by, .. } if by == self.0.me)
    }

    /// Looks whenever a job has ended, and now and then, until something is found. `None`: the server
    /// stops.
    pub(crate) async fn until<T, E, F>(&self, look: impl Fn() -> F) -> Result<Option<T>, E>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            tokio::select! {
                () = self.0.stopping.cancelled() => return Ok(None),
                // Either way it is looked again.
                _ = timeout(LOOK_EVERY, ended) => {}
            }
        }
    }

    /// The server stops in good order: what is cut off now has not ended it.
    pub(crate) async fn hand_back(&self) -> Result<(), StoreError> {
        let cut_off: Vec<JobKey> = self.held().drain().map(|(key, _)| key).collect();
        for key in cut_off {
            self.0.store.end_job(key, self.0.me, JobEnd::HandedBack, clock::wall()).await?;
        }
        Ok(())
    }

    /// To be called before anything is begun: what is found was left by a server that is gone.
    pub(crate) async fn take_up(&self) -> Result<(), StoreError> {
        let jobs = self.0.store.expire_jobs(clock::wall()).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "begun by a server that is gone: the next try waits");
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<JobKey, CancellationToken>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

//! Does the jobs that are due on sessions: takes each to whoever knows how, and decides what is done at the
//! same time. What is due, and when it is tried again, is in the database: nothing of it is lost with the
//! process.

use std::sync::Arc;
use std::time::Instant;

use ledger::jobs::JobEnd;
use ledger::limits::JOB_TRIES_MAX;
use ledger::{Job, JobKey, JobKind, Work};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::export::{ExportError, Exports};
use crate::leases::{LOOK_EVERY, Leases, Progress};
use crate::recording::{Outcome, Recordings};
use crate::store::StoreError;

/// Jobs done at the same time that nobody should wait long for: stitching is disk work, more at once only
/// slows each.
const CONCURRENT_MAX: usize = 2;
/// Recordings drawn or mixed at the same time, besides those: that is work for a processor, nobody is in
/// a hurry, and no recording has to wait for it until it is made.
const DECODING_MAX: usize = 1;
/// Exports made at the same time, besides those: each is work for a processor or for the disk.
const EXPORTING_MAX: usize = 1;

/// Why what is in no hurry waits that has ended a server before.
const NOT_ALONE: &str = "it ended the server before, and waits until nothing else is done";

#[derive(Debug, Clone)]
pub(crate) struct Worker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    leases: Leases,
    recordings: Recordings,
    exports: Exports,
    permits: Arc<Semaphore>,
    decoding: Arc<Semaphore>,
    exporting: Arc<Semaphore>,
    /// Held for reading by every job that holds recordings up, and for writing by one that is better done
    /// alone.
    beside: RwLock<()>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// One try of a job.
#[derive(Debug, Clone)]
struct Try {
    key: JobKey,
    job: Job,
    started: Instant,
    progress: Progress,
    /// Cancelled when the server stops, or nobody wants any more what it makes.
    stopping: CancellationToken,
}

/// What a job came to.
enum Ended {
    Recording(Outcome),
    Other(JobEnd),
}

impl Worker {
    pub(crate) fn new(
        leases: Leases,
        recordings: Recordings,
        exports: Exports,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            leases,
            recordings,
            exports,
            permits: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            decoding: Arc::new(Semaphore::new(DECODING_MAX)),
            exporting: Arc::new(Semaphore::new(EXPORTING_MAX)),
            beside: RwLock::default(),
            tasks,
            stopping,
        }))
    }

    /// Until the server stops.
    pub(crate) async fn work(&self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.stopping.cancelled() => return,
                () = self.0.leases.looked_for() => {}
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
            let Some((key, job)) = self.0.leases.claim(kind).await? else { return Ok(()) };
            let this = self.clone();
            self.0.tasks.spawn(async move { this.do_job(key, job, permit).await });
        }
        Ok(())
    }

    fn permits_of(&self, kind: JobKind) -> &Arc<Semaphore> {
        match kind {
            JobKind::Assemble | JobKind::Supplement | JobKind::Release | JobKind::Erase => {
                &self.0.permits
            }
            JobKind::Waveform | JobKind::Mix => &self.0.decoding,
            JobKind::Export => &self.0.exporting,
        }
    }

    async fn do_job(&self, key: JobKey, job: Job, permit: OwnedSemaphorePermit) {
        let (started, progress) = (Instant::now(), Progress::default());
        let stopping = self.0.leases.stopping_of(key);
        let one = Try { key, job, started, progress, stopping };
        let ended = if one.job.is_poison() {
            Ended::Other(self.give_up(&one).await)
        } else {
            self.do_apart(&one).await
        };
        let (outcome, end) = match ended {
            Ended::Recording(outcome) => {
                let end = end_of(&outcome);
                (Some(outcome), end)
            }
            // Whatever it came to.
            Ended::Other(_) if self.is_cut_off(&one) => (None, JobEnd::Done),
            Ended::Other(end) => (None, end),
        };
        self.0.leases.end(key, end).await;
        drop(permit);
        if let Some(outcome) = outcome {
            self.0.recordings.tell(key.session, &outcome);
        }
        self.0.leases.look();
    }

    /// Nobody wants any more what it makes. The server goes on.
    fn is_cut_off(&self, one: &Try) -> bool {
        one.stopping.is_cancelled() && !self.0.stopping.is_cancelled()
    }

    /// In a task of its own, which takes nobody with it.
    async fn do_apart(&self, one: &Try) -> Ended {
        let (this, its_own) = (self.clone(), one.clone());
        let work = tokio::spawn(async move { this.do_in_company(&its_own).await });
        self.0.leases.keep(one.key, &one.progress, work).await.unwrap_or_else(|error| {
            tracing::error!(job = %one.key, %error, "a job broke off");
            Ended::Other(JobEnd::BrokeOff("it broke off".into()))
        })
    }

    /// What has ended a server before is done with nothing else beside it, so that nobody else's work
    /// goes with it. What no recording waits for waits for such a moment, and keeps none waiting.
    async fn do_in_company(&self, one: &Try) -> Ended {
        let beside = &self.0.beside;
        match (holds_recordings_up(one.key.work), one.job.is_suspect()) {
            (true, false) => {
                let _with_others = beside.read().await;
                self.perform(one).await
            }
            (true, true) => {
                let _alone = beside.write().await;
                self.perform(one).await
            }
            (false, false) => self.perform(one).await,
            (false, true) => match beside.try_write() {
                Ok(_alone) => self.perform(one).await,
                Err(_) => Ended::Other(JobEnd::Postponed(NOT_ALONE.into())),
            },
        }
    }

    async fn perform(&self, one: &Try) -> Ended {
        let Inner { recordings, exports, .. } = &*self.0;
        let JobKey { session, work } = one.key;
        let (progress, stopping) = (&one.progress, &one.stopping);
        match work {
            Work::Assemble => Ended::Recording(recordings.assemble(session, one.started).await),
            Work::Supplement => Ended::Other(recordings.supplement(session, one.started).await),
            Work::Release => Ended::Other(recordings.release(session).await),
            Work::Erase => Ended::Other(recordings.erase(session).await),
            Work::Waveform => Ended::Other(recordings.draw(session, progress, stopping).await),
            Work::Mix => Ended::Other(recordings.mix(session, progress, stopping).await),
            Work::Export(format) => {
                Ended::Other(exports.make(session, format, progress, stopping).await)
            }
        }
    }

    /// It was begun too often without coming to an end.
    async fn give_up(&self, one: &Try) -> JobEnd {
        let tries = (one.job.tries - 1).min(JOB_TRIES_MAX);
        let JobKey { session, work } = one.key;
        JobEnd::Failed(match work {
            Work::Assemble => self.0.recordings.give_up(session, tries, one.started).await,
            Work::Export(_) => ExportError::EndedTheServer { tries }.to_string(),
            Work::Supplement | Work::Release | Work::Erase | Work::Waveform | Work::Mix => {
                format!("it ended the server {tries} times, or broke off")
            }
        })
    }
}

/// Whether recordings wait for it. The rest is work on what is there already.
const fn holds_recordings_up(work: Work) -> bool {
    !work.is_beside()
}

fn end_of(outcome: &Outcome) -> JobEnd {
    match outcome {
        // What failed is written on the session.
        Outcome::Completed(_) | Outcome::Partial | Outcome::Failed(_) => JobEnd::Done,
        Outcome::Postponed(postponed) => JobEnd::Postponed(postponed.as_str().into()),
    }
}

#[cfg(test)]
mod tests;

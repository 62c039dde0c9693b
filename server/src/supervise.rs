//! Looks after the tasks that live as long as the server: notices when one ends that nobody has asked
//! to, begins it again where that does no harm, and knows which are down.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

/// A task that lives as long as the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Writes items, and acks nothing without it.
    Committer,
    /// Writes the event log.
    Events,
    Http,
    /// Looks for deadlines that have passed.
    Timeouts,
    /// Looks for room while the disk is full.
    Room,
    Janitor,
    /// Stitches recordings that go on.
    Ahead,
    /// Begins the jobs that are due.
    Jobs,
}

impl Task {
    /// As the log and `/readyz` call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Committer => "committer",
            Self::Events => "events",
            Self::Http => "http",
            Self::Timeouts => "timeouts",
            Self::Room => "room",
            Self::Janitor => "janitor",
            Self::Ahead => "ahead",
            Self::Jobs => "jobs",
        }
    }
}

/// When a task that ended is begun again.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// How long to wait the first time. Each time in a row it is twice as long.
    first: Duration,
    /// So often in a row; then the task stays down.
    restarts_max: u32,
    /// A task that ran for so long begins a new row when it ends.
    steady: Duration,
}

const PACE: Pace =
    Pace { first: Duration::from_secs(1), restarts_max: 8, steady: Duration::from_secs(10 * 60) };

impl Pace {
    /// How long to wait after so many ends in a row; `None`: it is not begun again.
    fn wait_after(self, ends: u32) -> Option<Duration> {
        (1..=self.restarts_max).contains(&ends).then(|| self.first * 2_u32.pow(ends - 1))
    }
}

#[derive(Debug)]
enum Standing {
    Running(AbortHandle),
    Down,
}

#[derive(Debug, Clone)]
pub(crate) struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    standings: Mutex<BTreeMap<Task, Standing>>,
    /// Whoever ends after this has been asked to.
    stopping: CancellationToken,
    pace: Pace,
}

impl Supervisor {
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        Self::at(PACE, stopping)
    }

    fn at(pace: Pace, stopping: CancellationToken) -> Self {
        Self(Arc::new(Inner { standings: Mutex::default(), stopping, pace }))
    }

    /// One that should run and does not.
    pub(crate) fn down(&self) -> Option<Task> {
        let standings = self.standings();
        standings.iter().find_map(|(task, standing)| match standing {
            Standing::Down => Some(*task),
            Standing::Running(_) => None,
        })
    }

    /// Looks after a task that cannot be begun again: what it holds is lost with it. Ends with it.
    pub(crate) fn watch(&self, task: Task, running: JoinHandle<()>) -> JoinHandle<()> {
        self.note(task, Standing::Running(running.abort_handle()));
        let this = self.clone();
        tokio::spawn(async move {
            if this.ended_unasked(task, running.await) {
                tracing::error!(task = task.as_str(), "it stays down: restart the server");
            }
        })
    }

    /// Runs a task until the server stops, again and again if need be.
    pub(crate) async fn keep<F>(self, task: Task, run: impl Fn() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pace = self.0.pace;
        let mut ends = 0;
        loop {
            let began = Instant::now();
            let running = tokio::spawn(run());
            self.note(task, Standing::Running(running.abort_handle()));
            if !self.ended_unasked(task, running.await) {
                return;
            }
            ends = if began.elapsed() < pace.steady { ends + 1 } else { 1 };
            let Some(wait) = pace.wait_after(ends) else {
                tracing::error!(task = task.as_str(), ends, "it stays down: restart the server");
                return;
            };
            tracing::warn!(task = task.as_str(), ?wait, "it is begun again");
            tokio::select! {
                () = self.0.stopping.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Ends a task that does not end although it was asked to.
    pub(crate) fn cut_off(&self, task: Task) {
        match self.standings().get(&task) {
            Some(Standing::Running(running)) => running.abort(),
            Some(Standing::Down) | None => {}
        }
    }

    /// Whether it should have gone on. Then it is down from here on.
    fn ended_unasked(&self, task: Task, ended: Result<(), JoinError>) -> bool {
        let is_asked = self.0.stopping.is_cancelled();
        let name = task.as_str();
        match ended.map_err(JoinError::try_into_panic) {
            Ok(()) if is_asked => tracing::debug!(task = name, "a task ended"),
            Ok(()) => tracing::error!(task = name, "a task returned that should go on"),
            Err(Ok(panic)) => {
                tracing::error!(task = name, panic = message_of(&*panic), "a task panicked");
            }
            Err(Err(_)) => tracing::error!(task = name, "a task was cut off"),
        }
        if !is_asked {
            self.note(task, Standing::Down);
        }
        !is_asked
    }

    fn note(&self, task: Task, standing: Standing) {
        self.standings().insert(task, standing);
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<Task, Standing>> {
        self.0.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic says.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const QUICK: Pace = Pace {
        first: Duration::from_millis(1),
        restarts_max: 3,
        steady: Duration::from_secs(3_600),
    };
    const PATIENCE: Duration = Duration::from_secs(10);

    async fn within<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, what).await.unwrap()
    }

    async fn until(holds: impl Fn() -> bool) {
        within(async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    #[test]
    fn each_wait_is_twice_as_long_as_the_one_before_and_after_the_last_there_is_none() {
        let waits: Vec<_> = (0..).map(|ends| PACE.wait_after(ends)).take(10).collect();
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128].map(|wait| Some(Duration::from_secs(wait)));
        assert_eq!(waits, [&[None][..], &seconds, &[None]].concat());
    }

    #[tokio::test]
    async fn a_task_that_panics_or_returns_is_begun_again_and_is_down_in_between() {
        let stopping = CancellationToken::new();
        let slow = Pace { first: Duration::from_millis(200), ..QUICK };
        let supervisor = Supervisor::at(slow, stopping.clone());
        let begun = Arc::new(AtomicU32::new(0));
        let counted = begun.clone();
        let run = move || {
            let (begun, stopping) = (counted.fetch_add(1, Ordering::Relaxed), stopping.clone());
            async move {
                match begun {
                    0 => panic!("for a test"),
                    // Long enough to be seen running.
                    1 => tokio::time::sleep(slow.first).await,
                    _ => stopping.cancelled().await,
                }
            }
        };
        let kept = tokio::spawn(supervisor.clone().keep(Task::Janitor, run));
        for times in 1..=2 {
            until(|| supervisor.down() == Some(Task::Janitor)).await;
            assert_eq!(begun.load(Ordering::Relaxed), times);
            until(|| supervisor.down().is_none()).await;
        }
        until(|| begun.load(Ordering::Relaxed) == 3).await;
        supervisor.0.stopping.cancel();
        within(kept).await.unwrap();
        assert_eq!(supervisor.down(), None, "it has been asked to end");
    }

    #[tokio::test]
    async fn a_task_is_begun_again_as_often_as_the_limit_and_no_more() {
        let supervisor = Supervisor::at(QUICK, CancellationToken::new());
        let begun = AtomicU32::new(0);
        let run = || {
            begun.fetch_add(1, Ordering::Relaxed);
            async {}
        };
        within(supervisor.clone().keep(Task::Ahead, run)).await;
        assert_eq!(begun.load(Ordering::Relaxed), 1 + QUICK.restarts_max);
        assert_eq!(supervisor.down(), Some(Task::Ahead));
    }

    #[tokio::test]
    async fn a_task_that_ran_for_long_may_end_more_often_than_that() {
        let patient = Pace { steady: Duration::ZERO, ..QUICK };
        let supervisor = Supervisor::at(patient, CancellationToken::new());
        let begun = Arc::new(AtomicU32::new(0));
        let counted = begun.clone();
        let run = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async {}
        };
        let kept = tokio::spawn(supervisor.clone().keep(Task::Ahead, run));
        until(|| begun.load(Ordering::Relaxed) > 3 * QUICK.restarts_max).await;
        supervisor.0.stopping.cancel();
        within(kept).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_cannot_be_begun_again_stays_down() {
        let supervisor = Supervisor::at(QUICK, CancellationToken::new());
        let watched = supervisor.watch(Task::Committer, tokio::spawn(pending()));
        assert_eq!(supervisor.down(), None);
        supervisor.cut_off(Task::Committer);
        within(watched).await.unwrap();
        assert_eq!(supervisor.down(), Some(Task::Committer));
    }

    #[tokio::test]
    async fn what_ends_when_the_server_stops_is_not_down() {
        let stopping = CancellationToken::new();
        let supervisor = Supervisor::at(QUICK, stopping.clone());
        let watched =
            supervisor.watch(Task::Http, tokio::spawn(stopping.clone().cancelled_owned()));
        stopping.cancel();
        within(watched).await.unwrap();
        assert_eq!(supervisor.down(), None);
    }
}

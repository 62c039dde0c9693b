//! Starts the server, keeps it running, and stops it cleanly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::committer::Committer;
use crate::config::Config;
use crate::events::Events;
use crate::export::Exports;
use crate::folder::DataFolder;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::recording::{RecordingFiles, Recordings};
use crate::state::AppState;
use crate::store::{self, Store, StoreError};
use crate::supervise::{Supervisor, Task};
use crate::worker::Worker;
use crate::writers::Writers;
use crate::{api, clock, janitor, listen, log, routes, timeouts};

/// How long a clean stop may take before the rest is cut off: less than the 10 s after which
/// container runtimes kill. Nothing acked is lost by either; a recording in the making is made anew
/// by the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(8);
/// The part of it that is kept for the ledger and the database, after connections and recordings.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: AppState,
    http: JoinHandle<()>,
    committing: JoinHandle<()>,
    event_writer: JoinHandle<()>,
    folder: DataFolder,
}

/// What the server is made of before it serves.
struct Opened {
    state: AppState,
    committing: JoinHandle<()>,
    event_writer: JoinHandle<()>,
}

impl Server {
    /// Takes the data folder, listens, takes up what an earlier run left unfinished, and serves.
    /// Whoever connects before that waits.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let folder = DataFolder::take(&config.data.folder, &config.data.database())?;
        let listener = config
            .listen
            .bind()
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        tracing::info!(target: log::ALWAYS, "Holdfast is at http://{address}");
        let Opened { state, committing, event_writer } = open(config).await?;
        take_up(&state).await.context("cannot take up unfinished sessions")?;
        begin_watches(&state);
        let router = routes::router(state.clone());
        let stopping = state.stopping.clone();
        let http = listen::serve(listener, router, stopping, listen::HEADERS_DEADLINE);
        let http = state.supervisor.watch(Task::Http, tokio::spawn(http));
        tracing::info!("ready");
        Ok(Self { address, state, http, committing, event_writer, folder })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until SIGTERM or SIGINT, then stops cleanly.
    pub async fn run_until_signal(mut self) -> anyhow::Result<()> {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("cannot watch for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot watch for SIGINT")?;
                tracing::info!("interrupted: stopping");
            }
            _ = &mut self.http => {
                self.stop().await?;
                bail!("nothing more can be heard from clients");
            }
        }
        self.stop().await
    }

    /// No new sockets, every open one told, commits done, then the database closed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { state, http, committing, event_writer, folder: _held_to_the_end, .. } = self;
        let end = Instant::now() + STOP_DEADLINE;
        let cut_off = end - CLOSE_DEADLINE;
        state.stopping.cancel();
        state.tasks.close();
        if timeout_at(cut_off, state.tasks.wait()).await.is_err() {
            tracing::warn!("connections or recordings did not end in time and are cut off");
            WATCHES.iter().for_each(|task| state.supervisor.cut_off(*task));
        }
        let (store, leases) = (state.store.clone(), state.leases.clone());
        // Requests that hang on must not hold the database open.
        if !http.is_finished() && timeout_at(cut_off, http).await.is_err() {
            state.supervisor.cut_off(Task::Http);
        }
        drop(state);
        if timeout_at(end, committing).await.is_err() {
            tracing::warn!("the last items could not be committed in time");
        }
        if timeout_at(end, event_writer).await.is_err() {
            tracing::warn!("the last events could not be written in time");
        }
        let noted = async {
            leases.hand_back().await?;
            store.ahead_over().await
        };
        match timeout_at(end, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "jobs cut off count as tries"),
            Err(_) => tracing::warn!("jobs cut off could not be noted in time"),
        }
        if timeout_at(end, store.close()).await.is_err() {
            tracing::warn!("the database was not closed in time");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Opens what lies in the data folder.
async fn open(config: Config) -> anyhow::Result<Opened> {
    let folder = &config.data.folder;
    let database = config.data.database();
    let size_max = config.database_size_max.map(|size| size.0);
    let store = Store::open(&database, size_max, config.policy())
        .await
        .with_context(|| format!("cannot open the database {}", database.display()))?;
    let tasks = TaskTracker::new();
    let files = RecordingFiles::local(folder).context("cannot open the recordings")?;
    let (metrics, stopping) = (Metrics::default(), CancellationToken::new());
    let leases = Leases::new(store.clone(), stopping.clone());
    let recordings = Recordings::new(
        store.clone(),
        files.clone(),
        folder.join("scratch"),
        metrics.clone(),
        leases.clone(),
        stopping.clone(),
    )
    .context("cannot make the folder for recordings in the making")?;
    let supervisor = Supervisor::new(stopping.clone());
    let silence_max = Duration::from_millis(config.heartbeat_timeout.0.get());
    let (committer, committing) = Committer::start(store.clone(), metrics.clone(), silence_max);
    let (events, event_writer) = Events::start(store.clone(), metrics.clone());
    let committing = supervisor.watch(Task::Committer, committing);
    let event_writer = supervisor.watch(Task::Events, event_writer);
    let (lent, kept) = (leases.clone(), files.clone());
    let exports = Exports::new(store.clone(), recordings.clone(), kept, lent);
    let worker = Worker::new(
        leases.clone(),
        recordings.clone(),
        exports.clone(),
        tasks.clone(),
        stopping.clone(),
    );
    let state = AppState {
        connections: Arc::new(Semaphore::new(config.connections_max)),
        body_bytes: Arc::new(Semaphore::new(api::BODY_BYTES_AT_ONCE_MAX)),
        quotas: Quotas::new(&config),
        config: Arc::new(config),
        exports,
        leases,
        worker,
        store,
        committer,
        recordings,
        files,
        events,
        metrics,
        writers: Writers::default(),
        stopping,
        tasks,
        supervisor,
    };
    Ok(Opened { state, committing, event_writer })
}

/// Nothing is in their memory that the database does not know: they can be begun again.
const WATCHES: [Task; 5] = [Task::Timeouts, Task::Room, Task::Janitor, Task::Ahead, Task::Jobs];

fn begin_watches(state: &AppState) {
    keep(state, Task::Timeouts, timeouts::watch);
    keep(state, Task::Room, |state| store::watch_room(state.store, state.stopping));
    keep(state, Task::Janitor, janitor::watch);
    keep(state, Task::Ahead, |state| async move { state.recordings.work_ahead().await });
    keep(state, Task::Jobs, |state| async move { state.worker.work().await });
}

fn keep<F>(state: &AppState, task: Task, run: impl Fn(AppState) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let supervisor = state.supervisor.clone();
    let its_own = state.clone();
    state.tasks.spawn(supervisor.keep(task, move || run(its_own.clone())));
}

/// A server that was killed left sessions as they stood: nobody is connected now, and nobody works on
/// what was due.
async fn take_up(state: &AppState) -> anyhow::Result<()> {
    let mut interrupted = 0;
    loop {
        match timeouts::interrupt_silent(state, None, clock::wall()).await {
            Ok(0) => break,
            Ok(more) => interrupted += more,
            // They are found by their silence as soon as there is room.
            Err(StoreError::DiskFull) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if interrupted > 0 {
        tracing::info!(interrupted, "taking up unfinished sessions");
    }
    for taken_up in [state.recordings.take_up().await, state.leases.take_up().await] {
        match taken_up {
            Ok(()) | Err(StoreError::DiskFull) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

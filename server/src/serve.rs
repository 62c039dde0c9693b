//! Starts the server, keeps it running, and stops it cleanly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use protocol::SessionStatus;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::ledger::Ledger;
use crate::ledger::payload::{InRow, PayloadStore};
use crate::recording::{RecordingFiles, Recordings};
use crate::socket::Fences;
use crate::state::AppState;
use crate::store::Store;
use crate::{clock, routes, timeouts};

/// How long a clean stop may take before the rest is cut off. Nothing acked is lost by that.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: AppState,
    http: JoinHandle<std::io::Result<()>>,
    ledger_writer: JoinHandle<()>,
}

impl Server {
    /// Opens the data folder, takes up what an earlier run left unfinished, and listens.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let folder = &config.data_dir;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
        let database = config.database_path();
        let store = Store::open(&database)
            .await
            .with_context(|| format!("cannot open the database {}", database.display()))?;
        let payloads: Arc<dyn PayloadStore> = Arc::new(InRow);
        let files = RecordingFiles::local(folder).context("cannot open the recordings")?;
        let recordings = Recordings::new(
            store.clone(),
            Arc::clone(&payloads),
            files.clone(),
            folder.join("scratch"),
        )
        .context("cannot make the folder for recordings in the making")?;
        let (ledger, ledger_writer) = Ledger::start(store.clone(), payloads);
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let state = AppState {
            connections: Arc::new(Semaphore::new(config.connections_max)),
            config: Arc::new(config),
            store,
            ledger,
            recordings,
            files,
            fences: Fences::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        take_up(&state).await.context("cannot take up unfinished sessions")?;
        state.tasks.spawn(timeouts::watch(state.clone()));
        let http = tokio::spawn(serve(listener, routes::router(state.clone()), &state));
        tracing::info!("Holdfast is at http://{address}");
        Ok(Self { address, state, http, ledger_writer })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until SIGTERM or SIGINT, then stops cleanly.
    pub async fn run_until_signal(self) -> anyhow::Result<()> {
        let stopping = self.state.stopping.clone();
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("cannot watch for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot watch for SIGINT")?;
                tracing::info!("interrupted: stopping");
            }
            () = stopping.cancelled() => {}
        }
        self.stop().await
    }

    /// No new sockets, every open one told, commits done, then the database closed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { state, http, ledger_writer, .. } = self;
        state.stopping.cancel();
        state.tasks.close();
        if timeout(STOP_DEADLINE, state.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
        let store = state.store.clone();
        // Requests that hang on must not hold the database open.
        let abort = http.abort_handle();
        if timeout(STOP_DEADLINE, http).await.is_err() {
            abort.abort();
        }
        drop(state);
        if timeout(STOP_DEADLINE, ledger_writer).await.is_err() {
            tracing::warn!("the ledger did not end in time");
        }
        store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

fn serve(
    listener: TcpListener,
    router: Router,
    state: &AppState,
) -> impl Future<Output = std::io::Result<()>> + use<> {
    let stopping = state.stopping.clone();
    axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).into_future()
}

/// A server that was killed left sessions as they stood: nobody is connected now, and what was
/// being finalized still is.
async fn take_up(state: &AppState) -> anyhow::Result<()> {
    let grace_until = clock::wall().plus(state.config.grace.0);
    let interrupted = state.store.interrupt_silent(None, grace_until).await?;
    let finalizing = state.store.sessions_in(SessionStatus::Finalizing).await?;
    if interrupted > 0 || !finalizing.is_empty() {
        tracing::info!(interrupted, finalizing = finalizing.len(), "taking up unfinished sessions");
    }
    for id in finalizing {
        let recordings = state.recordings.clone();
        state.tasks.spawn(async move { recordings.make(id).await });
    }
    Ok(())
}

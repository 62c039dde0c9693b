//! What every handler and task can reach.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::committer::Committer;
use crate::config::Config;
use crate::events::Events;
use crate::export::Exports;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::recording::{RecordingFiles, Recordings};
use crate::store::Store;
use crate::supervise::Supervisor;
use crate::worker::Worker;
use crate::writers::Writers;

#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) committer: Committer,
    pub(crate) quotas: Quotas,
    pub(crate) leases: Leases,
    pub(crate) recordings: Recordings,
    pub(crate) files: RecordingFiles,
    pub(crate) exports: Exports,
    pub(crate) worker: Worker,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) writers: Writers,
    /// One permit for each WebSocket that may be open.
    pub(crate) connections: Arc<Semaphore>,
    /// One permit for each byte of the request bodies that may be in memory.
    pub(crate) body_bytes: Arc<Semaphore>,
    /// Cancelled when the server is to stop: no new sockets, commits done, then exit.
    pub(crate) stopping: CancellationToken,
    /// Connections and recordings in the making; the server ends after them.
    pub(crate) tasks: TaskTracker,
    /// Knows whether everything runs that should.
    pub(crate) supervisor: Supervisor,
}

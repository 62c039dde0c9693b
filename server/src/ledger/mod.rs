//! The durable store of items as connections see it: hand items in, get verdicts back once they
//! are committed. One writer task commits everything that waits as one transaction.

pub mod payload;

use std::sync::Arc;
use std::time::Instant;

use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock;
use crate::metrics::Metrics;
use crate::store::{Append, Appended, Store, StoreError};
use payload::PayloadStore;

/// Appends that may wait for the writer; more make their connections wait.
const QUEUE_MAX: usize = 1024;
/// Payload bytes that one transaction takes before it commits.
const BATCH_PAYLOAD_BYTES_MAX: usize = 16 * ITEM_PAYLOAD_BYTES_MAX;
/// Appends that one transaction takes before it commits.
const BATCH_APPENDS_MAX: usize = 512;

/// The items could not be stored; nothing is acked, and the client will send them again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error("the disk is full")]
    DiskFull,
    #[error("the items could not be stored: {0}")]
    Failed(Arc<str>),
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::UnknownSession
            | StoreError::WrongToken
            | StoreError::Fenced
            | StoreError::Outdated(_)
            | StoreError::Discarded
            | StoreError::Illegal(_)
            | StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::Corrupt(_) => Self::Failed(error.to_string().into()),
        }
    }
}

#[derive(Debug)]
struct Waiting {
    append: Append,
    reply: oneshot::Sender<Result<Appended, LedgerError>>,
}

/// A handle to the writer task. When the last one is dropped, the task commits what waits and
/// ends.
#[derive(Debug, Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Waiting>,
}

impl Ledger {
    pub fn start(
        store: Store,
        payloads: Arc<dyn PayloadStore>,
        metrics: Metrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, tokio::spawn(write(store, payloads, metrics, waiting)))
    }

    /// Resolves once every item is durable or refused.
    pub async fn append(&self, append: Append) -> Result<Appended, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| LedgerError::Failed("the writer has ended".into());
        self.queue.send(Waiting { append, reply }).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }
}

async fn write(
    store: Store,
    payloads: Arc<dyn PayloadStore>,
    metrics: Metrics,
    mut waiting: mpsc::Receiver<Waiting>,
) {
    while let Some(first) = waiting.recv().await {
        let batch = take_batch(first, &mut waiting);
        let started = Instant::now();
        let appends: Vec<&Append> = batch.iter().map(|one| &one.append).collect();
        match store.append(&*payloads, &appends, clock::wall()).await {
            Ok(results) => {
                tracing::debug!(appends = batch.len(), elapsed = ?started.elapsed(), "committed");
                metrics.committed(&appends, &results, started.elapsed());
                for (one, result) in batch.into_iter().zip(results) {
                    // A connection that has gone will ask again.
                    drop(one.reply.send(Ok(result)));
                }
            }
            // Said by the store, once. Smaller appends would find no room either.
            Err(StoreError::DiskFull) => {
                for one in batch {
                    drop(one.reply.send(Err(LedgerError::DiskFull)));
                }
            }
            Err(error) => write_one_by_one(&store, &*payloads, &metrics, batch, &error).await,
        }
    }
}

fn take_batch(first: Waiting, waiting: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let payload_bytes =
        |one: &Waiting| one.append.items.iter().map(|item| item.payload_bytes()).sum::<usize>();
    let mut bytes = payload_bytes(&first);
    let mut batch = vec![first];
    while bytes < BATCH_PAYLOAD_BYTES_MAX && batch.len() < BATCH_APPENDS_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        bytes += payload_bytes(&next);
        batch.push(next);
    }
    batch
}

/// A batch that failed as a whole is tried append by append, so that one session's trouble is not
/// another's.
async fn write_one_by_one(
    store: &Store,
    payloads: &dyn PayloadStore,
    metrics: &Metrics,
    batch: Vec<Waiting>,
    cause: &StoreError,
) {
    tracing::warn!(%cause, appends = batch.len(), "a commit failed; trying one by one");
    for one in batch {
        let started = Instant::now();
        let result = match store.append(payloads, &[&one.append], clock::wall()).await {
            Ok(mut results) => {
                metrics.committed(&[&one.append], &results, started.elapsed());
                results.pop().ok_or_else(|| LedgerError::Failed("the store gave no result".into()))
            }
            Err(error) => {
                tracing::error!(session = %one.append.session, %error, "items not stored");
                Err(LedgerError::from(error))
            }
        };
        drop(one.reply.send(result));
    }
}

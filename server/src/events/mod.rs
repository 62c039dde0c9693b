//! The event log as connections and tasks see it: note what happened, and go on. Noting never
//! waits and never fails; one task writes what was noted, many events in one transaction.
//!
//! What changes a session's status is logged by the store itself, in the same transaction. Here
//! come the observations beside that.

mod observer;

use std::time::Duration;

use protocol::{Event, SessionId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(crate) use observer::Observer;

use crate::clock;
use crate::metrics::{Dropped, Metrics};
use crate::store::{NewEvent, Store, StoreError};

/// Events that may wait for the writer; one more is dropped, and counted.
const QUEUE_MAX: usize = 4096;
/// Events that one transaction takes.
const BATCH_MAX: usize = 512;
/// Events that come this close after one another share a commit.
const GATHER: Duration = Duration::from_millis(200);
/// So often a batch is tried, and so long apart.
const TRIES_MAX: u32 = 60;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A handle to the writing task. When the last one is dropped, the task writes what waits and
/// ends.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<NewEvent>,
    metrics: Metrics,
}

impl Events {
    pub(crate) fn start(store: Store, metrics: Metrics) -> (Self, JoinHandle<()>) {
        let (events, waiting) = Self::new(metrics.clone(), QUEUE_MAX);
        (events, tokio::spawn(write(store, metrics, waiting)))
    }

    fn new(metrics: Metrics, queue_max: usize) -> (Self, mpsc::Receiver<NewEvent>) {
        let (queue, waiting) = mpsc::channel(queue_max);
        (Self { queue, metrics }, waiting)
    }

    /// Notes what happened just now.
    pub(crate) fn note(&self, session: SessionId, event: Event) {
        let new = NewEvent { session, at: clock::wall(), place: None, event };
        if let Err(error) = self.queue.try_send(new) {
            let NewEvent { session, event, .. } = error.into_inner();
            tracing::warn!(%session, ?event, "event not kept: too many wait to be written");
            self.metrics.events_dropped(Dropped::QueueFull, 1);
        }
    }
}

async fn write(store: Store, metrics: Metrics, mut waiting: mpsc::Receiver<NewEvent>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        write_batch(&store, &metrics, &batch, &waiting).await;
        batch.clear();
        if !waiting.is_closed() {
            sleep(GATHER).await;
        }
    }
}

/// While the server runs, a batch that cannot be written is tried again; events meanwhile wait in
/// the queue.
async fn write_batch(
    store: &Store,
    metrics: &Metrics,
    batch: &[NewEvent],
    waiting: &mpsc::Receiver<NewEvent>,
) {
    let mut tries = 0;
    loop {
        let Err(error) = store.taking(store.log_events(batch)).await else {
            return;
        };
        // A full disk is waited for, and said by whoever watches it.
        let is_full = matches!(error, StoreError::DiskFull);
        tries += u32::from(!is_full);
        if tries >= TRIES_MAX || waiting.is_closed() {
            tracing::error!(events = batch.len(), %error, "events not kept");
            metrics.events_dropped(Dropped::WriteFailed, batch.len() as u64);
            return;
        }
        if !is_full {
            tracing::warn!(events = batch.len(), %error, tries, "events not written; trying again");
        }
        sleep(RETRY_AFTER).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Command;
    use ledger::conformance::POLICY;
    use protocol::{TokenHash, UnixMillis};

    #[tokio::test]
    async fn a_full_queue_neither_waits_nor_fails_and_is_counted() {
        let metrics = Metrics::default();
        let (events, mut waiting) = Events::new(metrics.clone(), 2);
        let session = SessionId::from_parts(UnixMillis::new(0), [0; 10]);
        for _ in 0..5 {
            events.note(session, Event::Discarded);
        }
        assert!(metrics.text().contains("holdfast_events_dropped_total{reason=\"queue_full\"} 3"));
        let mut kept = Vec::new();
        assert_eq!(waiting.recv_many(&mut kept, 10).await, 2);
        events.note(session, Event::Discarded);
        assert!(waiting.try_recv().is_ok(), "a queue with room takes events again");
    }

    #[tokio::test]
    async fn what_was_noted_before_the_end_is_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("test.db"), None, POLICY).await.unwrap();
        let session = SessionId::from_parts(UnixMillis::new(0), [1; 10]);
        let now = UnixMillis::new(0);
        let create = Command::Create { token: TokenHash([0; 32]), started_at: now };
        store.carry_out(session, &create, now).await.unwrap();
        let (events, writer) = Events::start(store.clone(), Metrics::default());
        for seq in 0..1_000 {
            events.note(session, Event::DigestConflict { seq: protocol::Seq::new(seq) });
        }
        drop(events);
        writer.await.unwrap();
        assert_eq!(store.events(session).await.unwrap().len(), 1_001);
    }
}

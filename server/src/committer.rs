//! One task that commits what connections bring: everything that waits, as one transaction. Connections
//! take turns, so that one that brings much does not hold up one that brings little. Signs of life ride
//! along, once a second.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ledger::{Append, Appended, By, Command, Ledger as _};
use protocol::SessionId;
use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::clock;
use crate::config::Limit;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// What may wait to be taken over by the task; more make their connections wait.
const QUEUE_MAX: usize = 1024;
/// Bytes that one transaction takes, headers included.
const BATCH_BYTES_MAX: usize = 16 * ITEM_PAYLOAD_BYTES_MAX;
/// Items that one transaction takes: whoever comes meanwhile waits for them.
const BATCH_ITEMS_MAX: usize = 2_000;
/// How often signs of life are written down; more often where silence is noticed sooner.
const HEARTBEATS_EVERY: Duration = Duration::from_secs(1);
/// Signs of life in one transaction.
const HEARTBEATS_AT_ONCE: usize = 2_000;

/// The items could not be stored; nothing is acked, and the client will send them again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    #[error("the disk is full")]
    DiskFull,
    #[error("the items could not be stored: {0}")]
    Failed(Arc<str>),
    /// They are not even tried.
    #[error("past a limit: {}", .0.as_str())]
    Past(Limit),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Refused(_)
            | StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::Corrupt(_) => Self::Failed(error.to_string().into()),
        }
    }
}

/// One connection, or one request: what comes by it is committed in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane(u64);

#[derive(Debug)]
enum Brought {
    Items(Lane, Waiting),
    Heartbeat(SessionId, By),
}

#[derive(Debug)]
struct Waiting {
    append: Append,
    reply: oneshot::Sender<Result<Appended, CommitError>>,
}

/// A handle to the task. When the last one is dropped, the task commits what waits and ends.
#[derive(Debug, Clone)]
pub struct Committer {
    queue: mpsc::Sender<Brought>,
    lanes: Arc<AtomicU64>,
}

impl Committer {
    /// Silence is noticed after `silence_max`: signs of life are written down well before.
    pub fn start(store: Store, metrics: Metrics, silence_max: Duration) -> (Self, JoinHandle<()>) {
        let (queue, brought) = mpsc::channel(QUEUE_MAX);
        let every = HEARTBEATS_EVERY.min(silence_max / 4).max(Duration::from_millis(10));
        let task = tokio::spawn(commit(store, metrics, brought, every));
        (Self { queue, lanes: Arc::default() }, task)
    }

    pub fn lane(&self) -> Lane {
        Lane(self.lanes.fetch_add(1, Ordering::Relaxed))
    }

    /// Resolves once every item is durable or refused.
    pub async fn append(&self, lane: Lane, append: Append) -> Result<Appended, CommitError> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| CommitError::Failed("the committer has ended".into());
        let brought = Brought::Items(lane, Waiting { append, reply });
        self.queue.send(brought).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    /// Notes a sign of life within a second. Nobody waits for it; where there is no room for it, the next
    /// one will do.
    pub fn heartbeat(&self, session: SessionId, by: By) {
        drop(self.queue.try_send(Brought::Heartbeat(session, by)));
    }
}

async fn commit(
    store: Store,
    metrics: Metrics,
    mut brought: mpsc::Receiver<Brought>,
    every: Duration,
) {
    let (mut turns, mut heartbeats) = (Turns::default(), HashMap::new());
    let mut noted_at = tokio::time::Instant::now();
    loop {
        if turns.is_empty() {
            tokio::select! {
                one = brought.recv() => match one {
                    Some(one) => turns.take(one, &mut heartbeats),
                    None => break,
                },
                () = sleep_until(noted_at + every), if !heartbeats.is_empty() => {}
            }
        }
        while let Ok(one) = brought.try_recv() {
            turns.take(one, &mut heartbeats);
        }
        let batch = turns.next_batch();
        if !batch.is_empty() {
            write(&store, &metrics, batch).await;
        }
        // Also while items never cease.
        if noted_at.elapsed() >= every {
            note_heartbeats(&store, &mut heartbeats).await;
            noted_at = tokio::time::Instant::now();
        }
    }
    note_heartbeats(&store, &mut heartbeats).await;
}

/// What waits, by connection.
#[derive(Debug, Default)]
struct Turns {
    /// Whose turn comes when.
    order: VecDeque<Lane>,
    waiting: HashMap<Lane, VecDeque<Waiting>>,
}

impl Turns {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn take(&mut self, brought: Brought, heartbeats: &mut HashMap<SessionId, By>) {
        match brought {
            Brought::Items(lane, waiting) => {
                let queue = self.waiting.entry(lane).or_default();
                if queue.is_empty() {
                    self.order.push_back(lane);
                }
                queue.push_back(waiting);
            }
            Brought::Heartbeat(session, by) => {
                heartbeats.insert(session, by);
            }
        }
    }

    /// One append of each connection, and again, until the transaction is full. One append alone may
    /// be above the limits.
    fn next_batch(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes, mut items) = (Vec::new(), 0, 0);
        while bytes < BATCH_BYTES_MAX
            && items < BATCH_ITEMS_MAX
            && let Some(lane) = self.order.pop_front()
        {
            let Some(queue) = self.waiting.get_mut(&lane) else { continue };
            let Some(next) = queue.front() else { continue };
            let more = next.append.items.len();
            if !batch.is_empty() && items + more > BATCH_ITEMS_MAX {
                self.order.push_front(lane);
                break;
            }
            if let Some(next) = queue.pop_front() {
                items += more;
                bytes += next.append.counted_bytes();
                batch.push(next);
            }
            if queue.is_empty() {
                self.waiting.remove(&lane);
            } else {
                self.order.push_back(lane);
            }
        }
        batch
    }
}

async fn write(store: &Store, metrics: &Metrics, batch: Vec<Waiting>) {
    let started = Instant::now();
    let appends: Vec<&Append> = batch.iter().map(|one| &one.append).collect();
    match store.append(&appends, clock::wall()).await {
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
                drop(one.reply.send(Err(CommitError::DiskFull)));
            }
        }
        Err(error) => write_one_by_one(store, metrics, batch, &error).await,
    }
}

/// A batch that failed as a whole is tried append by append, so that one session's trouble is not
/// another's.
async fn write_one_by_one(
    store: &Store,
    metrics: &Metrics,
    batch: Vec<Waiting>,
    cause: &StoreError,
) {
    tracing::warn!(%cause, appends = batch.len(), "a commit failed; trying one by one");
    for one in batch {
        let started = Instant::now();
        let result = match store.append(&[&one.append], clock::wall()).await {
            Ok(mut results) => {
                metrics.committed(&[&one.append], &results, started.elapsed());
                results.pop().ok_or_else(|| CommitError::Failed("the store gave no result".into()))
            }
            Err(error) => {
                tracing::error!(session = %one.append.session, %error, "items not stored");
                Err(CommitError::from(error))
            }
        };
        drop(one.reply.send(result));
    }
}

/// A failure is no reason to end connections that work.
async fn note_heartbeats(store: &Store, heartbeats: &mut HashMap<SessionId, By>) {
    let commands: Vec<(SessionId, Command)> =
        heartbeats.drain().map(|(id, by)| (id, Command::Heartbeat { by })).collect();
    for commands in commands.chunks(HEARTBEATS_AT_ONCE) {
        match store.carry_out_all(commands, clock::wall()).await {
            // One of an older writer is refused, and its connection is told so by the next item.
            Ok(_) | Err(StoreError::DiskFull) => {}
            Err(error) => {
                tracing::warn!(sessions = commands.len(), %error, "signs of life not noted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, World};
    use bytes::Bytes;
    use protocol::event::Transport;
    use protocol::limits::ITEM_HEADER_BYTES_COUNTED;
    use protocol::{Content, Epoch, Item, Marker, Millis, SegmentNo, Seq, TrackNo, UnixMillis};
    use tokio_util::sync::CancellationToken;

    fn waiting(seqs: std::ops::Range<u64>) -> Waiting {
        let session = SessionId::from_parts(UnixMillis::new(0), [0; 10]);
        let by = By::Writer(Epoch::new(1));
        let marker = |seq| Item::new(Seq::new(seq), Millis::ZERO, Content::Marker(Marker::Paused));
        let transport = Transport::WebSocket;
        let append = Append { session, by, transport, items: seqs.map(marker).collect() };
        Waiting { append, reply: oneshot::channel().0 }
    }

    fn turns(brought: impl IntoIterator<Item = (u64, std::ops::Range<u64>)>) -> Turns {
        let mut turns = Turns::default();
        for (lane, seqs) in brought {
            turns.take(Brought::Items(Lane(lane), waiting(seqs)), &mut HashMap::new());
        }
        turns
    }

    fn firsts(batch: &[Waiting]) -> Vec<u64> {
        batch.iter().map(|one| one.append.items[0].seq.get()).collect()
    }

    #[test]
    fn connections_take_turns_and_each_stays_in_order() {
        let flood = (0..20).map(|nth| (1, 256 * nth..256 * (nth + 1)));
        let mut turns = turns(flood.chain([(2, 9_000..9_001), (2, 9_001..9_002)]));
        let batch = turns.next_batch();
        assert_eq!(firsts(&batch), [0, 9_000, 256, 9_001, 512, 768, 1_024, 1_280, 1_536]);
        assert_eq!(firsts(&turns.next_batch()), (7..14).map(|nth| 256 * nth).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn signs_of_life_are_noted_while_items_never_cease() {
        let world = World::new().await;
        let (busy, quiet) = (world.create(1).await, world.create(2).await);
        let silence_max = Duration::from_millis(200);
        let (committer, _task) =
            Committer::start(world.store.clone(), Metrics::default(), silence_max);
        let by = By::Writer(Epoch::new(0));
        let flooding = CancellationToken::new();
        let floods = (0..4).map(|lane_no| {
            let (committer, flooding) = (committer.clone(), flooding.clone());
            tokio::spawn(async move {
                let lane = committer.lane();
                for seq in (lane_no..).step_by(4) {
                    if flooding.is_cancelled() {
                        break;
                    }
                    let Waiting { append, .. } = waiting(seq..seq + 1);
                    let append = Append { session: busy, by, ..append };
                    committer.append(lane, append).await.unwrap().unwrap();
                }
            })
        });
        let floods: Vec<_> = floods.collect();
        committer.heartbeat(quiet, by);
        let noted = async {
            while world.store.session(quiet).await.unwrap().last_heartbeat_at <= START {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noted).await.unwrap();
        flooding.cancel();
        for flood in floods {
            flood.await.unwrap();
        }
    }

    #[test]
    fn a_transaction_takes_as_many_items_as_the_limit_and_no_more() {
        let half = BATCH_ITEMS_MAX as u64 / 2;
        let mut exactly = turns([(1, 0..half), (2, half..2 * half), (3, 0..1)]);
        assert_eq!(exactly.next_batch().len(), 2);
        assert_eq!(exactly.next_batch().len(), 1);
        let mut past = turns([(1, 0..half), (2, 0..half + 1)]);
        assert_eq!(past.next_batch().len(), 1);
        assert_eq!(past.next_batch().len(), 1);
        assert!(past.is_empty() && past.waiting.is_empty());
    }

    #[test]
    fn headers_fill_a_transaction_too() {
        let fit = BATCH_BYTES_MAX / ITEM_PAYLOAD_BYTES_MAX;
        let full = ITEM_PAYLOAD_BYTES_MAX - ITEM_HEADER_BYTES_COUNTED;
        for (payload_bytes, appends) in [(full, fit), (full - 1, fit + 1)] {
            let bytes = Bytes::from(vec![0; payload_bytes]);
            let (track, segment) = (TrackNo::new(0), SegmentNo::new(0));
            let content = Content::Chunk { track, segment, bytes };
            let item = Item::new(Seq::new(0), Millis::ZERO, content);
            let mut turns = turns((0..2 * fit as u64).map(|lane| (lane, 0..1)));
            for queue in turns.waiting.values_mut() {
                queue[0].append.items[0] = item.clone();
            }
            assert_eq!(turns.next_batch().len(), appends, "{payload_bytes}");
        }
    }
}

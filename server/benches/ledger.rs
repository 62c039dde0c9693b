//! Durable items a second: the ledger beside the two usual ways of storing chunks, a file and an
//! fsync for each, and one append-only file with a group fdatasync.
//!
//! `HOLDFAST_BENCH_DIR` chooses the disk; the system's folder for temporary files may be memory.

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use ledger::conformance::POLICY;
use ledger::rules::Policy;
use ledger::{Append, By, Command};
use protocol::event::Transport;
use protocol::message::Opening;
use protocol::{
    Content, Epoch, Item, Millis, SegmentNo, Seq, SessionId, SessionToken, TrackNo, UnixMillis,
};
use server::committer::Committer;
use server::metrics::Metrics;
use server::store::Store;
use tempfile::TempDir;

const PAYLOAD_BYTES: [usize; 2] = [6 * 1024, 300 * 1024];
const BATCHES: [u64; 3] = [1, 50, 200];

fn folder() -> TempDir {
    let parent = std::env::var_os("HOLDFAST_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    TempDir::new_in(parent).expect("the bench folder can be made")
}

/// Different bytes in every item, so that nothing below can compress or share them.
fn payload(seq: u64, bytes: usize) -> Bytes {
    let mut state = seq;
    (0..bytes.div_ceil(8))
        .flat_map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            state.to_le_bytes()
        })
        .take(bytes)
        .collect()
}

fn item(seq: u64, bytes: usize) -> Item {
    let content = Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: payload(seq, bytes),
    };
    Item::new(Seq::new(seq), Millis::new(seq), content)
}

struct OpenLedger {
    _folder: TempDir,
    committer: Committer,
    session: SessionId,
    epoch: Epoch,
    next_seq: u64,
}

impl OpenLedger {
    async fn new() -> Self {
        let folder = folder();
        let policy = Policy { session_bytes_max: u64::MAX, ..POLICY };
        let store = Store::open(&folder.path().join("bench.db"), None, policy)
            .await
            .expect("the store opens");
        let now = UnixMillis::new(1_795_257_600_000);
        let session = SessionId::from_parts(now, [1; 10]);
        let open = Command::Open {
            token: SessionToken::from_random([2; 32]).hash(),
            opening: Opening::New { started_at: now },
            transport: Transport::WebSocket,
        };
        let opened = store.carry_out(session, &open, now).await.expect("the session opens");
        let (committer, _committing) =
            Committer::start(store, Metrics::default(), Duration::from_secs(30));
        let epoch = opened.after.epoch;
        Self { _folder: folder, committer, session, epoch, next_seq: 0 }
    }

    fn items(&mut self, batch: u64, bytes: usize) -> Vec<Item> {
        let first = self.next_seq;
        self.next_seq += batch;
        (first..first + batch).map(|seq| item(seq, bytes)).collect()
    }

    /// As many connections, each with one item, at the same time.
    async fn append(&self, items: Vec<Item>) {
        let appends = items.into_iter().map(|item| {
            let (by, transport) = (By::Writer(self.epoch), Transport::WebSocket);
            let append = Append { session: self.session, by, transport, items: vec![item] };
            self.committer.append(self.committer.lane(), append)
        });
        for appended in futures::future::join_all(appends).await {
            black_box(appended.expect("the items are stored").expect("they are judged"));
        }
    }
}

fn ledger(group: &mut BenchmarkGroup<'_, WallTime>, batch: u64, bytes: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    group.bench_function(BenchmarkId::new("ledger", batch), |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let mut open = OpenLedger::new().await;
                let mut elapsed = Duration::ZERO;
                for _ in 0..rounds {
                    let items = open.items(batch, bytes);
                    let started = std::time::Instant::now();
                    open.append(items).await;
                    elapsed += started.elapsed();
                }
                elapsed
            })
        });
    });
}

fn file_an_item(group: &mut BenchmarkGroup<'_, WallTime>, batch: u64, bytes: usize) {
    group.bench_function(BenchmarkId::new("file an item, fsync each", batch), |bencher| {
        let folder = folder();
        let mut number = 0;
        let store = |payloads: Vec<Bytes>| {
            for payload in payloads {
                let path = folder.path().join(format!("{number}"));
                let mut file = File::create(path).expect("the file can be made");
                file.write_all(&payload).expect("the file can be written");
                file.sync_all().expect("the file can be synced");
                number += 1;
            }
            File::open(folder.path()).and_then(|dir| dir.sync_all()).expect("the folder syncs");
        };
        bencher.iter_batched(|| payloads(batch, bytes), store, BatchSize::PerIteration);
    });
}

fn append_only(group: &mut BenchmarkGroup<'_, WallTime>, batch: u64, bytes: usize) {
    group.bench_function(BenchmarkId::new("append-only, group fdatasync", batch), |bencher| {
        let folder = folder();
        let mut file = File::create(folder.path().join("journal")).expect("the file can be made");
        let store = |payloads: Vec<Bytes>| {
            for payload in payloads {
                file.write_all(&payload).expect("the file can be written");
            }
            file.sync_data().expect("the file can be synced");
        };
        bencher.iter_batched(|| payloads(batch, bytes), store, BatchSize::PerIteration);
    });
}

fn payloads(batch: u64, bytes: usize) -> Vec<Bytes> {
    (0..batch).map(|seq| payload(seq, bytes)).collect()
}

fn durable_items(criterion: &mut Criterion) {
    for bytes in PAYLOAD_BYTES {
        let mut group = criterion.benchmark_group(format!("durable items of {} KB", bytes / 1024));
        group.sample_size(10).warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(3));
        for batch in BATCHES {
            group.throughput(Throughput::Elements(batch));
            ledger(&mut group, batch, bytes);
            file_an_item(&mut group, batch, bytes);
            append_only(&mut group, batch, bytes);
        }
        group.finish();
    }
}

criterion_group!(benches, durable_items);
criterion_main!(benches);

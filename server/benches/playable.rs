//! From "stop" to a recording that plays, through a server as candidates reach it: the end is asked for,
//! and the first bytes of the file are had. The sound and the picture are what a browser recorded,
//! repeated, in chunks as long as a browser's. Prints rows of a table.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]
#![expect(clippy::wildcard_enum_match_arm, reason = "it says which message it expects")]

#[path = "../tests/it/harness.rs"]
#[expect(dead_code, reason = "it is made for the tests, which need more of it")]
mod harness;

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Candidate, Socket, TestServer, chunk, fixture_chunks, segment_start};
use media::Stitcher;
use media::limits::FILE_BUFFER_BYTES;
use protocol::Seq;
use tempfile::NamedTempFile;

const ROUNDS: u8 = 3;
/// Items that are on their way at the same time.
const BATCH: usize = 100;
/// What a browser puts into a chunk.
const CHUNK_MS: u64 = 120;
/// What of a recording comes when all before it has been stitched: two seconds of it.
const TAIL_CHUNKS: usize = 2_000 / CHUNK_MS as usize;
/// What is being stitched has come to rest when its file has not grown for so long.
const AT_REST: Duration = Duration::from_secs(5);
const LOOKED_EVERY: Duration = Duration::from_millis(250);
const ASKED_EVERY: Duration = Duration::from_millis(2);

/// What is recorded.
#[derive(Clone, Copy)]
struct Source {
    label: &'static str,
    fixture: &'static str,
    /// What a browser records in [`CHUNK_MS`].
    chunk_bytes: u64,
}

const AUDIO: Source = Source { label: "audio", fixture: "beep1", chunk_bytes: 1_966 };
const VIDEO: Source = Source { label: "video", fixture: "b_vp8", chunk_bytes: 24_000 };

/// How the chunks come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The server keeps up, as it does while somebody speaks; the last seconds come with the stop.
    AsRecorded,
    /// All at once, and then the stop: from a page that was offline all the time.
    AllAtOnce,
}

struct Times {
    playable: Duration,
    receipt: Duration,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("| recorded | length | size | chunks come | stop to playable | stop to receipt |");
    println!("|---|---|---|---|---|---|");
    let minutes = [1, 10, 60, 180];
    let curve = [AUDIO, VIDEO]
        .into_iter()
        .flat_map(|source| minutes.map(|minutes| (source.as_long_as(minutes), Pace::AsRecorded)));
    let gigabyte = VIDEO.as_large_as(1_000_000_000);
    let rest = [
        (gigabyte, Pace::AsRecorded),
        (AUDIO.as_long_as(60), Pace::AllAtOnce),
        (VIDEO.as_large_as(1_000_000_000), Pace::AllAtOnce),
    ];
    for ((source, chunks), pace) in curve.chain(rest) {
        let run = one_run(&source, chunks * source.chunk_bytes);
        let measure = |round| runtime.block_on(stop_to_playable(&source, run.path(), pace, round));
        let (mut playable, mut receipt): (Vec<_>, Vec<_>) =
            (0..ROUNDS).map(measure).map(|times| (times.playable, times.receipt)).unzip();
        let megabytes = (chunks * source.chunk_bytes) as f64 / 1e6;
        let length = Duration::from_millis(chunks * CHUNK_MS).as_secs_f64() / 60.0;
        let come = match pace {
            Pace::AsRecorded => "as recorded",
            Pace::AllAtOnce => "all at once",
        };
        let (playable, receipt) = (median_ms(&mut playable), median_ms(&mut receipt));
        println!(
            "| {} | {length:.0} min | {megabytes:.0} MB | {come} | {playable:.0} ms | {receipt:.0} ms |",
            source.label
        );
    }
}

impl Source {
    /// With the number of its chunks.
    fn as_long_as(self, minutes: u64) -> (Self, u64) {
        (self, minutes * 60_000 / CHUNK_MS)
    }

    fn as_large_as(self, bytes: u64) -> (Self, u64) {
        let chunks = bytes / self.chunk_bytes;
        (self, chunks)
    }
}

fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

async fn stop_to_playable(source: &Source, run: &Path, pace: Pace, round: u8) -> Times {
    let server = TestServer::start().await;
    let candidate = Candidate::new(round);
    let (mut socket, _) = candidate.open(&server).await;
    let mut run = File::open(run).expect("the run was written");
    let bytes = run.metadata().expect("a file").len();
    let tail_bytes = TAIL_CHUNKS as u64 * source.chunk_bytes;
    let mut next = 1;
    let mut items = vec![segment_start(0, 0)];
    let first = if pace == Pace::AsRecorded { bytes.saturating_sub(tail_bytes) } else { bytes };
    next = deliver(&mut socket, &mut run, source, first, next, &mut items).await;
    if pace == Pace::AsRecorded {
        stitched_ahead(&server).await;
        next = deliver(&mut socket, &mut run, source, bytes, next, &mut items).await;
    }
    let path = server.url(&format!("/api/sessions/{}/recording", candidate.session));
    let stopped = Instant::now();
    let playable = async {
        loop {
            let first = server.http.get(path.clone()).header("range", "bytes=0-65535");
            let first = first.send().await.expect("the server answers");
            if first.status() == 206 {
                assert_eq!(first.bytes().await.expect("its first bytes are sent").len(), 65_536);
                return stopped.elapsed();
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    };
    let receipt = async {
        let receipt = socket.finish_completely(Seq::new(next - 1)).await;
        (stopped.elapsed(), receipt)
    };
    let (playable, (took, receipt)) = tokio::join!(playable, receipt);
    assert!(receipt.bytes > bytes / 2, "the recording lacks something: {receipt:?}");
    Times { playable, receipt: took }
}

/// The chunks of a run up to this byte; `next` is the number of the first, what is returned that of the
/// next.
async fn deliver(
    socket: &mut Socket,
    run: &mut File,
    source: &Source,
    until: u64,
    mut next: u64,
    items: &mut Vec<protocol::Item>,
) -> u64 {
    while run.stream_position().unwrap() < until {
        let mut piece = Vec::new();
        let mut portion = (&*run).take(source.chunk_bytes);
        portion.read_to_end(&mut piece).expect("a readable run");
        items.push(chunk(next, 0, &piece));
        next += 1;
        if items.len() >= BATCH {
            socket.deliver(std::mem::take(items)).await;
        }
    }
    socket.deliver(std::mem::take(items)).await;
    next
}

/// Waits until the server has stitched what there is.
async fn stitched_ahead(server: &TestServer) {
    let scratch = server.folder.path().join("scratch");
    let bytes = || {
        let files = std::fs::read_dir(&scratch).expect("the server has a folder for it");
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum::<u64>()
    };
    let (mut last, mut since) = (bytes(), Instant::now());
    while since.elapsed() < AT_REST {
        tokio::time::sleep(LOOKED_EVERY).await;
        let now = bytes();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// One recorder run of about so many bytes.
fn one_run(source: &Source, bytes: u64) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file for the input");
    let out = BufWriter::with_capacity(FILE_BUFFER_BYTES, file.reopen().expect("the same file"));
    let recorded = fixture_chunks(source.fixture).concat();
    let mut stitcher = Stitcher::new(out).expect("room");
    for _ in 0..bytes.div_ceil(recorded.len() as u64) {
        stitcher.begin_segment().expect("no segment is open");
        stitcher.push(&recorded).expect("room");
        stitcher.end_segment().expect("room");
    }
    let (mut out, _) = stitcher.finish().expect("there are packets").accept(|_| ());
    out.flush().expect("room");
    file
}

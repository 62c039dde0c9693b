//! From "stop" to a recording that plays, through a server as candidates reach it: the last item is
//! acked, the end is asked for, and the first bytes of the file are had. The sound and the picture are
//! what a browser recorded, repeated, in chunks as long as a browser's. Prints rows of a table.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]
#![expect(clippy::wildcard_enum_match_arm, reason = "it says which message it expects")]

#[path = "../tests/it/harness.rs"]
#[expect(dead_code, reason = "it is made for the tests, which need more of it")]
mod harness;

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Candidate, TestServer, chunk, fixture_chunks, segment_start};
use media::Stitcher;
use media::limits::FILE_BUFFER_BYTES;
use protocol::Seq;
use tempfile::NamedTempFile;

const ROUNDS: u8 = 3;
/// Items that are on their way at the same time.
const BATCH: usize = 100;

struct Input {
    label: &'static str,
    fixture: &'static str,
    bytes: u64,
    /// What a browser records in 120 ms.
    chunk_bytes: usize,
}

const INPUTS: [Input; 2] = [
    Input { label: "1 h of audio", fixture: "beep1", bytes: 59_000_000, chunk_bytes: 1_966 },
    Input { label: "1 GB of video", fixture: "b_vp8", bytes: 1_000_000_000, chunk_bytes: 24_000 },
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("| input | chunks | stop to playable |");
    println!("|---|---|---|");
    for input in INPUTS {
        let run = one_run(&input);
        let mut times = Vec::new();
        let mut chunks = 0;
        for round in 0..ROUNDS {
            let (count, took) = runtime.block_on(stop_to_playable(&input, run.path(), round));
            chunks = count;
            times.push(took);
        }
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1_000.0;
        println!("| {} | {chunks} | {median:.0} ms |", input.label);
    }
}

async fn stop_to_playable(input: &Input, run: &Path, round: u8) -> (u64, Duration) {
    let server = TestServer::start().await;
    let candidate = Candidate::new(round);
    let (mut socket, _) = candidate.open(&server).await;
    let run = File::open(run).expect("the run was written");
    let mut items = vec![segment_start(0, 0)];
    let mut next = 1;
    loop {
        let mut piece = Vec::with_capacity(input.chunk_bytes);
        let mut portion = (&run).take(input.chunk_bytes as u64);
        let read = portion.read_to_end(&mut piece).expect("a readable run");
        if read > 0 {
            items.push(chunk(next, 0, &piece));
            next += 1;
        }
        if items.len() >= BATCH || read == 0 {
            socket.deliver(std::mem::take(&mut items)).await;
        }
        if read == 0 {
            break;
        }
    }
    let started = Instant::now();
    let receipt = socket.finish_completely(Seq::new(next - 1)).await;
    let path = format!("/api/sessions/{}/recording", candidate.session);
    let first = server.http.get(server.url(&path)).header("range", "bytes=0-65535");
    let first = first.send().await.expect("the recording is there");
    assert_eq!(first.status(), 206);
    assert_eq!(first.bytes().await.expect("its first bytes are sent").len(), 65_536);
    let took = started.elapsed();
    assert!(receipt.bytes > input.bytes / 2, "the recording lacks something: {receipt:?}");
    (next - 1, took)
}

/// One recorder run of about so many bytes.
fn one_run(input: &Input) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file for the input");
    let out = BufWriter::with_capacity(FILE_BUFFER_BYTES, file.reopen().expect("the same file"));
    let recorded = fixture_chunks(input.fixture).concat();
    let mut stitcher = Stitcher::new(out).expect("room");
    for _ in 0..input.bytes.div_ceil(recorded.len() as u64) {
        stitcher.begin_segment().expect("no segment is open");
        stitcher.push(&recorded).expect("room");
        stitcher.end_segment().expect("room");
    }
    let (mut out, _) = stitcher.finish().expect("there are packets").accept(|_| ());
    out.flush().expect("room");
    file
}

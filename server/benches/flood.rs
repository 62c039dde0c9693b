//! How long an honest recorder waits for its acks while others flood the server with markers, the items
//! that cost most beside their bytes. Prints rows of a table, and ends by itself.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]
#![expect(clippy::wildcard_enum_match_arm, reason = "it says which message it expects")]

#[path = "../tests/it/harness.rs"]
#[expect(dead_code, reason = "it is made for the tests, which need more of it")]
mod harness;

use std::time::{Duration, Instant};

use harness::{Candidate, TestServer, chunk};
use protocol::{ClientMessage, Content, Item, Marker, Millis, Seq, ServerMessage};
use tokio_util::sync::CancellationToken;

const FLOODERS: [u8; 2] = [0, 16];
/// What one message holds at most.
const MARKERS: u64 = protocol::limits::ITEMS_PER_MESSAGE_MAX as u64;
/// Messages that a flooder has on their way at the same time.
const AHEAD: u64 = 16;
const HONEST_ITEMS: u64 = 100;
const HONEST_EVERY: Duration = Duration::from_millis(100);
const HONEST_BYTES: usize = 6 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| flooding sockets | their markers a second | honest ack: median | p99 | most |");
    println!("|---|---|---|---|---|");
    for flooders in FLOODERS {
        runtime.block_on(measure(flooders));
    }
}

async fn measure(flooders: u8) {
    let server = TestServer::start().await;
    let (stop, mut floods) = (CancellationToken::new(), Vec::new());
    for number in 0..flooders {
        let (socket, _) = Candidate::new(100 + number).open(&server).await;
        floods.push(tokio::spawn(flood(socket, stop.clone())));
    }
    let began = Instant::now();
    let (mut honest, _) = Candidate::new(1).open(&server).await;
    let mut times = Vec::new();
    for seq in 0..HONEST_ITEMS {
        tokio::time::sleep(HONEST_EVERY).await;
        let sent = Instant::now();
        honest.deliver(vec![chunk(seq, 0, &vec![7; HONEST_BYTES])]).await;
        times.push(sent.elapsed());
    }
    let took = began.elapsed();
    stop.cancel();
    let mut markers = 0;
    for flood in floods {
        markers += flood.await.unwrap();
    }
    times.sort_unstable();
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    let rate = markers as f64 / took.as_secs_f64();
    println!("| {flooders} | {rate:.0} | {} | {} | {} |", at(0.5), at(0.99), at(1.0));
}

/// As many markers as the server takes. Tells how many it acked.
async fn flood(mut socket: harness::Socket, stop: CancellationToken) -> u64 {
    let (mut sent, mut acked) = (0, 0);
    while !stop.is_cancelled() {
        while sent - acked < AHEAD * MARKERS {
            socket.send(&message(sent)).await;
            sent += MARKERS;
        }
        match socket.receive().await {
            Some(ServerMessage::Ack { seqs, .. }) => acked += seqs.len(),
            Some(ServerMessage::Refused(_)) | None => break,
            Some(_) => {}
        }
    }
    acked
}

fn message(first: u64) -> ClientMessage {
    let marker = |seq| Item::new(Seq::new(seq), Millis::ZERO, Content::Marker(Marker::Paused));
    ClientMessage::Items((first..first + MARKERS).map(marker).collect())
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

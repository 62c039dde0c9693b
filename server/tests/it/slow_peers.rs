//! Peers that do not read, say nothing, or are too many.

use std::time::Duration;

use futures::future::join_all;
use protocol::limits::ITEMS_PER_MESSAGE_MAX;
use protocol::message::Refusal;
use protocol::{ClientMessage, Item, ServerMessage};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::harness::{Candidate, NEW, PATIENCE, Socket, TestServer, chunk};
use crate::process::Process;

/// Items whose refusal takes far more room than an ack, so that what a peer does not read soon
/// fills every buffer on the way.
fn refused_items() -> Vec<u8> {
    let items: Vec<Item> =
        (0..ITEMS_PER_MESSAGE_MAX as u64).map(|n| chunk(u64::MAX - n, 0, b"far away")).collect();
    ClientMessage::Items(items).encode()
}

/// Sends and never reads, until the server takes nothing more for `standstill`, or cuts the
/// connection. Returns the bytes that were taken.
pub(crate) async fn does_not_read(deaf: &mut Socket, standstill: Duration) -> usize {
    let frame = refused_items();
    let mut bytes = 0;
    while let Ok(true) = timeout(standstill, deaf.try_send_frame(frame.clone())).await {
        bytes += frame.len();
    }
    bytes
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off_and_nobody_else_notices() {
    let folder = TempDir::new().unwrap();
    let options = ["--heartbeat-timeout", "3s", "--grace", "1h"];
    let server = Process::start(folder.path(), &options).await;
    let (deaf, healthy) = (Candidate::new(1), Candidate::new(2));
    let mut socket = deaf.open_deaf(&server).await;
    let (mut other, _) = healthy.open(&server).await;
    let started = Instant::now();
    let not_reading = does_not_read(&mut socket, PATIENCE);
    let working = async {
        for seq in 0..40 {
            other.deliver(vec![chunk(seq, 0, b"healthy")]).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (_, ()) = tokio::join!(not_reading, working);
    assert!(started.elapsed() < PATIENCE, "it was never cut off");
    server.wait_for_status(deaf.session, "interrupted").await;
    assert_eq!(server.session(healthy.session).await["items"], 40);
    assert_eq!(server.lines_with("a peer that does not read is cut off"), 1);
}

#[tokio::test]
async fn a_peer_that_reads_late_still_hears_every_answer_before_the_goodbye() {
    const FRAMES: usize = 20;
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let mut socket = candidate.open_deaf(&server).await;
    for _ in 0..FRAMES {
        assert!(socket.try_send_frame(refused_items()).await);
    }
    // A second hello ends the connection; what follows it is not wanted any more.
    socket.send(&candidate.hello(NEW)).await;
    for _ in 0..FRAMES {
        socket.try_send_frame(refused_items()).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..FRAMES {
        assert!(matches!(socket.receive().await, Some(ServerMessage::Refused(_))));
    }
    assert_eq!(socket.expect_goodbye().await, Refusal::HelloExpected);
}

#[tokio::test]
async fn peers_that_do_not_read_take_a_bounded_part_of_the_memory() {
    const PEERS: u8 = 12;
    const BYTES_PER_PEER_MAX: u64 = 4 * 1024 * 1024;
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &[]).await;
    let mut deaf = Vec::new();
    for number in 1..=PEERS {
        deaf.push(Candidate::new(number).open_deaf(&server).await);
    }
    let before = server.resident_bytes();
    let standstill = Duration::from_millis(500);
    let taken = join_all(deaf.iter_mut().map(|socket| does_not_read(socket, standstill))).await;
    let taken: usize = taken.iter().sum();
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < u64::from(PEERS) * BYTES_PER_PEER_MAX, "{grown} bytes for {taken} received");
}

#[tokio::test]
async fn a_peer_that_opens_and_says_nothing_is_sent_away() {
    let server = TestServer::with_options(&["--heartbeat-timeout", "300ms"]).await;
    let started = Instant::now();
    let mut silent = server.connect().await;
    assert_eq!(silent.expect_goodbye().await, Refusal::Silent);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn as_many_connections_as_allowed_all_work_and_one_more_is_refused() {
    const CONNECTIONS: u8 = 150;
    let limit = CONNECTIONS.to_string();
    let server = TestServer::with_options(&["--connections-max", &limit]).await;
    let mut open = join_all((0..CONNECTIONS).map(|number| {
        let server = &server;
        async move { Candidate::new(number).open(server).await.0 }
    }))
    .await;
    let url = server.url("/api/ws").replace("http", "ws");
    let refused = tokio_tungstenite::connect_async(&url).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(response.status(), 503);
    let delivering = open.iter_mut().map(|socket| socket.deliver(vec![chunk(0, 0, b"mine")]));
    join_all(delivering).await;
}

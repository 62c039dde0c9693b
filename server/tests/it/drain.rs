//! SIGTERM in the middle of everything: what a deploy does.

use std::time::{Duration, Instant};

use futures::future::join_all;
use protocol::message::{Finish, Refusal};
use protocol::{ClientMessage, Item, Seq, SeqSet, ServerMessage};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::harness::{Api, Candidate, Socket, chunk, run};
use crate::process::Process;
use crate::slow_peers::does_not_read;

const CONNECTIONS: u8 = 60;
/// Acks after which a connection counts as being in the middle of its work.
const UNDER_WAY: u64 = 5;

/// Sends one item after the other, without waiting for acks, until it hears the goodbye.
async fn stream_until_goodbye(mut socket: Socket, under_way: &Semaphore) -> (SeqSet, SeqSet) {
    let (mut sent, mut acked) = (SeqSet::new(), SeqSet::new());
    let mut told = false;
    for seq in 0.. {
        if socket.try_send(&ClientMessage::Items(vec![chunk(seq, 0, &[7; 3000])])).await {
            sent.insert(Seq::new(seq));
        }
        // Some acks are always outstanding.
        while sent.len() - acked.len() > 8 {
            match socket.receive().await {
                Some(ServerMessage::Ack { seqs, .. }) => {
                    seqs.ranges().for_each(|range| acked.insert_range(range));
                    if !told && acked.len() >= UNDER_WAY {
                        told = true;
                        under_way.add_permits(1);
                    }
                }
                Some(ServerMessage::Goodbye(refusal)) => {
                    assert_eq!(refusal, Refusal::ShuttingDown);
                    return (sent, acked);
                }
                other => panic!("no goodbye before the end, but {other:?}"),
            }
        }
    }
    unreachable!("numbers do not end");
}

async fn opened(server: &Api, numbers: impl Iterator<Item = u8>) -> Vec<(Candidate, Socket)> {
    join_all(numbers.map(async |number| {
        let candidate = Candidate::new(number);
        let (socket, _) = candidate.open(server).await;
        (candidate, socket)
    }))
    .await
}

#[tokio::test]
async fn a_drain_acks_exactly_what_it_keeps_and_sends_everybody_away() {
    let folder = TempDir::new().unwrap();
    let mut server = Process::start(folder.path(), &[]).await;
    let (candidates, sockets): (Vec<_>, Vec<_>) =
        opened(&server, 1..=CONNECTIONS).await.into_iter().unzip();
    let under_way = Semaphore::new(0);
    let streams =
        join_all(sockets.into_iter().map(|socket| stream_until_goodbye(socket, &under_way)));
    let stopping = async {
        under_way.acquire_many(CONNECTIONS.into()).await.unwrap().forget();
        let asked = Instant::now();
        server.send_sigterm();
        let status = server.ended().await;
        (status, asked.elapsed())
    };
    let (streamed, (status, took)) = tokio::join!(streams, stopping);
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    assert_eq!(server.lines_with("cut off"), 0, "nobody had to be cut off");

    let server = Process::start(folder.path(), &[]).await;
    for (candidate, (sent, acked)) in candidates.iter().zip(streamed) {
        let (_, welcome) = candidate.open(&server).await;
        assert!(sent.len() > acked.len(), "nothing was on its way");
        assert_eq!(welcome.have, acked, "what is kept is not what was acked");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_cannot_hold_up_the_end() {
    let folder = TempDir::new().unwrap();
    let mut server = Process::start(folder.path(), &[]).await;
    let mut deaf = Candidate::new(1).open_deaf(&server).await;
    does_not_read(&mut deaf, Duration::from_millis(500)).await;
    // And one that is in the middle of a request.
    let half = tokio::net::TcpStream::connect(server.address).await.unwrap();
    half.try_write(b"POST /api/sessions HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = Instant::now();
    server.send_sigterm();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(9), "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_recording_in_the_making_ends_or_is_taken_up_by_the_next_start() {
    let folder = TempDir::new().unwrap();
    let mut server = Process::start(folder.path(), &[]).await;
    let mut finishing = Vec::new();
    for (candidate, mut socket) in opened(&server, 1..=6).await {
        let mut items: Vec<Item> = Vec::new();
        for segment in 0..8 {
            items.extend(run(items.len() as u64, segment, "beep1"));
        }
        let last = items.last().unwrap().seq;
        socket.deliver(items).await;
        let finish = Finish { last_seq: Some(last), lost: SeqSet::new() };
        finishing.push((candidate, socket, finish));
    }
    for (_, socket, finish) in &mut finishing {
        socket.send(&ClientMessage::Finish(finish.clone())).await;
    }
    for (_, socket, _) in &mut finishing {
        assert_eq!(socket.receive().await, Some(ServerMessage::Finalizing));
    }
    server.send_sigterm();
    assert_eq!(server.ended().await.code(), Some(0));
    let server = Process::start(folder.path(), &[]).await;
    for (candidate, ..) in finishing {
        server.wait_for_status(candidate.session, "completed").await;
    }
}

//! The program killed with -9 at awkward moments, and started again on what it left.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use ledger::limits::JOB_TRIES_MAX;
use protocol::message::Finish;
use protocol::{ClientMessage, Item, Seq, SeqSet, ServerMessage};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::harness::{Api, Candidate, Socket, chunk, database, eventually, payloads_left, run};
use crate::process::Process;

const KILLS: u32 = 10;
const CANDIDATES: u8 = 3;

/// A candidate that remembers what it sent and what was acked.
struct Streaming {
    candidate: Candidate,
    sent: SeqSet,
    acked: SeqSet,
}

fn item(seq: u64) -> Item {
    chunk(seq, 0, &[seq.to_le_bytes(); 200].concat())
}

impl Streaming {
    fn new(number: u8) -> Self {
        Self { candidate: Candidate::new(number), sent: SeqSet::new(), acked: SeqSet::new() }
    }

    /// Checks that the server has what it acked, once.
    async fn open(&mut self, server: &Api) -> Socket {
        let (socket, welcome) = self.candidate.open(server).await;
        assert!(self.acked.difference(&welcome.have).is_empty(), "acked items are gone");
        assert!(welcome.have.difference(&self.sent).is_empty(), "items that nobody sent");
        let session = server.session(self.candidate.session).await;
        assert_eq!(session["items"], welcome.have.len(), "an item is there twice");
        self.acked = welcome.have;
        socket
    }

    /// Sends again what the server lacks, then new items, until it is gone.
    async fn stream(&mut self, mut socket: Socket, acks: &Semaphore) {
        let first = self.sent.last().map_or(0, |last| last.get() + 1);
        let unacked = self.sent.difference(&self.acked);
        let unacked = unacked.ranges().flat_map(|range| range.start().get()..=range.end().get());
        for seq in unacked.collect::<Vec<_>>().into_iter().chain(first..) {
            self.sent.insert(Seq::new(seq));
            if !socket.try_send(&ClientMessage::Items(vec![item(seq)])).await {
                return;
            }
            // Two on their way at any time, so that the kill finds one before its ack.
            while self.sent.len() - self.acked.len() > 2 {
                match socket.receive().await {
                    Some(ServerMessage::Ack { seqs, .. }) => {
                        acks.add_permits(usize::try_from(seqs.len()).unwrap());
                        seqs.ranges().for_each(|range| self.acked.insert_range(range));
                    }
                    Some(other) => panic!("expected an ack, got {other:?}"),
                    None => return,
                }
            }
        }
    }
}

#[tokio::test]
async fn ten_kills_while_items_stream_lose_and_double_nothing() {
    let folder = TempDir::new().unwrap();
    let mut streams: Vec<Streaming> = (1..=CANDIDATES).map(Streaming::new).collect();
    for kill in 0..KILLS {
        let server = Process::start(folder.path(), &[]).await;
        let sockets = join_all(streams.iter_mut().map(|stream| stream.open(&server))).await;
        let acks = Semaphore::new(0);
        let streaming = streams.iter_mut().zip(sockets);
        let streaming = join_all(streaming.map(|(stream, socket)| stream.stream(socket, &acks)));
        let killing = async {
            // At another moment each time.
            acks.acquire_many(20 + 13 * kill).await.unwrap().forget();
            tokio::time::sleep(Duration::from_micros(700 * u64::from(kill))).await;
            server.kill().await;
        };
        tokio::join!(streaming, killing);
    }
    let server = Process::start(folder.path(), &[]).await;
    for stream in &mut streams {
        let mut socket = stream.open(&server).await;
        let last = stream.sent.last().unwrap();
        let all: Vec<Item> = (0..=last.get()).map(item).collect();
        // Everything once more: what is there is a duplicate, what is not is taken.
        for some in all.chunks(100) {
            socket.deliver(some.to_vec()).await;
        }
        let session = server.session(stream.candidate.session).await;
        assert_eq!(
            (&session["items"], &session["last_seq"]),
            (&all.len().into(), &last.get().into())
        );
        assert_eq!(session["missing"], serde_json::json!([]));
    }
}

/// Enough runs that making their file takes a while.
pub(crate) fn long_recording() -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for segment in 0..60 {
        items.extend(run(items.len() as u64, segment, "beep1"));
    }
    items
}

/// A server to which a session was handed over whole.
pub(crate) async fn handed_over(folder: &Path, candidate: &Candidate, items: &[Item]) -> Process {
    let server = Process::start(folder, &[]).await;
    let (mut socket, _) = candidate.open(&server).await;
    for some in items.chunks(100) {
        socket.deliver(some.to_vec()).await;
    }
    let last_seq = items.last().map(|item| item.seq);
    socket.send(&ClientMessage::Finish(Finish { last_seq, lost: SeqSet::new() })).await;
    assert_eq!(socket.receive().await, Some(ServerMessage::Finalizing));
    server
}

/// Kills the server as soon as the recording is being made, and not there yet.
pub(crate) async fn kill_while_it_is_made(server: Process, folder: &Path) {
    let scratch = folder.join("scratch");
    eventually("a file in the making", async || scratch.read_dir().unwrap().next().map(drop)).await;
    server.kill().await;
    assert!(!folder.join("recordings").exists(), "the kill came too late to prove anything");
    for left in scratch.read_dir().unwrap() {
        std::fs::remove_file(left.unwrap().path()).unwrap();
    }
}

/// Tries that never ended, and when the next may begin; `None` of a job that is done.
async fn tries(folder: &Path) -> Option<(u32, i64)> {
    sqlx::query_as("SELECT tries, begins_at FROM jobs WHERE kind = 'assemble'")
        .fetch_optional(&mut database(folder).await)
        .await
        .unwrap()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

#[tokio::test]
async fn a_kill_while_the_recording_is_made_is_made_good_by_the_next_start() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(1);
    let items = long_recording();
    let server = handed_over(folder.path(), &candidate, &items).await;
    kill_while_it_is_made(server, folder.path()).await;

    let server = Process::start(folder.path(), &[]).await;
    let session = server.wait_for_status(candidate.session, "completed").await;
    assert_eq!(session["receipt"]["items"], items.len());
    let file = server.get(session["recording_url"].as_str().unwrap()).await.bytes().await.unwrap();
    media::verify(std::io::Cursor::new(file)).unwrap();
    let (mut socket, _) = candidate.open(&server).await;
    socket.finish_completely(items.last().unwrap().seq).await;
}

#[tokio::test]
async fn a_recording_that_ends_the_server_waits_longer_each_time_and_clears_that_when_it_is_made() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(1);
    let mut server = handed_over(folder.path(), &candidate, &long_recording()).await;
    let mut waits = Vec::new();
    for kill in 1..=2_u32 {
        kill_while_it_is_made(server, folder.path()).await;
        assert_eq!(tries(folder.path()).await.unwrap().0, kill, "noted before it began");
        let started = now();
        server = Process::start(folder.path(), &[]).await;
        assert_eq!(server.lines_with("the next try waits"), 1);
        let (unended, begins_at) = tries(folder.path()).await.unwrap();
        assert_eq!(unended, kill, "waiting is no try");
        waits.push(begins_at - started);
    }
    assert!(waits[0] >= 2_000 && waits[1] >= 8_000, "{waits:?}");
    assert_eq!(server.session(candidate.session).await["status"], "finalizing");
    server.wait_for_status(candidate.session, "completed").await;
    let is_over = async || tries(folder.path()).await.is_none().then_some(());
    eventually("nothing is left of the job", is_over).await;
}

#[tokio::test]
async fn after_the_last_try_the_session_fails_in_words_and_keeps_its_chunks() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(1);
    let items = long_recording();
    let server = handed_over(folder.path(), &candidate, &items).await;
    kill_while_it_is_made(server, folder.path()).await;
    sqlx::query("UPDATE jobs SET tries = ?")
        .bind(JOB_TRIES_MAX)
        .execute(&mut database(folder.path()).await)
        .await
        .unwrap();

    let server = Process::start(folder.path(), &[]).await;
    let session = server.wait_for_status(candidate.session, "failed").await;
    let failure = session["failure"].as_str().unwrap();
    assert!(failure.contains("ended the server 5 times"), "{failure}");
    assert!(failure.contains("its chunks are kept"), "{failure}");
    let chunks = items.iter().filter(|item| item.payload_bytes() > 0).count();
    let left = payloads_left(folder.path(), candidate.session).await;
    assert_eq!(usize::try_from(left).unwrap(), chunks);
    // Its page asks again by itself; that is no reason to try.
    let (mut socket, _) = candidate.open(&server).await;
    let last = items.last().unwrap().seq;
    let answer = socket.finish(Some(last), SeqSet::new()).await;
    assert!(matches!(answer, ServerMessage::Failed(_)), "{answer:?}");
    // Somebody who looks after the server does.
    let path = format!("/api/sessions/{}/finish", candidate.session);
    let (status, session) = server.post(&path, serde_json::json!({})).await;
    assert_eq!((status, &session["status"]), (200, &"completed".into()));
}

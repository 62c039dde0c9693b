//! Long sessions are stitched while they go on: nobody sees a difference but in how soon they are done.

use protocol::{Content, Item, Seq, SeqSet, ServerMessage, SessionId};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::harness::{Candidate, Socket, TestServer, eventually, run};

/// Enough that it is worth while, and for more than the stitcher's write buffer.
const RUNS: u32 = 12;

/// Recorder runs one after the other.
fn runs(numbers: std::ops::Range<u32>) -> Vec<Item> {
    let items_each = run(0, 0, "b_vp8").len() as u64;
    numbers.flat_map(|number| run(u64::from(number) * items_each, number, "b_vp8")).collect()
}

/// In messages that are not too long.
async fn deliver(socket: &mut Socket, items: Vec<Item>) {
    for some in items.chunks(5) {
        socket.deliver(some.to_vec()).await;
    }
}

/// The file that these items become; what is missing between them is a hole.
fn stitched(items: &[Item]) -> Vec<u8> {
    let mut stitcher = media::Stitcher::new(std::io::Cursor::new(Vec::new())).unwrap();
    let mut before: Option<(u64, u32)> = None;
    for item in items {
        let seq = item.seq.get();
        let Content::Chunk { segment, bytes, .. } = &item.content else { continue };
        match before.replace((seq, segment.get())) {
            Some((last, same)) if same == segment.get() => {
                if last + 1 < seq {
                    stitcher.hole().unwrap();
                }
            }
            Some(_) => {
                stitcher.end_segment().unwrap();
                stitcher.begin_segment().unwrap();
            }
            None => stitcher.begin_segment().unwrap(),
        }
        stitcher.push(bytes).unwrap();
    }
    stitcher.end_segment().unwrap();
    stitcher.finish().unwrap().accept(|_| ()).0.into_inner()
}

async fn recording(server: &TestServer, id: SessionId) -> Vec<u8> {
    let response = server.get(&format!("/api/sessions/{id}/recording")).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().into()
}

/// Waits until so many bytes are in the making.
async fn stitched_ahead(server: &TestServer, bytes: u64) {
    let is_ahead = async || {
        let files = std::fs::read_dir(server.folder.path().join("scratch")).unwrap();
        let bytes_of = |file: std::io::Result<std::fs::DirEntry>| file?.metadata();
        let longest = files.filter_map(|file| bytes_of(file).ok()).map(|file| file.len()).max();
        longest.filter(|longest| *longest >= bytes).map(drop)
    };
    eventually("something is stitched ahead", is_ahead).await;
}

#[tokio::test]
async fn what_is_stitched_while_the_session_goes_on_is_not_read_again_at_its_end() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    deliver(&mut socket, runs(0..RUNS)).await;
    stitched_ahead(&server, 1_000_000).await;
    // Read again, this would break the recording.
    let database = server.folder.path().join("holdfast.db");
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE items SET payload = NULL WHERE kind = 'chunk' AND seq < 10")
        .execute(&mut connection)
        .await
        .unwrap();

    let rest = runs(RUNS..RUNS + 2);
    let last = rest.last().unwrap().seq;
    deliver(&mut socket, rest).await;
    let receipt = socket.finish_completely(last).await;
    let file = recording(&server, candidate.session).await;
    assert_eq!(file.len() as u64, receipt.bytes);
    assert!(file == stitched(&runs(0..RUNS + 2)), "the file is another one");
}

#[tokio::test]
async fn it_waits_at_a_gap_that_may_still_be_filled() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let (mut socket, _) = candidate.open(&server).await;
    let mut items = runs(0..RUNS);
    let last = items.last().unwrap().seq;
    let near_the_end = items.len() - 8;
    let (late, lost) = (items.remove(near_the_end), items.remove(near_the_end + 1));
    deliver(&mut socket, items.clone()).await;
    stitched_ahead(&server, 1_000_000).await;
    socket.deliver(vec![late.clone()]).await;
    let lost: SeqSet = std::iter::once(lost.seq).collect();
    let ServerMessage::Completed(receipt) = socket.finish(Some(last), lost.clone()).await else {
        panic!("no receipt");
    };
    assert_eq!(receipt.missing, lost);
    items.insert(near_the_end, late);
    assert!(recording(&server, candidate.session).await == stitched(&items), "another file");
}

#[tokio::test]
async fn a_restart_costs_nothing_but_time() {
    let mut server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let (mut socket, _) = candidate.open(&server).await;
    deliver(&mut socket, runs(0..RUNS)).await;
    stitched_ahead(&server, 1_000_000).await;
    drop(socket);
    server.restart().await;
    let (mut socket, welcome) = candidate.open(&server).await;
    let last = welcome.have.last().unwrap();
    assert_eq!(last, Seq::new(runs(0..RUNS).len() as u64 - 1));
    socket.finish_completely(last).await;
    assert!(
        recording(&server, candidate.session).await == stitched(&runs(0..RUNS)),
        "another file"
    );
}

#[tokio::test]
async fn nothing_is_left_of_a_session_that_was_discarded() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    deliver(&mut socket, runs(0..RUNS)).await;
    stitched_ahead(&server, 1_000_000).await;
    socket.send(&protocol::ClientMessage::Discard).await;
    assert!(matches!(socket.receive().await, Some(ServerMessage::Discarded)));
    let is_empty = async || {
        let mut files = std::fs::read_dir(server.folder.path().join("scratch")).unwrap();
        files.next().is_none().then_some(())
    };
    eventually("the scratch folder is empty", is_empty).await;
}

//! What a session may hold and an address may bring: all of it at the limit, nothing past it, and the log
//! names the option.

use protocol::item::ItemError;
use protocol::limits::counted_bytes;
use protocol::message::{Opening, Refusal};
use protocol::tail::TailHeader;
use protocol::{ClientMessage, Item, Millis, SegmentNo, Seq, SeqSet, ServerMessage, TrackNo};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Api, Candidate, NEW, Socket, TestServer, chunk, eventually, run};
use crate::process::Process;

fn counted(items: &[Item]) -> usize {
    items.iter().map(|item| counted_bytes(item.payload_bytes())).sum()
}

/// What the server says to one item.
async fn answer_to(socket: &mut Socket, item: Item) -> Option<ServerMessage> {
    socket.send(&ClientMessage::Items(vec![item])).await;
    socket.receive().await
}

/// The type of the problem that the end of a page is answered with.
async fn tail(server: &Api, candidate: &Candidate, seq: u64) -> (u16, String) {
    let header = TailHeader {
        version: protocol::limits::PROTOCOL_VERSION,
        token: candidate.token.clone(),
        first_seq: Seq::new(seq),
        at: Millis::ZERO,
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
    };
    let path = format!("/api/sessions/{}/tail", candidate.session);
    let (status, body) = server.post_bytes(&path, [&header.encode()[..], b"end"].concat()).await;
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["type"].as_str().unwrap_or_default().to_owned())
}

/// However often it was refused.
async fn is_told_once(server: &Process, option: &str, value: &str) {
    eventually("the log tells of it", async || (server.lines_with(option) > 0).then_some(())).await;
    assert_eq!(server.lines_with(option), 1);
    assert_eq!(server.lines_with(&format!("value={value} option=\"{option}\"")), 1);
}

#[tokio::test]
async fn a_session_takes_items_up_to_its_size_and_is_finished_without_those_past_it() {
    let items = run(0, 0, "beep1");
    let (size, last) = (counted(&items).to_string(), items.len() as u64 - 1);
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &["--session-size-max", &size]).await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items.clone()).await;
    for seq in [last + 1, last + 2] {
        let refused = vec![(Seq::new(seq), ItemError::SessionFull)];
        let answer = answer_to(&mut socket, chunk(seq, 0, b"x")).await;
        assert_eq!(answer, Some(ServerMessage::Refused(refused)));
    }
    assert_eq!(tail(&server, &candidate, last + 3).await, (409, "session-full".into()));
    socket.deliver(vec![items[0].clone()]).await;
    let lost: SeqSet = [last + 1, last + 2].into_iter().map(Seq::new).collect();
    let receipt = socket.finish(Some(Seq::new(last + 2)), lost).await;
    assert!(matches!(receipt, ServerMessage::Completed(_)), "{receipt:?}");
    is_told_once(&server, "--session-size-max", &size).await;
}

#[tokio::test]
async fn a_session_has_items_as_far_ahead_and_as_many_holes_as_it_may() {
    let folder = TempDir::new().unwrap();
    let options = ["--items-ahead-max", "10", "--holes-max", "1"];
    let server = Process::start(folder.path(), &options).await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"x")]).await;
    let refused = |seq, error| Some(ServerMessage::Refused(vec![(Seq::new(seq), error)]));
    for seq in [12, 13] {
        let answer = answer_to(&mut socket, chunk(seq, 0, b"x")).await;
        assert_eq!(answer, refused(seq, ItemError::TooFarAhead));
    }
    socket.deliver(vec![chunk(11, 0, b"x")]).await;
    for seq in [13, 14] {
        let answer = answer_to(&mut socket, chunk(seq, 0, b"x")).await;
        assert_eq!(answer, refused(seq, ItemError::TooManyHoles));
    }
    assert_eq!(tail(&server, &candidate, 15).await, (409, "conflict".into()));
    socket.deliver(vec![chunk(12, 0, b"x")]).await;
    let far = socket.finish(Some(Seq::new(24)), SeqSet::up_to(Seq::new(24))).await;
    assert!(matches!(far, ServerMessage::Failed(_)), "{far:?}");
    is_told_once(&server, "--items-ahead-max", "10").await;
    is_told_once(&server, "--holes-max", "1").await;
}

#[tokio::test]
async fn an_address_begins_as_many_sessions_as_it_may_and_those_in_progress_go_on() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &["--sessions-per-address-day", "3"]).await;
    let (by_socket, by_request, late) = (Candidate::new(1), Candidate::new(2), Candidate::new(3));
    let (mut socket, _) = by_socket.open(&server).await;
    let answers = by_request.exchange(&server, NEW, &[]).await;
    assert!(matches!(answers[..], [ServerMessage::Welcome(_)]), "{answers:?}");
    let (status, created) = server.post("/api/sessions", json!({})).await;
    assert_eq!(status, 201);

    let unavailable = ServerMessage::Goodbye(Refusal::Unavailable);
    assert_eq!(late.try_open(&server).await.1, Some(unavailable.clone()));
    assert_eq!(late.exchange(&server, NEW, &[]).await, [unavailable]);
    let (status, problem) = server.post("/api/sessions", json!({})).await;
    assert_eq!((status, &problem["type"]), (429, &json!("too-many-sessions")));
    let unknown = late.try_opening(&server, Opening::Existing).await.1;
    assert_eq!(unknown, Some(ServerMessage::Goodbye(Refusal::UnknownSession)));

    socket.deliver(vec![chunk(0, 0, b"x")]).await;
    by_socket.open(&server).await.0.deliver(vec![chunk(1, 0, b"x")]).await;
    let again = json!({ "id": created["id"], "token": created["token"] });
    assert_eq!(server.post("/api/sessions", again).await.0, 200);
    is_told_once(&server, "--sessions-per-address-day", "3").await;
}

/// Each item is stored, or kept by the browser: nothing is refused for good.
#[tokio::test]
async fn an_address_brings_as_many_bytes_as_it_may_and_more_is_refused_for_now() {
    let items: Vec<Item> = (0..3).map(|seq| chunk(seq, 0, &[seq as u8; 1_000])).collect();
    let size = counted(&items[..2]).to_string();
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &["--bytes-per-address-day", &size]).await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    let (mut other, _) = Candidate::new(2).open(&server).await;
    socket.deliver(vec![items[0].clone()]).await;
    // What is stored already counts for nothing.
    socket.deliver(vec![items[0].clone()]).await;
    let unavailable = Some(ServerMessage::Goodbye(Refusal::Unavailable));
    assert!(Refusal::Unavailable.is_temporary());
    assert_eq!(answer_to(&mut other, chunk(0, 0, &[9; 1_001])).await, unavailable);
    socket.deliver(vec![items[1].clone()]).await;
    assert_eq!(tail(&server, &candidate, 7).await, (429, "too-many-bytes".into()));
    assert_eq!(answer_to(&mut socket, items[2].clone()).await, unavailable);
    assert_eq!(candidate.try_open(&server).await.1, unavailable);
    let (status, problem) = server.post("/api/sessions", json!({})).await;
    assert_eq!((status, &problem["type"]), (429, &json!("too-many-bytes")));
    assert_eq!(server.session(candidate.session).await["items"], 2);
    is_told_once(&server, "--bytes-per-address-day", &size).await;
}

#[tokio::test]
async fn load_that_no_candidate_makes_is_let_in_by_the_defaults() {
    let server = TestServer::start().await;
    for number in 0..100 {
        Candidate::new(number).open(&server).await.0.deliver(vec![chunk(0, 0, b"x")]).await;
    }
}

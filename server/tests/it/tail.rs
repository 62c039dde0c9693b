//! The last chunk of a page that is being left.

use protocol::limits::{ITEM_PAYLOAD_BYTES_MAX, PROTOCOL_VERSION, TAIL_HEADER_BYTES_MAX};
use protocol::message::Opening;
use protocol::tail::TailHeader;
use protocol::{Millis, SegmentNo, Seq, ServerMessage, SessionToken, TrackNo};
use serde_json::{Value, json};

use crate::harness::{Api, Candidate, TestServer, chunk, run};

fn header(candidate: &Candidate, seq: u64) -> TailHeader {
    TailHeader {
        version: PROTOCOL_VERSION,
        token: candidate.token.clone(),
        first_seq: Seq::new(seq),
        at: Millis::new(seq * 250),
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
    }
}

async fn post(server: &Api, candidate: &Candidate, body: Vec<u8>) -> (u16, Value) {
    let path = format!("/api/sessions/{}/tail", candidate.session);
    let (status, problem) = server.post_bytes(&path, body).await;
    (status, serde_json::from_slice(&problem).unwrap_or_default())
}

async fn send(server: &Api, candidate: &Candidate, seq: u64, bytes: &[u8]) -> (u16, Value) {
    post(server, candidate, [&header(candidate, seq).encode(), bytes].concat()).await
}

#[tokio::test]
async fn a_tail_is_stored_beside_the_connected_writer_once_and_belongs_to_the_file() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let mut items = run(0, 0, "beep1");
    let last = items.pop().unwrap();
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let bytes = crate::harness::fixture_chunks("beep1").pop().unwrap();
    for _ in 0..3 {
        assert_eq!(send(&server, &candidate, last.seq.get(), &bytes).await.0, 204);
    }
    let receipt = socket.finish_completely(last.seq).await;
    assert_eq!(receipt.items, last.seq.get() + 1);
    // Sent once more, late: it is there, whatever became of the session.
    assert_eq!(send(&server, &candidate, last.seq.get(), &bytes).await.0, 204);
}

#[tokio::test]
async fn the_page_that_follows_has_the_tail_and_is_not_fenced_by_it() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let (mut left, _) = candidate.open(&server).await;
    left.deliver(vec![chunk(0, 0, b"zero")]).await;
    let (mut next, _) = candidate.open(&server).await;
    assert_eq!(send(&server, &candidate, 1, b"the end").await.0, 204);
    next.deliver(vec![chunk(2, 1, b"two")]).await;
    let (_, answer) = candidate.try_open(&server).await;
    let Some(ServerMessage::Welcome(welcome)) = answer else { panic!("{answer:?}") };
    assert_eq!(welcome.have.len(), 3);
}

#[tokio::test]
async fn a_large_tail_becomes_several_items_and_one_past_the_limit_is_refused() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(3);
    candidate.open(&server).await;
    let room = TAIL_HEADER_BYTES_MAX - (header(&candidate, 0).encode().len() - 1);
    let mut bytes = vec![7; ITEM_PAYLOAD_BYTES_MAX + room];
    assert_eq!(send(&server, &candidate, 0, &bytes).await.0, 204);
    let session = server.session(candidate.session).await;
    assert_eq!((&session["items"], &session["bytes"]), (&2.into(), &bytes.len().into()));
    bytes.push(7);
    let (status, problem) = send(&server, &candidate, 0, &bytes).await;
    assert_eq!((status, &problem["type"]), (413, &"body-too-large".into()));
}

#[tokio::test]
async fn everything_else_is_a_typed_problem_and_stores_nothing() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (status, problem) = send(&server, &candidate, 0, b"early").await;
    assert_eq!((status, &problem["type"]), (404, &"unknown-session".into()));

    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"zero")]).await;
    let of_another =
        TailHeader { token: SessionToken::from_random([9; 32]), ..header(&candidate, 1) };
    let far = TailHeader { first_seq: Seq::new(u64::MAX), ..header(&candidate, 1) };
    let with = |header: &TailHeader| [&header.encode()[..], b"bytes"].concat();
    let mut newer = with(&header(&candidate, 1));
    newer[1] = 3;
    for (body, status, kind) in [
        (with(&of_another), 403, "wrong-token"),
        (newer, 400, "unsupported-version"),
        (with(&far), 400, "bad-request"),
        (with(&header(&candidate, 0)), 409, "conflict"),
        (vec![], 400, "bad-request"),
        (vec![200, 1, 2, 3], 400, "bad-request"),
        (b"{\"json\": true}".to_vec(), 400, "bad-request"),
    ] {
        let (answered, problem) = post(&server, &candidate, body).await;
        assert_eq!((answered, &problem["type"]), (status, &kind.into()));
    }
    // An empty chunk is nothing to store, and no error.
    assert_eq!(send(&server, &candidate, 1, b"").await.0, 204);
    assert_eq!(server.session(candidate.session).await["items"], 1);
}

#[tokio::test]
async fn a_finished_session_takes_a_tail_as_one_that_came_late_and_a_discarded_one_takes_none() {
    let server = TestServer::start().await;
    let finished = Candidate::new(5);
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let (mut socket, _) = finished.open(&server).await;
    socket.deliver(items).await;
    socket.finish_completely(last).await;
    assert_eq!(send(&server, &finished, last.get() + 1, b"late").await.0, 204);
    assert_eq!(server.session(finished.session).await["supplement"]["items"], 1);

    let discarded = Candidate::new(6);
    discarded.exchange(&server, crate::harness::NEW, &[]).await;
    server.post(&format!("/api/sessions/{}/discard", discarded.session), json!(null)).await;
    let (status, problem) = send(&server, &discarded, 0, b"late").await;
    assert_eq!((status, &problem["session_status"]), (409, &"discarded".into()));
}

#[tokio::test]
async fn a_tail_does_not_bring_an_interrupted_session_back() {
    let server = TestServer::with_options(&["--grace", "1h"]).await;
    let candidate = Candidate::new(7);
    let (socket, _) = candidate.open(&server).await;
    drop(socket);
    server.wait_for_status(candidate.session, "interrupted").await;
    assert_eq!(send(&server, &candidate, 0, b"the end").await.0, 204);
    let session = server.session(candidate.session).await;
    assert_eq!((&session["status"], &session["items"]), (&"interrupted".into(), &1.into()));
    let (_, answer) = candidate.try_open(&server).await;
    assert!(matches!(answer, Some(ServerMessage::Welcome(_))));
    let known = candidate.exchange(&server, Opening::Existing, &[]).await;
    assert!(matches!(known.first(), Some(ServerMessage::Welcome(_))));
}

//! The protocol over single requests, for clients without a WebSocket.

use protocol::frames::Joined;
use protocol::item::ItemError;
use protocol::limits::{FRAME_BYTES_MAX, FRAMES_BYTES_MAX, FRAMES_PER_REQUEST_MAX};
use protocol::message::{Finish, Heartbeat, Opening, Refusal, Welcome};
use protocol::{
    ClientMessage, Epoch, Item, Millis, Seq, SeqSet, ServerMessage, SessionStatus, SessionToken,
};
use serde_json::Value;

use crate::harness::{Api, Candidate, NEW, TestServer, chunk, run};

fn items_path(candidate: &Candidate) -> String {
    format!("/api/sessions/{}/items", candidate.session)
}

fn finish(last: Seq) -> ClientMessage {
    ClientMessage::Finish(Finish { last_seq: Some(last), lost: SeqSet::new() })
}

fn heartbeat() -> ClientMessage {
    ClientMessage::Heartbeat(Heartbeat { pending: 0, pending_span: Millis::ZERO })
}

fn acked(answers: &[ServerMessage]) -> SeqSet {
    let mut acked = SeqSet::new();
    for answer in answers {
        if let ServerMessage::Ack { seqs, .. } = answer {
            seqs.ranges().for_each(|range| acked.insert_range(range));
        }
    }
    acked
}

fn welcomed(answers: &[ServerMessage]) -> &Welcome {
    match answers.first() {
        Some(ServerMessage::Welcome(welcome)) => welcome,
        other => panic!("expected a welcome, got {other:?}"),
    }
}

/// A session that was opened over HTTP.
async fn opened(candidate: &Candidate, server: &Api) -> Epoch {
    welcomed(&candidate.exchange(server, NEW, &[]).await).epoch
}

#[tokio::test]
async fn a_whole_recording_can_be_delivered_and_finished_in_one_request() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let mut messages: Vec<ClientMessage> =
        items.into_iter().map(|item| ClientMessage::Items(vec![item])).collect();
    messages.push(heartbeat());
    messages.push(finish(last));
    let answers = candidate.exchange(&server, NEW, &messages).await;
    assert_eq!(acked(&answers), SeqSet::up_to(last));
    assert!(answers.contains(&ServerMessage::HeartbeatAck));
    let [.., ServerMessage::Finalizing, ServerMessage::Completed(receipt)] = &answers[..] else {
        panic!("no receipt: {answers:?}");
    };
    assert!(receipt.missing.is_empty());
    // The answer may have been lost on its way: asking again gives the same.
    let again = candidate.exchange(&server, Opening::Existing, &[finish(last)]).await;
    assert_eq!(again.last(), Some(&ServerMessage::Completed(receipt.clone())));
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_named_as_over_a_socket() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let mut damaged = chunk(1, 0, b"one");
    damaged.at = Millis::new(77);
    let items = ClientMessage::Items(vec![chunk(0, 0, b"zero"), damaged]);
    let answers = candidate.exchange(&server, NEW, &[items, finish(Seq::new(1))]).await;
    let refused = vec![(Seq::new(1), ItemError::WrongDigest)];
    assert!(answers.contains(&ServerMessage::Refused(refused)), "{answers:?}");
    assert_eq!(acked(&answers), SeqSet::up_to(Seq::ZERO));
    let missing: SeqSet = [Seq::new(1)].into_iter().collect();
    assert_eq!(answers.last(), Some(&ServerMessage::Missing(missing)));
}

#[tokio::test]
async fn a_request_joins_the_socket_of_the_same_writer_and_disturbs_nobody() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let (mut socket, welcome) = candidate.open(&server).await;
    let joining = Opening::Joining { epoch: welcome.epoch };
    let by_http = ClientMessage::Items(vec![chunk(1, 0, b"one")]);
    let answers = candidate.exchange(&server, joining, &[by_http]).await;
    assert_eq!(welcomed(&answers).epoch, welcome.epoch);
    assert_eq!(acked(&answers).len(), 1);
    socket.deliver(vec![chunk(0, 0, b"zero")]).await;
    let session = server.session(candidate.session).await;
    assert_eq!((&session["status"], &session["items"]), (&"active".into(), &2.into()));
}

#[tokio::test]
async fn a_request_of_an_older_writer_is_fenced_and_a_new_one_fences_the_socket() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, welcome) = candidate.open(&server).await;
    let newer = welcomed(&candidate.exchange(&server, Opening::Existing, &[]).await).epoch;
    assert!(newer > welcome.epoch);
    assert_eq!(socket.expect_goodbye().await, Refusal::Fenced);
    let joining = Opening::Joining { epoch: welcome.epoch };
    let late = ClientMessage::Items(vec![chunk(0, 0, b"late")]);
    let answers = candidate.exchange(&server, joining, &[late]).await;
    assert_eq!(answers, [ServerMessage::Goodbye(Refusal::Fenced)]);
    assert_eq!(server.session(candidate.session).await["items"], 0);
}

#[tokio::test]
async fn a_session_that_lives_by_requests_stays_active_until_they_cease() {
    let options = ["--heartbeat-timeout", "800ms", "--grace", "1h"];
    let server = TestServer::with_options(&options).await;
    let candidate = Candidate::new(5);
    let epoch = opened(&candidate, &server).await;
    let started = std::time::Instant::now();
    let mut seq = 0;
    // Far longer than the timeout, and watched by the deadlines all the time.
    while started.elapsed().as_millis() < 2500 {
        let message = match seq % 2 {
            0 => ClientMessage::Items(vec![chunk(seq, 0, b"on")]),
            _ => heartbeat(),
        };
        let joining = Opening::Joining { epoch };
        candidate.exchange(&server, joining, &[message]).await;
        let session = server.session(candidate.session).await;
        assert_eq!(session["status"], "active", "after {:?}", started.elapsed());
        seq += 1;
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    server.wait_for_status(candidate.session, "interrupted").await;
    // Items are stored, and say nothing of a writer that is there; a sign of life does.
    let late = ClientMessage::Items(vec![chunk(seq, 0, b"late")]);
    let stored = candidate.exchange(&server, Opening::Joining { epoch }, &[late]).await;
    assert_eq!(welcomed(&stored).status, SessionStatus::Interrupted);
    assert!(matches!(stored[1], ServerMessage::Ack { .. }), "{stored:?}");
    let session = server.session(candidate.session).await;
    assert_eq!(session["status"], "interrupted");
    candidate.exchange(&server, Opening::Joining { epoch }, &[heartbeat()]).await;
    server.wait_for_status(candidate.session, "active").await;
}

#[tokio::test]
async fn refusals_of_the_protocol_are_answers() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let unknown = candidate.exchange(&server, Opening::Existing, &[]).await;
    assert_eq!(unknown, [ServerMessage::Goodbye(Refusal::UnknownSession)]);
    opened(&candidate, &server).await;
    let thief = Candidate { token: SessionToken::from_random([9; 32]), ..candidate.clone() };
    let stolen = ClientMessage::Items(vec![chunk(0, 0, b"stolen")]);
    let wrong = thief.exchange(&server, Opening::Existing, &[stolen]).await;
    assert_eq!(wrong, [ServerMessage::Goodbye(Refusal::WrongToken)]);
    for first in [vec![0xff; 30], heartbeat().encode()] {
        let mut body = Joined::new(1);
        body.push(&first).unwrap();
        let (status, answer) = server.post_bytes(&items_path(&candidate), body.into_body()).await;
        let refusal = match ClientMessage::decode(&first) {
            Ok(_) => Refusal::HelloExpected,
            Err(_) => Refusal::UndecodableFrame,
        };
        let goodbye = ServerMessage::Goodbye(refusal);
        assert_eq!((status, ServerMessage::decode(&answer[4..])), (200, Ok(goodbye)));
    }
    assert_eq!(server.session(candidate.session).await["items"], 0);
}

#[tokio::test]
async fn what_is_no_row_of_frames_for_this_session_is_a_problem() {
    let server = TestServer::start().await;
    let (candidate, other) = (Candidate::new(7), Candidate::new(8));
    opened(&candidate, &server).await;
    let hello = |of: &Candidate| {
        let mut body = Joined::new(1);
        body.push(&of.hello(Opening::Existing).encode()).unwrap();
        body.into_body()
    };
    let mut cut_off = hello(&candidate);
    cut_off.pop();
    for (body, status, kind) in [
        (vec![], 400, "bad-request"),
        (vec![1, 0], 400, "bad-request"),
        (cut_off, 400, "bad-request"),
        (hello(&other), 400, "bad-request"),
        (u32::MAX.to_le_bytes().to_vec(), 413, "body-too-large"),
    ] {
        let (answered, problem) = server.post_bytes(&items_path(&candidate), body).await;
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!((answered, &problem["type"]), (status, &kind.into()));
    }
    let (status, _) = server.post_bytes("/api/sessions/nonsense/items", hello(&candidate)).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_request_at_its_limits_is_taken_and_one_past_them_is_not() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let hello = candidate.hello(NEW).encode();
    // As many frames as allowed, the last of them an item.
    let mut frames = Joined::new(usize::MAX);
    frames.push(&hello).unwrap();
    for _ in 2..FRAMES_PER_REQUEST_MAX {
        frames.push(&ClientMessage::Items(vec![]).encode()).unwrap();
    }
    let item = |seq| ClientMessage::Items(vec![chunk(seq, 0, b"item")]).encode();
    frames.push(&item(0)).unwrap();
    let full = frames.clone().into_body();
    assert_eq!(server.post_bytes(&items_path(&candidate), full).await.0, 200);
    frames.push(&item(1)).unwrap();
    assert_eq!(server.post_bytes(&items_path(&candidate), frames.into_body()).await.0, 413);

    // As many bytes as allowed: what is not decodable any more is refused by the protocol.
    let mut bytes = Joined::new(usize::MAX);
    bytes.push(&candidate.hello(Opening::Existing).encode()).unwrap();
    bytes.push(&item(1)).unwrap();
    while bytes.push(&vec![0xff; FRAME_BYTES_MAX]).is_ok() {}
    let mut body = bytes.into_body();
    let left = FRAMES_BYTES_MAX - body.len() - 4;
    body.extend(u32::try_from(left).unwrap().to_le_bytes());
    body.resize(FRAMES_BYTES_MAX, 0xff);
    assert_eq!(server.post_bytes(&items_path(&candidate), body.clone()).await.0, 200);
    body.push(0xff);
    assert_eq!(server.post_bytes(&items_path(&candidate), body).await.0, 413);
    assert_eq!(server.session(candidate.session).await["items"], 2);
}

#[tokio::test]
async fn a_full_window_of_items_fits_into_one_request() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(10);
    let payload = vec![7; protocol::limits::ITEM_PAYLOAD_BYTES_MAX];
    let full = protocol::limits::IN_FLIGHT_BYTES_MAX / payload.len();
    let items: Vec<Item> = (0..full as u64).map(|seq| chunk(seq, 0, &payload)).collect();
    let messages: Vec<ClientMessage> =
        items.into_iter().map(|item| ClientMessage::Items(vec![item])).collect();
    let answers = candidate.exchange(&server, NEW, &messages).await;
    assert_eq!(acked(&answers).len(), full as u64);
}

#[tokio::test]
async fn a_session_discarded_over_http_is_gone_and_its_writer_is_told() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(11);
    let path = format!("/api/sessions/{}/discard", candidate.session);
    assert_eq!(server.post(&path, Value::Null).await.0, 404);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    let as_thief = server.http.post(server.url(&path)).bearer_auth("00".repeat(32));
    assert_eq!(as_thief.send().await.unwrap().status(), 403);
    let own = server.http.post(server.url(&path)).bearer_auth(candidate.token.expose());
    let discarded: Value = own.send().await.unwrap().json().await.unwrap();
    assert_eq!(discarded["status"], "discarded");
    assert_eq!(socket.expect_goodbye().await, Refusal::Discarded);
    // Again, by a reviewer: no error. And nobody writes it any more.
    assert_eq!(server.post(&path, Value::Null).await.0, 200);
    let late = candidate.exchange(&server, Opening::Existing, &[]).await;
    assert_eq!(late, [ServerMessage::Goodbye(Refusal::Discarded)]);
}

#[tokio::test]
async fn a_completed_session_is_not_discarded_over_http() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(12);
    let (mut socket, _) = candidate.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    let path = format!("/api/sessions/{}/discard", candidate.session);
    let (status, problem) = server.post(&path, Value::Null).await;
    assert_eq!((status, &problem["session_status"]), (409, &"completed".into()));
    let as_thief = server.http.post(server.url(&path)).bearer_auth("00".repeat(32));
    assert_eq!(as_thief.send().await.unwrap().status(), 403);
    let session = server.session(candidate.session).await;
    assert_eq!(session["receipt"]["digest"], receipt.digest.to_string());
}

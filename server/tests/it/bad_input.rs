//! Whatever is wrong is refused with a typed reason, nothing panics, and other sessions do not
//! notice.

use protocol::item::ItemError;
use protocol::limits::{FRAME_BYTES_MAX, ITEMS_PER_MESSAGE_MAX, PROTOCOL_VERSION};
use protocol::message::{Heartbeat, Opening, Refusal};
use protocol::{
    ClientMessage, Item, Millis, Seq, SeqSet, ServerMessage, SessionId, SessionToken, UnixMillis,
};

use crate::harness::{Candidate, Socket, TestServer, chunk, run};

async fn refused(socket: &mut Socket) -> Vec<(Seq, ItemError)> {
    match socket.receive().await {
        Some(ServerMessage::Refused(items)) => items,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn an_unknown_protocol_version_is_named() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    for client in [0, 3, 99] {
        let mut frame = candidate.hello(Opening::Existing).encode();
        frame[1] = client;
        let mut socket = server.connect().await;
        socket.send_frame(frame).await;
        let (client, server) = (client.into(), PROTOCOL_VERSION.number());
        let expected = Refusal::UnsupportedVersion { client, server };
        assert_eq!(socket.expect_goodbye().await, expected);
        assert_eq!(socket.receive().await, None);
    }
}

#[tokio::test]
async fn undecodable_frames_end_the_connection_and_nothing_else() {
    let server = TestServer::start().await;
    let healthy = Candidate::new(2);
    let (mut other, _) = healthy.open(&server).await;
    for frame in [vec![], vec![0xff; 40], b"GET / HTTP/1.1".to_vec()] {
        let mut socket = server.connect().await;
        socket.send_frame(frame).await;
        assert_eq!(socket.expect_goodbye().await, Refusal::UndecodableFrame);
    }
    let mut socket = server.connect().await;
    socket.send_text("hello").await;
    assert_eq!(socket.expect_goodbye().await, Refusal::UndecodableFrame);
    other.deliver(run(0, 0, "beep1")).await;
}

#[tokio::test]
async fn a_frame_above_the_limit_is_refused_in_words() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let (mut socket, _) = candidate.open(&server).await;
    socket.send_frame(vec![1; FRAME_BYTES_MAX + 1]).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::FrameTooLarge);
    // Far above it, the connection is cut without reading on.
    let (mut socket, _) = candidate.open(&server).await;
    socket.try_send_frame(vec![1; 8 * FRAME_BYTES_MAX]).await;
    assert_eq!(socket.receive().await, None);
    candidate.open(&server).await;
}

#[tokio::test]
async fn a_message_with_too_many_items_is_refused_and_a_full_one_is_stored() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    let items: Vec<Item> = (0..=ITEMS_PER_MESSAGE_MAX as u64).map(|n| chunk(n, 0, b"x")).collect();
    socket.send(&ClientMessage::Items(items[1..].to_vec())).await;
    assert_eq!(socket.acked().await.0.len(), ITEMS_PER_MESSAGE_MAX as u64);
    socket.send(&ClientMessage::Items(items)).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::TooManyItems);
}

#[tokio::test]
async fn a_wrong_token_or_an_unknown_session_gets_no_further_than_hello() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(5);
    drop(candidate.open(&server).await);
    let thief = Candidate { token: SessionToken::from_random([9; 32]), ..candidate.clone() };
    let started_at = UnixMillis::new(0);
    for opening in [Opening::Existing, Opening::New { started_at }] {
        let mut socket = server.connect().await;
        socket.send(&thief.hello(opening)).await;
        assert_eq!(socket.expect_goodbye().await, Refusal::WrongToken);
    }
    let mut socket = server.connect().await;
    socket.send(&Candidate::new(6).hello(Opening::Existing)).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::UnknownSession);
    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    assert_eq!(session["items"], 0);
}

#[tokio::test]
async fn a_session_id_of_another_kind_is_refused() {
    let server = TestServer::start().await;
    // A valid frame whose id bytes are no UUID of version 7.
    let good = Candidate::new(7);
    let mut frame = good.hello(Opening::Existing).encode();
    let id = good.session.as_bytes();
    let at = frame.windows(16).position(|window| window == id).unwrap();
    frame[at..at + 16].fill(0);
    assert!(SessionId::from_bytes([0; 16]).is_err());
    let mut socket = server.connect().await;
    socket.send_frame(frame).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::InvalidSessionId);
}

#[tokio::test]
async fn anything_before_hello_or_a_second_hello_is_refused() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(8);
    let mut socket = server.connect().await;
    socket
        .send(&ClientMessage::Heartbeat(Heartbeat { pending: 0, pending_span: Millis::ZERO }))
        .await;
    assert_eq!(socket.expect_goodbye().await, Refusal::HelloExpected);
    let (mut socket, _) = candidate.open(&server).await;
    socket.send(&candidate.hello(Opening::Existing)).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::HelloExpected);
}

#[tokio::test]
async fn damaged_items_are_refused_one_by_one_and_the_good_ones_stored() {
    let server = TestServer::start().await;
    let (mut socket, _) = Candidate::new(9).open(&server).await;
    let mut damaged = chunk(1, 0, b"one");
    damaged.at = Millis::new(77);
    let empty = chunk(2, 0, b"");
    let huge = chunk(u64::MAX, 0, b"far away");
    let items = vec![chunk(0, 0, b"zero"), damaged, empty, huge, chunk(3, 0, b"three")];
    socket.send(&ClientMessage::Items(items)).await;
    assert_eq!(
        refused(&mut socket).await,
        [
            (Seq::new(1), ItemError::WrongDigest),
            (Seq::new(2), ItemError::EmptyPayload),
            (Seq::new(u64::MAX), ItemError::SeqTooLarge),
        ]
    );
    let stored: SeqSet = [Seq::new(0), Seq::new(3)].into_iter().collect();
    assert_eq!(socket.acked().await.0, stored);
    // The same number again, undamaged this time.
    socket.deliver(vec![chunk(1, 0, b"one")]).await;
}

#[tokio::test]
async fn a_second_item_under_a_taken_number_never_replaces_the_first() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(10);
    let (mut socket, _) = candidate.open(&server).await;
    let first = chunk(0, 0, b"first");
    socket.deliver(vec![first.clone()]).await;
    let same_message_twice = vec![first.clone(), chunk(0, 0, b"other"), first];
    socket.send(&ClientMessage::Items(same_message_twice)).await;
    let (seqs, duplicates) = socket.acked().await;
    assert_eq!((seqs.len(), duplicates.len()), (1, 1));
    assert_eq!(refused(&mut socket).await, [(Seq::ZERO, ItemError::DigestConflict)]);
    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    assert_eq!((&session["items"], &session["bytes"]), (&1.into(), &5.into()));
}

#[tokio::test]
async fn a_discarded_session_takes_no_more_items() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(11);
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    socket.send(&ClientMessage::Discard).await;
    assert_eq!(socket.receive().await, Some(ServerMessage::Discarded));
    socket.send(&ClientMessage::Items(vec![chunk(last.get() + 1, 0, b"late")])).await;
    assert_eq!(refused(&mut socket).await, [(last.next(), ItemError::SessionFinished)]);
}

#[tokio::test]
async fn one_connection_past_the_limit_is_refused() {
    let server = TestServer::with_options(&["--connections-max", "2"]).await;
    let first = server.connect().await;
    let _second = server.connect().await;
    let url = server.url("/api/ws").replace("http", "ws");
    assert!(tokio_tungstenite::connect_async(&url).await.is_err());
    drop(first);
    // The place is free again once the server has noticed.
    for _ in 0..100 {
        if tokio_tungstenite::connect_async(&url).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the place was never free again");
}

#[tokio::test]
async fn path_tricks_and_odd_ids_are_not_found() {
    let server = TestServer::start().await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-474b-bcce-b302099a8057",
        "%7B01890a5d-ac96-774b-bcce-b302099a8057%7D",
        "%ff",
    ] {
        for path in ["", "/recording", "/missing-chunks"] {
            let response = server.get(&format!("/api/sessions/{id}{path}")).await;
            let status = response.status().as_u16();
            assert!(status == 404 || status == 400, "{id}{path}: {status}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
        let page = server.get(&format!("/sessions/{id}")).await;
        assert!(page.status().is_client_error(), "{id}");
    }
}

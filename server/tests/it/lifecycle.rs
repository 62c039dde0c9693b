//! What a session goes through when its connection or its server goes away.

use protocol::message::{Opening, Refusal};
use protocol::{ClientMessage, ServerMessage, SessionStatus};
use serde_json::json;

use crate::harness::{Candidate, TestServer, chunk, run};

#[tokio::test]
async fn a_lost_connection_that_comes_back_in_time_leaves_no_trace() {
    let server = TestServer::with_options(&["--grace", "60s"]).await;
    let candidate = Candidate::new(1);
    let (socket, _) = candidate.open(&server).await;
    drop(socket);
    server.wait_for_status(candidate.session, "interrupted").await;
    let (_socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.status, SessionStatus::Active);
}

#[tokio::test]
async fn after_the_grace_period_a_recording_exists_and_coming_back_still_works() {
    let server = TestServer::with_options(&["--grace", "100ms"]).await;
    let candidate = Candidate::new(2);
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    let last = second.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(first).await;
    drop(socket);
    server.wait_for_status(candidate.session, "incomplete").await;
    let partial = loop {
        let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
        if !session["recording_url"].is_null() {
            break session;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(partial["receipt"], json!(null));
    let url = partial["recording_url"].as_str().unwrap();
    let file = server.get(url).await.bytes().await.unwrap();
    media::verify(std::io::Cursor::new(file)).unwrap();

    let (mut socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.status, SessionStatus::Active);
    socket.deliver(second).await;
    let receipt = socket.finish_completely(last).await;
    assert!(receipt.duration.get() > partial["duration_ms"].as_u64().unwrap());
    let files = std::fs::read_dir(
        server.folder.path().join("recordings").join(candidate.session.to_string()),
    );
    assert_eq!(files.unwrap().count(), 1, "the partial recording was not cleared away");
}

#[tokio::test]
async fn after_the_resume_window_the_session_is_completed_with_what_is_there() {
    let server = TestServer::with_options(&["--grace", "100ms", "--resume-window", "100ms"]).await;
    let candidate = Candidate::new(3);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    drop(socket);
    let session = server.wait_for_status(candidate.session, "completed").await;
    assert!(session["receipt"]["duration_ms"].as_u64().unwrap() > 1_000);
}

#[tokio::test]
async fn a_newer_writer_fences_off_the_older() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut older, before) = candidate.open(&server).await;
    let (mut newer, after) = candidate.open(&server).await;
    assert!(after.epoch > before.epoch);
    assert_eq!(older.expect_goodbye().await, Refusal::Fenced);
    newer.deliver(vec![chunk(0, 0, b"mine")]).await;
    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    assert_eq!((&session["status"], &session["items"]), (&"active".into(), &1.into()));
}

#[tokio::test]
async fn a_hello_that_comes_late_fences_off_nobody() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let (_first, welcome) = candidate.open(&server).await;
    let late = candidate.hello(Opening::Following { epoch: welcome.epoch });
    let (mut newer, newest) = candidate.open(&server).await;
    let mut socket = server.connect().await;
    socket.send(&late).await;
    let current = newest.epoch;
    assert_eq!(socket.expect_goodbye().await, Refusal::Outdated { current });
    newer.deliver(vec![chunk(0, 0, b"x")]).await;
}

#[tokio::test]
async fn a_clean_stop_commits_and_acks_what_it_received_and_says_goodbye() {
    let mut server = TestServer::start().await;
    let candidate = Candidate::new(5);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"before")]).await;
    let stopping = async {
        server.stop().await;
        server
    };
    let (mut server, refusal) = tokio::join!(stopping, socket.expect_goodbye());
    assert_eq!(refusal, Refusal::ShuttingDown);
    server.start_again().await;
    let (_, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.have.len(), 1);
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let server = TestServer::with_options(&["--heartbeat-timeout", "300ms"]).await;
    let candidate = Candidate::new(6);
    let (mut socket, _) = candidate.open(&server).await;
    assert_eq!(socket.expect_goodbye().await, Refusal::Silent);
    server.wait_for_status(candidate.session, "interrupted").await;
}

#[tokio::test]
async fn a_restarted_server_takes_up_where_it_was() {
    let mut server = TestServer::with_options(&["--grace", "100ms"]).await;
    let candidate = Candidate::new(7);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    server.restart().await;
    drop(socket);
    server.wait_for_status(candidate.session, "incomplete").await;
}

#[tokio::test]
async fn items_of_many_sessions_are_stored_side_by_side() {
    let server = TestServer::start().await;
    let sessions = (20..60).map(|number| {
        let server = &server;
        async move {
            let candidate = Candidate::new(number);
            let (mut socket, _) = candidate.open(server).await;
            for seq in 0..20 {
                socket.send(&ClientMessage::Items(vec![chunk(seq, 0, &[number; 600])])).await;
            }
            let mut acked = 0;
            while acked < 20 {
                acked += socket.acked().await.0.len();
            }
            candidate.session
        }
    });
    for session in futures::future::join_all(sessions).await {
        let session = server.json(&format!("/api/sessions/{session}")).await;
        assert_eq!((&session["items"], &session["bytes"]), (&20.into(), &12_000.into()));
    }
}

#[tokio::test]
async fn what_the_candidate_throws_away_is_gone() {
    let server = TestServer::with_options(&["--grace", "100ms"]).await;
    let candidate = Candidate::new(8);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    drop(socket);
    let path = format!("/api/sessions/{}", candidate.session);
    while server.json(&path).await["recording_url"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (mut socket, _) = candidate.open(&server).await;
    socket.send(&ClientMessage::Discard).await;
    assert_eq!(socket.receive().await, Some(ServerMessage::Discarded));
    let session = server.json(&path).await;
    assert_eq!(
        (&session["status"], &session["recording_url"]),
        (&"discarded".into(), &json!(null))
    );
    let files = std::fs::read_dir(
        server.folder.path().join("recordings").join(candidate.session.to_string()),
    );
    assert_eq!(files.map_or(0, Iterator::count), 0, "the recording is still there");
}

#[tokio::test]
async fn a_completed_session_is_not_thrown_away() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    socket.send(&ClientMessage::Discard).await;
    assert_eq!(socket.receive().await, Some(ServerMessage::Completed(receipt)));
}

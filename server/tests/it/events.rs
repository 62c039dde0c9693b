//! The event log: what happened to a session, told in order, once, and within bounds.

use std::time::Duration;

use protocol::item::{EndCause, Incident, SegmentEnd};
use protocol::message::Opening;
use protocol::{
    ClientMessage, Content, Item, Marker, Millis, SegmentNo, Seq, SeqSet, ServerMessage, SessionId,
    TrackNo,
};
use serde_json::{Value, json};
use server::store::EVENTS_PER_SESSION_MAX;

use crate::harness::{Candidate, TestServer, chunk, run, segment_start};

fn marker(seq: u64, at_ms: u64, marker: Marker) -> Item {
    Item::new(Seq::new(seq), Millis::new(at_ms), Content::Marker(marker))
}

async fn events(server: &TestServer, id: SessionId) -> Vec<Value> {
    let answer = server.json(&format!("/api/sessions/{id}/events")).await;
    answer["events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// What is only observed is written a moment later.
async fn wait_for(server: &TestServer, id: SessionId, kind: &str) -> Vec<Value> {
    for _ in 0..200 {
        let events = events(server, id).await;
        if kinds(&events).contains(&kind) {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{kind} was never logged: {:?}", kinds(&events(server, id).await));
}

fn detail<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let event = events.iter().find(|event| event["kind"] == kind);
    &event.unwrap_or_else(|| panic!("no {kind} in {:?}", kinds(events)))["detail"]
}

#[tokio::test]
async fn a_session_tells_its_life_from_creation_to_recording() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    let mut items = run(0, 0, "beep1");
    let next = items.last().unwrap().seq.next().get();
    let (track, segment) = (TrackNo::new(0), SegmentNo::new(0));
    let end = SegmentEnd { track, segment, cause: EndCause::Stopped };
    items.push(marker(next, 2_500, Marker::Paused));
    items.push(marker(next + 1, 4_000, Marker::Resumed));
    items.push(marker(next + 2, 4_100, Marker::Noted(Incident::PageSlept(Millis::new(900)))));
    items.push(marker(next + 3, 4_200, Marker::SegmentEnded(end)));
    socket.deliver(items.clone()).await;
    // Markers that come a second time tell nothing new.
    socket.deliver(items).await;
    let receipt = socket.finish_completely(Seq::new(next + 3)).await;
    drop(socket);
    let log = wait_for(&server, candidate.session, "duplicates_received").await;
    assert_eq!(
        kinds(&log),
        [
            "created",
            "connected",
            "segment_started",
            "paused",
            "pause_over",
            "noted",
            "segment_ended",
            "finish_asked",
            "recording_made",
            "duplicates_received",
        ]
    );
    assert_eq!(
        *detail(&log, "connected"),
        json!({ "epoch": 1, "failed_tries": 0, "transport": "web_socket" })
    );
    assert_eq!(
        *detail(&log, "segment_started"),
        json!({ "track": 0, "segment": 0, "cause": "begun" })
    );
    assert_eq!(*detail(&log, "noted"), json!({ "incident": { "page_slept": 900 } }));
    assert_eq!(detail(&log, "segment_ended")["cause"], "stopped");
    assert_eq!(*detail(&log, "finish_asked"), json!({ "by": "candidate", "last_seq": next + 3 }));
    let made = detail(&log, "recording_made");
    assert_eq!(
        (&made["duration_ms"], &made["bytes"], &made["complete"]),
        (&receipt.duration.get().into(), &receipt.bytes.into(), &true.into())
    );
    assert_eq!(detail(&log, "duplicates_received")["items"], next + 4);
    let place =
        |kind: &str| log.iter().find(|event| event["kind"] == kind).unwrap()["timeline_ms"].clone();
    assert_eq!((place("pause_over"), place("created")), (4_000.into(), Value::Null));
    let time = |event: &Value| event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let times: Vec<_> = log.iter().map(time).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn losses_and_returns_say_why_and_how_long() {
    let server = TestServer::with_options(&["--grace", "300ms"]).await;
    let candidate = Candidate::new(2);
    let (socket, _) = candidate.open(&server).await;
    drop(socket);
    server.wait_for_status(candidate.session, "interrupted").await;
    let (socket, _) = candidate.open(&server).await;
    let log = wait_for(&server, candidate.session, "resumed").await;
    assert_eq!(detail(&log, "resumed")["within_grace"], true);
    assert!(detail(&log, "resumed")["away_ms"].as_u64().unwrap() < 300);
    let cause = detail(&log, "connection_lost")["cause"].as_str().unwrap();
    assert!(["closed", "broken"].contains(&cause), "{cause}");

    drop(socket);
    server.wait_for_status(candidate.session, "incomplete").await;
    candidate.open(&server).await;
    let log = events(&server, candidate.session).await;
    let last = log.iter().rfind(|event| event["kind"] == "resumed").unwrap();
    assert_eq!(last["detail"]["within_grace"], false);
    assert!(last["detail"]["away_ms"].as_u64().unwrap() >= 300);
    assert!(kinds(&log).contains(&"grace_over"));
    assert!(!kinds(&log).contains(&"recording_failed"), "of nothing no recording is tried");
}

#[tokio::test]
async fn the_end_of_the_resume_window_is_told_and_is_no_ones_wish() {
    let server = TestServer::with_options(&["--grace", "50ms", "--resume-window", "50ms"]).await;
    let candidate = Candidate::new(3);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    drop(socket);
    server.wait_for_status(candidate.session, "completed").await;
    let log = events(&server, candidate.session).await;
    assert!(kinds(&log).contains(&"resume_window_over"), "{:?}", kinds(&log));
    assert!(!kinds(&log).contains(&"finish_asked"));
}

#[tokio::test]
async fn silence_is_told() {
    let server = TestServer::with_options(&["--heartbeat-timeout", "300ms"]).await;
    let silent = Candidate::new(4);
    let (mut socket, _) = silent.open(&server).await;
    socket.expect_goodbye().await;
    let log = wait_for(&server, silent.session, "connection_lost").await;
    assert_eq!(detail(&log, "connection_lost")["cause"], "silent");
}

#[tokio::test]
async fn a_newer_writer_and_a_clean_stop_are_told_apart() {
    let mut server = TestServer::start().await;
    let fenced = Candidate::new(5);
    let (mut older, _) = fenced.open(&server).await;
    let (newer, _) = fenced.open(&server).await;
    older.expect_goodbye().await;
    let log = wait_for(&server, fenced.session, "fenced").await;
    assert_eq!(*detail(&log, "fenced"), json!({ "epoch": 1 }));
    assert!(!kinds(&log).contains(&"connection_lost"), "the newer writer is there");

    server.restart().await;
    drop(newer);
    let log = events(&server, fenced.session).await;
    assert_eq!(detail(&log, "connection_lost")["cause"], "server_stopping");
}

#[tokio::test]
async fn refusals_are_summed_up_and_a_conflict_is_an_alarm() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"first")]).await;
    let mut damaged = chunk(1, 0, b"one");
    damaged.at = Millis::new(77);
    for item in [chunk(0, 0, b"other"), chunk(0, 0, b"another"), damaged, chunk(2, 0, b"")] {
        socket.send(&ClientMessage::Items(vec![item])).await;
        assert!(matches!(socket.receive().await, Some(ServerMessage::Refused(_))));
    }
    let missing = socket.finish(Some(Seq::new(5)), SeqSet::new()).await;
    assert!(matches!(missing, ServerMessage::Missing(_)));
    drop(socket);
    let log = wait_for(&server, candidate.session, "items_refused").await;
    assert_eq!(
        *detail(&log, "items_refused"),
        json!({ "reasons": { "digest_conflict": 2, "empty_payload": 1, "wrong_digest": 1 } })
    );
    let conflicts = kinds(&log).into_iter().filter(|kind| *kind == "digest_conflict").count();
    assert_eq!((conflicts, &detail(&log, "digest_conflict")["seq"]), (1, &0.into()));
    assert_eq!(*detail(&log, "missing_asked"), json!({ "items": 5, "first": 1, "last": 5 }));
}

#[tokio::test]
async fn a_discarded_session_says_so_once() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(7);
    let (mut socket, _) = candidate.open(&server).await;
    for _ in 0..2 {
        socket.send(&ClientMessage::Discard).await;
        assert_eq!(socket.receive().await, Some(ServerMessage::Discarded));
    }
    let log = events(&server, candidate.session).await;
    assert_eq!(kinds(&log).iter().filter(|kind| **kind == "discarded").count(), 1);
}

#[tokio::test]
async fn another_request_of_the_same_writer_is_no_new_connection() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(8);
    let (_socket, welcome) = candidate.open(&server).await;
    let mut joining = server.connect().await;
    joining.send(&candidate.hello(Opening::Joining { epoch: welcome.epoch })).await;
    assert!(matches!(joining.receive().await, Some(ServerMessage::Welcome(_))));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let log = events(&server, candidate.session).await;
    assert_eq!(kinds(&log).iter().filter(|kind| **kind == "connected").count(), 1);
}

#[tokio::test]
async fn a_log_is_bounded_and_says_that_there_was_more() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let (mut socket, _) = candidate.open(&server).await;
    // Created and connected are there; one more fills the log.
    let before = wait_for(&server, candidate.session, "connected").await.len();
    let room = u64::from(EVENTS_PER_SESSION_MAX) - before as u64;
    let pauses = |seqs: std::ops::Range<u64>| -> Vec<Item> {
        seqs.map(|seq| marker(seq, seq, Marker::Paused)).collect()
    };
    socket.deliver(pauses(0..room)).await;
    let full = events(&server, candidate.session).await;
    assert_eq!(full.len(), EVENTS_PER_SESSION_MAX as usize);
    assert!(!kinds(&full).contains(&"more_not_kept"), "at the limit everything is there");
    socket.deliver(pauses(room..room + 1)).await;
    let over = events(&server, candidate.session).await;
    assert_eq!(over.len(), EVENTS_PER_SESSION_MAX as usize + 1);
    assert_eq!(over.last().unwrap()["kind"], "more_not_kept");
    socket.deliver(pauses(room + 1..room + 50)).await;
    drop(socket);
    assert_eq!(events(&server, candidate.session).await, over);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("not kept"), "the page hides that there was more");
}

#[tokio::test]
async fn why_nothing_was_recorded_is_told_however_much_else_happened_before() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(10);
    let (mut socket, _) = candidate.open(&server).await;
    let incidents = u64::from(EVENTS_PER_SESSION_MAX);
    let muted = |seq| marker(seq, 0, Marker::Noted(Incident::MicrophoneMuted));
    let (track, segment) = (TrackNo::new(0), SegmentNo::new(0));
    let end = SegmentEnd { track, segment, cause: EndCause::DeviceLost };
    let next = incidents + 3;
    let mut items = vec![segment_start(0, 0), chunk(1, 0, b"sound")];
    items.extend((2..next).map(muted));
    items.extend([marker(next, 250, Marker::SegmentEnded(end)), segment_start(next + 1, 1)]);
    socket.deliver(items).await;
    let log = events(&server, candidate.session).await;
    assert!(!kinds(&log).contains(&"segment_ended"), "the log was full by then");
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("The microphone was gone"), "{page}");
}

//! `/metrics`: the format, and counters that move with real sessions.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use protocol::message::Heartbeat;
use protocol::{ClientMessage, Millis, SeqSet, ServerMessage};

use crate::harness::{Candidate, TestServer, chunk, run};

/// A sample's name with its labels, and its value.
type Samples = BTreeMap<String, f64>;

/// Reads the OpenMetrics text format, and fails on whatever it does not allow.
fn parse(text: &str) -> Samples {
    let body = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
    let (mut helped, mut types, mut units) = (HashSet::new(), BTreeMap::new(), BTreeMap::new());
    let mut samples = Samples::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut parts = comment.splitn(3, ' ');
            let (what, name) = (parts.next().unwrap(), parts.next().unwrap().to_owned());
            let rest = parts.next().unwrap_or_default();
            match what {
                "HELP" => assert!(helped.insert(name) && !rest.is_empty(), "{line}"),
                "TYPE" => assert!(types.insert(name, rest.to_owned()).is_none(), "{line}"),
                "UNIT" => assert!(units.insert(name, rest.to_owned()).is_none(), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let name = key.split('{').next().unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        if let Some(labels) = key.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels = labels.strip_prefix('{').and_then(|l| l.strip_suffix('}')).unwrap();
            for label in labels.split(',') {
                let (_, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
                assert!(value.starts_with('"') && value.ends_with('"'), "{line}");
            }
        }
        let family = ["_total", "_bucket", "_count", "_sum", "_info"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|family| types.contains_key(*family))
            .unwrap_or(name);
        let kind = types.get(family).unwrap_or_else(|| panic!("{line} has no type"));
        assert!(helped.contains(family), "{line} has no help");
        assert!(name.starts_with("holdfast_"), "{line}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        if let Some(unit) = units.get(family) {
            assert!(family.ends_with(&format!("_{unit}")), "{line} is not in {unit}");
        }
        assert!(samples.insert(key.to_owned(), value).is_none(), "{line} is there twice");
    }
    samples
}

async fn scrape(server: &TestServer) -> Samples {
    let response = server.get("/metrics").await;
    assert_eq!(response.status(), 200);
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    parse(&response.text().await.unwrap())
}

/// By how much each sample grew; what is not named did not.
fn growth(before: &Samples, after: &Samples, name: &str) -> f64 {
    let value = |samples: &Samples| *samples.get(name).unwrap_or_else(|| panic!("no {name}"));
    value(after) - value(before)
}

#[tokio::test]
async fn everything_is_there_at_zero_from_the_start() {
    let server = TestServer::start().await;
    let samples = scrape(&server).await;
    for name in [
        "holdfast_sessions{status=\"active\"}",
        "holdfast_sessions{status=\"discarded\"}",
        "holdfast_sessions_resumed_total{when=\"after_grace\"}",
        "holdfast_sessions_auto_finalized_total{outcome=\"failed\"}",
        "holdfast_jobs{state=\"stopped\"}",
        "holdfast_connections{transport=\"web_socket\"}",
        "holdfast_items_stored_total",
        "holdfast_payload_stored_bytes_total",
        "holdfast_items_duplicate_total",
        "holdfast_items_missing_total",
        "holdfast_items_lost_total",
        "holdfast_runs_left_out_total",
        "holdfast_items_refused_total{reason=\"digest_conflict\"}",
        "holdfast_ack_latency_seconds_count",
        "holdfast_commit_items_count",
        "holdfast_commit_seconds_count",
        "holdfast_spool_lag_seconds_count",
        "holdfast_spool_lag_max_seconds",
        "holdfast_recordings_total{outcome=\"complete\"}",
        "holdfast_recording_seconds_count",
        "holdfast_events_dropped_total{reason=\"queue_full\"}",
        "holdfast_janitor_removed_total{what=\"scratch_files\"}",
        "holdfast_janitor_failures_total",
        "holdfast_disk_full",
        "holdfast_disk_full_seconds_total",
    ] {
        assert_eq!(samples.get(name), Some(&0.0), "{name}");
    }
    let build = format!("holdfast_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples.get(&build), Some(&1.0));
}

#[tokio::test]
async fn counters_move_with_a_session_and_name_nobody() {
    let server = TestServer::with_options(&["--grace", "60s"]).await;
    let before = scrape(&server).await;
    let candidate = Candidate::new(1);
    let (socket, _) = candidate.open(&server).await;
    drop(socket);
    server.wait_for_status(candidate.session, "interrupted").await;
    let (mut socket, _) = candidate.open(&server).await;
    let mut items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let bytes: usize = items.iter().map(protocol::Item::payload_bytes).sum();
    let count = items.len();
    let withheld = items.remove(3);
    socket.deliver(items.clone()).await;
    socket.deliver(items[..2].to_vec()).await;
    let mut damaged = chunk(900, 0, b"x");
    damaged.at = Millis::new(1);
    socket.send(&ClientMessage::Items(vec![damaged])).await;
    assert!(matches!(socket.receive().await, Some(ServerMessage::Refused(_))));
    socket
        .send(&ClientMessage::Heartbeat(Heartbeat { pending: 9, pending_span: Millis::new(2_250) }))
        .await;
    assert_eq!(socket.receive().await, Some(ServerMessage::HeartbeatAck));
    let missing = socket.finish(Some(last), SeqSet::new()).await;
    assert!(matches!(missing, ServerMessage::Missing(_)));
    let live = scrape(&server).await;
    socket.deliver(vec![withheld]).await;
    socket.finish_completely(last).await;
    drop(socket);
    let after = scrape(&server).await;

    assert_eq!(growth(&before, &live, "holdfast_sessions{status=\"active\"}"), 1.0);
    assert_eq!(growth(&before, &live, "holdfast_connections{transport=\"web_socket\"}"), 1.0);
    assert_eq!(live["holdfast_spool_lag_max_seconds"], 2.25);
    for (name, grown) in [
        ("holdfast_sessions{status=\"completed\"}", 1.0),
        ("holdfast_sessions{status=\"active\"}", 0.0),
        ("holdfast_sessions_resumed_total{when=\"within_grace\"}", 1.0),
        ("holdfast_sessions_resumed_total{when=\"after_grace\"}", 0.0),
        ("holdfast_items_stored_total", count as f64),
        ("holdfast_payload_stored_bytes_total", bytes as f64),
        ("holdfast_items_duplicate_total", 2.0),
        ("holdfast_items_missing_total", 1.0),
        ("holdfast_items_lost_total", 0.0),
        ("holdfast_runs_left_out_total", 0.0),
        ("holdfast_items_refused_total{reason=\"wrong_digest\"}", 1.0),
        ("holdfast_spool_lag_seconds_count", 1.0),
        ("holdfast_spool_lag_seconds_sum", 2.25),
        ("holdfast_recordings_total{outcome=\"complete\"}", 1.0),
        ("holdfast_recording_seconds_count", 1.0),
        ("holdfast_events_dropped_total{reason=\"queue_full\"}", 0.0),
        ("holdfast_events_dropped_total{reason=\"write_failed\"}", 0.0),
    ] {
        assert_eq!(growth(&before, &after, name), grown, "{name}");
    }
    // Three deliveries: as many acks, and at least one commit.
    let acks = growth(&before, &after, "holdfast_ack_latency_seconds_count");
    let commits = growth(&before, &after, "holdfast_commit_seconds_count");
    assert!(acks >= 3.0 && (1.0..=acks).contains(&commits), "{acks} acks, {commits} commits");
    assert!(growth(&before, &after, "holdfast_ack_latency_seconds_sum") > 0.0);
    assert_eq!(growth(&before, &after, "holdfast_commit_items_sum"), (count + 2) as f64);
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(!text.contains(&candidate.session.to_string()) && !text.contains("microphone"));
}

#[tokio::test]
async fn sessions_that_finish_by_themselves_are_counted_by_how_that_ended() {
    let server = TestServer::with_options(&["--grace", "50ms", "--resume-window", "50ms"]).await;
    let (with_sound, without) = (Candidate::new(2), Candidate::new(3));
    let (mut socket, _) = with_sound.open(&server).await;
    socket.deliver(run(0, 0, "beep1")).await;
    let (mut other, _) = without.open(&server).await;
    other.deliver(vec![chunk(0, 0, b"This is no recording.")]).await;
    drop((socket, other));
    server.wait_for_status(with_sound.session, "completed").await;
    server.wait_for_status(without.session, "failed").await;
    let name =
        |outcome: &str| format!("holdfast_sessions_auto_finalized_total{{outcome=\"{outcome}\"}}");
    for _ in 0..100 {
        let samples = scrape(&server).await;
        if samples[&name("complete")] == 1.0 && samples[&name("failed")] == 1.0 {
            assert!(samples["holdfast_recordings_total{outcome=\"partial\"}"] >= 1.0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not counted");
}

#[tokio::test]
async fn a_session_that_was_never_used_is_erased_and_one_with_an_item_is_not() {
    let options = ["--grace", "50ms", "--resume-window", "50ms"];
    let server = TestServer::with_options(&options).await;
    let (used, unused) = (Candidate::new(4), Candidate::new(5));
    let (mut socket, _) = used.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"something")]).await;
    drop((socket, unused.open(&server).await));
    for _ in 0..200 {
        let gone = server.get(&format!("/api/sessions/{}", unused.session)).await;
        if gone.status() == 404 {
            let kept = server.json(&format!("/api/sessions/{}", used.session)).await;
            assert_eq!(kept["items"], 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it was never erased");
}

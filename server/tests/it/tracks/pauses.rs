//! Where a pause lies in the files.

use protocol::item::Incident;
use protocol::{Content, Marker, TrackKind};
use serde_json::Value;
use server::store::EVENTS_PER_SESSION_MAX;

use super::{Run, assert_holds, delivered, file, numbered, own_packets, packets};
use crate::harness::TestServer;

#[tokio::test]
async fn a_pause_lies_in_the_file_between_the_chunks_before_and_after_it() {
    a_pause_is_cut_out(15, 0).await;
}

/// Each incident is an event in the log, which takes no more when the pause comes.
#[tokio::test]
async fn a_pause_is_cut_out_however_much_else_happened_before_it() {
    a_pause_is_cut_out(17, EVENTS_PER_SESSION_MAX + 100).await;
}

/// A recorder takes 100 ms to start, and hands over what it has when it is paused. Before that, there
/// are these incidents.
async fn a_pause_is_cut_out(candidate: u8, incidents: u32) {
    const CHUNKS_BEFORE: usize = 4;
    const PAUSED_MS: u64 = 3_000;
    let server = TestServer::start().await;
    let mut run = Run::of(0, 0, TrackKind::Microphone, 0, "beep1");
    let own = packets(&run.chunks.concat()).remove(&1).unwrap();
    let before = packets(&run.chunks[..CHUNKS_BEFORE].concat())[&1].len();
    let place = own[before].0;
    run.chunk_every = (place + 100) / CHUNKS_BEFORE as u64;
    let mut captured = run.captured();
    let paused_at = captured[CHUNKS_BEFORE].0;
    for (at, _) in &mut captured[CHUNKS_BEFORE + 1..] {
        *at += PAUSED_MS;
    }
    let pause = [
        (paused_at, Content::Marker(Marker::Paused)),
        (paused_at + PAUSED_MS, Content::Marker(Marker::Resumed)),
    ];
    // What it hands over comes right behind the word that it is paused.
    captured.splice(CHUNKS_BEFORE..CHUNKS_BEFORE, [pause[0].clone()]);
    captured.splice(CHUNKS_BEFORE + 2..CHUNKS_BEFORE + 2, [pause[1].clone()]);
    let incident = (0, Content::Marker(Marker::Noted(Incident::MicrophoneMuted)));
    captured.splice(1..1, (0..incidents).map(|_| incident.clone()));
    let (candidate, _) = delivered(&server, candidate, numbered(0, captured)).await;
    let log = server.json(&format!("/api/sessions/{}/events", candidate.session)).await;
    let is_logged = |kind: &str| -> bool {
        log["events"].as_array().unwrap().iter().any(|event: &Value| event["kind"] == kind)
    };
    assert_eq!(is_logged("pause_over"), incidents == 0);

    let by_clock = packets(&file(&server, &candidate, "exports/timeline").await);
    let shifted = |(order, (at, bytes)): (usize, &(u64, Vec<u8>))| {
        (if order < before { *at } else { at + PAUSED_MS }, bytes.clone())
    };
    let wanted: Vec<_> = own.iter().enumerate().map(shifted).collect();
    assert_holds(&by_clock[&1], &wanted);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    let (_, mark) = page.split_once("data-seek=\"").unwrap();
    let mark: f64 = mark.split_once('"').unwrap().0.parse().unwrap();
    assert!((mark * 1_000.0 - place as f64).abs() < 10.0, "{mark} s, not {place} ms");
    assert!(page.contains("Paused once, for 3 s.") && page.contains("map-pause"), "{page}");
}

#[tokio::test]
async fn runs_that_take_turns_with_times_that_go_back_become_a_recording_all_the_same() {
    const PAUSED_AT: u64 = 2_500;
    let server = TestServer::start().await;
    let run = |segment| Run::of(0, segment, TrackKind::Microphone, 0, "beep1").captured();
    let mut captured = run(0);
    let pause = [(PAUSED_AT, Marker::Paused), (PAUSED_AT, Marker::Resumed)];
    captured.splice(3..3, pause.map(|(at, marker)| (at, Content::Marker(marker))));
    captured.extend(run(1));
    // The first one comes once more, over the same pause.
    captured
        .extend(run(0).into_iter().filter(|(_, content)| !matches!(content, Content::Marker(_))));
    let (candidate, _) = delivered(&server, 16, numbered(0, captured)).await;

    let own = packets(&Run::of(0, 0, TrackKind::Microphone, 0, "beep1").chunks.concat());
    assert_eq!(own_packets(&server, &candidate, 0).await.len(), 3 * own[&1].len());
}

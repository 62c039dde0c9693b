//! Where a pause lies in the files.

use protocol::{Content, Marker, TrackKind};

use super::{Run, assert_holds, delivered, file, numbered, own_packets, packets};
use crate::harness::TestServer;

/// A recorder takes 100 ms to start, and hands over what it has when it is paused.
#[tokio::test]
async fn a_pause_lies_in_the_file_between_the_chunks_before_and_after_it() {
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
    let (candidate, _) = delivered(&server, 15, numbered(0, captured)).await;

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

//! Sessions made to be as much work as they can be: what they cost stays in proportion to what was sent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::limits::ITEMS_PER_MESSAGE_MAX;
use protocol::{
    ClientMessage, Content, Event, Item, Marker, Millis, SegmentNo, Seq, ServerMessage, TrackNo,
    UnixMillis,
};
use serde_json::json;
use server::store::{NewEvent, NewSession, PAUSES_PLACED_MAX, Store};
use tempfile::TempDir;

use crate::harness::{Api, Candidate, NEW, TestServer, database, run};
use crate::process::Process;

/// About as many as the log of a session takes.
const PAUSES: u64 = 1_990;
/// After the last pause.
const LATER: Millis = Millis::new(60_000);

/// A recording of something, many pauses, and then runs of two bytes in each of the tracks that all
/// claim to have begun before the pauses and to have ended after them.
fn runs_over_pauses(tracks: u8, runs: u32) -> Vec<Item> {
    let mut items = run(0, 0, "beep1");
    let mut push = |at, content| {
        let seq = Seq::new(items.len() as u64);
        items.push(Item::new(seq, at, content));
    };
    for pause in 1..=PAUSES {
        push(Millis::new(pause), Content::Marker(Marker::Resumed));
    }
    for segment in 1..=runs {
        for track in 0..tracks {
            for at in [Millis::ZERO, LATER] {
                let (track, segment) = (TrackNo::new(track), SegmentNo::new(segment));
                push(at, Content::Chunk { track, segment, bytes: Bytes::from_static(b"x") });
            }
        }
    }
    items
}

/// Over HTTP, in one request; tells how many bytes that took.
async fn posted(server: &Api, candidate: &Candidate, items: &[Item]) -> usize {
    let message = |some: &[Item]| ClientMessage::Items(some.to_vec());
    let messages: Vec<_> = items.chunks(ITEMS_PER_MESSAGE_MAX).map(message).collect();
    let bytes = messages.iter().map(|message| message.encode().len()).sum();
    let answers = candidate.exchange(server, NEW, &messages).await;
    let acked: u64 = answers
        .iter()
        .map(|answer| match answer {
            ServerMessage::Ack { seqs, .. } => seqs.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(acked, items.len() as u64, "{answers:?}");
    bytes
}

async fn pause_cuts(folder: &std::path::Path) -> i64 {
    let mut connection = database(folder).await;
    sqlx::query_scalar("SELECT count(*) FROM pause_cuts").fetch_one(&mut connection).await.unwrap()
}

async fn finished(server: &Api, candidate: &Candidate) {
    let path = format!("/api/sessions/{}/finish", candidate.session);
    let (status, session) = server.post(&path, json!({})).await;
    assert_eq!((status, &session["status"]), (200, &json!("completed")), "{}", session["failure"]);
}

#[tokio::test]
async fn a_pause_is_placed_in_one_run_however_many_claim_to_have_been_open() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let bytes = posted(&server, &candidate, &runs_over_pauses(1, 475)).await;
    finished(&server, &candidate).await;
    let rows = pause_cuts(server.folder.path()).await;
    println!("{bytes} bytes of items became {rows} rows of pauses");
    assert!(rows > 0 && rows <= i64::from(PAUSES_PLACED_MAX), "{rows} rows");
}

#[tokio::test]
async fn as_many_pauses_as_the_limit_are_placed_and_one_more_is_not() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("test.db"), None).await.unwrap();
    let candidate = Candidate::new(2);
    let (session, now) = (candidate.session, UnixMillis::new(1_795_257_600_000));
    let new = NewSession { id: session, token: candidate.token.hash(), started_at: now, now };
    store.create_session(&new).await.unwrap();
    let over = |place: u32| NewEvent {
        session,
        at: now,
        place: Some(Millis::new(u64::from(place))),
        event: Event::PauseOver,
    };
    let most: Vec<_> = (0..PAUSES_PLACED_MAX).map(over).collect();
    store.log_events(&most).await.unwrap();
    assert_eq!(store.pauses_over(session).await.unwrap().len(), PAUSES_PLACED_MAX as usize);
    store.log_events(&[over(PAUSES_PLACED_MAX)]).await.unwrap();
    let placed = store.pauses_over(session).await.unwrap();
    assert_eq!(placed.len(), PAUSES_PLACED_MAX as usize);
    assert_eq!(placed.last(), Some(&Millis::new(u64::from(PAUSES_PLACED_MAX) - 1)), "the first");
}

#[tokio::test]
async fn thousands_of_runs_in_every_track_take_little_memory_and_no_long_page() {
    const TRACKS: u8 = protocol::limits::TRACKS_PER_SESSION_MAX;
    const RUNS: u32 = 2_000;
    const MEMORY_BYTES_MAX: u64 = 400 * 1024 * 1024;
    const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &[]).await;
    let candidate = Candidate::new(3);
    let began = Instant::now();
    let bytes = posted(&server, &candidate, &runs_over_pauses(TRACKS, RUNS)).await;
    finished(&server, &candidate).await;
    let took = began.elapsed();
    let page = server.get(&format!("/sessions/{}", candidate.session)).await;
    assert_eq!(page.status(), 200);
    let page = page.bytes().await.unwrap().len();
    let told = server.get(&format!("/api/sessions/{}", candidate.session)).await;
    let told = told.bytes().await.unwrap().len();
    let (peak, rows) = (server.peak_resident_bytes(), pause_cuts(folder.path()).await);
    println!(
        "{bytes} bytes of items took {took:?} and {peak} bytes of memory, and became {rows} rows of \
         pauses, a page of {page} bytes and a JSON of {told}"
    );
    assert!(rows <= i64::from(PAUSES_PLACED_MAX) * i64::from(TRACKS), "{rows} rows");
    assert!(peak < MEMORY_BYTES_MAX, "{peak} bytes");
    assert!(page < PAGE_BYTES_MAX, "{page} bytes");
    assert!(took < Duration::from_secs(120), "{took:?}");
}

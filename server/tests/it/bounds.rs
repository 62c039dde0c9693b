//! Sessions made to be as much work as they can be: what they cost stays in proportion to what was sent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::Command;
use ledger::conformance::POLICY;
use protocol::item::{SegmentStart, StartCause};
use protocol::limits::{ITEMS_PER_MESSAGE_MAX, LABEL_BYTES_MAX};
use protocol::message::Opening;
use protocol::{
    ClientMessage, Content, Event, Item, Marker, Millis, SegmentNo, Seq, ServerMessage, TrackKind,
    TrackNo, UnixMillis,
};
use serde_json::json;
use server::store::{NewEvent, PAUSES_PLACED_MAX, Store};
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

/// The markers of these runs, each with as long a name as it may have. They come last: the log is full
/// by then.
fn markers_of_runs(first_seq: u64, tracks: u8, runs: u32) -> Vec<Item> {
    let places = (1..=runs).flat_map(|segment| (0..tracks).map(move |track| (track, segment)));
    let marker = |(seq, (track, segment))| {
        let start = SegmentStart {
            track: TrackNo::new(track),
            segment: SegmentNo::new(segment),
            kind: TrackKind::Microphone,
            mime: String::new(),
            label: "\"".repeat(LABEL_BYTES_MAX),
            wall: UnixMillis::new(0),
            cause: StartCause::Begun,
        };
        let content = Content::Marker(Marker::SegmentStarted(start));
        Item::new(Seq::new(seq), Millis::new(u64::from(segment)), content)
    };
    (first_seq..).zip(places).map(marker).collect()
}

/// Over HTTP; tells how many bytes that took.
async fn posted(server: &Api, candidate: &Candidate, items: &[Item]) -> usize {
    const MESSAGES_PER_REQUEST: usize = 40;
    let message = |some: &[Item]| ClientMessage::Items(some.to_vec());
    let messages: Vec<_> = items.chunks(ITEMS_PER_MESSAGE_MAX).map(message).collect();
    let bytes = messages.iter().map(|message| message.encode().len()).sum();
    let (mut opening, mut acked) = (NEW, 0);
    for messages in messages.chunks(MESSAGES_PER_REQUEST) {
        for answer in candidate.exchange(server, opening, messages).await {
            match answer {
                ServerMessage::Welcome(welcome) => {
                    opening = Opening::Joining { epoch: welcome.epoch };
                }
                ServerMessage::Ack { seqs, .. } => acked += seqs.len(),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(acked, items.len() as u64);
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
    let limit = i64::from(PAUSES_PLACED_MAX);
    assert!(rows > 0 && rows <= limit, "{bytes} bytes of items became {rows} rows of pauses");
}

#[tokio::test]
async fn as_many_pauses_as_the_limit_are_placed_and_one_more_is_not() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("test.db"), None, POLICY).await.unwrap();
    let candidate = Candidate::new(2);
    let (session, now) = (candidate.session, UnixMillis::new(1_795_257_600_000));
    let create = Command::Create { token: candidate.token.hash(), started_at: now };
    store.carry_out(session, &create, now).await.unwrap();
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
    const RUNS: u32 = 1_000;
    const MEMORY_BYTES_MAX: u64 = 400 * 1024 * 1024;
    const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), &[]).await;
    let candidate = Candidate::new(3);
    let began = Instant::now();
    let mut items = runs_over_pauses(TRACKS, RUNS);
    items.extend(markers_of_runs(items.len() as u64, TRACKS, RUNS));
    let bytes = posted(&server, &candidate, &items).await;
    finished(&server, &candidate).await;
    let took = began.elapsed();
    let page = server.get(&format!("/sessions/{}", candidate.session)).await;
    assert_eq!(page.status(), 200);
    let page = page.bytes().await.unwrap().len();
    let told = server.get(&format!("/api/sessions/{}", candidate.session)).await;
    let told = told.bytes().await.unwrap().len();
    let (peak, rows) = (server.peak_resident_bytes(), pause_cuts(folder.path()).await);
    let figures = format!(
        "{bytes} bytes of items took {took:?} and {peak} bytes of memory, and became {rows} rows of \
         pauses, a page of {page} bytes and a JSON of {told}"
    );
    assert!(rows <= i64::from(PAUSES_PLACED_MAX) * i64::from(TRACKS), "{figures}");
    assert!(peak < MEMORY_BYTES_MAX, "{figures}");
    assert!(page < PAGE_BYTES_MAX, "{figures}");
    assert!(took < Duration::from_secs(120), "{figures}");
}

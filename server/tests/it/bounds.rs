//! Sessions made to be as much work as they can be: what they cost stays in proportion to what was sent.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::conformance::POLICY;
use ledger::{Append, By, Command, Ledger as _};
use protocol::event::{LossCause, Transport};
use protocol::item::{SegmentStart, StartCause};
use protocol::limits::{ITEMS_PER_MESSAGE_MAX, LABEL_BYTES_MAX};
use protocol::message::Opening;
use protocol::{
    ClientMessage, Content, Epoch, Event, Item, Marker, Millis, SegmentNo, Seq, ServerMessage,
    TrackKind, TrackNo, UnixMillis,
};
use serde_json::json;
use server::store::{MARKS_PER_SESSION_MAX, NewEvent, PAUSES_PLACED_MAX, Store};
use tempfile::TempDir;
use timeline::Marks;

use crate::harness::{Api, Candidate, NEW, TestServer, database, run, segment_start};
use crate::process::Process;

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

/// The markers of these runs, each with as long a name as it may have. They come last.
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
    let append = async |places: Range<u32>| {
        let over = |place: u32| {
            let (seq, at) = (Seq::new(place.into()), Millis::new(place.into()));
            Item::new(seq, at, Content::Marker(Marker::Resumed))
        };
        let (by, transport) = (By::Writer(Epoch::new(0)), Transport::WebSocket);
        let items = places.map(over).collect();
        let append = Append { session, by, transport, items };
        store.append(&[&append], now).await.unwrap();
    };
    append(0..PAUSES_PLACED_MAX).await;
    assert_eq!(store.pauses_over(session).await.unwrap().len(), PAUSES_PLACED_MAX as usize);
    append(PAUSES_PLACED_MAX..PAUSES_PLACED_MAX + 1).await;
    let placed = store.pauses_over(session).await.unwrap();
    assert_eq!(placed.len(), PAUSES_PLACED_MAX as usize);
    assert_eq!(placed.last(), Some(&Millis::new(u64::from(PAUSES_PLACED_MAX) - 1)), "the first");
}

/// With pauses of 2 ms, each 4 ms after the one before.
#[tokio::test]
async fn as_many_pauses_as_the_limit_are_told_and_of_more_it_is_told_that_there_are_more() {
    const PAUSES_MAX: u64 = MARKS_PER_SESSION_MAX as u64 / 2;
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    let mark = |place: u64| {
        let marker = if place.is_multiple_of(2) { Marker::Paused } else { Marker::Resumed };
        Item::new(Seq::new(2 + place), Millis::new(100 + 2 * place), Content::Marker(marker))
    };
    let (track, segment, bytes) = (TrackNo::new(0), SegmentNo::new(0), Bytes::from_static(b"x"));
    let last_chunk = Item::new(Seq::new(1), LATER, Content::Chunk { track, segment, bytes });
    let mut items = vec![segment_start(0, 0), last_chunk];
    items.extend((0..2 * PAUSES_MAX).map(mark));
    let more: Vec<Item> = (2 * PAUSES_MAX..2 * PAUSES_MAX + 2).map(mark).collect();
    let page = async || {
        let page = server.get(&format!("/sessions/{}", candidate.session)).await;
        page.text().await.unwrap()
    };
    let told = "Paused 10000 times, for 20 s in all.";
    let not_all = "There were more pauses than are kept";
    socket.deliver(items).await;
    let at_the_limit = page().await;
    assert!(at_the_limit.contains(told) && !at_the_limit.contains(not_all), "{at_the_limit}");
    socket.deliver(more).await;
    let past_it = page().await;
    assert!(past_it.contains(told) && past_it.contains(not_all), "{past_it}");
}

#[tokio::test]
async fn as_many_connections_as_the_limit_are_kept_and_of_more_it_is_told_that_there_are_more() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("test.db"), None, POLICY).await.unwrap();
    let candidate = Candidate::new(5);
    let (session, now) = (candidate.session, UnixMillis::new(1_795_257_600_000));
    let create = Command::Create { token: candidate.token.hash(), started_at: now };
    store.carry_out(session, &create, now).await.unwrap();
    let event = |number: u32| {
        let cause = LossCause::Broken;
        let (epoch, transport) = (Epoch::new(1), Transport::WebSocket);
        let event = match number % 2 {
            0 => Event::Connected { epoch, failed_tries: 0, transport },
            _ => Event::ConnectionLost { cause },
        };
        NewEvent { session, at: now.plus(Millis::new(number.into())), place: None, event }
    };
    let most: Vec<_> = (0..MARKS_PER_SESSION_MAX).map(event).collect();
    store.log_events(&most).await.unwrap();
    let kept = store.connections(session, now).await.unwrap();
    assert_eq!((kept.kept.len(), kept.has_more), (MARKS_PER_SESSION_MAX as usize, false));
    store.log_events(&[event(MARKS_PER_SESSION_MAX)]).await.unwrap();
    assert_eq!(store.connections(session, now).await.unwrap(), Marks { has_more: true, ..kept });
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

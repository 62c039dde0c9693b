//! Several tracks in one session: a file for each, and one recording of them all.

mod mixing;
mod mp4;
mod pauses;
mod pictures;
mod upgrade;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use media::{Event, WebmReader};
use protocol::item::{EndCause, SegmentEnd, SegmentStart, StartCause};
use protocol::{
    Content, Item, Marker, Millis, Receipt, SegmentNo, Seq, SessionId, TrackKind, TrackNo,
    UnixMillis,
};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::harness::{Candidate, TestServer, eventually, fixture_chunks};

/// A recorder run, and when its chunks came.
struct Run {
    track: u8,
    segment: u32,
    kind: TrackKind,
    label: &'static str,
    starts_at: u64,
    chunk_every: u64,
    chunks: Vec<Vec<u8>>,
}

impl Run {
    fn of(track: u8, segment: u32, kind: TrackKind, starts_at: u64, fixture: &str) -> Self {
        let chunks = fixture_chunks(fixture);
        Self { track, segment, kind, label: "Desk", starts_at, chunk_every: 1_000, chunks }
    }

    fn stills(track: u8, segment: u32, starts_at: u64, chunks: Vec<Vec<u8>>) -> Self {
        let (kind, label) = (TrackKind::Stills, "Camera");
        Self { track, segment, kind, label, starts_at, chunk_every: 2_000, chunks }
    }

    /// What the page captures of it, and when.
    fn captured(&self) -> Vec<(u64, Content)> {
        let (track, segment) = (TrackNo::new(self.track), SegmentNo::new(self.segment));
        let start = SegmentStart {
            track,
            segment,
            kind: self.kind,
            mime: String::new(),
            label: self.label.into(),
            wall: UnixMillis::new(1_795_257_600_000),
            cause: StartCause::Begun,
        };
        let mut captured = vec![(self.starts_at, Content::Marker(Marker::SegmentStarted(start)))];
        let mut at = self.starts_at;
        for chunk in &self.chunks {
            at += self.chunk_every;
            let bytes = Bytes::copy_from_slice(chunk);
            captured.push((at, Content::Chunk { track, segment, bytes }));
        }
        let end = SegmentEnd { track, segment, cause: EndCause::Stopped };
        captured.push((at, Content::Marker(Marker::SegmentEnded(end))));
        captured
    }
}

/// All that the page captures, numbered in the order of time from `first` on.
fn items(first: u64, runs: &[Run]) -> Vec<Item> {
    let mut captured: Vec<(u64, Content)> = runs.iter().flat_map(Run::captured).collect();
    captured.sort_by_key(|(at, _)| *at);
    numbered(first, captured)
}

fn numbered(first: u64, captured: Vec<(u64, Content)>) -> Vec<Item> {
    let item = |(seq, (at, content))| Item::new(Seq::new(seq), Millis::new(at), content);
    (first..).zip(captured).map(item).collect()
}

async fn recorded(server: &TestServer, number: u8, runs: &[Run]) -> (Candidate, Receipt) {
    delivered(server, number, items(0, runs)).await
}

async fn delivered(server: &TestServer, number: u8, items: Vec<Item>) -> (Candidate, Receipt) {
    let candidate = Candidate::new(number);
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(server).await;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    (candidate, receipt)
}

async fn file(server: &TestServer, candidate: &Candidate, rest: &str) -> Vec<u8> {
    let path = format!("/api/sessions/{}/{rest}", candidate.session);
    let response = server.get(&path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

/// The packets of each track of a WebM, and when they play.
fn packets(file: &[u8]) -> BTreeMap<u64, Vec<(u64, Vec<u8>)>> {
    let mut reader = WebmReader::new();
    reader.push(file);
    reader.end();
    let mut packets: BTreeMap<u64, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Block(block) = event {
            let millis = u64::try_from(block.time.as_nanos()).unwrap() / 1_000_000;
            packets.entry(block.track().0).or_default().push((millis, block.payload().to_vec()));
        }
    }
    packets
}

/// Of the file of a track that is one sound.
async fn own_packets(
    server: &TestServer,
    candidate: &Candidate,
    track: usize,
) -> Vec<(u64, Vec<u8>)> {
    let own = file(server, candidate, &format!("tracks/{track}/recording")).await;
    packets(&own).remove(&1).unwrap()
}

/// Of each run of a track in the session's JSON.
fn durations(session: &Value, track: usize) -> Vec<u64> {
    let segments = session["tracks"][track]["segments"].as_array().unwrap();
    segments.iter().map(|segment| segment["duration_ms"].as_u64().unwrap()).collect()
}

fn kept_files(server: &TestServer, id: SessionId) -> Vec<String> {
    let folder = server.folder.path().join("recordings").join(id.to_string());
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = files.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// So many chunks of a session still have their payloads, read past the server.
async fn payloads_left(folder: &Path, id: SessionId) -> i64 {
    let options = SqliteConnectOptions::new().filename(folder.join("holdfast.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query_scalar(
        "SELECT count(*) FROM items WHERE session_id = ? AND kind = 'chunk' AND payload IS NOT NULL",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_one(&mut connection)
    .await
    .unwrap()
}

/// Two microphones; the page is reloaded after a while, and the second one is there a little later.
fn two_microphones() -> [Run; 4] {
    use TrackKind::Microphone;
    [
        Run::of(0, 0, Microphone, 0, "beep1"),
        Run::of(1, 1, Microphone, 1_000, "a_opus"),
        Run::of(0, 2, Microphone, 40_000, "beep2"),
        Run::of(1, 3, Microphone, 41_500, "d_run2"),
    ]
}

/// Where a track's packets lie in the recording, whose runs begin at these places there.
fn placed(own: &[(u64, Vec<u8>)], runs: &[(u64, u64)]) -> Vec<(u64, Vec<u8>)> {
    let mut placed = Vec::new();
    let mut in_file = 0;
    for (order, (place, duration)) in runs.iter().enumerate() {
        let until = if order + 1 == runs.len() { u64::MAX } else { in_file + duration };
        let of_run = own.iter().filter(|(at, _)| (in_file..until).contains(at));
        placed.extend(of_run.map(|(at, bytes)| (at - in_file + place, bytes.clone())));
        in_file += duration;
    }
    placed
}

/// Every packet is there, in its order and at its time, and nothing between them but silence.
fn assert_holds(is: &[(u64, Vec<u8>)], wanted: &[(u64, Vec<u8>)]) {
    let mut left = wanted.iter().peekable();
    let put_in: Vec<_> =
        is.iter().filter(|packet| left.next_if(|next| next == packet).is_none()).collect();
    assert_eq!(left.next(), None, "of {} packets", wanted.len());
    let is_silence = |payload: &[u8]| {
        payload.starts_with(&[0xFB]) && payload[2..].chunks(2).all(|frame| frame == [0xFF, 0xFE])
    };
    assert!(put_in.iter().all(|(_, payload)| is_silence(payload)), "{} too many", put_in.len());
}

#[tokio::test]
async fn two_microphones_become_one_recording_in_step_and_without_dead_time() {
    let server = TestServer::start().await;
    let (candidate, receipt) = recorded(&server, 1, &two_microphones()).await;
    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 0);
    let (first, second) = (durations(&session, 0), durations(&session, 1));
    // Both are away from when the later one ended to when the first came back.
    let goes_on = first[0].max(1_000 + second[0]);
    let recording = file(&server, &candidate, "recording").await;
    let verified = media::verify(Cursor::new(&recording)).unwrap();
    assert_eq!(verified.tracks.len(), 2);
    let ends = (goes_on + first[1]).max(goes_on + 1_500 + second[1]);
    assert_eq!((receipt.duration.get(), verified.duration.as_millis()), (ends, ends.into()));

    let voice = own_packets(&server, &candidate, 0).await;
    let other = own_packets(&server, &candidate, 1).await;
    let combined = packets(&recording);
    assert_holds(&combined[&1], &placed(&voice, &[(0, first[0]), (goes_on, first[1])]));
    let places = [(1_000, second[0]), (goes_on + 1_500, second[1])];
    assert_holds(&combined[&2], &placed(&other, &places));
    assert!(recording.windows(16).any(|bytes| bytes == b"Microphone: Desk"));
}

#[tokio::test]
async fn in_step_with_the_clock_all_tracks_keep_their_gaps() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 2, &two_microphones()).await;
    let session = server.session(candidate.session).await;
    let by_clock = packets(&file(&server, &candidate, "exports/timeline").await);
    for (track, starts) in [(0, [0, 40_000]), (1, [1_000, 41_500])] {
        let own = own_packets(&server, &candidate, track).await;
        let lasts = durations(&session, track);
        let wanted = placed(&own, &[(starts[0], lasts[0]), (starts[1], lasts[1])]);
        assert_holds(&by_clock[&(track as u64 + 1)], &wanted);
    }
}

#[tokio::test]
async fn each_track_has_its_file_and_says_so() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 3, &two_microphones()).await;
    let session = server.session(candidate.session).await;
    for track in [0, 1] {
        let told = &session["tracks"][track];
        assert_eq!((&told["label"], &told["kind"]), (&json!("Desk"), &json!("microphone")));
        let sum: u64 = durations(&session, track).iter().sum();
        assert_eq!(told["duration_ms"], sum);
        let url = told["recording_url"].as_str().unwrap();
        let response = server.get(&format!("{url}?download=1")).await;
        let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.ends_with(&format!(".track-{}.webm\"", track + 1)), "{name}");
        assert_eq!(told["bytes"], response.bytes().await.unwrap().len());
        let part = server.http.get(server.url(url)).header("range", "bytes=0-3");
        let part = part.send().await.unwrap();
        assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().len()), (206, 4));
    }
    for (path, kind) in
        [("tracks/2/recording", "no-track-file"), ("tracks/x/recording", "no-track-file")]
    {
        let response = server.get(&format!("/api/sessions/{}/{path}", candidate.session)).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.json::<Value>().await.unwrap()["type"], kind);
    }
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("Tracks") && page.contains("Microphone: Desk"), "{page}");
    assert_eq!(page.matches("role=\"slider\"").count(), 2, "one for each sound");
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 0);
}

#[tokio::test]
async fn a_single_track_is_the_recording_and_kept_once() {
    let server = TestServer::start().await;
    let run = Run::of(0, 0, TrackKind::Microphone, 0, "beep1");
    let (candidate, receipt) = recorded(&server, 4, &[run]).await;
    let recording = file(&server, &candidate, "recording").await;
    assert_eq!(file(&server, &candidate, "tracks/0/recording").await, recording);
    assert_eq!(file(&server, &candidate, "playback").await, recording);
    let track = &server.session(candidate.session).await["tracks"][0];
    assert_eq!(
        (&track["bytes"], &track["duration_ms"]),
        (&receipt.bytes.into(), &receipt.duration.get().into())
    );
    let media = |name: &String| !name.ends_with(".peaks");
    assert_eq!(kept_files(&server, candidate.session).iter().filter(|name| media(name)).count(), 1);
}

#[tokio::test]
async fn a_screen_in_another_container_is_to_be_had_apart() {
    let server = TestServer::start().await;
    let runs = [
        Run::of(0, 0, TrackKind::Microphone, 0, "beep1"),
        Run::of(1, 1, TrackKind::Screen, 500, "g_videomp4"),
    ];
    let (candidate, receipt) = recorded(&server, 5, &runs).await;
    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 0);
    assert_eq!(receipt.duration.get(), durations(&session, 0)[0]);
    let recording = file(&server, &candidate, "recording").await;
    assert_eq!(file(&server, &candidate, "tracks/0/recording").await, recording);
    let path = format!("/api/sessions/{}/tracks/1/recording", candidate.session);
    let screen = server.get(&path).await;
    assert_eq!(screen.headers()["content-type"], "video/mp4");
    let verified = media::verify(Cursor::new(screen.bytes().await.unwrap())).unwrap();
    assert_eq!(verified.duration.as_millis(), u128::from(durations(&session, 1)[0]));
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 0, "all is in files");
    // In step with the clock there is the recording alone.
    let by_clock = file(&server, &candidate, "exports/timeline").await;
    assert_eq!(media::verify(Cursor::new(&by_clock)).unwrap().tracks.len(), 1);
}

#[tokio::test]
async fn a_track_of_noise_is_left_out_and_kept_and_spoils_nothing() {
    let server = TestServer::start().await;
    let noise = Run {
        chunks: vec![b"no recorder wrote this".to_vec()],
        ..Run::of(1, 1, TrackKind::SystemAudio, 500, "beep2")
    };
    let voice = Run::of(0, 0, TrackKind::Microphone, 0, "beep1");
    let (candidate, receipt) = recorded(&server, 6, &[noise, voice]).await;
    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 1);
    assert_eq!(durations(&session, 1), [0]);
    assert_eq!(receipt.duration.get(), durations(&session, 0)[0]);
    assert_eq!(session["tracks"][1]["recording_url"], Value::Null);
    assert!(payloads_left(server.folder.path(), candidate.session).await > 0);
}

fn jpeg(mark: u8, bytes: usize) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0];
    jpeg.resize(bytes, mark);
    jpeg
}

/// With pictures, so that there is a file of each kind.
fn everything() -> Vec<Run> {
    let mut runs = Vec::from(two_microphones());
    runs.push(Run::stills(2, 4, 0, vec![jpeg(1, 60), jpeg(2, 70)]));
    runs
}

#[tokio::test]
async fn discarding_a_session_deletes_all_of_its_files() {
    let server = TestServer::with_options(&["--grace", "100ms"]).await;
    let candidate = Candidate::new(10);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items(0, &everything())).await;
    drop(socket);
    let made = async || {
        let session = server.session(candidate.session).await;
        (!session["recording_url"].is_null()).then_some(())
    };
    eventually("there is a recording of what is there", made).await;
    assert_eq!(kept_files(&server, candidate.session).len(), 4, "three tracks and the recording");
    let path = format!("/api/sessions/{}/discard", candidate.session);
    assert_eq!(server.post(&path, Value::Null).await.0, 200);
    assert_eq!(kept_files(&server, candidate.session), [""; 0]);
    let path = format!("/api/sessions/{}/frames", candidate.session);
    assert_eq!(server.json(&path).await["frames"], json!([]));
}

#[tokio::test]
async fn a_later_recording_takes_the_place_of_all_files_before() {
    let server = TestServer::with_options(&["--grace", "100ms"]).await;
    let candidate = Candidate::new(11);
    let (mut socket, _) = candidate.open(&server).await;
    let begun = items(0, &everything());
    let next = begun.last().unwrap().seq.next().get();
    socket.deliver(begun).await;
    drop(socket);
    let made = async || {
        let session = server.session(candidate.session).await;
        (!session["recording_url"].is_null()).then_some(())
    };
    eventually("there is a recording of what is there", made).await;
    let before = kept_files(&server, candidate.session);
    let more = items(
        next,
        &[
            Run::of(0, 5, TrackKind::Microphone, 100_000, "c_pause"),
            Run::of(1, 6, TrackKind::Microphone, 100_000, "d_run2"),
            Run::stills(2, 7, 100_000, vec![jpeg(3, 80)]),
        ],
    );
    let last = more.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(more).await;
    socket.finish_completely(last).await;
    let after = kept_files(&server, candidate.session);
    assert!(before.iter().all(|name| !after.contains(name)), "{before:?} {after:?}");
    let made_later = |name: &&String| !name.ends_with(".peaks") && !name.ends_with(".mix.webm");
    assert_eq!(after.iter().filter(made_later).count(), 4, "{after:?}");
    assert_eq!(file(&server, &candidate, "frames/2.jpg").await, jpeg(3, 80));
}

#[tokio::test]
async fn the_zip_holds_every_file_under_a_name_that_says_what_it_is() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 12, &everything()).await;
    let zip = file(&server, &candidate, "exports/zip").await;
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
        bytes
    };
    assert_eq!(read("recording.webm"), file(&server, &candidate, "recording").await);
    for track in [0, 1] {
        let own = file(&server, &candidate, &format!("tracks/{track}/recording")).await;
        assert_eq!(read(&format!("track-{}-microphone.webm", track + 1)), own);
    }
    assert_eq!(read("track-3-stills/00000.jpg"), jpeg(1, 60));
    assert_eq!(read("track-3-stills/00001.jpg"), jpeg(2, 70));
}

//! The recording in other forms.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use protocol::{Item, Millis, Seq};
use serde_json::Value;

use crate::harness::{Candidate, TestServer, chunk, eventually, run, segment_start};
use crate::process::{ffmpegs_in, installed_ffmpeg, peak_resident_bytes_of};

async fn completed(server: &TestServer, number: u8, fixtures: &[&str]) -> Candidate {
    let candidate = Candidate::new(number);
    let (mut socket, _) = candidate.open(server).await;
    let (mut next, mut last) = (0, None);
    for (segment, fixture) in (0..).zip(fixtures) {
        let items = run(next, segment, fixture);
        last = items.last().map(|item| item.seq);
        next += items.len() as u64;
        socket.deliver(items).await;
    }
    socket.finish_completely(last.unwrap()).await;
    candidate
}

fn address(candidate: &Candidate, rest: &str) -> String {
    format!("/api/sessions/{}/exports{rest}", candidate.session)
}

async fn listed(server: &TestServer, candidate: &Candidate, format: &str) -> Value {
    let list = server.json(&address(candidate, "")).await;
    let exports = list["exports"].as_array().unwrap();
    exports.iter().find(|export| export["format"] == format).unwrap().clone()
}

async fn fetched(server: &TestServer, candidate: &Candidate, format: &str) -> (String, Vec<u8>) {
    let response = server.get(&address(candidate, &format!("/{format}?download=1"))).await;
    assert_eq!(response.status(), 200, "{format}");
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.starts_with("attachment; filename=\"holdfast-"), "{name}");
    let mime = response.headers()["content-type"].to_str().unwrap().to_owned();
    (mime, response.bytes().await.unwrap().to_vec())
}

/// In seconds, as ffprobe tells it.
fn duration_of(bytes: &[u8]) -> f64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let arguments = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"];
    let told = Command::new("ffprobe").args(arguments).arg(file.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stderr), "");
    String::from_utf8_lossy(&told.stdout).trim().parse().unwrap()
}

#[tokio::test]
async fn the_sound_can_be_had_in_every_form() {
    let server = TestServer::start().await;
    let candidate = completed(&server, 1, &["beep1"]).await;
    let whole = server.session(candidate.session).await["duration_ms"].as_f64().unwrap() / 1_000.0;
    for (format, mime) in [("ogg", "audio/ogg"), ("mp3", "audio/mpeg"), ("wav", "audio/wav")] {
        assert_eq!(listed(&server, &candidate, format).await["state"], "not_made");
        let (told, bytes) = fetched(&server, &candidate, format).await;
        assert_eq!(told, mime);
        assert!((duration_of(&bytes) - whole).abs() < 0.15, "{format}");
        let listed = listed(&server, &candidate, format).await;
        assert_eq!((&listed["state"], &listed["bytes"]), (&"ready".into(), &bytes.len().into()));
    }
    assert_eq!(listed(&server, &candidate, "mp4").await["state"], "unavailable");
    assert_eq!(server.get(&address(&candidate, "/mp4")).await.status(), 501);
    assert_eq!(server.get(&address(&candidate, "/flac")).await.status(), 404);
}

#[tokio::test]
async fn pictures_become_an_mp4() {
    let server = TestServer::start().await;
    let candidate = completed(&server, 2, &["b_vp8"]).await;
    let (mime, bytes) = fetched(&server, &candidate, "mp4").await;
    assert_eq!(mime, "video/mp4");
    let whole = server.session(candidate.session).await["duration_ms"].as_f64().unwrap() / 1_000.0;
    assert!((duration_of(&bytes) - whole).abs() < 0.3, "{}", duration_of(&bytes));
}

/// The harness puts every item 250 ms after the one before; its fixtures last longer or shorter.
#[tokio::test]
async fn in_step_with_the_clock_every_run_begins_when_it_began() {
    let server = TestServer::start().await;
    let candidate = completed(&server, 3, &["d_run2", "d_run2"]).await;
    let session = server.session(candidate.session).await;
    let segments = session["tracks"][0]["segments"].as_array().unwrap();
    let (mime, bytes) = fetched(&server, &candidate, "timeline").await;
    assert_eq!(mime, "audio/webm");
    let verified = media::verify(std::io::Cursor::new(&bytes)).unwrap();
    let second = &segments[1];
    let begins = second["started_at_ms"].as_u64().unwrap();
    let first_ends = segments[0]["duration_ms"].as_u64().unwrap();
    let ends = begins.max(first_ends) + second["duration_ms"].as_u64().unwrap();
    assert_eq!(verified.duration.as_millis(), u128::from(ends));
}

#[tokio::test]
async fn the_zip_holds_the_recording_and_all_that_is_known() {
    let server = TestServer::start().await;
    let candidate = completed(&server, 4, &["beep1"]).await;
    let (mime, bytes) = fetched(&server, &candidate, "zip").await;
    assert_eq!(mime, "application/zip");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut read = |name: &str| {
        let mut file = archive.by_name(name).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        bytes
    };
    let session: Value = serde_json::from_slice(&read("session.json")).unwrap();
    assert_eq!(session["id"], candidate.session.to_string());
    let events: Value = serde_json::from_slice(&read("events.json")).unwrap();
    assert!(!events["events"].as_array().unwrap().is_empty());
    let path = format!("/api/sessions/{}/recording", candidate.session);
    let recording = server.get(&path).await.bytes().await.unwrap();
    assert_eq!(read("recording.webm"), recording);
}

#[tokio::test]
async fn an_export_can_be_started_and_asked_for_later() {
    let mut server = TestServer::start().await;
    let candidate = completed(&server, 5, &["beep1"]).await;
    let (status, export) = server.post(&address(&candidate, "/mp3"), Value::Null).await;
    assert_eq!(status, 202);
    assert!(["making", "ready"].contains(&export["state"].as_str().unwrap()), "{export}");
    let ready = async || {
        let export = listed(&server, &candidate, "mp3").await;
        (export["state"] == "ready").then_some(export)
    };
    let made = eventually("the export is ready", ready).await;
    server.restart().await;
    assert_eq!(listed(&server, &candidate, "mp3").await, made, "it outlives the server");
}

#[tokio::test]
async fn before_the_end_there_is_nothing_to_export() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let _open = candidate.open(&server).await;
    for (status, path) in [
        (409, address(&candidate, "")),
        (409, address(&candidate, "/ogg")),
        (404, address(&Candidate::new(7), "")),
    ] {
        assert_eq!(server.get(&path).await.status(), status, "{path}");
    }
}

/// A session may be resumed a day later.
#[tokio::test]
async fn a_timeline_with_a_gap_of_twenty_hours_is_small() {
    const GAP_MS: u64 = 20 * 3_600 * 1_000;
    let server = TestServer::start().await;
    let candidate = Candidate::new(8);
    let (mut socket, _) = candidate.open(&server).await;
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    let later = |item: Item| Item::new(item.seq, Millis::new(item.at.get() + GAP_MS), item.content);
    let second: Vec<Item> = second.into_iter().map(later).collect();
    let last = second.last().unwrap().seq;
    socket.deliver(first).await;
    socket.deliver(second).await;
    let receipt = socket.finish_completely(last).await;
    let (_, bytes) = fetched(&server, &candidate, "timeline").await;
    let verified = media::verify(std::io::Cursor::new(&bytes)).unwrap();
    assert!(verified.duration.as_millis() > GAP_MS.into(), "{:?}", verified.duration);
    let silence = bytes.len() as u64 - receipt.bytes;
    assert!(silence < 1_000_000, "{silence} bytes");
}

/// An element with its length in eight bytes (RFC 8794 section 4).
fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    let length = (1 << 56 | body.len() as u64).to_be_bytes();
    [id, &length, body].concat()
}

/// A keyframe that says how large it is, and little else (RFC 6386 section 9.1).
fn keyframe(side: u16) -> Vec<u8> {
    const PARTITION: [u8; 4_000] = [0; 4_000];
    let tag = 1 << 4 | (PARTITION.len() as u32 / 2) << 5;
    let side = side.to_le_bytes();
    [&tag.to_le_bytes()[..3], &[0x9D, 0x01, 0x2A], &side, &side, &PARTITION].concat()
}

/// What a recorder could have written, of a track that says it is `side` pixels wide and high.
fn pictures(side: u16, frames: &[Vec<u8>]) -> Vec<u8> {
    let word = |id: &[u8], text: &[u8]| element(id, text);
    let header = [word(&[0x42, 0x82], b"webm"), word(&[0x42, 0x87], &[4])].concat();
    let side = side.to_be_bytes();
    let video = [element(&[0xB0], &side), element(&[0xBA], &side)].concat();
    let track = [
        element(&[0xD7], &[1]),
        element(&[0x73, 0xC5], &[1]),
        element(&[0x83], &[1]),
        element(&[0x86], b"V_VP8"),
        element(&[0xE0], &video),
    ]
    .concat();
    let mut cluster = element(&[0xE7], &[0]);
    for (frame, place) in frames.iter().zip(0_i16..) {
        let head = [&[0x81][..], &(place * 33).to_be_bytes(), &[0x80]].concat();
        cluster.extend(element(&[0xA3], &[head, frame.clone()].concat()));
    }
    let segment = [
        element(&[0x15, 0x49, 0xA9, 0x66], &element(&[0x2A, 0xD7, 0xB1], &[0x0F, 0x42, 0x40])),
        element(&[0x16, 0x54, 0xAE, 0x6B], &element(&[0xAE], &track)),
        element(&[0x1F, 0x43, 0xB6, 0x75], &cluster),
    ]
    .concat();
    [element(&[0x1A, 0x45, 0xDF, 0xA3], &header), element(&[0x18, 0x53, 0x80, 0x67], &segment)]
        .concat()
}

/// Looks at every ffmpeg that works in this folder, until `work` is done; the most memory of any.
async fn most_memory<T>(folder: &Path, work: impl Future<Output = T>) -> (T, u64) {
    let mut most = 0;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return (done, most),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        let peaks = ffmpegs_in(folder).into_iter().filter_map(peak_resident_bytes_of);
        most = peaks.fold(most, u64::max);
    }
}

/// The stream itself says so, or only one of its pictures does.
#[tokio::test]
async fn an_absurd_picture_is_refused_quickly_and_takes_no_memory() {
    const ABSURD: u16 = 15_000;
    const MEMORY_BYTES_MAX: u64 = 500 * 1024 * 1024;
    if installed_ffmpeg().is_none() {
        return;
    }
    let server = TestServer::start().await;
    let all = vec![keyframe(ABSURD); 30];
    let mut one = vec![keyframe(320); 30];
    one[20] = keyframe(ABSURD);
    for (number, recorded) in [(9, pictures(ABSURD, &all)), (10, pictures(320, &one))] {
        assert!(recorded.len() < 175_000);
        let candidate = Candidate::new(number);
        let (mut socket, _) = candidate.open(&server).await;
        socket.deliver(vec![segment_start(0, 0), chunk(1, 0, &recorded)]).await;
        socket.finish_completely(Seq::new(1)).await;
        let began = Instant::now();
        let path = address(&candidate, "/mp4");
        let (response, memory) = most_memory(server.folder.path(), server.get(&path)).await;
        let took = began.elapsed();
        assert_eq!(response.status(), 422);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["type"], "export-past-limit");
        assert!(problem["detail"].as_str().unwrap().contains("pixels"), "{problem}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(memory < MEMORY_BYTES_MAX, "{memory} bytes");
        let listed = listed(&server, &candidate, "mp4").await;
        assert_eq!(listed["state"], "failed", "{listed}");
    }
}

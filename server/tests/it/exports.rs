//! The recording in other forms.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Candidate, TestServer, eventually, run};

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

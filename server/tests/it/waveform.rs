//! The sound of a recording as a picture: drawn once, kept beside the file, served in any size.

use std::path::PathBuf;

use media::Peaks;
use protocol::Receipt;

use crate::harness::{Candidate, TestServer, eventually, run};

async fn recorded(server: &TestServer, number: u8, fixture: &str) -> (Candidate, Receipt) {
    let candidate = Candidate::new(number);
    let items = run(0, 0, fixture);
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(server).await;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    (candidate, receipt)
}

fn address(candidate: &Candidate, query: &str) -> String {
    format!("/api/sessions/{}/waveform{query}", candidate.session)
}

async fn peaks(server: &TestServer, path: &str) -> Peaks {
    let response = server.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    Peaks::from_bytes(&response.bytes().await.unwrap()).unwrap()
}

fn kept_files(server: &TestServer, candidate: &Candidate) -> Vec<PathBuf> {
    let folder = server.folder.path().join("recordings").join(candidate.session.to_string());
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "peaks")).collect()
}

#[tokio::test]
async fn the_sound_of_a_recording_is_drawn_and_served_in_any_size() {
    let server = TestServer::start().await;
    let (candidate, receipt) = recorded(&server, 1, "beep1").await;
    let fine = peaks(&server, &address(&candidate, "?max=1000000")).await;
    let covered = fine.level().bucket() * u32::try_from(fine.buckets().len()).unwrap();
    let duration = std::time::Duration::from_millis(receipt.duration.get());
    assert!(covered >= duration && covered - duration < fine.level().bucket(), "{covered:?}");
    assert!(fine.buckets().iter().any(|peak| peak.max > 30), "it beeps");
    assert!(fine.buckets().iter().any(|peak| peak.max < 3), "and is silent in between");

    let coarse = peaks(&server, &address(&candidate, "?max=20")).await;
    assert_eq!(coarse, fine.within(20));
    assert!(coarse.buckets().len() <= 20);
    assert_eq!(peaks(&server, &address(&candidate, "")).await, fine.within(4_000));

    let whole = server.get(&address(&candidate, "")).await;
    let etag = whole.headers()["etag"].clone();
    let again = server.http.get(server.url(&address(&candidate, "")));
    assert_eq!(again.header("if-none-match", etag).send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn the_sound_of_an_mp4_is_drawn_and_shown_as_that_of_a_webm() {
    let server = TestServer::start().await;
    for (number, fixture) in
        [(7, "aac_beeps"), (8, "aac_camera"), (9, "g_videomp4"), (10, "webkit_audio")]
    {
        let (candidate, receipt) = recorded(&server, number, fixture).await;
        let fine = peaks(&server, &address(&candidate, "?max=1000000")).await;
        let covered = fine.level().bucket() * u32::try_from(fine.buckets().len()).unwrap();
        let duration = std::time::Duration::from_millis(receipt.duration.get());
        assert!(covered >= duration, "{fixture}: {covered:?} of {duration:?}");
        assert!(fine.buckets().iter().any(|peak| peak.max > 30), "{fixture} is heard");
        let session = format!("/sessions/{}", candidate.session);
        let page = server.get(&session).await.text().await.unwrap();
        assert!(page.contains("data-peaks"), "{page}");
        // An earlier version drew nothing of it, and kept that.
        let kept = kept_files(&server, &candidate).pop().unwrap();
        std::fs::write(&kept, [0]).unwrap();
        assert_eq!(peaks(&server, &address(&candidate, "?max=1000000")).await, fine);
        assert!(std::fs::read(&kept).unwrap().len() > 100);
    }
}

#[tokio::test]
async fn it_is_drawn_without_being_asked_for_and_outlives_the_server() {
    let mut server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 2, "beep1").await;
    let drawn = async || kept_files(&server, &candidate).pop();
    eventually("the waveform is drawn", drawn).await;
    let before = peaks(&server, &address(&candidate, "")).await;
    server.restart().await;
    assert_eq!(peaks(&server, &address(&candidate, "")).await, before);
    // Of a recording that is older than waveforms there is none yet.
    std::fs::remove_file(kept_files(&server, &candidate).pop().unwrap()).unwrap();
    assert_eq!(peaks(&server, &address(&candidate, "")).await, before);
    assert_eq!(kept_files(&server, &candidate).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_drawn_is_said() {
    let server = TestServer::start().await;
    let (silent, _) = recorded(&server, 3, "b_vp9").await;
    let (candidate, _) = recorded(&server, 4, "beep1").await;
    let open = Candidate::new(5);
    let (_socket, _) = open.open(&server).await;
    for (path, kind) in [
        (address(&candidate, "?track=1"), "no-waveform"),
        (address(&silent, "?track=7"), "no-waveform"),
        (address(&open, ""), "no-recording"),
        (address(&Candidate::new(6), ""), "unknown-session"),
    ] {
        let response = server.get(&path).await;
        assert_eq!(response.status(), 404, "{path}");
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["type"], kind, "{path}");
    }
    assert_eq!(server.get(&address(&candidate, "?max=many")).await.status(), 400);
}

/// What the API says of silence, once the sound has been drawn.
async fn silence(server: &TestServer, candidate: &Candidate) -> bool {
    let known = async || server.session(candidate.session).await["silent"].as_bool();
    eventually("it is known whether there is sound", known).await
}

async fn text(server: &TestServer, path: &str) -> String {
    server.get(path).await.text().await.unwrap()
}

#[tokio::test]
async fn a_recording_of_pure_silence_says_so() {
    let mut server = TestServer::start().await;
    let (silent, _) = recorded(&server, 11, "silence").await;
    // As a converter gives out whose microphone is muted: ffmpeg's anoisesrc at amplitude 0.0002, which
    // is -67 dBFS at its loudest. The other one is its anullsrc.
    let (hissing, _) = recorded(&server, 12, "hiss").await;
    for candidate in [&silent, &hissing] {
        assert!(silence(&server, candidate).await);
        let page = text(&server, &format!("/sessions/{}", candidate.session)).await;
        assert!(page.contains("Nothing but silence was recorded."));
    }
    let session = server.session(silent.session).await;
    assert_eq!(session["receipt"]["silent"], true);
    let list = server.json("/api/sessions").await;
    assert!(list["sessions"].as_array().unwrap().iter().all(|one| one["silent"] == true), "{list}");
    assert_eq!(text(&server, "/").await.matches(">Silent</span>").count(), 2);
    server.restart().await;
    assert_eq!(server.session(silent.session).await["silent"], true);
}

#[tokio::test]
async fn a_recording_with_sound_is_not_called_silent() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 13, "beep1").await;
    assert!(!silence(&server, &candidate).await);
    let page = text(&server, &format!("/sessions/{}", candidate.session)).await;
    assert!(!page.contains("Nothing but silence"));
    assert!(!text(&server, "/").await.contains("Silent"));
}

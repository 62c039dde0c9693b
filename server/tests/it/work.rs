//! Work that is due on sessions: it outlives the server, is made good, is given up in words, and keeps
//! no recording waiting.

use std::path::Path;

use ledger::limits::JOB_TRIES_MAX;
use protocol::{Item, SessionId, TrackKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::crash::{handed_over, kill_while_it_is_made, long_recording};
use crate::harness::{Api, Candidate, database, eventually, run};
use crate::process::Process;
use crate::tracks::{Run, items};

/// So much that mixing it takes a while.
fn two_voices() -> Vec<Item> {
    let voice = |track, segment| {
        let starts_at = 10_000 * u64::from(segment / 2);
        Run::of(track, segment, TrackKind::Microphone, starts_at, "beep1")
    };
    let runs = (0..30).flat_map(|nth| [voice(0, 2 * nth), voice(1, 2 * nth + 1)]);
    items(0, &runs.collect::<Vec<_>>())
}

/// One completed session, whose job of this kind was running when its server was killed.
async fn killed_during(kind: &str, folder: &Path, candidate: &Candidate, items: &[Item]) {
    let server = handed_over(folder, candidate, items).await;
    let query = "SELECT 1 FROM jobs WHERE kind = ? AND state = 'running'";
    let mut database = database(folder).await;
    loop {
        let running: Option<i64> =
            sqlx::query_scalar(query).bind(kind).fetch_optional(&mut database).await.unwrap();
        if running.is_some() {
            break;
        }
    }
    server.kill().await;
    let left = sqlx::query("SELECT 1 FROM jobs WHERE kind = ?").bind(kind);
    let left = left.fetch_optional(&mut database).await.unwrap();
    assert!(left.is_some(), "the kill came too late to prove anything");
}

/// The server that follows one which was killed while it worked on a job of this kind, as so many before.
async fn given_up(kind: &str, folder: &Path) -> (Process, Value) {
    sqlx::query("UPDATE jobs SET tries = ? WHERE kind = ?")
        .bind(JOB_TRIES_MAX)
        .bind(kind)
        .execute(&mut database(folder).await)
        .await
        .unwrap();
    let server = Process::start(folder, &[]).await;
    let given_up = async || job(&server, kind).await.filter(|job| job["state"] == "stopped");
    let given_up = eventually("it is given up", given_up).await;
    (server, given_up)
}

async fn retry(server: &Api, job: &str) -> (u16, Value) {
    server.post(&format!("/api/jobs/{job}/retry"), Value::Null).await
}

/// What is kept of a session, by the ends of the files' names.
fn kept(folder: &Path, session: SessionId, end: &str) -> usize {
    let files = folder.join("recordings").join(session.to_string()).read_dir().unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    files.map(name).filter(|name| name.to_str().unwrap().ends_with(end)).count()
}

async fn job(server: &Api, kind: &str) -> Option<Value> {
    let jobs = server.json("/api/jobs").await;
    jobs["jobs"].as_array().unwrap().iter().find(|job| job["kind"] == kind).cloned()
}

#[tokio::test]
async fn a_kill_while_the_sound_is_drawn_is_made_good_by_the_next_start() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(1);
    killed_during("waveform", folder.path(), &candidate, &long_recording()).await;
    assert_eq!(kept(folder.path(), candidate.session, ".peaks"), 0);

    let server = Process::start(folder.path(), &[]).await;
    let is_done = async || job(&server, "waveform").await.is_none().then_some(());
    eventually("nobody asks, and the sound is drawn", is_done).await;
    assert_eq!(kept(folder.path(), candidate.session, ".peaks"), 1);
    assert_eq!(server.session(candidate.session).await["silent"], false);
}

#[tokio::test]
async fn a_kill_while_sounds_are_mixed_is_made_good_by_the_next_start() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(2);
    killed_during("mix", folder.path(), &candidate, &two_voices()).await;
    assert_eq!(kept(folder.path(), candidate.session, ".mix.webm"), 0);

    let server = Process::start(folder.path(), &[]).await;
    let begun = async || job(&server, "mix").await.filter(|job| job["progress"] != 0);
    let begun = eventually("it is told how far the mix has come", begun).await;
    assert_eq!((&begun["state"], &begun["tries"]), (&"running".into(), &2.into()), "{begun}");
    let is_done = async || job(&server, "mix").await.is_none().then_some(());
    eventually("nobody asks, and the sounds are mixed", is_done).await;
    assert_eq!(kept(folder.path(), candidate.session, ".mix.webm"), 1);
}

#[tokio::test]
async fn a_recording_whose_sound_ends_the_server_is_left_undrawn_and_that_is_said() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(3);
    killed_during("waveform", folder.path(), &candidate, &long_recording()).await;
    let (server, given_up) = given_up("waveform", folder.path()).await;
    let error = given_up["error"].as_str().unwrap();
    assert!(error.contains("ended the server 5 times"), "{error}");
    assert_eq!(given_up["begins_at"], Value::Null);
    // Whoever opens its page asks for the waveform; that is no reason to try.
    let waveform = format!("/api/sessions/{}/waveform", candidate.session);
    assert_eq!(server.get(&waveform).await.status(), 404);
    assert_eq!(job(&server, "waveform").await.as_ref(), Some(&given_up));
    let page = server.get("/jobs").await.text().await.unwrap();
    assert!(page.contains("Given up") && page.contains("Draw the sound"), "{page}");
    assert_eq!(server.session(candidate.session).await["status"], "completed");
    assert_eq!(kept(folder.path(), candidate.session, ".peaks"), 0);
    // Somebody who looks after the server may.
    let id = given_up["id"].as_str().unwrap();
    assert_eq!(retry(&server, id).await.0, 202);
    let is_done = async || job(&server, "waveform").await.is_none().then_some(());
    eventually("the sound is drawn", is_done).await;
    assert_eq!(kept(folder.path(), candidate.session, ".peaks"), 1);
    let (status, problem) = retry(&server, id).await;
    assert_eq!((status, &problem["type"]), (404, &"no-such-job".into()), "it is done: {problem}");
}

#[tokio::test]
async fn a_recording_that_was_given_up_is_tried_once_more_from_the_page() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(7);
    let server = handed_over(folder.path(), &candidate, &long_recording()).await;
    kill_while_it_is_made(server, folder.path()).await;
    let (server, given_up) = given_up("assemble", folder.path()).await;
    server.wait_for_status(candidate.session, "failed").await;
    let id = given_up["id"].as_str().unwrap();
    let form = format!("/jobs/{id}/retry");
    let page = server.get("/jobs").await.text().await.unwrap();
    assert!(page.contains(&format!("method=\"post\" action=\"{form}\"")), "{page}");
    let from_elsewhere = server.http.post(server.url(&form)).header("sec-fetch-site", "cross-site");
    assert_eq!(from_elsewhere.send().await.unwrap().status(), 400);
    assert_eq!(server.session(candidate.session).await["status"], "failed");

    let page = server.http.post(server.url(&form)).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/jobs"));
    server.wait_for_status(candidate.session, "completed").await;
    let again = server.http.post(server.url(&form)).send().await.unwrap();
    assert_eq!(again.status(), 404, "it is done");
}

#[tokio::test]
async fn only_what_was_given_up_can_be_tried_once_more() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(8);
    let server = handed_over(folder.path(), &candidate, &two_voices()).await;
    server.wait_for_status(candidate.session, "completed").await;
    let mix = job(&server, "mix").await.expect("it was mixed too early to prove anything");
    let (status, problem) = retry(&server, mix["id"].as_str().unwrap()).await;
    assert_eq!((status, &problem["type"]), (409, &"job-not-given-up".into()), "{problem}");
    let (session, other) = (candidate.session, Candidate::new(9).session);
    for (id, kind) in [
        (format!("{session}.export.mp3"), "no-such-job"),
        (format!("{session}.paint"), "no-such-job"),
        ("nonsense".to_owned(), "no-such-job"),
        (format!("{other}.mix"), "unknown-session"),
    ] {
        let (status, problem) = retry(&server, &id).await;
        assert_eq!((status, &problem["type"]), (404, &kind.into()), "{id}: {problem}");
    }
}

#[tokio::test]
async fn a_kill_between_the_end_of_the_grace_period_and_the_work_loses_no_recording() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(4);
    let server = Process::start(folder.path(), &["--grace", "100ms"]).await;
    let (mut socket, _) = candidate.open(&server).await;
    for some in long_recording().chunks(100) {
        socket.deliver(some.to_vec()).await;
    }
    drop(socket);
    server.wait_for_status(candidate.session, "incomplete").await;
    server.kill().await;
    assert!(!folder.path().join("recordings").exists(), "the kill came too late");

    // A day passes before the resume window ends.
    let server = Process::start(folder.path(), &[]).await;
    let made = async || {
        let session = server.session(candidate.session).await;
        session["recording_url"].as_str().map(str::to_owned)
    };
    let recording = eventually("nobody asks, and a recording is made", made).await;
    let file = server.get(&recording).await.bytes().await.unwrap();
    media::verify(std::io::Cursor::new(file)).unwrap();
    assert_eq!(server.session(candidate.session).await["status"], "incomplete");
}

#[tokio::test]
async fn a_recording_is_made_while_the_sound_of_others_waits_to_be_drawn() {
    let folder = TempDir::new().unwrap();
    let first = Candidate::new(5);
    let server = handed_over(folder.path(), &first, &two_voices()).await;
    server.wait_for_status(first.session, "completed").await;
    let second = Candidate::new(6);
    let (mut socket, _) = second.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    socket.finish_completely(last).await;
    let jobs = server.json("/api/jobs").await;
    let decoding = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["session"] == first.session.to_string());
    let kinds: Vec<&str> = decoding.map(|job| job["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"mix"), "the first was done too early to prove anything: {jobs}");
    let running = jobs["jobs"].as_array().unwrap().iter().filter(|job| {
        job["state"] == "running" && ["waveform", "mix"].contains(&job["kind"].as_str().unwrap())
    });
    assert!(running.count() <= 1, "one at a time: {jobs}");
}

//! Exports outlive the server: what one has begun, the next one makes.

use std::path::Path;
use std::time::{Duration, Instant};

use ledger::limits::JOB_TRIES_MAX;
use protocol::SessionId;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Api, Candidate, database, eventually};
use crate::process::{Process, ffmpegs_in, installed_ffmpeg, program_with_ffmpeg};
use crate::told::completed;

/// A second of it is converted, and then no more.
const HANGS: &str = "echo out_time_us=1000000\nexec sleep 60";
const CONVERTS: &str = "for last; do :; done\necho converted > \"$last\"";

async fn start(folder: &Path, converts: &str) -> Process {
    let command = program_with_ffmpeg(folder, converts);
    Process::run(command, &folder.join("data"), &[]).await.unwrap()
}

fn mp3(session: SessionId) -> String {
    format!("/api/sessions/{session}/exports/mp3")
}

async fn job(server: &Api) -> Option<Value> {
    let jobs = server.json("/api/jobs").await;
    jobs["jobs"].as_array().unwrap().iter().find(|job| job["kind"] == "export").cloned()
}

async fn standing(server: &Api, session: SessionId) -> Value {
    let list = server.json(&format!("/api/sessions/{session}/exports")).await;
    let exports = list["exports"].as_array().unwrap();
    exports.iter().find(|export| export["format"] == "mp3").unwrap().clone()
}

/// A server with a completed session, in the middle of its export.
async fn exporting(folder: &Path) -> (Process, Candidate) {
    let server = start(folder, HANGS).await;
    let candidate = completed(&server, 1).await;
    let (status, export) = server.post(&mp3(candidate.session), Value::Null).await;
    assert_eq!((status, &export["state"]), (202, &"making".into()), "{export}");
    let begun = async || job(&server).await.filter(|job| job["progress"] != 0);
    let begun = eventually("it is told how far the export has come", begun).await;
    let told = (&begun["subject"], &begun["state"], &begun["tries"]);
    assert_eq!(told, (&"mp3".into(), &"running".into(), &1.into()), "{begun}");
    let standing = standing(&server, candidate.session).await;
    assert!(standing["progress"].as_f64().unwrap() > 0.1, "{standing}");
    (server, candidate)
}

async fn expect_made(server: &Api, session: SessionId) {
    let ready = async || (standing(server, session).await["state"] == "ready").then_some(());
    eventually("nobody asks, and the export is made", ready).await;
    let file = server.get(&mp3(session)).await.bytes().await.unwrap();
    assert_eq!(file, "converted\n");
    let is_done = async || job(server).await.is_none().then_some(());
    eventually("nothing is left of the job", is_done).await;
}

#[tokio::test]
async fn a_kill_while_an_export_is_made_is_made_good_by_the_next_start() {
    let folder = TempDir::new().unwrap();
    let (server, candidate) = exporting(folder.path()).await;
    let page = server.get("/jobs").await.text().await.unwrap();
    assert!(page.contains("Export as MP3") && !page.contains("Try again"), "{page}");
    server.kill().await;

    let server = start(folder.path(), CONVERTS).await;
    assert_eq!(standing(&server, candidate.session).await["state"], "making");
    assert_eq!(job(&server).await.unwrap()["tries"], 1, "the next try waits");
    expect_made(&server, candidate.session).await;
}

#[tokio::test]
async fn an_export_that_a_stop_in_good_order_cuts_off_is_no_try() {
    let folder = TempDir::new().unwrap();
    let (mut server, candidate) = exporting(folder.path()).await;
    server.send_sigterm();
    assert!(server.ended().await.success());
    let data = folder.path().join("data");
    let left: (String, String, u32) = sqlx::query_as("SELECT state, subject, tries FROM jobs")
        .fetch_one(&mut database(&data).await)
        .await
        .unwrap();
    assert_eq!(left, ("waiting".into(), "mp3".into(), 0));

    let server = start(folder.path(), CONVERTS).await;
    expect_made(&server, candidate.session).await;
}

#[tokio::test]
async fn an_export_that_ends_the_server_is_given_up_in_words_until_somebody_asks_for_it() {
    let folder = TempDir::new().unwrap();
    let (server, candidate) = exporting(folder.path()).await;
    server.kill().await;
    sqlx::query("UPDATE jobs SET tries = ? WHERE kind = 'export'")
        .bind(JOB_TRIES_MAX)
        .execute(&mut database(&folder.path().join("data")).await)
        .await
        .unwrap();

    let server = start(folder.path(), CONVERTS).await;
    let failed = async || {
        let standing = standing(&server, candidate.session).await;
        (standing["state"] == "failed").then_some(standing)
    };
    let failed = eventually("it is given up", failed).await;
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("ended the server 5 times"), "{reason}");
    let page = format!("/sessions/{}", candidate.session);
    for page in [page.as_str(), "/jobs"] {
        let page = server.get(page).await.text().await.unwrap();
        assert!(page.contains(reason), "{page}");
    }
    assert_eq!(server.post(&mp3(candidate.session), Value::Null).await.0, 202);
    expect_made(&server, candidate.session).await;
    let page = server.get(&page).await.text().await.unwrap();
    assert!(!page.contains(reason), "{page}");
}

/// A second of a recording takes it most of a minute.
#[tokio::test]
async fn deleting_a_session_ends_the_ffmpeg_that_exports_it_and_leaves_nothing_of_it() {
    const DELETED_WITHIN: Duration = Duration::from_secs(5);
    let Some(ffmpeg) = installed_ffmpeg() else { return };
    let slowly = format!("exec {} -readrate 0.02 \"$@\"", ffmpeg.display());
    let folder = TempDir::new().unwrap();
    let server = start(folder.path(), &slowly).await;
    let candidate = completed(&server, 1).await;
    assert_eq!(server.post(&mp3(candidate.session), Value::Null).await.0, 202);
    let in_scratch = || std::fs::read_dir(folder.path().join("data/scratch")).unwrap().count();
    let is_at_work = async || {
        let works = !ffmpegs_in(folder.path()).is_empty() && in_scratch() == 1;
        works.then_some(())
    };
    eventually("ffmpeg is at work", is_at_work).await;

    let deleting = Instant::now();
    let url = server.url(&format!("/api/sessions/{}", candidate.session));
    assert_eq!(server.http.delete(url).send().await.unwrap().status(), 204);
    assert_eq!(in_scratch(), 0);
    let is_gone = async || ffmpegs_in(folder.path()).is_empty().then_some(());
    eventually("ffmpeg is gone", is_gone).await;
    assert!(deleting.elapsed() < DELETED_WITHIN, "{:?}", deleting.elapsed());
    assert!(job(&server).await.is_none());
    assert_eq!(server.lines_with("WARN") + server.lines_with("ERROR"), 0, "nothing went wrong");
}

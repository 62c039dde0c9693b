//! What clients are told when something breaks inside: in words, and nothing of the server's insides.

use std::path::Path;

use protocol::{SeqSet, ServerMessage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Api, Candidate, Socket, TestServer, database, run};
use crate::process::{Process, program_with_ffmpeg};

/// What databases, systems and other programs say.
const INSIDES: [&str; 9] = [
    "SELECT",
    "no such table",
    "no such column",
    "(code:",
    "os error",
    "No such file",
    "database",
    "sqlite",
    "/",
];

/// Addresses of the API, which have slashes, are not among what is told here.
fn tells_nothing_inside(told: &str, folder: &Path) {
    assert!(!told.is_empty());
    let folder = folder.to_str().unwrap();
    for inside in INSIDES.into_iter().chain([folder]) {
        assert!(!told.contains(inside), "{inside:?} is in {told:?}");
    }
}

async fn run_of_commands(folder: &Path, commands: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(commands.to_owned()))
        .execute(&mut database(folder).await)
        .await
        .unwrap();
}

/// A session that can be finished by this connection.
async fn recorded(server: &Api, candidate: &Candidate) -> (Socket, protocol::Seq) {
    let (mut socket, _) = candidate.open(server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    (socket, last)
}

pub(crate) async fn completed(server: &Api, number: u8) -> Candidate {
    let candidate = Candidate::new(number);
    let (mut socket, last) = recorded(server, &candidate).await;
    socket.finish_completely(last).await;
    candidate
}

/// The problem at an address, which has to be one.
async fn problem(server: &Api, path: &str, status: u16, kind: &str) -> String {
    let response = server.get(path).await;
    assert_eq!(response.status(), status, "{path}");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], kind, "{path}: {problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

fn export(candidate: &Candidate, format: &str) -> String {
    format!("/api/sessions/{}/exports/{format}", candidate.session)
}

/// Why an export failed, as the list of them says.
async fn listed_reason(server: &Api, candidate: &Candidate, format: &str) -> String {
    let listed = server.json(&format!("/api/sessions/{}/exports", candidate.session)).await;
    let exports = listed["exports"].as_array().unwrap();
    let export = exports.iter().find(|export| export["format"] == format).unwrap();
    assert_eq!(export["state"], "failed", "{export}");
    export["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn of_a_broken_database_a_client_hears_no_sql() {
    let server = TestServer::start().await;
    let folder = server.folder.path();
    let candidate = completed(&server, 1).await;
    run_of_commands(folder, "ALTER TABLE track_files RENAME TO gone").await;
    let session = format!("/api/sessions/{}", candidate.session);
    let told = problem(&server, &session, 500, "internal").await;
    assert!(told.contains("could not do this"), "{told}");
    tells_nothing_inside(&told, folder);
    let told = problem(&server, &export(&candidate, "zip"), 500, "export-failed").await;
    assert!(told.contains("could not read or write"), "{told}");
    tells_nothing_inside(&told, folder);
    tells_nothing_inside(&listed_reason(&server, &candidate, "zip").await, folder);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await;
    assert_eq!(page.status(), 500);
    let page = page.text().await.unwrap();
    assert!(page.contains("Something broke") && !page.contains("track_files"), "{page}");
}

#[tokio::test]
async fn of_a_disk_that_does_not_work_a_client_hears_no_path() {
    let server = TestServer::start().await;
    let folder = server.folder.path();
    let candidate = completed(&server, 2).await;
    std::fs::remove_dir(folder.join("scratch")).unwrap();
    let told = problem(&server, &export(&candidate, "ogg"), 500, "export-failed").await;
    assert!(told.contains("could not read or write"), "{told}");
    tells_nothing_inside(&told, folder);
    tells_nothing_inside(&listed_reason(&server, &candidate, "ogg").await, folder);

    let of_session = folder.join("recordings").join(candidate.session.to_string());
    std::fs::remove_dir_all(&of_session).unwrap();
    let recording = format!("/api/sessions/{}/recording", candidate.session);
    tells_nothing_inside(&problem(&server, &recording, 500, "internal").await, folder);
    std::fs::create_dir_all(folder.join("scratch")).unwrap();
    tells_nothing_inside(
        &problem(&server, &export(&candidate, "ogg"), 500, "export-failed").await,
        folder,
    );
    // What is no folder cannot be looked into.
    std::fs::write(&of_session, "").unwrap();
    for path in [format!("/api/sessions/{}/exports", candidate.session), recording] {
        tells_nothing_inside(&problem(&server, &path, 500, "internal").await, folder);
    }
    tells_nothing_inside(
        &problem(&server, &export(&candidate, "ogg"), 500, "export-failed").await,
        folder,
    );
}

#[tokio::test]
async fn what_ffmpeg_complains_of_is_for_the_log_alone() {
    const COMPLAINT: &str = "decoder 0x5591 has choked on /secret/place";
    let folder = TempDir::new().unwrap();
    let fails = format!("echo '{COMPLAINT}' >&2\nexit 1");
    let command = program_with_ffmpeg(folder.path(), &fails);
    let data = folder.path().join("data");
    let server = Process::run(command, &data, &[]).await.unwrap();
    let candidate = completed(&server, 3).await;
    let told = problem(&server, &export(&candidate, "mp3"), 500, "export-failed").await;
    assert!(told.contains("ffmpeg could not convert"), "{told}");
    for told in [told, listed_reason(&server, &candidate, "mp3").await] {
        tells_nothing_inside(&told, &data);
        assert!(!told.contains("choked"), "{told}");
    }
    assert_eq!(server.lines_with(COMPLAINT), 1);
}

#[tokio::test]
async fn a_session_that_fails_says_so_in_words_to_its_candidate_and_to_reviewers() {
    let server = TestServer::start().await;
    let folder = server.folder.path();
    let candidate = Candidate::new(4);
    let (mut socket, last) = recorded(&server, &candidate).await;
    run_of_commands(folder, "UPDATE segments SET kind = 'no such kind'").await;
    let ServerMessage::Failed(told) = socket.finish(Some(last), SeqSet::new()).await else {
        panic!("it cannot be made");
    };
    assert_eq!(told, "what is stored of it cannot be read");
    run_of_commands(folder, "UPDATE segments SET kind = 'microphone'").await;
    assert_eq!(server.session(candidate.session).await["failure"], json!(told));
    let events = server.json(&format!("/api/sessions/{}/events", candidate.session)).await;
    let events = events.to_string();
    assert!(events.contains(&told) && !events.contains("kind cannot"), "{events}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused_in_words() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::start().await;
    let candidate = completed(&server, 5).await;
    let mut peer = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "POST /api/sessions/{}/items HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\nno length\r\n",
        candidate.session
    );
    peer.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("The request body broke off."), "{answer}");
}

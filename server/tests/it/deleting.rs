//! What is deleted is gone, byte for byte.

use std::path::Path;

use protocol::item::SegmentStart;
use protocol::{ClientMessage, Content, Item, Marker, Millis, Refusal, Seq};

use crate::harness::{Candidate, TestServer, chunk, run, segment_start};
use crate::process::Process;

/// Nobody else writes that.
const SECRET: &[u8] = b"what the candidate said in confidence";
const LABEL: &str = "the microphone of the candidate";

fn secrets(first: u64) -> Vec<Item> {
    let start = segment_start(first, 9);
    let Content::Marker(Marker::SegmentStarted(start)) = start.content else {
        panic!("a start is a marker");
    };
    let start = Marker::SegmentStarted(SegmentStart { label: LABEL.into(), ..start });
    let start = Item::new(Seq::new(first), Millis::ZERO, Content::Marker(start));
    vec![start, chunk(first + 1, 9, &SECRET.repeat(50))]
}

/// Files below a folder that hold these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if std::fs::read(&path)
            .is_ok_and(|all| all.windows(bytes.len()).any(|window| window == bytes))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn traces(server: &TestServer, candidate: &Candidate) -> Vec<String> {
    let folder = server.folder.path();
    let mut found = files_with(folder, SECRET);
    found.extend(files_with(folder, LABEL.as_bytes()));
    found.extend(files_with(folder, candidate.session.as_bytes()));
    found
}

async fn delete(server: &TestServer, candidate: &Candidate) -> u16 {
    let url = server.url(&format!("/api/sessions/{}", candidate.session));
    server.http.delete(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn no_byte_of_a_deleted_session_is_left_in_the_data_folder() {
    let server = TestServer::with_options(&["--grace", "100ms"]).await;
    for (number, finishes) in [(1, false), (2, true)] {
        let candidate = Candidate::new(number);
        let sound = run(0, 0, "beep1");
        let secrets = secrets(sound.len() as u64);
        let last = secrets.last().unwrap().seq;
        let (mut socket, _) = candidate.open(&server).await;
        socket.deliver(sound).await;
        socket.deliver(secrets).await;
        if finishes {
            socket.finish_completely(last).await;
            let zip = format!("/api/sessions/{}/exports/zip", candidate.session);
            assert_eq!(server.get(&zip).await.status(), 200);
        }
        drop(socket);
        assert!(!traces(&server, &candidate).is_empty(), "there is something to delete");
        assert_eq!(delete(&server, &candidate).await, 204);
        assert_eq!(traces(&server, &candidate), Vec::<String>::new());
        let gone = server.get(&format!("/api/sessions/{}", candidate.session)).await;
        assert_eq!(gone.status(), 404);
        assert_eq!(delete(&server, &candidate).await, 404);
    }
}

#[tokio::test]
async fn a_writer_of_a_deleted_session_is_told() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, SECRET)]).await;
    assert_eq!(delete(&server, &candidate).await, 204);
    assert_eq!(socket.expect_goodbye().await, Refusal::Discarded);
}

#[tokio::test]
async fn the_command_deletes_where_no_server_runs_and_says_so_where_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path(), &[]).await;
    let candidate = Candidate::new(5);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(secrets(0)).await;
    let delete = || {
        let holdfast = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["delete", "--data-dir"])
            .arg(folder.path())
            .arg(candidate.session.to_string())
            .output()
            .unwrap();
        let told = [holdfast.stdout, holdfast.stderr].concat();
        (holdfast.status.success(), String::from_utf8(told).unwrap())
    };
    let (done, told) = delete();
    assert!(!done && told.contains("is in use by a server"), "{told}");
    assert!(!files_with(folder.path(), SECRET).is_empty());
    server.kill().await;
    let (done, told) = delete();
    assert!(done && told.contains("is erased"), "{told}");
    assert_eq!(files_with(folder.path(), SECRET), Vec::<String>::new());
    let (done, told) = delete();
    assert!(!done && told.contains("there is no session"), "{told}");
}

#[tokio::test]
async fn what_is_thrown_away_is_erased_and_only_that_it_was_there_is_known() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(secrets(0)).await;
    socket.send(&ClientMessage::Discard).await;
    socket.receive().await;
    assert_eq!(files_with(server.folder.path(), SECRET), Vec::<String>::new());
    assert_eq!(server.session(candidate.session).await["status"], "discarded");
}

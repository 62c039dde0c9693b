//! `holdfast backup`, and the way back: a server started on the copy.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use protocol::{Item, SeqSet, SessionStatus};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Api, Candidate, PATIENCE, Socket, database, run};
use crate::operating::{all_below, open_to_others};
use crate::process::{PROGRAM, Process, program_on_small_disk};

async fn backup(from: &Path, to: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["backup", "--data-dir"]).arg(from).arg(to);
    timeout(PATIENCE, command.output()).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

async fn completed(server: &Api, number: u8) -> Candidate {
    let candidate = Candidate::new(number);
    let (mut socket, _) = candidate.open(server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    socket.finish_completely(last).await;
    candidate
}

async fn recording_of(server: &Api, candidate: &Candidate) -> Vec<u8> {
    let response = server.get(&format!("/api/sessions/{}/recording", candidate.session)).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

fn file_of(folder: &Path, candidate: &Candidate) -> PathBuf {
    let of_session = folder.join("recordings").join(candidate.session.to_string());
    let is_recording = |path: &PathBuf| path.extension().is_some_and(|end| end == "webm");
    all_below(&of_session).into_iter().find(is_recording).unwrap()
}

/// Nothing but what is expected is beside the copy.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// One item after the other, as a recorder would; what was acked.
async fn go_on(socket: &mut Socket, items: &[Item]) -> SeqSet {
    let mut acked = SeqSet::new();
    for item in items {
        socket.deliver(vec![item.clone()]).await;
        acked.insert(item.seq);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acked
}

#[tokio::test]
async fn a_backup_in_the_middle_of_a_recording_has_all_that_was_acked_and_is_gone_on_with() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let to = copies.path().join("copy");
    let server = Process::start(folder.path(), &[]).await;
    let (done, going_on, left_alone) =
        (completed(&server, 1).await, Candidate::new(2), Candidate::new(3));
    let recorded = recording_of(&server, &done).await;
    let items = run(0, 0, "beep1");
    let (mut socket, _) = left_alone.open(&server).await;
    socket.deliver(items.clone()).await;
    let (mut socket, _) = going_on.open(&server).await;
    let (before, during) = items.split_at(items.len() / 2);
    let acked_before = go_on(&mut socket, before).await;
    let (acked_during, made) = tokio::join!(go_on(&mut socket, during), backup(folder.path(), &to));
    assert!(made.status.success(), "{}", said(&made));
    assert_eq!(acked_during.len(), during.len() as u64, "nobody had to wait for ever");
    server.kill().await;
    assert_eq!(names_in(copies.path()), ["copy"]);
    assert_eq!(names_in(&to), ["holdfast.db", "recordings"]);
    assert!(open_to_others(&to).is_empty(), "{:?}", open_to_others(&to));

    let again = copies.path().join("again");
    assert!(backup(&to, &again).await.status.success(), "a copy is a data folder like any other");

    let server = Process::start(&to, &[]).await;
    assert_eq!(recording_of(&server, &done).await, recorded);
    let (mut socket, welcome) = going_on.open(&server).await;
    assert_eq!(welcome.status, SessionStatus::Active);
    assert!(acked_before.difference(&welcome.have).is_empty(), "acked items are gone");
    let rest = items.iter().filter(|item| !welcome.have.contains(item.seq));
    socket.deliver(rest.cloned().collect()).await;
    let receipt = socket.finish_completely(items.last().unwrap().seq).await;
    assert!(receipt.missing.is_empty());
    assert_eq!(recording_of(&server, &going_on).await, recorded);

    // Who does not come back has a recording of what was there.
    let server = Process::start(&again, &["--grace", "100ms", "--resume-window", "100ms"]).await;
    server.wait_for_status(left_alone.session, "completed").await;
    assert_eq!(recording_of(&server, &left_alone).await, recorded);
}

#[tokio::test]
async fn a_folder_can_be_backed_up_without_a_server_and_is_not_changed_by_it() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut server = Process::start(folder.path(), &[]).await;
    completed(&server, 1).await;
    server.send_sigterm();
    server.ended().await;
    let contents = || std::fs::read(folder.path().join("holdfast.db")).unwrap();
    let before = contents();
    let made = backup(folder.path(), &copies.path().join("copy")).await;
    assert!(made.status.success(), "{}", said(&made));
    assert!(contents() == before);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_is_made_where_there_is_nothing_to_copy() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let refused = backup(folder.path(), &copies.path().join("copy")).await;
    assert!(!refused.status.success() && said(&refused).contains("there is no database"));
    let _server = Process::start(folder.path(), &[]).await;
    for name in ["a folder", "a file"] {
        let to = copies.path().join(name);
        match name {
            "a folder" => std::fs::create_dir(&to).unwrap(),
            _ => std::fs::write(&to, "mine").unwrap(),
        }
        let refused = backup(folder.path(), &to).await;
        assert!(!refused.status.success(), "{name}");
        assert!(said(&refused).contains("is there already"), "{}", said(&refused));
    }
    assert_eq!(names_in(copies.path()), ["a file", "a folder"]);
    assert_eq!(names_in(&copies.path().join("a folder")), [""; 0]);
    assert_eq!(std::fs::read(copies.path().join("a file")).unwrap(), b"mine");
}

#[tokio::test]
async fn a_database_of_another_version_is_refused_in_words() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = Process::start(folder.path(), &[]).await;
    server.kill().await;
    sqlx::query("UPDATE _sqlx_migrations SET version = version + 1000")
        .execute(&mut database(folder.path()).await)
        .await
        .unwrap();
    let refused = backup(folder.path(), &copies.path().join("copy")).await;
    assert!(!refused.status.success());
    assert!(said(&refused).contains("of another version of Holdfast"), "{}", said(&refused));
    assert_eq!(names_in(copies.path()), [""; 0]);
}

#[tokio::test]
async fn a_disk_without_room_for_it_is_left_alone() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let _server = Process::start(folder.path(), &[]).await;
    let mut command = program_on_small_disk(copies.path(), 2);
    command.args(["backup", "--data-dir"]).arg(folder.path()).arg(copies.path().join("copy"));
    let refused = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(!refused.status.success());
    let said = said(&refused);
    #[expect(clippy::print_stderr, reason = "a test that proves nothing must say so")]
    if !said.starts_with("holdfast: ") {
        eprintln!("not tested: this user may not mount a file system");
        return;
    }
    assert!(said.contains("there is no room beside"), "{said}");
}

#[tokio::test]
async fn what_is_damaged_or_gone_in_the_original_is_told_and_the_rest_is_copied() {
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = Process::start(folder.path(), &[]).await;
    let (whole, damaged, gone) =
        (completed(&server, 1).await, completed(&server, 2).await, completed(&server, 3).await);
    let recorded = recording_of(&server, &whole).await;
    let file = file_of(folder.path(), &damaged);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[5_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    std::fs::remove_file(file_of(folder.path(), &gone)).unwrap();
    let to = copies.path().join("copy");
    let made = backup(folder.path(), &to).await;
    assert!(!made.status.success());
    let said = said(&made);
    let says = |candidate: &Candidate, what: &str| {
        let session = candidate.session.to_string();
        said.lines().any(|line| line.contains(&session) && line.contains(what))
    };
    assert!(says(&damaged, "another SHA-256") && says(&gone, "is not there"), "{said}");
    assert!(!says(&whole, ""), "{said}");
    let server = Process::start(&to, &[]).await;
    assert_eq!(recording_of(&server, &whole).await, recorded);
}

/// A file whose reader waits until it is written.
struct Held(PathBuf);

impl Held {
    fn new(folder: &Path, key: &str) -> Self {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        Self(path)
    }

    /// Once somebody has begun to read it.
    async fn once_read(self) -> std::fs::File {
        let open = move || std::fs::OpenOptions::new().write(true).open(self.0).unwrap();
        timeout(PATIENCE, tokio::task::spawn_blocking(open)).await.unwrap().unwrap()
    }
}

async fn name(folder: &Path, candidate: &Candidate, key: &str) {
    sqlx::query("UPDATE sessions SET recording_key = ?, recording_bytes = 4 WHERE id = ?")
        .bind(key)
        .bind(candidate.session.as_bytes().as_slice())
        .execute(&mut database(folder).await)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_a_recording_that_is_replaced_meanwhile_the_newer_one_is_in_the_copy() {
    const FIRST: &str = "recordings/x/1.webm";
    const SECOND: &str = "recordings/x/2.webm";
    const OLD: &str = "recordings/x/3.webm";
    const NEW: &str = "recordings/x/4.webm";
    let (folder, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let folder = folder.path();
    let server = Process::start(folder, &[]).await;
    let [one, two, three] = [1, 2, 3].map(Candidate::new);
    for candidate in [&one, &two, &three] {
        candidate.open(&server).await;
    }
    server.kill().await;
    let (first, second) = (Held::new(folder, FIRST), Held::new(folder, SECOND));
    for key in [OLD, NEW] {
        std::fs::write(folder.join(key), "file").unwrap();
    }
    name(folder, &one, FIRST).await;
    let to = copies.path().join("copy");
    let replacing = async {
        // What is named while the first files are copied is in the copy of the database.
        let mut first = first.once_read().await;
        name(folder, &two, SECOND).await;
        name(folder, &three, OLD).await;
        first.write_all(b"file").unwrap();
        drop(first);
        // That is made now, and the files are copied that it names beside those.
        let mut second = second.once_read().await;
        name(folder, &three, NEW).await;
        std::fs::remove_file(folder.join(OLD)).unwrap();
        second.write_all(b"file").unwrap();
    };
    let (made, ()) = tokio::join!(backup(folder, &to), replacing);
    assert!(made.status.success(), "{}", said(&made));
    let named: Vec<String> = sqlx::query_scalar("SELECT recording_key FROM sessions ORDER BY 1")
        .fetch_all(&mut database(&to).await)
        .await
        .unwrap();
    assert_eq!(named, [FIRST, SECOND, NEW]);
    assert_eq!(names_in(&to.join("recordings/x")), ["1.webm", "2.webm", "4.webm"]);
}

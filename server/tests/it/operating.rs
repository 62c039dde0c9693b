//! What whoever runs the server meets: the data folder, the command line, the log, a clean stop.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Candidate, PATIENCE, chunk, eventually, run};
use crate::process::{PROGRAM, Process};

/// Everything below a folder, itself included.
pub(crate) fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(path) = found.get(looked_at).cloned() {
        looked_at += 1;
        if path.is_dir() {
            found.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// Those that others may look at.
pub(crate) fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode();
    let mut all = all_below(folder);
    all.retain(|path| mode(path) & 0o077 != 0);
    all
}

async fn one_recorded(server: &Process, number: u8) -> Candidate {
    let candidate = Candidate::new(number);
    let (mut socket, _) = candidate.open(server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    socket.finish_completely(last).await;
    candidate
}

/// When everything was last written, but for what SQLite shares in memory.
fn written(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let files = all_below(folder).into_iter().filter(|path| !path.ends_with("holdfast.db-shm"));
    files.map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

#[tokio::test]
async fn a_second_server_on_a_folder_is_refused_in_one_sentence_and_touches_nothing() {
    let folder = TempDir::new().unwrap();
    let first = Process::start(folder.path(), &[]).await;
    one_recorded(&first, 1).await;
    let before = eventually("the first has nothing more to write", async || {
        let before = written(folder.path());
        tokio::time::sleep(Duration::from_millis(500)).await;
        (written(folder.path()) == before).then_some(before)
    })
    .await;
    let mut second = Command::new(PROGRAM);
    second.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    let ended = timeout(PATIENCE, second.output()).await.unwrap().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8(ended.stderr).unwrap();
    let [line] = said.lines().collect::<Vec<_>>()[..] else { panic!("one line, not {said}") };
    assert!(line.contains("another Holdfast is running"), "{line}");
    assert!(line.contains(folder.path().to_str().unwrap()), "{line}");
    assert_eq!(written(folder.path()), before);
    assert_eq!(first.readiness().await.0, 200);
}

#[tokio::test]
async fn what_the_server_makes_is_for_its_own_user_alone() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut permissive = Command::new("sh");
    permissive.args(["-c", "umask 000 && exec \"$@\"", "sh", PROGRAM]);
    let server = Process::run(permissive, &data, &[]).await.unwrap();
    let candidate = one_recorded(&server, 1).await;
    let made = all_below(&data);
    for name in ["holdfast.db", "holdfast.db-wal", "recordings", "scratch", "lock", "reserve"] {
        assert!(made.contains(&data.join(name)), "{name} is not among {made:?}");
    }
    let of_session = data.join("recordings").join(candidate.session.to_string());
    assert!(made.iter().any(|path| path.parent() == Some(&of_session)), "{made:?}");
    assert!(open_to_others(&data).is_empty(), "{:?}", open_to_others(&data));
}

#[tokio::test]
async fn after_a_clean_stop_the_database_and_the_recordings_are_all_there_is_to_copy() {
    let folder = TempDir::new().unwrap();
    let mut server = Process::start(folder.path(), &[]).await;
    let completed = one_recorded(&server, 1).await;
    let recording = format!("/api/sessions/{}/recording", completed.session);
    let recorded = server.get(&recording).await.bytes().await.unwrap();
    let going_on = Candidate::new(2);
    let (mut socket, _) = going_on.open(&server).await;
    socket.deliver((0..50).map(|seq| chunk(seq, 0, &[7; 3_000])).collect()).await;
    let log = folder.path().join("holdfast.db-wal");
    assert!(log.metadata().unwrap().len() > 0, "nothing would have to be folded in");
    server.send_sigterm();
    assert!(server.ended().await.success());
    assert!(log.metadata().map_or(0, |log| log.len()) == 0, "the log is not folded in");

    let copy = TempDir::new().unwrap();
    std::fs::copy(folder.path().join("holdfast.db"), copy.path().join("holdfast.db")).unwrap();
    for file in all_below(&folder.path().join("recordings")) {
        let to = copy.path().join(file.strip_prefix(folder.path()).unwrap());
        if file.is_dir() {
            std::fs::create_dir(to).unwrap();
        } else {
            std::fs::copy(file, to).unwrap();
        }
    }
    let server = Process::start(copy.path(), &[]).await;
    assert_eq!(server.get(&recording).await.bytes().await.unwrap(), recorded);
    let (_, welcome) = going_on.open(&server).await;
    assert_eq!(welcome.have.len(), 50);
}

/// What it says on stderr until it is ready, or until it has said where it is.
async fn said_by(folder: &Path, log: &str) -> Vec<String> {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "localhost:0", "--log", log, "--data-dir"]).arg(folder);
    command.env_remove("NO_COLOR").stderr(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
        let is_the_last = line.ends_with(": ready") || ["warn", "error"].contains(&log);
        said.push(line);
        if is_the_last {
            break;
        }
    }
    server.kill().await.unwrap();
    said
}

#[tokio::test]
async fn the_first_line_is_the_address_and_without_a_terminal_there_are_no_colours() {
    for log in ["info", "debug", "error", "warn"] {
        let folder = TempDir::new().unwrap();
        let said = said_by(folder.path(), log).await;
        let (_, address) = said[0].split_once("Holdfast is at http://").expect(&said[0]);
        assert!(address.starts_with("127.0.0.1:") || address.starts_with("[::1]:"), "{address}");
        assert!(said.iter().all(|line| !line.contains('\u{1b}')), "{said:?}");
        if log == "info" {
            assert_eq!(said.len(), 2, "{said:?}");
        }
    }
}

#[tokio::test]
async fn the_help_of_serve_fits_the_terminal_and_no_more_than_100_columns() {
    for (columns, most) in [(None, 100), (Some("70"), 70), (Some("200"), 100)] {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--help"]).env_remove("COLUMNS");
        command.envs(columns.map(|columns| ("COLUMNS", columns)));
        let help = String::from_utf8(command.output().await.unwrap().stdout).unwrap();
        let longest = help.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= most && longest > most - 20, "{columns:?}: {longest}");
    }
}

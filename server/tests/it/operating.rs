//! What whoever runs the server meets: the command line and the log.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::PATIENCE;
use crate::process::PROGRAM;

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

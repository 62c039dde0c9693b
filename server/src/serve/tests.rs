//! Whether the server is ready while one of its tasks is not running.

use std::time::Duration;

use clap::Parser as _;
use tempfile::TempDir;

use super::*;
use crate::cli::{Cli, Command};

async fn start(folder: &TempDir) -> Server {
    let folder = folder.path().to_str().unwrap();
    let arguments = ["holdfast", "serve", "--listen", "127.0.0.1:0", "--data-dir", folder];
    let Command::Serve(config) = Cli::parse_from(arguments).command else {
        panic!("the command is another one");
    };
    Server::start(config).await.unwrap()
}

async fn readiness(server: &Server) -> (u16, String) {
    let response = reqwest::get(format!("http://{}/readyz", server.address())).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Asks until the server is ready, or is not.
async fn until_ready(server: &Server, ready: bool) -> String {
    let told = async {
        loop {
            let (status, told) = readiness(server).await;
            if (status == 200) == ready {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.unwrap()
}

#[tokio::test]
async fn a_watch_that_ended_makes_the_server_unready_until_it_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let server = start(&folder).await;
    assert_eq!(readiness(&server).await.0, 200);
    for task in WATCHES {
        server.state.supervisor.cut_off(task);
        let told = until_ready(&server, false).await;
        assert_eq!(told, format!("a task of the server is down: {}", task.as_str()));
        until_ready(&server, true).await;
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_writer_the_server_is_never_ready_again() {
    for task in [Task::Committer, Task::Events] {
        let folder = TempDir::new().unwrap();
        let server = start(&folder).await;
        server.state.supervisor.cut_off(task);
        let told = until_ready(&server, false).await;
        assert_eq!(told, format!("a task of the server is down: {}", task.as_str()));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(readiness(&server).await, (503, told));
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_nobody_can_reach_any_more_ends_with_an_error() {
    let folder = TempDir::new().unwrap();
    let server = start(&folder).await;
    let supervisor = server.state.supervisor.clone();
    let running = tokio::spawn(server.run_until_signal());
    supervisor.cut_off(Task::Http);
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap();
    assert!(ended.unwrap().is_err());
}

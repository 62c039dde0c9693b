//! No room on the disk: nothing is acked, everybody is told, nothing fails for good, and the server
//! goes on by itself when there is room.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use protocol::message::{Finish, Opening, Refusal};
use protocol::{ClientMessage, Item, Seq, SeqSet, ServerMessage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Api, Candidate, NEW, Socket, TestServer, chunk, eventually, run};
use crate::process::Process;

const ITEM_BYTES: usize = 100_000;

/// Items that nothing on the way can compress.
fn large(seq: u64) -> Item {
    let mut state = seq + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state.to_le_bytes()
    })
    .flatten()
    .take(ITEM_BYTES)
    .collect();
    chunk(seq, 0, &bytes)
}

/// Sends one item after the other until the server refuses; what it acked.
async fn deliver_until_full(socket: &mut Socket, from: u64, most: u64) -> SeqSet {
    let mut acked = SeqSet::new();
    for seq in from..from + most {
        socket.send(&ClientMessage::Items(vec![large(seq)])).await;
        match socket.receive().await {
            Some(ServerMessage::Ack { seqs, .. }) => {
                acked.insert_range(*seqs.ranges().next().unwrap().start()..=seqs.last().unwrap())
            }
            Some(ServerMessage::Goodbye(refusal)) => {
                assert_eq!(refusal, Refusal::DiskFull);
                return acked;
            }
            other => panic!("expected an ack or a goodbye, got {other:?}"),
        }
    }
    panic!("{most} items fit");
}

async fn everybody_is_told(server: &Api, known: &Candidate) {
    assert_eq!(server.readiness().await, (503, "the disk is full".into()));
    assert_eq!(server.get("/healthz").await.status(), 200);
    let goodbye = ServerMessage::Goodbye(Refusal::DiskFull);
    for candidate in [known, &Candidate::new(200)] {
        assert_eq!(candidate.try_open(server).await.1, Some(goodbye.clone()));
        let by_http = candidate.exchange(server, NEW, &[]).await;
        assert_eq!(by_http, std::slice::from_ref(&goodbye));
    }
    let (status, problem) = server.post("/api/sessions", json!({})).await;
    assert_eq!((status, &problem["type"]), (507, &"disk-full".into()));
    let tail = protocol::tail::TailHeader {
        version: protocol::limits::PROTOCOL_VERSION,
        token: known.token.clone(),
        first_seq: Seq::new(900_000),
        at: protocol::Millis::ZERO,
        track: protocol::TrackNo::new(0),
        segment: protocol::SegmentNo::new(0),
    };
    let path = format!("/api/sessions/{}/tail", known.session);
    let body = [&tail.encode()[..], b"the end"].concat();
    assert_eq!(server.post_bytes(&path, body).await.0, 507);
}

async fn ready_again(server: &Api) {
    eventually("the server is ready again", async || {
        (server.readiness().await.0 == 200).then_some(())
    })
    .await;
}

/// The server has exactly what it acked, and takes the rest now.
async fn the_rest_is_taken(server: &Api, candidate: &Candidate, acked: &SeqSet, last: u64) {
    let (mut socket, welcome) = candidate.open(server).await;
    assert_eq!(&welcome.have, acked);
    let rest = acked.missing_up_to(Seq::new(last));
    for range in rest.ranges() {
        for seq in range.start().get()..=range.end().get() {
            socket.deliver(vec![large(seq)]).await;
        }
    }
    let session = server.session(candidate.session).await;
    assert_eq!((&session["items"], &session["missing"]), (&(last + 1).into(), &json!([])));
}

#[tokio::test]
async fn a_database_at_its_limit_refuses_items_and_goes_on_when_sessions_are_let_go() {
    let server = TestServer::with_options(&["--database-size-max", "12MB"]).await;
    let (to_discard, to_finish, waiting) =
        (Candidate::new(1), Candidate::new(2), Candidate::new(3));
    let (mut socket, _) = to_discard.open(&server).await;
    for seq in 0..40 {
        socket.deliver(vec![large(seq)]).await;
    }
    let (mut finishing, _) = to_finish.open(&server).await;
    let run = run(0, 0, "beep1");
    let last = run.last().unwrap().seq;
    finishing.deliver(run).await;
    let (mut socket, _) = waiting.open(&server).await;
    let acked = deliver_until_full(&mut socket, 0, 120).await;
    everybody_is_told(&server, &waiting).await;

    // What lets items go still works: making a recording, and discarding a session.
    let receipt = finishing.finish_completely(last).await;
    assert!(receipt.missing.is_empty());
    assert_eq!(server.readiness().await.0, 503);
    let path = format!("/api/sessions/{}/discard", to_discard.session);
    let (status, discarded) = server.post(&path, Value::Null).await;
    assert_eq!((status, &discarded["status"]), (200, &"discarded".into()));
    ready_again(&server).await;
    let last = acked.last().unwrap().get() + 5;
    the_rest_is_taken(&server, &waiting, &acked, last).await;
}

#[tokio::test]
async fn a_restart_with_the_database_at_its_limit_serves_and_refuses() {
    let mut server = TestServer::with_options(&["--database-size-max", "8MB"]).await;
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    let acked = deliver_until_full(&mut socket, 0, 120).await;
    drop(socket);
    server.restart().await;
    // It finds out with the next item, and nothing is lost by that.
    let (mut socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.have, acked);
    let next = acked.last().unwrap().get() + 1;
    assert!(deliver_until_full(&mut socket, next, 3).await.is_empty());
    everybody_is_told(&server, &candidate).await;
}

#[tokio::test]
async fn a_recording_that_cannot_be_written_waits_and_is_made_when_it_can() {
    let server = TestServer::start().await;
    let scratch = server.folder.path().join("scratch");
    std::fs::remove_dir(&scratch).unwrap();
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    let finish = Finish { last_seq: Some(last), lost: SeqSet::new() };
    socket.send(&ClientMessage::Finish(finish.clone())).await;
    assert_eq!(socket.receive().await, Some(ServerMessage::Finalizing));
    assert_eq!(socket.expect_goodbye().await, Refusal::Unavailable);
    // The same over HTTP, and as JSON: not failed, not completed.
    let message = ClientMessage::Finish(finish);
    let answers = candidate.exchange(&server, Opening::Existing, &[message]).await;
    let waits = [ServerMessage::Finalizing, ServerMessage::Goodbye(Refusal::Unavailable)];
    assert_eq!(answers[1..], waits);
    let path = format!("/api/sessions/{}/finish", candidate.session);
    let (status, session) = server.post(&path, json!({})).await;
    assert_eq!((status, &session["status"]), (202, &"finalizing".into()));
    assert_eq!(server.session(candidate.session).await["failure"], json!(null));

    std::fs::create_dir(&scratch).unwrap();
    let session = server.wait_for_status(candidate.session, "completed").await;
    assert_eq!(session["missing"], json!([]));
}

/// Takes every free byte of the file system, until it is dropped.
struct Ballast(std::path::PathBuf);

impl Ballast {
    fn fill(folder: &Path) -> Self {
        let path = folder.join(format!("ballast-{}", rand_name()));
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        Self(path)
    }

    fn of_megabytes(folder: &Path, megabytes: usize) -> Self {
        let path = folder.join(format!("ballast-{}", rand_name()));
        std::fs::write(&path, vec![0; megabytes * 1024 * 1024]).unwrap();
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn rand_name() -> u128 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()
}

/// The disk of the process under test, small and its own; `None` where that cannot be had.
async fn small_disk(folder: &TempDir, options: &[&str]) -> Option<Process> {
    let server = Process::start_on_small_disk(folder.path(), 48, options).await;
    #[expect(clippy::print_stderr, reason = "a test that proves nothing must say so")]
    if server.is_none() {
        eprintln!("not tested: this user may not mount a file system");
    }
    server
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_fails_nothing_and_the_server_goes_on_by_itself() {
    let folder = TempDir::new().unwrap();
    let Some(server) = small_disk(&folder, &[]).await else { return };
    let (small, streaming) = (Candidate::new(1), Candidate::new(2));
    let (mut finishing, _) = small.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    finishing.deliver(items).await;
    let (mut socket, _) = streaming.open(&server).await;
    for seq in 0..10 {
        socket.deliver(vec![large(seq)]).await;
    }
    let disk = server.inside(folder.path());
    let ballast = Ballast::fill(&disk);
    let mut acked = deliver_until_full(&mut socket, 10, 200).await;
    acked.insert_range(Seq::ZERO..=Seq::new(9));
    // Somebody else takes the reserve as well: now there is not one free byte.
    let more = Ballast::fill(&disk);
    everybody_is_told(&server, &streaming).await;
    let (status, _) =
        server.post(&format!("/api/sessions/{}/finish", small.session), json!({})).await;
    assert!([202, 507].contains(&status), "{status}");
    let session = server.session(small.session).await;
    assert!(["active", "finalizing", "interrupted"].contains(&session["status"].as_str().unwrap()));
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(server.readiness().await.0, 503);

    drop(more);
    drop(ballast);
    ready_again(&server).await;
    if status == 507 {
        finishing = small.open(&server).await.0;
        finishing.finish_completely(last).await;
    }
    server.wait_for_status(small.session, "completed").await;
    the_rest_is_taken(&server, &streaming, &acked, acked.last().unwrap().get() + 5).await;
    assert_eq!(server.lines_with("the disk is full"), 1, "it is said once when it begins");
    assert_eq!(server.lines_with("room on the disk again"), 1, "and once when it ends");
}

#[tokio::test]
async fn the_reserve_lets_short_sessions_end_and_others_be_discarded_on_a_full_disk() {
    let folder = TempDir::new().unwrap();
    let Some(server) = small_disk(&folder, &[]).await else { return };
    let (short, to_discard, streaming) = (Candidate::new(1), Candidate::new(2), Candidate::new(3));
    let (mut finishing, _) = short.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    finishing.deliver(items).await;
    let (mut socket, _) = to_discard.open(&server).await;
    socket.deliver(vec![large(0), large(1)]).await;
    let (mut socket, _) = streaming.open(&server).await;
    let _ballast = Ballast::fill(&server.inside(folder.path()));
    deliver_until_full(&mut socket, 0, 400).await;
    finishing.finish_completely(last).await;
    let path = format!("/api/sessions/{}/discard", to_discard.session);
    assert_eq!(server.post(&path, Value::Null).await.0, 200);
    assert_eq!(server.readiness().await.0, 503, "there is no more room than before");
}

#[tokio::test]
async fn with_less_room_than_the_reserve_no_session_is_begun_and_those_in_progress_go_on() {
    let folder = TempDir::new().unwrap();
    let option = "--new-session-reserve";
    let Some(server) = small_disk(&folder, &[option, "30MB"]).await else { return };
    let (running, late) = (Candidate::new(1), Candidate::new(2));
    let (mut socket, _) = running.open(&server).await;
    let ballast = Ballast::of_megabytes(&server.inside(folder.path()), 20);
    let goodbye = ServerMessage::Goodbye(Refusal::DiskFull);
    assert_eq!(late.try_open(&server).await.1, Some(goodbye.clone()));
    assert_eq!(late.exchange(&server, NEW, &[]).await, [goodbye]);
    let (status, problem) = server.post("/api/sessions", json!({})).await;
    assert_eq!((status, &problem["type"]), (507, &"disk-full".into()));
    socket.deliver(vec![large(0)]).await;
    running.open(&server).await.0.deliver(vec![large(1)]).await;
    assert_eq!(server.readiness().await.0, 200);
    drop(ballast);
    late.open(&server).await.0.deliver(vec![large(0)]).await;
    let is_told = async || (server.lines_with(option) > 0).then_some(());
    eventually("the log tells of the limit", is_told).await;
    assert_eq!(server.lines_with(option), 1);
}

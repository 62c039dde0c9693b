//! Payloads that are not what was acked any more, when the recording is made: damaged, cut short, gone.

use std::path::Path;

use protocol::{Seq, SessionId, TrackKind};
use serde_json::Value;
use sqlx::SqliteConnection;

use crate::harness::{Candidate, TestServer, database, payloads_left, run};
use crate::tracks::{Run, items, jpeg};

/// A chunk in the middle of the first run.
const DAMAGED: Seq = Seq::new(3);

async fn payload(connection: &mut SqliteConnection, id: SessionId, seq: Seq) -> Vec<u8> {
    sqlx::query_scalar("SELECT payload FROM items WHERE session_id = ? AND seq = ?")
        .bind(id.as_bytes().as_slice())
        .bind(i64::try_from(seq.get()).unwrap())
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Does to a stored payload what no server does.
async fn change(
    folder: &Path,
    id: SessionId,
    seq: Seq,
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) {
    let mut connection = database(folder).await;
    let payload = payload(&mut connection, id, seq).await;
    sqlx::query("UPDATE items SET payload = ? WHERE session_id = ? AND seq = ?")
        .bind(change(payload))
        .bind(id.as_bytes().as_slice())
        .bind(i64::try_from(seq.get()).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
}

/// Two runs, one payload of the first of which is changed before the end. What the session says then,
/// and how many payloads are left of how many.
async fn made_after(
    number: u8,
    change_it: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> (Value, u64, usize, usize) {
    let server = TestServer::start().await;
    let candidate = Candidate::new(number);
    let (mut socket, _) = candidate.open(&server).await;
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    let last = second.last().unwrap().seq;
    let chunks = first.len() + second.len() - 2;
    socket.deliver(first).await;
    socket.deliver(second).await;
    change(server.folder.path(), candidate.session, DAMAGED, change_it).await;
    let receipt = socket.finish_completely(last).await;
    assert!(receipt.missing.is_empty(), "every item arrived");
    let session = server.session(candidate.session).await;
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    let says_so =
        page.contains("could not be put into the file") && page.contains("1 chunk is damaged");
    assert!(says_so && !page.contains("Nothing is missing"), "the page says so: {page}");
    let path = format!("/api/sessions/{}/recording", candidate.session);
    let file = server.get(&path).await.bytes().await.unwrap();
    let verified = media::verify(std::io::Cursor::new(file)).unwrap();
    let left = payloads_left(server.folder.path(), candidate.session).await;
    (session, verified.packets, usize::try_from(left).unwrap(), chunks)
}

/// Of both runs, nothing damaged.
async fn packets_of_all(number: u8) -> u64 {
    let server = TestServer::start().await;
    let candidate = Candidate::new(number);
    let (mut socket, _) = candidate.open(&server).await;
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    let last = second.last().unwrap().seq;
    socket.deliver(first).await;
    socket.deliver(second).await;
    socket.finish_completely(last).await;
    assert_eq!(server.session(candidate.session).await["left_out_segments"], 0);
    let path = format!("/api/sessions/{}/recording", candidate.session);
    let file = server.get(&path).await.bytes().await.unwrap();
    media::verify(std::io::Cursor::new(file)).unwrap().packets
}

#[tokio::test]
async fn a_payload_that_is_not_what_was_acked_is_a_hole_that_is_told_and_everything_is_kept() {
    let all = packets_of_all(1).await;
    let flipped = |mut payload: Vec<u8>| {
        let middle = payload.len() / 2;
        payload[middle] ^= 1;
        Some(payload)
    };
    let (session, packets, left, chunks) = made_after(2, flipped).await;
    assert_eq!(
        (&session["status"], &session["left_out_segments"]),
        (&"completed".into(), &1.into())
    );
    assert!(packets < all && packets > all / 2, "{packets} of {all} packets");
    assert_eq!(left, chunks, "the chunks are kept");
    let segments = session["tracks"][0]["segments"].as_array().unwrap();
    assert!(
        segments.iter().all(|one| one["duration_ms"].as_u64().unwrap() > 1_000),
        "{segments:?}"
    );
}

#[tokio::test]
async fn a_payload_of_another_length_is_a_hole() {
    let longer = |mut payload: Vec<u8>| {
        payload.push(0);
        Some(payload)
    };
    let shorter = |mut payload: Vec<u8>| {
        payload.pop();
        Some(payload)
    };
    for (number, (session, _, left, chunks)) in
        [made_after(3, longer).await, made_after(4, shorter).await].into_iter().enumerate()
    {
        assert_eq!(session["left_out_segments"], 1, "case {number}");
        assert_eq!(left, chunks, "case {number}");
    }
}

#[tokio::test]
async fn a_payload_that_is_gone_is_a_hole_and_no_other_goes() {
    let (session, packets, left, chunks) = made_after(5, |_| None).await;
    assert_eq!(session["left_out_segments"], 1);
    assert!(packets > 0);
    assert_eq!(left, chunks - 1, "all that are there");
}

#[tokio::test]
async fn a_picture_that_is_damaged_is_left_out_and_the_others_are_not() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let runs = [
        Run::of(0, 0, TrackKind::Microphone, 0, "beep1"),
        Run::stills(1, 1, 500, vec![jpeg(1, 100), jpeg(2, 90), jpeg(3, 80)]),
    ];
    let items = items(0, &runs);
    let is_second = |item: &&protocol::Item| item.payload_bytes() == 90;
    let second = items.iter().find(is_second).unwrap().seq;
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let damage = |mut picture: Vec<u8>| {
        picture[60] ^= 1;
        Some(picture)
    };
    change(server.folder.path(), candidate.session, second, damage).await;
    socket.finish_completely(last).await;
    assert_eq!(server.session(candidate.session).await["left_out_segments"], 1);
    let path = format!("/api/sessions/{}/frames", candidate.session);
    let listed = server.json(&path).await;
    let bytes: Vec<_> =
        listed["frames"].as_array().unwrap().iter().map(|one| one["bytes"].as_u64()).collect();
    assert_eq!(bytes, [Some(100), Some(80)]);
}

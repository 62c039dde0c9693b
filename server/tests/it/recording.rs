//! From chunks to a file that plays: stitched, verified, served with ranges.

use std::path::Path;
use std::time::Duration;

use protocol::{Seq, SeqSet, ServerMessage};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::harness::{Candidate, TestServer, chunk, run, segment_start};

#[tokio::test]
async fn a_finished_session_becomes_one_seekable_file() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let (mut socket, welcome) = candidate.open(&server).await;
    assert!(welcome.have.is_empty());
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let count = items.len() as u64;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    assert_eq!(receipt.items, count);
    assert!(receipt.missing.is_empty());

    let path = format!("/api/sessions/{}/recording", candidate.session);
    let response = server.get(&path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "audio/webm");
    assert_eq!(response.headers()["accept-ranges"], "bytes");
    let etag = response.headers()["etag"].clone();
    let file = response.bytes().await.unwrap();
    assert_eq!(file.len() as u64, receipt.bytes);
    assert_eq!(hex::encode(Sha256::digest(&file)), receipt.digest.to_string());
    let verified = media::verify(std::io::Cursor::new(&file)).unwrap();
    assert_eq!(verified.duration.as_millis(), u128::from(receipt.duration.get()));

    let part = server.http.get(server.url(&path)).header("range", "bytes=100-199");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    let whole = format!("bytes 100-199/{}", file.len());
    assert_eq!(part.headers()["content-range"], whole);
    assert_eq!(part.bytes().await.unwrap(), file.slice(100..200));

    let beyond = format!("bytes={}-", file.len());
    let beyond = server.http.get(server.url(&path)).header("range", beyond).send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", file.len()));

    let same = server.http.get(server.url(&path)).header("if-none-match", etag);
    assert_eq!(same.send().await.unwrap().status(), 304);

    let download = server.get(&format!("{path}?download=1")).await;
    let disposition = download.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(disposition.starts_with("attachment; filename=\"holdfast-2"), "{disposition}");
}

#[tokio::test]
async fn segments_of_a_reloaded_page_are_joined_into_one_file() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    let last = second.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(first).await;
    drop(socket);
    let (mut socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.have.last().unwrap().next(), second[0].seq);
    socket.deliver(second).await;
    let receipt = socket.finish_completely(last).await;

    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    let segments = session["tracks"][0]["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2);
    let durations: Vec<u64> =
        segments.iter().map(|one| one["duration_ms"].as_u64().unwrap()).collect();
    assert!(durations.iter().all(|&millis| millis > 1_000), "{durations:?}");
    assert_eq!(durations.iter().sum::<u64>(), receipt.duration.get());
    assert_eq!(session["status"], "completed");
    assert_eq!(session["receipt"]["digest"], receipt.digest.to_string());
    assert_eq!(session["missing"], serde_json::json!([]));
}

/// As when a recording begun in one browser goes on in another one by its recovery link.
#[tokio::test]
async fn what_the_file_cannot_take_in_is_told_and_kept() {
    let mut server = TestServer::with_options(&["--janitor-every", "50ms"]).await;
    let candidate = Candidate::new(20);
    let sound = run(0, 0, "beep1");
    let chunks = [b"This is no".repeat(100), b"recording.".repeat(100)];
    let start = sound.len() as u64;
    let unreadable = vec![
        segment_start(start, 1),
        chunk(start + 1, 1, &chunks[0]),
        chunk(start + 2, 1, &chunks[1]),
    ];
    let last = unreadable.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(sound).await;
    socket.deliver(unreadable).await;
    let receipt = socket.finish_completely(last).await;
    assert!(receipt.missing.is_empty());
    assert_eq!(receipt.left_out, 1);
    assert!(!receipt.is_whole());

    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 1);
    assert_eq!(session["receipt"]["left_out_segments"], 1);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("1 part could not be put into the file"), "the page hides it");
    assert!(!page.contains("Nothing is missing"));
    let history = server.get("/").await.text().await.unwrap();
    assert!(history.contains("<span class=\"lost\">1 part</span>"), "the history hides it");

    // Several rounds of the janitor later.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.stop().await;
    let database = server.folder.path().join("holdfast.db");
    assert_eq!(payloads_of_segment(&database, 1).await, chunks);
}

#[tokio::test]
async fn runs_of_another_format_become_a_further_file_of_their_track() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(22);
    let (mut socket, _) = candidate.open(&server).await;
    let mut next = 0;
    for (segment, fixture) in (0..).zip(["beep1", "g_videomp4", "beep2", "b_vp8"]) {
        let items = run(next, segment, fixture);
        next += items.len() as u64;
        socket.deliver(items).await;
    }
    let receipt = socket.finish_completely(Seq::new(next - 1)).await;

    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 0);
    let track = &session["tracks"][0];
    assert_eq!(
        (&track["bytes"], &track["duration_ms"]),
        (&receipt.bytes.into(), &receipt.duration.get().into())
    );
    let parts = track["further_parts"].as_array().unwrap();
    let held = |name: &str| -> Vec<u64> {
        let segments = track["segments"].as_array().unwrap();
        segments.iter().map(|segment| segment[name].as_u64().unwrap()).collect()
    };
    let (lasts, in_file) = (held("duration_ms"), held("in_file_ms"));
    assert!(lasts.iter().all(|lasts| *lasts > 500), "{lasts:?}");
    assert_eq!(in_file, [lasts[0], 0, lasts[2], 0]);
    let kinds: Vec<_> = parts.iter().map(|part| (&part["part"], part["mime"].as_str())).collect();
    assert_eq!(kinds, [(&1.into(), Some("video/mp4")), (&2.into(), Some("video/webm"))]);
    for part in parts {
        let file = server.get(part["recording_url"].as_str().unwrap()).await;
        assert_eq!(file.headers()["content-type"], part["mime"].as_str().unwrap());
        let file = file.bytes().await.unwrap();
        assert_eq!(part["bytes"], file.len());
        let verified = media::verify(std::io::Cursor::new(&file)).unwrap();
        assert_eq!(part["duration_ms"], u64::try_from(verified.duration.as_millis()).unwrap());
    }
    let own = format!("/api/sessions/{}/tracks/0/recording", candidate.session);
    let disposition = server.get(&format!("{own}?part=2&download=1")).await;
    let name = disposition.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.ends_with(".track-1-part-3.webm\""), "{name}");
    assert_eq!(server.get(&format!("{own}?part=3")).await.status(), 404);
    assert_eq!(server.get(&format!("{own}?part=many")).await.status(), 400);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("part 3"), "the page hides it");
    assert_eq!(page.matches("in another file").count(), 2);
}

/// The payloads of a segment's chunks, read past the server.
async fn payloads_of_segment(database: &Path, segment: u32) -> Vec<Vec<u8>> {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query_scalar(
        "SELECT coalesce(payload, x'') FROM items WHERE segment = ? AND kind = 'chunk' ORDER BY seq",
    )
    .bind(segment)
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_a_recorder_wrote_as_mp4_becomes_one_mp4() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(21);
    let items = run(0, 0, "g_videomp4");
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;

    let path = format!("/api/sessions/{}/recording?download=1", candidate.session);
    let response = server.get(&path).await;
    assert_eq!(response.headers()["content-type"], "video/mp4");
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.ends_with(".mp4\""), "{name}");
    let file = response.bytes().await.unwrap();
    let verified = media::verify(std::io::Cursor::new(&file)).unwrap();
    assert_eq!(verified.duration.as_millis(), u128::from(receipt.duration.get()));
    assert_eq!(server.session(candidate.session).await["left_out_segments"], 0);
}

#[tokio::test]
async fn finishing_again_gives_the_same_receipt_and_late_duplicates_are_acked() {
    let mut server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items.clone()).await;
    let receipt = socket.finish_completely(last).await;
    assert_eq!(socket.finish_completely(last).await, receipt);
    drop(socket);

    server.restart().await;
    let (mut socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.status, protocol::SessionStatus::Completed);
    assert_eq!(welcome.have, SeqSet::up_to(last));
    socket.deliver(items).await;
    assert_eq!(socket.finish_completely(last).await, receipt);
    let (status, session) =
        server.post(&format!("/api/sessions/{}/finish", candidate.session), ().into()).await;
    assert_eq!((status, &session["receipt"]["items"]), (200, &receipt.items.into()));
}

#[tokio::test]
async fn a_hole_is_named_asked_for_and_shown_when_it_cannot_be_filled() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let mut items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    let lost = items.remove(4);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let hole: SeqSet = [lost.seq].into_iter().collect();
    let answer = socket.finish(Some(last), SeqSet::new()).await;
    assert_eq!(answer, ServerMessage::Missing(hole.clone()));

    let missing = server.json(&format!("/api/sessions/{}/missing-chunks", candidate.session)).await;
    assert_eq!(missing["missing"], serde_json::json!([[4, 4]]));
    assert_eq!(missing["max_seq"], last.get());
    assert_eq!(missing["total_chunks"], last.get());

    let ServerMessage::Completed(receipt) = socket.finish(Some(last), hole.clone()).await else {
        panic!("no receipt");
    };
    assert_eq!(receipt.missing, hole);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("never arrived"), "the page hides the hole");
}

#[tokio::test]
async fn an_empty_recording_fails_with_words_and_can_be_tried_again() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(5);
    let (mut socket, _) = candidate.open(&server).await;
    let answer = socket.finish(None, SeqSet::new()).await;
    assert_eq!(answer, ServerMessage::Failed("nothing was recorded".into()));
    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    assert_eq!(
        (&session["status"], &session["failure"]),
        (&"failed".into(), &"nothing was recorded".into())
    );
}

#[tokio::test]
async fn bytes_that_are_no_media_fail_with_words_and_stay_on_the_server() {
    let server = TestServer::start().await;
    let whole = crate::harness::fixture_chunks("beep1");
    let header_without_cluster = &whole[0][..200];
    for (number, bytes) in [&b"not a webm file at all"[..], header_without_cluster, &whole[0][..7]]
        .into_iter()
        .enumerate()
    {
        let candidate = Candidate::new(10 + u8::try_from(number).unwrap());
        let (mut socket, _) = candidate.open(&server).await;
        socket.deliver(vec![segment_start(0, 0), chunk(1, 0, bytes)]).await;
        let answer = socket.finish(Some(Seq::new(1)), SeqSet::new()).await;
        assert!(matches!(answer, ServerMessage::Failed(_)), "{answer:?}");
        let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
        assert_eq!(session["status"], "failed");
        assert_eq!(session["items"], 2);
    }
}

#[tokio::test]
async fn a_recording_cut_off_in_the_middle_is_made_of_what_is_there() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let whole = crate::harness::fixture_chunks("beep1");
    let mut items = vec![segment_start(0, 0), chunk(1, 0, &whole[0])];
    items.push(chunk(2, 0, &whole[1][..whole[1].len() / 2]));
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(Seq::new(2)).await;
    assert!(receipt.duration.get() > 500, "{receipt:?}");
}

//! What a candidate's device still held when its session was over: it is stored, acked, and made into a
//! supplement beside the recording, which stays as it is.

use std::io::Cursor;
use std::path::Path;

use ledger::limits::JOB_TRIES_MAX;
use protocol::message::Opening;
use protocol::{
    ClientMessage, Content, Item, Millis, Refusal, Seq, SeqSet, ServerMessage, SessionStatus,
    TrackKind,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Api, Candidate, Socket, TestServer, chunk, database, eventually, fixture_chunks, payloads_left,
    run, segment_start,
};
use crate::process::Process;
use crate::tracks::{Run, items};

/// A session of which `in_time` came, and that a reviewer then finished.
async fn finished(server: &Api, candidate: &Candidate, in_time: &[Item]) -> Value {
    let (mut socket, _) = candidate.open(server).await;
    socket.deliver(in_time.to_vec()).await;
    drop(socket);
    let path = format!("/api/sessions/{}/finish", candidate.session);
    let (status, session) = server.post(&path, Value::Null).await;
    assert_eq!((status, &session["status"]), (200, &"completed".into()), "{session}");
    session
}

/// The candidate comes back.
async fn delivered(server: &Api, candidate: &Candidate, late: &[Item]) -> Socket {
    let (mut socket, welcome) = candidate.open(server).await;
    assert_eq!(welcome.status, SessionStatus::Completed);
    socket.deliver(late.to_vec()).await;
    socket
}

/// Nobody waits for as long as nothing more is to come.
async fn hurry(folder: &Path) {
    let hurried =
        sqlx::query("UPDATE jobs SET due_at = 0, begins_at = 0 WHERE kind = 'supplement'")
            .execute(&mut database(folder).await)
            .await
            .unwrap();
    assert_eq!(hurried.rows_affected(), 1, "no supplement is due");
}

/// Once it has everything.
async fn supplement(server: &Api, folder: &Path, candidate: &Candidate) -> Value {
    hurry(folder).await;
    eventually("the supplement is made", async || {
        let supplement = server.session(candidate.session).await["supplement"].take();
        (supplement["waiting_items"] == 0).then_some(supplement)
    })
    .await
}

async fn bytes_of(server: &Api, path: &str) -> Vec<u8> {
    let response = server.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

fn millis_of(file: &[u8]) -> u64 {
    u64::try_from(media::verify(Cursor::new(file)).unwrap().duration.as_millis()).unwrap()
}

fn recording_of(candidate: &Candidate) -> String {
    format!("/api/sessions/{}/recording", candidate.session)
}

#[tokio::test]
async fn what_came_after_a_reviewer_had_finished_is_played_beside_the_recording() {
    let server = TestServer::start().await;
    let (candidate, folder) = (Candidate::new(1), server.folder.path());
    let whole = run(0, 0, "beep1");
    let last = whole.last().unwrap().seq;
    let (in_time, late) = whole.split_at(5);
    let before = finished(&server, &candidate, in_time).await;
    let recording = bytes_of(&server, &recording_of(&candidate)).await;
    assert_eq!(before["supplement"], Value::Null);

    let mut socket = delivered(&server, &candidate, late).await;
    let receipt = socket.finish_completely(last).await;
    assert_eq!((receipt.items, receipt.missing.len()), (last.get() + 1, 0));
    let session = server.session(candidate.session).await;
    let waiting = &session["supplement"];
    assert_eq!(
        (&waiting["items"], &waiting["waiting_items"], &waiting["made_at"]),
        (&late.len().into(), &late.len().into(), &Value::Null)
    );

    let supplement = supplement(&server, folder, &candidate).await;
    let files = supplement["files"].as_array().unwrap();
    let [file] = &files[..] else { panic!("one file: {supplement}") };
    assert_eq!((&file["kind"], &file["mime"]), (&"microphone".into(), &"audio/webm".into()));
    let later = bytes_of(&server, file["recording_url"].as_str().unwrap()).await;
    assert_eq!(file["bytes"], later.len());
    assert_eq!(file["duration_ms"], millis_of(&later));
    // A packet lasts 60 ms; one may have been torn in two.
    let all = whole_millis("beep1").await;
    let both = millis_of(&recording) + millis_of(&later);
    assert!(both.abs_diff(all) <= 120, "{both} of {all}");

    let after = server.session(candidate.session).await;
    for untouched in ["status", "duration_ms", "bytes", "tracks", "recording_url", "left_out"] {
        assert_eq!(after[untouched], before[untouched], "{untouched}");
    }
    assert_eq!(after["receipt"]["digest"], before["receipt"]["digest"]);
    assert_eq!(bytes_of(&server, &recording_of(&candidate)).await, recording);
    let chunks = late.len() as i64;
    assert_eq!(payloads_left(folder, candidate.session).await, chunks, "late chunks are kept");

    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("Came later"), "the page hides it");
    let items = |of: usize| format!("<dt>Items</dt><dd>{of}</dd>");
    assert!(page.contains(&items(in_time.len())), "the recording is made of others: {page}");
    for untrue in ["never arrived", "Nothing is missing", "Every number"] {
        assert!(!page.contains(untrue), "{untrue}");
    }
    let events = server.json(&format!("/api/sessions/{}/events", candidate.session)).await;
    let kinds = events["events"].as_array().unwrap().iter().map(|event| &event["kind"]);
    assert_eq!(kinds.filter(|kind| **kind == "supplement_made").count(), 1);
}

/// What the same recorder output lasts when all of it comes in time.
async fn whole_millis(fixture: &str) -> u64 {
    let server = TestServer::start().await;
    let candidate = Candidate::new(99);
    let items = run(0, 0, fixture);
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    socket.finish_completely(last).await.duration.get()
}

#[tokio::test]
async fn the_rest_of_a_run_is_read_by_the_header_in_the_recording() {
    let server = TestServer::start().await;
    // Of the second the marker never came, either.
    for (number, fixture, markers) in
        [(1, "g_audiomp4", 1), (2, "webkit_audio", 0), (3, "b_vp8", 1)]
    {
        let candidate = Candidate::new(number);
        let items = run(0, 0, fixture).into_iter().skip(1 - markers);
        let whole: Vec<Item> = items
            .filter(
                |item| !matches!(&item.content, Content::Chunk { bytes, .. } if bytes.is_empty()),
            )
            .collect();
        let chunks = whole.len() - markers;
        let (in_time, late) = whole.split_at(markers + chunks.div_ceil(2));
        finished(&server, &candidate, in_time).await;
        delivered(&server, &candidate, late).await;
        let supplement = supplement(&server, server.folder.path(), &candidate).await;
        let file = &supplement["files"][0];
        assert!(file.is_object(), "{fixture}: {supplement}");
        let later = bytes_of(&server, file["recording_url"].as_str().unwrap()).await;
        assert_eq!(file["duration_ms"], millis_of(&later), "{fixture}");
        assert!(millis_of(&later) > 500, "{fixture}: {supplement}");
        assert_eq!(supplement["left_out_segments"], 0, "{fixture}: {supplement}");
    }
}

#[tokio::test]
async fn it_is_made_anew_when_more_comes_and_the_older_file_goes() {
    let server = TestServer::start().await;
    let (candidate, folder) = (Candidate::new(1), server.folder.path());
    let first = run(0, 0, "beep1");
    let second = run(first.len() as u64, 1, "beep2");
    finished(&server, &candidate, &first[..5]).await;
    delivered(&server, &candidate, &second).await;
    let earlier = supplement(&server, folder, &candidate).await;
    let address = earlier["files"][0]["recording_url"].as_str().unwrap().to_owned();
    let earlier_file = bytes_of(&server, &address).await;
    let files = || std::fs::read_dir(folder.join("recordings").join(candidate.session.to_string()));
    let count = files().unwrap().count();

    delivered(&server, &candidate, &first[5..]).await;
    let later = supplement(&server, folder, &candidate).await;
    assert_eq!(later["items"], first.len() - 5 + second.len());
    let later_file = bytes_of(&server, &address).await;
    let more = millis_of(&later_file).saturating_sub(millis_of(&earlier_file));
    assert!(more > 500, "{more} ms more");
    assert_eq!(payloads_left(folder, candidate.session).await as usize, {
        first.len() - 5 + second.len() - 1
    });
    eventually("the older file is gone", async || {
        (files().unwrap().count() == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_track_that_came_late_as_a_whole_has_its_name_and_pictures_are_counted() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let voice = run(0, 0, "beep1");
    let picture = [&[0xFF, 0xD8][..], &[7; 100]].concat();
    let late = items(
        voice.len() as u64,
        &[
            Run::of(1, 1, TrackKind::Screen, 0, "b_vp8"),
            Run::stills(2, 2, 500, vec![picture.clone(), picture]),
        ],
    );
    let before = finished(&server, &candidate, &voice).await;
    delivered(&server, &candidate, &late).await;
    let supplement = supplement(&server, server.folder.path(), &candidate).await;
    assert_eq!((&supplement["pictures"], &supplement["items"]), (&2.into(), &late.len().into()));
    let files = supplement["files"].as_array().unwrap();
    let [screen] = &files[..] else { panic!("one file: {supplement}") };
    assert_eq!(
        (&screen["track"], &screen["kind"], &screen["label"]),
        (&1.into(), &"screen".into(), &"Desk".into())
    );
    let response = server.get(screen["recording_url"].as_str().unwrap()).await;
    assert_eq!(response.headers()["content-type"], "video/webm");
    // The recording's own timeline knows nothing of them.
    assert_eq!(server.session(candidate.session).await["tracks"], before["tracks"]);
    let none = format!("/api/sessions/{}/tracks/2/supplement", candidate.session);
    assert_eq!(server.get(&none).await.status(), 404);
}

#[tokio::test]
async fn what_cannot_be_read_of_it_is_told_and_kept() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let voice = run(0, 0, "beep1");
    let next = voice.len() as u64;
    finished(&server, &candidate, &voice).await;
    let unreadable = [segment_start(next, 1), chunk(next + 1, 1, &b"No recording".repeat(100))];
    delivered(&server, &candidate, &unreadable).await;
    let supplement = supplement(&server, server.folder.path(), &candidate).await;
    assert_eq!(supplement["files"], json!([]));
    assert_eq!(supplement["left_out_segments"], 1);
    assert_eq!(supplement["left_out"][0]["segment"], 1);
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 1);
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("Nothing of it can be played"), "the page hides it");
}

#[tokio::test]
async fn one_that_was_given_up_says_so_and_begins_again_when_more_comes() {
    const GIVE_UP: &str = "UPDATE jobs SET state = 'stopped', begins_at = NULL, \
        error = 'it cannot be read', tries = ? WHERE kind = 'supplement'";
    let server = TestServer::start().await;
    let (candidate, folder) = (Candidate::new(1), server.folder.path());
    let whole = run(0, 0, "beep1");
    finished(&server, &candidate, &whole[..5]).await;
    delivered(&server, &candidate, &whole[5..8]).await;
    let page = async || {
        let page = server.get(&format!("/sessions/{}", candidate.session)).await;
        page.text().await.unwrap()
    };
    for (tries, says) in [
        (JOB_TRIES_MAX, "(it cannot be read). It begins again only by “Try again”"),
        (0, "(it cannot be read). It begins again when more comes, or by “Try again”"),
    ] {
        let mut database = database(folder).await;
        let given_up = sqlx::query(GIVE_UP).bind(tries).execute(&mut database).await.unwrap();
        assert_eq!(given_up.rows_affected(), 1);
        let page = page().await;
        assert!(page.contains(says), "{page}");
    }
    delivered(&server, &candidate, &whole[8..]).await;
    assert!(!page().await.contains("given up"), "it waits for its time");
    assert_eq!(supplement(&server, folder, &candidate).await["items"], whole.len() - 5);
}

#[tokio::test]
async fn a_server_that_was_killed_before_it_was_made_makes_it_when_it_is_back() {
    let folder = TempDir::new().unwrap();
    let candidate = Candidate::new(1);
    let whole = run(0, 0, "beep1");
    let (in_time, late) = whole.split_at(5);
    let server = Process::start(folder.path(), &[]).await;
    finished(&server, &candidate, in_time).await;
    delivered(&server, &candidate, late).await;
    server.kill().await;

    let server = Process::start(folder.path(), &[]).await;
    let (mut socket, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.have, SeqSet::up_to(whole.last().unwrap().seq));
    // What is there is there once, released or not.
    socket.deliver(whole.clone()).await;
    let supplement = supplement(&server, folder.path(), &candidate).await;
    assert_eq!(supplement["items"], late.len());
    let address = supplement["files"][0]["recording_url"].as_str().unwrap();
    assert!(millis_of(&bytes_of(&server, address).await) > 500);
}

#[tokio::test]
async fn an_older_writer_and_a_discarded_session_bring_nothing_late() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let whole = run(0, 0, "beep1");
    finished(&server, &candidate, &whole[..5]).await;
    let (mut older, _) = candidate.open(&server).await;
    let mut newer = delivered(&server, &candidate, &whole[5..6]).await;
    assert_eq!(older.expect_goodbye().await, Refusal::Fenced);
    let joining = Opening::Joining { epoch: protocol::Epoch::new(2) };
    let items = [ClientMessage::Items(vec![whole[6].clone()])];
    let answers = candidate.exchange(&server, joining, &items).await;
    assert_eq!(answers, [ServerMessage::Goodbye(Refusal::Fenced)]);
    assert_eq!(server.session(candidate.session).await["supplement"]["items"], 1);
    newer.deliver(whole[6..].to_vec()).await;

    let deleted = server.http.delete(server.url(&format!("/api/sessions/{}", candidate.session)));
    assert_eq!(deleted.send().await.unwrap().status(), 204);
    assert_eq!(newer.expect_goodbye().await, Refusal::Discarded);
}

#[tokio::test]
async fn nothing_of_a_supplement_is_left_of_a_session_that_is_deleted() {
    let server = TestServer::start().await;
    let (candidate, folder) = (Candidate::new(1), server.folder.path());
    let whole = run(0, 0, "beep1");
    finished(&server, &candidate, &whole[..5]).await;
    delivered(&server, &candidate, &whole[5..]).await;
    let supplement = supplement(&server, folder, &candidate).await;
    let address = supplement["files"][0]["recording_url"].as_str().unwrap().to_owned();
    let delete = server.url(&format!("/api/sessions/{}", candidate.session));
    assert_eq!(server.http.delete(delete).send().await.unwrap().status(), 204);
    assert_eq!(server.get(&address).await.status(), 404);
    let files = folder.join("recordings").join(candidate.session.to_string());
    assert!(std::fs::read_dir(files).map_or(true, |mut files| files.next().is_none()));
    for table in ["items", "supplements", "supplement_files", "jobs"] {
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} WHERE session_id = ?"
        )))
        .bind(candidate.session.as_bytes().as_slice())
        .fetch_one(&mut database(folder).await)
        .await
        .unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

/// The candidate went on recording, and its pauses are none of the recording's.
#[tokio::test]
async fn the_timeline_of_the_recording_is_not_changed_by_what_comes_late() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let whole = run(0, 0, "beep1");
    let next = whole.len() as u64;
    finished(&server, &candidate, &whole[..5]).await;
    let timeline = async || {
        let page = server.get(&format!("/sessions/{}", candidate.session)).await;
        let page = page.text().await.unwrap();
        let runs = page.find("id=\"segments\"").expect("the runs are listed");
        let runs = page[runs..].split("</section>").next().unwrap().to_owned();
        (runs, server.session(candidate.session).await["tracks"].take())
    };
    let before = timeline().await;
    let paused = |seq, marker| {
        let content = Content::Marker(marker);
        Item::new(Seq::new(seq), Millis::new(250 * seq), content)
    };
    let mut late = whole[5..].to_vec();
    late.push(paused(next, protocol::Marker::Paused));
    late.push(paused(next + 1, protocol::Marker::Resumed));
    late.extend(run(next + 2, 1, "beep2"));
    delivered(&server, &candidate, &late).await;
    assert_eq!(timeline().await, before);
    let (_, welcome) = candidate.open(&server).await;
    assert_eq!(welcome.progress.next_segment.get(), 2, "no number is given out twice");
    assert_eq!(fixture_chunks("beep2").len() + 1 + 2 + whole.len() - 5, late.len());
}

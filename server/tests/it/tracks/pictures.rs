//! Pictures beside a recording.

use protocol::{SeqSet, ServerMessage, TrackKind};
use serde_json::Value;

use super::{Run, durations, file, items, jpeg, payloads_left, recorded};
use crate::harness::{Candidate, TestServer};

#[tokio::test]
async fn pictures_are_listed_with_their_moments_and_served_one_by_one() {
    let server = TestServer::start().await;
    let pictures = vec![jpeg(1, 100), jpeg(2, 4_000), jpeg(3, 50)];
    let runs = [
        Run::of(0, 0, TrackKind::Microphone, 0, "beep1"),
        Run::stills(1, 1, 500, pictures[..2].to_vec()),
        Run::of(0, 2, TrackKind::Microphone, 60_000, "beep2"),
        Run::stills(1, 3, 61_000, pictures[2..].to_vec()),
    ];
    let (candidate, _) = recorded(&server, 7, &runs).await;
    let session = server.session(candidate.session).await;
    assert_eq!(
        (&session["left_out_segments"], &session["tracks"][1]["kind"]),
        (&0.into(), &"stills".into())
    );
    assert_eq!(session["tracks"][1]["recording_url"], Value::Null);
    let first = durations(&session, 0)[0];
    let path = format!("/api/sessions/{}/frames", candidate.session);
    let listed = server.json(&path).await;
    let listed = listed["frames"].as_array().unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|one| {
            (
                one["number"].as_u64().unwrap(),
                one["at_ms"].as_u64().unwrap(),
                one["place_ms"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(0, 2_500, 2_500), (1, 4_500, 4_500), (2, 63_000, first + 3_000)]);
    for (one, picture) in listed.iter().zip(&pictures) {
        let response = server.get(one["url"].as_str().unwrap()).await;
        assert_eq!(response.headers()["content-type"], "image/jpeg");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.bytes().await.unwrap(), picture[..]);
    }
    for name in ["3.jpg", "1.png", "1", "-1.jpg", "x.jpg"] {
        assert_eq!(server.get(&format!("{path}/{name}")).await.status(), 404, "{name}");
    }
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert_eq!(page.matches("loading=\"lazy\"").count(), 3);
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 0);
}

#[tokio::test]
async fn what_is_no_picture_is_left_out_and_kept() {
    let server = TestServer::start().await;
    let html = b"<script>alert(1)</script>".to_vec();
    let runs = [
        Run::of(0, 0, TrackKind::Microphone, 0, "beep1"),
        Run::stills(1, 1, 0, vec![jpeg(1, 60), html, jpeg(2, 70)]),
    ];
    let (candidate, _) = recorded(&server, 8, &runs).await;
    assert_eq!(server.session(candidate.session).await["left_out_segments"], 1);
    assert_eq!(file(&server, &candidate, "frames/1.jpg").await, jpeg(2, 70));
    assert!(payloads_left(server.folder.path(), candidate.session).await > 0);
}

#[tokio::test]
async fn pictures_alone_are_no_recording_and_stay_on_the_server() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let items = items(0, &[Run::stills(0, 0, 0, vec![jpeg(1, 60), jpeg(2, 60)])]);
    let last = items.last().unwrap().seq;
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(items).await;
    let answer = socket.finish(Some(last), SeqSet::new()).await;
    assert_eq!(answer, ServerMessage::Failed("nothing was recorded".into()));
    assert_eq!(server.session(candidate.session).await["status"], "failed");
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 2);
}

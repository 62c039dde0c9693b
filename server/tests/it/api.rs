//! The JSON API.

use protocol::SessionId;
use serde_json::json;

use crate::harness::{Candidate, TestServer, chunk, run};

#[tokio::test]
async fn a_session_can_be_made_over_http_with_the_clients_id_or_the_servers() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let body = json!({ "id": candidate.session.to_string(), "token": candidate.token.expose() });
    let (status, created) = server.post("/api/sessions", body.clone()).await;
    assert_eq!((status, &created["id"]), (201, &candidate.session.to_string().into()));
    assert_eq!(server.post("/api/sessions", body).await.0, 200);
    let stolen = json!({ "id": candidate.session.to_string() });
    let (status, problem) = server.post("/api/sessions", stolen).await;
    assert_eq!((status, &problem["type"]), (403, &"wrong-token".into()));

    let bare = server.http.post(server.url("/api/sessions")).send().await.unwrap();
    assert_eq!(bare.status(), 201);
    let created: serde_json::Value = bare.json().await.unwrap();
    assert!(created["id"].as_str().unwrap().parse::<SessionId>().is_ok());
    assert_eq!(created["token"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn bad_bodies_are_problems() {
    let server = TestServer::start().await;
    for body in [json!({ "id": "nonsense" }), json!({ "token": "short" }), json!({ "x": 1 })] {
        let (status, problem) = server.post("/api/sessions", body).await;
        assert_eq!((status, &problem["type"]), (400, &"bad-request".into()));
    }
    let huge = "x".repeat(100_000);
    let (status, _) = server.post("/api/sessions", json!({ "id": huge })).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn the_list_is_newest_first_filtered_and_paged() {
    let server = TestServer::start().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        let candidate = Candidate::new(number);
        let body =
            json!({ "id": candidate.session.to_string(), "token": candidate.token.expose() });
        server.post("/api/sessions", body).await;
        ids.push(candidate.session.to_string());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = "/api/sessions?limit=2".to_owned();
    loop {
        let page = server.json(&path).await;
        let sessions = page["sessions"].as_array().unwrap();
        seen.extend(sessions.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/sessions?limit=2&before={next}");
    }
    assert_eq!(seen, ids);
    let active = server.json("/api/sessions?status=active").await;
    assert_eq!(active["sessions"].as_array().unwrap().len(), 5);
    let none = server.json("/api/sessions?status=completed").await;
    assert_eq!(none, json!({ "sessions": [], "next": null }));
    for wrong in ["status=lost", "limit=0", "limit=201", "limit=x", "before=5"] {
        let response = server.get(&format!("/api/sessions?{wrong}")).await;
        assert_eq!(response.status(), 400, "{wrong}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn finishing_over_http_names_what_is_missing_or_takes_what_is_there() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(6);
    let (mut socket, _) = candidate.open(&server).await;
    let items = run(0, 0, "beep1");
    let count = items.len() as u64;
    socket.deliver(items).await;
    let path = format!("/api/sessions/{}/finish", candidate.session);
    let (status, problem) = server.post(&path, json!({ "last_seq": count + 2 })).await;
    assert_eq!((status, &problem["missing"]), (409, &json!([[count, count + 2]])));
    let wrong = server.http.post(server.url(&path)).bearer_auth("00".repeat(32));
    assert_eq!(wrong.send().await.unwrap().status(), 403);
    let own = server.http.post(server.url(&path)).bearer_auth(candidate.token.expose());
    let finished: serde_json::Value = own.send().await.unwrap().json().await.unwrap();
    assert_eq!(finished["status"], "completed");
    assert_eq!(finished["last_seq"], count - 1);
}

#[tokio::test]
async fn keepalive_and_check_timeouts_move_sessions_without_a_socket() {
    let server = TestServer::with_options(&["--heartbeat-timeout", "400ms", "--grace", "1h"]).await;
    let candidate = Candidate::new(7);
    let id = candidate.session.to_string();
    server.post("/api/sessions", json!({ "id": id, "token": candidate.token.expose() })).await;
    let (status, kept) = server.post(&format!("/api/sessions/{id}/keepalive"), json!(null)).await;
    assert_eq!((status, &kept["status"]), (200, &"active".into()));
    server.wait_for_status(candidate.session, "interrupted").await;
    let (status, checked) = server.post("/api/sessions/check-timeouts", json!(null)).await;
    assert_eq!((status, &checked["incomplete"]), (200, &0.into()));
}

#[tokio::test]
async fn a_discarded_or_unknown_session_is_not_found() {
    let server = TestServer::start().await;
    let unknown = Candidate::new(8).session;
    for path in ["", "/recording", "/missing-chunks", "/events"] {
        let response = server.get(&format!("/api/sessions/{unknown}{path}")).await;
        assert_eq!(response.status(), 404);
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["type"], "unknown-session");
    }
    for path in ["finish", "keepalive"] {
        let path = format!("/api/sessions/{unknown}/{path}");
        assert_eq!(server.post(&path, json!(null)).await.0, 404);
    }
}

#[tokio::test]
async fn the_openapi_document_names_every_route_and_the_docs_page_opens() {
    let server = TestServer::start().await;
    let document = server.json("/api/openapi.json").await;
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(|k| &**k).collect();
    for path in [
        "/api/sessions",
        "/api/sessions/check-timeouts",
        "/api/sessions/{id}",
        "/api/sessions/{id}/discard",
        "/api/sessions/{id}/events",
        "/api/sessions/{id}/finish",
        "/api/sessions/{id}/items",
        "/api/sessions/{id}/keepalive",
        "/api/sessions/{id}/missing-chunks",
        "/api/sessions/{id}/recording",
        "/api/sessions/{id}/tail",
    ] {
        assert!(paths.contains(&path), "{path} is not documented");
    }
    let docs = server.get("/api/docs").await;
    assert_eq!(docs.status(), 200);
    let docs = docs.text().await.unwrap();
    for path in paths {
        assert!(docs.contains(path), "{path} is not on the page");
    }
    assert_eq!(server.get("/api/nothing").await.status(), 404);
    let wrong_method = server.http.delete(server.url("/api/sessions")).send().await.unwrap();
    assert_eq!(wrong_method.status(), 405);
}

#[tokio::test]
async fn health_and_readiness_answer() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/healthz").await.text().await.unwrap(), "ok");
    assert_eq!(server.get("/readyz").await.text().await.unwrap(), "ready");
}

#[tokio::test]
async fn a_live_sessions_sums_grow_with_its_items() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(9);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver((0..8).map(|seq| chunk(seq, 0, &[1; 100])).collect()).await;
    let session = server.json(&format!("/api/sessions/{}", candidate.session)).await;
    assert_eq!(session["items"], 8);
    assert_eq!(session["bytes"], 800);
    assert_eq!(session["duration_ms"], 1_750);
    assert_eq!(session["last_seq"], 7);
    assert_eq!(session["recording_url"], json!(null));
    let recording = server.get(&format!("/api/sessions/{}/recording", candidate.session)).await;
    let problem: serde_json::Value = recording.json().await.unwrap();
    assert_eq!(problem["type"], "no-recording");
}

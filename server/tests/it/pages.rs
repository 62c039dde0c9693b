//! The pages that the server renders.

use crate::harness::{Candidate, TestServer, chunk, run, segment_start};

#[tokio::test]
async fn the_history_invites_when_empty_and_lists_what_is_there() {
    let server = TestServer::start().await;
    let empty = server.get("/").await.text().await.unwrap();
    assert!(empty.contains("/record"));
    let candidate = Candidate::new(1);
    let (mut socket, _) = candidate.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    let live = server.get("/").await.text().await.unwrap();
    assert!(live.contains("Active"));
    socket.finish_completely(last).await;
    let done = server.get("/").await.text().await.unwrap();
    assert!(
        done.contains("Completed") && done.contains(&format!("/sessions/{}", candidate.session))
    );
    assert!(!done.contains(".wasm") && !done.contains("frontend.js"));
}

#[tokio::test]
async fn the_session_page_plays_and_escapes_what_the_browser_said() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let (mut socket, _) = candidate.open(&server).await;
    let items = run(0, 0, "beep1");
    let last = items.last().unwrap().seq;
    socket.deliver(items).await;
    let receipt = socket.finish_completely(last).await;
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert!(page.contains("<audio") && page.contains(&receipt.digest.to_string()));
    assert!(!page.contains("<microphone>") && page.contains("&lt;microphone&gt;"));
}

#[tokio::test]
async fn a_session_of_three_hundred_parts_has_a_page_of_bearable_size() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    // A second of sound in each, and a gap of a quarter of a second before the next.
    let part = |number: u32| {
        let first = u64::from(number) * 6;
        let chunks = (1..5).map(move |place| chunk(first + place, number, b"sound"));
        std::iter::once(segment_start(first, number)).chain(chunks)
    };
    let items: Vec<_> = (0..300).flat_map(part).collect();
    socket.deliver(items).await;
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert_eq!(page.matches("map-recorded").count(), 300);
    assert_eq!(page.matches("map-gap\"").count(), 299);
    // The gaps, and that it all arrived at once: by the clock the server was out of reach.
    assert!(page.contains("in 300 parts") && page.contains("Show all 300 interruptions"));
    assert!(!page.contains("style=\""), "the policy forbids inline styles");
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[tokio::test]
async fn pages_have_a_policy_against_foreign_scripts() {
    let server = TestServer::start().await;
    for path in ["/", "/record", "/nowhere"] {
        let response = server.get(path).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert!(policy.contains("default-src 'self'"));
        let html = response.text().await.unwrap();
        if path == "/record" {
            assert!(html.contains(&nonce), "the island's script lacks its nonce");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_helps() {
    let server = TestServer::start().await;
    let unknown = Candidate::new(3).session;
    for path in ["/nowhere".to_owned(), format!("/sessions/{unknown}"), "/sessions/x".to_owned()] {
        let response = server.get(&path).await;
        assert_eq!(response.status(), 404, "{path}");
        let html = response.text().await.unwrap();
        assert!(html.contains("<h1") && html.contains("href=\"/\""), "{path}");
    }
    let bad = server.get("/?before=nonsense").await;
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn a_file_of_another_build_is_not_there_rather_than_the_wrong_one() {
    let server = TestServer::start().await;
    for path in ["/assets/0123456789abcdef/frontend.js", "/assets/nowhere.css"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let kept = response.headers().get("cache-control");
        assert!(kept.is_none_or(|kept| !kept.to_str().unwrap().contains("immutable")), "{path}");
    }
}

//! Recordings of earlier versions.

use std::path::Path;

use protocol::SessionId;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::file;
use crate::harness::{Candidate, TestServer};

/// Puts a database in the place of the server's, as it was before the migration `before`. It holds what
/// these statements put there; their first parameter is the session's id.
async fn go_back(server: &mut TestServer, before: &str, id: SessionId, statements: &[&str]) {
    server.stop().await;
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(server.folder.path().join(format!("holdfast.db{suffix}"))));
    }
    let earlier = tempfile::tempdir().unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
    for entry in std::fs::read_dir(migrations).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.as_str() < before {
            std::fs::copy(entry.path(), earlier.path().join(name)).unwrap();
        }
    }
    let place = server.folder.path().join("holdfast.db");
    let options = SqliteConnectOptions::new().filename(place).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let migrator = sqlx::migrate::Migrator::new(earlier.path()).await.unwrap();
    migrator.run(&mut connection).await.unwrap();
    for statement in statements {
        let query = sqlx::query(sqlx::AssertSqlSafe(*statement)).bind(id.as_bytes().as_slice());
        query.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// As it was before tracks had files.
#[tokio::test]
async fn a_database_of_an_earlier_version_is_brought_up_to_date() {
    let mut server = TestServer::start().await;
    let candidate = Candidate::new(14);
    let id = candidate.session;
    let key = format!("recordings/{id}/one.webm");
    let session = format!(
        "INSERT INTO sessions (id, token_hash, status, created_at, started_at, last_heartbeat_at, \
         completed_at, items, recording_key, recording_mime, recording_bytes, recording_digest, \
         recording_ms, payloads_dropped) VALUES (?1, zeroblob(32), 'completed', 1, 1, 1, 1, 3, \
         '{key}', 'audio/webm', 9, zeroblob(32), 750, 1)"
    );
    let segment = "INSERT INTO segments (session_id, track, segment, kind, mime, label, \
                   started_at_ms, duration_ms) VALUES (?1, 0, 0, 'microphone', 'audio/webm', '', \
                   0, 750)";
    go_back(&mut server, "0004", id, &[&session, segment]).await;
    let place = server.folder.path().join(&key);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, b"recording").unwrap();

    server.start_again().await;
    let session = server.session(id).await;
    assert_eq!((&session["status"], &session["bytes"]), (&"completed".into(), &9.into()));
    assert_eq!(session["tracks"][0]["bytes"], 9);
    assert_eq!(file(&server, &candidate, "tracks/0/recording").await, b"recording");
    assert_eq!(server.get(&format!("/sessions/{id}")).await.status(), 200);
}

/// As it was when the timeline was built from the log of events.
#[tokio::test]
async fn what_an_earlier_log_holds_of_the_timeline_is_taken_out_of_it() {
    const SESSION: &str = "INSERT INTO sessions (id, token_hash, status, created_at, started_at, \
        last_heartbeat_at, items) VALUES (?1, zeroblob(32), 'incomplete', 1, 1, 1, 9)";
    const SEGMENTS: &str = "INSERT INTO segments (session_id, track, segment, kind, mime, label, \
        started_at_ms) VALUES (?1, 0, 0, 'microphone', '', '', 0), \
        (?1, 0, 1, 'microphone', '', '', 9000)";
    const CHUNKS: &str =
        "INSERT INTO chunk_runs VALUES (?1, 0, 0, 0, 5000), (?1, 0, 1, 9000, 20000)";
    const EVENTS: &str = r#"INSERT INTO events (session_id, number, at, timeline_ms, kind, detail) VALUES
        (?1, 0, 1000, NULL, 'created', '{}'), (?1, 1, 1000, NULL, 'connected', '{}'),
        (?1, 2, 1000, 0, 'segment_started', '{"track":0,"segment":0,"cause":"begun"}'),
        (?1, 3, 2000, 1000, 'paused', '{}'), (?1, 4, 3000, 2000, 'pause_over', '{}'),
        (?1, 5, 6000, 5000, 'segment_ended', '{"track":0,"segment":0,"cause":"page_left"}'),
        (?1, 6, 8000, NULL, 'connection_lost', '{"cause":"server_gone"}'),
        (?1, 7, 9000, NULL, 'resumed', '{"away_ms":4000,"within_grace":true}'),
        (?1, 8, 9000, NULL, 'connected', '{}'),
        (?1, 9, 10000, 9000, 'segment_started', '{"track":0,"segment":1,"cause":"page_returned"}'),
        (?1, 10, 11000, 10000, 'paused', '{}')"#;
    const FULL: &str = "INSERT INTO events VALUES (?1, 11, 12000, NULL, 'more_not_kept', '{}')";
    let mut server = TestServer::start().await;
    let id = Candidate::new(18).session;
    for (is_full, statements) in [
        (false, &[SESSION, SEGMENTS, CHUNKS, EVENTS][..]),
        (true, &[SESSION, SEGMENTS, CHUNKS, EVENTS, FULL]),
    ] {
        go_back(&mut server, "0009", id, statements).await;
        server.start_again().await;
        let page = server.get(&format!("/sessions/{id}")).await.text().await.unwrap();
        // The second pause was not over, unless the log was full by then.
        let pauses =
            if is_full { "Paused once, for 1 s." } else { "Paused 2 times, for 11 s in all." };
        assert!(page.contains(pauses), "{page}");
        assert!(page.contains("4 s without a page between them"), "{page}");
        assert!(page.contains("No page: it was left or reloaded"), "{page}");
        assert!(page.contains("The server was out of reach for 4 s;"), "{page}");
        assert_eq!(page.contains("There were more pauses than are kept"), is_full, "{page}");
        assert_eq!(page.contains("The connection was lost more often"), is_full, "{page}");
    }
}

/// As it was when a session had one job of a kind at most.
#[tokio::test]
async fn what_an_earlier_version_had_given_up_is_known_and_can_be_tried_again() {
    const SESSION: &str = "INSERT INTO sessions (id, token_hash, status, created_at, started_at, \
        last_heartbeat_at, items) VALUES (?1, zeroblob(32), 'completed', 1, 1, 1, 0)";
    const JOB: &str = "INSERT INTO jobs (session_id, kind, state, due_at, tries, postponed, again, \
        error, progress) VALUES (?1, 'mix', 'stopped', 1, 5, 0, 0, 'it broke off', 0)";
    let mut server = TestServer::start().await;
    let id = Candidate::new(20).session;
    go_back(&mut server, "0011", id, &[SESSION, JOB]).await;
    server.start_again().await;
    let job = server.json("/api/jobs").await["jobs"][0].clone();
    let known = (&job["id"], &job["state"], &job["tries"], &job["error"]);
    let expected =
        (&format!("{id}.mix").into(), &"stopped".into(), &5.into(), &"it broke off".into());
    assert_eq!(known, expected, "{job}");
    let (status, _) = server.post(&format!("/api/jobs/{id}.mix/retry"), json!({})).await;
    assert_eq!(status, 202);
}

/// As it was when what is stored was counted anew each time, and work was begun from memory.
#[tokio::test]
async fn what_an_earlier_version_stored_is_known_and_what_it_had_begun_goes_on() {
    const SESSION: &str = "INSERT INTO sessions (id, token_hash, status, created_at, started_at, \
        last_heartbeat_at, items, last_seq) VALUES (?1, zeroblob(32), 'finalizing', 1, 1, 1, 4, 7)";
    const ITEMS: &str = "INSERT INTO items (session_id, seq, at_ms, kind, payload_bytes, digest) \
        VALUES (?1, 5, 5, 'marker', 0, zeroblob(32)), (?1, 0, 0, 'marker', 0, zeroblob(32)), \
        (?1, 2, 2, 'marker', 0, zeroblob(32)), (?1, 1, 1, 'marker', 0, zeroblob(32))";
    let mut server = TestServer::start().await;
    let id = Candidate::new(19).session;
    go_back(&mut server, "0009", id, &[SESSION, ITEMS]).await;
    server.start_again().await;
    let missing = server.json(&format!("/api/sessions/{id}/missing-chunks")).await;
    assert_eq!(missing["missing"], json!([[3, 4], [6, 7]]));
    assert_eq!((&missing["max_seq"], &missing["total_chunks"]), (&7.into(), &4.into()));
    let session = server.wait_for_status(id, "failed").await;
    assert_eq!(session["failure"], "nothing was recorded");
}

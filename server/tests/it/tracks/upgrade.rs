//! Recordings of earlier versions.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::file;
use crate::harness::{Candidate, TestServer};

/// As it was before tracks had files.
#[tokio::test]
async fn a_database_of_an_earlier_version_is_brought_up_to_date() {
    let mut server = TestServer::start().await;
    server.stop().await;
    let database = server.folder.path().join("holdfast.db");
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(server.folder.path().join(format!("holdfast.db{suffix}"))));
    }
    let earlier = tempfile::tempdir().unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
    for entry in std::fs::read_dir(migrations).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.as_str() < "0004" {
            std::fs::copy(entry.path(), earlier.path().join(name)).unwrap();
        }
    }
    let candidate = Candidate::new(14);
    let id = candidate.session;
    let options = SqliteConnectOptions::new().filename(&database).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let migrator = sqlx::migrate::Migrator::new(earlier.path()).await.unwrap();
    migrator.run(&mut connection).await.unwrap();
    let key = format!("recordings/{id}/one.webm");
    for statement in [
        "INSERT INTO sessions (id, token_hash, status, created_at, started_at, last_heartbeat_at, \
         completed_at, items, recording_key, recording_mime, recording_bytes, recording_digest, \
         recording_ms, payloads_dropped) VALUES (?1, zeroblob(32), 'completed', 1, 1, 1, 1, 3, ?2, \
         'audio/webm', 9, zeroblob(32), 750, 1)",
        "INSERT INTO segments (session_id, track, segment, kind, mime, label, started_at_ms, \
         duration_ms) VALUES (?1, 0, 0, 'microphone', 'audio/webm', ?2, 0, 750)",
    ] {
        let query = sqlx::query(statement).bind(id.as_bytes().as_slice()).bind(&key);
        query.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
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

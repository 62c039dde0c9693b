//! How long the history and a session take among very many, through a server as reviewers reach it.
//! Sessions are written straight into its database: each completed, with its runs and events, some with
//! thousands of items. Prints rows of a table.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]
#![expect(clippy::wildcard_enum_match_arm, reason = "its harness says which message it expects")]

#[path = "../tests/it/harness.rs"]
#[expect(dead_code, reason = "it is made for the tests, which need more of it")]
mod harness;

use std::path::Path;
use std::time::{Duration, Instant};

use harness::{TestServer, database};
use protocol::{SessionId, UnixMillis};

const SESSIONS: [u64; 2] = [100_000, 1_000_000];
/// Of every so many sessions one has its items in the database, as one does that is being recorded.
const WITH_ITEMS_EVERY: u64 = 1_000;
const ITEMS: u64 = 2_000;
const REQUESTS: u64 = 500;
const START: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| sessions | asked for | median | p99 | most |");
    println!("|---|---|---|---|---|");
    runtime.block_on(async {
        let mut server = TestServer::start().await;
        let mut made = 0;
        for sessions in SESSIONS {
            server.stop().await;
            make(server.folder.path(), made, sessions).await;
            made = sessions;
            server.start_again().await;
            measure(&server, sessions).await;
        }
    });
}

/// The sessions with these numbers; the same ones each time.
async fn make(folder: &Path, from: u64, to: u64) {
    let mut connection = database(folder).await;
    for statement in [
        "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) \
         INSERT INTO sessions (id, token_hash, status, epoch, created_at, started_at, \
          last_heartbeat_at, completed_at, last_seq, items, payload_bytes, captured_ms, \
          recording_key, recording_mime, recording_bytes, recording_digest, recording_ms, \
          recording_loudest, have, playable) \
         SELECT unhex(printf('%012x7000800000000000%04x', ?3 + i, i % 65536)), zeroblob(32), \
          'completed', 1, ?3 + i, ?3 + i, ?3 + i, ?3 + i, 1999, 2000, 9000000, 240000, \
          'recordings/' || i || '/x.webm', 'audio/webm', 9000000, zeroblob(32), 240000, 9000, \
          '[[0,1999]]', 1 FROM n",
        "INSERT INTO segments (session_id, track, segment, kind, mime, label, started_at_ms, \
          duration_ms, in_file_ms) \
         SELECT id, 0, 0, 'microphone', 'audio/webm;codecs=opus', 'Built-in microphone', 0, 240000, \
          240000 FROM sessions WHERE created_at >= ?3 + ?1 AND created_at < ?3 + ?2",
        "INSERT INTO events (session_id, number, at, kind, detail) \
         SELECT id, 0, created_at, 'created', '{}' FROM sessions \
         WHERE created_at >= ?3 + ?1 AND created_at < ?3 + ?2",
    ] {
        let query = sqlx::query(statement).bind(from as i64).bind(to as i64);
        query.bind(START.get() as i64).execute(&mut connection).await.unwrap();
    }
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?4) \
         INSERT INTO items (session_id, seq, at_ms, kind, track, segment, payload_bytes, digest) \
         SELECT id, i, i * 120, 'chunk', 0, 0, 4500, zeroblob(32) FROM sessions, n \
         WHERE created_at >= ?3 + ?1 AND created_at < ?3 + ?2 AND created_at % ?5 = 0",
    )
    .bind(from as i64)
    .bind(to as i64)
    .bind(START.get() as i64)
    .bind(ITEMS as i64)
    .bind(WITH_ITEMS_EVERY as i64)
    .execute(&mut connection)
    .await
    .unwrap();
}

fn id(number: u64) -> SessionId {
    let hex = format!("{:012x}7000800000000000{:04x}", START.get() + number, number % 65_536);
    let bytes: Vec<u8> = hex::decode(hex).unwrap();
    SessionId::from_bytes(bytes.try_into().unwrap()).unwrap()
}

/// Sessions far apart, half of them with items.
fn asked_for(sessions: u64) -> impl Iterator<Item = u64> {
    (0..REQUESTS).map(move |nth| {
        let number = nth.wrapping_mul(0x9e37_79b9) % sessions;
        if nth % 2 == 0 { number } else { number - number % WITH_ITEMS_EVERY }
    })
}

async fn measure(server: &TestServer, sessions: u64) {
    let newest = "/?status=completed".to_owned();
    let deep = async {
        let list = server.json("/api/sessions?limit=1&status=completed").await;
        format!("/?before={}", list["next"].as_str().unwrap())
    };
    let lists = [("history page", newest), ("older page", deep.await)];
    for (what, path) in lists {
        report(server, sessions, what, (0..REQUESTS).map(|_| path.clone())).await;
    }
    let list = (0..REQUESTS).map(|_| "/api/sessions?limit=100".to_owned());
    report(server, sessions, "list of 100, JSON", list).await;
    for (what, prefix, suffix) in [
        ("session page", "/sessions/", ""),
        ("session, JSON", "/api/sessions/", ""),
        ("missing chunks", "/api/sessions/", "/missing-chunks"),
    ] {
        let paths = asked_for(sessions).map(|number| format!("{prefix}{}{suffix}", id(number)));
        report(server, sessions, what, paths).await;
    }
}

async fn report(
    server: &TestServer,
    sessions: u64,
    what: &str,
    paths: impl Iterator<Item = String>,
) {
    let mut times = Vec::new();
    for path in paths {
        let began = Instant::now();
        let answer = server.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    println!("| {sessions} | {what} | {} | {} | {} |", at(0.5), at(0.99), at(1.0));
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

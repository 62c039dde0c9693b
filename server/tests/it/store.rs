//! Races that the simulation found, on the store itself, where they can be brought about at will.

use protocol::event::Asker;
use protocol::message::{Hello, Opening};
use protocol::{Digest, Millis, SessionId, SessionStatus, UnixMillis};
use server::store::{FinishedBy, Recording, Store, Whose};
use tempfile::TempDir;

use crate::harness::Candidate;

const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);

struct Opened {
    store: Store,
    session: SessionId,
    _folder: TempDir,
}

async fn active_session() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("test.db"), None).await.unwrap();
    let Candidate { session, token } = Candidate::new(1);
    let opening = Opening::New { started_at: NOW };
    let version = protocol::limits::PROTOCOL_VERSION;
    let hello = Hello { version, session, token, opening, failed_tries: 0 };
    store.open_session(&hello, NOW).await.unwrap();
    Opened { store, session, _folder: folder }
}

fn recording(key: &str) -> Recording {
    Recording {
        key: key.into(),
        mime: "audio/webm".into(),
        bytes: 1,
        digest: Digest::from_bytes([1; 32]),
        duration: Millis::new(250),
    }
}

/// The grace period was over, a recording of what was there was being made, and the candidate came
/// back and finished before it was done.
#[tokio::test]
async fn a_recording_begun_before_the_end_does_not_complete_the_session() {
    let Opened { store, session, _folder } = active_session().await;
    let (began_in, early) = (SessionStatus::Incomplete, recording("early"));
    store
        .begin_finalizing(session, Whose::Reviewer, FinishedBy::Asked(Asker::Candidate), None, NOW)
        .await
        .unwrap();
    let noted =
        store.recording_durable(session, &early, &[], Millis::ZERO, began_in, NOW).await.unwrap();
    assert_eq!(noted, None);

    let (began_in, whole) = (SessionStatus::Finalizing, recording("whole"));
    let noted =
        store.recording_durable(session, &whole, &[], Millis::ZERO, began_in, NOW).await.unwrap();
    assert_eq!(noted, Some(SessionStatus::Completed));

    let began_in = SessionStatus::Incomplete;
    let noted =
        store.recording_durable(session, &early, &[], Millis::ZERO, began_in, NOW).await.unwrap();
    assert_eq!(noted, None);
    let kept = store.session(session).await.unwrap().recording.unwrap();
    assert_eq!(kept.key, "whole");
}

/// The server's clock jumped, or another server started: the writer is there all the time.
#[tokio::test]
async fn a_sign_of_life_brings_an_interrupted_session_back() {
    let Opened { store, session, _folder } = active_session().await;
    assert_eq!(store.interrupt_silent(None, NOW, Millis::from_secs(30)).await.unwrap(), 1);
    let status = store.heartbeat(session, Whose::Reviewer, NOW).await.unwrap();
    assert_eq!(status, SessionStatus::Active);
    let grace_over = store.grace_over(session, NOW, NOW).await.unwrap();
    assert!(!grace_over);
}

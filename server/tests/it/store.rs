//! Races that the simulation found, on the store itself, where they can be brought about at will.

use protocol::event::Asker;
use protocol::item::Marker;
use protocol::message::{Hello, Opening};
use protocol::{Content, Digest, Epoch, Item, Millis, Seq, SessionId, SessionStatus, UnixMillis};
use server::ledger::payload::InRow;
use server::store::{Append, By, FinishedBy, Made, Recording, Store, Whose};
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

fn recording(key: &str) -> Made {
    let recording = Recording {
        key: key.into(),
        mime: "audio/webm".into(),
        bytes: 1,
        digest: Digest::from_bytes([1; 32]),
        duration: Millis::new(250),
        left_out: 0,
    };
    Made {
        recording,
        runs: Vec::new(),
        tracks: Vec::new(),
        frames: Vec::new(),
        left_out: Vec::new(),
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
        store.recording_durable(session, &early, Millis::ZERO, began_in, NOW).await.unwrap();
    assert_eq!(noted, None);

    let (began_in, whole) = (SessionStatus::Finalizing, recording("whole"));
    let noted =
        store.recording_durable(session, &whole, Millis::ZERO, began_in, NOW).await.unwrap();
    assert_eq!(noted, Some(SessionStatus::Completed));

    let began_in = SessionStatus::Incomplete;
    let noted =
        store.recording_durable(session, &early, Millis::ZERO, began_in, NOW).await.unwrap();
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

/// Heartbeats are rare beside items. A server that was killed knows by both when it last heard of the
/// writer.
#[tokio::test]
async fn stored_items_are_signs_of_life() {
    let Opened { store, session, _folder } = active_session().await;
    let item = Item::new(Seq::ZERO, Millis::ZERO, Content::Marker(Marker::Paused));
    let append = Append { session, by: By::Writer(Epoch::new(1)), items: vec![item] };
    let at = |millis| NOW.plus(Millis::new(millis));
    store.append(&InRow, &[&append], at(7_000)).await.unwrap();
    store.interrupt_silent(None, at(9_000), Millis::from_secs(30)).await.unwrap();
    let hello = Hello {
        version: protocol::limits::PROTOCOL_VERSION,
        session,
        token: Candidate::new(1).token,
        opening: Opening::Existing,
        failed_tries: 0,
    };
    let resumed = store.open_session(&hello, at(10_000)).await.unwrap().resumed.unwrap();
    assert_eq!(resumed.away, Millis::from_secs(3));
    // A clock that was set back does not make it older.
    let item = Item::new(Seq::new(1), Millis::ZERO, Content::Marker(Marker::Resumed));
    let by = By::Writer(Epoch::new(2));
    let next = Append { session, by, items: vec![item] };
    store.append(&InRow, &[&next], at(1_000)).await.unwrap();
    assert_eq!(store.session(session).await.unwrap().last_heartbeat_at, at(10_000));
}

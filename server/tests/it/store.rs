//! Races that the simulation found, on the store itself, where they can be brought about at will.

use protocol::event::Asker;
use protocol::item::Marker;
use protocol::message::{Hello, Opening};
use protocol::{
    Content, Digest, Epoch, Item, Millis, Seq, SeqSet, SessionId, SessionStatus, UnixMillis,
};
use server::ledger::payload::InRow;
use server::store::{
    Append, By, FinishedBy, Made, RECORDING_TRIES_MAX, Recording, Store, Tries, Whose,
};
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
        digest: None,
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

/// Until it is done, if the session lets it.
async fn note(
    store: &Store,
    session: SessionId,
    made: &Made,
    began_in: SessionStatus,
) -> Option<SessionStatus> {
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    if !store.recording_playable(session, made, began_in).await.unwrap() {
        return None;
    }
    store.recording_done(session, &made.recording, digest, took, began_in, NOW).await.unwrap()
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
    assert_eq!(note(&store, session, &early, began_in).await, None);

    let (began_in, whole) = (SessionStatus::Finalizing, recording("whole"));
    let noted = note(&store, session, &whole, began_in).await;
    assert_eq!(noted, Some(SessionStatus::Completed));

    let began_in = SessionStatus::Incomplete;
    assert_eq!(note(&store, session, &early, began_in).await, None);
    let kept = store.session(session).await.unwrap().recording.unwrap();
    assert_eq!(kept.key, "whole");
}

/// Its digest takes the longer the more was recorded; nobody who wants to play it waits for that.
#[tokio::test]
async fn a_recording_can_be_played_before_its_digest_is_known() {
    let Opened { store, session, _folder } = active_session().await;
    let by = FinishedBy::Asked(Asker::Candidate);
    store.begin_finalizing(session, Whose::Reviewer, by, None, NOW).await.unwrap();
    let (made, began_in) = (recording("whole"), SessionStatus::Finalizing);
    assert!(store.recording_playable(session, &made, began_in).await.unwrap());
    let playable = store.session(session).await.unwrap();
    assert_eq!(playable.status, SessionStatus::Finalizing);
    assert_eq!(playable.receipt(&SeqSet::new()), None);
    assert_eq!(playable.recording, Some(made.recording.clone()));

    // The digest of another one is not its digest.
    let other = recording("other").recording;
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    let done = store.recording_done(session, &other, digest, took, began_in, NOW);
    assert_eq!(done.await.unwrap(), None);
    let done = store.recording_done(session, &made.recording, digest, took, began_in, NOW);
    assert_eq!(done.await.unwrap(), Some(SessionStatus::Completed));
    let receipt = store.session(session).await.unwrap().receipt(&SeqSet::new());
    assert_eq!(receipt.map(|receipt| receipt.digest), Some(digest));
}

/// The candidate came back and finished between the two.
#[tokio::test]
async fn a_recording_begun_before_the_end_is_not_done_after_it() {
    let Opened { store, session, _folder } = active_session().await;
    let (early, began_in) = (recording("early"), SessionStatus::Incomplete);
    assert!(store.recording_playable(session, &early, began_in).await.unwrap());
    let by = FinishedBy::Asked(Asker::Candidate);
    store.begin_finalizing(session, Whose::Reviewer, by, None, NOW).await.unwrap();
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    let done = store.recording_done(session, &early.recording, digest, took, began_in, NOW);
    assert_eq!(done.await.unwrap(), None);
    assert_eq!(store.session(session).await.unwrap().status, SessionStatus::Finalizing);
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

#[tokio::test]
async fn a_try_that_ends_does_not_count_and_one_that_never_does_is_found() {
    let Opened { store, session, _folder } = active_session().await;
    store.begin_try(session).await.unwrap();
    assert_eq!(store.unended_tries().await.unwrap(), [(session, 1)]);
    store.try_over(session).await.unwrap();
    store.try_over(session).await.unwrap();
    assert_eq!(store.unended_tries().await.unwrap(), []);

    store.begin_try(session).await.unwrap();
    store.hold_back(session, NOW).await.unwrap();
    let held = Tries { unended: 1, not_before: Some(NOW) };
    assert_eq!(store.recording_tries(session).await.unwrap(), held);
    let (began_in, made) = (SessionStatus::Active, recording("partial"));
    note(&store, session, &made, began_in).await.unwrap();
    assert_eq!(store.recording_tries(session).await.unwrap(), Tries::default());
}

#[tokio::test]
async fn a_session_that_was_given_up_gets_one_more_try_from_a_reviewer_and_none_from_its_page() {
    for (asker, unended) in
        [(Asker::Candidate, RECORDING_TRIES_MAX), (Asker::Reviewer, RECORDING_TRIES_MAX - 1)]
    {
        let Opened { store, session, _folder } = active_session().await;
        for _ in 0..RECORDING_TRIES_MAX {
            store.begin_try(session).await.unwrap();
        }
        let ask = || {
            let by = FinishedBy::Asked(asker);
            store.begin_finalizing(session, Whose::Reviewer, by, None, NOW)
        };
        ask().await.unwrap();
        assert_eq!(
            store.recording_tries(session).await.unwrap().unended,
            RECORDING_TRIES_MAX,
            "it has not failed yet"
        );
        store.recording_failed(session, "it ended the server", Millis::ZERO, NOW).await.unwrap();
        ask().await.unwrap();
        assert_eq!(store.recording_tries(session).await.unwrap().unended, unended, "{asker:?}");
    }
}

/// What may have ended a server is not worked ahead for again.
#[tokio::test]
async fn what_was_worked_ahead_for_when_the_server_went_is_left_to_its_end() {
    let Opened { store, session, _folder } = active_session().await;
    let worked_ahead_for = async || store.long_sessions(0, 10).await.unwrap().len();
    store.begin_ahead(session).await.unwrap();
    store.ahead_over().await.unwrap();
    assert_eq!(store.give_up_ahead().await.unwrap(), 0, "it stopped in good order");
    assert_eq!(worked_ahead_for().await, 1);
    store.begin_ahead(session).await.unwrap();
    assert_eq!(store.give_up_ahead().await.unwrap(), 1);
    assert_eq!(worked_ahead_for().await, 0);
    store.begin_ahead(session).await.unwrap();
    assert_eq!(worked_ahead_for().await, 0, "not by beginning again either");
}

#[tokio::test]
async fn how_many_items_are_missing_is_told_without_a_look_at_each() {
    let Opened { store, session, _folder } = active_session().await;
    let marker = |seq| Item::new(Seq::new(seq), Millis::ZERO, Content::Marker(Marker::Paused));
    let missing = async || {
        let found = store.session(session).await.unwrap();
        let told = found.missing_count(store.newest_seq(session).await.unwrap());
        assert_eq!(told, found.missing(&store.have(session).await.unwrap()).len());
        told
    };
    assert_eq!(missing().await, 0);
    let append = async |seqs: &[u64]| {
        let items = seqs.iter().map(|seq| marker(*seq)).collect();
        let append = Append { session, by: By::Writer(Epoch::new(1)), items };
        store.append(&InRow, &[&append], NOW).await.unwrap();
    };
    append(&[0, 1, 5, 5, 9]).await;
    assert_eq!(missing().await, 6);
    append(&[2, 3, 9]).await;
    assert_eq!(missing().await, 4);
    let by = FinishedBy::Asked(Asker::Candidate);
    let last = Some(Seq::new(11));
    store.begin_finalizing(session, Whose::Reviewer, by, last, NOW).await.unwrap();
    assert_eq!(missing().await, 6);
}

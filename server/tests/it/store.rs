//! The store keeps the ledger's rules, and what it notes of recordings; races that the simulation found,
//! where they can be brought about at will.

use ledger::conformance::{self, POLICY};
use ledger::memory::Memory;
use ledger::rules::Policy;
use ledger::{Append, By, Command, Ledger as _, MadeOf, Refused, differential};
use protocol::event::Transport;
use protocol::item::Marker;
use protocol::message::Opening;
use protocol::{
    Content, Digest, Epoch, Item, Millis, Seq, SeqSet, SessionId, SessionStatus, UnixMillis,
};
use server::store::{Made, Recording, Store, StoreError};
use tempfile::TempDir;

use crate::harness::{Candidate, run};

const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);

async fn a_store(folder: &TempDir, policy: Policy) -> Store {
    let name = format!("{:016x}.db", rand::random::<u64>());
    Store::open(&folder.path().join(name), None, policy).await.unwrap()
}

#[tokio::test]
async fn the_store_keeps_every_rule_of_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    conformance::all(|| a_store(&folder, POLICY)).await.unwrap();
}

#[tokio::test]
async fn the_store_answers_like_the_reference_whatever_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..20 {
        let store = a_store(&folder, differential::POLICY).await;
        let reference = Memory::new(differential::POLICY);
        differential::agree(&store, &reference, seed, 150).await.unwrap();
        store.close().await;
    }
}

struct Opened {
    store: Store,
    session: SessionId,
    _folder: TempDir,
}

async fn active_session() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = a_store(&folder, POLICY).await;
    let Candidate { session, token } = Candidate::new(1);
    let opening = Opening::New { started_at: NOW };
    let transport = Transport::WebSocket;
    let open = Command::Open { token: token.hash(), opening, transport };
    store.carry_out(session, &open, NOW).await.unwrap();
    Opened { store, session, _folder: folder }
}

async fn finish(store: &Store, session: SessionId, last_seq: Option<Seq>) {
    let lost = last_seq.map(SeqSet::up_to).unwrap_or_default();
    let finish = Command::Finish { by: By::Reviewer, last_seq, lost };
    store.carry_out(session, &finish, NOW).await.unwrap();
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
        sounds: 1,
        runs: Vec::new(),
        tracks: Vec::new(),
        frames: Vec::new(),
        left_out: Vec::new(),
    }
}

/// Of nothing: no items were stored.
fn made_of(began_in: SessionStatus) -> MadeOf {
    MadeOf { began_in, items: 0 }
}

/// Until it is done, if the session lets it.
async fn note(
    store: &Store,
    session: SessionId,
    made: &Made,
    began_in: SessionStatus,
) -> Option<SessionStatus> {
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    let of = made_of(began_in);
    match store.recording_playable(session, made, of, NOW).await {
        Ok(()) => {}
        Err(StoreError::Refused(Refused::RecordingOutdated)) => return None,
        Err(error) => panic!("{error}"),
    }
    let done = store.recording_done(session, made, digest, took, of, NOW);
    done.await.unwrap().map(|applied| applied.after.status)
}

/// The grace period was over, a recording of what was there was being made, and the candidate came
/// back and finished before it was done.
#[tokio::test]
async fn a_recording_begun_before_the_end_does_not_complete_the_session() {
    let Opened { store, session, _folder } = active_session().await;
    let (began_in, early) = (SessionStatus::Incomplete, recording("early"));
    finish(&store, session, None).await;
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
    finish(&store, session, None).await;
    let (made, of) = (recording("whole"), made_of(SessionStatus::Finalizing));
    store.recording_playable(session, &made, of, NOW).await.unwrap();
    let playable = store.session(session).await.unwrap();
    assert_eq!(playable.status, SessionStatus::Finalizing);
    assert_eq!(playable.receipt(), None);
    assert_eq!(playable.recording, Some(made.recording.clone()));

    // The digest of another one is not its digest.
    let other = recording("other");
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    let done = store.recording_done(session, &other, digest, took, of, NOW);
    assert_eq!(done.await.unwrap(), None);
    let done = store.recording_done(session, &made, digest, took, of, NOW);
    assert_eq!(done.await.unwrap().unwrap().after.status, SessionStatus::Completed);
    let receipt = store.session(session).await.unwrap().receipt();
    assert_eq!(receipt.map(|receipt| receipt.digest), Some(digest));
}

/// The candidate came back and finished between the two.
#[tokio::test]
async fn a_recording_begun_before_the_end_is_not_done_after_it() {
    let Opened { store, session, _folder } = active_session().await;
    let (early, of) = (recording("early"), made_of(SessionStatus::Incomplete));
    store.recording_playable(session, &early, of, NOW).await.unwrap();
    finish(&store, session, None).await;
    let (digest, took) = (Digest::from_bytes([1; 32]), Millis::ZERO);
    let done = store.recording_done(session, &early, digest, took, of, NOW);
    let refused = done.await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refused::RecordingOutdated)), "{refused}");
    assert_eq!(store.session(session).await.unwrap().status, SessionStatus::Finalizing);
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
async fn how_many_items_are_missing_is_told_by_the_sessions_own_row() {
    let Opened { store, session, _folder } = active_session().await;
    let marker = |seq| Item::new(Seq::new(seq), Millis::ZERO, Content::Marker(Marker::Paused));
    let missing = async || store.session(session).await.unwrap().missing().len();
    assert_eq!(missing().await, 0);
    let append = async |seqs: &[u64]| {
        let items = seqs.iter().map(|seq| marker(*seq)).collect();
        let (by, transport) = (By::Writer(Epoch::new(1)), Transport::WebSocket);
        let append = Append { session, by, transport, items };
        store.append(&[&append], NOW).await.unwrap();
    };
    append(&[0, 1, 5, 5, 9]).await;
    assert_eq!(missing().await, 6);
    append(&[2, 3, 9]).await;
    assert_eq!(missing().await, 4);
    finish(&store, session, Some(Seq::new(11))).await;
    assert_eq!(missing().await, 6);
}

/// What comes while the recording is made is none of its timeline, until that has to be made once more.
#[tokio::test]
async fn what_was_late_is_on_the_timeline_once_the_next_recording_is_to_have_it() {
    let Opened { store, session, _folder } = active_session().await;
    let append = async |items: Vec<Item>| {
        let (by, transport) = (By::Writer(Epoch::new(1)), Transport::Http);
        let append = Append { session, by, transport, items };
        store.append(&[&append], NOW).await.unwrap().remove(0).unwrap();
    };
    let timeline = async || {
        let runs = store.chunk_runs(session).await.unwrap();
        let pauses = store.timeline(session).await.unwrap().pauses.kept.len();
        (runs.len(), store.segments(session).await.unwrap().len(), pauses)
    };
    append(run(0, 0, "beep1")).await;
    let next = store.session(session).await.unwrap().have.len();
    finish(&store, session, None).await;
    assert_eq!(timeline().await, (1, 1, 0));
    let paused = Item::new(Seq::new(next), Millis::ZERO, Content::Marker(Marker::Paused));
    append(vec![paused]).await;
    append(run(next + 1, 1, "beep2")).await;
    assert_eq!(timeline().await, (1, 1, 0));
    assert!(store.supplement(session).await.unwrap().is_some());

    let (reason, took) = ("it fails".into(), Millis::ZERO);
    store.carry_out(session, &Command::RecordingFailed { reason, took }, NOW).await.unwrap();
    assert_eq!(timeline().await, (2, 2, 1));
    assert_eq!(store.supplement(session).await.unwrap(), None);
    let failed = store.session(session).await.unwrap();
    assert_eq!((failed.in_time(), failed.late.len()), (failed.have.clone(), 0));
}

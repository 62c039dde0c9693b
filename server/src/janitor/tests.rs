//! What goes, and above all what must not.

use bytes::Bytes;
use protocol::event::{Asker, LossCause};
use protocol::message::{Hello, Opening};
use protocol::{
    Content, Digest, Item, SegmentNo, Seq, SessionStatus, SessionToken, TrackNo, UnixMillis,
};
use tempfile::TempDir;

use super::*;
use crate::ledger::payload::InRow;
use crate::store::{Append, By, FinishedBy, Made, NewSession, Recording, TrackFile, Whose};

const HOUR: Millis = Millis::from_secs(3600);
const START: UnixMillis = UnixMillis::new(1_795_257_600_000);

struct World {
    folder: TempDir,
    janitor: Janitor,
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let scratch = folder.path().join("scratch");
        std::fs::create_dir_all(&scratch).unwrap();
        let janitor = Janitor {
            store: Store::open(&folder.path().join("test.db"), None).await.unwrap(),
            files: RecordingFiles::local(folder.path()).unwrap(),
            scratch,
            resume_window: HOUR,
        };
        Self { folder, janitor }
    }

    fn store(&self) -> &Store {
        &self.janitor.store
    }

    async fn create(&self, number: u8) -> SessionId {
        let id = SessionId::from_parts(START, [number; 10]);
        let token = SessionToken::from_random([number; 32]).hash();
        let new = NewSession { id, token, started_at: START, now: START };
        self.store().create_session(&new).await.unwrap();
        id
    }

    /// A session whose writer was there at the start and then no more, with so many chunks.
    async fn incomplete(&self, number: u8, chunks: u64) -> SessionId {
        let id = self.create(number).await;
        let hello = Hello {
            version: protocol::limits::PROTOCOL_VERSION,
            session: id,
            token: SessionToken::from_random([number; 32]),
            opening: Opening::Existing,
            failed_tries: 0,
        };
        let store = self.store();
        let epoch = store.open_session(&hello, START).await.unwrap().epoch;
        if chunks > 0 {
            let items = (0..chunks).map(chunk).collect();
            store
                .append(&InRow, &[&Append { session: id, by: By::Writer(epoch), items }], START)
                .await
                .unwrap();
        }
        let grace = Millis::ZERO;
        store.connection_lost(id, epoch, LossCause::Closed, START, grace).await.unwrap();
        assert!(store.grace_over(id, START, START.plus(HOUR)).await.unwrap());
        id
    }

    async fn failed(&self, number: u8, chunks: u64) -> SessionId {
        let id = self.incomplete(number, chunks).await;
        let by = FinishedBy::Deadline;
        self.store().begin_finalizing(id, Whose::Reviewer, by, None, START).await.unwrap();
        self.store().recording_failed(id, "nothing", Millis::ZERO, START).await.unwrap();
        id
    }

    /// Completed, its recording in place, and its payloads not yet let go.
    async fn completed(&self, number: u8) -> (SessionId, Recording) {
        self.completed_with(number, &[]).await
    }

    /// The same with the files of these tracks.
    async fn completed_with(&self, number: u8, tracks: &[u8]) -> (SessionId, Recording) {
        let id = self.incomplete(number, 3).await;
        let by = FinishedBy::Asked(Asker::Candidate);
        self.store().begin_finalizing(id, Whose::Reviewer, by, None, START).await.unwrap();
        let key = format!("recordings/{id}/this.webm");
        self.write(&key, b"the recording");
        let recording = Recording {
            key,
            mime: "audio/webm".into(),
            bytes: 13,
            digest: None,
            duration: Millis::new(750),
            left_out: 0,
        };
        let file = |track: &u8| {
            let key = format!("recordings/{id}/track{track}.webm");
            self.write(&key, b"a track");
            TrackFile {
                part: 0,
                track: TrackNo::new(*track),
                key,
                mime: "audio/webm".into(),
                bytes: 7,
                duration: Some(Millis::new(750)),
                sounds: 1,
            }
        };
        let made = Made {
            recording: recording.clone(),
            runs: Vec::new(),
            tracks: tracks.iter().map(file).collect(),
            frames: Vec::new(),
            left_out: Vec::new(),
        };
        let (began_in, digest) = (SessionStatus::Finalizing, Digest::from_bytes([1; 32]));
        assert!(self.store().recording_playable(id, &made, began_in).await.unwrap());
        let done =
            self.store().recording_done(id, &recording, digest, Millis::ZERO, began_in, START);
        assert_eq!(done.await.unwrap(), Some(SessionStatus::Completed));
        let recording = Recording { digest: Some(digest), ..recording };
        (id, recording)
    }

    async fn payloads(&self, id: SessionId) -> usize {
        let chunks =
            self.store().chunks(&InRow, id, TrackNo::new(0), Seq::ZERO..=Seq::new(99), usize::MAX);
        let chunks = chunks.await.unwrap();
        chunks.checked().filter(|chunk| chunk.payload_bytes() > 0).count()
    }

    fn write(&self, place: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    async fn sweep(&self, now: UnixMillis) -> Swept {
        self.janitor.sweep(now, true).await
    }

    async fn exists(&self, id: SessionId) -> bool {
        self.store().session(id).await.is_ok()
    }
}

fn chunk(seq: u64) -> Item {
    let content = Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: Bytes::from_static(b"chunk"),
    };
    Item::new(Seq::new(seq), Millis::new(seq * 250), content)
}

/// By the clock of the files.
fn days_from_now(days: u64) -> UnixMillis {
    clock::wall().plus(Millis::from_secs(days * 24 * 3600))
}

#[tokio::test]
async fn a_session_that_was_never_used_goes_when_nobody_can_resume_it() {
    let world = World::new().await;
    let (incomplete, failed) = (world.incomplete(1, 0).await, world.failed(2, 0).await);
    assert_eq!(
        world.janitor.sweep(START.plus(HOUR - Millis::new(1)), false).await.unused_sessions,
        0
    );
    assert!(world.exists(incomplete).await && world.exists(failed).await);
    let swept = world.janitor.sweep(START.plus(HOUR), false).await;
    assert_eq!(swept, Swept { unused_sessions: 2, ..Swept::default() });
    assert!(!world.exists(incomplete).await && !world.exists(failed).await);
    assert!(world.store().events(failed).await.unwrap().is_empty());
    assert_eq!(world.janitor.sweep(START.plus(HOUR), false).await, Swept::default());
}

#[tokio::test]
async fn a_session_with_an_item_or_a_writer_or_a_last_number_stays_for_ever() {
    let world = World::new().await;
    let told = world.incomplete(3, 0).await;
    let by = FinishedBy::Asked(Asker::Candidate);
    let last_seq = Some(Seq::new(9));
    world.store().begin_finalizing(told, Whose::Reviewer, by, last_seq, START).await.unwrap();
    world.store().recording_failed(told, "nothing", Millis::ZERO, START).await.unwrap();
    let kept = [
        world.create(1).await,
        world.incomplete(2, 1).await,
        world.failed(4, 1).await,
        world.completed(5).await.0,
        told,
    ];
    let swept = world.sweep(days_from_now(1_000)).await;
    assert_eq!((swept.unused_sessions, swept.discarded_sessions, swept.failures), (0, 0, 0));
    for id in kept {
        assert!(world.exists(id).await, "{id}");
    }
}

#[tokio::test]
async fn a_discarded_session_is_remembered_for_a_while_and_then_gone() {
    let world = World::new().await;
    let id = world.incomplete(1, 5_000).await;
    world.store().discard(id, Whose::Reviewer, START.plus(HOUR)).await.unwrap();
    let due = START.plus(HOUR).plus(DISCARDED_KEPT);
    let early = UnixMillis::new(due.get() - 1);
    assert_eq!(world.janitor.sweep(early, false).await, Swept::default());
    assert!(world.exists(id).await);
    let swept = world.janitor.sweep(due, false).await;
    assert_eq!(swept, Swept { discarded_sessions: 1, ..Swept::default() });
    assert!(!world.exists(id).await && world.store().have(id).await.unwrap().is_empty());
}

#[tokio::test]
async fn payloads_that_a_crash_left_go_once_the_recording_is_there() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    assert_eq!(world.payloads(id).await, 3);
    let swept = world.janitor.sweep(START, false).await;
    assert_eq!(swept, Swept { payloads: 1, ..Swept::default() });
    assert_eq!(world.payloads(id).await, 0);
    assert_eq!(world.janitor.sweep(START, false).await, Swept::default(), "once is enough");
    assert!(world.folder.path().join(&recording.key).exists());
}

#[tokio::test]
async fn payloads_stay_while_the_recording_is_missing_or_of_another_size() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    for bytes in [None, Some(&b"half of"[..])] {
        match bytes {
            None => std::fs::remove_file(world.folder.path().join(&recording.key)).unwrap(),
            Some(bytes) => drop(world.write(&recording.key, bytes)),
        }
        let swept = world.janitor.sweep(days_from_now(1_000), false).await;
        assert_eq!(swept, Swept { failures: 1, ..Swept::default() });
        assert_eq!(world.payloads(id).await, 3);
    }
}

#[tokio::test]
async fn payloads_stay_while_the_file_of_a_single_track_is_missing() {
    let world = World::new().await;
    let (id, _) = world.completed_with(1, &[0, 1]).await;
    let second = world.folder.path().join(format!("recordings/{id}/track1.webm"));
    std::fs::remove_file(&second).unwrap();
    let swept = world.janitor.sweep(START, false).await;
    assert_eq!(swept, Swept { failures: 1, ..Swept::default() });
    assert_eq!(world.payloads(id).await, 3);
    std::fs::write(&second, b"a track").unwrap();
    let swept = world.janitor.sweep(START, false).await;
    assert_eq!(swept, Swept { payloads: 1, ..Swept::default() });
    assert_eq!(world.payloads(id).await, 0);
}

#[tokio::test]
async fn files_of_tracks_and_mixed_sound_are_somebodys() {
    let world = World::new().await;
    let (id, _) = world.completed_with(1, &[0, 1]).await;
    world.store().drop_payloads(id).await.unwrap();
    let mix = world.write(&format!("recordings/{id}/this.mix.webm"), b"all sound");
    let export = world.write(&format!("recordings/{id}/this.mp3.mp3"), b"an export");
    let swept = world.sweep(days_from_now(1_000)).await;
    assert_eq!(swept, Swept { recording_files: 1, ..Swept::default() });
    assert!(mix.exists() && !export.exists());
    for track in 0..2 {
        assert!(world.folder.path().join(format!("recordings/{id}/track{track}.webm")).exists());
    }
}

#[tokio::test]
async fn payloads_of_a_session_that_is_not_completed_stay() {
    let world = World::new().await;
    for id in [world.incomplete(1, 3).await, world.failed(2, 3).await] {
        assert_eq!(world.sweep(days_from_now(1_000)).await, Swept::default());
        assert_eq!(world.payloads(id).await, 3);
    }
}

#[tokio::test]
async fn a_file_that_is_nobodys_goes_when_it_is_old_enough() {
    let world = World::new().await;
    let (completed, _) = world.completed(1).await;
    world.store().drop_payloads(completed).await.unwrap();
    let unknown = SessionId::from_parts(START, [9; 10]);
    let replaced = world.write(&format!("recordings/{completed}/before.webm"), b"x");
    let nobodys = world.write(&format!("recordings/{unknown}/one.webm"), b"x");
    assert_eq!(world.sweep(clock::wall()).await, Swept::default(), "both are too young");
    assert!(replaced.exists() && nobodys.exists());
    let swept = world.sweep(days_from_now(2)).await;
    assert_eq!(swept, Swept { recording_files: 2, ..Swept::default() });
    assert!(!replaced.exists() && !nobodys.exists());
}

#[tokio::test]
async fn a_file_that_is_or_may_become_somebodys_stays() {
    let world = World::new().await;
    let (completed, recording) = world.completed(1).await;
    world.store().drop_payloads(completed).await.unwrap();
    let mut kept = vec![world.folder.path().join(&recording.key)];
    // A recording of these may be made at any time, and get this very name.
    for id in [world.create(2).await, world.incomplete(3, 1).await, world.failed(4, 1).await] {
        kept.push(world.write(&format!("recordings/{id}/one.webm"), b"x"));
    }
    kept.push(world.write("recordings/README", b"an operator's note"));
    kept.push(world.write("recordings/lost+found/x.webm", b"not ours"));
    kept.push(world.write("elsewhere/x.webm", b"not ours"));
    kept.push(world.write("backup.db", b"not ours"));
    assert_eq!(world.sweep(days_from_now(1_000)).await, Swept::default());
    for path in kept {
        assert!(path.exists(), "{}", path.display());
    }
}

#[tokio::test]
async fn uploads_and_scratch_files_of_a_killed_server_go_and_those_in_the_making_stay() {
    let world = World::new().await;
    let id = world.incomplete(1, 1).await;
    let upload = world.write(&format!("recordings/{id}/0123.webm#1"), b"half");
    let scratch = world.write("scratch/.tmpA1", b"half");
    assert_eq!(world.sweep(clock::wall()).await, Swept::default());
    assert!(upload.exists() && scratch.exists());
    let swept = world.sweep(days_from_now(2)).await;
    assert_eq!(swept, Swept { abandoned_uploads: 1, scratch_files: 1, ..Swept::default() });
    assert!(!upload.exists() && !scratch.exists());
}

#[tokio::test]
async fn two_janitors_at_once_clear_everything_away_once() {
    let world = World::new().await;
    for number in 0..20 {
        world.failed(number, 0).await;
    }
    let (id, _) = world.completed(99).await;
    for number in 0..20 {
        world.write(&format!("recordings/{id}/{number}.webm"), b"x");
        world.write(&format!("scratch/{number}"), b"x");
    }
    let now = days_from_now(10);
    let (one, other) = tokio::join!(world.sweep(now), world.sweep(now));
    assert_eq!((one.failures, other.failures), (0, 0));
    assert_eq!(one.unused_sessions + other.unused_sessions, 20);
    assert_eq!(one.scratch_files + other.scratch_files, 20);
    assert_eq!(one.recording_files + other.recording_files, 20);
    assert_eq!(world.sweep(now).await, Swept::default());
}

#[tokio::test]
async fn an_event_of_a_session_that_is_gone_is_no_error() {
    let world = World::new().await;
    let id = world.failed(1, 0).await;
    assert_eq!(world.sweep(days_from_now(1)).await.unused_sessions, 1);
    let late = crate::store::NewEvent {
        session: id,
        at: START,
        place: None,
        event: protocol::Event::Discarded,
    };
    world.store().log_events(&[late]).await.unwrap();
    assert!(world.store().events(id).await.unwrap().is_empty());
}

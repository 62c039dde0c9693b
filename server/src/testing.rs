//! A data folder with sessions in every state, for the tests of what works on them.

use std::path::PathBuf;

use bytes::Bytes;
use ledger::conformance::POLICY;
use ledger::{Append, By, Command, Ledger as _, MadeOf};
use protocol::event::{LossCause, Transport};
use protocol::message::Opening;
use protocol::{
    Content, Digest, Epoch, Item, Millis, SegmentNo, Seq, SeqSet, SessionId, SessionStatus,
    SessionToken, TrackNo, UnixMillis,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::export::Exports;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::recording::{RecordingFiles, Recordings};
use crate::store::{Made, Recording, Store, TrackFile};
use crate::worker::Worker;

pub(crate) const START: UnixMillis = UnixMillis::new(1_795_257_600_000);

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) files: RecordingFiles,
    pub(crate) recordings: Recordings,
    pub(crate) exports: Exports,
    pub(crate) leases: Leases,
    pub(crate) worker: Worker,
    pub(crate) scratch: PathBuf,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let scratch = folder.path().join("scratch");
        let store = Store::open(&folder.path().join("test.db"), None, POLICY).await.unwrap();
        let files = RecordingFiles::local(folder.path()).unwrap();
        let (metrics, stopping) = (Metrics::default(), CancellationToken::new());
        let leases = Leases::new(store.clone(), stopping.clone());
        let recordings = Recordings::new(
            store.clone(),
            files.clone(),
            scratch.clone(),
            metrics,
            leases.clone(),
            stopping.clone(),
        )
        .unwrap();
        let exports =
            Exports::new(store.clone(), recordings.clone(), files.clone(), leases.clone());
        let (tasks, made, exported) = (TaskTracker::new(), recordings.clone(), exports.clone());
        let worker = Worker::new(leases.clone(), made, exported, tasks, stopping);
        Self { folder, store, files, recordings, exports, leases, worker, scratch }
    }

    pub(crate) async fn create(&self, number: u8) -> SessionId {
        let id = SessionId::from_parts(START, [number; 10]);
        let token = SessionToken::from_random([number; 32]).hash();
        self.tell(id, Command::Create { token, started_at: START }).await;
        id
    }

    /// A session whose writer was there at the start and then no more, with so many chunks.
    pub(crate) async fn incomplete(&self, number: u8, chunks: u64) -> SessionId {
        let id = self.create(number).await;
        let token = SessionToken::from_random([number; 32]).hash();
        let transport = Transport::WebSocket;
        self.tell(id, Command::Open { token, opening: Opening::Existing, transport }).await;
        let epoch = Epoch::new(1);
        let items = (0..chunks).map(chunk).collect();
        let append = Append { session: id, by: By::Writer(epoch), transport, items };
        self.store.append(&[&append], START).await.unwrap().remove(0).unwrap();
        self.tell(id, Command::LoseConnection { epoch, cause: LossCause::Closed }).await;
        self.tell_at(id, Command::CheckDeadline, START.plus(POLICY.grace)).await;
        id
    }

    pub(crate) async fn failed(&self, number: u8, chunks: u64) -> SessionId {
        let id = self.incomplete(number, chunks).await;
        self.finish(id).await;
        let (reason, took) = ("nothing".into(), Millis::ZERO);
        self.tell(id, Command::RecordingFailed { reason, took }).await;
        id
    }

    /// Completed, its recording in place, and its payloads not yet let go.
    pub(crate) async fn completed(&self, number: u8) -> (SessionId, Recording) {
        self.completed_with(number, &[]).await
    }

    /// The same with the files of these tracks.
    pub(crate) async fn completed_with(&self, number: u8, tracks: &[u8]) -> (SessionId, Recording) {
        let id = self.incomplete(number, 3).await;
        self.finish(id).await;
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
            sounds: 1,
            runs: Vec::new(),
            tracks: tracks.iter().map(file).collect(),
            frames: Vec::new(),
            left_out: Vec::new(),
        };
        let of = MadeOf { began_in: SessionStatus::Finalizing, items: 3 };
        let digest = Digest::from_bytes([1; 32]);
        self.store.recording_playable(id, &made, of, START).await.unwrap();
        let done = self.store.recording_done(id, &made, digest, Millis::ZERO, of, START);
        assert_eq!(done.await.unwrap().unwrap().after.status, SessionStatus::Completed);
        let recording = Recording { digest: Some(digest), ..recording };
        (id, recording)
    }

    async fn finish(&self, id: SessionId) {
        let (by, lost) = (By::Reviewer, SeqSet::new());
        self.tell(id, Command::Finish { by, last_seq: None, lost }).await;
    }

    pub(crate) async fn tell(&self, id: SessionId, command: Command) {
        self.tell_at(id, command, START).await;
    }

    pub(crate) async fn tell_at(&self, id: SessionId, command: Command, now: UnixMillis) {
        self.store.carry_out(id, &command, now).await.unwrap();
    }

    pub(crate) async fn payloads(&self, id: SessionId) -> usize {
        let all = Seq::ZERO..=Seq::new(99_999);
        let chunks = self.store.chunks(id, TrackNo::new(0), all, usize::MAX).await.unwrap();
        chunks.checked().filter(|chunk| chunk.payload_bytes() > 0).count()
    }

    pub(crate) fn write(&self, place: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) async fn exists(&self, id: SessionId) -> bool {
        self.store.session(id).await.is_ok()
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

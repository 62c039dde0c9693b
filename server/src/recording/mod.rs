//! Makes the recording of a session: stitches the chunks of each track, puts the tracks side by side,
//! verifies the files, stores them durably, and only then lets the chunks go. Every step can be
//! repeated after a crash.

mod ahead;
mod assemble;
mod files;
mod keeping;
mod packing;
mod pictures;
mod plan;
mod playback;
mod postponed;
mod stitching;
mod tries;
mod waveform;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use protocol::receiver::DiscardStep;
use protocol::{Receipt, SessionId, SessionStatus};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub(crate) use assemble::{AssembleError, labels, schedule};
pub(crate) use files::{RecordingFiles, extension_of, is_of, made_beside, version_of, writer_into};
pub(crate) use packing::Packing;
pub(crate) use plan::{Plan, tracks_in};
pub(crate) use playback::MixError;
pub(crate) use postponed::Postponed;
pub(crate) use waveform::WaveformError;

use self::ahead::Ahead;
use self::files::digest_of;
use self::tries::Turn;
use crate::clock;
use crate::ledger::payload::PayloadStore;
use crate::metrics::{Made, Metrics};
use crate::store::{KeptFile, Made as MadeFiles, Recording, Store, StoreError, TrackFile, Whose};

/// Recordings made at the same time: stitching is disk work, more at once only slows each.
const CONCURRENT_MAX: u32 = 2;

/// How a try to make a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed(Receipt),
    /// A recording of what is there so far; the session goes on.
    Partial,
    /// Not now; it is tried again without being asked.
    Postponed(Postponed),
    Failed(String),
}

/// Makes recordings, one at a time for each session.
#[derive(Debug, Clone)]
pub(crate) struct Recordings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    payloads: Arc<dyn PayloadStore>,
    files: RecordingFiles,
    scratch: PathBuf,
    metrics: Metrics,
    permits: Semaphore,
    ahead: Ahead,
    /// Whose tries are noted, and have not ended.
    trying: Mutex<HashSet<SessionId>>,
    /// Held while a waveform is drawn: that is work for a processor, and nobody is in a hurry.
    drawing: tokio::sync::Mutex<()>,
    in_the_making: Mutex<HashMap<SessionId, Weak<tokio::sync::Mutex<()>>>>,
    /// Keys of recordings whose sound is being mixed, or will be.
    mixing: Mutex<HashSet<String>>,
    /// Those with a task that tries again.
    postponed: Mutex<HashMap<SessionId, postponed::Asked>>,
    stopping: CancellationToken,
}

impl Recordings {
    /// `scratch` is a folder of its own for files in the making. What an earlier process left
    /// there is the janitor's: another server may be at work in it.
    pub(crate) fn new(
        store: Store,
        payloads: Arc<dyn PayloadStore>,
        files: RecordingFiles,
        scratch: PathBuf,
        metrics: Metrics,
        stopping: CancellationToken,
    ) -> std::io::Result<Self> {
        std::fs::create_dir_all(&scratch)?;
        Ok(Self(Arc::new(Inner {
            store,
            payloads,
            files,
            scratch,
            metrics,
            permits: Semaphore::new(CONCURRENT_MAX as usize),
            ahead: Ahead::default(),
            trying: Mutex::default(),
            drawing: tokio::sync::Mutex::default(),
            in_the_making: Mutex::default(),
            mixing: Mutex::default(),
            postponed: Mutex::default(),
            stopping,
        })))
    }

    /// Makes the recording of what is there. Runs to its end even when nobody waits for it.
    pub(crate) async fn make(&self, id: SessionId) -> Outcome {
        let outcome = self.make_apart(id).await;
        if let Outcome::Postponed(_) = outcome {
            self.try_again_later(id);
        }
        outcome
    }

    /// In a task of its own, which takes nobody with it.
    async fn make_apart(&self, id: SessionId) -> Outcome {
        let this = self.clone();
        match tokio::spawn(async move { this.make_once(id).await }).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(session = %id, %error, "making the recording broke off");
                self.broke_off(id).await;
                Outcome::Postponed(Postponed::AfterEnd)
            }
        }
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.0.scratch
    }

    async fn make_once(&self, id: SessionId) -> Outcome {
        let lock = self.lock_of(id);
        let _one_at_a_time = lock.lock().await;
        let started = Instant::now();
        let error = match self.make_in_turn(id, started).await {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        if let Some(postponed) = Postponed::by(&error) {
            match postponed {
                Postponed::DiskFull => tracing::debug!(session = %id, %error, "no room"),
                Postponed::Unavailable | Postponed::AfterEnd => {
                    tracing::warn!(session = %id, %error, "no recording now");
                }
            }
            self.0.metrics.recording(Made::Postponed, started.elapsed());
            return Outcome::Postponed(postponed);
        }
        tracing::error!(session = %id, %error, "no recording");
        let reason = error.told();
        self.failed(id, &reason, started.elapsed()).await;
        Outcome::Failed(reason)
    }

    async fn failed(&self, id: SessionId, reason: &str, took: Duration) {
        let Inner { store, metrics, .. } = &*self.0;
        metrics.recording(Made::Failed, took);
        let noted = store.recording_failed(id, reason, clock::millis(took), clock::wall()).await;
        if let Err(error) = noted {
            tracing::error!(session = %id, %error, "cannot note the failure");
        }
    }

    /// Unless it is there, or has to wait after it ended the server.
    async fn make_in_turn(
        &self,
        id: SessionId,
        started: Instant,
    ) -> Result<Outcome, AssembleError> {
        let Inner { store, permits, .. } = &*self.0;
        let tries = store.recording_tries(id).await?;
        let wanted = match tries::turn(tries, clock::wall()) {
            Turn::Now { permits } => permits,
            Turn::Later => return Ok(Outcome::Postponed(Postponed::AfterEnd)),
            Turn::NoMore => return Err(AssembleError::EndedTheServer { tries: tries.unended }),
        };
        if let Some(receipt) = self.receipt(id).await? {
            return Ok(Outcome::Completed(receipt));
        }
        let Ok(_permits) = permits.acquire_many(wanted).await else {
            return Ok(Outcome::Postponed(Postponed::Unavailable));
        };
        let trying = self.begin_try(id).await?;
        let made = self.try_make(id, started).await;
        drop(trying);
        // What is completed has its tries cleared with that.
        if !matches!(made, Ok(Outcome::Completed(_))) {
            self.end_try(id).await;
        }
        made
    }

    async fn try_make(&self, id: SessionId, started: Instant) -> Result<Outcome, AssembleError> {
        let Inner { store, payloads, files, scratch, metrics, .. } = &*self.0;
        let session = store.session(id).await?;
        let before = store.kept_files(id).await?;
        let plan = Plan::of(store, id).await?;
        let begun = self.0.ahead.take(id);
        let bytes = session.payload_bytes.saturating_mul(plan.copies());
        store.room().check(scratch, bytes.saturating_sub(begun.bytes()))?;
        let assembled = assemble::assemble(store, &**payloads, scratch, id, plan, begun).await?;
        let (made, file) = files.store(id, assembled).await?;
        let (recording, began_in) = (&made.recording, session.status);
        if !store.noting(store.recording_playable(id, &made, began_in)).await? {
            return Ok(Outcome::Partial);
        }
        self.delete_replaced(before, &made).await;
        // It can be played from here on; the longer it is, the longer this takes.
        let digest = spawn_blocking(move || digest_of(file)).await;
        let digest = digest.map_err(|_| AssembleError::BrokeOff)??;
        let took = clock::millis(started.elapsed());
        let done = store.recording_done(id, recording, digest, took, began_in, clock::wall());
        let Some(status) = store.noting(done).await? else {
            return Ok(Outcome::Partial);
        };
        tracing::info!(
            session = %id, %status, bytes = recording.bytes, duration = %recording.duration,
            "recording durable"
        );
        if status != SessionStatus::Completed {
            metrics.recording(Made::Partial, started.elapsed());
            return Ok(Outcome::Partial);
        }
        metrics.recording(Made::Complete, started.elapsed());
        metrics.left_out(recording.left_out);
        if recording.left_out > 0 {
            tracing::warn!(
                session = %id, segments = recording.left_out,
                "not everything fits into a file: the chunks are kept"
            );
        }
        // The receipt stands, whether the chunks have gone or not: nobody is to wait for that, and the
        // janitor sees to what stays.
        let dropping = store.clone();
        tokio::spawn(async move {
            if let Err(error) = dropping.drop_payloads(id).await {
                tracing::warn!(session = %id, %error, "the chunks of a recording stay");
            }
        });
        self.draw_in_time(id, recording.clone());
        if has_several_sounds(recording, &made.tracks) {
            self.mix_in_time(recording.clone());
        }
        let receipt = self.receipt(id).await?;
        metrics.lost(receipt.as_ref().map_or(0, |receipt| receipt.missing.len()));
        receipt.map(Outcome::Completed).ok_or(AssembleError::Store(StoreError::UnknownSession))
    }

    async fn delete_replaced(&self, before: Vec<KeptFile>, made: &MadeFiles) {
        for KeptFile { key, .. } in before {
            let is_kept =
                key == made.recording.key || made.tracks.iter().any(|track| track.key == key);
            if !is_kept {
                self.0.files.delete(&key).await;
            }
        }
    }

    /// Throws the session away, the recording made so far included. Waits for one in the making.
    pub(crate) async fn discard(
        &self,
        id: SessionId,
        whose: Whose,
    ) -> Result<DiscardStep, StoreError> {
        let lock = self.lock_of(id);
        let _not_while_one_is_made = lock.lock().await;
        let Inner { store, files, .. } = &*self.0;
        match store.noting(store.discard(id, whose, clock::wall())).await {
            Ok(left) => {
                tracing::info!(session = %id, "discarded");
                for KeptFile { key, .. } in left {
                    files.delete(&key).await;
                }
                Ok(DiscardStep::Discarded)
            }
            Err(StoreError::Illegal(illegal)) => match self.receipt(id).await? {
                Some(receipt) => Ok(DiscardStep::Completed(receipt)),
                None => Err(StoreError::Illegal(illegal)),
            },
            Err(error) => Err(error),
        }
    }

    async fn receipt(&self, id: SessionId) -> Result<Option<Receipt>, StoreError> {
        let session = self.0.store.session(id).await?;
        Ok(session.receipt(&self.0.store.have(id).await?))
    }

    fn lock_of(&self, id: SessionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.in_the_making.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(id, Arc::downgrade(&lock));
        lock
    }
}

/// So that a player that knows only one needs them mixed.
pub(crate) fn has_several_sounds(recording: &Recording, files: &[TrackFile]) -> bool {
    let inside = tracks_in(recording, files);
    let sounds = files.iter().filter(|file| file.part == 0 && inside.contains(&file.track));
    sounds.map(|file| file.sounds).sum::<u32>() > 1
}

//! Makes the recording of a session: stitches the chunks of each track, puts the tracks side by side,
//! verifies the files, stores them durably, and only then lets the chunks go. Every step can be
//! repeated after a crash.

mod ahead;
mod assemble;
mod beside;
mod files;
mod keeping;
mod outcomes;
mod packing;
mod pictures;
mod plan;
mod playback;
mod postponed;
mod release;
mod stitching;
mod supplement;
mod waveform;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use ledger::{By, Command, MadeOf, Refused};
use protocol::receiver::DiscardStep;
use protocol::{Receipt, SessionId, SessionStatus};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub(crate) use assemble::{AssembleError, labels, schedule};
pub(crate) use beside::NotMade;
pub(crate) use files::{
    RecordingFiles, delete_aged, extension_of, is_of, made_beside, version_of, writer_into,
};
pub(crate) use packing::Packing;
pub(crate) use plan::{Plan, tracks_in};
pub(crate) use playback::MixError;
pub(crate) use postponed::Postponed;
pub(crate) use release::erase;
pub(crate) use waveform::WaveformError;

use self::ahead::Ahead;
use self::files::digest_of;
use self::outcomes::Waiters;
use crate::clock;
use crate::leases::Leases;
use crate::metrics::{Made, Metrics};
use crate::store::{KeptFile, Recording, Store, StoreError, TrackFile};

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
    files: RecordingFiles,
    scratch: PathBuf,
    metrics: Metrics,
    leases: Leases,
    waiters: Mutex<Waiters>,
    ahead: Ahead,
    in_the_making: Mutex<HashMap<SessionId, Weak<tokio::sync::Mutex<()>>>>,
    stopping: CancellationToken,
}

impl Outcome {
    /// The word in the metrics.
    pub(crate) const fn made(&self) -> Made {
        match self {
            Self::Completed(_) => Made::Complete,
            Self::Partial => Made::Partial,
            Self::Postponed(_) => Made::Postponed,
            Self::Failed(_) => Made::Failed,
        }
    }
}

impl Recordings {
    /// `scratch` is a folder of its own for files in the making. What an earlier process left
    /// there is the janitor's: another server may be at work in it.
    pub(crate) fn new(
        store: Store,
        files: RecordingFiles,
        scratch: PathBuf,
        metrics: Metrics,
        leases: Leases,
        stopping: CancellationToken,
    ) -> std::io::Result<Self> {
        std::fs::create_dir_all(&scratch)?;
        Ok(Self(Arc::new(Inner {
            store,
            files,
            scratch,
            metrics,
            leases,
            waiters: Mutex::default(),
            ahead: Ahead::default(),
            in_the_making: Mutex::default(),
            stopping,
        })))
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.0.scratch
    }

    /// Makes the recording of what is there, if one is wanted.
    pub(crate) async fn assemble(&self, id: SessionId, started: Instant) -> Outcome {
        let _one_at_a_time = self.lock_of(id).lock_owned().await;
        let error = match self.assemble_if_wanted(id, started).await {
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

    /// A session that was taken up again asks for its recording at its end.
    async fn assemble_if_wanted(
        &self,
        id: SessionId,
        started: Instant,
    ) -> Result<Outcome, AssembleError> {
        match self.0.store.session(id).await?.status {
            SessionStatus::Incomplete | SessionStatus::Finalizing => {
                self.try_make(id, started).await
            }
            SessionStatus::Active
            | SessionStatus::Interrupted
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => Ok(self.outcome_by_status(id).await?),
        }
    }

    async fn try_make(&self, id: SessionId, started: Instant) -> Result<Outcome, AssembleError> {
        let Inner { store, files, scratch, metrics, .. } = &*self.0;
        let session = store.session(id).await?;
        let before = store.kept_files(id).await?;
        let plan = Plan::of(store, id).await?;
        let begun = self.0.ahead.take(id);
        let bytes = session.payload_bytes.saturating_mul(plan.copies());
        store.room().check(scratch, bytes.saturating_sub(begun.bytes()))?;
        let have = session.in_time();
        let of = MadeOf { began_in: session.status, items: have.len() };
        let assembled = assemble::assemble(store, scratch, id, have, plan, begun).await?;
        let (made, file) = files.store(id, assembled).await?;
        let recording = &made.recording;
        let playable = store.recording_playable(id, &made, of, clock::wall());
        match store.noting(playable).await {
            Ok(()) => self.delete_replaced(before, &made.files()).await,
            Err(StoreError::Refused(Refused::RecordingOutdated)) => {
                self.delete_replaced(made.files(), &[]).await;
                return Ok(Outcome::Partial);
            }
            Err(error) => return Err(error.into()),
        }
        // It can be played from here on; the longer it is, the longer this takes.
        let digest = spawn_blocking(move || digest_of(file)).await;
        let digest = digest.map_err(|_| AssembleError::BrokeOff)??;
        let took = clock::millis(started.elapsed());
        let done = store.recording_done(id, &made, digest, took, of, clock::wall());
        let status = match store.noting(done).await {
            Ok(Some(applied)) => applied.after.status,
            Ok(None) | Err(StoreError::Refused(Refused::RecordingOutdated)) => {
                return Ok(Outcome::Partial);
            }
            Err(error) => return Err(error.into()),
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
        let receipt = store.session(id).await?.receipt();
        metrics.lost(receipt.as_ref().map_or(0, |receipt| receipt.missing.len()));
        receipt.map(Outcome::Completed).ok_or(AssembleError::BrokeOff)
    }

    /// To be called before anything is made: what was worked ahead for by a server that is gone may have
    /// ended it.
    pub(crate) async fn take_up(&self) -> Result<(), StoreError> {
        let sessions = self.0.store.give_up_ahead().await?;
        if sessions > 0 {
            tracing::info!(sessions, "not worked ahead for any more: the last server did not stop");
        }
        Ok(())
    }

    async fn delete_replaced(&self, before: Vec<KeptFile>, kept: &[KeptFile]) {
        for KeptFile { key, .. } in before {
            if !kept.iter().any(|one| one.key == key) {
                self.0.files.delete(&key).await;
            }
        }
    }

    /// Throws the session away, if it is not completed; what is left of it is erased at once.
    pub(crate) async fn discard(&self, id: SessionId, by: By) -> Result<DiscardStep, StoreError> {
        match self.0.store.carry_out(id, &Command::Discard { by }, clock::wall()).await {
            Ok(_) => {
                tracing::info!(session = %id, "discarded");
                self.erased(id).await;
                Ok(DiscardStep::Discarded)
            }
            Err(StoreError::Refused(Refused::Illegal(illegal))) => {
                match self.0.store.session(id).await?.receipt() {
                    Some(receipt) => Ok(DiscardStep::Completed(receipt)),
                    None => Err(Refused::Illegal(illegal).into()),
                }
            }
            Err(error) => Err(error),
        }
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

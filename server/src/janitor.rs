//! Clears away files that nobody refers to: what a crash has left. (Sessions that are of no use any more
//! are erased by jobs.) Everything it does can be repeated, and done by
//! two servers at once; what fails is logged, counted, and met again in the next round.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use ledger::Refused;
use object_store::ObjectMeta;
use protocol::{Millis, SessionId, SessionStatus, UnixMillis};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::recording::{RecordingFiles, delete_aged, is_of};
use crate::state::AppState;
use crate::store::{KeptFile, Store, StoreError};

/// A file younger than this may be one whose row is not written yet.
const FILE_AGE_MIN: Millis = Millis::from_secs(24 * 3600);
/// A file in the making is written to all the time; one that nobody has touched for so long is not.
const UNTOUCHED_MIN: Millis = Millis::from_secs(3600);

/// What one round cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    pub(crate) recording_files: u64,
    pub(crate) abandoned_uploads: u64,
    pub(crate) scratch_files: u64,
    pub(crate) failures: u64,
}

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the recordings cannot be looked through: {0}")]
    Files(#[from] object_store::Error),
    #[error("a folder cannot be looked through: {0}")]
    Io(#[from] std::io::Error),
}

pub(crate) async fn watch(state: AppState) {
    let every = Duration::from_millis(state.config.janitor_every.0.get().max(1));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let janitor = Janitor {
        store: state.store.clone(),
        files: state.files.clone(),
        scratch: state.recordings.scratch().to_owned(),
    };
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let sweep = janitor.sweep(clock::wall());
        let swept = tokio::select! {
            () = state.stopping.cancelled() => return,
            swept = sweep => swept,
        };
        if swept != Swept::default() {
            tracing::info!(?swept, "cleared away");
        }
        let Swept { recording_files, abandoned_uploads, scratch_files, failures } = swept;
        state.metrics.swept([recording_files, abandoned_uploads, scratch_files], failures);
    }
}

struct Janitor {
    store: Store,
    files: RecordingFiles,
    scratch: PathBuf,
}

impl Janitor {
    async fn sweep(&self, now: UnixMillis) -> Swept {
        let mut swept = Swept::default();
        self.recording_files(before(now, FILE_AGE_MIN), &mut swept).await;
        let untouched = system_time(before(now, UNTOUCHED_MIN));
        let uploads = self.files.abandoned_uploads(untouched).await;
        swept.abandoned_uploads = swept.tally(uploads.map_err(SweepError::from));
        let scratch = scratch_files(self.scratch.clone(), untouched).await;
        swept.scratch_files = swept.tally(scratch.map_err(SweepError::from));
        swept
    }

    async fn recording_files(&self, aged: UnixMillis, swept: &mut Swept) {
        let mut files = self.files.all();
        while let Some(file) = files.next().await {
            let deleted = match file {
                Ok(file) => self.recording_file(&file, aged).await,
                Err(error) => Err(error.into()),
            };
            swept.recording_files += swept.tally(deleted);
        }
    }

    async fn recording_file(&self, file: &ObjectMeta, aged: UnixMillis) -> Result<u64, SweepError> {
        let written = u64::try_from(file.last_modified.timestamp_millis()).unwrap_or(u64::MAX);
        let Some(id) = session_of(file).filter(|_| UnixMillis::new(written) <= aged) else {
            return Ok(0);
        };
        let standing = match self.store.session(id).await {
            Ok(session) => Some((session.status, self.store.kept_files(id).await?)),
            Err(StoreError::Refused(Refused::UnknownSession)) => None,
            Err(error) => return Err(error.into()),
        };
        if !is_orphan(file.location.as_ref(), standing) {
            return Ok(0);
        }
        tracing::info!(session = %id, file = %file.location, "a recording that is nobody's");
        Ok(u64::from(self.files.remove(&file.location).await?))
    }
}

impl Swept {
    fn tally(&mut self, done: Result<u64, SweepError>) -> u64 {
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "the janitor could not do this; it tries again later");
            self.failures += 1;
            0
        })
    }
}

/// Whether a file of a session, of which this is the status and what is kept, is nobody's. As long as
/// a recording may still be made it is not: the same bytes get the same name, and would be deleted at
/// the moment when they are wanted.
fn is_orphan(file: &str, standing: Option<(SessionStatus, Vec<KeptFile>)>) -> bool {
    match standing {
        None | Some((SessionStatus::Discarded, _)) => true,
        Some((SessionStatus::Completed, kept)) if !kept.is_empty() => {
            !kept.iter().any(|one| is_of(file, &one.key))
        }
        Some((
            SessionStatus::Completed
            | SessionStatus::Active
            | SessionStatus::Interrupted
            | SessionStatus::Incomplete
            | SessionStatus::Finalizing
            | SessionStatus::Failed,
            _,
        )) => false,
    }
}

/// Files that do not carry a session's name are not the janitor's.
fn session_of(file: &ObjectMeta) -> Option<SessionId> {
    file.location.parts().nth(1)?.as_ref().parse().ok()
}

/// What a server that was killed left of recordings in the making.
async fn scratch_files(folder: PathBuf, aged: SystemTime) -> std::io::Result<u64> {
    tokio::task::spawn_blocking(move || delete_aged(&folder, aged, |_| true)).await?
}

fn before(now: UnixMillis, span: Millis) -> UnixMillis {
    UnixMillis::new(now.get().saturating_sub(span.get()))
}

fn system_time(at: UnixMillis) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.get())
}

#[cfg(test)]
mod tests;

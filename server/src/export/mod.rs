//! Other forms of a recording: made by a job when somebody asks for one, and kept beside the recording for a
//! day, until the janitor takes it for nobody's. What can be made without another program is.

mod archive;
mod error;
mod ffmpeg;
pub(crate) mod form;
mod making;
mod timeline;

use std::sync::Arc;

use ledger::jobs::{JobEnd, JobState};
use ledger::{Beside, Format, Job, JobKey, Ledger as _, Refused, Work};
use protocol::{SessionId, SessionStatus};
use tempfile::TempPath;
use tokio_util::sync::CancellationToken;

use error::MakeError;
pub(crate) use error::{ExportError, StandingError};

use crate::clock;
use crate::leases::{Leases, Progress};
use crate::recording::{Packing, RecordingFiles, Recordings};
use crate::store::{Recording, Session, Store, StoreError};

/// Exports that are being made or wait for their turn; one more is refused.
const OPEN_MAX: u64 = 32;

/// How an export stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    NotMade,
    /// So many thousandths of it are there; 0 while it waits for its turn.
    Making {
        thousandths: u16,
    },
    /// It could not be made now, and is tried again without being asked.
    PutOff(ExportError),
    Ready {
        key: String,
        bytes: u64,
    },
    Failed(ExportError),
}

#[derive(Debug, Clone)]
pub(crate) struct Exports(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    recordings: Recordings,
    files: RecordingFiles,
    leases: Leases,
}

/// What an export is made of.
struct Task {
    session: Session,
    recording: Recording,
    format: Format,
    progress: Progress,
    stopping: CancellationToken,
}

impl Exports {
    pub(crate) fn new(
        store: Store,
        recordings: Recordings,
        files: RecordingFiles,
        leases: Leases,
    ) -> Self {
        Self(Arc::new(Inner { store, recordings, files, leases }))
    }

    /// Why the recording cannot be had in this form, if so.
    pub(crate) async fn obstacle(
        &self,
        recording: &Recording,
        format: Format,
    ) -> Option<ExportError> {
        let is_read_here = Packing::of(&recording.mime).is_some();
        let has_picture = recording.mime.starts_with("video/");
        let reason = match format {
            Format::Timeline | Format::Ogg => {
                (!is_read_here).then_some("it is neither WebM nor MP4.")
            }
            Format::Mp4 => (!has_picture).then_some("it has no picture."),
            Format::Mp3 | Format::Wav | Format::Zip => None,
        };
        if let Some(reason) = reason {
            return Some(ExportError::NotPossible(reason));
        }
        let is_missing = form::needs_ffmpeg(format) && !ffmpeg::is_installed().await;
        is_missing.then_some(ExportError::NoFfmpeg)
    }

    pub(crate) async fn standing(
        &self,
        id: SessionId,
        recording: &Recording,
        format: Format,
    ) -> Result<Standing, StandingError> {
        let key = form::key(format, recording);
        if let Some(bytes) = self.0.files.bytes_of(&key).await? {
            return Ok(Standing::Ready { key, bytes });
        }
        let job = self.0.store.job(JobKey::new(id, Work::Export(format))).await?;
        Ok(job.map_or(Standing::NotMade, standing_of))
    }

    /// Has the export made, if it is neither there nor being made. What failed is tried again. It
    /// goes on when nobody waits for it, and after a restart.
    pub(crate) async fn start(
        &self,
        id: SessionId,
        recording: &Recording,
        format: Format,
    ) -> Result<(), ExportError> {
        match self.standing(id, recording, format).await {
            Ok(Standing::Ready { .. } | Standing::Making { .. }) => return Ok(()),
            Ok(Standing::NotMade | Standing::PutOff(_) | Standing::Failed(_)) => {}
            Err(error) => {
                tracing::error!(session = %id, %error, "how an export stands is not known");
                return Err(ExportError::Storage);
            }
        }
        if let Some(obstacle) = self.obstacle(recording, format).await {
            return Err(obstacle);
        }
        let beside = Beside::Export(format);
        match self.0.store.want_within(OPEN_MAX, id, beside, clock::wall()).await {
            Ok(Some(_)) => {
                self.0.leases.look();
                Ok(())
            }
            Ok(None) => Err(ExportError::TooMany),
            Err(StoreError::DiskFull) => Err(ExportError::DiskFull),
            Err(error) => {
                tracing::error!(session = %id, %error, "an export cannot be asked for");
                Err(ExportError::Storage)
            }
        }
    }

    /// Waits until it is there, or does not go on for now. `None`: the server stops.
    pub(crate) async fn outcome(
        &self,
        id: SessionId,
        recording: &Recording,
        format: Format,
    ) -> Result<Option<Standing>, StandingError> {
        self.0.leases.until(|| self.outcome_so_far(id, recording, format)).await
    }

    async fn outcome_so_far(
        &self,
        id: SessionId,
        recording: &Recording,
        format: Format,
    ) -> Result<Option<Standing>, StandingError> {
        match self.standing(id, recording, format).await? {
            Standing::Making { .. } => Ok(None),
            over @ (Standing::NotMade
            | Standing::PutOff(_)
            | Standing::Ready { .. }
            | Standing::Failed(_)) => Ok(Some(over)),
        }
    }

    /// Makes the export, unless it is there, until it is cut off: then nothing of it is left.
    pub(crate) async fn make(
        &self,
        id: SessionId,
        format: Format,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> JobEnd {
        let made = tokio::select! {
            // First: what reads a recording sees its end then.
            biased;
            () = stopping.cancelled() => Err(MakeError::CutOff),
            made = self.try_make(id, format, progress, stopping) => made,
        };
        match made {
            Ok(()) | Err(MakeError::Store(StoreError::Refused(Refused::UnknownSession))) => {
                JobEnd::Done
            }
            Err(MakeError::CutOff) => JobEnd::HandedBack,
            Err(error) => {
                tracing::warn!(session = %id, format = format.as_str(), %error, "no export");
                error.told().end()
            }
        }
    }

    async fn try_make(
        &self,
        id: SessionId,
        format: Format,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> Result<(), MakeError> {
        let Inner { store, recordings, files, .. } = &*self.0;
        let session = store.session(id).await?;
        let Some(recording) = session.recording.clone().filter(|_| can_be_exported(&session))
        else {
            return Ok(());
        };
        let key = form::key(format, &recording);
        if files.bytes_of(&key).await?.is_some() {
            return Ok(());
        }
        if let Some(obstacle) = self.obstacle(&recording, format).await {
            return Err(MakeError::Impossible(obstacle));
        }
        let tracks = store.track_files(id).await?;
        let scratch = recordings.scratch();
        let room = form::room(format, &session, &recording, &tracks);
        store.room().check(scratch, room)?;
        let suffix = format!(".{}", form::extension(format, &recording));
        let file = tempfile::Builder::new().suffix(&suffix).tempfile_in(scratch)?;
        // What is cut off goes from the folder at once, whoever still writes it for a moment.
        let _in_the_making = TempPath::try_from_path(file.path())?;
        let (progress, stopping) = (progress.clone(), stopping.clone());
        let task = Task { session, recording, format, progress, stopping };
        let file = match format {
            Format::Timeline => self.timeline(&task, file).await?,
            Format::Ogg => self.ogg(&task, &tracks, file).await?,
            Format::Zip => self.archive(&task, &tracks, file).await?,
            Format::Mp3 | Format::Wav | Format::Mp4 => {
                let bounds = ffmpeg::Bounds::of(&task.recording, room);
                self.convert(&task, &tracks, file, bounds).await?
            }
        };
        // What was read then has ended too early.
        if task.stopping.is_cancelled() {
            return Err(MakeError::CutOff);
        }
        let bytes = file.as_file().metadata()?.len();
        let in_its_place = recordings.place_beside(id, &task.recording).await?;
        let Some(_in_its_place) = in_its_place else { return Ok(()) };
        files.put::<MakeError>(&key, file).await?;
        tracing::info!(session = %id, format = format.as_str(), bytes, "exported");
        Ok(())
    }
}

/// Of an export that is not there.
fn standing_of(job: Job) -> Standing {
    let is_put_off = !job.may_begin(clock::wall());
    match (job.state, job.error) {
        (JobState::Stopped, error) => {
            Standing::Failed(ExportError::of_words(error.unwrap_or_default()))
        }
        (JobState::Waiting, Some(error)) if is_put_off => {
            Standing::PutOff(ExportError::of_words(error))
        }
        (JobState::Waiting, _) => Standing::Making { thousandths: 0 },
        (JobState::Running { .. }, _) => Standing::Making { thousandths: job.progress },
    }
}

/// Only of a session that has come to its end: before that every export would be of another file.
pub(crate) fn can_be_exported(session: &Session) -> bool {
    session.status == SessionStatus::Completed && session.recording.is_some()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MakeError> + Send + 'static,
) -> Result<T, MakeError> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests;

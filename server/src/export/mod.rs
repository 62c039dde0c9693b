//! Other forms of a recording: made when somebody asks for one, and kept beside the recording for a
//! day, until the janitor takes it for nobody's. What can be made without another program is.

mod archive;
mod error;
mod ffmpeg;
mod making;
mod timeline;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::SessionStatus;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use error::ExportError;
use error::MakeError;

use crate::recording::{Packing, RecordingFiles, Recordings, extension_of};
use crate::store::{Recording, Session, Store, TrackFile};

/// Exports made at the same time: each is work for a processor or for the disk.
const CONCURRENT_MAX: usize = 1;
/// Exports that wait for their turn; one more is refused.
const WAITING_MAX: usize = 32;
/// Bytes of a millisecond of uncompressed sound: two channels of 16 bits at 48 kHz.
const WAV_BYTES_PER_MS: u64 = 192;

/// A form in which a recording can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// The recording with its pauses and gaps as time.
    Timeline,
    /// The sound alone, as Opus; several sounds mixed into one.
    Ogg,
    Mp3,
    Wav,
    Mp4,
    /// Everything there is of the session.
    Zip,
}

impl Format {
    pub(crate) const ALL: [Self; 6] =
        [Self::Timeline, Self::Ogg, Self::Mp3, Self::Wav, Self::Mp4, Self::Zip];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Timeline => "timeline",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
            Self::Mp4 => "mp4",
            Self::Zip => "zip",
        }
    }

    /// Of an export of this recording.
    pub(crate) fn extension(self, recording: &Recording) -> &str {
        match self {
            Self::Timeline => extension_of(&recording.key),
            Self::Ogg | Self::Mp3 | Self::Wav | Self::Mp4 | Self::Zip => self.as_str(),
        }
    }

    /// Of an export of this recording.
    pub(crate) fn mime(self, recording: &Recording) -> String {
        match self {
            Self::Timeline => recording.mime.clone(),
            Self::Ogg => "audio/ogg".to_owned(),
            Self::Mp3 => "audio/mpeg".to_owned(),
            Self::Wav => "audio/wav".to_owned(),
            Self::Mp4 => "video/mp4".to_owned(),
            Self::Zip => "application/zip".to_owned(),
        }
    }

    const fn needs_ffmpeg(self) -> bool {
        match self {
            Self::Mp3 | Self::Wav | Self::Mp4 => true,
            Self::Timeline | Self::Ogg | Self::Zip => false,
        }
    }

    /// Beside the recording, under a name of its own.
    fn key(self, recording: &Recording) -> String {
        let stem = recording.key.rsplit_once('.').map_or(&*recording.key, |(stem, _)| stem);
        format!("{stem}.{}.{}", self.as_str(), self.extension(recording))
    }

    /// About what it will take.
    fn room(self, session: &Session, recording: &Recording, tracks: &[TrackFile]) -> u64 {
        match self {
            Self::Wav => recording.duration.get().saturating_mul(WAV_BYTES_PER_MS),
            Self::Timeline => {
                let voices: u32 = tracks.iter().map(|file| file.sounds).sum();
                // No gap is longer than the session.
                let gaps = Duration::from_millis(session.captured.get());
                let silence = media::silence_bytes_max(gaps);
                recording.bytes.saturating_add(silence.saturating_mul(u64::from(voices.max(1))))
            }
            Self::Ogg | Self::Mp3 | Self::Mp4 => recording.bytes,
            Self::Zip => {
                tracks.iter().fold(recording.bytes, |sum, one| sum.saturating_add(one.bytes))
            }
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or(())
    }
}

/// How an export stands.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    NotMade,
    /// So many thousandths of it are there; 0 while it waits for its turn.
    Making {
        thousandths: u16,
    },
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
    permits: Semaphore,
    /// By their keys. What is ready is found in its place, and is no job any more.
    jobs: Mutex<HashMap<String, watch::Receiver<Standing>>>,
    stopping: CancellationToken,
}

/// What an export is made of.
struct Task {
    session: Session,
    recording: Recording,
    format: Format,
    progress: watch::Sender<Standing>,
}

impl Exports {
    pub(crate) fn new(
        store: Store,
        recordings: Recordings,
        files: RecordingFiles,
        stopping: CancellationToken,
    ) -> Self {
        let permits = Semaphore::new(CONCURRENT_MAX);
        Self(Arc::new(Inner {
            store,
            recordings,
            files,
            permits,
            jobs: Mutex::default(),
            stopping,
        }))
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
        let is_missing = format.needs_ffmpeg() && !ffmpeg::is_installed().await;
        is_missing.then_some(ExportError::NoFfmpeg)
    }

    pub(crate) async fn standing(
        &self,
        recording: &Recording,
        format: Format,
    ) -> Result<Standing, object_store::Error> {
        let key = format.key(recording);
        if let Some(bytes) = self.0.files.bytes_of(&key).await? {
            return Ok(Standing::Ready { key, bytes });
        }
        let job = self.jobs().get(&key).map(|job| job.borrow().clone());
        Ok(job.unwrap_or(Standing::NotMade))
    }

    /// Has the export made, if it is neither there nor being made. What failed is tried again. It
    /// goes on when nobody waits for it.
    pub(crate) async fn start(
        &self,
        session: &Session,
        recording: &Recording,
        format: Format,
    ) -> Result<watch::Receiver<Standing>, ExportError> {
        match self.standing(recording, format).await {
            Ok(ready @ Standing::Ready { .. }) => return Ok(watch::channel(ready).1),
            Ok(Standing::NotMade | Standing::Making { .. } | Standing::Failed(_)) => {}
            Err(error) => {
                tracing::error!(session = %session.id, %error, "the recordings cannot be reached");
                return Err(ExportError::Storage);
            }
        }
        if let Some(obstacle) = self.obstacle(recording, format).await {
            return Err(obstacle);
        }
        let key = format.key(recording);
        let mut jobs = self.jobs();
        if let Some(job) = jobs.get(&key)
            && !matches!(*job.borrow(), Standing::Failed(_))
        {
            return Ok(job.clone());
        }
        if jobs.len() >= WAITING_MAX {
            jobs.retain(|_, job| !matches!(*job.borrow(), Standing::Failed(_)));
        }
        if jobs.len() >= WAITING_MAX {
            return Err(ExportError::TooMany);
        }
        let (progress, job) = watch::channel(Standing::Making { thousandths: 0 });
        jobs.insert(key.clone(), job.clone());
        drop(jobs);
        let task =
            Task { session: session.clone(), recording: recording.clone(), format, progress };
        let this = self.clone();
        tokio::spawn(async move { this.run(key, task).await });
        Ok(job)
    }

    async fn run(&self, key: String, task: Task) {
        let (id, format) = (task.session.id, task.format.as_str());
        let made = tokio::select! {
            () = self.0.stopping.cancelled() => Err(MakeError::ShuttingDown),
            made = self.make(&key, &task) => made,
        };
        match made {
            Ok(bytes) => {
                tracing::info!(session = %id, format, bytes, "exported");
                self.jobs().remove(&key);
                task.progress.send_replace(Standing::Ready { key, bytes });
            }
            Err(error) => {
                tracing::warn!(session = %id, format, %error, "no export");
                task.progress.send_replace(Standing::Failed(error.told()));
            }
        }
    }

    async fn make(&self, key: &str, task: &Task) -> Result<u64, MakeError> {
        let Inner { store, recordings, files, permits, .. } = &*self.0;
        let _permit = permits.acquire().await.map_err(|_| MakeError::ShuttingDown)?;
        let tracks = store.track_files(task.session.id).await?;
        let scratch = recordings.scratch();
        let room = task.format.room(&task.session, &task.recording, &tracks);
        store.room().check(scratch, room)?;
        let suffix = format!(".{}", task.format.extension(&task.recording));
        let file = tempfile::Builder::new().suffix(&suffix).tempfile_in(scratch)?;
        // What reads a recording sees its end when the server stops.
        let file = match task.format {
            Format::Timeline => self.timeline(task, file).await?,
            Format::Ogg => self.ogg(task, &tracks, file).await?,
            Format::Zip => self.archive(task, &tracks, file).await?,
            Format::Mp3 | Format::Wav | Format::Mp4 => {
                let bounds = ffmpeg::Bounds::of(&task.recording, room);
                self.convert(task, &tracks, file, bounds).await?
            }
        };
        if self.0.stopping.is_cancelled() {
            return Err(MakeError::ShuttingDown);
        }
        let bytes = file.as_file().metadata()?.len();
        files.put::<MakeError>(key, file).await?;
        Ok(bytes)
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Receiver<Standing>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
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

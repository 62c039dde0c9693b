//! Draws the sound of recordings: peaks, decoded once and kept beside the file. A job does it; nobody
//! waits for it to hand out a receipt.

use bytes::Bytes;
use ledger::Beside;
use ledger::jobs::JobEnd;
use media::{Loudest, Peaks, PeaksError, Waveform, Waveforms};
use protocol::SessionId;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::beside::{BesideError, NotMade, end_of};
use super::{Packing, Recordings};
use crate::leases::Progress;
use crate::store::Recording;

#[derive(Debug, thiserror::Error)]
pub(crate) enum WaveformError {
    #[error("the recording has no sound that can be drawn")]
    NoSound,
    #[error("another recording has taken the place of this one")]
    Replaced,
    #[error(transparent)]
    NotMade(#[from] NotMade),
    #[error("the waveform cannot be read: {0}")]
    Files(#[from] object_store::Error),
    #[error("what is kept of the waveform is damaged: {0}")]
    Damaged(#[from] PeaksError),
    #[error("what is kept of the waveforms is damaged: {0}")]
    DamagedList(#[from] postcard::Error),
}

impl Recordings {
    /// The peaks of the file's sound track of this number, counted from 0. Drawn now if need be;
    /// that goes on even when nobody waits for it.
    pub(crate) async fn waveform(
        &self,
        id: SessionId,
        recording: &Recording,
        track: usize,
    ) -> Result<Peaks, WaveformError> {
        let kept = match self.kept_peaks(recording).await? {
            Some(kept) => kept,
            None => {
                self.made(id, Beside::Waveform).await?;
                self.0.files.peaks(&recording.key).await?.ok_or(WaveformError::Replaced)?
            }
        };
        let tracks: Vec<&[u8]> = postcard::from_bytes(&kept)?;
        let track = tracks.get(track).ok_or(WaveformError::NoSound)?;
        Ok(Peaks::from_bytes(track)?)
    }

    /// What was drawn before. That there is nothing to be seen in an MP4 is not believed: it was said
    /// of all of them before AAC could be decoded.
    async fn kept_peaks(
        &self,
        recording: &Recording,
    ) -> Result<Option<Bytes>, object_store::Error> {
        let kept = self.0.files.peaks(&recording.key).await?;
        let is_mp4 = Packing::of(&recording.mime) == Some(Packing::Mp4);
        let is_nothing = |kept: &Bytes| {
            postcard::from_bytes::<Vec<&[u8]>>(kept).is_ok_and(|tracks| tracks.is_empty())
        };
        Ok(kept.filter(|kept| !is_mp4 || !is_nothing(kept)))
    }

    /// Draws the recording of a session, unless that is done.
    pub(crate) async fn draw(
        &self,
        id: SessionId,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> JobEnd {
        end_of(self.try_draw(id, progress, stopping).await)
    }

    async fn try_draw(
        &self,
        id: SessionId,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> Result<(), BesideError> {
        let inner = &*self.0;
        let Some(recording) = inner.store.session(id).await?.recording else { return Ok(()) };
        if self.kept_peaks(&recording).await?.is_some() {
            return Ok(());
        }
        let drawn = self.decode(&recording, progress, stopping).await?;
        let Some(_in_its_place) = self.place_beside(id, &recording).await? else { return Ok(()) };
        // First: once the peaks are there, nothing is drawn any more.
        if let Some(loudest) = loudest(&drawn) {
            inner.store.noting(inner.store.note_loudest(id, &recording.key, loudest)).await?;
        }
        let tracks: Vec<Vec<u8>> = drawn.iter().map(|waveform| waveform.peaks.to_bytes()).collect();
        let kept = Bytes::from(postcard::to_stdvec(&tracks)?);
        Ok(inner.files.store_peaks(&recording.key, kept).await?)
    }

    async fn decode(
        &self,
        recording: &Recording,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> Result<Vec<Waveform>, BesideError> {
        let files = &self.0.files;
        let drawing = match Packing::of(&recording.mime) {
            Some(Packing::Webm) => {
                let reader = files.reader(&recording.key, recording.bytes, stopping).await?;
                let reader = progress.by_reading(recording.bytes, reader);
                spawn_blocking(move || Waveforms::from_webm(reader))
            }
            Some(Packing::Mp4) => {
                let reader = files.seekable(&recording.key, stopping).await?;
                let reader = progress.by_reading(recording.bytes, reader);
                spawn_blocking(move || Waveforms::from_mp4(reader))
            }
            // Sound in other containers is not decoded here.
            None => return Ok(Vec::new()),
        };
        let waveforms = drawing.await.map_err(|_| BesideError::BrokeOff)?;
        if stopping.is_cancelled() {
            return Err(BesideError::ShuttingDown);
        }
        Ok(waveforms?)
    }
}

/// Of all sounds; `None` without any, and where silence stands for packets that could not be decoded.
fn loudest(drawn: &[Waveform]) -> Option<Loudest> {
    let loudest = drawn.iter().map(|waveform| waveform.loudest).max()?;
    let is_heard =
        |one: &Waveform| one.report.decoded > 0 && one.report.bad == 0 && one.bad_blocks == 0;
    (!loudest.is_silence() || drawn.iter().all(is_heard)).then_some(loudest)
}

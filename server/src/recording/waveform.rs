//! Draws the sound of recordings: peaks, decoded once and kept beside the file. Nobody waits for it
//! to hand out a receipt.

use bytes::Bytes;
use media::{Loudest, MediaError, Peaks, PeaksError, Waveform, Waveforms};
use protocol::SessionId;
use tokio::task::spawn_blocking;

use super::{Packing, Recordings};
use crate::store::{Recording, StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum WaveformError {
    #[error("the recording has no sound that can be drawn")]
    NoSound,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the waveform cannot be read or kept: {0}")]
    Files(#[from] object_store::Error),
    #[error("the recording cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the recording cannot be drawn: {0}")]
    Media(#[from] MediaError),
    #[error("what is kept of the waveform is damaged: {0}")]
    Damaged(#[from] PeaksError),
    #[error("what is kept of the waveforms is damaged: {0}")]
    DamagedList(#[from] postcard::Error),
    #[error("how loud it is cannot be noted: {0}")]
    Store(#[from] StoreError),
    #[error("drawing broke off")]
    BrokeOff,
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
                let (this, recording) = (self.clone(), recording.clone());
                let drawing = tokio::spawn(async move { this.draw(id, &recording).await });
                drawing.await.map_err(|_| WaveformError::BrokeOff)??
            }
        };
        let tracks: Vec<&[u8]> = postcard::from_bytes(&kept)?;
        let track = tracks.get(track).ok_or(WaveformError::NoSound)?;
        Ok(Peaks::from_bytes(track)?)
    }

    /// Before anybody asks for it. What fails here is tried again by whoever asks.
    pub(super) fn draw_in_time(&self, id: SessionId, recording: Recording) {
        let this = self.clone();
        tokio::spawn(async move {
            match this.draw(id, &recording).await {
                Ok(_) | Err(WaveformError::NoSound | WaveformError::ShuttingDown) => {}
                Err(error) => tracing::warn!(key = recording.key, %error, "no waveform"),
            }
        });
    }

    /// What was drawn before. That there is nothing to be seen in an MP4 is not believed: it was said
    /// of all of them before AAC could be decoded.
    async fn kept_peaks(&self, recording: &Recording) -> Result<Option<Bytes>, WaveformError> {
        let kept = self.0.files.peaks(&recording.key).await?;
        let nothing = postcard::to_stdvec(&Vec::<&[u8]>::new())?;
        let is_mp4 = Packing::of(&recording.mime) == Some(Packing::Mp4);
        Ok(kept.filter(|kept| !is_mp4 || *kept != nothing))
    }

    async fn draw(&self, id: SessionId, recording: &Recording) -> Result<Bytes, WaveformError> {
        let inner = &*self.0;
        let _one_at_a_time = inner.drawing.lock().await;
        if let Some(kept) = self.kept_peaks(recording).await? {
            return Ok(kept);
        }
        let drawn = self.decode(recording).await?;
        // First: once the peaks are there, nothing is drawn any more.
        if let Some(loudest) = loudest(&drawn) {
            inner.store.noting(inner.store.note_loudest(id, &recording.key, loudest)).await?;
        }
        let tracks: Vec<Vec<u8>> = drawn.iter().map(|waveform| waveform.peaks.to_bytes()).collect();
        let kept = Bytes::from(postcard::to_stdvec(&tracks)?);
        inner.files.store_peaks(&recording.key, kept.clone()).await?;
        Ok(kept)
    }

    async fn decode(&self, recording: &Recording) -> Result<Vec<Waveform>, WaveformError> {
        let (files, stopping) = (&self.0.files, &self.0.stopping);
        let drawing = match Packing::of(&recording.mime) {
            Some(Packing::Webm) => {
                let reader = files.reader(&recording.key, recording.bytes, stopping).await?;
                spawn_blocking(move || Waveforms::from_webm(reader))
            }
            Some(Packing::Mp4) => {
                let reader = files.seekable(&recording.key, stopping).await?;
                spawn_blocking(move || Waveforms::from_mp4(reader))
            }
            // Sound in other containers is not decoded here.
            None => return Ok(Vec::new()),
        };
        let waveforms = drawing.await.map_err(|_| WaveformError::BrokeOff)?;
        if stopping.is_cancelled() {
            return Err(WaveformError::ShuttingDown);
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

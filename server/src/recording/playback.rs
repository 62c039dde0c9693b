//! Mixes all sound of a recording into one track, for players that play only one. Nobody waits for it
//! to hand out a receipt; without it the recording itself is played.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::{MutexGuard, PoisonError};

use media::{MediaError, Mixed, Refusal};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::files::{mix_key, writer_into};
use super::{Packing, Recordings};
use crate::store::{KeptFile, Recording};

#[derive(Debug, thiserror::Error)]
pub(crate) enum MixError {
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("it cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("it cannot be kept: {0}")]
    Files(#[from] object_store::Error),
    #[error("the recording cannot be mixed: {0}")]
    Media(#[from] MediaError),
    #[error("mixing broke off")]
    BrokeOff,
}

impl Recordings {
    /// The mix of a recording; `None` when there is none.
    pub(crate) async fn mix_of(
        &self,
        recording: &Recording,
    ) -> Result<Option<KeptFile>, object_store::Error> {
        let key = mix_key(&recording.key);
        Ok(self.0.files.bytes_of(&key).await?.map(|bytes| KeptFile { key, bytes }))
    }

    /// The same, made now if it is not there; `None` when there is nothing to mix.
    pub(crate) async fn mixed(&self, recording: &Recording) -> Result<Option<KeptFile>, MixError> {
        match self.mix(recording).await {
            // A picture without sound beside a voice.
            Ok(()) | Err(MixError::Media(MediaError::Refused(Refusal::NothingToMix { .. }))) => {
                Ok(self.mix_of(recording).await?)
            }
            Err(error) => Err(error),
        }
    }

    /// Unless that is done or about to be done. A restart may have come in between: whoever misses
    /// the mix asks again.
    pub(crate) fn mix_in_time(&self, recording: Recording) {
        if !self.mixing().insert(recording.key.clone()) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let mixed = this.mixed(&recording).await;
            this.mixing().remove(&recording.key);
            match mixed {
                Ok(_) | Err(MixError::ShuttingDown) => {}
                Err(error) => tracing::warn!(key = recording.key, %error, "no mixed sound"),
            }
        });
    }

    fn mixing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.mixing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn mix(&self, recording: &Recording) -> Result<(), MixError> {
        let inner = &*self.0;
        let _one_at_a_time = inner.drawing.lock().await;
        if self.mix_of(recording).await?.is_some() {
            return Ok(());
        }
        // A mix is about as large.
        inner.store.room().check(&inner.scratch, recording.bytes)?;
        let (files, stopping) = (&inner.files, &inner.stopping);
        let file = NamedTempFile::new_in(&inner.scratch)?;
        let mixing = if Packing::of(&recording.mime) == Some(Packing::Mp4) {
            let input = files.seekable(&recording.key, stopping).await?;
            spawn_blocking(move || mixed_by(|out| media::mix_mp4(input, out), file))
        } else {
            let input = files.reader(&recording.key, recording.bytes, stopping).await?;
            spawn_blocking(move || mixed_by(|out| media::mix(input, out), file))
        };
        let mixed = mixing.await.map_err(|_| MixError::BrokeOff)?;
        // What was read then has ended too early.
        if stopping.is_cancelled() {
            return Err(MixError::ShuttingDown);
        }
        inner.files.put::<MixError>(&mix_key(&recording.key), mixed?).await
    }
}

/// Writes the file and reads it back.
fn mixed_by(
    mix: impl FnOnce(BufWriter<File>) -> Result<(BufWriter<File>, Mixed), MediaError>,
    file: NamedTempFile,
) -> Result<NamedTempFile, MediaError> {
    let (mut out, _) = mix(writer_into(&file)?)?;
    out.flush()?;
    media::verify(file.reopen()?)?;
    Ok(file)
}

//! Mixes all sound of a recording into one track, for players that play only one. A job does it; nobody
//! waits for it to hand out a receipt, and without it the recording itself is played.

use std::io::Write as _;

use ledger::Beside;
use ledger::jobs::JobEnd;
use media::{MediaError, Mixed, Refusal, WriteBehind};
use protocol::SessionId;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::beside::{BesideError, NotMade, end_of};
use super::files::{mix_key, writer_into};
use super::{Packing, Recordings};
use crate::leases::Progress;
use crate::store::{KeptFile, Recording};

#[derive(Debug, thiserror::Error)]
pub(crate) enum MixError {
    #[error("the mix cannot be reached: {0}")]
    Files(#[from] object_store::Error),
    #[error(transparent)]
    NotMade(#[from] NotMade),
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
    pub(crate) async fn mixed(
        &self,
        id: SessionId,
        recording: &Recording,
    ) -> Result<Option<KeptFile>, MixError> {
        match self.mix_of(recording).await? {
            Some(mix) => Ok(Some(mix)),
            None => {
                self.made(id, Beside::Mix).await?;
                Ok(self.mix_of(recording).await?)
            }
        }
    }

    /// Mixes the recording of a session, unless that is done.
    pub(crate) async fn mix(
        &self,
        id: SessionId,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> JobEnd {
        end_of(self.try_mix(id, progress, stopping).await)
    }

    async fn try_mix(
        &self,
        id: SessionId,
        progress: &Progress,
        stopping: &CancellationToken,
    ) -> Result<(), BesideError> {
        let inner = &*self.0;
        let Some(recording) = inner.store.session(id).await?.recording else { return Ok(()) };
        if self.mix_of(&recording).await?.is_some() {
            return Ok(());
        }
        // A mix is about as large.
        inner.store.room().check(&inner.scratch, recording.bytes)?;
        let files = &inner.files;
        let file = NamedTempFile::new_in(&inner.scratch)?;
        let mixing = if Packing::of(&recording.mime) == Some(Packing::Mp4) {
            let input = files.seekable(&recording.key, stopping).await?;
            let input = progress.by_reading(recording.bytes, input);
            spawn_blocking(move || mixed_by(|out| media::mix_mp4(input, out), file))
        } else {
            let input = files.reader(&recording.key, recording.bytes, stopping).await?;
            let input = progress.by_reading(recording.bytes, input);
            spawn_blocking(move || mixed_by(|out| media::mix(input, out), file))
        };
        let mixed = mixing.await.map_err(|_| BesideError::BrokeOff)?;
        // What was read then has ended too early.
        if stopping.is_cancelled() {
            return Err(BesideError::ShuttingDown);
        }
        let mixed = match mixed {
            // A picture without sound beside a voice.
            Err(MediaError::Refused(Refusal::NothingToMix { .. })) => return Ok(()),
            mixed => mixed?,
        };
        let Some(_in_its_place) = self.place_beside(id, &recording).await? else { return Ok(()) };
        inner.files.put::<BesideError>(&mix_key(&recording.key), mixed).await
    }
}

/// Writes the file and reads it back.
fn mixed_by(
    mix: impl FnOnce(WriteBehind) -> Result<(WriteBehind, Mixed), MediaError>,
    file: NamedTempFile,
) -> Result<NamedTempFile, MediaError> {
    let (mut out, _) = mix(writer_into(&file)?)?;
    out.flush()?;
    media::verify(file.reopen()?)?;
    Ok(file)
}

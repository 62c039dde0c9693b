//! Makes the single forms. What reads a recording here sees its end when that is cut off.

use std::io::Write as _;

use media::{MediaError, Source, WriteBehind};
use protocol::Millis;
use tempfile::NamedTempFile;

use super::archive::{self, Entry};
use super::error::MakeError;
use super::timeline::{self, Part};
use super::{Exports, Inner, Task, blocking, ffmpeg};
use crate::recording::{Packing, has_several_sounds, writer_into};
use crate::store::{KeptFile, TrackFile};

impl Exports {
    pub(super) async fn timeline(
        &self,
        task: &Task,
        file: NamedTempFile,
    ) -> Result<NamedTempFile, MakeError> {
        let Inner { store, files, .. } = &*self.0;
        let parts = timeline::parts(store, task.session.id, &task.recording).await?;
        if Packing::of(&task.recording.mime) == Some(Packing::Mp4) {
            let mut sources = Vec::with_capacity(parts.len());
            for Part { key, schedule, labels, .. } in parts {
                let file = files.seekable(&key, &task.stopping).await?;
                sources.push(Source { file, schedule, labels });
            }
            return written(file, move |out| {
                media::combine_mp4(sources, &mut *out)?;
                Ok(())
            })
            .await;
        }
        let mut sources = Vec::with_capacity(parts.len());
        for Part { key, bytes, schedule, labels } in parts {
            let file = files.reader(&key, bytes, &task.stopping).await?;
            sources.push(Source { file, schedule, labels });
        }
        written(file, move |out| {
            media::combine(sources, &mut *out)?;
            Ok(())
        })
        .await
    }

    pub(super) async fn ogg(
        &self,
        task: &Task,
        tracks: &[TrackFile],
        file: NamedTempFile,
    ) -> Result<NamedTempFile, MakeError> {
        let KeptFile { key, bytes } = self.with_one_sound(task, tracks).await?;
        let files = &self.0.files;
        if Packing::of(&task.recording.mime) == Some(Packing::Mp4) {
            let input = files.seekable(&key, &task.stopping).await?;
            return written(file, move |out| {
                media::mp4_to_ogg(input, out)?;
                Ok(())
            })
            .await;
        }
        let input = files.reader(&key, bytes, &task.stopping).await?;
        written(file, move |out| {
            media::to_ogg(input, out)?;
            Ok(())
        })
        .await
    }

    pub(super) async fn archive(
        &self,
        task: &Task,
        tracks: &[TrackFile],
        file: NamedTempFile,
    ) -> Result<NamedTempFile, MakeError> {
        let inner = &*self.0;
        let documents = archive::documents(&inner.store, &task.session).await?;
        let contents =
            archive::contents(&inner.store, &task.session, &task.recording, tracks).await?;
        let mut entries = Vec::with_capacity(contents.len());
        for (kept, names) in contents {
            let reader = inner.files.reader(&kept.key, kept.bytes, &task.stopping).await?;
            entries.push(Entry { reader, names });
        }
        blocking(move || {
            archive::write(file.reopen()?, &documents, entries)?;
            Ok(file)
        })
        .await
    }

    pub(super) async fn convert(
        &self,
        task: &Task,
        tracks: &[TrackFile],
        file: NamedTempFile,
        bounds: ffmpeg::Bounds,
    ) -> Result<NamedTempFile, MakeError> {
        let input = self.0.files.path_of(&self.with_one_sound(task, tracks).await?.key);
        let whole = task.recording.duration;
        let progress = |done: Millis| task.progress.is_at(done.get(), whole.get());
        ffmpeg::convert(&input, file.path(), task.format, bounds, progress).await?;
        Ok(file)
    }

    /// The recording, with all of its sound in its first sound track.
    async fn with_one_sound(
        &self,
        task: &Task,
        tracks: &[TrackFile],
    ) -> Result<KeptFile, MakeError> {
        let recording = &task.recording;
        if has_several_sounds(recording, tracks)
            && let Some(mix) = self.0.recordings.mixed(task.session.id, recording).await?
        {
            return Ok(mix);
        }
        Ok(KeptFile { key: recording.key.clone(), bytes: recording.bytes })
    }
}

/// What `write` writes into it.
async fn written(
    file: NamedTempFile,
    write: impl FnOnce(&mut WriteBehind) -> Result<(), MediaError> + Send + 'static,
) -> Result<NamedTempFile, MakeError> {
    blocking(move || {
        let mut out = writer_into(&file)?;
        write(&mut out)?;
        out.flush()?;
        Ok(file)
    })
    .await
}

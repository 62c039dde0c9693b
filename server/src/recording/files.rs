//! Where finished recordings lie: an object store, a local folder with fsync by default.

use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, WriteMultipart,
};
use protocol::{Digest, SessionId};
use sha2::{Digest as _, Sha256};

use super::assemble::{AssembleError, Assembled};
use crate::janitor::delete_aged;
use crate::store::Recording;

/// Bytes of one part of an upload; S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at the same time.
const PARTS_IN_FLIGHT_MAX: usize = 2;

const FOLDER: &str = "recordings";

#[derive(Debug, Clone)]
pub(crate) struct RecordingFiles {
    objects: Arc<dyn ObjectStore>,
    /// Where they are, when they are files of this machine.
    folder: PathBuf,
}

impl RecordingFiles {
    /// Recordings as files below `folder`, synced to disk before they count as stored.
    pub(crate) fn local(folder: &Path) -> Result<Self, object_store::Error> {
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
        Ok(Self { objects, folder: folder.join(FOLDER) })
    }

    /// Stores the file and tells its digest. Durable on return.
    pub(super) async fn store(
        &self,
        id: SessionId,
        assembled: &Assembled,
    ) -> Result<Recording, AssembleError> {
        let path = assembled.file.path().to_owned();
        let (digest, bytes) = tokio::task::spawn_blocking(move || digest_of(&path))
            .await
            .map_err(|_| AssembleError::BrokeOff)??;
        let key = format!("{FOLDER}/{id}/{}.webm", &digest.to_string()[..16]);
        self.upload(&key, assembled).await?;
        let Assembled { mime, duration, left_out, .. } = assembled;
        let (mime, duration, left_out) = (mime.clone(), *duration, *left_out);
        Ok(Recording { key, mime, bytes, digest, duration, left_out })
    }

    async fn upload(&self, key: &str, assembled: &Assembled) -> Result<(), AssembleError> {
        let upload = self.objects.put_multipart(&key.into()).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut file = tokio::fs::File::from_std(assembled.file.reopen()?);
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let read = tokio::io::AsyncReadExt::read_buf(
                &mut tokio::io::AsyncReadExt::take(&mut file, PART_BYTES as u64),
                &mut part,
            )
            .await?;
            if read == 0 {
                break;
            }
            writer.wait_for_capacity(PARTS_IN_FLIGHT_MAX).await?;
            writer.put(Bytes::from(part));
        }
        writer.finish().await?;
        Ok(())
    }

    /// The bytes of `range` as a stream.
    pub(crate) async fn read(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, object_store::Error> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        Ok(self.objects.get_opts(&key.into(), options).await?.into_stream())
    }

    /// Deletes a recording that was replaced. A failure costs room, nothing else.
    pub(super) async fn delete(&self, key: &str) {
        if let Err(error) = self.objects.delete(&key.into()).await {
            tracing::warn!(key, %error, "a replaced recording could not be deleted");
        }
    }

    /// How long a recording is; `None` when it is not there.
    pub(crate) async fn bytes_of(&self, key: &str) -> Result<Option<u64>, object_store::Error> {
        match self.objects.head(&key.into()).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that is stored, whoever refers to it.
    pub(crate) fn all(&self) -> BoxStream<'static, Result<ObjectMeta, object_store::Error>> {
        self.objects.list(Some(&FOLDER.into()))
    }

    /// False when it was gone already.
    pub(crate) async fn remove(
        &self,
        place: &object_store::path::Path,
    ) -> Result<bool, object_store::Error> {
        match self.objects.delete(place).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes uploads that a killed server has not brought to their end, and that nobody has
    /// touched since `aged`. Tells how many.
    pub(crate) async fn abandoned_uploads(&self, aged: SystemTime) -> std::io::Result<u64> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            let mut deleted = 0;
            for session in folders_in(&folder)? {
                deleted += delete_aged(&session, aged, is_upload)?;
            }
            Ok(deleted)
        })
        .await?
    }
}

fn folders_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Nothing has been recorded yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The object store writes `name#1` before it moves that to `name`, and does not list it.
fn is_upload(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn digest_of(path: &Path) -> std::io::Result<(Digest, u64)> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((Digest::from_bytes(hasher.finalize().into()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

//! Where finished recordings lie: an object store, a local folder with fsync by default.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use protocol::{Digest, SessionId};
use sha2::{Digest as _, Sha256};

use super::assemble::{AssembleError, Assembled};
use crate::store::Recording;

/// Bytes of one part of an upload; S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at the same time.
const PARTS_IN_FLIGHT_MAX: usize = 2;

#[derive(Debug, Clone)]
pub(crate) struct RecordingFiles(Arc<dyn ObjectStore>);

impl RecordingFiles {
    /// Recordings as files below `folder`, synced to disk before they count as stored.
    pub(crate) fn local(folder: &Path) -> Result<Self, object_store::Error> {
        Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
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
        let key = format!("recordings/{id}/{}.webm", &digest.to_string()[..16]);
        self.upload(&key, assembled).await?;
        let (mime, duration) = (assembled.mime.clone(), assembled.duration);
        Ok(Recording { key, mime, bytes, digest, duration })
    }

    async fn upload(&self, key: &str, assembled: &Assembled) -> Result<(), AssembleError> {
        let upload = self.0.put_multipart(&key.into()).await?;
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
        Ok(self.0.get_opts(&key.into(), options).await?.into_stream())
    }

    /// Deletes a recording that was replaced. A failure costs room, nothing else.
    pub(super) async fn delete(&self, key: &str) {
        if let Err(error) = self.0.delete(&key.into()).await {
            tracing::warn!(key, %error, "a replaced recording could not be deleted");
        }
    }
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

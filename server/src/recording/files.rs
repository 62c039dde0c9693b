//! Where finished recordings lie: an object store, a local folder with fsync by default.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use media::WriteBehind;
use media::limits::FILE_BUFFER_BYTES;
use object_store::local::LocalFileSystem;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, WriteMultipart,
};
use protocol::{Digest, SessionId};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, PersistError};
use tokio::task::spawn_blocking;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

use super::assemble::AssembleError;

/// Bytes of one part of an upload; S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at the same time.
const PARTS_IN_FLIGHT_MAX: usize = 2;

const FOLDER: &str = "recordings";
/// Of what is drawn of a recording's sound.
const PEAKS_EXTENSION: &str = "peaks";
/// Of the same recording with all its sound in one track; it is packed like the recording.
const MIX_EXTENSION: &str = "mix";

#[derive(Debug, Clone)]
pub(crate) struct RecordingFiles {
    objects: Arc<dyn ObjectStore>,
    /// Where the keys begin.
    root: PathBuf,
    /// Where the recordings are.
    folder: PathBuf,
}

/// A file that ends early when the server stops, or nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Stoppable {
    file: File,
    stopping: CancellationToken,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopping.is_cancelled() { Ok(0) } else { self.file.read(buffer) }
    }
}

impl Seek for Stoppable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A file in its place.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) bytes: u64,
}

impl RecordingFiles {
    /// Recordings as files below `folder`, synced to disk before they count as stored.
    pub(crate) fn local(folder: &Path) -> Result<Self, object_store::Error> {
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
        Ok(Self { objects, root: folder.to_owned(), folder: folder.join(FOLDER) })
    }

    /// Stores a file of a session under a name that no other has. Durable on return.
    pub(super) async fn keep(
        &self,
        id: SessionId,
        file: NamedTempFile,
        extension: &str,
    ) -> Result<Kept, AssembleError> {
        let bytes = file.as_file().metadata()?.len();
        let key = format!("{FOLDER}/{id}/{:016x}.{extension}", rand::random::<u64>());
        self.put::<AssembleError>(&key, file).await?;
        Ok(Kept { key, bytes })
    }

    /// Moves a file to this key. Durable on return.
    pub(crate) async fn put<E>(&self, key: &str, file: NamedTempFile) -> Result<(), E>
    where
        E: From<io::Error> + From<object_store::Error>,
    {
        let place = self.path_of(key);
        let moving = spawn_blocking(move || move_durably(file, &place));
        match moving.await.map_err(io::Error::other)?? {
            None => Ok(()),
            Some(elsewhere) => self.copy(key, &elsewhere).await,
        }
    }

    async fn copy<E>(&self, key: &str, file: &NamedTempFile) -> Result<(), E>
    where
        E: From<io::Error> + From<object_store::Error>,
    {
        let upload = self.objects.put_multipart(&key.into()).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut file = tokio::fs::File::from_std(file.reopen()?);
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

    /// A whole file, for a thread that may block. It ends early when that is cut off: look at
    /// `stopping` afterwards.
    pub(crate) async fn reader(
        &self,
        key: &str,
        bytes: u64,
        stopping: &CancellationToken,
    ) -> Result<impl Read + Send + 'static, object_store::Error> {
        let stream = self.read(key, 0..bytes).await?;
        let stream = stream
            .map(|piece| piece.map_err(io::Error::from))
            .take_until(stopping.clone().cancelled_owned());
        Ok(SyncIoBridge::new(StreamReader::new(stream.boxed())))
    }

    /// The same for what has to go back and forth in the file, which lies in a folder here. (Of a
    /// store that is none it would have to be fetched whole before.)
    pub(crate) async fn seekable(
        &self,
        key: &str,
        stopping: &CancellationToken,
    ) -> io::Result<Stoppable> {
        let file = tokio::fs::File::open(self.path_of(key)).await?.into_std().await;
        Ok(Stoppable { file, stopping: stopping.clone() })
    }

    /// Where a recording is as a file, for another program.
    pub(crate) fn path_of(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// What was kept beside the recording under this key; `None` when there is nothing.
    pub(super) async fn peaks(&self, key: &str) -> Result<Option<Bytes>, object_store::Error> {
        match self.objects.get(&peaks_key(key).into()).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn store_peaks(
        &self,
        key: &str,
        peaks: Bytes,
    ) -> Result<(), object_store::Error> {
        self.objects.put(&peaks_key(key).into(), peaks.into()).await.map(drop)
    }

    /// Deletes a file that was replaced, and all that was made of it. A failure costs room, nothing
    /// else.
    pub(super) async fn delete(&self, key: &str) {
        let folder = key.rsplit_once('/').map_or(key, |(folder, _)| folder);
        let mut files = self.objects.list(Some(&folder.into()));
        while let Some(file) = files.next().await {
            let deleted = match file {
                Ok(file) if stem_of(file.location.as_ref()) == stem_of(key) => {
                    self.remove(&file.location).await.map(drop)
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = deleted {
                tracing::warn!(key, %error, "a replaced recording could not be deleted");
            }
        }
    }

    /// Deletes every file of a session, whatever it is.
    pub(super) async fn delete_all(&self, id: SessionId) -> Result<(), object_store::Error> {
        let mut files = self.objects.list(Some(&format!("{FOLDER}/{id}").into()));
        while let Some(file) = files.next().await {
            self.remove(&file?.location).await?;
        }
        Ok(())
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
    pub(crate) async fn abandoned_uploads(&self, aged: SystemTime) -> io::Result<u64> {
        let folder = self.folder.clone();
        spawn_blocking(move || {
            let mut deleted = 0;
            for session in folders_in(&folder)? {
                deleted += delete_aged(&session, aged, is_upload)?;
            }
            Ok(deleted)
        })
        .await?
    }
}

/// Where lies what is drawn of the recording under this key.
fn peaks_key(key: &str) -> String {
    format!("{}.{PEAKS_EXTENSION}", stem_of(key))
}

/// Where lies the recording under this key with all its sound in one track.
pub(crate) fn mix_key(key: &str) -> String {
    format!("{}.{MIX_EXTENSION}.{}", stem_of(key), extension_of(key))
}

/// What a key ends in, without the dot.
pub(crate) fn extension_of(key: &str) -> &str {
    key.rsplit_once('.').map_or("webm", |(_, extension)| extension)
}

/// Tells the file under a key from all others that its session ever had.
pub(crate) fn version_of(key: &str) -> &str {
    let stem = stem_of(key);
    stem.rsplit_once('/').map_or(stem, |(_, name)| name)
}

/// What the names of a recording and of all that is made of it begin with.
fn stem_of(key: &str) -> &str {
    let name = key.rfind('/').map_or(0, |slash| slash + 1);
    key[name..].find('.').map_or(key, |dot| &key[..name + dot])
}

/// Whether a file is to be kept as long as the one under `key`: exports are not.
pub(crate) fn is_of(file: &str, key: &str) -> bool {
    file == key || made_beside(key).iter().any(|one| file == one)
}

/// Where what is made of the recording under this key is kept as long as that is. It need not be
/// there.
pub(crate) fn made_beside(key: &str) -> [String; 2] {
    [peaks_key(key), mix_key(key)]
}

/// Deletes the files right in a folder that are old enough and that are `meant`.
pub(crate) fn delete_aged(
    folder: &Path,
    aged: SystemTime,
    meant: impl Fn(&Path) -> bool,
) -> std::io::Result<u64> {
    let mut deleted = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = match entry.metadata() {
            Ok(about) => about,
            // Another server was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if about.is_file() && about.modified()? <= aged && meant(&entry.path()) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => deleted += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(deleted)
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Nothing has been recorded yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
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

/// Syncs a file and its way to its place. Gives it back when that is on another device.
fn move_durably(file: NamedTempFile, place: &Path) -> io::Result<Option<NamedTempFile>> {
    file.as_file().sync_all()?;
    let folder = place.parent().unwrap_or(place);
    std::fs::create_dir_all(folder)?;
    match file.persist(place) {
        Ok(_) => {}
        Err(PersistError { error, file }) if error.kind() == ErrorKind::CrossesDevices => {
            return Ok(Some(file));
        }
        Err(PersistError { error, .. }) => return Err(error),
    }
    // A session's first file makes its folder.
    for folder in folder.ancestors().take(2) {
        File::open(folder)?.sync_all()?;
    }
    Ok(None)
}

/// What is written into such a file, in pieces that the system takes well.
pub(crate) fn writer_into(file: &NamedTempFile) -> io::Result<WriteBehind> {
    WriteBehind::new(file.reopen()?)
}

/// Of a whole file, from its beginning.
pub(super) fn digest_of(mut file: File) -> io::Result<Digest> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; FILE_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_bytes(hasher.finalize().into())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

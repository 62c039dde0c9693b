//! Whether there is room for items. Once a write finds the disk full, nothing more is taken until
//! there is room again; a watch finds that out by itself.
//!
//! A small file is kept in reserve and given up when the disk is full: on a file system without a
//! free block SQLite cannot even let a session be discarded, and so nothing could make room.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Store, StoreError};

/// What is kept in reserve: enough for the log of many small transactions and for the recording of
/// a short session.
const RESERVE_BYTES: u64 = 8 * 1024 * 1024;
/// Room beside the reserve with which items are taken again.
const RESUME_BYTES: u64 = 1024 * 1024;
/// Of a database whose size is limited, the part that items may not use.
const RESERVE_DATABASE_BYTES: u64 = 1024 * 1024;
/// What a recording in the making leaves free, so that it never takes the room of items.
const SPARED_BYTES: u64 = RESERVE_BYTES / 2;
/// How often a full disk is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// What is written to tell a full disk from a broken one.
const PROBE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where the database and the reserve are.
    folder: PathBuf,
    full_since: Mutex<Option<Instant>>,
    /// Without the time since then.
    full_before: Mutex<Duration>,
}

/// How large a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    /// What a process without privileges may still write.
    pub(crate) free_bytes: u64,
    pub(crate) all_bytes: u64,
}

/// The limit of a database's size, in its pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct PagesMax {
    all: u64,
    items: u64,
    resume: u64,
}

impl Room {
    /// Makes the reserve, if there is room for it.
    pub(super) fn beside(database: &Path) -> io::Result<Self> {
        let parent = database.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        let room = Self(Arc::new(Inner {
            folder,
            full_since: Mutex::default(),
            full_before: Mutex::default(),
        }));
        let kept = std::fs::metadata(room.reserve()).is_ok_and(|file| file.len() >= RESERVE_BYTES);
        match if kept { Ok(true) } else { room.set_aside() } {
            Ok(true) => {}
            Ok(false) => room.fill("there is no room for the reserve"),
            Err(error) => return Err(error),
        }
        Ok(room)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full_since().is_some()
    }

    /// For how long the disk has been full since the start.
    pub(crate) fn full_in_all(&self) -> Duration {
        let now = self.full_since().map_or(Duration::ZERO, |since| since.elapsed());
        *self.full_before() + now
    }

    /// The disk that the database is on.
    pub(crate) fn disk(&self) -> io::Result<Disk> {
        disk_of(&self.0.folder)
    }

    /// As [`check_room`].
    pub(crate) fn check(&self, folder: &Path, bytes: u64) -> io::Result<()> {
        check_room(folder, bytes)
    }

    /// Nothing more is taken from here on, and the reserve is given up for what must go on.
    pub(super) fn fill(&self, cause: &str) {
        {
            let mut since = self.full_since();
            if since.is_some() {
                return;
            }
            *since = Some(Instant::now());
        }
        let folder = self.0.folder.display();
        tracing::error!(%folder, cause, "the disk is full: nothing is taken until there is room");
        match std::fs::remove_file(self.reserve()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::error!(%error, "the reserve cannot be given up"),
        }
    }

    fn has_room_again(&self) {
        if let Some(since) = self.full_since().take() {
            let full_for = since.elapsed();
            *self.full_before() += full_for;
            tracing::info!(seconds = full_for.as_secs(), "there is room on the disk again");
        }
    }

    /// SQLite calls some writes that find no room an I/O error; writing tells.
    pub(super) async fn judge(&self, error: StoreError) -> StoreError {
        if !is_io_error(&error) {
            return error;
        }
        let probe = self.0.folder.join("probe");
        let full = tokio::task::spawn_blocking(move || {
            let written = File::create(&probe).and_then(|file| fill_with_zeros(file, PROBE_BYTES));
            drop(std::fs::remove_file(&probe));
            written.is_err_and(|error| is_full(&error))
        });
        if full.await.unwrap_or(false) { StoreError::DiskFull } else { error }
    }

    /// Sets the reserve aside again. False when there is no room for it and for some items.
    fn set_aside(&self) -> io::Result<bool> {
        if free_bytes(&self.0.folder)? < RESERVE_BYTES + RESUME_BYTES {
            return Ok(false);
        }
        let bytes = usize::try_from(RESERVE_BYTES).unwrap_or(usize::MAX);
        let written = File::create(self.reserve()).and_then(|file| fill_with_zeros(file, bytes));
        match written {
            Ok(()) => Ok(true),
            Err(error) => {
                drop(std::fs::remove_file(self.reserve()));
                if is_full(&error) { Ok(false) } else { Err(error) }
            }
        }
    }

    fn reserve(&self) -> PathBuf {
        self.0.folder.join("reserve")
    }

    fn full_before(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.0.full_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.full_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PagesMax {
    pub(super) fn new(bytes_max: u64, page_bytes: u64) -> Self {
        let pages = |bytes: u64| bytes / page_bytes.max(1);
        let all = pages(bytes_max);
        let items = all.saturating_sub(pages(RESERVE_DATABASE_BYTES));
        Self { all, items, resume: pages(RESERVE_DATABASE_BYTES + RESUME_BYTES) }
    }

    pub(super) const fn all(self) -> u64 {
        self.all
    }

    pub(super) const fn items(self) -> u64 {
        self.items
    }

    const fn has_room_for_items(self, used: u64) -> bool {
        used.saturating_add(self.resume) <= self.all
    }
}

/// Looks for room while the disk is full.
pub(crate) async fn watch(store: Store, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
        if store.room.is_full()
            && let Err(error) = look(&store).await
        {
            tracing::warn!(%error, "cannot tell whether there is room again");
        }
    }
}

async fn look(store: &Store) -> anyhow::Result<()> {
    if let Some(pages_max) = store.pages_max
        && !pages_max.has_room_for_items(store.pages_used().await?)
    {
        return Ok(());
    }
    let room = store.room.clone();
    if tokio::task::spawn_blocking(move || room.set_aside()).await?? {
        store.room.has_room_again();
    }
    Ok(())
}

/// Whether the error says that there is no room, for everybody or for this user.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_io_error(error: &StoreError) -> bool {
    /// SQLITE_IOERR and SQLITE_CANTOPEN; the extended codes have more in their upper bytes.
    const PRIMARY: [i32; 2] = [10, 14];
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| PRIMARY.contains(&(code & 0xff)))
}

/// Real blocks: a file with a hole in it keeps nothing in reserve.
fn fill_with_zeros(mut file: File, bytes: usize) -> io::Result<()> {
    static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(PIECE.len());
        file.write_all(&PIECE[..piece])?;
        left -= piece;
    }
    file.sync_all()
}

/// Fails when `bytes` more in `folder` would take the room of items.
pub(crate) fn check_room(folder: &Path, bytes: u64) -> io::Result<()> {
    if free_bytes(folder)? < bytes.saturating_add(SPARED_BYTES) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    Ok(disk_of(folder)?.free_bytes)
}

fn disk_of(folder: &Path) -> io::Result<Disk> {
    let statistics = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(statistics.f_frsize);
    Ok(Disk { free_bytes: bytes(statistics.f_bavail), all_bytes: bytes(statistics.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_leave_a_part_of_a_limited_database_alone() {
        let pages = PagesMax::new(16 * 1024 * 1024, 4096);
        assert_eq!((pages.all(), pages.items()), (4096, 4096 - 256));
        assert!(pages.has_room_for_items(4096 - 512));
        assert!(!pages.has_room_for_items(4096 - 511));
    }

    #[test]
    fn a_full_disk_gives_up_the_reserve_and_sets_it_aside_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let room = Room::beside(&folder.path().join("x.db")).unwrap();
        let reserve = folder.path().join("reserve");
        assert_eq!(std::fs::metadata(&reserve).unwrap().len(), RESERVE_BYTES);
        room.fill("a test");
        assert!(room.is_full() && !reserve.exists());
        assert!(room.set_aside().unwrap());
        std::thread::sleep(Duration::from_millis(5));
        room.has_room_again();
        assert!(!room.is_full() && reserve.exists());
        let full = room.full_in_all();
        assert!(full >= Duration::from_millis(5));
        assert_eq!(room.full_in_all(), full, "it is not full any more");
    }

    #[test]
    fn no_recording_takes_the_room_of_items() {
        let folder = tempfile::TempDir::new().unwrap();
        let room = Room::beside(&folder.path().join("x.db")).unwrap();
        assert!(room.check(folder.path(), 0).is_ok());
        assert!(is_full(&room.check(folder.path(), u64::MAX).unwrap_err()));
    }
}

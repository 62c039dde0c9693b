//! The embedded database: opens it, and holds every query. What may happen to a session is in `ledger`;
//! this module carries that out inside transactions.

mod ahead;
mod append;
mod as_ledger;
mod commands;
mod derived;
mod erase;
mod events;
mod items;
mod jobs;
mod left_out;
mod migrations;
mod numbers;
mod outside;
pub mod payload;
mod recordings;
mod room;
mod rows;
mod ruled;
mod sessions;
mod supplement;
mod timelines;
mod tracks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::Refused;
use ledger::rules::Policy;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

use payload::{InRow, PayloadStore};
use room::PagesMax;

pub use events::{EVENTS_PER_SESSION_MAX, LoggedEvent, NewEvent};
pub use items::{Payload, StoredChunk, Unchecked, Unreadable};
pub use jobs::{ListedJob, STATE_WORDS, state_word};
pub use left_out::LeftOutRun;
pub(crate) use outside::{NamedFile, Outside};
pub(crate) use room::{Disk, Room, check_room, is_full, watch as watch_room};
pub use rows::{Recording, Session};
pub use sessions::{Page, PageKey};
pub use supplement::{LateRun, MadeSupplement, Supplement, SupplementFile};
pub use timelines::{MARKS_PER_SESSION_MAX, PAUSES_PLACED_MAX};
pub use tracks::{
    ChunkRun, Frame, KeptFile, Made, StitchedRun, TrackFile, media_of, only_track, track_stem,
};

/// How long a statement waits for another writer before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS_MAX: u32 = 4;
/// WAL pages between checkpoints: large enough that a checkpoint is rare beside group commits of
/// video chunks.
const WAL_AUTOCHECKPOINT_PAGES: &str = "4000";

/// Prepared statements that a connection keeps: appends come in many lengths.
const PREPARED_STATEMENTS_MAX: usize = 256;

/// Rows in one statement. SQLite allows 32,766 parameters; a fixed bound keeps the number of
/// different statements, and so the prepared ones, small.
const ROWS_PER_STATEMENT: usize = 64;

type Tx = Transaction<'static, Sqlite>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the disk is full")]
    DiskFull,
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
    #[error("the database cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("a stored value cannot be read back: {0}")]
    Corrupt(&'static str),
}

/// SQLITE_FULL: no room on the disk, or the database is as large as it may be.
const SQLITE_FULL: &str = "13";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|inner| inner.code()) {
            Some(code) if code == SQLITE_FULL => Self::DiskFull,
            Some(_) | None => Self::Database(error),
        }
    }
}

/// One writing connection, so that writers queue here rather than in SQLite, and several readers.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    room: Room,
    /// `None`: as large as the disk.
    pages_max: Option<PagesMax>,
    payloads: Arc<dyn PayloadStore>,
    policy: Policy,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date. `bytes_max` limits the size of
    /// its main file.
    pub async fn open(
        path: &Path,
        bytes_max: Option<u64>,
        policy: Policy,
    ) -> Result<Self, StoreError> {
        let room = Room::beside(path).map_err(|error| StoreError::Database(error.into()))?;
        let error = match Self::open_in(&room, path, bytes_max, policy).await {
            Ok(store) => return Ok(store),
            Err(error) => room.judge(error).await,
        };
        if matches!(error, StoreError::DiskFull) {
            // Even opening needs some room; the reserve has it.
            room.fill("the database cannot be opened");
            return Self::open_in(&room, path, bytes_max, policy).await;
        }
        Err(error)
    }

    async fn open_in(
        room: &Room,
        path: &Path,
        bytes_max: Option<u64>,
        policy: Policy,
    ) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An ack means durable: every commit is synced to disk.
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)
            // What is deleted is overwritten.
            .pragma("secure_delete", "ON")
            .statement_cache_capacity(PREPARED_STATEMENTS_MAX)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // After some errors SQLite has rolled back by itself, and the driver believes for ever
            // that it is in a transaction: such a connection takes no other.
            .before_acquire(|connection, _| {
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .after_connect(move |connection, _| Box::pin(limit_size(connection, bytes_max)))
            .connect_with(options.clone())
            .await?;
        migrations::migrator().run(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true))
            .await?;
        let page_bytes = page_bytes(&mut *reader.acquire().await?).await?;
        let pages_max = bytes_max.map(|bytes_max| PagesMax::new(bytes_max, page_bytes));
        let payloads = Arc::new(InRow);
        Ok(Self { writer, reader, room: room.clone(), pages_max, payloads, policy })
    }

    /// A transaction that holds the write lock from the start, so that what it reads stays true
    /// until it commits.
    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether there is room for items.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Runs a call of this store that takes something new: refused while the disk is full, and
    /// noted when it finds it full.
    pub(crate) async fn taking<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.room.is_full() {
            return Err(StoreError::DiskFull);
        }
        self.noting(call).await
    }

    /// Runs a call of this store that must go on while the disk is full, because others wait for
    /// it or it lets items go. It is noted when it finds the disk full.
    pub(crate) async fn noting<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let error = match call.await {
            Ok(value) => return Ok(value),
            Err(error) => self.room.judge(error).await,
        };
        if matches!(error, StoreError::DiskFull) {
            self.room.fill("the database cannot be written");
        }
        Err(error)
    }

    /// Items may use fewer pages than what lets them go: finishing and discarding sessions.
    async fn keep_pages_in_reserve(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match self.pages_max {
            Some(pages_max) => Ok(limit_pages(tx, pages_max.items()).await?),
            None => Ok(()),
        }
    }

    async fn open_reserved_pages(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match self.pages_max {
            Some(pages_max) => Ok(limit_pages(tx, pages_max.all()).await?),
            None => Ok(()),
        }
    }

    async fn pages_used(&self) -> Result<u64, StoreError> {
        let pages = |name: &'static str| sqlx::query_scalar::<_, i64>(name).fetch_one(&self.reader);
        let all = pages("PRAGMA page_count").await?;
        let free = pages("PRAGMA freelist_count").await?;
        Ok(rows::unsigned(all).saturating_sub(rows::unsigned(free)))
    }

    /// Fails when the database cannot answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// Brings what was deleted out of the log as well: no byte of it is left in either file.
    pub(crate) async fn empty_wal(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await?;
        Ok(())
    }

    /// Folds the log into the database, which then is one file that can be copied. Readers go first:
    /// what one of them still reads cannot be folded in.
    pub async fn close(&self) {
        self.reader.close().await;
        let folded = sqlx::query_scalar::<_, bool>("PRAGMA wal_checkpoint(TRUNCATE)");
        match folded.fetch_one(&self.writer).await {
            Ok(false) => {}
            // Nothing is lost by either: the next one to open it finds the log.
            Ok(true) => tracing::warn!("another process reads the database, which keeps its log"),
            Err(error) => tracing::warn!(%error, "the database keeps its log"),
        }
        self.writer.close().await;
    }
}

async fn limit_size(
    connection: &mut SqliteConnection,
    bytes_max: Option<u64>,
) -> Result<(), sqlx::Error> {
    match bytes_max {
        Some(bytes_max) => {
            let pages_max = PagesMax::new(bytes_max, page_bytes(connection).await?);
            limit_pages(connection, pages_max.all()).await
        }
        None => Ok(()),
    }
}

async fn limit_pages(connection: &mut SqliteConnection, pages_max: u64) -> Result<(), sqlx::Error> {
    let pragma = format!("PRAGMA max_page_count = {pages_max}");
    sqlx::query(AssertSqlSafe(pragma)).execute(connection).await?;
    Ok(())
}

async fn page_bytes(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(connection).await?;
    Ok(rows::unsigned(bytes))
}

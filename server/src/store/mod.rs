//! The embedded database: opens it, and holds every query. Rules about statuses are in `protocol`;
//! this module only applies them inside transactions.

mod append;
mod items;
mod rows;
mod sessions;

use std::path::Path;
use std::time::Duration;

use protocol::status::IllegalTransition;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

pub use append::{Append, Appended};
pub use items::StoredChunk;
pub use rows::{Recording, Segment, Session};
pub use sessions::{NewSession, Page, PageKey, Whose};

/// How long a statement waits for another writer before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS_MAX: u32 = 4;
/// WAL pages between checkpoints: large enough that a checkpoint is rare beside group commits of
/// video chunks.
const WAL_AUTOCHECKPOINT_PAGES: &str = "4000";

/// Prepared statements that a connection keeps: appends come in many lengths.
const PREPARED_STATEMENTS_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no such session")]
    UnknownSession,
    #[error("the token does not belong to this session")]
    WrongToken,
    #[error("a newer writer has taken over this session")]
    Fenced,
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("a stored value cannot be read back: {0}")]
    Corrupt(&'static str),
}

/// One writing connection, so that writers queue here rather than in SQLite, and several readers.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An ack means durable: every commit is synced to disk.
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)
            .statement_cache_capacity(PREPARED_STATEMENTS_MAX)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../migrations/sqlite").run(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { writer, reader })
    }

    /// A transaction that holds the write lock from the start, so that what it reads stays true
    /// until it commits.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Fails when the database cannot answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
    }
}

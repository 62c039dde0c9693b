//! A database as another process sees it beside the server: read, copied, never written. The server's
//! writer does not wait for it.

use std::path::Path;

use protocol::Digest;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::rows::{digest, unsigned};
use super::{BUSY_TIMEOUT, StoreError, migrations, page_bytes};

#[derive(Debug)]
pub(crate) struct Outside(SqliteConnection);

/// A file that the database names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    /// Where it is known.
    pub(crate) digest: Option<Digest>,
}

impl Outside {
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options =
            SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        Ok(Self(SqliteConnection::connect_with(&options).await?))
    }

    /// Whether its tables are those of this program.
    pub(crate) async fn is_of_this_version(&mut self) -> Result<bool, StoreError> {
        let newest = "SELECT max(version) FROM _sqlx_migrations WHERE success";
        let newest: Option<i64> = sqlx::query_scalar(newest).fetch_one(&mut self.0).await?;
        Ok(newest == Some(migrations::NEWEST))
    }

    /// Every file of a recording, a track or a supplement, once.
    pub(crate) async fn files(&mut self) -> Result<Vec<NamedFile>, StoreError> {
        let rows = sqlx::query(
            "SELECT key, max(bytes) AS bytes, max(digest) AS digest FROM ( \
                 SELECT recording_key AS key, recording_bytes AS bytes, recording_digest AS digest \
                 FROM sessions WHERE recording_key IS NOT NULL \
                 UNION ALL SELECT key, bytes, NULL FROM track_files \
                 UNION ALL SELECT key, bytes, NULL FROM supplement_files \
             ) GROUP BY key",
        )
        .fetch_all(&mut self.0)
        .await?;
        rows.iter()
            .map(|row| {
                let known: Option<Vec<u8>> = row.try_get("digest")?;
                Ok(NamedFile {
                    key: row.try_get("key")?,
                    bytes: unsigned(row.try_get("bytes")?),
                    digest: known.as_deref().map(digest).transpose()?,
                })
            })
            .collect()
    }

    /// About what a copy takes.
    pub(crate) async fn bytes(&mut self) -> Result<u64, StoreError> {
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut self.0).await?;
        Ok(unsigned(pages).saturating_mul(page_bytes(&mut self.0).await?))
    }

    /// Copies it as it is at this moment into a file that is not there yet. That is not synced.
    pub(crate) async fn copy_into(&mut self, file: &str) -> Result<(), StoreError> {
        sqlx::query("VACUUM INTO ?").bind(file).execute(&mut self.0).await?;
        Ok(())
    }

    /// Reads all of it. Tells what is wrong.
    pub(crate) async fn flaw(&mut self) -> Result<Option<String>, StoreError> {
        let found: String =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut self.0).await?;
        Ok((found != "ok").then_some(found))
    }

    pub(crate) async fn close(self) -> Result<(), StoreError> {
        Ok(self.0.close().await?)
    }
}

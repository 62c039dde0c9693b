//! Tries to make recordings: noted before they begin, so that the next start knows of one that ended
//! the server. How long to wait after one is `recording`'s to say.

use protocol::{SessionId, UnixMillis};
use sqlx::Row as _;

use super::rows::{self, signed};
use super::{Store, StoreError, Tx};

/// Tries of one session that may end the server, or break off. After that it is left alone.
pub const RECORDING_TRIES_MAX: u32 = 5;

/// How a session's recording stands with the server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Begun, and never ended in any way.
    pub unended: u32,
    pub not_before: Option<UnixMillis>,
}

impl Store {
    pub async fn recording_tries(&self, id: SessionId) -> Result<Tries, StoreError> {
        let row =
            sqlx::query("SELECT recording_tries, recording_not_before FROM sessions WHERE id = ?")
                .bind(id.as_bytes().as_slice())
                .fetch_optional(&self.reader)
                .await?
                .ok_or(StoreError::UnknownSession)?;
        Ok(Tries {
            unended: row.try_get("recording_tries")?,
            not_before: row
                .try_get::<Option<i64>, _>("recording_not_before")?
                .map(rows::unix_millis),
        })
    }

    /// Durable before the work begins.
    pub async fn begin_try(&self, id: SessionId) -> Result<(), StoreError> {
        self.of_session(
            "UPDATE sessions SET recording_tries = recording_tries + 1 WHERE id = ?",
            id,
        )
        .await
    }

    /// It came to an end of which somebody can tell: it does not count.
    pub async fn try_over(&self, id: SessionId) -> Result<(), StoreError> {
        self.of_session(
            "UPDATE sessions SET recording_tries = max(recording_tries - 1, 0) WHERE id = ?",
            id,
        )
        .await
    }

    /// The next try waits.
    pub async fn hold_back(&self, id: SessionId, until: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET recording_not_before = ? WHERE id = ?")
            .bind(signed(until.get()))
            .bind(id.as_bytes().as_slice())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What is left of servers that are gone: sessions, and how many tries of each never ended.
    pub async fn unended_tries(&self) -> Result<Vec<(SessionId, u32)>, StoreError> {
        let rows =
            sqlx::query("SELECT id, recording_tries FROM sessions WHERE recording_tries > 0")
                .fetch_all(&self.reader)
                .await?;
        let tried = |row: &sqlx::sqlite::SqliteRow| {
            Ok((rows::session_id(row.try_get("id")?)?, row.try_get("recording_tries")?))
        };
        rows.iter().map(tried).collect()
    }

    /// Durable before a session is worked ahead for.
    pub async fn begin_ahead(&self, id: SessionId) -> Result<(), StoreError> {
        self.of_session(
            "UPDATE sessions SET worked_ahead = 1 WHERE id = ? AND worked_ahead = 0",
            id,
        )
        .await
    }

    /// The server stops in good order: the next one may go on.
    pub async fn ahead_over(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET worked_ahead = 0 WHERE worked_ahead = 1")
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What a server that is gone worked ahead for may be what ended it: it is made at its end, when
    /// its tries are counted. Tells how many sessions.
    pub async fn give_up_ahead(&self) -> Result<u64, StoreError> {
        let done = sqlx::query("UPDATE sessions SET worked_ahead = 2 WHERE worked_ahead = 1")
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }

    async fn of_session(&self, statement: &'static str, id: SessionId) -> Result<(), StoreError> {
        sqlx::query(statement).bind(id.as_bytes().as_slice()).execute(&self.writer).await?;
        Ok(())
    }
}

/// Somebody asks for a recording that was given up: once more, and at once.
pub(super) async fn allow_one_more(tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE sessions SET recording_tries = min(recording_tries, ?), \
         recording_not_before = NULL WHERE id = ?",
    )
    .bind(RECORDING_TRIES_MAX - 1)
    .bind(id.as_bytes().as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

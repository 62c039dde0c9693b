//! What the janitor may clear away, and the clearing. Each condition is checked again in the
//! transaction that deletes, so that another server or a returning writer cannot come between.

use protocol::{SessionId, SessionStatus, UnixMillis};
use sqlx::Row as _;

use super::rows::{self, signed};
use super::tracks::{KeptFile, kept_files};
use super::{Session, Store, StoreError};

/// Items deleted in one transaction: the ledger waits meanwhile.
const ITEMS_PER_DELETE: u32 = 2_000;

/// Sessions whose rows may go.
#[derive(Debug, Clone, Copy)]
pub enum Useless {
    /// Nothing was ever stored, none was said to exist, nobody can resume it, and the last sign of
    /// life was before this.
    Unused { silent_since: UnixMillis },
    /// Thrown away before this.
    Discarded { before: UnixMillis },
}

impl Useless {
    const fn condition(self) -> &'static str {
        match self {
            Self::Unused { .. } => {
                "status IN ('incomplete', 'failed') AND items = 0 AND last_seq IS NULL \
                 AND recording_key IS NULL AND last_heartbeat_at <= ?1 \
                 AND (deadline_at IS NULL OR deadline_at <= ?2)"
            }
            Self::Discarded { .. } => {
                "status = 'discarded' AND coalesce(discarded_at, last_heartbeat_at) <= ?1 \
                 AND ?2 IS NOT NULL"
            }
        }
    }

    const fn before(self) -> UnixMillis {
        match self {
            Self::Unused { silent_since } => silent_since,
            Self::Discarded { before } => before,
        }
    }
}

impl Store {
    pub async fn count_sessions(&self) -> Result<Vec<(SessionStatus, u64)>, StoreError> {
        let rows = sqlx::query("SELECT status, count(*) AS count FROM sessions GROUP BY status")
            .fetch_all(&self.reader)
            .await?;
        let count = |row: &sqlx::sqlite::SqliteRow| {
            Ok((rows::status(row.try_get("status")?)?, rows::unsigned(row.try_get("count")?)))
        };
        rows.iter().map(count).collect()
    }

    pub async fn useless_sessions(
        &self,
        useless: Useless,
        now: UnixMillis,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError> {
        let query = format!("SELECT id FROM sessions WHERE {} LIMIT ?3", useless.condition());
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(signed(useless.before().get()))
            .bind(signed(now.get()))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| rows::session_id(row.try_get("id")?)).collect()
    }

    /// Deletes a session with all of its rows. False when it is not, or not any more, such a one.
    pub async fn delete_useless(
        &self,
        id: SessionId,
        useless: Useless,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        // What is discarded stays so; its items can go bit by bit.
        if let Useless::Discarded { .. } = useless {
            while self.delete_discarded_items(id).await? > 0 {}
        }
        let mut tx = self.begin().await?;
        let query = format!("SELECT 1 FROM sessions WHERE {} AND id = ?3", useless.condition());
        let still_is = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(signed(useless.before().get()))
            .bind(signed(now.get()))
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&mut *tx)
            .await?
            .is_some();
        if !still_is {
            return Ok(false);
        }
        for statement in [
            "DELETE FROM events WHERE session_id = ?",
            "DELETE FROM track_files WHERE session_id = ?",
            "DELETE FROM frames WHERE session_id = ?",
            "DELETE FROM chunk_runs WHERE session_id = ?",
            "DELETE FROM pause_cuts WHERE session_id = ?",
            "DELETE FROM segments WHERE session_id = ?",
            "DELETE FROM items WHERE session_id = ?",
            "DELETE FROM sessions WHERE id = ?",
        ] {
            sqlx::query(statement).bind(id.as_bytes().as_slice()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn delete_discarded_items(&self, id: SessionId) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "DELETE FROM items WHERE rowid IN (SELECT rowid FROM items WHERE session_id = ?1 \
             AND (SELECT status FROM sessions WHERE id = ?1) = 'discarded' LIMIT ?2)",
        )
        .bind(id.as_bytes().as_slice())
        .bind(ITEMS_PER_DELETE)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Completed sessions whose payloads a crash has left, with their files. Where something is in no
    /// file, they are meant to stay.
    pub async fn completed_with_payloads(
        &self,
        limit: u32,
    ) -> Result<Vec<(SessionId, Vec<KeptFile>)>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {} FROM sessions WHERE status = 'completed' AND payloads_dropped = 0 \
             AND recording_left_out = 0 LIMIT ?",
            Session::COLUMNS
        )))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let sessions = rows.iter().map(Session::from_row).collect::<Result<Vec<_>, _>>()?;
        let mut left = Vec::with_capacity(sessions.len());
        for session in sessions {
            if let Some(recording) = &session.recording {
                let tracks = self.track_files(session.id).await?;
                left.push((session.id, kept_files(recording, &tracks)));
            }
        }
        Ok(left)
    }
}

//! Sessions as they are read: one, or a list of them.

use ledger::{JobKind, Refused};
use protocol::{SegmentNo, SessionId, SessionStatus, UnixMillis};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::rows::{self, signed};
use super::{Session, Store, StoreError};

/// A place in the history: the session before which the next page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    pub created_at: UnixMillis,
    pub id: SessionId,
}

#[derive(Debug)]
pub struct Page {
    pub sessions: Vec<Session>,
    pub next: Option<PageKey>,
}

impl Store {
    pub async fn session(&self, id: SessionId) -> Result<Session, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(Session::COLUMNS).push(" FROM sessions WHERE id = ");
        query.push_bind(id.as_bytes().to_vec());
        let row = query.build().fetch_optional(&self.reader).await?;
        Session::from_row(&row.ok_or(Refused::UnknownSession)?)
    }

    /// Newest first, `limit` of them, from `before` on.
    pub async fn sessions(
        &self,
        status: Option<SessionStatus>,
        before: Option<PageKey>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(Session::COLUMNS).push(" FROM sessions WHERE ");
        match status {
            Some(status) => query.push("status = ").push_bind(status.as_str()),
            // What was thrown away is listed only when asked for.
            None => query.push("status <> ").push_bind(SessionStatus::Discarded.as_str()),
        };
        if let Some(before) = before {
            query.push(" AND (created_at, id) < (").push_bind(signed(before.created_at.get()));
            query.push(", ").push_bind(before.id.as_bytes().to_vec()).push(")");
        }
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = query.build().fetch_all(&self.reader).await?;
        let mut sessions = rows.iter().map(Session::from_row).collect::<Result<Vec<_>, _>>()?;
        let more = sessions.len() > limit as usize;
        sessions.truncate(limit as usize);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|last| PageKey { created_at: last.created_at, id: last.id });
        Ok(Page { sessions, next })
    }

    /// Sessions that are being recorded, or about to end, and have so many bytes: the oldest of them.
    /// Not those that may have ended a server.
    pub async fn long_sessions(
        &self,
        bytes_min: u64,
        limit: u32,
    ) -> Result<Vec<(SessionId, SessionStatus)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, status FROM sessions WHERE status IN (?, ?, ?) AND payload_bytes >= ? \
             AND worked_ahead < 2 AND NOT EXISTS \
             (SELECT 1 FROM jobs WHERE session_id = id AND kind = ? AND tries > 1) \
             ORDER BY created_at, id LIMIT ?",
        )
        .bind(SessionStatus::Active.as_str())
        .bind(SessionStatus::Interrupted.as_str())
        .bind(SessionStatus::Finalizing.as_str())
        .bind(signed(bytes_min))
        .bind(JobKind::Assemble.as_str())
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let session = |row: &sqlx::sqlite::SqliteRow| {
            Ok((rows::session_id(row.try_get("id")?)?, rows::status(row.try_get("status")?)?))
        };
        rows.iter().map(session).collect()
    }

    /// The first number that no stored recorder run has.
    pub async fn next_segment(&self, id: SessionId) -> Result<SegmentNo, StoreError> {
        let next = sqlx::query_scalar(
            "SELECT coalesce(max(segment) + 1, 0) FROM ( \
                 SELECT segment FROM segments WHERE session_id = ?1 \
                 UNION ALL SELECT last_segment FROM supplements WHERE session_id = ?1)",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_one(&self.reader)
        .await?;
        Ok(SegmentNo::new(next))
    }

    pub async fn count_sessions(&self) -> Result<Vec<(SessionStatus, u64)>, StoreError> {
        let rows = sqlx::query("SELECT status, count(*) AS count FROM sessions GROUP BY status")
            .fetch_all(&self.reader)
            .await?;
        let count = |row: &sqlx::sqlite::SqliteRow| {
            Ok((rows::status(row.try_get("status")?)?, rows::unsigned(row.try_get("count")?)))
        };
        rows.iter().map(count).collect()
    }
}

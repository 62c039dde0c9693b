//! Sessions: making, opening and listing them, and what their writers' coming and going changes.

use protocol::event::LossCause;
use protocol::message::{Hello, Opening, Progress};
use protocol::{
    Epoch, Event, Millis, SegmentNo, SessionEvent, SessionId, SessionStatus, TokenHash, UnixMillis,
};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::events::{self, NewEvent};
use super::rows::{self, signed};
use super::{Session, Store, StoreError, Tx};

#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub token: TokenHash,
    pub started_at: UnixMillis,
    pub now: UnixMillis,
}

/// On whose word a session is changed.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// The holder of the session's token.
    Candidate(TokenHash),
    /// Whoever may review.
    Reviewer,
}

/// A session opened for a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub epoch: Epoch,
    pub status: SessionStatus,
    pub progress: Progress,
    /// The writer had been away.
    pub resumed: Option<Resumed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    pub away: Millis,
    /// False: the session counted as incomplete already.
    pub within_grace: bool,
}

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
    /// Makes a session, or finds the one that the same token made before. True when it is new.
    pub async fn create_session(&self, new: &NewSession) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let created = insert_if_new(&mut tx, new).await?;
        if !created {
            let row = fetch_guard(&mut tx, new.id).await?.ok_or(StoreError::UnknownSession)?;
            row.check(Whose::Candidate(new.token))?;
        }
        tx.commit().await?;
        Ok(created)
    }

    /// Opens a session for a writer: checks its token, fences off the writer before unless it is the
    /// same one, and makes it active again if it still takes items.
    pub async fn open_session(&self, hello: &Hello, now: UnixMillis) -> Result<Opened, StoreError> {
        let mut tx = self.begin().await?;
        if let Opening::New { started_at } = hello.opening {
            let new = NewSession { id: hello.session, token: hello.token.hash(), started_at, now };
            insert_if_new(&mut tx, &new).await?;
        }
        let row = fetch_guard(&mut tx, hello.session).await?.ok_or(StoreError::UnknownSession)?;
        row.check(Whose::Candidate(hello.token.hash()))?;
        if row.status == SessionStatus::Discarded {
            return Err(StoreError::Discarded);
        }
        let epoch = hello.opening.epoch_after(row.epoch)?;
        let status = row.status.after(SessionEvent::WriterConnected).unwrap_or(row.status);
        let resumed = row.resumed(now);
        sqlx::query(
            "UPDATE sessions SET epoch = ?, status = ?, last_heartbeat_at = ?, away_since = NULL, \
             deadline_at = CASE WHEN ? THEN NULL ELSE deadline_at END WHERE id = ?",
        )
        .bind(signed(epoch.get()))
        .bind(status.as_str())
        .bind(signed(now.get()))
        .bind(status == SessionStatus::Active)
        .bind(hello.session.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        if let Some(Resumed { away, within_grace }) = resumed {
            let event = Event::Resumed { away_ms: away, within_grace };
            log(&mut tx, hello.session, now, event).await?;
        }
        let progress = progress(&mut tx, hello.session).await?;
        tx.commit().await?;
        Ok(Opened { epoch, status, progress, resumed })
    }

    pub async fn session(&self, id: SessionId) -> Result<Session, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(Session::COLUMNS).push(" FROM sessions WHERE id = ");
        query.push_bind(id.as_bytes().to_vec());
        let row = query.build().fetch_optional(&self.reader).await?;
        Session::from_row(&row.ok_or(StoreError::UnknownSession)?)
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
            None => query.push("status <> 'discarded'"),
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

    /// Notes a sign of life. A session that was taken for interrupted, because a clock jumped or
    /// another server started, is active again.
    pub async fn heartbeat(
        &self,
        id: SessionId,
        whose: Whose,
        now: UnixMillis,
    ) -> Result<SessionStatus, StoreError> {
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        row.check(whose)?;
        let status = row.status.after(SessionEvent::WriterConnected).unwrap_or(row.status);
        sqlx::query(
            "UPDATE sessions SET last_heartbeat_at = ?, status = ?, \
             away_since = CASE WHEN ? THEN NULL ELSE away_since END, \
             deadline_at = CASE WHEN ? THEN NULL ELSE deadline_at END WHERE id = ?",
        )
        .bind(signed(now.get()))
        .bind(status.as_str())
        .bind(status == SessionStatus::Active)
        .bind(status == SessionStatus::Active)
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(status)
    }

    /// The writer of `epoch` is gone: the grace period runs from `now` on. Nothing happens when
    /// a newer writer is there already, or the session is past that.
    pub async fn connection_lost(
        &self,
        id: SessionId,
        epoch: Epoch,
        cause: LossCause,
        now: UnixMillis,
        grace: Millis,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET status = 'interrupted', away_since = ?, deadline_at = ? \
             WHERE id = ? AND epoch = ? AND status = 'active'",
        )
        .bind(signed(now.get()))
        .bind(signed(now.plus(grace).get()))
        .bind(id.as_bytes().as_slice())
        .bind(signed(epoch.get()))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            log(&mut tx, id, now, Event::ConnectionLost { cause }).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Active sessions without a sign of life since `silent_since` become interrupted. `None`: all
    /// active ones, for a server that has just started and has no connections at all.
    pub async fn interrupt_silent(
        &self,
        silent_since: Option<UnixMillis>,
        now: UnixMillis,
        grace: Millis,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "UPDATE sessions SET status = 'interrupted', away_since = last_heartbeat_at, \
             deadline_at = ? WHERE status = 'active' AND last_heartbeat_at <= ? RETURNING id",
        )
        .bind(signed(now.plus(grace).get()))
        .bind(silent_since.map_or(i64::MAX, |at| signed(at.get())))
        .fetch_all(&mut *tx)
        .await?;
        let cause = if silent_since.is_some() { LossCause::Silent } else { LossCause::ServerGone };
        for row in &rows {
            let id = rows::session_id(row.try_get("id")?)?;
            log(&mut tx, id, now, Event::ConnectionLost { cause }).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Sessions in `status` whose deadline has passed, the longest overdue first.
    pub async fn due_sessions(
        &self,
        status: SessionStatus,
        now: UnixMillis,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM sessions WHERE status = ? AND deadline_at <= ? \
             ORDER BY deadline_at LIMIT ?",
        )
        .bind(status.as_str())
        .bind(signed(now.get()))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| rows::session_id(&row.try_get::<Vec<u8>, _>("id")?)).collect()
    }

    pub async fn sessions_in(&self, status: SessionStatus) -> Result<Vec<SessionId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM sessions WHERE status = ?")
            .bind(status.as_str())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| rows::session_id(&row.try_get::<Vec<u8>, _>("id")?)).collect()
    }

    /// Sessions that are being recorded, or about to end, and have so many bytes: the oldest of them.
    /// Not those that may have ended a server.
    pub async fn long_sessions(
        &self,
        bytes_min: u64,
        limit: u32,
    ) -> Result<Vec<(SessionId, SessionStatus)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, status FROM sessions \
             WHERE status IN ('active', 'interrupted', 'finalizing') AND payload_bytes >= ? \
             AND worked_ahead < 2 AND recording_not_before IS NULL \
             ORDER BY created_at, id LIMIT ?",
        )
        .bind(signed(bytes_min))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let session = |row: &sqlx::sqlite::SqliteRow| {
            Ok((rows::session_id(row.try_get("id")?)?, rows::status(row.try_get("status")?)?))
        };
        rows.iter().map(session).collect()
    }

    /// The grace period is over. False when the writer came back in the very last moment.
    pub async fn grace_over(
        &self,
        id: SessionId,
        now: UnixMillis,
        resume_until: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET status = 'incomplete', deadline_at = ? \
             WHERE id = ? AND status = 'interrupted' AND deadline_at <= ?",
        )
        .bind(signed(resume_until.get()))
        .bind(id.as_bytes().as_slice())
        .bind(signed(now.get()))
        .execute(&mut *tx)
        .await?;
        let over = done.rows_affected() == 1;
        if over {
            log(&mut tx, id, now, Event::GraceOver).await?;
        }
        tx.commit().await?;
        Ok(over)
    }
}

/// What decides whether a session may be changed.
pub(super) struct Guard {
    pub(super) status: SessionStatus,
    epoch: Epoch,
    token_hash: Vec<u8>,
    away_since: UnixMillis,
}

impl Guard {
    pub(super) fn check(&self, whose: Whose) -> Result<(), StoreError> {
        match whose {
            Whose::Candidate(TokenHash(hash)) if self.token_hash != hash => {
                Err(StoreError::WrongToken)
            }
            Whose::Candidate(_) | Whose::Reviewer => Ok(()),
        }
    }

    /// What it means that a writer is there now.
    fn resumed(&self, now: UnixMillis) -> Option<Resumed> {
        let away = now.since(self.away_since);
        match self.status {
            SessionStatus::Interrupted => Some(Resumed { away, within_grace: true }),
            SessionStatus::Incomplete => Some(Resumed { away, within_grace: false }),
            SessionStatus::Active
            | SessionStatus::Finalizing
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => None,
        }
    }
}

pub(super) async fn fetch_guard(tx: &mut Tx, id: SessionId) -> Result<Option<Guard>, StoreError> {
    let row = sqlx::query(
        "SELECT status, epoch, token_hash, coalesce(away_since, last_heartbeat_at) AS away_since \
         FROM sessions WHERE id = ?",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Guard {
            status: rows::status(row.try_get("status")?)?,
            epoch: Epoch::new(rows::unsigned(row.try_get("epoch")?)),
            token_hash: row.try_get("token_hash")?,
            away_since: rows::unix_millis(row.try_get("away_since")?),
        })
    })
    .transpose()
}

async fn progress(tx: &mut Tx, id: SessionId) -> Result<Progress, StoreError> {
    let row = sqlx::query(
        "SELECT captured_ms, (SELECT coalesce(max(segment) + 1, 0) FROM segments \
         WHERE session_id = id) AS next_segment FROM sessions WHERE id = ?",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await?;
    Ok(Progress {
        next_segment: SegmentNo::new(row.try_get("next_segment")?),
        timeline_end: Millis::new(rows::unsigned(row.try_get("captured_ms")?)),
    })
}

async fn insert_if_new(tx: &mut Tx, new: &NewSession) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO sessions (id, token_hash, status, created_at, started_at, last_heartbeat_at) \
         VALUES (?, ?, 'active', ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.as_bytes().as_slice())
    .bind(new.token.0.as_slice())
    .bind(signed(new.now.get()))
    .bind(signed(new.started_at.get()))
    .bind(signed(new.now.get()))
    .execute(&mut **tx)
    .await?;
    let created = done.rows_affected() == 1;
    if created {
        log(tx, new.id, new.now, Event::Created).await?;
    }
    Ok(created)
}

/// What the session goes through is logged in the transaction that puts it through it.
pub(super) async fn log(
    tx: &mut Tx,
    session: SessionId,
    at: UnixMillis,
    event: Event,
) -> Result<(), StoreError> {
    events::log(tx, &NewEvent { session, at, place: None, event }).await
}

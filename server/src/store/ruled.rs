//! The rows of sessions as the ledger's rules see them: loaded and written inside a transaction.

use std::collections::HashMap;

use ledger::{Command, Session};
use protocol::{
    Epoch, Event, Millis, Seq, SeqSet, SessionId, SessionStatus, TokenHash, UnixMillis,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::rows::{self, signed};
use super::{ROWS_PER_STATEMENT, StoreError, Tx, derived, supplement, tracks};

const COLUMNS: &str = "id, token_hash, status, epoch, last_heartbeat_at, away_since, deadline_at, \
    have, late, late_since, last_seq, payload_bytes, captured_ms, playable";

pub(super) async fn load(tx: &mut Tx, id: SessionId) -> Result<Option<Session>, StoreError> {
    Ok(load_all(tx, &[id]).await?.remove(&id))
}

/// Those that there are.
pub(super) async fn load_all(
    tx: &mut Tx,
    ids: &[SessionId],
) -> Result<HashMap<SessionId, Session>, StoreError> {
    let mut sessions = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(" FROM sessions WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.as_bytes().as_slice());
        }
        list.push_unseparated(")");
        for row in query.build().fetch_all(&mut **tx).await? {
            sessions.insert(rows::session_id(row.try_get("id")?)?, from_row(&row)?);
        }
    }
    Ok(sessions)
}

pub(super) fn from_row(row: &SqliteRow) -> Result<Session, StoreError> {
    let token: [u8; 32] = row
        .try_get::<Vec<u8>, _>("token_hash")?
        .try_into()
        .map_err(|_| StoreError::Corrupt("a token's hash"))?;
    let moment = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?);
    Ok(Session {
        token: TokenHash(token),
        status: rows::status(row.try_get("status")?)?,
        epoch: Epoch::new(rows::unsigned(row.try_get("epoch")?)),
        heard_at: rows::unix_millis(row.try_get("last_heartbeat_at")?),
        away_since: moment("away_since")?.map(rows::unix_millis),
        deadline: moment("deadline_at")?.map(rows::unix_millis),
        have: seqs(row.try_get("have")?)?,
        late: seqs(row.try_get("late")?)?,
        late_since: moment("late_since")?.map(rows::unix_millis),
        last_seq: moment("last_seq")?.map(rows::unsigned).map(Seq::new),
        payload_bytes: rows::unsigned(row.try_get("payload_bytes")?),
        playable: row.try_get("playable")?,
        captured: Millis::new(rows::unsigned(row.try_get("captured_ms")?)),
    })
}

/// What is stored, as it is written down.
pub(super) fn seqs(json: &str) -> Result<SeqSet, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::Corrupt("the ranges of what is stored"))
}

fn as_json(seqs: &SeqSet) -> Result<String, StoreError> {
    serde_json::to_string(seqs).map_err(|_| StoreError::Corrupt("the ranges of what is stored"))
}

/// A session that `command` has just made.
pub(super) async fn insert(
    tx: &mut Tx,
    id: SessionId,
    made: &Session,
    command: &Command,
    now: UnixMillis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (id, token_hash, status, epoch, created_at, started_at, \
         last_heartbeat_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(made.token.0.as_slice())
    .bind(made.status.as_str())
    .bind(signed(made.epoch.get()))
    .bind(signed(now.get()))
    .bind(signed(command.started_at().unwrap_or(now).get()))
    .bind(signed(made.heard_at.get()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a command has made of a session. Items have a way of their own.
pub(super) async fn write(
    tx: &mut Tx,
    id: SessionId,
    before: &Session,
    after: &Session,
    events: &[Event],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let reason = events.iter().find_map(|event| {
        if let Event::RecordingFailed { reason, .. } = event { Some(reason.as_str()) } else { None }
    });
    sqlx::query(
        "UPDATE sessions SET status = ?, epoch = ?, last_heartbeat_at = ?, away_since = ?, \
         deadline_at = ?, last_seq = ?, playable = ?, late = ?, late_since = ?, \
         failure = CASE WHEN ? THEN coalesce(?, failure) END, \
         completed_at = CASE WHEN ? THEN coalesce(completed_at, ?) END, \
         discarded_at = CASE WHEN ? THEN coalesce(discarded_at, ?) END WHERE id = ?",
    )
    .bind(after.status.as_str())
    .bind(signed(after.epoch.get()))
    .bind(signed(after.heard_at.get()))
    .bind(moment(after.away_since))
    .bind(moment(after.deadline))
    .bind(after.last_seq.map(|seq| signed(seq.get())))
    .bind(after.playable)
    .bind(as_json(&after.late)?)
    .bind(moment(after.late_since))
    .bind(after.status == SessionStatus::Failed)
    .bind(reason)
    .bind(after.status == SessionStatus::Completed)
    .bind(signed(now.get()))
    .bind(after.status == SessionStatus::Discarded)
    .bind(signed(now.get()))
    .bind(id.as_bytes().as_slice())
    .execute(&mut **tx)
    .await?;
    if before.playable && !after.playable {
        forget_recording(tx, id).await?;
    }
    let no_longer_late = before.late.difference(&after.late);
    if !no_longer_late.is_empty() {
        derived::take_in(tx, id, &no_longer_late).await?;
        supplement::delete(tx, id).await?;
    }
    Ok(())
}

fn moment(at: Option<UnixMillis>) -> Option<i64> {
    at.map(|at| signed(at.get()))
}

/// Its files are nobody's from here on.
async fn forget_recording(tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE sessions SET recording_key = NULL, recording_mime = NULL, recording_bytes = NULL, \
         recording_digest = NULL, recording_ms = NULL, recording_left_out = 0, \
         recording_loudest = NULL WHERE id = ?",
    )
    .bind(id.as_bytes().as_slice())
    .execute(&mut **tx)
    .await?;
    supplement::delete(tx, id).await?;
    tracks::delete(tx, id).await
}

/// What items have added, to many sessions at once.
pub(super) async fn write_appended(
    tx: &mut Tx,
    sessions: &[(SessionId, Session)],
) -> Result<(), StoreError> {
    for sessions in sessions.chunks(ROWS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(sessions.len());
        for (id, session) in sessions {
            rows.push((id, as_json(&session.have)?, as_json(&session.late)?, session));
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "WITH now_is (id, have, late, late_since, deadline, items, bytes, at_ms, heard_at) AS (",
        );
        query.push_values(&rows, |mut row, (id, have, late, session)| {
            row.push_bind(id.as_bytes().as_slice())
                .push_bind(have.as_str())
                .push_bind(late.as_str())
                .push_bind(moment(session.late_since))
                .push_bind(moment(session.deadline))
                .push_bind(signed(session.have.len()))
                .push_bind(signed(session.payload_bytes))
                .push_bind(signed(session.captured.get()))
                .push_bind(signed(session.heard_at.get()));
        });
        query.push(
            ") UPDATE sessions SET have = now_is.have, late = now_is.late, \
             late_since = now_is.late_since, deadline_at = now_is.deadline, \
             items = now_is.items, \
             payload_bytes = now_is.bytes, captured_ms = now_is.at_ms, \
             last_heartbeat_at = now_is.heard_at \
             FROM now_is WHERE sessions.id = now_is.id",
        );
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

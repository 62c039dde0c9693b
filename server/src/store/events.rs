//! The event log of each session: bounded, written with the change that it tells of wherever there
//! is one.

use protocol::{Event, Millis, SessionId, UnixMillis};
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{self, signed};
use super::{Store, StoreError, Tx, timelines};

/// Events that are kept of one session. One more says that there were more.
pub const EVENTS_PER_SESSION_MAX: u32 = 2_000;

/// An event on its way into the log.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub session: SessionId,
    /// By the server's clock.
    pub at: UnixMillis,
    /// Where on the session's timeline, if the candidate's browser reported it.
    pub place: Option<Millis>,
    pub event: Event,
}

/// An event read back. Its kind may be one that only a newer version knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    pub at: UnixMillis,
    pub place: Option<Millis>,
    pub kind: String,
    pub detail: Map<String, Value>,
}

impl LoggedEvent {
    /// `None`: this version does not know such an event.
    pub fn event(&self) -> Option<Event> {
        let mut tagged = Map::from_iter([("kind".to_owned(), self.kind.clone().into())]);
        if !self.detail.is_empty() {
            tagged.insert("detail".to_owned(), self.detail.clone().into());
        }
        serde_json::from_value(tagged.into()).ok()
    }

    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        let detail: String = row.try_get("detail")?;
        Ok(Self {
            at: rows::unix_millis(row.try_get("at")?),
            place: row
                .try_get::<Option<i64>, _>("timeline_ms")?
                .map(|millis| Millis::new(rows::unsigned(millis))),
            kind: row.try_get("kind")?,
            detail: serde_json::from_str(&detail)
                .map_err(|_| StoreError::Corrupt("an event's detail"))?,
        })
    }
}

impl Store {
    /// Writes events into their sessions' logs. Those of sessions that are gone are left out.
    pub async fn log_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for event in events {
            log(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What happened to a session, in order. At most [`EVENTS_PER_SESSION_MAX`] and one.
    pub async fn events(&self, id: SessionId) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, timeline_ms, kind, detail FROM events WHERE session_id = ? \
             ORDER BY at, number",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(LoggedEvent::from_row).collect()
    }
}

/// Writes one event as part of a transaction. Past the bound nothing is written into the log any more;
/// what the timeline needs of it has a bound of its own.
pub(super) async fn log(tx: &mut Tx, new: &NewEvent) -> Result<(), StoreError> {
    timelines::note_connection(tx, new).await?;
    let (kind, detail) = columns(&new.event)?;
    let (last_kind, last_detail) = columns(&Event::MoreNotKept)?;
    sqlx::query(
        "INSERT INTO events (session_id, number, at, timeline_ms, kind, detail) \
         SELECT ?1, n, ?2, CASE WHEN n < ?3 THEN ?4 END, CASE WHEN n < ?3 THEN ?5 ELSE ?6 END, \
         CASE WHEN n < ?3 THEN ?7 ELSE ?8 END \
         FROM (SELECT coalesce(max(number) + 1, 0) AS n FROM events WHERE session_id = ?1) \
         WHERE n <= ?3 AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)",
    )
    .bind(new.session.as_bytes().as_slice())
    .bind(signed(new.at.get()))
    .bind(EVENTS_PER_SESSION_MAX)
    .bind(new.place.map(|place| signed(place.get())))
    .bind(kind)
    .bind(last_kind)
    .bind(detail)
    .bind(last_detail)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn columns(event: &Event) -> Result<(String, String), StoreError> {
    let Ok(Value::Object(mut tagged)) = serde_json::to_value(event) else {
        return Err(StoreError::Corrupt("an event"));
    };
    let Some(Value::String(kind)) = tagged.remove("kind") else {
        return Err(StoreError::Corrupt("an event's kind"));
    };
    let detail = tagged.remove("detail").unwrap_or_else(|| Map::new().into());
    Ok((kind, detail.to_string()))
}

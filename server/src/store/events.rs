//! The event log of each session: bounded, written with the change that it tells of wherever there
//! is one.

use protocol::{Event, Millis, SessionId, UnixMillis};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::numbers::{Next, Numbers};
use super::rows::{self, signed};
use super::{ROWS_PER_STATEMENT, Store, StoreError, Tx, timelines};

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
        log(&mut tx, events).await?;
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

/// Writes events as part of a transaction. Past the bound nothing is written into the log of a session any
/// more; what the timeline needs of it has a bound of its own.
pub(super) async fn log(tx: &mut Tx, new: &[NewEvent]) -> Result<(), StoreError> {
    timelines::note_connections(tx, new).await?;
    let sessions = new.iter().map(|one| one.session);
    let mut numbers = Numbers::of(tx, "events", sessions, EVENTS_PER_SESSION_MAX).await?;
    let mut rows = Vec::new();
    for one in new {
        let (number, place, event) = match numbers.next(one.session) {
            Next::Free(number) => (number, one.place, &one.event),
            Next::Last(number) => (number, None, &Event::MoreNotKept),
            Next::None => continue,
        };
        rows.push((one, number, place, columns(event)?));
    }
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO events (session_id, number, at, timeline_ms, kind, detail) ",
        );
        query.push_values(rows, |mut row, (one, number, place, (kind, detail))| {
            row.push_bind(one.session.as_bytes().as_slice())
                .push_bind(*number)
                .push_bind(signed(one.at.get()))
                .push_bind(place.map(|place| signed(place.get())))
                .push_bind(kind)
                .push_bind(detail);
        });
        query.build().execute(&mut **tx).await?;
    }
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

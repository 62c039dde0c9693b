//! What happened to a session, as JSON.

use protocol::{Millis, SessionId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::rfc3339;
use crate::store::{EVENTS_PER_SESSION_MAX, LoggedEvent, Store, StoreError};

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEvents {
    /// In the order in which the server learned of them.
    events: Vec<SessionEvent>,
    /// Events that are kept of one session; `more_not_kept` after that.
    limit: u32,
}

/// Something that happened to a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEvent {
    /// RFC 3339, UTC, by the server's clock: when the server learned of it.
    at: String,
    /// Where on the session's timeline it happened; of what the candidate's browser reported.
    timeline_ms: Option<u64>,
    /// `created`, `connected`, `connection_lost`, `resumed`, `grace_over`, `resume_window_over`,
    /// `segment_started`, `segment_ended`, `paused`, `pause_over`, `noted`, `duplicates_received`,
    /// `items_refused`, `digest_conflict`, `missing_asked`, `finish_asked`, `recording_made`,
    /// `recording_failed`, `supplement_made`, `fenced`, `discarded` or `more_not_kept`; more may follow.
    kind: String,
    /// What else is known, such as `{"cause": "silent"}`; its fields depend on the kind.
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

/// What happened to a session.
pub(crate) async fn events(store: &Store, id: SessionId) -> Result<SessionEvents, StoreError> {
    // An unknown session is not one to which nothing happened.
    store.session(id).await?;
    let events = store.events(id).await?.into_iter().map(SessionEvent::from).collect();
    Ok(SessionEvents { events, limit: EVENTS_PER_SESSION_MAX })
}

impl From<LoggedEvent> for SessionEvent {
    fn from(event: LoggedEvent) -> Self {
        Self {
            at: rfc3339(event.at),
            timeline_ms: event.place.map(Millis::get),
            kind: event.kind,
            detail: event.detail,
        }
    }
}

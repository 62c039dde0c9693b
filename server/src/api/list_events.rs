//! `GET /api/sessions/{id}/events`

use axum::Json;
use axum::extract::State;
use protocol::{Millis, SessionId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::dto::rfc3339;
use super::extract::SessionPath;
use crate::error::{ApiError, Problem};
use crate::state::AppState;
use crate::store::{EVENTS_PER_SESSION_MAX, LoggedEvent, Store};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionEvents {
    /// In the order in which the server learned of them.
    events: Vec<SessionEvent>,
    /// Events that are kept of one session; `more_not_kept` after that.
    limit: u32,
}

/// Something that happened to a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionEvent {
    /// RFC 3339, UTC, by the server's clock: when the server learned of it.
    at: String,
    /// Where on the session's timeline it happened; of what the candidate's browser reported.
    timeline_ms: Option<u64>,
    /// `created`, `connected`, `connection_lost`, `resumed`, `grace_over`, `resume_window_over`,
    /// `segment_started`, `segment_ended`, `paused`, `pause_over`, `noted`, `duplicates_received`,
    /// `items_refused`, `digest_conflict`, `missing_asked`, `finish_asked`, `recording_made`,
    /// `recording_failed`, `fenced`, `discarded` or `more_not_kept`; more may follow.
    kind: String,
    /// What else is known, such as `{"cause": "silent"}`; its fields depend on the kind.
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

/// What happened to a session
///
/// From its creation to its recording: connections lost and resumed, runs of the recorder with the
/// reasons of their ends, pauses, what the candidate's browser noted, what was refused or received
/// twice.
#[utoipa::path(
    get, path = "/sessions/{id}/events", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "What happened, in order", body = SessionEvents),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_events(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<Json<SessionEvents>, ApiError> {
    events_of(&state.store, id).await.map(Json)
}

pub(super) async fn events_of(store: &Store, id: SessionId) -> Result<SessionEvents, ApiError> {
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

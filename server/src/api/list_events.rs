//! `GET /api/sessions/{id}/events`

use axum::Json;
use axum::extract::State;

use super::extract::SessionPath;
use crate::dto::{self, SessionEvents};
use crate::error::{ApiError, Problem};
use crate::state::AppState;

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
    Ok(Json(dto::events(&state.store, id).await?))
}

//! `GET /api/sessions/{id}`

use axum::Json;
use axum::extract::State;

use super::extract::SessionPath;
use crate::dto::{self, SessionDetails};
use crate::error::{ApiError, Problem};
use crate::state::AppState;

/// Show a session
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = SessionDetails),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show_session(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<Json<SessionDetails>, ApiError> {
    Ok(Json(dto::details(&state.store, id).await?))
}

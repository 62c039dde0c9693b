//! `GET /api/sessions/{id}`

use axum::Json;
use axum::extract::State;
use protocol::SessionId;

use super::dto::SessionDetails;
use super::extract::SessionPath;
use crate::error::{ApiError, Problem};
use crate::state::AppState;
use crate::store::Store;

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
    details(&state.store, id).await.map(Json)
}

pub(super) async fn details(store: &Store, id: SessionId) -> Result<SessionDetails, ApiError> {
    let session = store.session(id).await?;
    let segments = store.segments(id).await?;
    let files = store.track_files(id).await?;
    let left_out = store.left_out(id).await?;
    Ok(SessionDetails::new(&session, &segments, &files, left_out))
}

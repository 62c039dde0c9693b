//! `DELETE /api/sessions/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use ledger::Command;
use protocol::Refusal;

use super::extract::SessionPath;
use crate::clock;
use crate::error::{ApiError, Problem};
use crate::state::AppState;

/// Delete a session
///
/// Whatever its status: its items, files, events and rows are erased, and nothing tells any more that it
/// was there. Whoever still writes it is told that it was discarded. It cannot be undone. Erasing takes
/// a moment; it goes on after a restart, too.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 202, description = "It is being erased"),
        (status = 204, description = "Nothing of it is left"),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is too full even for that; try again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_session(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<StatusCode, ApiError> {
    delete(&state, id).await
}

/// The same for the page.
pub(crate) async fn delete(
    state: &AppState,
    id: protocol::SessionId,
) -> Result<StatusCode, ApiError> {
    state.store.carry_out(id, &Command::Delete, clock::wall()).await?;
    tracing::info!(session = %id, "deleted");
    state.writers.end(id, Refusal::Discarded);
    let is_gone = state.recordings.erased(id).await;
    Ok(if is_gone { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED })
}

//! `POST /api/sessions/{id}/discard`

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use protocol::receiver::DiscardStep;
use protocol::{Refusal, SessionStatus};

use super::extract::{Caller, OfWriter, SessionPath};
use crate::dto::{self, SessionDetails};
use crate::error::{ApiError, Problem};
use crate::state::AppState;

/// Discard a session
///
/// Deletes what was recorded; that it was there stays known. Whoever still writes it is told.
/// Repeating it is no error. What is completed or being finalized stays.
#[utoipa::path(
    post, path = "/sessions/{id}/discard", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    request_body = Option<OfWriter>,
    responses(
        (status = 200, description = "Discarded", body = SessionDetails),
        (status = 403, description = "Wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The status forbids it, or a newer writer has taken over", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is too full even for that; try again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn discard(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    caller: Caller,
    body: Bytes,
) -> Result<Json<SessionDetails>, ApiError> {
    match state.recordings.discard(id, OfWriter::by(&body, caller)?).await? {
        DiscardStep::Discarded => {}
        DiscardStep::Completed(_) => {
            return Err(ApiError::WrongStatus(SessionStatus::Completed));
        }
    }
    state.writers.end(id, Refusal::Discarded);
    Ok(Json(dto::details(&state.store, id).await?))
}

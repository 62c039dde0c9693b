//! `POST /api/sessions/{id}/keepalive`

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use ledger::Command;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Caller, OfWriter, SessionPath};
use crate::clock;
use crate::error::{ApiError, Problem};
use crate::state::AppState;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptAlive {
    status: String,
}

/// Note a sign of life
///
/// For clients that cannot keep a WebSocket open.
#[utoipa::path(
    post, path = "/sessions/{id}/keepalive", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    request_body = Option<OfWriter>,
    responses(
        (status = 200, description = "Noted", body = KeptAlive),
        (status = 403, description = "Wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A newer writer has taken over", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn keepalive(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    caller: Caller,
    body: Bytes,
) -> Result<Json<KeptAlive>, ApiError> {
    let heartbeat = Command::Heartbeat { by: OfWriter::by(&body, caller)? };
    let applied = state.store.carry_out(id, &heartbeat, clock::wall()).await?;
    Ok(Json(KeptAlive { status: applied.after.status.to_string() }))
}

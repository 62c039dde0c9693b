//! `POST /api/sessions/check-timeouts`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock;
use crate::error::ApiError;
use crate::state::AppState;
use crate::timeouts;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckedTimeouts {
    /// Active sessions without a sign of life: interrupted now.
    interrupted: u64,
    /// Interrupted sessions whose grace period was over: incomplete now.
    incomplete: u64,
    /// Incomplete sessions whose resume window was over: being finalized now.
    finalized: u64,
}

/// Check every deadline now
///
/// The server does this by itself each second; this is for tools that do not want to wait.
#[utoipa::path(
    post, path = "/sessions/check-timeouts", tag = "sessions",
    responses((status = 200, description = "What was overdue", body = CheckedTimeouts))
)]
pub(super) async fn check_timeouts(
    State(state): State<AppState>,
) -> Result<Json<CheckedTimeouts>, ApiError> {
    let checked = timeouts::check(&state, clock::wall()).await?;
    Ok(Json(CheckedTimeouts {
        interrupted: checked.interrupted,
        incomplete: checked.incomplete,
        finalized: checked.finalized,
    }))
}

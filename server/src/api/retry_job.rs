//! `POST /api/jobs/{id}/retry`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::{Command, JobKey};

use crate::clock;
use crate::error::{ApiError, Problem};
use crate::state::AppState;

/// Try a job once more
///
/// One that was given up. It is begun as soon as its turn comes, and given up again if that ends the server,
/// too. A session that failed because its recording was given up is being finalized again.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", tag = "jobs",
    params(("id" = String, Path, description = "The job's id, as it is listed")),
    responses(
        (status = 202, description = "It is tried once more"),
        (status = 404, description = "No such job, or it is done", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was not given up: it waits or runs", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full; try again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry_job(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    retry(&state, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The same for the page.
pub(crate) async fn retry(state: &AppState, id: &str) -> Result<(), ApiError> {
    let JobKey { session, work } = id.parse().map_err(|_| ApiError::NoJob)?;
    state.store.carry_out(session, &Command::Retry { work }, clock::wall()).await?;
    tracing::info!(job = id, "tried once more, as somebody asks");
    state.leases.look();
    Ok(())
}

//! `GET /api/sessions/{id}/missing-chunks`

use axum::Json;
use axum::extract::State;
use protocol::{Seq, SeqSet};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::SessionPath;
use crate::error::{ApiError, Problem};
use crate::state::AppState;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MissingChunks {
    /// Inclusive pairs of item numbers.
    #[schema(value_type = Vec<[u64; 2]>)]
    missing: SeqSet,
    /// The highest item number that is known of; `null` while there is none.
    max_seq: Option<u64>,
    /// Items stored.
    total_chunks: u64,
}

/// What is missing of a session
#[utoipa::path(
    get, path = "/sessions/{id}/missing-chunks", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "What is missing", body = MissingChunks),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn missing_chunks(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<Json<MissingChunks>, ApiError> {
    let session = state.store.session(id).await?;
    Ok(Json(MissingChunks {
        missing: session.missing(),
        max_seq: session.have.end(session.last_seq).map(Seq::get),
        total_chunks: session.items(),
    }))
}

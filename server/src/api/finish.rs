//! `POST /api/sessions/{id}/finish`

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use ledger::Command;
use protocol::{Seq, SeqSet};
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Caller, SessionPath, optional_body};
use crate::clock;
use crate::dto::{self, SessionDetails};
use crate::error::{ApiError, Problem};
use crate::recording::Outcome;
use crate::state::AppState;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FinishSession {
    /// The last item captured. Given: refused while an item up to it is missing. Not given: the
    /// recording is made of what is there.
    last_seq: Option<u64>,
    /// The epoch that the candidate's writer was welcomed under. Given: refused once a newer writer has
    /// taken over.
    epoch: Option<u64>,
}

/// Finish a session
///
/// Makes the recording and answers when it is durable. Repeating it is no error. When the recording
/// cannot be made now, the session is finalizing, and the recording is made without being asked
/// again.
#[utoipa::path(
    post, path = "/sessions/{id}/finish", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    request_body = Option<FinishSession>,
    responses(
        (status = 200, description = "Completed, or failed with its reason", body = SessionDetails),
        (status = 202, description = "The recording has to wait, as for room on the disk", body = SessionDetails),
        (status = 400, description = "Bad body", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Items are missing, the status forbids it, or a newer writer has taken over", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full; nothing has changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn finish(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<SessionDetails>), ApiError> {
    let FinishSession { last_seq, epoch } = optional_body(&body)?;
    let finish = Command::Finish {
        by: caller.by(epoch),
        last_seq: last_seq.map(Seq::new),
        lost: SeqSet::new(),
    };
    state.store.carry_out(id, &finish, clock::wall()).await?;
    let status = match state.recordings.outcome(id).await {
        Outcome::Completed(_) | Outcome::Partial | Outcome::Failed(_) => StatusCode::OK,
        Outcome::Postponed(_) => StatusCode::ACCEPTED,
    };
    Ok((status, Json(dto::details(&state.store, id).await?)))
}

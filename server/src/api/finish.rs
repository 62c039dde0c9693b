//! `POST /api/sessions/{id}/finish`

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::event::Asker;
use protocol::{Seq, SessionStatus};
use serde::Deserialize;
use utoipa::ToSchema;

use super::dto::SessionDetails;
use super::extract::{Caller, SessionPath, optional_body};
use super::show_session::details;
use crate::clock;
use crate::error::{ApiError, Problem};
use crate::recording::Outcome;
use crate::state::AppState;
use crate::store::{FinishedBy, StoreError, Whose};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FinishSession {
    /// The last item captured. Given: refused while an item up to it is missing. Not given: the
    /// recording is made of what is there.
    last_seq: Option<u64>,
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
        (status = 409, description = "Items are missing, or the status forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full; nothing has changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn finish(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    Caller(whose): Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<SessionDetails>), ApiError> {
    let request: FinishSession = optional_body(&body)?;
    let last_seq = request.last_seq.map(Seq::new);
    if let Some(last_seq) = last_seq {
        if last_seq.get() >= protocol::limits::ITEMS_PER_SESSION_MAX {
            return Err(ApiError::BadRequest("`last_seq` is above the limit.".into()));
        }
        let missing = state.store.have(id).await?.missing_up_to(last_seq);
        let session = state.store.session(id).await?;
        if !missing.is_empty() && session.status != SessionStatus::Completed {
            return Err(ApiError::Missing(missing));
        }
    }
    let by = FinishedBy::Asked(match whose {
        Whose::Candidate(_) => Asker::Candidate,
        Whose::Reviewer => Asker::Reviewer,
    });
    let begun = state.store.begin_finalizing(id, whose, by, last_seq, clock::wall());
    let status = match state.store.noting(begun).await {
        Ok(()) => match state.recordings.make(id).await {
            Outcome::Completed(_) | Outcome::Partial | Outcome::Failed(_) => StatusCode::OK,
            Outcome::Postponed(_) => StatusCode::ACCEPTED,
        },
        Err(StoreError::Illegal(illegal)) if illegal.from == SessionStatus::Completed => {
            StatusCode::OK
        }
        Err(error) => return Err(error.into()),
    };
    Ok((status, Json(details(&state.store, id).await?)))
}

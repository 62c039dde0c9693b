//! `POST /api/sessions`

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use ledger::Command;
use protocol::{SessionId, SessionToken, UnixMillis};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::optional_body;
use crate::clock;
use crate::error::{ApiError, Problem};
use crate::quotas::Address;
use crate::state::AppState;

/// Everything is optional: what the client does not make, the server makes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSession {
    /// UUID of version 7.
    id: Option<String>,
    /// 64 hexadecimal digits; the secret that lets its holder write to the session.
    token: Option<String>,
    /// Milliseconds since 1970 by the client's clock.
    started_at_ms: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedSession {
    id: String,
    /// Told only here; the server keeps a hash of it.
    token: String,
    /// The session's JSON.
    url: String,
}

/// Create a session
///
/// Creating the same session again with the same token is no error.
#[utoipa::path(
    post, path = "/sessions", tag = "sessions", request_body = Option<CreateSession>,
    responses(
        (status = 201, description = "Created", body = CreatedSession),
        (status = 200, description = "It was there already", body = CreatedSession),
        (status = 400, description = "Bad id, token or body", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The id is taken by another token", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The address has begun as many sessions, or brought as much, as it may in a day", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full, or has no room for new sessions; try again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_session(
    State(state): State<AppState>,
    from: Address,
    body: Bytes,
) -> Result<(StatusCode, Json<CreatedSession>), ApiError> {
    let bad_request = |error: &dyn std::fmt::Display| ApiError::BadRequest(error.to_string());
    let request: CreateSession = optional_body(&body)?;
    let now = clock::wall();
    let id = match request.id {
        Some(id) => {
            id.parse().map_err(|error: protocol::ids::InvalidSessionId| bad_request(&error))?
        }
        None => SessionId::from_parts(now, rand::random()),
    };
    let token = match request.token {
        Some(token) => token
            .parse()
            .map_err(|error: protocol::ids::InvalidSessionToken| bad_request(&error))?,
        None => SessionToken::from_random(rand::random()),
    };
    let started_at = request.started_at_ms.map_or(now, UnixMillis::new);
    let create = Command::Create { token: token.hash(), started_at };
    let opened = state.quotas.open(&state.store, from, id, &create, now).await?;
    let status = if opened.is_new() { StatusCode::CREATED } else { StatusCode::OK };
    let body = CreatedSession {
        id: id.to_string(),
        token: token.expose(),
        url: app::paths::session_json(id),
    };
    Ok((status, Json(body)))
}

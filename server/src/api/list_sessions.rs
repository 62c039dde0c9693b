//! `GET /api/sessions`

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cursor;
use crate::dto::SessionSummary;
use crate::error::{ApiError, Problem};
use crate::state::AppState;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListSessions {
    /// Only sessions of this status.
    status: Option<String>,
    /// The `next` of the page before.
    before: Option<String>,
    /// Sessions a page, 1 to 200; 50 unless given.
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    sessions: Vec<SessionSummary>,
    /// The `before` of the next page; `null` on the last.
    next: Option<String>,
}

/// List sessions, newest first
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", params(ListSessions),
    responses(
        (status = 200, description = "A page of sessions", body = SessionList),
        (status = 400, description = "Bad status, place or limit", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_sessions(
    State(state): State<AppState>,
    query: Result<Query<ListSessions>, QueryRejection>,
) -> Result<Json<SessionList>, ApiError> {
    let Query(query) = query?;
    let status = query.status.map(cursor::status).transpose()?;
    let before = query.before.map(cursor::parse).transpose()?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::BadRequest(format!("`limit` is 1 to {LIMIT_MAX}.")));
    }
    let page = state.store.sessions(status, before, limit).await?;
    Ok(Json(SessionList {
        sessions: page.sessions.iter().map(SessionSummary::new).collect(),
        next: page.next.map(cursor::text),
    }))
}

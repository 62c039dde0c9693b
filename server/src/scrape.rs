//! `GET /metrics`

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;
use crate::state::AppState;

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(crate) async fn metrics(State(state): State<AppState>) -> Result<Response, ApiError> {
    state.metrics.sessions(&state.store.count_sessions().await?);
    state.metrics.jobs(&state.store.count_jobs().await?);
    let room = state.store.room();
    state.metrics.disk(room.is_full(), room.full_in_all());
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], state.metrics.text()).into_response())
}

//! `/`: the history.

use app::pages::history::HistoryPage;
use app::views::{HistoryView, Instant, SessionRow};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use leptos::prelude::*;
use protocol::{SessionStatus, UnixMillis};
use serde::Deserialize;

use super::error_page;
use crate::api::cursor;
use crate::error::ApiError;
use crate::render;
use crate::state::AppState;
use crate::store::Session;

const SESSIONS_PER_PAGE: u32 = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct HistoryQuery {
    status: Option<String>,
    before: Option<String>,
}

pub(crate) async fn history(
    State(state): State<AppState>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Response {
    match load(&state, query).await {
        Ok(view) => render::page(StatusCode::OK, move || view! { <HistoryPage view/> }),
        Err(error) => error_page(error),
    }
}

async fn load(
    state: &AppState,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<HistoryView, ApiError> {
    let Query(query) = query?;
    // The filter form sends an empty status for "all".
    let status = query.status.filter(|status| !status.is_empty());
    let status = status.map(|status| cursor::status(&status)).transpose()?;
    let before = query.before.as_deref().map(cursor::parse).transpose()?;
    let page = state.store.sessions(status, before, SESSIONS_PER_PAGE).await?;
    Ok(HistoryView {
        rows: page.sessions.iter().map(row).collect(),
        status,
        is_newest: before.is_none(),
        older: page.next.map(cursor::text),
    })
}

fn row(session: &Session) -> SessionRow {
    SessionRow {
        id: session.id,
        status: session.status,
        started: instant(session.created_at),
        duration: duration(session),
        bytes: session.recording.as_ref().map_or(session.payload_bytes, |file| file.bytes),
        missing: session.missing().len(),
        left_out: session.recording.as_ref().map_or(0, |recording| recording.left_out),
        late: session.late.len(),
        is_silent: session.is_silent() == Some(true),
        live: session.status == SessionStatus::Active,
    }
}

/// That of the recording, or of what has been captured so far.
pub(super) fn duration(session: &Session) -> Option<protocol::Millis> {
    let recorded = session.recording.as_ref().map(|recording| recording.duration);
    let captured = (!session.have.is_empty()).then_some(session.captured);
    if session.status == SessionStatus::Completed { recorded } else { captured.max(recorded) }
}

pub(super) fn instant(at: UnixMillis) -> Instant {
    let millis = i64::try_from(at.get()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    Instant {
        rfc3339: timestamp.to_string(),
        human_utc: timestamp.strftime("%-d %b %Y, %H:%M UTC").to_string(),
    }
}

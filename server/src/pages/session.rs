//! `/sessions/{id}`: one session.

use app::pages::session::SessionPage;
use app::views::{RecordingView, SegmentRow, SessionView};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use leptos::prelude::*;
use protocol::SessionStatus;

use super::history::{duration, instant};
use super::{error_page, render};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::{Recording, Segment};

pub(crate) async fn session(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    match load(&state, &id).await {
        Ok(view) => render::page(StatusCode::OK, move || view! { <SessionPage view/> }),
        Err(error) => error_page(error),
    }
}

async fn load(state: &AppState, id: &str) -> Result<SessionView, ApiError> {
    let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
    let session = state.store.session(id).await?;
    let have = state.store.have(id).await?;
    let segments = state.store.segments(id).await?;
    Ok(SessionView {
        id,
        status: session.status,
        live: session.status == SessionStatus::Active,
        started: instant(session.created_at),
        last_heartbeat: Some(instant(session.last_heartbeat_at)),
        completed: session.completed_at.map(instant),
        items: session.items,
        bytes: session.payload_bytes,
        duration: duration(&session),
        missing: session.missing(&have),
        recording: session.recording.as_ref().map(recording_view),
        failure: session.failure,
        segments: segments.into_iter().map(segment_row).collect(),
    })
}

fn recording_view(recording: &Recording) -> RecordingView {
    RecordingView {
        has_video: recording.mime.starts_with("video/"),
        bytes: recording.bytes,
        duration: recording.duration,
        digest: recording.digest,
    }
}

fn segment_row(segment: Segment) -> SegmentRow {
    SegmentRow {
        track: segment.track,
        segment: segment.segment,
        kind: segment.kind,
        mime: segment.mime,
        label: segment.label,
        start: segment.started_at,
        duration: segment.duration,
    }
}

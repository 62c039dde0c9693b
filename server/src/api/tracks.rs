//! `GET /api/sessions/{id}/tracks/{track}/recording`: the file of one track.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use protocol::{SessionId, TrackNo};
use serde::Deserialize;
use utoipa::IntoParams;

use super::recording::{RecordingQuery, serve, served};
use crate::error::{ApiError, Problem};
use crate::recording::extension_of;
use crate::state::AppState;
use crate::store::{TrackFile, media_of, track_stem};

/// The session and the track in the path.
pub(super) struct TrackPath(pub(super) SessionId, pub(super) TrackNo);

impl FromRequestParts<AppState> for TrackPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path((id, track)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
        let track = track.parse().map_err(|_| ApiError::NoTrackFile)?;
        Ok(Self(id, TrackNo::new(track)))
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PartQuery {
    /// Which of the track's files, counted from 0: there is a further one for each other format that
    /// its recorder runs are of.
    part: Option<u8>,
}

impl PartQuery {
    pub(super) fn part(&self) -> u8 {
        self.part.unwrap_or(0)
    }
}

/// The file of one track
///
/// Its recorder runs one after the other, as they were recorded. The file of the only track is the
/// recording.
#[utoipa::path(
    get, path = "/sessions/{id}/tracks/{track}/recording", tag = "sessions",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("track" = u8, Path, description = "The track's number, counted from 0"),
        PartQuery,
        RecordingQuery,
    ),
    responses(
        (status = 200, description = "The whole file", content_type = "audio/webm"),
        (status = 206, description = "The range asked for", content_type = "audio/webm"),
        (status = 304, description = "Not changed"),
        (status = 400, description = "The part is no number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or no file of this track", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The range is beyond the file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn track_recording(
    State(state): State<AppState>,
    TrackPath(id, track): TrackPath,
    part: Result<Query<PartQuery>, QueryRejection>,
    query: Result<Query<RecordingQuery>, QueryRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let part = part?.0.part();
    let session = state.store.session(id).await?;
    let files = state.store.track_files(id).await?;
    let segments = state.store.segments(id).await?;
    let found = media_of(track, part, &files, &segments, session.recording.as_ref());
    let found = found.ok_or(ApiError::NoTrackFile)?;
    let name = format!("{}.{}", track_stem(track, part), extension_of(&found.key));
    let TrackFile { key, mime, bytes, .. } = found;
    let file = served(&session, &name, key, mime, bytes);
    serve(&state, &request, &file, query?.0.is_download()).await
}

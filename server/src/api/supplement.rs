//! `GET /api/sessions/{id}/tracks/{track}/supplement`: what came of a track after the recording was made.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::recording::{RecordingQuery, serve, served};
use super::tracks::{PartQuery, TrackPath};
use crate::error::{ApiError, Problem};
use crate::recording::extension_of;
use crate::state::AppState;
use crate::store::{SupplementFile, track_stem};

/// What came late of one track
///
/// After the recording was made, and so not in it. Made anew, under the same address, when more comes.
#[utoipa::path(
    get, path = "/sessions/{id}/tracks/{track}/supplement", tag = "sessions",
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
        (status = 404, description = "No such session, or no such file", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The range is beyond the file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn supplement(
    State(state): State<AppState>,
    TrackPath(id, track): TrackPath,
    part: Result<Query<PartQuery>, QueryRejection>,
    query: Result<Query<RecordingQuery>, QueryRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let part = part?.0.part();
    let session = state.store.session(id).await?;
    let files = state.store.supplement_files(id).await?;
    let found = files.into_iter().find(|file| (file.track, file.part) == (track, part));
    let found = found.ok_or(ApiError::NoTrackFile)?;
    let name = format!("{}-later.{}", track_stem(track, part), extension_of(&found.key));
    let SupplementFile { key, mime, bytes, .. } = found;
    let file = served(&session, &name, key, mime, bytes);
    serve(&state, &request, &file, query?.0.is_download()).await
}

//! `GET /api/sessions/{id}/playback`: the recording for players that know one sound track only.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::extract::SessionPath;
use super::recording::{ServedFile, file_name, recorded, serve};
use crate::error::{ApiError, Problem};
use crate::recording::{extension_of, version_of};
use crate::state::AppState;
use crate::store::KeptFile;

/// The recording, to be played
///
/// Where several sounds were recorded, all of them are mixed into the first sound track; the others
/// follow as they were recorded. That is made after the recording. Until it is there, and of a session
/// with one sound, this is the recording itself.
#[utoipa::path(
    get, path = "/sessions/{id}/playback", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The whole file", content_type = "video/webm"),
        (status = 206, description = "The range asked for", content_type = "video/webm"),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such session, or no recording yet", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The range is beyond the file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn playback(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let session = state.store.session(id).await?;
    let recording = session.recording.as_ref().ok_or(ApiError::NoRecording)?;
    let mix = state.recordings.mix_of(recording).await;
    let file = match mix.map_err(|error| ApiError::Internal(error.into()))? {
        Some(KeptFile { key, bytes }) => ServedFile {
            key,
            bytes,
            mime: recording.mime.clone(),
            etag: format!("\"{}-mix\"", version_of(&recording.key)),
            name: file_name(&session, id, &format!("mix.{}", extension_of(&recording.key))),
        },
        None => recorded(&session, recording),
    };
    serve(&state, &request, &file, false).await
}

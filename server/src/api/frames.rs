//! `/api/sessions/{id}/frames`: the pictures taken now and then.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use protocol::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::SessionPath;
use super::recording::{is_unchanged, respond};
use crate::error::{ApiError, Problem};
use crate::recording::version_of;
use crate::state::AppState;
use crate::store;

const JPEG: HeaderValue = HeaderValue::from_static("image/jpeg");
const EXTENSION: &str = ".jpg";

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionFrames {
    /// In the order of time.
    frames: Vec<Frame>,
}

/// A picture.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Frame {
    /// Counted from 0.
    number: u32,
    track: u8,
    /// When it was taken, on the session's timeline.
    at_ms: u64,
    /// The same in the recording, which has no pauses and gaps.
    place_ms: u64,
    bytes: u64,
    url: String,
}

/// The session and the picture in the path.
pub(super) struct FramePath(SessionId, u32);

impl FromRequestParts<AppState> for FramePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path((id, name)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
        let number = name.strip_suffix(EXTENSION).and_then(|number| number.parse().ok());
        Ok(Self(id, number.ok_or(ApiError::NoFrame)?))
    }
}

/// The pictures of a session
#[utoipa::path(
    get, path = "/sessions/{id}/frames", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "All pictures; none before there is a recording", body = SessionFrames),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_frames(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<Json<SessionFrames>, ApiError> {
    state.store.session(id).await?;
    let frame = |frame: store::Frame| Frame {
        number: frame.number,
        track: frame.track.get(),
        at_ms: frame.at.get(),
        place_ms: frame.place.get(),
        bytes: frame.bytes,
        url: app::paths::frame(id, frame.number),
    };
    let frames = state.store.frames(id).await?.into_iter().map(frame).collect();
    Ok(Json(SessionFrames { frames }))
}

/// A picture
#[utoipa::path(
    get, path = "/sessions/{id}/frames/{name}", tag = "sessions",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("name" = String, Path, description = "The picture's number and `.jpg`, such as `12.jpg`"),
    ),
    responses(
        (status = 200, description = "The picture", content_type = "image/jpeg"),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such session or picture", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn frame(
    State(state): State<AppState>,
    FramePath(id, number): FramePath,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    state.store.session(id).await?;
    let (frame, file) = state.store.frame(id, number).await?.ok_or(ApiError::NoFrame)?;
    let etag = format!("\"{}-{}\"", version_of(&file.key), frame.first_byte);
    if is_unchanged(&request, &etag) {
        return respond(StatusCode::NOT_MODIFIED, &etag, Body::empty());
    }
    let range = frame.first_byte..frame.first_byte + frame.bytes;
    let stream = state.files.read(&file.key, range).await;
    let stream = stream.map_err(|error| ApiError::Internal(error.into()))?;
    let mut response = respond(StatusCode::OK, &etag, Body::from_stream(stream))?;
    let headers = response.headers_mut();
    // What a stranger sent is looked at as a picture or not at all: nothing is sniffed here.
    headers.insert(header::CONTENT_TYPE, JPEG);
    headers.insert(header::CONTENT_LENGTH, frame.bytes.into());
    headers.remove(header::ACCEPT_RANGES);
    Ok(response)
}

//! `GET /api/sessions/{id}/waveform`: the sound of the recording as a picture.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::SessionPath;
use super::recording::{is_unchanged, respond};
use crate::error::{ApiError, Problem};
use crate::recording::{NotMade, WaveformError, version_of};
use crate::state::AppState;

/// Buckets of an answer when nobody says how many: a wide window's worth.
const BUCKETS_DEFAULT: usize = 4_000;
/// How long a request waits for a waveform that is being drawn.
const DRAWN_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaveformQuery {
    /// The most buckets wanted, 4000 if absent: the finest level with no more is taken.
    max: Option<usize>,
    /// Which of the file's sound tracks, counted from 0.
    #[serde(default)]
    track: usize,
}

/// The waveform of the recording
///
/// The lowest and highest sample of each bucket of time, as signed bytes: `HFPK`, a byte for the
/// version (1), a byte for the level (a bucket lasts 10 ms × 2^level), two zero bytes, the number of
/// buckets as a little-endian 32-bit number, then two bytes for each bucket. It is drawn when the
/// recording is made; the first request of an older one has it drawn, and waits for it.
#[utoipa::path(
    get, path = "/sessions/{id}/waveform", tag = "sessions",
    params(("id" = String, Path, description = "The session's id"), WaveformQuery),
    responses(
        (status = 200, description = "The peaks", content_type = "application/octet-stream"),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such session, no recording yet, or none with sound that can be drawn", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is still being drawn", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn waveform(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    query: Result<Query<WaveformQuery>, QueryRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let WaveformQuery { max, track } = query?.0;
    let max = max.unwrap_or(BUCKETS_DEFAULT);
    let session = state.store.session(id).await?;
    let recording = session.recording.ok_or(ApiError::NoRecording)?;
    let etag = format!("\"{}-{track}-{max}\"", version_of(&recording.key));
    if is_unchanged(&request, &etag) {
        return respond(StatusCode::NOT_MODIFIED, &etag, Body::empty());
    }
    let drawing = state.recordings.waveform(id, &recording, track);
    let peaks = tokio::time::timeout(DRAWN_WITHIN, drawing)
        .await
        .map_err(|_| ApiError::WaveformNotDrawn)??
        .within(max);
    let mut response = respond(StatusCode::OK, &etag, peaks.to_bytes().into())?;
    response.headers_mut().insert(header::CONTENT_TYPE, OCTET_STREAM);
    Ok(response)
}

const OCTET_STREAM: header::HeaderValue =
    header::HeaderValue::from_static("application/octet-stream");

impl From<WaveformError> for ApiError {
    fn from(error: WaveformError) -> Self {
        match error {
            WaveformError::NoSound | WaveformError::NotMade(NotMade::GivenUp(_)) => {
                Self::NoWaveform
            }
            WaveformError::Replaced | WaveformError::NotMade(NotMade::PutOff) => {
                Self::WaveformNotDrawn
            }
            WaveformError::NotMade(NotMade::ShuttingDown) => Self::ShuttingDown,
            WaveformError::NotMade(NotMade::Store(error)) => error.into(),
            WaveformError::Files(_) | WaveformError::Damaged(_) | WaveformError::DamagedList(_) => {
                Self::Internal(error.into())
            }
        }
    }
}

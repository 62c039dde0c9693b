//! `GET /api/sessions/{id}/recording`: the file, with ranges (RFC 9110 section 14).

use std::ops::{Bound, Range};

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum_extra::headers::{self, HeaderMapExt as _};
use protocol::SessionId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::SessionPath;
use crate::error::{ApiError, Problem};
use crate::recording::{extension_of, version_of};
use crate::state::AppState;
use crate::store::{Recording, Session};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordingQuery {
    /// Anything: the browser saves the file instead of playing it.
    download: Option<String>,
}

/// The recording
///
/// Of a session that is not completed: what there is of it.
#[utoipa::path(
    get, path = "/sessions/{id}/recording", tag = "sessions",
    params(("id" = String, Path, description = "The session's id"), RecordingQuery),
    responses(
        (status = 200, description = "The whole file", content_type = "audio/webm"),
        (status = 206, description = "The range asked for", content_type = "audio/webm"),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such session, or no recording yet", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The range is beyond the file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn recording(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    query: Result<Query<RecordingQuery>, QueryRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let session = state.store.session(id).await?;
    let recording = session.recording.as_ref().ok_or(ApiError::NoRecording)?;
    let file = recorded(&session, recording);
    serve(&state, &request, &file, query?.0.is_download()).await
}

impl RecordingQuery {
    pub(super) fn is_download(&self) -> bool {
        self.download.is_some()
    }
}

/// A file in its place.
pub(super) struct ServedFile {
    pub(super) key: String,
    pub(super) mime: String,
    pub(super) bytes: u64,
    pub(super) etag: String,
    /// Under which it is saved.
    pub(super) name: String,
}

/// The recording of a session.
pub(super) fn recorded(session: &Session, recording: &Recording) -> ServedFile {
    let Recording { key, mime, bytes, .. } = recording;
    served(session, extension_of(key), key.clone(), mime.clone(), *bytes)
}

/// A file of a session, under a name that ends in this.
pub(super) fn served(
    session: &Session,
    ending: &str,
    key: String,
    mime: String,
    bytes: u64,
) -> ServedFile {
    let etag = format!("\"{}\"", version_of(&key));
    ServedFile { name: file_name(session, session.id, ending), key, mime, bytes, etag }
}

/// Answers with the file or the range of it that is asked for.
pub(super) async fn serve(
    state: &AppState,
    request: &HeaderMap,
    file: &ServedFile,
    download: bool,
) -> Result<Response, ApiError> {
    let ServedFile { key, mime, bytes: whole, etag, name } = file;
    if is_unchanged(request, etag) {
        return respond(StatusCode::NOT_MODIFIED, etag, Body::empty());
    }
    let range = wanted(request, *whole, etag)?;
    let bytes = range.clone().unwrap_or(0..*whole);
    let stream = state
        .files
        .read(key, bytes.clone())
        .await
        .map_err(|error| ApiError::Internal(error.into()))?;
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = respond(status, etag, Body::from_stream(stream))?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(mime)?);
    headers.insert(header::CONTENT_LENGTH, (bytes.end - bytes.start).into());
    let kind = if download { "attachment" } else { "inline" };
    let disposition = format!("{kind}; filename=\"{name}\"");
    headers.insert(header::CONTENT_DISPOSITION, value(&disposition)?);
    if range.is_some() {
        let place = format!("bytes {}-{}/{whole}", bytes.start, bytes.end - 1);
        headers.insert(header::CONTENT_RANGE, value(&place)?);
    }
    Ok(response)
}

/// The client has what it asks for.
pub(super) fn is_unchanged(request: &HeaderMap, etag: &str) -> bool {
    request
        .typed_get::<headers::IfNoneMatch>()
        .zip(etag.parse::<headers::ETag>().ok())
        .is_some_and(|(if_none_match, etag)| !if_none_match.precondition_passes(&etag))
}

/// The one range asked for, or `None` for the whole file: several ranges are not worth their
/// multipart answer, and a range of another version of the file is void (`If-Range`).
fn wanted(request: &HeaderMap, bytes: u64, etag: &str) -> Result<Option<Range<u64>>, ApiError> {
    let same_file =
        request.get(header::IF_RANGE).is_none_or(|if_range| if_range.as_bytes() == etag.as_bytes());
    let Some(ranges) = request.typed_get::<headers::Range>().filter(|_| same_file) else {
        return Ok(None);
    };
    let mut ranges = ranges.satisfiable_ranges(bytes);
    match (ranges.next(), ranges.next()) {
        (Some((from, to)), None) => {
            resolve(from, to, bytes).map(Some).ok_or(ApiError::RangeNotSatisfiable { bytes })
        }
        (Some(_), Some(_)) => Ok(None),
        (None, _) => Err(ApiError::RangeNotSatisfiable { bytes }),
    }
}

fn resolve(from: Bound<u64>, to: Bound<u64>, bytes: u64) -> Option<Range<u64>> {
    let start = match from {
        Bound::Included(start) => start,
        Bound::Excluded(before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let end = match to {
        Bound::Included(last) => last.saturating_add(1).min(bytes),
        Bound::Excluded(end) => end.min(bytes),
        Bound::Unbounded => bytes,
    };
    (start < end).then_some(start..end)
}

/// A name that says when, and of which session.
pub(super) fn file_name(session: &Session, id: SessionId, extension: &str) -> String {
    let day = crate::dto::rfc3339(session.created_at);
    let day = day.split('T').next().unwrap_or_default();
    let short = &id.to_string()[24..];
    format!("holdfast-{day}-{short}.{extension}")
}

pub(super) fn respond(status: StatusCode, etag: &str, body: Body) -> Result<Response, ApiError> {
    Response::builder()
        .status(status)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, "private, no-cache")
        .body(body)
        .map_err(|error| ApiError::Internal(error.into()))
}

fn value(text: &str) -> Result<HeaderValue, ApiError> {
    text.parse().map_err(|_| ApiError::Internal(anyhow::anyhow!("{text:?} is no header value")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Result<Option<Range<u64>>, ()> {
        let mut request = HeaderMap::new();
        request.insert(header::RANGE, text.parse().unwrap());
        wanted(&request, 1000, "\"x\"").map_err(|_| ())
    }

    #[test]
    fn ranges_are_resolved_against_the_file() {
        assert_eq!(range("bytes=0-"), Ok(Some(0..1000)));
        assert_eq!(range("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(range("bytes=990-2000"), Ok(Some(990..1000)));
        assert_eq!(range("bytes=-10"), Ok(Some(990..1000)));
        assert_eq!(range("bytes=1000-"), Err(()));
        assert_eq!(range("bytes=0-1,5-6"), Ok(None));
        assert_eq!(range("lines=0-1"), Ok(None));
    }
}

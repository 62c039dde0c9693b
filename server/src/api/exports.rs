//! `/api/sessions/{id}/exports`: the recording in other forms, made when asked for.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger::Format;
use protocol::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::SessionPath;
use super::recording::{ServedFile, file_name, serve};
use crate::error::{ApiError, Problem};
use crate::export::{ExportError, Standing, StandingError, can_be_exported, form};
use crate::recording::version_of;
use crate::state::AppState;
use crate::store::{Recording, Session};

/// How long a request for the file waits for one that is being made.
const MADE_WITHIN: Duration = Duration::from_secs(25);

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionExports {
    exports: Vec<Export>,
}

/// A form in which the recording can be had.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Export {
    /// `timeline` (with pauses and gaps as time), `ogg` (the sound as Opus; several are mixed
    /// into one), `mp3`, `wav`, `mp4` or `zip` (everything there is of the session).
    format: &'static str,
    /// `not_made`, `making`, `ready`, `failed`, or `unavailable` when it cannot be made here.
    state: &'static str,
    /// How much of it is made, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<f64>,
    /// Why it is unavailable, failed, or has to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of the file, once it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    url: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Anything: the browser saves the file instead of playing it.
    download: Option<String>,
}

/// The session and the form in the path.
pub(super) struct ExportPath(SessionId, Format);

impl FromRequestParts<AppState> for ExportPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path((id, format)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
        Ok(Self(id, Format::of_word(&format).ok_or(ApiError::NoExport)?))
    }
}

/// The forms of the recording
#[utoipa::path(
    get, path = "/sessions/{id}/exports", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "Every form, and how it stands", body = SessionExports),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session is not completed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_exports(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
) -> Result<Json<SessionExports>, ApiError> {
    let (_, recording) = exportable(&state, id).await?;
    let mut exports = Vec::with_capacity(Format::ALL.len());
    for format in Format::ALL {
        exports.push(export_of(&state, id, &recording, format).await?);
    }
    Ok(Json(SessionExports { exports }))
}

/// Make a form of the recording
///
/// It is made even when nobody waits for it, after a restart of the server too, and kept for a day, at
/// least. What is there already is not made again; what failed is tried once more.
#[utoipa::path(
    post, path = "/sessions/{id}/exports/{format}", tag = "sessions",
    params(("id" = String, Path, description = "The session's id"), ("format" = String, Path, description = "The form")),
    responses(
        (status = 202, description = "It is being made, or there", body = Export),
        (status = 404, description = "No such session or form", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session is not completed", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "It cannot be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many are being made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn start_export(
    State(state): State<AppState>,
    ExportPath(id, format): ExportPath,
) -> Result<(StatusCode, Json<Export>), ApiError> {
    let (_, recording) = exportable(&state, id).await?;
    state.exports.start(id, &recording, format).await?;
    let export = export_of(&state, id, &recording, format).await?;
    Ok((StatusCode::ACCEPTED, Json(export)))
}

/// A form of the recording
///
/// It is made if it is not there yet; then this waits for a while.
#[utoipa::path(
    get, path = "/sessions/{id}/exports/{format}", tag = "sessions",
    params(("id" = String, Path, description = "The session's id"), ("format" = String, Path, description = "The form"), ExportQuery),
    responses(
        (status = 200, description = "The whole file", content_type = "application/octet-stream"),
        (status = 206, description = "The range asked for", content_type = "application/octet-stream"),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such session or form", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session is not completed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Making it takes more than is allowed", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "It cannot be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is still being made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export(
    State(state): State<AppState>,
    ExportPath(id, format): ExportPath,
    query: Result<Query<ExportQuery>, QueryRejection>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let (session, recording) = exportable(&state, id).await?;
    state.exports.start(id, &recording, format).await?;
    let outcome = state.exports.outcome(id, &recording, format);
    let outcome = tokio::time::timeout(MADE_WITHIN, outcome).await;
    let outcome = outcome.map_err(|_| ApiError::ExportNotMade)??;
    let (key, bytes) = match outcome.ok_or(ApiError::ShuttingDown)? {
        Standing::Ready { key, bytes } => (key, bytes),
        Standing::Failed(error) | Standing::PutOff(error @ ExportError::DiskFull) => {
            return Err(error.into());
        }
        Standing::NotMade | Standing::Making { .. } | Standing::PutOff(_) => {
            return Err(ApiError::ExportNotMade);
        }
    };
    let file = ServedFile {
        key,
        mime: form::mime(format, &recording),
        bytes,
        etag: format!("\"{}-{}\"", version_of(&recording.key), format.as_str()),
        name: file_name(&session, id, form::extension(format, &recording)),
    };
    serve(&state, &request, &file, query?.0.download.is_some()).await
}

async fn exportable(state: &AppState, id: SessionId) -> Result<(Session, Recording), ApiError> {
    let session = state.store.session(id).await?;
    let recording = session.recording.clone().filter(|_| can_be_exported(&session));
    Ok((session, recording.ok_or(ApiError::NotYetExportable)?))
}

async fn export_of(
    state: &AppState,
    id: SessionId,
    recording: &Recording,
    format: Format,
) -> Result<Export, ApiError> {
    let url = app::paths::export(id, format.as_str());
    let (progress, reason, bytes) = (None, None, None);
    let blank = Export { format: format.as_str(), state: "not_made", progress, reason, bytes, url };
    if let Some(obstacle) = state.exports.obstacle(recording, format).await {
        return Ok(Export { state: "unavailable", reason: Some(obstacle.to_string()), ..blank });
    }
    Ok(match state.exports.standing(id, recording, format).await? {
        Standing::NotMade => blank,
        Standing::Making { thousandths } => {
            Export { state: "making", progress: Some(f64::from(thousandths) / 1_000.0), ..blank }
        }
        Standing::PutOff(error) => {
            Export { state: "making", reason: Some(error.to_string()), ..blank }
        }
        Standing::Ready { bytes, .. } => Export { state: "ready", bytes: Some(bytes), ..blank },
        Standing::Failed(error) => {
            Export { state: "failed", reason: Some(error.to_string()), ..blank }
        }
    })
}

impl From<ExportError> for ApiError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::NoFfmpeg | ExportError::NotPossible(_) => {
                Self::ExportImpossible(error.to_string())
            }
            ExportError::TooMany => Self::TooManyExports,
            ExportError::ShuttingDown => Self::ShuttingDown,
            ExportError::DiskFull => Self::DiskFull,
            ExportError::PastLimit(_) => Self::ExportPastLimit(error.to_string()),
            ExportError::Refused(_)
            | ExportError::NotMixed
            | ExportError::MixPutOff
            | ExportError::NotConverted
            | ExportError::Storage
            | ExportError::BrokeOff
            | ExportError::EndedTheServer { .. }
            | ExportError::Told(_) => Self::ExportFailed(error.to_string()),
        }
    }
}

impl From<StandingError> for ApiError {
    fn from(error: StandingError) -> Self {
        match error {
            StandingError::Store(error) => error.into(),
            error @ StandingError::Files(_) => Self::Internal(error.into()),
        }
    }
}

//! What the JSON API answers when it cannot do what was asked: `application/problem+json`
//! (RFC 9457). The inside of an error is logged here, once, and hidden from the client.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::Refused;
use protocol::limits::{PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST};
use protocol::{SeqSet, SessionStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Limit;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    BadRequest(String),
    #[error("There is nothing at this address.")]
    NoSuchAddress,
    #[error("The address does not take this method.")]
    MethodNotAllowed,
    #[error("There is no such session.")]
    UnknownSession,
    #[error("This session has no recording yet.")]
    NoRecording,
    #[error("There is no file of this track.")]
    NoTrackFile,
    #[error("There is no such picture.")]
    NoFrame,
    #[error("There is no sound in this recording that can be drawn.")]
    NoWaveform,
    #[error("The waveform is still being drawn; try again.")]
    WaveformNotDrawn,
    #[error("There is no such form of the recording.")]
    NoExport,
    #[error("The recording can be had in other forms once the session is completed.")]
    NotYetExportable,
    #[error("It is still being made; try again.")]
    ExportNotMade,
    #[error("{0}")]
    ExportImpossible(String),
    #[error("{0}")]
    ExportPastLimit(String),
    #[error("{0}")]
    ExportFailed(String),
    #[error("Too many exports are being made; try again.")]
    TooManyExports,
    #[error("The token does not belong to this session.")]
    WrongToken,
    #[error("A newer writer has taken over this session.")]
    Fenced,
    #[error("The session is {0}, which does not allow this.")]
    WrongStatus(SessionStatus),
    #[error("Items are missing; send them, or finish without `last_seq`.")]
    Missing(SeqSet),
    #[error("The range cannot be satisfied.")]
    RangeNotSatisfiable { bytes: u64 },
    #[error("{0}")]
    Conflict(protocol::ItemError),
    #[error(
        "Protocol version {0} is not spoken here; this server speaks {PROTOCOL_VERSION_OLDEST} to \
         {PROTOCOL_VERSION}."
    )]
    UnsupportedVersion(u16),
    #[error("The request body is above the limit.")]
    BodyTooLarge,
    #[error("The request body did not arrive in time.")]
    BodyTooSlow,
    #[error("The server's disk is full; try again.")]
    DiskFull,
    #[error("The server's disk is nearly full, and no session is begun; try again.")]
    NoRoomForNewSessions,
    #[error("The session is as large as it may be; finish it.")]
    SessionFull,
    #[error("This address has begun as many sessions as it may in a day; try again tomorrow.")]
    TooManySessions,
    #[error("This address has brought as much as it may in a day; try again tomorrow.")]
    TooManyBytes,
    #[error("The server has as many connections as it allows; try again.")]
    TooManyConnections,
    #[error("The server is shutting down; try again.")]
    ShuttingDown,
    #[error("The server could not do this; the operator's log says why.")]
    Internal(anyhow::Error),
}

/// A problem as RFC 9457 describes it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A short name of the kind of problem, stable across versions.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, for people.
    detail: String,
    /// The session's status, where that is the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session_status: Option<SessionStatus>,
    /// What is missing as inclusive pairs, where that is the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<[u64; 2]>>)]
    missing: Option<SeqSet>,
}

impl ApiError {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest(_) => (S::BAD_REQUEST, "bad-request", "Bad request"),
            Self::NoSuchAddress => (S::NOT_FOUND, "no-such-address", "Not found"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::UnknownSession => (S::NOT_FOUND, "unknown-session", "Unknown session"),
            Self::NoRecording => (S::NOT_FOUND, "no-recording", "No recording"),
            Self::NoTrackFile => (S::NOT_FOUND, "no-track-file", "No file of this track"),
            Self::NoFrame => (S::NOT_FOUND, "no-such-frame", "No such picture"),
            Self::NoWaveform => (S::NOT_FOUND, "no-waveform", "No waveform"),
            Self::WaveformNotDrawn => {
                (S::SERVICE_UNAVAILABLE, "waveform-not-drawn", "Waveform not drawn yet")
            }
            Self::NoExport => (S::NOT_FOUND, "no-such-export", "No such export"),
            Self::NotYetExportable => {
                (S::CONFLICT, "not-yet-exportable", "The session is not completed")
            }
            Self::ExportNotMade => {
                (S::SERVICE_UNAVAILABLE, "export-not-made", "Export not made yet")
            }
            Self::ExportImpossible(_) => {
                (S::NOT_IMPLEMENTED, "export-impossible", "Not possible here")
            }
            Self::ExportPastLimit(_) => {
                (S::UNPROCESSABLE_ENTITY, "export-past-limit", "Export past a limit")
            }
            Self::ExportFailed(_) => (S::INTERNAL_SERVER_ERROR, "export-failed", "Export failed"),
            Self::TooManyExports => {
                (S::SERVICE_UNAVAILABLE, "too-many-exports", "Too many exports")
            }
            Self::WrongToken => (S::FORBIDDEN, "wrong-token", "Wrong token"),
            Self::Fenced => (S::CONFLICT, "fenced", "Another writer took over"),
            Self::WrongStatus(_) => (S::CONFLICT, "wrong-status", "Wrong status"),
            Self::Missing(_) => (S::CONFLICT, "items-missing", "Items missing"),
            Self::RangeNotSatisfiable { .. } => {
                (S::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "Range not satisfiable")
            }
            Self::Conflict(_) => (S::CONFLICT, "conflict", "Another item under this number"),
            Self::UnsupportedVersion(_) => {
                (S::BAD_REQUEST, "unsupported-version", "Unsupported protocol version")
            }
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large"),
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, "body-too-slow", "Body too slow"),
            Self::DiskFull => (S::INSUFFICIENT_STORAGE, "disk-full", "Disk full"),
            Self::NoRoomForNewSessions => {
                (S::INSUFFICIENT_STORAGE, "disk-full", "No room for new sessions")
            }
            Self::SessionFull => (S::CONFLICT, "session-full", "Session full"),
            Self::TooManySessions => {
                (S::TOO_MANY_REQUESTS, "too-many-sessions", "Too many sessions today")
            }
            Self::TooManyBytes => (S::TOO_MANY_REQUESTS, "too-many-bytes", "Too many bytes today"),
            Self::TooManyConnections => {
                (S::SERVICE_UNAVAILABLE, "too-many-connections", "Too many connections")
            }
            Self::ShuttingDown => (S::SERVICE_UNAVAILABLE, "shutting-down", "Shutting down"),
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind().0
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Internal(error) = &self {
            tracing::error!("{error:#}");
        }
        let (status, kind, title) = self.kind();
        let mut problem = Problem {
            kind,
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            session_status: None,
            missing: None,
        };
        let mut unsatisfied = None;
        match self {
            Self::WrongStatus(status) => problem.session_status = Some(status),
            Self::Missing(missing) => problem.missing = Some(missing),
            Self::RangeNotSatisfiable { bytes } => {
                unsatisfied = HeaderValue::try_from(format!("bytes */{bytes}")).ok();
            }
            Self::BadRequest(_)
            | Self::NoSuchAddress
            | Self::MethodNotAllowed
            | Self::UnknownSession
            | Self::NoRecording
            | Self::NoTrackFile
            | Self::NoFrame
            | Self::NoWaveform
            | Self::WaveformNotDrawn
            | Self::NoExport
            | Self::NotYetExportable
            | Self::ExportNotMade
            | Self::ExportImpossible(_)
            | Self::ExportPastLimit(_)
            | Self::ExportFailed(_)
            | Self::TooManyExports
            | Self::WrongToken
            | Self::Fenced
            | Self::Conflict(_)
            | Self::UnsupportedVersion(_)
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::DiskFull
            | Self::NoRoomForNewSessions
            | Self::SessionFull
            | Self::TooManySessions
            | Self::TooManyBytes
            | Self::TooManyConnections
            | Self::ShuttingDown
            | Self::Internal(_) => {}
        }
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(unsatisfied) = unsatisfied {
            headers.insert(header::CONTENT_RANGE, unsatisfied);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refused) => refused.into(),
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Database(_) | StoreError::Migration(_) | StoreError::Corrupt(_) => {
                Self::Internal(error.into())
            }
        }
    }
}

impl From<Limit> for ApiError {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::SessionSize => Self::SessionFull,
            Limit::SessionsOfAddress => Self::TooManySessions,
            Limit::BytesOfAddress => Self::TooManyBytes,
            Limit::NewSessionReserve => Self::NoRoomForNewSessions,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownSession => Self::UnknownSession,
            Refused::WrongToken => Self::WrongToken,
            Refused::Illegal(illegal) => Self::WrongStatus(illegal.from),
            Refused::Fenced | Refused::Outdated { .. } => Self::Fenced,
            Refused::Discarded => Self::WrongStatus(SessionStatus::Discarded),
            Refused::Missing(missing) => Self::Missing(missing),
            refused @ Refused::TooFarAhead => Self::BadRequest(refused.to_string()),
            Refused::NoRecording => Self::NoRecording,
            refused @ (Refused::RecordingOutdated | Refused::NotCompleted) => {
                Self::Internal(refused.into())
            }
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::BodyTooLarge
        } else {
            Self::BadRequest(rejection.body_text())
        }
    }
}

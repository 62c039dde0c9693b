//! The addresses that pages link to. The routes behind them are the server's.

use protocol::{SessionId, SessionStatus};

pub const HISTORY: &str = "/";
pub const RECORD: &str = "/record";
pub const API_DOCS: &str = "/api/docs";

/// One session's page.
pub fn session(id: SessionId) -> String {
    format!("/sessions/{id}")
}

/// One session as JSON.
pub fn session_json(id: SessionId) -> String {
    format!("/api/sessions/{id}")
}

/// The recording, to be played in place.
pub fn recording(id: SessionId) -> String {
    format!("/api/sessions/{id}/recording")
}

/// The recording, to be kept as a file.
pub fn recording_download(id: SessionId) -> String {
    format!("/api/sessions/{id}/recording?download=1")
}

/// The history, from the newest or from `before` on, of every status or of one.
pub fn history(status: Option<SessionStatus>, before: Option<&str>) -> String {
    match (before, status) {
        (None, None) => HISTORY.to_owned(),
        (None, Some(status)) => format!("/?status={status}"),
        (Some(before), None) => format!("/?before={before}"),
        (Some(before), Some(status)) => format!("/?before={before}&status={status}"),
    }
}

//! The addresses that pages link to. The routes behind them are the server's.

use protocol::{SessionId, SessionStatus, TrackNo};

pub const HISTORY: &str = "/";
pub const RECORD: &str = "/record";
pub const API_DOCS: &str = "/api/docs";
pub const JOBS: &str = "/jobs";

/// One session's page.
pub fn session(id: SessionId) -> String {
    format!("/sessions/{id}")
}

/// Where the form goes that deletes a session.
pub fn delete(id: SessionId) -> String {
    format!("/sessions/{id}/delete")
}

/// Where the form goes that has a job tried once more.
pub fn retry(job: &str) -> String {
    format!("/jobs/{job}/retry")
}

/// One session as JSON.
pub fn session_json(id: SessionId) -> String {
    format!("/api/sessions/{id}")
}

/// The recording, to be played in place.
pub fn recording(id: SessionId) -> String {
    format!("/api/sessions/{id}/recording")
}

/// The recording with all its sound in one track, where that has been made; to be played in place.
pub fn playback(id: SessionId) -> String {
    format!("/api/sessions/{id}/playback")
}

/// A file of one track, to be played in place. Part 0 is its first.
pub fn track_recording(id: SessionId, track: TrackNo, part: u8) -> String {
    match part {
        0 => format!("/api/sessions/{id}/tracks/{track}/recording"),
        further => format!("/api/sessions/{id}/tracks/{track}/recording?part={further}"),
    }
}

/// A file of one track, to be kept as a file.
pub fn track_download(id: SessionId, track: TrackNo, part: u8) -> String {
    as_download(track_recording(id, track, part))
}

fn as_download(file: String) -> String {
    format!("{file}{}download=1", if file.contains('?') { '&' } else { '?' })
}

/// What came of a track after the recording was made, to be played in place. Part 0 is its first.
pub fn supplement(id: SessionId, track: TrackNo, part: u8) -> String {
    match part {
        0 => format!("/api/sessions/{id}/tracks/{track}/supplement"),
        further => format!("/api/sessions/{id}/tracks/{track}/supplement?part={further}"),
    }
}

/// The same, to be kept as a file.
pub fn supplement_download(id: SessionId, track: TrackNo, part: u8) -> String {
    as_download(supplement(id, track, part))
}

/// A picture.
pub fn frame(id: SessionId, number: u32) -> String {
    format!("/api/sessions/{id}/frames/{number}.jpg")
}

/// What the recording sounds like, as peaks: one of its sound tracks, counted from 0.
pub fn waveform(id: SessionId, sound: u32) -> String {
    match sound {
        0 => format!("/api/sessions/{id}/waveform"),
        other => format!("/api/sessions/{id}/waveform?track={other}"),
    }
}

/// The recording, to be kept as a file.
pub fn recording_download(id: SessionId) -> String {
    format!("/api/sessions/{id}/recording?download=1")
}

/// The forms in which the recording can be had.
pub fn exports(id: SessionId) -> String {
    format!("/api/sessions/{id}/exports")
}

/// The recording in another form.
pub fn export(id: SessionId, format: &str) -> String {
    format!("/api/sessions/{id}/exports/{format}")
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

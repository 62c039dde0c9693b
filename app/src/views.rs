//! What pages show: plain values that the server makes from its rows.

pub mod api;
pub mod happening;

pub use happening::Happening;

use protocol::{Digest, Millis, SegmentNo, SeqSet, SessionId, SessionStatus, TrackKind, TrackNo};

/// A point in time, written out by the server so that no date code reaches the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instant {
    /// RFC 3339 in UTC, such as `2026-11-14T09:30:00Z`.
    pub rfc3339: String,
    /// For people, such as `14 Nov 2026, 09:30 UTC`; stands where no script runs.
    pub human_utc: String,
}

/// One page of the history, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryView {
    pub rows: Vec<SessionRow>,
    /// Only sessions of this status are listed.
    pub status: Option<SessionStatus>,
    /// False when the list starts somewhere further back.
    pub is_newest: bool,
    /// The value of `before` that leads to the next page; none on the last. Letters, digits and
    /// `-._~` only, so that it needs no escaping in a link.
    pub older: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub id: SessionId,
    pub status: SessionStatus,
    pub started: Instant,
    /// None while it is unknown.
    pub duration: Option<Millis>,
    pub bytes: u64,
    /// Items that were captured and are not here.
    pub missing: u64,
    /// A writer is connected.
    pub live: bool,
}

/// All there is to see of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub id: SessionId,
    pub status: SessionStatus,
    /// A writer is connected.
    pub live: bool,
    pub started: Instant,
    pub last_heartbeat: Option<Instant>,
    pub completed: Option<Instant>,
    /// Items received so far.
    pub items: u64,
    /// Payload bytes received so far.
    pub bytes: u64,
    /// None while it is unknown.
    pub duration: Option<Millis>,
    pub missing: SeqSet,
    /// The playable file, when there is one.
    pub recording: Option<RecordingView>,
    /// Why no recording could be made; only of a failed session.
    pub failure: Option<String>,
    pub segments: Vec<SegmentRow>,
    /// In the order of their places on the timeline.
    pub happened: Vec<Happening>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingView {
    pub has_video: bool,
    /// Bytes of the file.
    pub bytes: u64,
    pub duration: Millis,
    /// Recorder runs that are not in it.
    pub left_out: u32,
    /// SHA-256 of the file.
    pub digest: Digest,
}

/// One uninterrupted recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    pub track: TrackNo,
    pub segment: SegmentNo,
    pub kind: TrackKind,
    /// As the recorder names it. Comes from the browser: anything may stand here.
    pub mime: String,
    /// As the browser names the device; empty when it does not. Anything may stand here.
    pub label: String,
    /// On the session's timeline.
    pub start: Millis,
    /// None while the run goes on.
    pub duration: Option<Millis>,
    /// Where its newest chunk lies on the timeline, once there is one.
    pub captured_until: Option<Millis>,
}

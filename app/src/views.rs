//! What pages show: plain values that the server makes from its rows.

pub mod api;

use protocol::{
    Digest, Event, Millis, SegmentNo, SeqSet, SessionId, SessionStatus, TrackKind, TrackNo,
};
use timeline::{ConnectionMark, Marks, Timeline};

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

/// The work that is due; what was given up comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsView {
    pub jobs: Vec<JobRow>,
    /// There are more than these.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// By which it is asked for: letters, digits and `-.` only, so that it needs no escaping in an address.
    pub id: String,
    pub session: SessionId,
    pub what: &'static str,
    pub standing: JobStanding,
    /// Of what waits: not before then.
    pub begins: Option<Instant>,
    /// Of what runs: thousandths of it, if anybody knows.
    pub progress: Option<u16>,
    pub tries: u32,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStanding {
    Waiting,
    Running,
    /// Given up.
    Stopped,
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
    /// Recorder runs that are in no file, or not wholly.
    pub left_out: u32,
    /// Items that came after the recording was made.
    pub late: u64,
    /// Nothing but silence was recorded, as far as it is known.
    pub is_silent: bool,
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
    /// What of its recorder runs is in no file.
    pub left_out: Vec<LeftOutRow>,
    /// What came after the recording was made.
    pub supplement: Option<SupplementView>,
    /// Empty before the session is completed.
    pub exports: Vec<ExportRow>,
    /// Why no recording could be made; only of a failed session.
    pub failure: Option<String>,
    pub timeline: Timeline,
    pub connections: Marks<ConnectionMark>,
    pub tracks: Vec<TrackView>,
    /// The tracks that the recording is made of, where those are several.
    pub joined: Vec<TrackNo>,
    /// In the order of time.
    pub frames: Vec<FrameView>,
    /// In the order of their places on the timeline.
    pub log: Vec<LogEntry>,
}

/// What happened to a session, and where on its timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When it happened, by the server's clock.
    pub at: Instant,
    /// The same on the session's timeline.
    pub place: Millis,
    /// `None`: of a kind that only a newer version knows.
    pub event: Option<Event>,
}

/// A form in which the recording can be had, by the name that the API has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    pub format: &'static str,
    /// Why it cannot be had here.
    pub obstacle: Option<String>,
    /// Why it could not be made when somebody asked for it.
    pub failure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingView {
    /// Items that it is made of, markers included.
    pub items: u64,
    /// Of the file, such as `video/mp4`; without its codecs.
    pub mime: String,
    pub has_video: bool,
    /// Bytes of the file.
    pub bytes: u64,
    pub duration: Millis,
    /// There is one to be played, with all sound in one track.
    pub is_mixed: bool,
    /// Recorder runs that are in no file, or not wholly.
    pub left_out: u32,
    /// There is sound, and all of it is silence. None while it is not known.
    pub is_silent: Option<bool>,
    /// SHA-256 of the file; None while that is being made.
    pub digest: Option<Digest>,
}

/// What of a recorder run is in no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutRow {
    pub track: TrackNo,
    pub segment: SegmentNo,
    /// As far as they could be counted.
    pub packets: u64,
    pub bytes: u64,
    /// In words.
    pub why: String,
}

/// What came after the recording was made, and is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplementView {
    pub items: u64,
    /// Those of them that are yet to be put into files.
    pub waiting_items: u64,
    /// Why that is not done any more.
    pub given_up: Option<GivenUpView>,
    pub last_came: Instant,
    pub files: Vec<SupplementFileView>,
    /// Among the items, and in no file.
    pub pictures: u64,
    /// Recorder runs that are in no file, or not wholly; the first of them are listed.
    pub left_out_runs: u32,
    pub left_out: Vec<LeftOutRow>,
}

/// Making a supplement was given up: somebody may have it tried once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUpView {
    /// In words.
    pub why: String,
    /// It begins again by itself when more comes, too.
    pub is_begun_by_more: bool,
}

/// All that came late of one track, or of one format of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplementFileView {
    pub track: TrackNo,
    pub part: u8,
    /// None: nothing has said what the track is.
    pub kind: Option<TrackKind>,
    /// As that of a track.
    pub label: String,
    pub has_video: bool,
    pub bytes: u64,
    pub duration: Millis,
}

/// One source of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackView {
    pub track: TrackNo,
    pub kind: TrackKind,
    /// As the browser names the device; empty when it does not. Anything may stand here.
    pub label: String,
    /// Its own file, once there is one.
    pub file: Option<TrackFileView>,
    /// Those of recorder runs that do not fit into it, part 1 and on.
    pub further: Vec<TrackFileView>,
    /// Its sound tracks among those of the recording, counted from 0.
    pub sounds: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackFileView {
    pub bytes: u64,
    pub what: TrackContent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackContent {
    /// It plays for so long.
    Media(Millis),
    /// So many.
    Pictures(u64),
}

/// A picture taken now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameView {
    pub number: u32,
    /// On the session's timeline.
    pub at: Millis,
    /// The same in the recording.
    pub place: Millis,
}

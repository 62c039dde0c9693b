//! What is stored of a recorder run.

use protocol::item::{EndCause, StartCause};
use protocol::{Millis, SegmentNo, TrackKind, TrackNo};

/// One uninterrupted recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub track: TrackNo,
    pub segment: SegmentNo,
    pub kind: TrackKind,
    /// As the recorder names it. Comes from the browser: anything may stand here.
    pub mime: String,
    /// As the browser names the device; empty when it does not. Anything may stand here.
    pub label: String,
    /// On the session's timeline.
    pub started_at: Millis,
    /// `None` where that is not known.
    pub start_cause: Option<StartCause>,
    /// `None` while the run goes on, and of one whose page crashed.
    pub end: Option<RunEnd>,
    /// The most of it that one file holds. `None` before there is one.
    pub duration: Option<Millis>,
    /// What the first file of its track holds of it. `None` before there is one.
    pub in_file: Option<Millis>,
    /// Where its pauses lie in that file, as far as it is known, in the order of time.
    pub cuts: Vec<PauseCut>,
    /// Where its newest chunk lies on the timeline, once there is one.
    pub captured_until: Option<Millis>,
}

/// What the browser said of the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    /// On the session's timeline.
    pub at: Millis,
    pub cause: EndCause,
}

/// The place of a pause in what a file holds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseCut {
    /// When the pause was over, on the session's timeline.
    pub over: Millis,
    /// So much of the run comes before it.
    pub before: Millis,
}

impl Segment {
    /// A run of which nothing else is known.
    pub const fn new(
        track: TrackNo,
        segment: SegmentNo,
        kind: TrackKind,
        started_at: Millis,
    ) -> Self {
        Self {
            track,
            segment,
            kind,
            mime: String::new(),
            label: String::new(),
            started_at,
            start_cause: None,
            end: None,
            duration: None,
            in_file: None,
            cuts: Vec::new(),
            captured_until: None,
        }
    }
}

/// The first track that is no pictures now and then.
pub fn main_track(segments: &[Segment]) -> Option<TrackNo> {
    let running = segments.iter().filter(|segment| segment.kind != TrackKind::Stills);
    running.map(|segment| segment.track).min()
}

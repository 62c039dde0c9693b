//! The session that this page records: its timeline, its segments, and what of it is safe.

use protocol::item::{EndCause, Incident, SegmentEnd, SegmentStart, StartCause};
use protocol::limits::{LABEL_BYTES_MAX, MIME_BYTES_MAX, RESUME_GAP_MAX};
use protocol::{Content, Marker, Millis, SegmentNo, TrackKind, TrackNo};
use wasm_bindgen::JsValue;
use web_sys::Blob;

use crate::browser;
use crate::earlier::Taken;
use crate::pipeline::{Pipeline, Place};
use crate::port::Inputs;
use crate::session_lock::{LockKeeper, SessionLock};
use crate::spool::Spool;
use crate::stopwatch::Stopwatch;

/// The microphone's, with the camera's picture if it is in the same stream.
const MAIN: TrackNo = TrackNo::new(0);
/// What is recorded beside it.
const COMPANION: TrackNo = TrackNo::new(1);

/// Keeps other tabs away until it is dropped.
enum Lock {
    OfNew { _keeper: LockKeeper },
    OfEarlier { _lock: SessionLock },
}

/// What a recorder run says of itself.
pub(crate) struct RunStart<'a> {
    pub(crate) kind: TrackKind,
    pub(crate) mime: &'a str,
    pub(crate) label: &'a str,
}

pub(crate) struct Session {
    pub(crate) pipeline: Pipeline,
    /// When this page took the session up, on its own clock, and where on the timeline that was.
    taken_up: Millis,
    taken_up_at: Millis,
    watch: Stopwatch,
    /// The recorded time that has come out as chunks.
    chunked: Millis,
    segments: u32,
    lock: Option<Lock>,
    /// Why the first segment of this page starts, until it has.
    first_cause: Option<StartCause>,
}

impl Session {
    pub(crate) fn new(now: Millis, spool: Spool, inputs: Inputs) -> Result<Self, JsValue> {
        let id = browser::new_session_id()?;
        let token = browser::new_session_token()?;
        let lock = Some(Lock::OfNew { _keeper: LockKeeper::new(id, &inputs) });
        let pipeline = Pipeline::new(now, id, token, spool, inputs);
        Ok(Self {
            pipeline,
            taken_up: now,
            taken_up_at: Millis::ZERO,
            watch: Stopwatch::default(),
            chunked: Millis::ZERO,
            segments: 0,
            lock,
            first_cause: Some(StartCause::Begun),
        })
    }

    /// Goes on with a session that an earlier page or another tab left. The time without a page is a gap on the
    /// timeline.
    pub(crate) fn resume(now: Millis, taken: Taken, cause: StartCause, inputs: &Inputs) -> Self {
        let Taken { pipeline, lock } = taken;
        let lock = match lock {
            Some(lock) => Lock::OfEarlier { _lock: lock },
            None => Lock::OfNew { _keeper: LockKeeper::new(pipeline.session(), inputs) },
        };
        let record = pipeline.record();
        let by_the_wall = browser::wall_clock().since(record.started_at);
        let latest = record.timeline_end + RESUME_GAP_MAX;
        let (recorded, segments) = (record.recorded, record.next_segment.get());
        let taken_up_at = by_the_wall.clamp(record.timeline_end, latest);
        Self {
            pipeline,
            taken_up: now,
            taken_up_at,
            watch: Stopwatch::with(recorded),
            chunked: recorded,
            segments,
            lock: Some(lock),
            first_cause: Some(cause),
        }
    }

    fn position(&self, now: Millis) -> Millis {
        self.taken_up_at + now.since(self.taken_up)
    }

    /// The number of the segment that starts next.
    pub(crate) fn next_segment(&self) -> SegmentNo {
        SegmentNo::new(self.segments)
    }

    /// `cause` counts from the second segment of this page on. Returns the one that counts.
    pub(crate) fn segment_started(
        &mut self,
        now: Millis,
        run: &RunStart<'_>,
        cause: StartCause,
    ) -> StartCause {
        let cause = self.first_cause.take().unwrap_or(cause);
        self.watch.start(now);
        self.mark_start(now, MAIN, run, cause);
        cause
    }

    /// The same of what is recorded beside the microphone, which is what counts for the time.
    pub(crate) fn companion_started(&mut self, now: Millis, run: &RunStart<'_>, cause: StartCause) {
        self.mark_start(now, COMPANION, run, cause);
    }

    fn mark_start(&mut self, now: Millis, track: TrackNo, run: &RunStart<'_>, cause: StartCause) {
        let segment = self.next_segment();
        self.segments += 1;
        let start = SegmentStart {
            track,
            segment,
            kind: run.kind,
            mime: cut(run.mime, MIME_BYTES_MAX),
            label: cut(run.label, LABEL_BYTES_MAX),
            wall: browser::wall_clock(),
            cause,
        };
        self.mark(now, Marker::SegmentStarted(start));
    }

    pub(crate) fn chunk(&mut self, now: Millis, segment: SegmentNo, blob: Blob) {
        let recorded = self.watch.elapsed(now);
        let span = recorded.since(self.chunked);
        self.chunked = self.chunked.max(recorded);
        let place = Place { track: MAIN, segment, at: self.position(now), span };
        self.pipeline.capture_blob(now, place, blob);
    }

    pub(crate) fn companion_chunk(&mut self, now: Millis, segment: SegmentNo, blob: Blob) {
        let place = Place { track: COMPANION, segment, at: self.position(now), span: Millis::ZERO };
        self.pipeline.capture_blob(now, place, blob);
    }

    pub(crate) fn paused(&mut self, now: Millis) {
        self.watch.stop(now);
        self.mark(now, Marker::Paused);
    }

    pub(crate) fn resumed(&mut self, now: Millis) {
        self.watch.start(now);
        self.mark(now, Marker::Resumed);
    }

    pub(crate) fn segment_ended(&mut self, now: Millis, segment: SegmentNo, cause: EndCause) {
        // What a recorder has not handed over by now was not recorded.
        self.watch = Stopwatch::with(self.chunked);
        let end = SegmentEnd { track: MAIN, segment, cause };
        self.mark(now, Marker::SegmentEnded(end));
    }

    pub(crate) fn companion_ended(&mut self, now: Millis, segment: SegmentNo, cause: EndCause) {
        let end = SegmentEnd { track: COMPANION, segment, cause };
        self.mark(now, Marker::SegmentEnded(end));
    }

    pub(crate) fn note(&mut self, now: Millis, incident: Incident) {
        self.mark(now, Marker::Noted(incident));
    }

    /// To be called once everything is safe: another tab has nothing left to disturb.
    pub(crate) fn unlock(&mut self) {
        self.lock = None;
    }

    pub(crate) fn recorded(&self, now: Millis) -> Millis {
        self.watch.elapsed(now)
    }

    /// The recorded time that the server has acked.
    pub(crate) fn safe(&self) -> Millis {
        self.chunked.since(self.pipeline.backlog().span)
    }

    fn mark(&mut self, now: Millis, marker: Marker) {
        let at = self.position(now);
        self.pipeline.capture(now, at, Millis::ZERO, Content::Marker(marker));
    }
}

/// Shows that a text was cut.
const CUT: &str = "…";

/// The server refuses longer texts, and a label is not worth a refused item.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    [&text[..text.floor_char_boundary(bytes_max - CUT.len())], CUT].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_shows_it() {
        assert_eq!(cut("Mikrofon", 8), "Mikrofon");
        assert_eq!(cut("Mikrofone", 8), "Mikro…");
        assert_eq!(cut("Geräte", 6), "Ger…");
    }
}

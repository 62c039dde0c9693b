//! The session that a page records: its timeline, its segments, its chunks, and what of it is safe.

use bytes::Bytes;
use protocol::item::{EndCause, Incident, SegmentEnd, SegmentStart, StartCause};
use protocol::limits::{LABEL_BYTES_MAX, MIME_BYTES_MAX, RESUME_GAP_MAX};
use protocol::sender::{Reserved, Sender};
use protocol::tail::TailHeader;
use protocol::{Content, Marker, Millis, SegmentNo, Seq, SessionId, TrackKind, TrackNo};

use crate::stopwatch::Stopwatch;
use crate::{Moment, NewSession, RunForm};

/// The microphone's, with the camera's picture if it is in the same stream.
const MAIN: TrackNo = TrackNo::new(0);
/// What is recorded beside it.
const COMPANION: TrackNo = TrackNo::new(1);

/// Chunks read at once, or sent unread, when the page may be left: as many as fill a beacon's quota.
/// While the browser asks whether the page is really to be left, they pile up.
pub(crate) const URGENT_CHUNKS_MAX: u32 = 16;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sender: Sender,
    /// When this page took the session up, on its own clock, and where on the timeline that was.
    taken_up: Millis,
    taken_up_at: Millis,
    watch: Stopwatch,
    /// The recorded time that has come out as chunks.
    chunked: Millis,
    segments: u32,
    /// Why the first segment of this page starts, until it has.
    first_cause: Option<StartCause>,
    reading: Vec<Piece>,
    unreadable_chunks: u64,
    /// Chunks that cannot wait, because the page may be gone before they are read.
    urgent_chunks: u32,
}

/// A chunk that has its number and its place, and whose bytes are being read.
#[derive(Debug)]
struct Piece {
    reserved: Reserved,
    place: Place,
}

/// Where a chunk belongs.
#[derive(Debug, Clone, Copy)]
struct Place {
    track: TrackNo,
    segment: SegmentNo,
    /// On the session's timeline.
    at: Millis,
    /// The media time that it covers.
    span: Millis,
}

/// A chunk that has just got its number.
pub(crate) struct Numbered {
    pub(crate) seq: Seq,
    /// How it goes out unread, if it cannot wait.
    pub(crate) urgent_tail: Option<TailHeader>,
}

impl Session {
    /// One that neither the spool nor the server knows yet.
    pub(crate) fn new(at: Moment, new: NewSession) -> Self {
        let sender = Sender::new(at.now, new.session, new.token, at.wall);
        Self::with(sender, at.now, Millis::ZERO, StartCause::Begun)
    }

    /// Goes on with a session that an earlier page or another tab left. The time without a page is a
    /// gap on the timeline.
    pub(crate) fn resume(at: Moment, sender: Sender, cause: StartCause) -> Self {
        let record = sender.record();
        let by_the_wall = at.wall.since(record.started_at);
        let latest = record.timeline_end + RESUME_GAP_MAX;
        let taken_up_at = by_the_wall.clamp(record.timeline_end, latest);
        Self::with(sender, at.now, taken_up_at, cause)
    }

    fn with(sender: Sender, now: Millis, taken_up_at: Millis, cause: StartCause) -> Self {
        let (recorded, segments) = (sender.record().recorded, sender.record().next_segment.get());
        Self {
            sender,
            taken_up: now,
            taken_up_at,
            watch: Stopwatch::with(recorded),
            chunked: recorded,
            segments,
            first_cause: Some(cause),
            reading: Vec::new(),
            unreadable_chunks: 0,
            urgent_chunks: 0,
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.sender.session()
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
        at: Moment,
        kind: TrackKind,
        form: &RunForm,
        cause: StartCause,
    ) -> StartCause {
        let cause = self.first_cause.take().unwrap_or(cause);
        self.watch.start(at.now);
        self.mark_start(at, MAIN, kind, form, cause);
        cause
    }

    /// The same of what is recorded beside the microphone, which is what counts for the time.
    pub(crate) fn companion_started(
        &mut self,
        at: Moment,
        kind: TrackKind,
        form: &RunForm,
        cause: StartCause,
    ) {
        self.mark_start(at, COMPANION, kind, form, cause);
    }

    fn mark_start(
        &mut self,
        at: Moment,
        track: TrackNo,
        kind: TrackKind,
        form: &RunForm,
        cause: StartCause,
    ) {
        let segment = self.next_segment();
        self.segments += 1;
        let start = SegmentStart {
            track,
            segment,
            kind,
            mime: cut(&form.mime, MIME_BYTES_MAX),
            label: cut(&form.label, LABEL_BYTES_MAX),
            wall: at.wall,
            cause,
        };
        self.mark(at.now, Marker::SegmentStarted(start));
    }

    /// Takes a chunk in the moment of its capture: it has its number when this returns.
    pub(crate) fn chunk(&mut self, now: Millis, segment: SegmentNo, bytes: usize) -> Numbered {
        let recorded = self.watch.elapsed(now);
        let span = recorded.since(self.chunked);
        self.chunked = self.chunked.max(recorded);
        self.number(Place { track: MAIN, segment, at: self.position(now), span }, bytes)
    }

    /// The same of what is recorded beside the microphone.
    pub(crate) fn companion_chunk(
        &mut self,
        taken_at: Millis,
        segment: SegmentNo,
        bytes: usize,
    ) -> Numbered {
        let at = self.position(taken_at);
        self.number(Place { track: COMPANION, segment, at, span: Millis::ZERO }, bytes)
    }

    fn number(&mut self, place: Place, bytes: usize) -> Numbered {
        let reserved = self.sender.reserve(bytes);
        let (seq, piece) = (reserved.first(), Piece { reserved, place });
        let is_urgent = self.urgent_chunks > 0;
        self.urgent_chunks = self.urgent_chunks.saturating_sub(1);
        let urgent_tail = is_urgent.then(|| self.tail(&piece));
        self.reading.push(piece);
        Numbered { seq, urgent_tail }
    }

    /// The bytes of a chunk; `None` when they could not be read.
    pub(crate) fn read(&mut self, now: Millis, seq: Seq, bytes: Option<Bytes>) {
        let Some(index) = self.reading.iter().position(|piece| piece.reserved.first() == seq)
        else {
            return;
        };
        let Piece { reserved, place } = self.reading.swap_remove(index);
        let Place { track, segment, at, span } = place;
        if let Some(bytes) = bytes {
            self.sender.fill(now, reserved, at, span, Content::Chunk { track, segment, bytes });
        } else {
            // The hole is known to both sides, and capture goes on.
            self.unreadable_chunks += 1;
            self.sender.abandon(now, reserved);
        }
    }

    /// The page may be gone in a moment: the next chunks go out as they are, and are read at once where
    /// the browser does that, to be on disk as well.
    pub(crate) fn expect_the_end(&mut self) {
        self.urgent_chunks = URGENT_CHUNKS_MAX;
    }

    /// How the chunks go out that are still being read.
    pub(crate) fn tails(&self) -> Vec<TailHeader> {
        self.reading.iter().map(|piece| self.tail(piece)).collect()
    }

    /// The server may store it at any time, under the number that it has here.
    fn tail(&self, Piece { reserved, place }: &Piece) -> TailHeader {
        TailHeader {
            version: self.sender.version(),
            token: self.sender.record().token.clone(),
            first_seq: reserved.first(),
            at: place.at,
            track: place.track,
            segment: place.segment,
        }
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

    pub(crate) fn recorded(&self, now: Millis) -> Millis {
        self.watch.elapsed(now)
    }

    /// The recorded time that the server has acked.
    pub(crate) fn safe(&self) -> Millis {
        self.chunked.since(self.sender.backlog_status().span)
    }

    /// Chunks that the browser could not hand over.
    pub(crate) fn unreadable_chunks(&self) -> u64 {
        self.unreadable_chunks
    }

    fn mark(&mut self, now: Millis, marker: Marker) {
        let at = self.position(now);
        self.sender.capture(now, at, Millis::ZERO, Content::Marker(marker));
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

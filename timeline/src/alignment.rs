//! Where the moments of tracks lie: each track has a file of its own that knows neither pauses nor
//! gaps, and one recording is made of them all, without the time in which none of them recorded.

use protocol::Millis;

use crate::{Run, Span, TrackTimeline};

/// By how much each part of a run may be longer or shorter in the file than by the clock, for both to
/// mean the same: recorders deliver whole packets, and sound has a clock of its own.
const PART_DRIFT_MAX: Millis = Millis::new(250);

/// From the moment `from` of a track's file on, everything lies `by` later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub from: Millis,
    pub by: Millis,
}

/// Tracks beside one another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alignment {
    /// In the order in which they were given.
    tracks: Vec<Vec<Piece>>,
    /// When any of them recorded: in order, and apart from each other.
    recorded: Vec<Section>,
}

/// A part of a track's file without a pause or a gap in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    in_file: Millis,
    on_timeline: Millis,
    length: Millis,
}

/// A part of a run without a pause in it, by the clock.
#[derive(Debug, Clone, Copy)]
struct Part {
    span: Span,
    /// So much of the run the file holds before it, where that is known exactly.
    cut: Option<Millis>,
}

/// A part of the timeline that is in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    span: Span,
    /// In the recording.
    begins_at: Millis,
}

impl Alignment {
    pub fn of(tracks: &[TrackTimeline]) -> Self {
        let tracks: Vec<Vec<Piece>> = tracks.iter().map(pieces).collect();
        let recorded = recorded(tracks.iter().flatten());
        Self { tracks, recorded }
    }

    /// Where a moment of the timeline lies in the recording; one of which nothing was recorded, where
    /// recording went on.
    pub fn place(&self, at: Millis) -> Millis {
        let before = self.recorded.partition_point(|section| section.span.from <= at);
        let Some(section) = before.checked_sub(1).map(|last| self.recorded[last]) else {
            return Millis::ZERO;
        };
        section.begins_at + at.min(section.span.to).since(section.span.from)
    }

    /// How a track's file becomes part of the recording. Each part is placed by its own beginning, so
    /// that what a part is longer or shorter than by the clock stays with that part.
    pub fn shifts(&self, track: usize) -> Vec<Shift> {
        self.shifts_to(track, |piece| self.place(piece.on_timeline))
    }

    /// How a track's file becomes part of one in step with the clock.
    pub fn shifts_by_clock(&self, track: usize) -> Vec<Shift> {
        self.shifts_to(track, |piece| piece.on_timeline)
    }

    fn shifts_to(&self, track: usize, place: impl Fn(&Piece) -> Millis) -> Vec<Shift> {
        let pieces = self.tracks.get(track).map_or(&[][..], Vec::as_slice);
        let shift = |piece: &Piece| {
            let by = place(piece).since(piece.in_file);
            Shift { from: piece.in_file, by }
        };
        pieces.iter().map(shift).collect()
    }
}

fn pieces(track: &TrackTimeline) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut begins_at = Millis::ZERO;
    for run in &track.runs {
        let parts = parts(track, run);
        let by_clock = parts.iter().fold(Millis::ZERO, |sum, part| sum + part.span.length());
        let in_file = run.in_file.unwrap_or(by_clock);
        pieces.extend(pieces_of_run(begins_at, in_file, by_clock, &parts));
        begins_at = begins_at + in_file;
    }
    pieces
}

/// A run without its pauses. At least one part, be it of no length.
fn parts(track: &TrackTimeline, run: &Run) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut from, mut cut) = (run.span.from, None);
    for pause in track.pauses_in(run.span) {
        parts.push(Part { span: Span { from, to: pause.from.max(from) }, cut });
        from = pause.to.max(from);
        cut = track.cut(run, *pause);
    }
    parts.push(Part { span: Span { from, to: run.span.to.max(from) }, cut });
    parts.retain(|part| part.span.length() > Millis::ZERO);
    if parts.is_empty() {
        parts.push(Part { span: Span { from: run.span.from, to: run.span.from }, cut: None });
    }
    parts
}

/// Where the file's part of a run is cut. That may be known exactly. Otherwise, when file and clock
/// tell about the same, what they differ by is spread over the parts; else something is missing at the
/// end.
fn pieces_of_run(
    begins_at: Millis,
    in_file: Millis,
    by_clock: Millis,
    parts: &[Part],
) -> Vec<Piece> {
    let drift_max = PART_DRIFT_MAX.get().saturating_mul(parts.len() as u64);
    let is_steady = in_file.get().abs_diff(by_clock.get()) <= drift_max;
    let moment = |passed: Millis| {
        if !is_steady || by_clock == Millis::ZERO {
            return passed.min(in_file);
        }
        let (passed, file) = (u128::from(passed.get()), u128::from(in_file.get()));
        let scaled = passed * file / u128::from(by_clock.get());
        Millis::new(u64::try_from(scaled).unwrap_or(u64::MAX)).min(in_file)
    };
    let mut pieces: Vec<Piece> = Vec::with_capacity(parts.len());
    let (mut from, mut passed) = (Millis::ZERO, Millis::ZERO);
    for (place, part) in parts.iter().enumerate() {
        passed = passed + part.span.length();
        let to = match parts.get(place + 1) {
            Some(next) => next.cut.unwrap_or_else(|| moment(passed)).min(in_file).max(from),
            None => in_file,
        };
        let before = place.checked_sub(1).map(|before| (parts[before].span, pieces[before]));
        let on_timeline = on_timeline(part, before);
        pieces.push(Piece { in_file: begins_at + from, on_timeline, length: to.since(from) });
        from = to;
    }
    pieces.retain(|piece| piece.length > Millis::ZERO);
    pieces
}

/// When a part begins, given the one before it and where that was put. A recorder needs a moment to
/// start, so that what it recorded comes later than its run's beginning. Where the cut is exact, a
/// pause is as long as it was and leaves that as it is; unless the clocks of recorder and page have
/// drifted apart.
fn on_timeline(part: &Part, before: Option<(Span, Piece)>) -> Millis {
    let Some((span, piece)) = before.filter(|_| part.cut.is_some()) else {
        return part.span.from;
    };
    let follows = piece.on_timeline + piece.length + part.span.from.since(span.to);
    let differ = follows.get().abs_diff(part.span.from.get());
    if differ <= PART_DRIFT_MAX.get() { follows } else { part.span.from }
}

/// What the files hold counts, not what the clock says: there is nothing to hear in the difference.
fn recorded<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Vec<Section> {
    let span = |piece: &Piece| {
        let to = piece.on_timeline + piece.length;
        Span { from: piece.on_timeline, to }
    };
    let mut spans: Vec<Span> = pieces.map(span).collect();
    spans.sort_by_key(|span| (span.from, span.to));
    let mut recorded: Vec<Section> = Vec::new();
    for span in spans {
        match recorded.last_mut() {
            Some(last) if span.from <= last.span.to => last.span.to = last.span.to.max(span.to),
            last => {
                let begins_at =
                    last.map_or(Millis::ZERO, |last| last.begins_at + last.span.length());
                recorded.push(Section { span, begins_at });
            }
        }
    }
    recorded
}

#[cfg(test)]
mod tests;

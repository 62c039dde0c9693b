//! Wall-clock against media time: when something was recorded, when not and why, when the server was
//! out of reach, and where in the file time is missing. Pure; nothing here knows how it is shown.

use std::collections::HashMap;

use protocol::item::{EndCause, StartCause};
use protocol::{Event, Millis, SegmentNo, TrackKind, TrackNo};

use crate::views::{Cut, Happening, SegmentRow};

/// A shorter stretch without a connection is how connections begin, not an interruption.
const LOSS_MIN: Millis = Millis::new(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Millis,
    pub to: Millis,
}

/// One recorder run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    pub segment: SegmentNo,
    pub span: Span,
    /// What it is in the file; unknown before there is one.
    pub in_file: Option<Millis>,
}

/// Why nothing was recorded between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    PageLeft,
    PageGone,
    OtherTab,
    MicrophoneLost,
    MicrophoneChanged,
    RecorderFailed,
    RecorderStalled,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub span: Span,
    pub why: Absence,
}

/// The course of a session, from 0 to its end on its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Course {
    pub end: Millis,
    pub bars: Vec<Bar>,
    /// In the order of time, as everything here.
    pub gaps: Vec<Gap>,
    pub pauses: Vec<Span>,
    /// Where pauses lie in the file, as far as it is known exactly: by the number of the run, and when
    /// they were over.
    pub cuts: Vec<(SegmentNo, Cut)>,
    /// No connection to the server; recording went on.
    pub losses: Vec<Span>,
}

/// A place in the file where time is missing: the file has neither pauses nor gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// In the file.
    pub at: Millis,
    /// On the session's timeline. What follows in the file follows its end.
    pub span: Span,
    /// `None` for a pause.
    pub why: Option<Absence>,
}

impl Course {
    /// In the order of the file.
    pub fn stops(&self) -> Vec<Stop> {
        let mut stops = Vec::new();
        let mut begins_at = Millis::ZERO;
        let mut gaps = self.gaps.iter().peekable();
        for (place, bar) in self.bars.iter().enumerate() {
            if let Some(before) = place.checked_sub(1).and_then(|before| self.bars.get(before)) {
                let span = Span { from: before.span.to, to: bar.span.from };
                while gaps.next_if(|gap| gap.span.from < span.from).is_some() {}
                let gap = gaps.next_if(|gap| gap.span == span);
                let why = Some(gap.map_or(Absence::Unknown, |gap| gap.why));
                stops.push(Stop { at: begins_at, span, why });
            }
            let mut paused = Millis::ZERO;
            for pause in self.pauses_in(bar.span).iter().copied() {
                let by_clock = pause.from.since(bar.span.from + paused);
                let at = begins_at + self.cut(bar, pause).unwrap_or(by_clock);
                stops.push(Stop { at, span: pause, why: None });
                paused = paused + pause.length();
            }
            let recorded = bar.span.length().since(paused);
            begins_at = begins_at + bar.in_file.unwrap_or(recorded);
        }
        stops
    }

    /// Those that lie wholly in it. A session has thousands of runs and of pauses at most, so that no
    /// run may look at every pause.
    pub(crate) fn pauses_in(&self, span: Span) -> &[Span] {
        let first = self.pauses.partition_point(|pause| pause.from < span.from);
        let behind = self.pauses.partition_point(|pause| pause.to <= span.to);
        self.pauses.get(first..behind).unwrap_or_default()
    }

    /// How much of a run the file holds before one of its pauses.
    pub(crate) fn cut(&self, bar: &Bar, pause: Span) -> Option<Millis> {
        let key = (bar.segment, pause.to);
        let found = self.cuts.binary_search_by_key(&key, |(segment, cut)| (*segment, cut.over));
        found.ok().map(|place| self.cuts[place].1.before)
    }
}

impl Span {
    pub fn length(self) -> Millis {
        self.to.since(self.from)
    }
}

/// The first track that is no pictures now and then.
pub fn main_track(segments: &[SegmentRow]) -> Option<TrackNo> {
    let running = segments.iter().filter(|row| row.kind != TrackKind::Stills);
    running.map(|row| row.track).min()
}

/// Of the [`main_track`].
pub fn course(segments: &[SegmentRow], happened: &[Happening]) -> Course {
    match main_track(segments) {
        Some(track) => course_of(track, segments, happened),
        None => Course::default(),
    }
}

pub fn course_of(track: TrackNo, segments: &[SegmentRow], happened: &[Happening]) -> Course {
    let mut runs: Vec<&SegmentRow> = segments.iter().filter(|row| row.track == track).collect();
    runs.sort_by_key(|row| (row.start, row.segment));
    let told = told(track, happened);
    let bars: Vec<Bar> = runs
        .iter()
        .enumerate()
        .map(|(place, run)| bar(run, runs.get(place + 1).map(|next| next.start), &told))
        .collect();
    let end = bars.iter().map(|bar| bar.span.to).max().unwrap_or_default();
    let mut cuts: Vec<(SegmentNo, Cut)> =
        runs.iter().flat_map(|run| run.cuts.iter().map(|cut| (run.segment, *cut))).collect();
    cuts.sort_by_key(|(segment, cut)| (*segment, cut.over));
    Course {
        end,
        gaps: gaps(&bars, &told),
        pauses: pauses(track, &bars, happened),
        cuts,
        losses: losses(end, happened),
        bars,
    }
}

/// What the events say of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    started: Option<StartCause>,
    ended: Option<EndCause>,
    ended_at: Option<Millis>,
}

/// Of the runs of a track, in one look at all events.
fn told(track: TrackNo, happened: &[Happening]) -> HashMap<SegmentNo, Told> {
    let mut told: HashMap<SegmentNo, Told> = HashMap::new();
    for one in happened {
        match one.event {
            Some(Event::SegmentEnded { track: of, segment, cause }) if of == track => {
                let run = told.entry(segment).or_default();
                run.ended = Some(cause);
                run.ended_at.get_or_insert(one.place);
            }
            Some(Event::SegmentStarted { track: of, segment, cause }) if of == track => {
                told.entry(segment).or_default().started = Some(cause);
            }
            Some(_) | None => {}
        }
    }
    told
}

/// A run ends with its last chunk, or with the word that it ended if that is later.
fn bar(run: &SegmentRow, next: Option<Millis>, told: &HashMap<SegmentNo, Told>) -> Bar {
    let ended = told.get(&run.segment).and_then(|told| told.ended_at);
    let by_duration = run.duration.map(|duration| run.start + duration);
    let to = run.captured_until.or(by_duration).max(ended).unwrap_or(run.start);
    let to = next.map_or(to, |next| to.min(next)).max(run.start);
    Bar { segment: run.segment, span: Span { from: run.start, to }, in_file: run.in_file }
}

fn gaps(bars: &[Bar], told: &HashMap<SegmentNo, Told>) -> Vec<Gap> {
    let between = bars.iter().zip(bars.iter().skip(1)).map(|(before, after)| {
        let span = Span { from: before.span.to, to: after.span.from };
        let ended = told.get(&before.segment).and_then(|told| told.ended);
        let started = told.get(&after.segment).and_then(|told| told.started);
        Gap { span, why: absence(ended, started) }
    });
    between.filter(|gap| gap.span.length() > Millis::ZERO).collect()
}

const fn absence(ended: Option<EndCause>, started: Option<StartCause>) -> Absence {
    match (ended, started) {
        (_, Some(StartCause::TakenOver)) | (Some(EndCause::TakenOver), _) => Absence::OtherTab,
        (_, Some(StartCause::DeviceChanged)) => Absence::MicrophoneChanged,
        (_, Some(StartCause::RecorderRestarted)) => Absence::RecorderStalled,
        (None, Some(StartCause::PageReturned)) => Absence::PageGone,
        (_, Some(StartCause::PageReturned)) | (Some(EndCause::PageLeft), _) => Absence::PageLeft,
        (Some(EndCause::DeviceLost), _) => Absence::MicrophoneLost,
        (Some(EndCause::DeviceChanged), _) => Absence::MicrophoneChanged,
        (Some(EndCause::RecorderFailed), _) => Absence::RecorderFailed,
        (Some(EndCause::RecorderStalled), _) => Absence::RecorderStalled,
        (Some(EndCause::Stopped) | None, Some(StartCause::Begun | StartCause::Retried) | None) => {
            Absence::Unknown
        }
    }
}

/// A pause ends when recording goes on, or with its run. It is one of all tracks; the runs of others
/// do not end it.
fn pauses(track: TrackNo, bars: &[Bar], happened: &[Happening]) -> Vec<Span> {
    let (mut pauses, mut paused) = (Vec::new(), None::<Millis>);
    let mut close = |paused: &mut Option<Millis>, to: Millis| {
        if let Some(from) = paused.take() {
            // Bars lie one behind the other.
            let place = bars.partition_point(|bar| bar.span.to < from);
            let within = bars.get(place).filter(|bar| bar.span.from <= from);
            let to = within.map_or(to, |bar| to.min(bar.span.to));
            if to > from {
                pauses.push(Span { from, to });
            }
        }
    };
    for one in happened {
        match one.event {
            Some(Event::Paused) => {
                paused.get_or_insert(one.place);
            }
            Some(Event::PauseOver) => close(&mut paused, one.place),
            Some(
                Event::SegmentEnded { track: of, .. } | Event::SegmentStarted { track: of, .. },
            ) if of == track => close(&mut paused, one.place),
            Some(_) | None => {}
        }
    }
    close(&mut paused, Millis::new(u64::MAX));
    pauses
}

fn losses(end: Millis, happened: &[Happening]) -> Vec<Span> {
    // Before the first connection there is none.
    let (mut losses, mut lost) = (Vec::new(), Some(Millis::ZERO));
    for one in happened {
        match one.event {
            Some(Event::ConnectionLost { .. }) => {
                lost = Some(lost.map_or(one.place, |lost| lost.min(one.place)));
            }
            // A server that was gone itself notes the loss only when it is back.
            Some(Event::Resumed { away_ms, .. }) => {
                let from = one.place.since(away_ms);
                lost = lost.map(|lost| lost.min(from));
            }
            Some(Event::Connected { .. }) => {
                losses.extend(lost.take().map(|from| Span { from, to: one.place }));
            }
            Some(_) | None => {}
        }
    }
    losses.extend(lost.map(|from| Span { from, to: end }));
    let clipped = losses.into_iter().map(|loss| Span { to: loss.to.min(end), ..loss });
    clipped.filter(|loss| loss.length() >= LOSS_MIN).collect()
}

#[cfg(test)]
mod tests;

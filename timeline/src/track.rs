//! Wall-clock against media time on one track: when something was recorded, when not and why, and where
//! in the track's file time is missing.

use protocol::item::{EndCause, StartCause};
use protocol::{Millis, SegmentNo, TrackNo};

use crate::{Marks, PauseCut, PauseMark, RunEnd, Segment, Span, pauses};

/// One recorder run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub segment: SegmentNo,
    pub span: Span,
    /// What it is in the file; unknown before there is one.
    pub in_file: Option<Millis>,
}

/// Time between two runs, in which nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub span: Span,
    pub cause: GapCause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    PageLeft,
    PageGone,
    OtherTab,
    MicrophoneLost,
    MicrophoneChanged,
    RecorderFailed,
    RecorderStalled,
    Unknown,
}

/// The time of one track, from 0 to its end on the session's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackTimeline {
    pub end: Millis,
    /// In the order of time, as everything here.
    pub runs: Vec<Run>,
    pub gaps: Vec<Gap>,
    /// Each lies in one run.
    pub pauses: Vec<Span>,
    /// Where pauses lie in the file, as far as it is known exactly: by the number of the run, and when
    /// they were over.
    pub cuts: Vec<(SegmentNo, PauseCut)>,
}

/// A place in the file where time is missing: the file has neither pauses nor gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// In the file.
    pub at: Millis,
    /// On the session's timeline. What follows in the file follows its end.
    pub span: Span,
    pub cause: SpliceCause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpliceCause {
    Pause,
    Gap(GapCause),
}

impl TrackTimeline {
    /// `paused`: a run that begins then begins paused.
    pub(crate) fn new(
        track: TrackNo,
        segments: &[Segment],
        marks: &Marks<PauseMark>,
        paused: &[Span],
    ) -> Self {
        let mut segments: Vec<&Segment> =
            segments.iter().filter(|segment| segment.track == track).collect();
        segments.sort_by_key(|segment| (segment.started_at, segment.segment));
        let next = segments.iter().skip(1).map(|next| Some(next.started_at));
        let runs = segments.iter().zip(next.chain([None]));
        let runs: Vec<Run> = runs.map(|(segment, next)| run(segment, next)).collect();
        let pauses =
            |run: &Run| pauses::in_run(run.span, pauses::hold(paused, run.span.from), marks);
        let cuts = segments.iter().flat_map(|one| one.cuts.iter().map(|cut| (one.segment, *cut)));
        let mut cuts: Vec<_> = cuts.collect();
        cuts.sort_by_key(|(segment, cut)| (*segment, cut.over));
        Self {
            end: runs.iter().map(|run| run.span.to).max().unwrap_or_default(),
            gaps: gaps(&segments, &runs),
            pauses: runs.iter().flat_map(pauses).collect(),
            cuts,
            runs,
        }
    }

    /// In the order of the file.
    pub fn splices(&self) -> Vec<Splice> {
        let mut splices = Vec::new();
        let mut begins_at = Millis::ZERO;
        let mut gaps = self.gaps.iter().peekable();
        let mut before: Option<&Run> = None;
        for run in &self.runs {
            if let Some(before) = before {
                let span = Span { from: before.span.to, to: run.span.from };
                while gaps.next_if(|gap| gap.span.from < span.from).is_some() {}
                let gap = gaps.next_if(|gap| gap.span == span);
                let cause = SpliceCause::Gap(gap.map_or(GapCause::Unknown, |gap| gap.cause));
                splices.push(Splice { at: begins_at, span, cause });
            }
            before = Some(run);
            let mut paused = Millis::ZERO;
            for pause in self.pauses_in(run.span).iter().copied() {
                let by_clock = pause.from.since(run.span.from + paused);
                let at = begins_at + self.cut(run, pause).unwrap_or(by_clock);
                splices.push(Splice { at, span: pause, cause: SpliceCause::Pause });
                paused = paused + pause.length();
            }
            let recorded = run.span.length().since(paused);
            begins_at = begins_at + run.in_file.unwrap_or(recorded);
        }
        splices
    }

    /// Those that lie wholly in it. A session has thousands of runs and of pauses at most, so that no
    /// run may look at every pause.
    pub(crate) fn pauses_in(&self, span: Span) -> &[Span] {
        let first = self.pauses.partition_point(|pause| pause.from < span.from);
        let behind = self.pauses.partition_point(|pause| pause.to <= span.to);
        self.pauses.get(first..behind).unwrap_or_default()
    }

    /// How much of a run the file holds before one of its pauses.
    pub(crate) fn cut(&self, run: &Run, pause: Span) -> Option<Millis> {
        let key = (run.segment, pause.to);
        let found = self.cuts.binary_search_by_key(&key, |(segment, cut)| (*segment, cut.over));
        found.ok().map(|place| self.cuts[place].1.before)
    }
}

/// A run ends with its last chunk, or with the word that it ended if that is later, and never after the
/// next one began.
fn run(segment: &Segment, next: Option<Millis>) -> Run {
    let from = segment.started_at;
    let by_duration = segment.duration.map(|duration| from + duration);
    let ended_at = segment.end.map(|end| end.at);
    let to = segment.captured_until.or(by_duration).max(ended_at).unwrap_or(from);
    let to = next.map_or(to, |next| to.min(next)).max(from);
    Run { segment: segment.segment, span: Span { from, to }, in_file: segment.in_file }
}

fn gaps(segments: &[&Segment], runs: &[Run]) -> Vec<Gap> {
    let both = segments.iter().zip(runs);
    let between = both.clone().zip(both.skip(1)).map(|((ended, before), (started, after))| {
        let span = Span { from: before.span.to, to: after.span.from };
        Gap { span, cause: gap_cause(ended.end, started.start_cause) }
    });
    between.filter(|gap| gap.span.length() > Millis::ZERO).collect()
}

fn gap_cause(end: Option<RunEnd>, started: Option<StartCause>) -> GapCause {
    match (end.map(|end| end.cause), started) {
        (_, Some(StartCause::TakenOver)) | (Some(EndCause::TakenOver), _) => GapCause::OtherTab,
        (_, Some(StartCause::DeviceChanged)) => GapCause::MicrophoneChanged,
        (_, Some(StartCause::RecorderRestarted)) => GapCause::RecorderStalled,
        (None, Some(StartCause::PageReturned)) => GapCause::PageGone,
        (_, Some(StartCause::PageReturned)) | (Some(EndCause::PageLeft), _) => GapCause::PageLeft,
        (Some(EndCause::DeviceLost), _) => GapCause::MicrophoneLost,
        (Some(EndCause::DeviceChanged), _) => GapCause::MicrophoneChanged,
        (Some(EndCause::RecorderFailed), _) => GapCause::RecorderFailed,
        (Some(EndCause::RecorderStalled), _) => GapCause::RecorderStalled,
        (Some(EndCause::Stopped) | None, Some(StartCause::Begun | StartCause::Retried) | None) => {
            GapCause::Unknown
        }
    }
}

#[cfg(test)]
mod tests;

//! When a session was paused, by the marks of it, and when that was in the runs of its tracks.

use crate::{Marks, PauseMark, Span};

/// The pauses that were begun in these runs, in the order of time. One that is not over by the end of its
/// run ends with it, unless marks are missing behind its beginning: then nobody knows when it was over.
pub(crate) fn spans(runs: impl Iterator<Item = Span>, marks: &Marks<PauseMark>) -> Vec<Span> {
    runs.flat_map(|run| spans_of(run, marks)).collect()
}

fn spans_of(run: Span, Marks { kept, has_more }: &Marks<PauseMark>) -> Vec<Span> {
    let first = kept.partition_point(|mark| mark.at() < run.from);
    let behind = kept.partition_point(|mark| mark.at() <= run.to);
    let (mut spans, mut paused) = (Vec::new(), None);
    for mark in kept.get(first..behind).unwrap_or_default() {
        match *mark {
            PauseMark::Paused(from) => paused = paused.or(Some(from)),
            PauseMark::Over(to) => spans.extend(paused.take().map(|from| Span { from, to })),
        }
    }
    let is_end_known = !has_more || behind < kept.len();
    spans.extend(paused.filter(|_| is_end_known).map(|from| Span { from, to: run.to }));
    spans.retain(|pause| pause.from < pause.to);
    spans
}

/// What of the pauses lies in a run.
pub(crate) fn within(run: Span, pauses: &[Span]) -> impl Iterator<Item = Span> {
    let first = pauses.partition_point(|pause| pause.to <= run.from);
    let inside = pauses.iter().skip(first).take_while(move |pause| pause.from < run.to);
    inside.map(move |pause| Span { from: pause.from.max(run.from), to: pause.to.min(run.to) })
}

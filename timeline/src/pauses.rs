//! When a recorder run was paused, by the marks of its session.

use protocol::Millis;

use crate::{Marks, PauseMark, Span};

/// In the order of time. One that is not over by the end of the run ends with it, unless marks are
/// missing behind its beginning: then nobody knows when it was over.
pub(crate) fn in_run(run: Span, begins_paused: bool, marks: &Marks<PauseMark>) -> Vec<Span> {
    let Marks { kept, has_more } = marks;
    let first = kept.partition_point(|mark| mark.at() < run.from);
    let behind = kept.partition_point(|mark| mark.at() <= run.to);
    let (mut pauses, mut paused) = (Vec::new(), begins_paused.then_some(run.from));
    for mark in kept.get(first..behind).unwrap_or_default() {
        match *mark {
            PauseMark::Paused(from) => paused = paused.or(Some(from)),
            PauseMark::Over(to) => pauses.extend(paused.take().map(|from| Span { from, to })),
        }
    }
    let is_end_known = !has_more || behind < kept.len();
    pauses.extend(paused.filter(|_| is_end_known).map(|from| Span { from, to: run.to }));
    pauses.retain(|pause| pause.from < pause.to);
    pauses
}

/// Whether a moment lies within one of these, which are in the order of time.
pub(crate) fn hold(pauses: &[Span], at: Millis) -> bool {
    let place = pauses.partition_point(|pause| pause.to <= at);
    pauses.get(place).is_some_and(|pause| pause.from < at)
}

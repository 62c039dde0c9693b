//! Owns telling where in its files something of a recorder run stands.

use std::path::Path;

use app::format;
use media::{LeftOutPlace, Problem, SegmentReport};
use serde::Serialize;

use super::join::Run;

/// What stands where.
#[derive(Debug, Serialize)]
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    /// From the start of the file.
    pub(super) at_byte: u64,
    /// So many, of this file and those behind it.
    pub(super) bytes: Option<u64>,
    pub(super) what: String,
}

/// What can be told of a run by its places, in the order of its bytes.
pub(super) fn of<'a>(run: &'a Run, segment: &SegmentReport) -> Vec<Place<'a>> {
    let begins = |at: &u64| (*at, None, "a recorder run, or its header again".to_owned());
    let damages = segment.problems.iter().filter_map(|problem| match problem {
        Problem::Damaged(damage) => {
            let what = format!("{}; {} bytes stepped over", damage.cause, damage.bytes);
            Some((damage.at_byte, Some(damage.bytes), what))
        }
        Problem::Refused(_)
        | Problem::MoreDamage { .. }
        | Problem::SecondHeader
        | Problem::LeftOut(_)
        | Problem::Repeated { .. }
        | Problem::ClockBroke { .. }
        | Problem::TimeWentBack { .. } => None,
    });
    let left_out = segment.places.iter().map(left_out);
    let cut_off = segment.cut_off_at.map(|at| {
        let bytes = segment.account.bytes.pushed.saturating_sub(at);
        let count = format::count(bytes, "byte", "bytes");
        (at, Some(bytes), format!("ends in {count} of something that never came whole"))
    });
    // Where the first run begins goes without saying.
    let headers = segment.headers.iter().filter(|at| **at > 0).map(begins);
    let mut places: Vec<_> = headers.chain(damages).chain(left_out).chain(cut_off).collect();
    places.sort_by_key(|(at, ..)| *at);
    let place = |(at, bytes, what)| {
        let (file, at_byte) = run.place(at)?;
        Some(Place { file, at_byte, bytes, what })
    };
    places.into_iter().filter_map(place).collect()
}

fn left_out(place: &LeftOutPlace) -> (u64, Option<u64>, String) {
    let LeftOutPlace { cause, packets, bytes } = place;
    let length = bytes.end.saturating_sub(bytes.start);
    let what = match packets {
        0 => format!("left out: {length} bytes {cause}"),
        _ => format!("left out: {packets} packets {cause}, in the {length} bytes from here"),
    };
    (bytes.start, Some(length), what)
}

/// What is wrong with a segment as a whole.
pub(super) fn placeless(segment: &SegmentReport) -> impl Iterator<Item = &Problem> {
    segment.problems.iter().filter(|problem| !matches!(problem, Problem::Damaged(_)))
}

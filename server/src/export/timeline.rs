//! Where the moments of a session's recording lie on the session's timeline.

use std::time::Duration;

use app::course::{Course, Stop, course_of};
use media::Schedule;
use protocol::{Millis, SessionId, TrackNo};

use crate::pages::{happened, segment_row};
use crate::recording::{Plan, labels, schedule, tracks_in};
use crate::store::{Recording, Store, StoreError, TrackFile};

/// A file, and when it plays.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) key: String,
    pub(super) bytes: u64,
    pub(super) schedule: Schedule,
    pub(super) labels: Vec<String>,
}

/// What the recording in step with the clock is made of: the files of its tracks, where it has
/// several.
pub(super) async fn parts(
    store: &Store,
    id: SessionId,
    recording: &Recording,
) -> Result<Vec<Part>, StoreError> {
    let files = store.track_files(id).await?;
    let tracks = tracks_in(recording, &files);
    if tracks.len() < 2 {
        let schedule = schedule_of_one(store, id, tracks.first().copied()).await?;
        let (key, bytes) = (recording.key.clone(), recording.bytes);
        return Ok(vec![Part { key, bytes, schedule, labels: Vec::new() }]);
    }
    let plan = Plan::of(store, id).await?;
    let alignment = plan.alignment(&tracks);
    let part = |(order, track): (usize, &TrackNo)| {
        let file: &TrackFile = files.iter().find(|file| file.track == *track)?;
        Some(Part {
            key: file.key.clone(),
            bytes: file.bytes,
            schedule: schedule(&alignment.shifts_by_clock(order)),
            labels: labels(&plan, *track),
        })
    };
    Ok(tracks.iter().enumerate().filter_map(part).collect())
}

/// Of a recording that is made of one track: of this one, or else of the only one that is in a file.
async fn schedule_of_one(
    store: &Store,
    id: SessionId,
    track: Option<TrackNo>,
) -> Result<Schedule, StoreError> {
    let segments = store.segments(id).await?;
    let is_in_file = |duration: Option<Millis>| duration.is_some_and(|one| one > Millis::ZERO);
    let first = segments.iter().find(|segment| is_in_file(segment.duration));
    let track = track.or(first.map(|segment| segment.track));
    let rows: Vec<_> = segments.into_iter().map(segment_row).collect();
    let happened = happened(&store.events(id).await?);
    let course = track.map_or_else(Course::default, |track| course_of(track, &rows, &happened));
    let mut schedule = Schedule::new();
    for Stop { at, span, why: _ } in course.stops() {
        schedule.shift(duration(at), duration(span.to.since(at)));
    }
    Ok(schedule)
}

fn duration(millis: Millis) -> Duration {
    Duration::from_millis(millis.get())
}

//! Where the moments of a session's recording lie on the session's timeline.

use media::Schedule;
use protocol::{SessionId, TrackNo};

use crate::recording::{Plan, labels, schedule, tracks_in};
use crate::store::{Recording, Store, StoreError, TrackFile, only_track};

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
    let plan = Plan::of(store, id).await?;
    let tracks = tracks_in(recording, &files);
    if tracks.len() < 2 {
        let only = match tracks.first() {
            Some(track) => Some(*track),
            None => only_track(&store.segments(id).await?),
        };
        let alignment = plan.alignment(only.as_slice());
        let schedule = schedule(&alignment.shifts_by_clock(0));
        let (key, bytes) = (recording.key.clone(), recording.bytes);
        return Ok(vec![Part { key, bytes, schedule, labels: Vec::new() }]);
    }
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

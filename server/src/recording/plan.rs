//! What a session's tracks are, before any of them is read: which of them are media and which are
//! pictures, what they are called, and when each of their runs began.

use std::collections::{HashMap, HashSet};

use app::format;
use protocol::{Millis, SegmentNo, SessionId, TrackKind, TrackNo};
use timeline::{Alignment, Segment, Timeline};

use super::packing::Packing;
use crate::store::{ChunkRun, Recording, StitchedRun, Store, StoreError, TrackFile};

/// A recording in the making takes the room of its payloads. Where several tracks become one
/// recording, so do their own files.
const COPIES_OF_ONE: u64 = 1;
const COPIES_OF_SEVERAL: u64 = 2 * COPIES_OF_ONE;

/// A session's tracks that have chunks.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In their order.
    pub(super) media: Vec<TrackNo>,
    pub(super) pictures: Vec<TrackNo>,
    names: HashMap<TrackNo, String>,
    /// With every run of every track, those whose marker never came included.
    timeline: Timeline,
}

impl Plan {
    pub(crate) async fn of(store: &Store, id: SessionId) -> Result<Self, StoreError> {
        Ok(Self::new(store.timeline(id).await?, &store.chunk_runs(id).await?))
    }

    /// The tracks that become files of sound or picture, as far as they are known by now.
    pub(super) async fn media_of(store: &Store, id: SessionId) -> Result<Vec<TrackNo>, StoreError> {
        let timeline = Timeline { segments: store.segments(id).await?, ..Timeline::default() };
        Ok(Self::new(timeline, &store.chunk_runs(id).await?).media)
    }

    fn new(mut timeline: Timeline, chunks: &[ChunkRun]) -> Self {
        let mut kinds = HashMap::new();
        let mut names = HashMap::new();
        for Segment { track, kind, label, .. } in &timeline.segments {
            kinds.entry(*track).or_insert(*kind);
            names.entry(*track).or_insert_with(|| format::track_name(*kind, label));
        }
        let mut tracks: Vec<TrackNo> = chunks.iter().map(|run| run.track).collect();
        tracks.dedup();
        let (pictures, media) =
            tracks.into_iter().partition(|track| kinds.get(track) == Some(&TrackKind::Stills));
        timeline.segments = segments(timeline.segments, chunks);
        Self { media, pictures, names, timeline }
    }

    /// What making the recording takes, in copies of the payloads.
    pub(super) fn copies(&self) -> u64 {
        if self.media.len() > 1 { COPIES_OF_SEVERAL } else { COPIES_OF_ONE }
    }

    /// For people. One that never said what it is has its number.
    pub(crate) fn name_of(&self, track: TrackNo) -> String {
        let numbered = || format!("Track {}", u16::from(track.get()) + 1);
        self.names.get(&track).cloned().unwrap_or_else(numbered)
    }

    /// This is what became of the runs that were just stitched; others are in no file.
    pub(super) fn note_runs(&mut self, stitched: &[StitchedRun]) {
        let known: HashMap<_, _> =
            stitched.iter().map(|run| ((run.track, run.segment), run)).collect();
        for run in &mut self.timeline.segments {
            let stitched = known.get(&(run.track, run.segment));
            run.duration = Some(stitched.map_or(Millis::ZERO, |stitched| stitched.duration));
            run.in_file = Some(stitched.map_or(Millis::ZERO, |stitched| stitched.in_file));
            run.cuts = stitched.map_or(Vec::new(), |stitched| stitched.cuts.clone());
        }
    }

    /// These tracks beside one another, in this order.
    pub(crate) fn alignment(&self, tracks: &[TrackNo]) -> Alignment {
        self.timeline.alignment(tracks)
    }
}

/// A run whose marker is missing began about when its first chunk came. A run without a chunk is in
/// no file.
fn segments(mut marked: Vec<Segment>, chunks: &[ChunkRun]) -> Vec<Segment> {
    let with_chunks: HashSet<(TrackNo, SegmentNo)> =
        chunks.iter().map(|run| (run.track, run.segment)).collect();
    for segment in &mut marked {
        if !with_chunks.contains(&(segment.track, segment.segment)) {
            segment.duration = Some(Millis::ZERO);
            segment.in_file = Some(Millis::ZERO);
        }
    }
    let known: HashSet<(TrackNo, SegmentNo)> =
        marked.iter().map(|segment| (segment.track, segment.segment)).collect();
    let unmarked = chunks.iter().filter(|run| !known.contains(&(run.track, run.segment)));
    marked.extend(unmarked.map(|run| Segment {
        captured_until: Some(run.last_at),
        ..Segment::new(run.track, run.segment, TrackKind::Microphone, run.first_at)
    }));
    marked
}

/// Which of the tracks with these files become one recording: the first one decides. Packets cannot
/// be moved between containers, so it is those that are packed like it.
pub(super) fn joined<'a>(mimes: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let packings: Vec<_> = mimes.into_iter().map(Packing::of).collect();
    let is_joined = |place: &usize| match (packings[*place], packings[0]) {
        (Some(own), Some(first)) => own == first,
        (Some(_) | None, None) | (None, Some(_)) => *place == 0,
    };
    (0..packings.len()).filter(is_joined).collect()
}

/// The tracks of which the recording is made, in the order of its own; empty of a session that has
/// only one.
pub(crate) fn tracks_in(recording: &Recording, files: &[TrackFile]) -> Vec<TrackNo> {
    let is_first = |file: &&TrackFile| file.is_media() && file.part == 0;
    let media: Vec<&TrackFile> = files.iter().filter(is_first).collect();
    match media.first() {
        None => Vec::new(),
        Some(first) if first.key == recording.key => vec![first.track],
        Some(_) => joined(media.iter().map(|file| &*file.mime))
            .into_iter()
            .map(|place| media[place].track)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(track: u8, segment: u32, first_at: u64, last_at: u64) -> ChunkRun {
        ChunkRun {
            track: TrackNo::new(track),
            segment: SegmentNo::new(segment),
            first_at: Millis::new(first_at),
            last_at: Millis::new(last_at),
        }
    }

    fn marked(track: u8, segment: u32, kind: TrackKind, start: u64) -> Segment {
        let (track, segment) = (TrackNo::new(track), SegmentNo::new(segment));
        let label = "Desk".to_owned();
        Segment { label, ..Segment::new(track, segment, kind, Millis::new(start)) }
    }

    fn plan(segments: Vec<Segment>, chunks: &[ChunkRun]) -> Plan {
        Plan::new(Timeline { segments, ..Timeline::default() }, chunks)
    }

    #[test]
    fn the_first_track_decides_what_becomes_one_recording() {
        let (webm, video, mp4) = ("audio/webm", "video/webm", "audio/mp4");
        assert_eq!(joined([webm, video, webm]), [0, 1, 2]);
        assert_eq!(joined([webm, mp4, video]), [0, 2]);
        assert_eq!(joined([mp4, webm, webm]), [0]);
        assert_eq!(joined([mp4, webm, "video/mp4"]), [0, 2]);
        assert_eq!(joined(["audio/ogg", "audio/ogg", webm]), [0]);
        assert_eq!(joined([webm]), [0]);
        assert_eq!(joined([]), [0; 0]);
    }

    #[test]
    fn a_track_that_never_said_what_it_is_counts_as_media() {
        let rows = vec![marked(0, 0, TrackKind::Microphone, 0), marked(1, 1, TrackKind::Stills, 0)];
        let all = [chunks(0, 0, 250, 900), chunks(1, 1, 100, 800), chunks(4, 2, 300, 700)];
        let plan = plan(rows, &all);
        assert_eq!(plan.media, [TrackNo::new(0), TrackNo::new(4)]);
        assert_eq!(plan.pictures, [TrackNo::new(1)]);
        assert_eq!(plan.name_of(TrackNo::new(0)), "Microphone: Desk");
        assert_eq!(plan.name_of(TrackNo::new(4)), "Track 5");
        assert_eq!(plan.copies(), COPIES_OF_SEVERAL);
        let unmarked =
            plan.timeline.segments.iter().find(|run| run.track == TrackNo::new(4)).unwrap();
        assert_eq!((unmarked.started_at, unmarked.duration), (Millis::new(300), None));
    }

    #[test]
    fn a_run_without_a_chunk_takes_no_place_in_the_file() {
        let rows = vec![
            marked(0, 0, TrackKind::Microphone, 0),
            marked(0, 1, TrackKind::Microphone, 5_000),
        ];
        let mut plan = plan(rows, &[chunks(0, 1, 5_250, 9_000)]);
        assert_eq!(plan.timeline.segments[0].duration, Some(Millis::ZERO));
        assert_eq!(plan.copies(), COPIES_OF_ONE);
        plan.note_runs(&[StitchedRun {
            track: TrackNo::new(0),
            segment: SegmentNo::new(1),
            duration: Millis::new(4_000),
            in_file: Millis::new(3_000),
            cuts: Vec::new(),
        }]);
        let segments = plan.timeline.segments.iter();
        let known: Vec<_> = segments.map(|run| (run.duration, run.in_file)).collect();
        let of = |duration, in_file| (Some(Millis::new(duration)), Some(Millis::new(in_file)));
        assert_eq!(known, [of(0, 0), of(4_000, 3_000)]);
    }
}

//! What there is to tell of the fragmented MP4 that recorders write.

use std::time::Duration;

use super::{InspectedRun, InspectedTrack, Told};
use crate::limits;
use crate::mp4::{Event, Mp4Reader, SampleInfo, Track as Declared};
use crate::report::Damages;
use crate::segment::RunTrack as _;
use crate::units::SourceTime;

#[derive(Debug)]
pub(super) struct Inspector {
    reader: Mp4Reader,
    runs: Vec<Run>,
    damages: Damages,
    undeclared: u64,
}

#[derive(Debug, Default)]
struct Run {
    fragments: u64,
    first: Option<SourceTime>,
    /// Where the last of its packets ends.
    end: Option<SourceTime>,
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    seen: InspectedTrack,
    declared: Declared,
}

impl Inspector {
    /// Of a file that begins so.
    pub(super) fn of(begun: &[u8]) -> Self {
        let mut inspector = Self {
            reader: Mp4Reader::new(),
            runs: Vec::new(),
            damages: Damages::default(),
            undeclared: 0,
        };
        inspector.push(begun);
        inspector
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(limits::PUSH_PIECE_BYTES) {
            self.reader.push(piece);
            self.drain();
        }
    }

    pub(super) fn finish(mut self) -> Told {
        self.reader.end();
        self.drain();
        Told {
            dangling_bytes: self.reader.dangling_bytes(),
            refusal: None,
            damages: self.damages.into_problems().collect(),
            undeclared: self.undeclared,
            runs: self.runs.into_iter().map(Run::into_inspected).collect(),
        }
    }

    fn drain(&mut self) {
        let Self { reader, runs, damages, undeclared } = self;
        while let Some(event) = reader.next_event() {
            let has_room = runs.len() < limits::SEGMENTS_MAX;
            let run = runs.last_mut();
            match event {
                Event::Header if has_room => runs.push(Run::default()),
                Event::Header => {}
                Event::Damage(damage) => damages.add(damage),
                Event::Tracks(tracks) => {
                    if let Some(run) = run.filter(|run| run.first.is_none()) {
                        run.tracks = tracks.into_iter().map(Track::new).collect();
                    }
                }
                Event::Fragment { .. } => run.into_iter().for_each(|run| run.fragments += 1),
                Event::Sample { info, payload } => {
                    let is_taken = run.is_some_and(|run| run.take(&info, payload.len()));
                    *undeclared += u64::from(!is_taken);
                }
            }
        }
    }
}

impl Run {
    /// False if the sample is of a track that was not declared.
    fn take(&mut self, info: &SampleInfo, bytes: usize) -> bool {
        let Some(Track { seen, declared }) =
            self.tracks.iter_mut().find(|one| one.seen.number == info.track)
        else {
            return false;
        };
        let (Some(time), Some(end)) =
            (declared.presentation(info), declared.presentation_end(info))
        else {
            return false;
        };
        seen.take(time, info.is_sync, bytes);
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.end = Some(self.end.map_or(end, |last| last.max(end)));
        true
    }

    fn into_inspected(self) -> InspectedRun {
        let duration = self.end.zip(self.first).map(|(end, first)| end.since(first));
        InspectedRun {
            doc_type: "mp4".to_owned(),
            clusters: self.fragments,
            duration: duration.unwrap_or(Duration::ZERO),
            tracks: self.tracks.into_iter().map(|track| track.seen).collect(),
        }
    }
}

impl Track {
    fn new(declared: Declared) -> Self {
        let seen = InspectedTrack::new(declared.number(), declared.kind(), declared.codec());
        Self { seen, declared }
    }
}

//! What there is to tell of WebM and Matroska.

use super::{InspectedRun, InspectedTrack, Told};
use crate::block::Block;
use crate::clock::TrackClock;
use crate::error::Refusal;
use crate::limits;
use crate::reader::{Event, WebmReader};
use crate::report::Damages;
use crate::tracks::TrackEntry;
use crate::units::{Millis, SourceTime};

#[derive(Debug, Default)]
pub(super) struct Inspector {
    reader: WebmReader,
    runs: Vec<Run>,
    damages: Damages,
    refusal: Option<Refusal>,
    undeclared: u64,
}

#[derive(Debug)]
struct Run {
    doc_type: String,
    clusters: u64,
    first: Option<SourceTime>,
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    seen: InspectedTrack,
    clock: TrackClock,
}

impl Inspector {
    /// Of a file that begins so.
    pub(super) fn of(begun: &[u8]) -> Self {
        let mut inspector = Self::default();
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
            refusal: self.refusal,
            damages: self.damages.into_problems().collect(),
            undeclared: self.undeclared,
            runs: self.runs.into_iter().map(Run::into_inspected).collect(),
        }
    }

    fn drain(&mut self) {
        let Self { reader, runs, damages, refusal, undeclared, .. } = self;
        loop {
            let event = match reader.next_event() {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(why) => {
                    refusal.get_or_insert(why);
                    return;
                }
            };
            let has_room = runs.len() < limits::SEGMENTS_MAX;
            let run = runs.last_mut();
            match event {
                Event::Header { doc_type } if has_room => runs.push(Run::new(doc_type)),
                Event::Header { .. } => {}
                Event::Damage(damage) => damages.add(damage),
                Event::Tracks(entries) => {
                    if let Some(run) = run.filter(|run| run.first.is_none()) {
                        run.tracks = entries.into_iter().map(Track::new).collect();
                    }
                }
                Event::Cluster { .. } => run.into_iter().for_each(|run| run.clusters += 1),
                Event::Block(block) => {
                    *undeclared += u64::from(!run.is_some_and(|run| run.take(&block)));
                }
            }
        }
    }
}

impl Run {
    fn new(doc_type: String) -> Self {
        Self { doc_type, clusters: 0, first: None, tracks: Vec::new() }
    }

    /// False if the block is of a track that was not declared.
    fn take(&mut self, block: &Block<'_>) -> bool {
        let track = self.tracks.iter_mut().find(|one| one.seen.number == block.track());
        let Some(Track { seen, clock }) = track else {
            return false;
        };
        let time = block.time;
        let first = *self.first.get_or_insert(time);
        seen.take(time, block.is_keyframe(), block.payload().len());
        let stated = block.duration.map(Millis::nearest);
        clock.advance(Millis::nearest(time.since(first)), stated, &block.body);
        true
    }

    fn into_inspected(self) -> InspectedRun {
        InspectedRun {
            doc_type: self.doc_type,
            clusters: self.clusters,
            duration: self.tracks.iter().map(|track| track.clock.end()).max().unwrap_or_default(),
            tracks: self.tracks.into_iter().map(|track| track.seen).collect(),
        }
    }
}

impl Track {
    fn new(entry: TrackEntry) -> Self {
        let clock = TrackClock::new(&entry);
        Self { seen: InspectedTrack::new(entry.number, entry.kind, entry.codec), clock }
    }
}

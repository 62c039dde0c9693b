//! Owns describing a WebM that may be live, cut or damaged: what is in it, and what is wrong with it.
//! Changes nothing.

use std::time::Duration;

use crate::block::Block;
use crate::clock::TrackClock;
use crate::error::Refusal;
use crate::limits;
use crate::reader::{Event, WebmReader};
use crate::report::{Damages, Problem};
use crate::tracks::TrackEntry;
use crate::units::{Millis, SourceTime};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes pushed.
    pub bytes: u64,
    /// Recorder runs, each from an EBML header to the next. A finished file has one.
    pub runs: Vec<InspectedRun>,
    /// Bytes at the end that are the beginning of an element that never came whole.
    pub dangling_bytes: u64,
    /// In the order they were met.
    pub problems: Vec<Problem>,
}

/// One recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedRun {
    /// `webm` or `matroska`.
    pub doc_type: String,
    /// Clusters.
    pub clusters: u64,
    /// From the first packet to the end of the last.
    pub duration: Duration,
    /// As the run declares them.
    pub tracks: Vec<InspectedTrack>,
}

/// One track of a recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedTrack {
    /// As the run declares it.
    pub entry: TrackEntry,
    /// Its blocks.
    pub packets: u64,
    /// Those of them where decoding can start, as the source says.
    pub keyframes: u64,
    /// Of its packets, lacing included.
    pub payload_bytes: u64,
    /// Its first packet, by the recorder's own clock.
    pub first: Option<SourceTime>,
    /// Its last packet, likewise.
    pub last: Option<SourceTime>,
    /// The longest time from one packet to the next.
    pub longest_step: Duration,
}

/// Takes a file's bytes in any portions, in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Inspector {
    reader: WebmReader,
    bytes: u64,
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
    /// At the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        for piece in bytes.chunks(limits::PUSH_PIECE_BYTES) {
            self.reader.push(piece);
            self.drain();
        }
    }

    /// Nothing more comes.
    #[must_use]
    pub fn finish(mut self) -> Inspection {
        self.reader.end();
        self.drain();
        let undeclared = self.undeclared;
        let undeclared =
            (undeclared > 0).then_some(Problem::UndeclaredTrack { packets: undeclared });
        let second_header = (self.runs.len() > 1).then_some(Problem::SecondHeader);
        let empty = (self.bytes == 0).then_some(Refusal::Empty);
        let problems = self.refusal.or(empty).map(Problem::Refused).into_iter();
        Inspection {
            bytes: self.bytes,
            dangling_bytes: self.reader.dangling_bytes(),
            problems: problems
                .chain(self.damages.into_problems())
                .chain(undeclared)
                .chain(second_header)
                .collect(),
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
        let track = self.tracks.iter_mut().find(|one| one.seen.entry.number == block.track());
        let Some(Track { seen, clock }) = track else {
            return false;
        };
        let time = block.time;
        let first = *self.first.get_or_insert(time);
        seen.packets += 1;
        seen.keyframes += u64::from(block.is_keyframe());
        seen.payload_bytes += block.payload().len() as u64;
        if let Some(last) = seen.last {
            seen.longest_step = seen.longest_step.max(time.since(last));
        }
        seen.first.get_or_insert(time);
        seen.last = Some(time);
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
        let seen = InspectedTrack {
            entry,
            packets: 0,
            keyframes: 0,
            payload_bytes: 0,
            first: None,
            last: None,
            longest_step: Duration::ZERO,
        };
        Self { seen, clock }
    }
}

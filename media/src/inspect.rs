//! Owns describing a recorder's file that may be live, cut or damaged: what is in it, and what is wrong
//! with it. Changes nothing.

use std::time::Duration;

use crate::block::{Block, BlockCopy};
use crate::clock::TrackClock;
use crate::error::{Container, MediaError};
use crate::grammar;
use crate::limits;
use crate::mp4::{Mp4Reader, Place, Sample, SampleCopy, Track};
use crate::ogg_reader::OggReader;
use crate::reader::WebmReader;
use crate::report::{Problem, SegmentReport};
use crate::segment::{Muxer, RunTrack, Wrote};
use crate::stitch::{Input, Reading};
use crate::tracks::{TrackEntry, TrackKind};
use crate::units::{Millis, SourceTime, TrackNumber, duration_of, nanos_of};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes pushed.
    pub bytes: u64,
    /// Recorder runs, each from a header to the next. A finished file has one.
    pub runs: Vec<InspectedRun>,
    /// Bytes at the end that are the beginning of something that never came whole.
    pub dangling_bytes: u64,
    /// In the order they were met.
    pub problems: Vec<Problem>,
}

/// One recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedRun {
    /// `webm`, `matroska` or `mp4`.
    pub doc_type: String,
    /// Clusters, or fragments of an MP4.
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
    pub number: TrackNumber,
    /// What it carries.
    pub kind: TrackKind,
    /// Its Matroska codec id, or MP4 sample entry type.
    pub codec: String,
    /// Its blocks or samples.
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
    bytes: u64,
    survey: Survey,
    reading: Open,
}

#[derive(Debug)]
enum Open {
    /// The first bytes, too few to tell the container by.
    Unknown(Vec<u8>),
    Webm(Reading<WebmReader>),
    Mp4(Box<Reading<Mp4Reader>>),
    Ogg(Reading<OggReader>),
}

impl Default for Open {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Inspector {
    /// At the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// [`MediaError::Io`], of a file in which media waits for its index.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        self.bytes += bytes.len() as u64;
        if let Open::Unknown(begun) = &mut self.reading {
            begun.extend_from_slice(bytes);
            if begun.len() < grammar::RECOGNISED_BY_BYTES {
                return Ok(());
            }
            let begun = std::mem::take(begun);
            self.reading = Open::of(&begun);
            return self.feed(&begun);
        }
        self.feed(bytes)
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// As of [`push`](Self::push).
    pub fn finish(mut self) -> Result<Inspection, MediaError> {
        if let Open::Unknown(begun) = &mut self.reading {
            let begun = std::mem::take(begun);
            self.reading = Open::of(&begun);
            self.feed(&begun)?;
        }
        self.tell(Input::End)?;
        let report = match self.reading {
            Open::Unknown(_) => SegmentReport::default(),
            Open::Webm(reading) => reading.into_report(Duration::ZERO),
            Open::Mp4(reading) => reading.into_report(Duration::ZERO),
            Open::Ogg(reading) => reading.into_report(Duration::ZERO),
        };
        Ok(Inspection {
            bytes: self.bytes,
            dangling_bytes: report.account.bytes.cut_off,
            problems: report.problems,
            runs: self.survey.runs,
        })
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        bytes.chunks(limits::PUSH_PIECE_BYTES).try_for_each(|piece| self.tell(Input::Bytes(piece)))
    }

    fn tell(&mut self, input: Input<'_>) -> Result<(), MediaError> {
        match &mut self.reading {
            Open::Unknown(_) => Ok(()),
            Open::Webm(reading) => reading.tell(input, &mut self.survey),
            Open::Mp4(reading) => reading.tell(input, &mut self.survey),
            Open::Ogg(reading) => reading.tell(input, &mut self.survey),
        }
    }
}

impl Open {
    fn of(begun: &[u8]) -> Self {
        match grammar::recognise(begun) {
            Some(Container::Mp4) => {
                Self::Mp4(Box::new(Reading::new(Mp4Reader::new(), Duration::ZERO)))
            }
            Some(Container::Ogg) => Self::Ogg(Reading::new(OggReader::new(), Duration::ZERO)),
            // What is no WebM is told by the one who reads WebM.
            Some(Container::Webm) | None => {
                Self::Webm(Reading::new(WebmReader::new(), Duration::ZERO))
            }
        }
    }
}

/// A file that nothing is written into: it counts.
#[derive(Debug, Default)]
struct Survey {
    runs: Vec<InspectedRun>,
    /// Clusters or fragments that came before the first packet of their run.
    clusters: u64,
    /// Of the last run, the end of its packets by the recorder's clock.
    end: Option<SourceTime>,
    clocks: Vec<TrackClock>,
    /// Of the last run, if it is one of MP4.
    tracks: Vec<Track>,
}

impl Survey {
    fn begin_run<T: RunTrack>(&mut self, doc_type: &str, tracks: &[T]) {
        let track = |track: &T| InspectedTrack::new(track.number(), track.kind(), track.codec());
        self.end = None;
        if self.runs.len() < limits::SEGMENTS_MAX {
            self.runs.push(InspectedRun {
                doc_type: doc_type.to_owned(),
                clusters: std::mem::take(&mut self.clusters),
                duration: Duration::ZERO,
                tracks: tracks.iter().map(track).collect(),
            });
        }
    }

    fn cluster(&mut self) {
        match self.runs.last_mut() {
            Some(run) => run.clusters += 1,
            None => self.clusters += 1,
        }
    }

    fn count(&mut self, track: usize, time: SourceTime, end: SourceTime, packet: (bool, usize)) {
        let Some(run) = self.runs.last_mut() else { return };
        let Some(seen) = run.tracks.get_mut(track) else { return };
        let (is_keyframe, bytes) = packet;
        seen.take(time, is_keyframe, bytes);
        let end = self.end.map_or(end, |last| last.max(end));
        self.end = Some(end);
        let first = run.tracks.iter().filter_map(|track| track.first).min();
        run.duration = first.map_or(Duration::ZERO, |first| end.since(first));
    }
}

impl Muxer<BlockCopy> for Survey {
    fn end(&self) -> Duration {
        Duration::ZERO
    }

    fn edge(&self, _: &usize) -> Option<i128> {
        None
    }

    fn end_of(&self, _: &usize) -> Duration {
        Duration::ZERO
    }

    fn begin_cluster(&mut self) {
        self.cluster();
    }

    fn place(&mut self, doc_type: &str, tracks: &[TrackEntry]) -> Result<Vec<usize>, MediaError> {
        self.begin_run(doc_type, tracks);
        self.clocks = tracks.iter().map(TrackClock::new).collect();
        Ok((0..tracks.len()).collect())
    }

    fn write(&mut self, track: &mut usize, block: Block<'_>, _: i128) -> Result<Wrote, MediaError> {
        let stated = block.duration.map(Millis::nearest);
        let lasts = self.clocks.get_mut(*track).map_or(Duration::ZERO, |clock| {
            let at = Millis::nearest(duration_of(block.time.as_nanos()));
            clock.advance(at, stated, &block.body);
            clock.end().saturating_sub(at.as_duration())
        });
        let end = SourceTime::from_nanos(block.time.as_nanos().saturating_add(nanos_of(lasts)));
        self.count(*track, block.time, end, (block.is_keyframe(), block.payload().len()));
        Ok(Wrote::AtItsTime)
    }
}

impl Muxer<SampleCopy> for Survey {
    fn end(&self) -> Duration {
        Duration::ZERO
    }

    fn edge(&self, _: &Place) -> Option<i128> {
        None
    }

    fn end_of(&self, _: &Place) -> Duration {
        Duration::ZERO
    }

    fn begin_cluster(&mut self) {
        self.cluster();
    }

    fn place(&mut self, doc_type: &str, tracks: &[Track]) -> Result<Vec<Place>, MediaError> {
        self.begin_run(doc_type, tracks);
        self.tracks = tracks.to_vec();
        Ok(tracks.iter().enumerate().map(|(index, track)| Place::uncut(index, track)).collect())
    }

    fn write(
        &mut self,
        place: &mut Place,
        sample: Sample<'_>,
        _: i128,
    ) -> Result<Wrote, MediaError> {
        let Sample { info, payload } = sample;
        let Some(track) = self.tracks.get(place.track) else {
            return Ok(Wrote::TooLate);
        };
        let (shown, end) = (track.presentation(&info), track.presentation_end(&info));
        self.count(place.track, shown, end, (info.is_sync, payload.len()));
        Ok(Wrote::AtItsTime)
    }
}

impl InspectedTrack {
    fn new(number: TrackNumber, kind: TrackKind, codec: String) -> Self {
        Self {
            number,
            kind,
            codec,
            packets: 0,
            keyframes: 0,
            payload_bytes: 0,
            first: None,
            last: None,
            longest_step: Duration::ZERO,
        }
    }

    fn take(&mut self, time: SourceTime, is_keyframe: bool, payload_bytes: usize) {
        self.packets += 1;
        self.keyframes += u64::from(is_keyframe);
        self.payload_bytes += payload_bytes as u64;
        if let Some(last) = self.last {
            self.longest_step = self.longest_step.max(time.since(last));
        }
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(time);
    }
}

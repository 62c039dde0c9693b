//! Owns the strict reading of a finished file; of an MP4, `mp4::verify` does. Repairs nothing, forgives nothing.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::Duration;

use crate::block::BlockBody;
use crate::clock::TrackClock;
use crate::ebml::{self, ElementId, id};
use crate::error::{Container, Flaw, MediaError};
use crate::grammar;
use crate::limits;
use crate::mp4;
use crate::source::{Element, Source};
use crate::tracks::{self, TrackEntry, TrackKind};
use crate::units::{Millis, TrackNumber};

/// A written block group may be this much larger than the block it was made from.
const GROUP_OVERHEAD_BYTES: usize = 64;

/// What a finished file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which of the two that are written.
    pub container: Container,
    /// From 0 to the end of the last packet.
    pub duration: Duration,
    /// Blocks, or samples of an MP4, in all tracks.
    pub packets: u64,
    /// Clusters, or chunks of an MP4.
    pub clusters: u64,
    /// Cue points, or listed keyframes of an MP4.
    pub cues: u64,
    /// In the order of the file.
    pub tracks: Vec<VerifiedTrack>,
}

/// One track of a finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTrack {
    /// What it carries.
    pub kind: TrackKind,
    /// Its Matroska codec id, or MP4 sample entry type.
    pub codec: String,
    /// Its blocks or samples.
    pub packets: u64,
    /// When its last packet ends.
    pub end: Duration,
}

/// Reads a file from its current position to its end and checks that it is finished: every size
/// known and right, the Duration the end of the last packet, SeekHead and Cues leading to what
/// they say, no timestamp going back in a track. Of an MP4: the tables agreeing with each other,
/// with the durations, and with the media byte for byte.
///
/// # Errors
/// [`MediaError::NotFinished`] with the first flaw and where it is, [`MediaError::Io`].
pub fn verify<R: Read + Seek>(mut input: R) -> Result<Verified, MediaError> {
    let start = input.stream_position()?;
    let mut begun = Vec::new();
    input.by_ref().take(grammar::RECOGNISED_BY_BYTES as u64).read_to_end(&mut begun)?;
    input.seek(SeekFrom::Start(start))?;
    match grammar::recognise(&begun) {
        Some(Container::Mp4) => mp4::verify(input),
        Some(Container::Webm | Container::Ogg) | None => verify_webm(input),
    }
}

fn verify_webm<R: Read + Seek>(input: R) -> Result<Verified, MediaError> {
    let mut source = Source::new(input)?;
    let whole = source.range();
    source.expect(id::EBML, whole.end, limits::HEADER_BYTES_MAX)?;
    let segment = source.element(whole.end)?;
    if segment.id != id::SEGMENT {
        return Err(segment.flaw(Flaw::Missing(id::SEGMENT)));
    }
    if segment.body.end != whole.end {
        return Err(segment.flaw(Flaw::SegmentSize));
    }
    let mut survey = Survey::new(segment.body.clone());
    while source.at() < segment.body.end {
        let element = source.element(segment.body.end)?;
        survey.take(&mut source, &element)?;
    }
    survey.conclude()
}

/// What was seen so far in the Segment.
#[derive(Debug)]
struct Survey {
    segment: Range<u64>,
    seek_head: Vec<(ElementId, u64)>,
    stated_duration: Option<(u64, f64)>,
    tracks: Vec<SurveyedTrack>,
    /// By where they are.
    clusters: HashMap<u64, Vec<FirstBlock>>,
    first_cluster: Option<u64>,
    cues: Option<(u64, Vec<StatedCue>)>,
    /// Where each element of the Segment that must be there once is.
    places: HashMap<ElementId, u64>,
}

#[derive(Debug)]
struct SurveyedTrack {
    entry: TrackEntry,
    clock: TrackClock,
    packets: u64,
}

/// The first block of a track in a cluster.
#[derive(Debug, Clone, Copy)]
struct FirstBlock {
    track: TrackNumber,
    at: Millis,
    keyframe: bool,
}

#[derive(Debug, Clone, Copy)]
struct StatedCue {
    at: Millis,
    track: TrackNumber,
    cluster: u64,
}

impl Survey {
    fn new(segment: Range<u64>) -> Self {
        Self {
            segment,
            seek_head: Vec::new(),
            stated_duration: None,
            tracks: Vec::new(),
            clusters: HashMap::new(),
            first_cluster: None,
            cues: None,
            places: HashMap::new(),
        }
    }

    fn take<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        element: &Element,
    ) -> Result<(), MediaError> {
        let once = [id::SEEK_HEAD, id::INFO, id::TRACKS, id::CUES];
        if once.contains(&element.id) && self.places.insert(element.id, element.at).is_some() {
            return Err(element.flaw(Flaw::Unexpected(element.id)));
        }
        let unreadable = || element.flaw(Flaw::Missing(element.id));
        match element.id {
            id::VOID => source.skip(element)?,
            id::SEEK_HEAD => {
                let body = source.body(element, limits::HEADER_BYTES_MAX)?;
                self.seek_head = seek_entries(body).ok_or_else(unreadable)?;
            }
            id::INFO => {
                let body = source.body(element, limits::HEADER_BYTES_MAX)?;
                let stated = stated_duration(body).ok_or_else(unreadable)?;
                self.stated_duration = Some((element.at, stated));
            }
            id::TRACKS => {
                let body = source.body(element, limits::HEADER_BYTES_MAX)?;
                let entries = tracks::parse_tracks(body).map_err(|_| unreadable())?;
                self.tracks = entries.into_iter().map(SurveyedTrack::new).collect();
            }
            id::CLUSTER => self.take_cluster(source, element)?,
            id::CUES => {
                let body = source.body(element, limits::CUES_BYTES_MAX)?;
                let cues = cue_points(body).ok_or_else(unreadable)?;
                self.cues = Some((element.at, cues));
            }
            other => return Err(element.flaw(Flaw::Unexpected(other))),
        }
        Ok(())
    }

    fn take_cluster<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        cluster: &Element,
    ) -> Result<(), MediaError> {
        let end = cluster.body.end;
        let timestamp = source.expect(id::TIMESTAMP, end, 8)?;
        let timestamp =
            ebml::uint(timestamp).ok_or_else(|| cluster.flaw(Flaw::Missing(id::TIMESTAMP)))?;
        let mut firsts = Vec::new();
        while source.at() < end {
            let element = source.element(end)?;
            let body = source.body(&element, limits::BLOCK_BYTES_MAX + GROUP_OVERHEAD_BYTES)?;
            let block = match element.id {
                id::SIMPLE_BLOCK => BlockBody::from_simple_block(body),
                id::BLOCK_GROUP => BlockBody::from_block_group(body),
                other => return Err(element.flaw(Flaw::Unexpected(other))),
            };
            let block = block.map_err(|_| element.flaw(Flaw::BadBlock))?;
            let first = self.take_block(timestamp, &block).map_err(|flaw| element.flaw(flaw))?;
            if firsts.iter().all(|seen: &FirstBlock| seen.track != first.track) {
                firsts.push(first);
            }
        }
        let position = cluster.at - self.segment.start;
        self.first_cluster.get_or_insert(position);
        self.clusters.insert(position, firsts);
        Ok(())
    }

    fn take_block(&mut self, timestamp: u64, block: &BlockBody<'_>) -> Result<FirstBlock, Flaw> {
        let at = timestamp.checked_add_signed(i64::from(block.relative)).ok_or(Flaw::BadBlock)?;
        let at = Millis(at);
        let track = self
            .tracks
            .iter_mut()
            .find(|track| track.entry.number == block.track)
            .ok_or(Flaw::BadBlock)?;
        if track.clock.earliest_next().is_some_and(|earliest| at < earliest) {
            return Err(Flaw::TimeGoesBack);
        }
        track.clock.advance(at, block.duration_ticks.map(Millis), block);
        track.packets += 1;
        Ok(FirstBlock { track: block.track, at, keyframe: block.keyframe })
    }

    fn conclude(self) -> Result<Verified, MediaError> {
        let flaw = |at: u64, flaw| MediaError::NotFinished { at, flaw };
        let end = self.segment.end;
        let packets = self.tracks.iter().map(|track| track.packets).sum();
        if packets == 0 {
            return Err(flaw(end, Flaw::NoPackets));
        }
        for element in [id::INFO, id::TRACKS, id::CUES] {
            let place = self.places.get(&element).ok_or(flaw(end, Flaw::Missing(element)))?;
            let stated = self.seek_head.iter().find(|(sought, _)| *sought == element);
            if stated.is_none_or(|(_, position)| *position != place - self.segment.start) {
                return Err(flaw(self.segment.start, Flaw::SeekHead(element)));
            }
        }
        let duration = self.tracks.iter().map(|track| track.clock.end()).max().unwrap_or_default();
        let (info_at, stated) = self.stated_duration.unwrap_or((end, f64::NAN));
        let off_millis = (stated - duration.as_secs_f64() * 1000.0).abs();
        if off_millis.is_nan() || off_millis > 0.001 {
            return Err(flaw(info_at, Flaw::Duration));
        }
        let cues = self.check_cues()?;
        Ok(Verified {
            container: Container::Webm,
            duration,
            packets,
            clusters: self.clusters.len() as u64,
            cues,
            tracks: self.tracks.into_iter().map(SurveyedTrack::into_verified).collect(),
        })
    }

    fn check_cues(&self) -> Result<u64, MediaError> {
        let (at, cues) = self
            .cues
            .as_ref()
            .map_or((self.segment.end, &[][..]), |(at, cues)| (*at, cues.as_slice()));
        let flaw = |flaw| MediaError::NotFinished { at, flaw };
        if cues.is_empty() {
            return Err(flaw(Flaw::Missing(id::CUE_POINT)));
        }
        if !cues.is_sorted_by_key(|cue| cue.at) {
            return Err(flaw(Flaw::CueOrder));
        }
        if !cues.iter().all(|cue| self.leads_to_a_start(cue)) {
            return Err(flaw(Flaw::Cue));
        }
        Ok(cues.len() as u64)
    }

    /// At a keyframe; or at the start of the file, where playing starts anyway.
    fn leads_to_a_start(&self, cue: &StatedCue) -> bool {
        let is_first = self.first_cluster == Some(cue.cluster);
        self.clusters.get(&cue.cluster).is_some_and(|firsts| {
            firsts.iter().any(|first| {
                let is_it = first.track == cue.track && first.at == cue.at;
                is_it && (first.keyframe || is_first)
            })
        })
    }
}

impl SurveyedTrack {
    fn new(entry: TrackEntry) -> Self {
        let clock = TrackClock::new(&entry);
        Self { entry, clock, packets: 0 }
    }

    fn into_verified(self) -> VerifiedTrack {
        VerifiedTrack {
            kind: self.entry.kind,
            codec: self.entry.codec,
            packets: self.packets,
            end: self.clock.end(),
        }
    }
}

fn seek_entries(body: &[u8]) -> Option<Vec<(ElementId, u64)>> {
    let mut entries = Vec::new();
    for seek in ebml::children(body) {
        let seek = seek.ok()?;
        let sought = ebml::uint(child(seek.body, id::SEEK_ID)?)?;
        let position = ebml::uint(child(seek.body, id::SEEK_POSITION)?)?;
        entries.push((ElementId(u32::try_from(sought).ok()?), position));
    }
    Some(entries)
}

/// In milliseconds; `None` too if the file counts in another unit.
fn stated_duration(body: &[u8]) -> Option<f64> {
    let scale = ebml::uint(child(body, id::TIMESTAMP_SCALE)?)?;
    let duration = ebml::float(child(body, id::DURATION)?)?;
    (scale == 1_000_000).then_some(duration)
}

fn cue_points(body: &[u8]) -> Option<Vec<StatedCue>> {
    let mut cues = Vec::new();
    for point in ebml::children(body) {
        let point = point.ok()?;
        let positions = child(point.body, id::CUE_TRACK_POSITIONS)?;
        cues.push(StatedCue {
            at: Millis(ebml::uint(child(point.body, id::CUE_TIME)?)?),
            track: TrackNumber(ebml::uint(child(positions, id::CUE_TRACK)?)?),
            cluster: ebml::uint(child(positions, id::CUE_CLUSTER_POSITION)?)?,
        });
    }
    Some(cues)
}

fn child(body: &[u8], wanted: ElementId) -> Option<&[u8]> {
    ebml::children(body).flatten().find(|child| child.id == wanted).map(|child| child.body)
}

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
pub fn verify<R: Read + Seek>(input: R) -> Result<Verified, MediaError> {
    Verifier::default().finish(input)
}

/// Reads a file while it is still being written, so that little is left to read once it is finished.
/// Only the Clusters of a WebM are read ahead: of an MP4 nothing is read but the tables, at its end.
#[derive(Debug, Default)]
pub struct Verifier {
    ahead: Option<Ahead>,
}

impl Verifier {
    /// Reads what is there from the input's current position on, up to the end of the last whole
    /// Cluster.
    ///
    /// # Errors
    /// As of [`verify`], for a flaw in a Cluster.
    pub fn advance<R: Read + Seek>(&mut self, mut input: R) -> Result<(), MediaError> {
        if container_of(&mut input)? != Some(Container::Webm) {
            return Ok(());
        }
        let mut source = Source::new(input)?;
        if self.ahead.is_none() {
            self.ahead = Ahead::begin(&mut source)?;
        }
        self.ahead.as_mut().map_or(Ok(()), |ahead| ahead.advance(&mut source))
    }

    /// Does what [`verify`] does. What was read before is not read again, if it is this file's.
    ///
    /// # Errors
    /// As of [`verify`].
    pub fn finish<R: Read + Seek>(self, mut input: R) -> Result<Verified, MediaError> {
        match container_of(&mut input)? {
            Some(Container::Mp4) => mp4::verify(input),
            Some(Container::Webm | Container::Ogg) | None => verify_webm(input, self.ahead),
        }
    }
}

/// Leaves the input where it was.
fn container_of<R: Read + Seek>(input: &mut R) -> Result<Option<Container>, MediaError> {
    let start = input.stream_position()?;
    let mut begun = Vec::new();
    input.by_ref().take(grammar::RECOGNISED_BY_BYTES as u64).read_to_end(&mut begun)?;
    input.seek(SeekFrom::Start(start))?;
    Ok(grammar::recognise(&begun))
}

fn verify_webm<R: Read + Seek>(input: R, mut ahead: Option<Ahead>) -> Result<Verified, MediaError> {
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
        match ahead
            .take_if(|ahead| element.is_cluster() && ahead.continues(&survey.media, element.at))
        {
            Some(Ahead { media, until, .. }) => {
                survey.media = media;
                source.skip_to(until)?;
            }
            None => survey.take(&mut source, &element)?,
        }
    }
    survey.conclude()
}

/// What was read of a file before it was finished.
#[derive(Debug)]
struct Ahead {
    media: Media,
    /// Where the first Cluster begins.
    from: u64,
    /// Where the last one ends that was read.
    until: u64,
}

impl Ahead {
    /// At the first Cluster; `None` as long as there is none.
    fn begin<R: Read + Seek>(source: &mut Source<R>) -> Result<Option<Self>, MediaError> {
        let end = source.range().end;
        let Some(header) = whole(source.element(end))? else { return Ok(None) };
        source.skip(&header)?;
        // The Segment, whose size is not known yet.
        let Some(_) = whole(source.header(end))? else { return Ok(None) };
        let mut media = Media::new(source.at());
        while let Some(element) = whole(source.element(end))? {
            match element.id {
                id::TRACKS => media.take_tracks(source, &element)?,
                id::CLUSTER => {
                    return Ok(Some(Self { media, from: element.at, until: element.at }));
                }
                _ => source.skip(&element)?,
            }
        }
        Ok(None)
    }

    fn advance<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<(), MediaError> {
        let end = source.range().end;
        source.skip_to(self.until)?;
        while let Some(cluster) = whole(source.element(end))?.filter(Element::is_cluster) {
            self.media.take_cluster(source, &cluster)?;
            self.until = source.at();
        }
        Ok(())
    }

    /// Whether it is what follows in a file whose first Cluster is here.
    fn continues(&self, head: &Media, first_cluster: u64) -> bool {
        head.clusters.is_empty()
            && self.from == first_cluster
            && self.media.segment_begins == head.segment_begins
            && self.media.declared == head.declared
    }
}

/// What the file does not yet hold whole is no flaw of a file that is being written.
fn whole<T>(found: Result<T, MediaError>) -> Result<Option<T>, MediaError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(MediaError::NotFinished { flaw: Flaw::NotAnElement | Flaw::TooLarge(_), .. }) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What was seen so far in the Segment.
#[derive(Debug)]
struct Survey {
    segment: Range<u64>,
    seek_head: Vec<(ElementId, u64)>,
    stated_duration: Option<(u64, f64)>,
    media: Media,
    cues: Option<(u64, Vec<StatedCue>)>,
    /// Where each element of the Segment that must be there once is.
    places: HashMap<ElementId, u64>,
}

/// The tracks and the Clusters.
#[derive(Debug)]
struct Media {
    segment_begins: u64,
    /// The body of the Tracks.
    declared: Vec<u8>,
    tracks: Vec<SurveyedTrack>,
    /// By where they are.
    clusters: HashMap<u64, Vec<FirstBlock>>,
    first_cluster: Option<u64>,
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
            media: Media::new(segment.start),
            segment,
            seek_head: Vec::new(),
            stated_duration: None,
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
            id::TRACKS => self.media.take_tracks(source, element)?,
            id::CLUSTER => self.media.take_cluster(source, element)?,
            id::CUES => {
                let body = source.body(element, limits::CUES_BYTES_MAX)?;
                let cues = cue_points(body).ok_or_else(unreadable)?;
                self.cues = Some((element.at, cues));
            }
            other => return Err(element.flaw(Flaw::Unexpected(other))),
        }
        Ok(())
    }

    fn conclude(self) -> Result<Verified, MediaError> {
        let flaw = |at: u64, flaw| MediaError::NotFinished { at, flaw };
        let end = self.segment.end;
        let packets = self.media.tracks.iter().map(|track| track.packets).sum();
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
        let duration =
            self.media.tracks.iter().map(|track| track.clock.end()).max().unwrap_or_default();
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
            clusters: self.media.clusters.len() as u64,
            cues,
            tracks: self.media.tracks.into_iter().map(SurveyedTrack::into_verified).collect(),
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
        let is_first = self.media.first_cluster == Some(cue.cluster);
        self.media.clusters.get(&cue.cluster).is_some_and(|firsts| {
            firsts.iter().any(|first| {
                let is_it = first.track == cue.track && first.at == cue.at;
                is_it && (first.keyframe || is_first)
            })
        })
    }
}

impl Media {
    fn new(segment_begins: u64) -> Self {
        Self {
            segment_begins,
            declared: Vec::new(),
            tracks: Vec::new(),
            clusters: HashMap::new(),
            first_cluster: None,
        }
    }

    fn take_tracks<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        element: &Element,
    ) -> Result<(), MediaError> {
        let body = source.body(element, limits::HEADER_BYTES_MAX)?;
        let entries = tracks::parse_tracks(body);
        let entries = entries.map_err(|_| element.flaw(Flaw::Missing(id::TRACKS)))?;
        self.tracks = entries.into_iter().map(SurveyedTrack::new).collect();
        self.declared = body.to_vec();
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
        let position = cluster.at - self.segment_begins;
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

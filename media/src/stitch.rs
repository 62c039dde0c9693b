//! Owns joining segments into one file: which track a packet goes to and when it plays there.
//! Leaves reading to `reader` and the layout of the file to `writer`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::block::{Block, Placement};
use crate::clock::TrackClock;
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::reader::{Event, WebmReader};
use crate::report::{SegmentReport, StitchReport};
use crate::segment::Segment;
use crate::tracks::{self, TrackEntry, TrackKind};
use crate::units::{Millis, TrackNumber};
use crate::writer::WebmWriter;

/// Joins recorder runs into one seekable WebM, in one pass and in bounded memory.
///
/// The packets are not touched; timestamps, track numbers and the key flag of sound are. After an
/// [`MediaError::Io`] the output is incomplete and the stitcher is good for nothing more.
#[derive(Debug)]
pub struct Stitcher<W> {
    file: File<W>,
    open: Option<(WebmReader, Segment)>,
    reports: Vec<SegmentReport>,
}

impl<W: Write + Seek> Stitcher<W> {
    /// Will write from the current position of `out`; writes nothing before the first packet.
    ///
    /// # Errors
    /// [`MediaError::Io`].
    pub fn new(out: W) -> Result<Self, MediaError> {
        let file = File { writer: WebmWriter::new(out)?, tracks: Vec::new() };
        Ok(Self { file, open: None, reports: Vec::new() })
    }

    /// A new recorder run follows, right after the end of the one before.
    ///
    /// # Errors
    /// [`MediaError::OutOfOrder`] while a segment is open, [`MediaError::TooManySegments`].
    pub fn begin_segment(&mut self) -> Result<(), MediaError> {
        if self.open.is_some() {
            return Err(MediaError::OutOfOrder("a segment begins before the last one was ended"));
        }
        if self.reports.len() >= limits::SEGMENTS_MAX {
            return Err(MediaError::TooManySegments);
        }
        self.open = Some((WebmReader::new(), Segment::starting_at(self.file.end())));
        Ok(())
    }

    /// The next bytes of the open segment, in any portions.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`]. Bad bytes are no error: see
    /// [`SegmentReport::problems`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        let (reader, segment) = self.open.as_mut().ok_or(NO_SEGMENT)?;
        segment.count_bytes(bytes.len());
        for piece in bytes.chunks(limits::PUSH_PIECE_BYTES) {
            reader.push(piece);
            self.file.drain(reader, segment)?;
        }
        Ok(())
    }

    /// Bytes are missing here: the open segment goes on with the next Cluster that comes.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`].
    pub fn hole(&mut self) -> Result<(), MediaError> {
        let (reader, segment) = self.open.as_mut().ok_or(NO_SEGMENT)?;
        reader.hole();
        self.file.drain(reader, segment)
    }

    /// The open segment is over.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`]. A segment that was of no use is no error:
    /// see [`SegmentReport::refusal`].
    pub fn end_segment(&mut self) -> Result<SegmentReport, MediaError> {
        let (mut reader, mut segment) = self.open.take().ok_or(NO_SEGMENT)?;
        reader.end();
        self.file.drain(&mut reader, &mut segment)?;
        self.file.writer.close_cluster()?;
        let report = segment.into_report(self.file.end(), reader.dangling_bytes());
        self.reports.push(report.clone());
        Ok(report)
    }

    /// Completes the file and returns the output, positioned behind it.
    ///
    /// # Errors
    /// [`MediaError::Refused`] if no segment had a packet, with the first reason that isn't just
    /// [`Refusal::Empty`]; nothing was written then. [`MediaError::Io`],
    /// [`MediaError::OutOfOrder`] while a segment is open.
    pub fn finish(self) -> Result<(W, StitchReport), MediaError> {
        if self.open.is_some() {
            return Err(MediaError::OutOfOrder("the recording is finished with a segment open"));
        }
        let packets = self.reports.iter().map(|segment| segment.packets).sum();
        if packets == 0 {
            let mut refusals = self.reports.iter().filter_map(SegmentReport::refusal);
            let telling = refusals.find(|refusal| **refusal != Refusal::Empty);
            return Err(telling.cloned().unwrap_or(Refusal::Empty).into());
        }
        let duration = self.file.end();
        let (out, written) = self.file.writer.finish(duration)?;
        let report = StitchReport {
            duration,
            bytes: written.bytes,
            packets,
            clusters: written.clusters,
            cues: written.cues,
            segments: self.reports,
        };
        Ok((out, report))
    }
}

const NO_SEGMENT: MediaError = MediaError::OutOfOrder("no segment is open");

/// The file and its tracks, which the first packet decides.
#[derive(Debug)]
struct File<W> {
    writer: WebmWriter<W>,
    tracks: Vec<FileTrack>,
}

#[derive(Debug)]
struct FileTrack {
    number: TrackNumber,
    entry: TrackEntry,
    clock: TrackClock,
}

impl<W: Write + Seek> File<W> {
    fn end(&self) -> Duration {
        self.tracks.iter().map(|track| track.clock.end()).max().unwrap_or_default()
    }

    fn drain(&mut self, reader: &mut WebmReader, segment: &mut Segment) -> Result<(), MediaError> {
        loop {
            match reader.next_event() {
                Ok(Some(event)) => self.handle(segment, event)?,
                Ok(None) => return Ok(()),
                Err(refusal) => {
                    segment.refuse(refusal);
                    return Ok(());
                }
            }
        }
    }

    fn handle(&mut self, segment: &mut Segment, event: Event<'_>) -> Result<(), MediaError> {
        match event {
            Event::Header { doc_type } => segment.begin_run(doc_type, self.end()),
            Event::Tracks(tracks) => segment.declare_tracks(tracks),
            Event::Cluster { .. } => {}
            Event::Damage(damage) => segment.add_damage(damage),
            Event::Block(block) => return self.handle_block(segment, &block),
        }
        Ok(())
    }

    fn handle_block(&mut self, segment: &mut Segment, block: &Block<'_>) -> Result<(), MediaError> {
        if segment.is_refused() {
            return Ok(());
        }
        let Some(track) = segment.find_track(block.track()) else {
            return Ok(());
        };
        if segment.place_of(track).is_none() {
            self.place_tracks(segment)?;
        }
        let Some(place) = segment.place_of(track) else {
            return Ok(());
        };
        let Some((time, moved)) = segment.locate(block.time) else {
            return Ok(());
        };
        let went_back = self.write_block(place, block, Millis::nearest(time))?;
        segment.count_packet(moved || went_back);
        Ok(())
    }

    /// The first packet of a run: its tracks become the file's, or continue them.
    fn place_tracks(&mut self, segment: &mut Segment) -> Result<(), MediaError> {
        if self.tracks.is_empty() {
            self.writer.write_head(segment.doc_type(), segment.tracks().iter())?;
            self.tracks = segment
                .tracks()
                .iter()
                .zip(1..)
                .map(|(entry, number)| FileTrack {
                    number: TrackNumber(number),
                    entry: entry.clone(),
                    clock: TrackClock::new(entry),
                })
                .collect();
        }
        let ours: Vec<_> = self.tracks.iter().map(|track| &track.entry).collect();
        match tracks::match_tracks(&ours, segment.tracks()) {
            Ok(places) => segment.set_places(places),
            Err(refusal) => segment.refuse(refusal),
        }
        Ok(())
    }

    /// Returns whether the packet's time went back in its track.
    fn write_block(
        &mut self,
        place: usize,
        block: &Block<'_>,
        time: Millis,
    ) -> Result<bool, MediaError> {
        let Self { writer, tracks } = self;
        let track = &mut tracks[place];
        let at = track.clock.last().map_or(time, |last| last.max(time));
        let implied = track.clock.implied_duration(&block.body).map(Millis::nearest);
        let stated = block.duration.map(Millis::nearest);
        let as_group = block.body.needs_group(implied.is_some() && implied == stated);
        let kind = track.entry.kind;
        let placement = Placement {
            track: track.number,
            at,
            keyframe: block.is_keyframe() || kind == TrackKind::Audio,
            as_group,
            duration: stated,
        };
        writer.write_block(kind, &block.body, &placement)?;
        track.clock.advance(at, stated.filter(|_| as_group), &block.body);
        Ok(at > time)
    }
}

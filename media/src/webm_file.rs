//! Owns joining the blocks of segments into one WebM: which track a block goes to and when it
//! plays there. Leaves reading to `reader` and the layout of the file to `writer`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::block::{Block, Placement};
use crate::clock::{self, TrackClock};
use crate::error::MediaError;
use crate::observer::{Observer, PlacedBlock};
use crate::reader::{Event, WebmReader};
use crate::segment::Segment;
use crate::tracks::{self, TrackEntry, TrackKind};
use crate::units::{Millis, TrackNumber};
use crate::writer::{WebmWriter, Written};

/// The file and its tracks, which the first packet decides.
#[derive(Debug)]
pub(crate) struct WebmFile<W, O = ()> {
    writer: WebmWriter<W>,
    observer: O,
    tracks: Vec<FileTrack>,
    /// Of the run that is being read.
    doc_type: String,
}

#[derive(Debug)]
struct FileTrack {
    number: TrackNumber,
    entry: TrackEntry,
    clock: TrackClock,
}

impl<W: Write + Seek> WebmFile<W> {
    /// `out` stands at `origin`, where the file will begin.
    pub(crate) fn new(out: W, origin: u64) -> Self {
        Self::observed(out, origin, ())
    }
}

impl<W: Write + Seek, O: Observer> WebmFile<W, O> {
    /// The same, and tells `observer` what goes into the file.
    pub(crate) fn observed(out: W, origin: u64, observer: O) -> Self {
        let writer = WebmWriter::new(out, origin);
        Self { writer, observer, tracks: Vec::new(), doc_type: String::new() }
    }

    pub(crate) fn into_observer(self) -> O {
        self.observer
    }

    /// Nothing was written yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.tracks.is_empty()
    }

    pub(crate) fn into_out(self) -> W {
        self.writer.into_out()
    }

    pub(crate) fn has_video(&self) -> bool {
        self.tracks.iter().any(|track| track.entry.kind == TrackKind::Video)
    }

    pub(crate) fn end(&self) -> Duration {
        self.tracks.iter().map(|track| track.clock.end()).max().unwrap_or_default()
    }

    /// A moment between the packets so far and those that follow; zero before the first.
    pub(crate) fn frontier(&self) -> Duration {
        let of_track = |track: &FileTrack| {
            let last = track.clock.last()?.as_duration();
            Some(clock::frontier(track.entry.kind, last, track.clock.end()))
        };
        self.tracks.iter().filter_map(of_track).max().unwrap_or_default()
    }

    pub(crate) fn close_cluster(&mut self) -> Result<(), MediaError> {
        Ok(self.writer.close_cluster()?)
    }

    pub(crate) fn finish(self) -> Result<(W, Written), MediaError> {
        let duration = self.end();
        Ok(self.writer.finish(duration)?)
    }

    pub(crate) fn drain(
        &mut self,
        reader: &mut WebmReader,
        segment: &mut Segment<TrackEntry>,
    ) -> Result<(), MediaError> {
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

    fn handle(
        &mut self,
        segment: &mut Segment<TrackEntry>,
        event: Event<'_>,
    ) -> Result<(), MediaError> {
        match event {
            Event::Header { doc_type } => {
                segment.begin_run(self.end());
                self.doc_type = doc_type;
            }
            Event::Tracks(tracks) => segment.declare_tracks(tracks),
            Event::Cluster { .. } => {}
            Event::Damage(damage) => segment.add_damage(damage),
            Event::Block(block) => return self.handle_block(segment, &block),
        }
        Ok(())
    }

    fn handle_block(
        &mut self,
        segment: &mut Segment<TrackEntry>,
        block: &Block<'_>,
    ) -> Result<(), MediaError> {
        if segment.is_refused() {
            return Ok(());
        }
        let Some(track) = segment.find_track(block.track()) else {
            return Ok(());
        };
        if segment.place_of(track).is_none() {
            self.place_tracks(segment)?;
        }
        let Some(place) = segment.place_of(track).copied() else {
            return Ok(());
        };
        let Some((time, moved)) = segment.locate(block.time) else {
            return Ok(());
        };
        let went_back = self.write_block(place, block, Millis::nearest(time))?;
        segment.count_packet(moved || went_back);
        Ok(())
    }

    /// Writes what comes before the first packet: the file has these tracks, and no others.
    pub(crate) fn begin(
        &mut self,
        doc_type: &str,
        tracks: &[TrackEntry],
    ) -> Result<(), MediaError> {
        self.writer.write_head(doc_type, tracks.iter())?;
        let placed = |(entry, number): (&TrackEntry, u64)| FileTrack {
            number: TrackNumber(number),
            entry: entry.clone(),
            clock: TrackClock::new(entry),
        };
        self.tracks = tracks.iter().zip(1..).map(placed).collect();
        for track in &self.tracks {
            self.observer.track(track.number, &track.entry);
        }
        Ok(())
    }

    /// The first packet of a run: its tracks become the file's, or continue them.
    fn place_tracks(&mut self, segment: &mut Segment<TrackEntry>) -> Result<(), MediaError> {
        if self.tracks.is_empty() {
            let doc_type = std::mem::take(&mut self.doc_type);
            self.begin(&doc_type, segment.tracks())?;
        }
        let ours: Vec<_> = self.tracks.iter().map(|track| &track.entry).collect();
        match tracks::match_tracks(&ours, segment.tracks()) {
            Ok(places) => segment.set_places(places),
            Err(refusal) => segment.refuse(refusal),
        }
        Ok(())
    }

    /// Returns whether the packet's time went back in its track.
    pub(crate) fn write_block(
        &mut self,
        place: usize,
        block: &Block<'_>,
        time: Millis,
    ) -> Result<bool, MediaError> {
        let Self { writer, observer, tracks, doc_type: _ } = self;
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
        let end = track.clock.end();
        observer.block(&PlacedBlock { track: track.number, at, end, body: block.body });
        Ok(at > time)
    }
}

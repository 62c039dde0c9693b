//! Owns joining the blocks of segments into one WebM: which track a block goes to and when it
//! plays there. Leaves reading to `reader` and the layout of the file to `writer`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::block::{Block, BlockCopy, Placement};
use crate::clock::{self, TrackClock};
use crate::error::MediaError;
use crate::observer::{Observer, PlacedBlock};
use crate::segment::{Muxer, Wrote};
use crate::tracks::{self, TrackEntry, TrackKind};
use crate::units::{Millis, TrackNumber, duration_of, nanos_of};
use crate::writer::{WebmWriter, Written};

/// The file and its tracks, which the first packet decides.
#[derive(Debug)]
pub(crate) struct WebmFile<W, O = ()> {
    writer: WebmWriter<W>,
    observer: O,
    tracks: Vec<FileTrack>,
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
        Self { writer, observer, tracks: Vec::new() }
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

    /// Returns whether the packet had to be moved, so that its track does not go back.
    pub(crate) fn write_block(
        &mut self,
        place: usize,
        block: &Block<'_>,
        time: Millis,
    ) -> Result<bool, MediaError> {
        let Self { writer, observer, tracks } = self;
        let track = &mut tracks[place];
        let at = track.clock.earliest_next().map_or(time, |earliest| earliest.max(time));
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

impl<W: Write + Seek, O: Observer> Muxer<BlockCopy> for WebmFile<W, O> {
    fn end(&self) -> Duration {
        Self::end(self)
    }

    fn edge(&self, place: &usize) -> Option<i128> {
        self.tracks.get(*place)?.clock.last().map(|last| nanos_of(last.as_duration()))
    }

    fn end_of(&self, place: &usize) -> Duration {
        self.tracks.get(*place).map_or(Duration::ZERO, |track| track.clock.end())
    }

    fn place(&mut self, doc_type: &str, tracks: &[TrackEntry]) -> Result<Vec<usize>, MediaError> {
        if self.tracks.is_empty() {
            self.begin(doc_type, tracks)?;
        }
        let ours: Vec<_> = self.tracks.iter().map(|track| &track.entry).collect();
        Ok(tracks::match_tracks(&ours, tracks)?)
    }

    fn write(
        &mut self,
        place: &mut usize,
        block: Block<'_>,
        shift: i128,
    ) -> Result<Wrote, MediaError> {
        let time = block.time.as_nanos().saturating_add(shift);
        let is_moved = self.write_block(*place, &block, Millis::nearest(duration_of(time)))?;
        Ok(if is_moved { Wrote::Moved } else { Wrote::AtItsTime })
    }
}

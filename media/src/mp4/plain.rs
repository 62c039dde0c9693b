//! Owns writing an MP4 of samples whose track and time are known, and what becomes of the time of one
//! that comes from another file. Decides neither which samples nor in which order.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::schedule::Schedule;
use crate::tracks::TrackKind;
use crate::units::SourceTime;
use crate::writer::Written;

use super::layout::{self, TrackLayout};
use super::moof::SampleInfo;
use super::moov::{APPEARANCE_BYTES, Track};
use super::table::{Entry, SampleTable};
use super::time::{Ticks, Timescale};
use super::writer::Mp4Writer;

/// What stands in one piece is no longer: players read it at once.
const CHUNK_DURATION_MAX: Duration = Duration::from_secs(1);
/// Finest scale by which a table can say that two samples are weeks apart.
const COARSE_HZ: u32 = 1_000;

/// Samples of one source are written one right behind another for so long: that keeps the tables
/// small.
pub(super) const IN_A_ROW: Duration = Duration::from_millis(500);

/// A file that is being written.
#[derive(Debug)]
pub(super) struct PlainMp4<W> {
    writer: Mp4Writer<W>,
    tracks: Vec<PlainTrack>,
    samples: usize,
}

/// What a track of it is, and the samples it has so far.
#[derive(Debug)]
pub(super) struct PlainTrack {
    pub(super) kind: TrackKind,
    pub(super) timescale: Timescale,
    pub(super) appearance: [u8; APPEARANCE_BYTES],
    pub(super) language: [u8; 2],
    pub(super) descriptions: Vec<Vec<u8>>,
    /// What people call it; empty if nobody does.
    pub(super) name: String,
    pub(super) table: SampleTable,
    /// When the chunk begins that is being written.
    pub(super) chunk_begins: Duration,
}

/// A sample and when it plays, from the zero of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainSample<'a> {
    pub(super) at: Duration,
    pub(super) duration: Duration,
    /// From decoding to presentation, in ticks of its track.
    pub(super) shift: i32,
    pub(super) is_sync: bool,
    /// Index among its track's.
    pub(super) description: usize,
    pub(super) payload: &'a [u8],
}

impl PlainTrack {
    /// One that takes the samples of a track in another file, with gaps of up to so long between.
    pub(super) fn of(track: &Track, name: String, apart: Duration) -> Self {
        Self {
            kind: track.kind,
            timescale: Self::timescale_for(track.timescale, apart),
            appearance: track.appearance,
            language: track.language,
            descriptions: track.descriptions.clone(),
            name,
            table: SampleTable::default(),
            chunk_begins: Duration::ZERO,
        }
    }

    /// Its own scale if its table can say with it that two samples are as far apart.
    fn timescale_for(own: Timescale, apart: Duration) -> Timescale {
        let ticks = own.nearest(nanos(apart)).0;
        let coarse = Timescale::new(COARSE_HZ).unwrap_or(own);
        if ticks <= i64::from(u32::MAX / 2) { own } else { coarse }
    }

    fn layout(&self) -> TrackLayout<'_> {
        TrackLayout {
            kind: self.kind,
            timescale: self.timescale,
            appearance: &self.appearance,
            language: self.language,
            descriptions: &self.descriptions,
            name: if self.name.is_empty() { layout::NAME } else { &self.name },
            table: &self.table,
        }
    }
}

/// By how much pictures are decoded before the zero of the recording. There they stay in step by
/// being shown so much earlier; of sound, what is before the zero is never heard.
fn lead(track: &Track) -> Ticks {
    match track.kind {
        TrackKind::Video => track.ahead.max(Ticks(0)),
        TrackKind::Audio | TrackKind::Other(_) => Ticks(0),
    }
}

/// Where on the common timeline a sample of another file is decoded; `None` of sound that is not
/// heard.
pub(super) fn placed(track: &Track, info: &SampleInfo, schedule: &Schedule) -> Option<Duration> {
    let presented = track.presented(info.at);
    let end = track.presented(Ticks(info.at.0.checked_add(i64::from(info.duration))?));
    if track.kind == TrackKind::Audio && presented < SourceTime::ZERO && end <= SourceTime::ZERO {
        return None;
    }
    let moment = presented.since(SourceTime::ZERO);
    let later = schedule.place(moment).saturating_sub(moment);
    let is_led = lead(track) > Ticks(0);
    let decoded = if is_led { track.timescale.duration(info.at) } else { moment };
    Some(decoded.saturating_add(later))
}

/// From the decoding of such a sample to its presentation, in ticks of its new track.
pub(super) fn shift(track: &Track, info: &SampleInfo, scale: Timescale) -> i32 {
    let shift = Ticks(i64::from(info.shift).saturating_sub(lead(track).0));
    i32::try_from(track.timescale.to(scale, shift).0).unwrap_or(info.shift)
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

impl<W: Write + Seek> PlainMp4<W> {
    pub(super) fn begin(mut out: W, tracks: Vec<PlainTrack>) -> Result<Self, MediaError> {
        if tracks.len() > limits::TRACKS_MAX {
            return Err(Refusal::TooManyTracks { tracks: tracks.len() }.into());
        }
        let origin = out.stream_position()?;
        Ok(Self { writer: Mp4Writer::new(out, origin), tracks, samples: 0 })
    }

    /// A sample of this track; not before the one before.
    pub(super) fn write(
        &mut self,
        track: usize,
        sample: &PlainSample<'_>,
    ) -> Result<(), MediaError> {
        self.samples += 1;
        if self.samples > limits::SAMPLES_MAX {
            return Err(Refusal::TooManySamples.into());
        }
        let PlainTrack { kind, timescale, table, chunk_begins, .. } = &mut self.tracks[track];
        if sample.at.saturating_sub(*chunk_begins) >= CHUNK_DURATION_MAX {
            table.close_chunk();
            *chunk_begins = sample.at;
        }
        let ticks = |duration| timescale.nearest(nanos(duration));
        let at = ticks(sample.at).max(table.last().unwrap_or_default());
        if table.check(at).is_err() {
            return Err(Refusal::TooFarApart.into());
        }
        let entry = Entry {
            at,
            duration: ticks(sample.duration),
            shift: sample.shift,
            bytes: sample.payload.len() as u32,
            is_sync: sample.is_sync && *kind == TrackKind::Video,
            description: u32::try_from(sample.description + 1).unwrap_or(1),
            offset: self.writer.write_sample(sample.payload)?,
        };
        table.add(&entry).map_err(|_| Refusal::TooFarApart)?;
        Ok(())
    }

    pub(super) fn timescale(&self, track: usize) -> Timescale {
        self.tracks[track].timescale
    }

    pub(super) fn end(&self) -> Duration {
        let end = |track: &PlainTrack| track.timescale.duration(track.table.end());
        self.tracks.iter().map(end).max().unwrap_or_default()
    }

    /// There must be a sample.
    pub(super) fn finish(mut self) -> Result<(W, Written), MediaError> {
        self.tracks.retain(|track| track.table.len() > 0);
        if self.tracks.is_empty() {
            return Err(Refusal::NoMedia.into());
        }
        for track in &mut self.tracks {
            track.table.complete();
        }
        let layouts: Vec<_> = self.tracks.iter().map(PlainTrack::layout).collect();
        let clusters = layouts.iter().map(|track| track.table.chunks.len() as u64).sum();
        let listed = layouts.iter().filter(|track| track.lists_syncs());
        let cues = listed.map(|track| track.table.syncs.len() as u64).sum();
        let moov = layout::moov(&layouts);
        let (out, bytes) = self.writer.finish(&moov)?;
        Ok((out, Written { bytes, clusters, cues }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_keeps_its_scale_unless_its_gaps_are_too_long_for_it() {
        let own = Timescale::new(90_000).unwrap();
        let scale =
            |hours: u64| PlainTrack::timescale_for(own, Duration::from_secs(hours * 3_600)).get();
        assert_eq!((scale(0), scale(6), scale(7)), (90_000, 90_000, 1_000));
    }
}

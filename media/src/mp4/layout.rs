//! Owns how the `moov` of a finished file is laid out (ISO/IEC 14496-12 section 8). Knows no IO.

use crate::limits;
use crate::tracks::TrackKind;

use super::boxes::{BoxType, kind, put_box, put_full_box, put_u32, put_wide, version_for};
use super::moov::APPEARANCE_BYTES;
use super::table::{Chunk, SampleTable};
use super::time::Timescale;

/// Of a track that people have no name for.
pub(crate) const NAME: &str = "Holdfast";
const ONE: u32 = 1 << 16;
const NO_TURN: [u32; 9] = [ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30];

/// Everything that the `trak` of a finished file says.
#[derive(Debug)]
pub(crate) struct TrackLayout<'a> {
    pub(crate) kind: TrackKind,
    pub(crate) timescale: Timescale,
    pub(crate) appearance: &'a [u8; APPEARANCE_BYTES],
    pub(crate) language: [u8; 2],
    pub(crate) descriptions: &'a [Vec<u8>],
    /// For people.
    pub(crate) name: &'a str,
    pub(crate) table: &'a SampleTable,
}

impl TrackLayout<'_> {
    /// From the start of the movie to the end of the track.
    fn movie_duration(&self, movie: Timescale) -> u64 {
        whole(self.timescale.to(movie, self.table.end()).0)
    }

    /// Sound can be started anywhere; of pictures the keyframes are listed.
    pub(crate) fn lists_syncs(&self) -> bool {
        self.kind == TrackKind::Video
    }
}

fn whole(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

pub(crate) fn ftyp() -> Vec<u8> {
    let mut out = Vec::new();
    put_box(&mut out, kind::FTYP, |out| {
        out.extend_from_slice(b"isom\0\0\x02\0isomiso2iso4mp41");
    });
    out
}

/// The whole box; tracks are numbered from 1 in their order.
pub(crate) fn moov(tracks: &[TrackLayout<'_>]) -> Vec<u8> {
    let scales: Vec<_> = tracks.iter().map(|track| track.timescale).collect();
    let movie = movie_timescale(&scales);
    let mut out = Vec::new();
    put_box(&mut out, kind::MOOV, |out| {
        put_mvhd(out, tracks, movie);
        for (track, number) in tracks.iter().zip(1..) {
            put_box(out, kind::TRAK, |out| put_trak(out, track, number, movie));
        }
    });
    out
}

/// One in which every track's durations are whole, if that is a sensible number.
fn movie_timescale(scales: &[Timescale]) -> Timescale {
    let first = scales.first().copied();
    let first = first.or(Timescale::new(1_000)).expect("a constant above zero");
    let common =
        scales.iter().copied().map(Some).reduce(|one, other| one?.common(other?)).flatten();
    common.filter(|scale| scale.get() <= limits::MOVIE_TIMESCALE_MAX).unwrap_or(first)
}

fn put_mvhd(out: &mut Vec<u8>, tracks: &[TrackLayout<'_>], movie: Timescale) {
    let duration = tracks.iter().map(|track| track.movie_duration(movie)).max().unwrap_or(0);
    let version = version_for(&[duration]);
    put_full_box(out, kind::MVHD, version, 0, |out| {
        put_wide(out, version, 0);
        put_wide(out, version, 0);
        put_u32(out, movie.get());
        put_wide(out, version, duration);
        put_u32(out, ONE);
        out.extend_from_slice(&[1, 0]);
        out.extend_from_slice(&[0; 10]);
        NO_TURN.iter().for_each(|field| put_u32(out, *field));
        out.extend_from_slice(&[0; 24]);
        put_u32(out, tracks.len() as u32 + 1);
    });
}

fn put_trak(out: &mut Vec<u8>, track: &TrackLayout<'_>, number: u32, movie: Timescale) {
    const ENABLED_IN_MOVIE: u32 = 3;
    let duration = track.movie_duration(movie);
    let version = version_for(&[duration]);
    put_full_box(out, kind::TKHD, version, ENABLED_IN_MOVIE, |out| {
        put_wide(out, version, 0);
        put_wide(out, version, 0);
        put_u32(out, number);
        put_u32(out, 0);
        put_wide(out, version, duration);
        out.extend_from_slice(track.appearance);
    });
    put_edits(out, track, movie);
    put_box(out, kind::MDIA, |out| put_mdia(out, track));
}

/// A track that begins late is presented late: a table of samples begins at 0.
fn put_edits(out: &mut Vec<u8>, track: &TrackLayout<'_>, movie: Timescale) {
    let start = whole(track.timescale.to(movie, track.table.start()).0);
    if start == 0 {
        return;
    }
    let rest = track.movie_duration(movie).saturating_sub(start);
    let version = version_for(&[start, rest]);
    let edits = [(start, -1_i64), (rest, 0)];
    put_box(out, kind::EDTS, |out| {
        put_full_box(out, kind::ELST, version, 0, |out| {
            put_u32(out, edits.len() as u32);
            for (duration, media_time) in edits {
                put_wide(out, version, duration);
                let media_time = media_time.to_be_bytes();
                out.extend_from_slice(if version == 0 { &media_time[4..] } else { &media_time });
                put_u32(out, ONE);
            }
        });
    });
}

fn put_mdia(out: &mut Vec<u8>, track: &TrackLayout<'_>) {
    let table = track.table;
    let duration = whole(table.end().0.saturating_sub(table.start().0));
    let version = version_for(&[duration]);
    put_full_box(out, kind::MDHD, version, 0, |out| {
        put_wide(out, version, 0);
        put_wide(out, version, 0);
        put_u32(out, track.timescale.get());
        put_wide(out, version, duration);
        out.extend_from_slice(&track.language);
        out.extend_from_slice(&[0; 2]);
    });
    put_full_box(out, kind::HDLR, 0, 0, |out| {
        put_u32(out, 0);
        let handler = match track.kind {
            TrackKind::Video => *b"vide",
            TrackKind::Audio => *b"soun",
            TrackKind::Other(_) => *b"null",
        };
        out.extend_from_slice(&handler);
        out.extend_from_slice(&[0; 12]);
        // It ends with a zero.
        out.extend(track.name.bytes().filter(|byte| *byte != 0).chain([0]));
    });
    put_box(out, kind::MINF, |out| {
        match track.kind {
            TrackKind::Video => put_full_box(out, kind::VMHD, 0, 1, |out| out.extend([0; 8])),
            TrackKind::Audio | TrackKind::Other(_) => {
                put_full_box(out, kind::SMHD, 0, 0, |out| out.extend([0; 4]));
            }
        }
        put_box(out, kind::DINF, |out| {
            put_full_box(out, kind::DREF, 0, 0, |out| {
                const IN_THIS_FILE: u32 = 1;
                put_u32(out, 1);
                put_full_box(out, kind::URL, 0, IN_THIS_FILE, |_| {});
            });
        });
        put_box(out, kind::STBL, |out| put_stbl(out, track));
    });
}

fn put_stbl(out: &mut Vec<u8>, track: &TrackLayout<'_>) {
    let table = track.table;
    put_full_box(out, kind::STSD, 0, 0, |out| {
        put_u32(out, track.descriptions.len() as u32);
        track.descriptions.iter().for_each(|entry| out.extend_from_slice(entry));
    });
    put_table(out, kind::STTS, 0, &table.deltas, |out, run| {
        put_u32(out, run.samples);
        put_u32(out, run.value);
    });
    if table.shifts.iter().any(|run| run.value != 0) {
        // Only version 1 may be negative; version 0 is the better known one.
        let version = u8::from(table.shifts.iter().any(|run| run.value < 0));
        put_table(out, kind::CTTS, version, &table.shifts, |out, run| {
            put_u32(out, run.samples);
            out.extend_from_slice(&run.value.to_be_bytes());
        });
    }
    if track.lists_syncs() {
        put_table(out, kind::STSS, 0, &table.syncs, |out, sample| put_u32(out, *sample));
    }
    put_table(out, kind::STSC, 0, &alike(&table.chunks), |out, (number, chunk)| {
        put_u32(out, *number);
        put_u32(out, chunk.samples);
        put_u32(out, chunk.description);
    });
    put_full_box(out, kind::STSZ, 0, 0, |out| {
        put_u32(out, 0);
        put_u32(out, table.sizes.len() as u32);
        table.sizes.iter().for_each(|size| put_u32(out, *size));
    });
    let version = version_for(&table.chunks.last().map_or([0], |chunk| [chunk.offset]));
    let kind = if version == 0 { kind::STCO } else { kind::CO64 };
    put_table(out, kind, 0, &table.chunks, |out, chunk| put_wide(out, version, chunk.offset));
}

fn put_table<T>(
    out: &mut Vec<u8>,
    kind: BoxType,
    version: u8,
    entries: &[T],
    put: impl Fn(&mut Vec<u8>, &T),
) {
    put_full_box(out, kind, version, 0, |out| {
        put_u32(out, entries.len() as u32);
        entries.iter().for_each(|entry| put(out, entry));
    });
}

/// The chunks that are unlike the one before, with their numbers from 1 (section 8.7.4).
fn alike(chunks: &[Chunk]) -> Vec<(u32, Chunk)> {
    let mut firsts: Vec<(u32, Chunk)> = Vec::new();
    for (chunk, number) in chunks.iter().zip(1..) {
        let same = |(_, last): &(u32, Chunk)| {
            last.samples == chunk.samples && last.description == chunk.description
        };
        if !firsts.last().is_some_and(same) {
            firsts.push((number, *chunk));
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movie_counts_in_whole_ticks_of_every_track_up_to_the_limit() {
        let movie = |ticks: &[u32]| {
            let scales: Vec<_> = ticks.iter().map(|one| Timescale::new(*one).unwrap()).collect();
            movie_timescale(&scales).get()
        };
        assert_eq!(movie(&[48_000, 20_000]), 240_000);
        assert_eq!(movie(&[44_100, 90_000]), 4_410_000);
        let max = limits::MOVIE_TIMESCALE_MAX;
        assert_eq!(movie(&[max / 2, max]), max);
        assert_eq!(movie(&[max + 1]), max + 1, "a track alone may count as it likes");
        assert_eq!(movie(&[3, max + 1]), 3, "else the first track's");
    }
}

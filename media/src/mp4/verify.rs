//! Owns the strict reading of a finished MP4. Repairs nothing, forgives nothing.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use crate::error::{Container, Flaw, MediaError};
use crate::limits;
use crate::verify::{Verified, VerifiedTrack};

use super::boxes::{self, BodySize, BoxHeader, BoxType, Fields, kind};
use super::moov::{sample_descriptions, scale_and_duration, track_id, track_kind};
use super::tables_read::{self, Tables};
use super::time::{Ticks, Timescale};

/// Reads an MP4 from the current position to its end and checks that it is finished: `ftyp`, then
/// the media, then a `moov` whose tables agree with each other, whose durations are those of the
/// tables, and whose samples are the media, byte for byte, without a gap or an overlap.
pub(crate) fn verify<R: Read + Seek>(mut input: R) -> Result<Verified, MediaError> {
    let start = input.stream_position()?;
    let end = input.seek(SeekFrom::End(0))?.saturating_sub(start);
    let mut places = Vec::new();
    let mut at = 0;
    for expected in [kind::FTYP, kind::MDAT, kind::MOOV] {
        let place = find_box(&mut input, start, at, end, expected)?;
        at = place.body.end;
        places.push(place);
    }
    let [_, media, moov] = &places[..] else {
        return Err(flaw(at, Flaw::NotABox));
    };
    if at != end {
        return Err(flaw(at, Flaw::UnexpectedBox(kind::MOOV)));
    }
    let bytes = moov.body.end - moov.body.start;
    let bytes =
        usize::try_from(bytes).ok().filter(|bytes| *bytes <= limits::WRITTEN_MOOV_BYTES_MAX);
    let bytes = bytes.ok_or_else(|| flaw(moov.at, Flaw::UnexpectedBox(kind::MOOV)))?;
    input.seek(SeekFrom::Start(start + moov.body.start))?;
    // The file is at least that long.
    let mut body = vec![0; bytes];
    input.read_exact(&mut body)?;
    check_movie(&body, &media.body).map_err(|found| flaw(moov.at, found))
}

fn flaw(at: u64, flaw: Flaw) -> MediaError {
    MediaError::NotFinished { at, flaw }
}

/// A box at the top of the file; positions are from its start.
struct TopBox {
    at: u64,
    body: Range<u64>,
}

fn find_box<R: Read + Seek>(
    input: &mut R,
    start: u64,
    at: u64,
    end: u64,
    expected: BoxType,
) -> Result<TopBox, MediaError> {
    input.seek(SeekFrom::Start(start + at))?;
    let room = end.saturating_sub(at).min(BoxHeader::BYTES_MAX as u64);
    let mut bytes = [0; BoxHeader::BYTES_MAX];
    let bytes = &mut bytes[..room as usize];
    input.read_exact(bytes)?;
    let header = BoxHeader::parse(bytes).ok().flatten();
    let header = header.ok_or_else(|| flaw(at, Flaw::NotABox))?;
    if header.kind != expected {
        return Err(flaw(at, Flaw::MissingBox(expected)));
    }
    let BodySize::Known(size) = header.body else {
        return Err(flaw(at, Flaw::NotABox));
    };
    let body = at + header.len as u64;
    let body_end = body.checked_add(size).filter(|body_end| *body_end <= end);
    Ok(TopBox { at, body: body..body_end.ok_or_else(|| flaw(at, Flaw::NotABox))? })
}

fn check_movie(moov: &[u8], media: &Range<u64>) -> Result<Verified, Flaw> {
    let mvhd = boxes::child(moov, kind::MVHD).and_then(scale_and_duration);
    let (movie, stated) = mvhd.ok_or(Flaw::MissingBox(kind::MVHD))?;
    let mut tracks = Vec::new();
    let mut chunks = Vec::new();
    let mut longest = 0;
    let mut cues = 0;
    for child in boxes::children(moov) {
        let child = child.map_err(|_| Flaw::NotABox)?;
        match child.kind {
            kind::MVHD => continue,
            kind::TRAK => {}
            other => return Err(Flaw::UnexpectedBox(other)),
        }
        let mut track = check_track(child.body, movie)?;
        longest = longest.max(track.movie_duration);
        cues += track.tables.syncs;
        chunks.append(&mut track.tables.chunks);
        tracks.push(track.verified);
        if tracks.len() > limits::TRACKS_MAX {
            return Err(Flaw::UnexpectedBox(kind::TRAK));
        }
    }
    if tracks.is_empty() {
        return Err(Flaw::MissingBox(kind::TRAK));
    }
    if stated != longest {
        return Err(Flaw::Duration);
    }
    let clusters = chunks.len() as u64;
    check_media(chunks, media)?;
    let duration = tracks.iter().map(|track| track.end).max().unwrap_or_default();
    let packets = tracks.iter().map(|track| track.packets).sum();
    Ok(Verified { container: Container::Mp4, duration, packets, clusters, cues, tracks })
}

/// The chunks of all tracks are the media, one right behind another.
fn check_media(mut chunks: Vec<Range<u64>>, media: &Range<u64>) -> Result<(), Flaw> {
    chunks.sort_by_key(|chunk| (chunk.start, chunk.end));
    let mut at = media.start;
    for chunk in chunks {
        if chunk.start != at {
            return Err(Flaw::Media);
        }
        at = chunk.end;
    }
    if at == media.end { Ok(()) } else { Err(Flaw::Media) }
}

struct CheckedTrack {
    verified: VerifiedTrack,
    tables: Tables,
    movie_duration: u64,
}

fn check_track(trak: &[u8], movie: Timescale) -> Result<CheckedTrack, Flaw> {
    let find = |path: &[BoxType]| {
        let last = path.last().copied().unwrap_or(kind::TRAK);
        boxes::descend(trak, path).ok_or(Flaw::MissingBox(last))
    };
    let tkhd = find(&[kind::TKHD])?;
    let movie_duration = track_duration(tkhd).ok_or(Flaw::MissingBox(kind::TKHD))?;
    let mdhd = scale_and_duration(find(&[kind::MDIA, kind::MDHD])?);
    let (scale, media_duration) = mdhd.ok_or(Flaw::MissingBox(kind::MDHD))?;
    let hdlr = track_kind(find(&[kind::MDIA, kind::HDLR])?);
    let stbl = find(&[kind::MDIA, kind::MINF, kind::STBL])?;
    let stsd = boxes::child(stbl, kind::STSD).and_then(sample_descriptions);
    let (codec, descriptions) = stsd.ok_or(Flaw::MissingBox(kind::STSD))?;
    let tables = tables_read::read(stbl, descriptions.len())?;
    if tables.samples == 0 {
        return Err(Flaw::NoPackets);
    }
    if tables.duration != media_duration {
        return Err(Flaw::Table(kind::STTS));
    }
    let delay = match boxes::child(trak, kind::EDTS) {
        Some(edts) => delay(edts).ok_or(Flaw::MissingBox(kind::ELST))?,
        None => 0,
    };
    // Rounding each to a tick of the movie may put them one apart.
    let media_end = signed(delay).saturating_add(scale.to(movie, Ticks(signed(media_duration))).0);
    if media_end.abs_diff(signed(movie_duration)) > 1 {
        return Err(Flaw::Duration);
    }
    Ok(CheckedTrack {
        verified: VerifiedTrack {
            kind: hdlr.ok_or(Flaw::MissingBox(kind::HDLR))?,
            codec: codec.to_string(),
            packets: tables.samples,
            end: movie.duration(Ticks(signed(movie_duration))),
        },
        tables,
        movie_duration,
    })
}

fn signed(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// A `tkhd`'s duration (section 8.3.2).
fn track_duration(tkhd: &[u8]) -> Option<u64> {
    track_id(tkhd).filter(|number| *number > 0)?;
    let (version, _, mut fields) = Fields::of_full_box(tkhd)?;
    fields.wide(version)?;
    fields.wide(version)?;
    fields.skip(8)?;
    fields.wide(version)
}

/// How much later than the movie a track begins; the only edit that is written.
fn delay(edts: &[u8]) -> Option<u64> {
    let (version, _, mut fields) = Fields::of_full_box(boxes::child(edts, kind::ELST)?)?;
    let count = fields.u32()?;
    let delay = fields.wide(version)?;
    let is_empty_edit = fields.signed_wide(version)? == -1;
    fields.skip(4)?;
    fields.wide(version)?;
    let shows_all = fields.signed_wide(version)? == 0;
    (count == 2 && is_empty_edit && shows_all).then_some(delay)
}

//! Owns track descriptions (ISO/IEC 14496-12 section 8): reading them from a recorder's `moov`, and
//! telling which track can continue which.

use crate::ebml::Malformed;
use crate::limits;
use crate::segment::RunTrack;
use crate::tracks::TrackKind;
use crate::units::{SourceTime, TrackNumber};

use super::boxes::{self, BoxType, Fields, kind};
use super::moof::SampleInfo;
use super::sound;
use super::time::{Ticks, Timescale};

/// Bytes at the end of a `tkhd`: layer, group, volume, matrix, width and height (section 8.3.2).
pub(crate) const APPEARANCE_BYTES: usize = 60;

/// The matrix among them.
const MATRIX_AT: usize = 16;
const MATRIX_BYTES: usize = 36;

/// A sample entry of sound before the boxes in it, its header included (section 12.2.3).
const SOUND_ENTRY_BYTES: usize = 36;

/// A track as a recorder declared it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) number: TrackNumber,
    pub(crate) kind: TrackKind,
    pub(crate) timescale: Timescale,
    /// The sample entries (section 8.5.2), byte for byte but for a pre-skip that is none; at least one,
    /// all of one codec.
    pub(crate) descriptions: Vec<Vec<u8>>,
    pub(crate) codec: BoxType,
    pub(crate) appearance: [u8; APPEARANCE_BYTES],
    /// Packed as in `mdhd`.
    pub(crate) language: [u8; 2],
    /// How far the track's own timeline runs ahead of what is presented (section 8.6.6).
    pub(crate) ahead: Ticks,
    pub(crate) defaults: Defaults,
}

/// What a sample is taken to be if nothing nearer says otherwise (section 8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Defaults {
    pub(crate) description: u32,
    pub(crate) duration: u32,
    pub(crate) bytes: u32,
    pub(crate) flags: u32,
}

/// Where the samples of a run's track go in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index among the file's tracks.
    pub(crate) track: usize,
    /// In which the run counts.
    pub(crate) timescale: Timescale,
    /// See [`Track::ahead`].
    pub(crate) ahead: Ticks,
    /// From decoding to presentation of the run's first sample, in the file's ticks. The file has it
    /// not: a track begins with what is shown first.
    pub(crate) lead: Option<Ticks>,
    /// For each of the run's descriptions, its number among the file's, from 1.
    pub(crate) descriptions: Vec<u32>,
}

impl Place {
    /// Of a file that nothing is written into.
    pub(crate) fn uncut(index: usize, track: &Track) -> Self {
        let (timescale, ahead) = (track.timescale, track.ahead);
        Self { track: index, timescale, ahead, lead: None, descriptions: Vec::new() }
    }
}

impl Track {
    /// When a tick of this track is presented, by the recorder.
    pub(crate) fn presented(&self, at: Ticks) -> SourceTime {
        self.timescale.source_time(Ticks(at.0.saturating_sub(self.ahead.0)))
    }

    /// When a sample of this track is shown or heard, by the recorder.
    pub(crate) fn presentation(&self, sample: &SampleInfo) -> SourceTime {
        self.presented(Ticks(sample.at.0.saturating_add(i64::from(sample.shift))))
    }

    /// When that is over.
    pub(crate) fn presentation_end(&self, sample: &SampleInfo) -> SourceTime {
        let shown = i64::from(sample.shift).saturating_add(i64::from(sample.duration));
        self.presented(Ticks(sample.at.0.saturating_add(shown)))
    }

    pub(crate) fn is_opus(&self) -> bool {
        self.codec == BoxType(*b"Opus")
    }

    /// How its pictures are turned, of the end of the `tkhd`.
    fn matrix(&self) -> Option<&[u8]> {
        self.appearance.get(MATRIX_AT..MATRIX_AT + MATRIX_BYTES)
    }

    /// Of Opus, its channels and how they are coded; the rest its packets say themselves (Encapsulation
    /// of Opus in ISO Base Media File Format, section 4.3.2).
    fn sound_layout(&self) -> Option<(u8, Vec<u8>)> {
        const DOPS: BoxType = BoxType(*b"dOps");
        let entry = self.descriptions.first()?.get(SOUND_ENTRY_BYTES..)?;
        let fields = boxes::child(entry, DOPS).filter(|_| self.is_opus())?;
        let (channels, mapping) = (*fields.get(1)?, fields.get(10..)?);
        Some((channels, mapping.to_vec()))
    }

    /// Codecs that repeat what a decoder needs in the packets themselves: one description does for
    /// all runs.
    pub(crate) fn describes_itself(&self) -> bool {
        [*b"Opus", *b"vp08", *b"vp09", *b"av01"].contains(&self.codec.0)
    }
}

impl RunTrack for Track {
    type Place = Place;

    fn number(&self) -> TrackNumber {
        self.number
    }

    fn kind(&self) -> TrackKind {
        self.kind
    }

    fn codec(&self) -> String {
        self.codec.to_string()
    }

    /// Players know only a track's first description, and one way to turn its pictures.
    fn can_be_continued_by(&self, later: &Self) -> bool {
        let is_described = self.descriptions == later.descriptions
            || (self.describes_itself() && self.sound_layout() == later.sound_layout());
        self.kind == later.kind
            && self.codec == later.codec
            && is_described
            && self.matrix() == later.matrix()
    }
}

/// The tracks of sound and picture of a `moov` body.
pub(crate) fn parse(moov: &[u8]) -> Result<Vec<Track>, Malformed> {
    let defaults = boxes::child(moov, kind::MVEX).map_or_else(Vec::new, extend_defaults);
    let movie_scale = boxes::child(moov, kind::MVHD).and_then(timescale_of);
    let mut tracks = Vec::new();
    for child in boxes::children(moov) {
        let child = child?;
        if child.kind != kind::TRAK {
            continue;
        }
        let mut track = match parse_track(child.body, movie_scale) {
            Some(Parsed::Media(track)) => *track,
            Some(Parsed::Other) => continue,
            None => return Err(Malformed),
        };
        let found = defaults.iter().find(|(number, _)| *number == track.number);
        track.defaults = found.map_or_else(Defaults::default, |(_, defaults)| *defaults);
        tracks.push(track);
        if tracks.len() > limits::TRACKS_MAX {
            return Err(Malformed);
        }
    }
    if tracks.is_empty() { Err(Malformed) } else { Ok(tracks) }
}

enum Parsed {
    Media(Box<Track>),
    /// Neither sound nor picture.
    Other,
}

fn parse_track(trak: &[u8], movie_scale: Option<Timescale>) -> Option<Parsed> {
    let mdia = boxes::child(trak, kind::MDIA)?;
    let kind = match track_kind(boxes::child(mdia, kind::HDLR)?)? {
        TrackKind::Other(_) => return Some(Parsed::Other),
        kind @ (TrackKind::Audio | TrackKind::Video) => kind,
    };
    let tkhd = boxes::child(trak, kind::TKHD)?;
    let mdhd = boxes::child(mdia, kind::MDHD)?;
    let timescale = timescale_of(mdhd)?;
    let stsd = boxes::descend(mdia, &[kind::MINF, kind::STBL, kind::STSD])?;
    let (codec, descriptions) = sample_descriptions(stsd)?;
    let ahead = boxes::descend(trak, &[kind::EDTS, kind::ELST])
        .and_then(|elst| ahead_of_presentation(elst, timescale, movie_scale?));
    let ahead = ahead.unwrap_or_default();
    let is_opus = codec == BoxType(*b"Opus");
    let descriptions = if is_opus && ahead <= Ticks(0) {
        descriptions.into_iter().map(sound::without_false_pre_skip).collect()
    } else {
        descriptions
    };
    Some(Parsed::Media(Box::new(Track {
        number: TrackNumber(u64::from(track_id(tkhd)?)),
        kind,
        timescale,
        descriptions,
        codec,
        appearance: *tkhd.last_chunk()?,
        language: language(mdhd)?,
        ahead,
        defaults: Defaults::default(),
    })))
}

/// What an `hdlr` body says the track carries (section 8.4.3).
pub(crate) fn track_kind(hdlr: &[u8]) -> Option<TrackKind> {
    let (_, _, mut fields) = Fields::of_full_box(hdlr)?;
    fields.skip(4)?;
    Some(match &fields.take::<4>()? {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        other => TrackKind::Other(u64::from(u32::from_be_bytes(*other))),
    })
}

/// What the track of this number is called, in its `hdlr`; empty if nothing is said.
pub(crate) fn name_of(moov: &[u8], number: TrackNumber) -> String {
    let has_number = |trak: &[u8]| {
        let id = boxes::child(trak, kind::TKHD).and_then(track_id);
        id.is_some_and(|id| TrackNumber(u64::from(id)) == number)
    };
    let traks = boxes::children(moov).flatten().filter(|child| child.kind == kind::TRAK);
    let mut own = traks.map(|trak| trak.body).filter(|trak| has_number(trak));
    let hdlr = own.next().and_then(|trak| boxes::descend(trak, &[kind::MDIA, kind::HDLR]));
    // Behind version and flags, four fields and three that are reserved.
    let name = hdlr.and_then(|hdlr| hdlr.get(24..)).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// Of an `mvhd` or `mdhd` body, which begin alike.
pub(crate) fn timescale_of(header: &[u8]) -> Option<Timescale> {
    scale_and_duration(header).map(|(scale, _)| scale)
}

/// Timescale and duration of an `mvhd` or `mdhd` body (sections 8.2.2 and 8.4.2).
pub(crate) fn scale_and_duration(header: &[u8]) -> Option<(Timescale, u64)> {
    let (version, _, mut fields) = Fields::of_full_box(header)?;
    fields.wide(version)?;
    fields.wide(version)?;
    Some((Timescale::new(fields.u32()?)?, fields.wide(version)?))
}

fn language(mdhd: &[u8]) -> Option<[u8; 2]> {
    let tail: &[u8; 4] = mdhd.last_chunk()?;
    let [high, low, _, _] = *tail;
    Some([high, low])
}

pub(crate) fn track_id(tkhd: &[u8]) -> Option<u32> {
    let (version, _, mut fields) = Fields::of_full_box(tkhd)?;
    fields.wide(version)?;
    fields.wide(version)?;
    fields.u32()
}

/// The codec and the sample entries. A track of several codecs is none that a recorder writes.
pub(crate) fn sample_descriptions(stsd: &[u8]) -> Option<(BoxType, Vec<Vec<u8>>)> {
    let (_, _, mut fields) = Fields::of_full_box(stsd)?;
    let count = usize::try_from(fields.u32()?).ok()?;
    if count > limits::DESCRIPTIONS_MAX {
        return None;
    }
    let entries: Vec<_> = boxes::children(fields.rest()).collect::<Result<_, _>>().ok()?;
    let codec = entries.first()?.kind;
    let fits = entries.len() == count && entries.iter().all(|entry| entry.kind == codec);
    fits.then(|| (codec, entries.iter().map(|entry| entry.whole.to_vec()).collect()))
}

/// By its first edit that shows media: an empty edit before it delays the track, its media time
/// cuts off what comes before (section 8.6.6).
fn ahead_of_presentation(elst: &[u8], scale: Timescale, movie: Timescale) -> Option<Ticks> {
    let (version, _, mut fields) = Fields::of_full_box(elst)?;
    let count = fields.u32()?;
    let mut delay = 0_i64;
    for _ in 0..count {
        let duration = i64::try_from(fields.wide(version)?).ok()?;
        let media_time = fields.signed_wide(version)?;
        fields.skip(4)?;
        if media_time >= 0 {
            return media_time.checked_sub(delay).map(Ticks);
        }
        delay = delay.checked_add(movie.to(scale, Ticks(duration)).0)?;
    }
    None
}

fn extend_defaults(mvex: &[u8]) -> Vec<(TrackNumber, Defaults)> {
    let trexes = boxes::children(mvex).flatten().filter(|child| child.kind == kind::TREX);
    trexes.filter_map(|trex| parse_trex(trex.body)).collect()
}

fn parse_trex(trex: &[u8]) -> Option<(TrackNumber, Defaults)> {
    let (_, _, mut fields) = Fields::of_full_box(trex)?;
    let number = TrackNumber(u64::from(fields.u32()?));
    let defaults = Defaults {
        description: fields.u32()?,
        duration: fields.u32()?,
        bytes: fields.u32()?,
        flags: fields.u32()?,
    };
    Some((number, defaults))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elst(entries: &[(u32, i32)]) -> Vec<u8> {
        let mut out = Vec::new();
        boxes::put_full_box(&mut out, kind::ELST, 0, 0, |out| {
            boxes::put_u32(out, entries.len() as u32);
            for (duration, media_time) in entries {
                boxes::put_u32(out, *duration);
                out.extend_from_slice(&media_time.to_be_bytes());
                boxes::put_u32(out, 1 << 16);
            }
        });
        out[8..].to_vec()
    }

    #[test]
    fn an_edit_list_cuts_off_or_delays() {
        let scale = |ticks| Timescale::new(ticks).unwrap();
        let ahead = |entries: &[(u32, i32)]| {
            ahead_of_presentation(&elst(entries), scale(48_000), scale(1_000))
        };
        assert_eq!(ahead(&[(0, 2_112)]), Some(Ticks(2_112)), "sound that primes its decoder");
        assert_eq!(ahead(&[(500, -1), (0, 0)]), Some(Ticks(-24_000)), "a track that comes late");
        assert_eq!(ahead(&[(500, -1)]), None);
        assert_eq!(ahead(&[]), None);
    }

    fn moov(tracks: usize, descriptions: usize) -> Vec<u8> {
        let sample = include_bytes!("../../tests/fixtures/g_audiomp4.000.chunk");
        let moov = boxes::child(sample, kind::MOOV).unwrap();
        let trak = boxes::child(moov, kind::TRAK).unwrap();
        let stsd = boxes::descend(trak, &[kind::MDIA, kind::MINF, kind::STBL, kind::STSD]).unwrap();
        let mut out = Vec::new();
        for _ in 0..tracks {
            boxes::put_box(&mut out, kind::TRAK, |out| {
                boxes::put_box(out, kind::TKHD, |out| {
                    out.extend_from_slice(boxes::child(trak, kind::TKHD).unwrap());
                });
                boxes::put_box(out, kind::MDIA, |out| {
                    for kind in [kind::MDHD, kind::HDLR] {
                        let body = boxes::descend(trak, &[kind::MDIA, kind]).unwrap();
                        boxes::put_box(out, kind, |out| out.extend_from_slice(body));
                    }
                    boxes::put_box(out, kind::MINF, |out| {
                        boxes::put_box(out, kind::STBL, |out| {
                            boxes::put_full_box(out, kind::STSD, 0, 0, |out| {
                                boxes::put_u32(out, descriptions as u32);
                                out.extend_from_slice(&stsd[8..].repeat(descriptions));
                            });
                        });
                    });
                });
            });
        }
        out
    }

    #[test]
    fn as_many_tracks_as_the_limit_are_read_and_one_more_is_refused() {
        assert_eq!(parse(&moov(limits::TRACKS_MAX, 1)).unwrap().len(), limits::TRACKS_MAX);
        assert_eq!(parse(&moov(limits::TRACKS_MAX + 1, 1)), Err(Malformed));
        assert_eq!(parse(&moov(0, 1)), Err(Malformed));
    }

    #[test]
    fn as_many_descriptions_as_the_limit_are_read_and_one_more_is_refused() {
        let at_limit = parse(&moov(1, limits::DESCRIPTIONS_MAX)).unwrap();
        assert_eq!(at_limit[0].descriptions.len(), limits::DESCRIPTIONS_MAX);
        assert_eq!(parse(&moov(1, limits::DESCRIPTIONS_MAX + 1)), Err(Malformed));
        assert_eq!(parse(&moov(1, 0)), Err(Malformed));
    }
}

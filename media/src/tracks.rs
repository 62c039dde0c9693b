//! Owns track descriptions (RFC 9559 section 5.1.4): reading them, rewriting their number, and
//! telling which track of a later segment continues which track of the file.

use std::fmt;
use std::time::Duration;

use crate::ebml::{self, ElementId, Malformed, id};
use crate::error::Refusal;
use crate::limits;
use crate::opus::OpusHead;
use crate::segment::RunTrack;
use crate::units::TrackNumber;

/// Of an `OpusHead`, without the mapping of more than two channels (RFC 7845 section 5.1).
const OPUS_HEAD_BYTES: usize = 19;

/// What a track carries (RFC 9559 section 5.1.4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// TrackType 1.
    Video,
    /// TrackType 2.
    Audio,
    /// Any other TrackType.
    Other(u64),
}

impl TrackKind {
    fn from_type(track_type: u64) -> Self {
        match track_type {
            1 => Self::Video,
            2 => Self::Audio,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video => f.write_str("video"),
            Self::Audio => f.write_str("audio"),
            Self::Other(track_type) => write!(f, "type {track_type}"),
        }
    }
}

/// One TrackEntry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackEntry {
    /// Its number in the file it was read from.
    pub number: TrackNumber,
    /// What it carries.
    pub kind: TrackKind,
    /// Its Matroska codec id, such as `A_OPUS`.
    pub codec: String,
    /// How long each frame plays, if the track says so.
    pub default_duration: Option<Duration>,
    /// The codec's own header, such as `OpusHead`; empty if there is none.
    pub codec_private: Vec<u8>,
    /// What else a decoder or player goes by, and a file has one place for.
    beside: Beside,
    body: Vec<u8>,
}

/// How packets are to be understood, apart from their codec's own header (RFC 9559 section 5.1.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Beside {
    /// As the element has it.
    sample_rate: Vec<u8>,
    /// One if it does not say.
    channels: u64,
    bit_depth: Option<u64>,
    /// How pictures are turned, among other things.
    projection: Vec<u8>,
    stereo: Option<u64>,
    /// Whether something was done to the packets after they were coded.
    encodings: Vec<u8>,
}

impl Beside {
    fn read_audio(&mut self, audio: &[u8]) -> Result<(), Malformed> {
        for child in ebml::children(audio) {
            let child = child?;
            match child.id {
                id::SAMPLING_FREQUENCY => self.sample_rate = child.body.to_vec(),
                id::CHANNELS => self.channels = ebml::uint(child.body).unwrap_or(1),
                id::BIT_DEPTH => self.bit_depth = ebml::uint(child.body),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_video(&mut self, video: &[u8]) -> Result<(), Malformed> {
        for child in ebml::children(video) {
            let child = child?;
            match child.id {
                id::PROJECTION => self.projection = child.body.to_vec(),
                id::STEREO_MODE => self.stereo = ebml::uint(child.body),
                _ => {}
            }
        }
        Ok(())
    }
}

impl TrackEntry {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut number = None;
        let mut kind = None;
        let mut codec = None;
        let mut default_duration = None;
        let mut codec_private = Vec::new();
        let mut beside = Beside { channels: 1, ..Beside::default() };
        for child in ebml::children(body) {
            let child = child?;
            match child.id {
                id::AUDIO => beside.read_audio(child.body)?,
                id::VIDEO => beside.read_video(child.body)?,
                id::CONTENT_ENCODINGS => beside.encodings = child.body.to_vec(),
                id::TRACK_NUMBER => number = ebml::uint(child.body).filter(|number| *number > 0),
                id::TRACK_TYPE => kind = ebml::uint(child.body).map(TrackKind::from_type),
                id::CODEC_ID => codec = Some(ebml::string(child.body)),
                id::DEFAULT_DURATION => default_duration = ebml::uint(child.body),
                id::CODEC_PRIVATE => codec_private = child.body.to_vec(),
                _ => {}
            }
        }
        Ok(Self {
            number: TrackNumber(number.ok_or(Malformed)?),
            kind: kind.ok_or(Malformed)?,
            codec: codec.ok_or(Malformed)?,
            default_duration: default_duration
                .filter(|nanos| *nanos > 0)
                .map(|nanos| Duration::from_nanos(nanos).min(limits::FRAME_DURATION_MAX)),
            codec_private,
            beside,
            body: body.to_vec(),
        })
    }

    /// A track of Opus, described by its `OpusHead` (RFC 7845 section 5.1).
    pub(crate) fn of_opus(number: TrackNumber, head: &[u8]) -> Result<Self, Malformed> {
        /// How long a decoder needs after a seek (RFC 7845 section 4.6), in nanoseconds.
        const SEEK_PRE_ROLL_NANOS: u64 = 80_000_000;
        const RATE_HZ: f64 = 48_000.0;
        let read = OpusHead::parse(head).ok_or(Malformed)?;
        let mut body = Vec::new();
        ebml::put_uint(&mut body, id::TRACK_NUMBER, number.0);
        ebml::put_uint(&mut body, id::TRACK_UID, number.0);
        ebml::put_uint(&mut body, id::TRACK_TYPE, 2);
        ebml::put_element(&mut body, id::CODEC_ID, b"A_OPUS");
        ebml::put_element(&mut body, id::CODEC_PRIVATE, head);
        if read.pre_skip > 0 {
            let nanos = u64::from(read.pre_skip) * 1_000_000_000 / 48_000;
            ebml::put_uint(&mut body, id::CODEC_DELAY, nanos);
        }
        ebml::put_uint(&mut body, id::SEEK_PRE_ROLL, SEEK_PRE_ROLL_NANOS);
        let mut audio = Vec::new();
        ebml::put_element(&mut audio, id::SAMPLING_FREQUENCY, &RATE_HZ.to_be_bytes());
        ebml::put_uint(&mut audio, id::CHANNELS, u64::from(read.channels));
        ebml::put_element(&mut body, id::AUDIO, &audio);
        Self::parse(&body)
    }

    /// Pictures of VP8 of this size; they say the rest themselves.
    pub(crate) fn of_vp8(number: TrackNumber, width: u16, height: u16) -> Result<Self, Malformed> {
        const PIXEL_WIDTH: ElementId = ElementId(0xB0);
        const PIXEL_HEIGHT: ElementId = ElementId(0xBA);
        let mut body = Vec::new();
        ebml::put_uint(&mut body, id::TRACK_NUMBER, number.0);
        ebml::put_uint(&mut body, id::TRACK_UID, number.0);
        ebml::put_uint(&mut body, id::TRACK_TYPE, 1);
        ebml::put_element(&mut body, id::CODEC_ID, b"V_VP8");
        let mut video = Vec::new();
        ebml::put_uint(&mut video, PIXEL_WIDTH, u64::from(width));
        ebml::put_uint(&mut video, PIXEL_HEIGHT, u64::from(height));
        ebml::put_element(&mut body, id::VIDEO, &video);
        Self::parse(&body)
    }

    /// Its pictures may be coded in another order than they are shown.
    pub(crate) fn reorders(&self) -> bool {
        self.kind == TrackKind::Video && !["V_VP8", "V_VP9", "V_AV1"].contains(&&*self.codec)
    }

    /// Whether packets described by `later` are understood when they are taken for packets of this
    /// track, which says the same of them or leaves it to them.
    fn describes(&self, later: &Self) -> bool {
        let (mine, other) = (&self.beside, &later.beside);
        let same_pictures = mine.projection == other.projection && mine.stereo == other.stereo;
        if mine.encodings != other.encodings || !same_pictures {
            return false;
        }
        match &*self.codec {
            "V_VP8" | "V_VP9" | "V_AV1" => true,
            "A_OPUS" => {
                let heads =
                    (OpusHead::parse(&self.codec_private), OpusHead::parse(&later.codec_private));
                match heads {
                    (Some(mine), Some(other)) => {
                        let table = |track: &Self| {
                            track.codec_private.get(OPUS_HEAD_BYTES..).map(<[u8]>::to_vec)
                        };
                        mine.can_play(&other) && (mine.is_plain || table(self) == table(later))
                    }
                    (None, None) => mine.channels == other.channels,
                    (Some(_), None) | (None, Some(_)) => false,
                }
            }
            _ => {
                self.codec_private == later.codec_private
                    && mine.sample_rate == other.sample_rate
                    && mine.channels == other.channels
                    && mine.bit_depth == other.bit_depth
            }
        }
    }

    /// Something was done to its packets after they were coded, such as encryption.
    pub(crate) fn is_encoded_again(&self) -> bool {
        !self.beside.encodings.is_empty()
    }

    pub(crate) fn is_opus(&self) -> bool {
        self.codec == "A_OPUS"
    }

    /// Appends the entry as it was read, with another number. A checksum would no longer be right
    /// and is left out. Transparency is not claimed: see [`put_video`]. Returns where it may be, if the
    /// source did.
    pub(crate) fn put(&self, out: &mut Vec<u8>, number: TrackNumber) -> Option<usize> {
        let mut body = Vec::with_capacity(self.body.len() + 8);
        let mut alpha = None;
        ebml::put_uint(&mut body, id::TRACK_NUMBER, number.0);
        for child in ebml::children(&self.body).flatten() {
            match child.id {
                id::TRACK_NUMBER | id::VOID | id::CRC_32 => {}
                id::VIDEO => alpha = put_video(&mut body, child.body),
                _ => body.extend_from_slice(child.whole),
            }
        }
        ebml::put_element(out, id::TRACK_ENTRY, &body);
        alpha.map(|at| out.len() - body.len() + at)
    }

    /// Gives the track another name for people; it keeps its own if this is empty.
    pub(crate) fn rename(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        let mut body = Vec::with_capacity(self.body.len() + name.len() + 8);
        for child in ebml::children(&self.body).flatten() {
            if child.id != id::NAME {
                body.extend_from_slice(child.whole);
            }
        }
        ebml::put_element(&mut body, id::NAME, name.as_bytes());
        self.body = body;
    }
}

/// Appends a Video. Recorders say of all pictures that they may be transparent, and WebKit plays none of
/// those; so the file says that they are not, until one is. Returns where it says so.
fn put_video(out: &mut Vec<u8>, video: &[u8]) -> Option<usize> {
    let mut body = Vec::with_capacity(video.len());
    let mut alpha = None;
    for child in ebml::children(video).flatten() {
        match child.id {
            id::ALPHA_MODE if ebml::uint(child.body) != Some(0) => {
                ebml::put_uint(&mut body, id::ALPHA_MODE, 0);
                alpha = Some(body.len() - 1);
            }
            _ => body.extend_from_slice(child.whole),
        }
    }
    ebml::put_element(out, id::VIDEO, &body);
    alpha.map(|at| out.len() - body.len() + at)
}

impl RunTrack for TrackEntry {
    /// Its index among the file's tracks.
    type Place = usize;

    fn number(&self) -> TrackNumber {
        self.number
    }

    fn kind(&self) -> TrackKind {
        self.kind
    }

    fn codec(&self) -> String {
        self.codec.clone()
    }

    fn can_be_continued_by(&self, later: &Self) -> bool {
        self.kind == later.kind && self.codec == later.codec && self.describes(later)
    }
}

/// The entries of a Tracks body.
pub(crate) fn parse_tracks(body: &[u8]) -> Result<Vec<TrackEntry>, Malformed> {
    let mut tracks = Vec::new();
    for child in ebml::children(body) {
        let child = child?;
        if child.id == id::TRACK_ENTRY {
            tracks.push(TrackEntry::parse(child.body)?);
        }
    }
    let usable = !tracks.is_empty() && tracks.len() <= limits::TRACKS_MAX;
    usable.then_some(tracks).ok_or(Malformed)
}

/// For each of `later`, the index of the track in `first` that it continues: the first free one
/// of the same kind and codec. Numbers say nothing: every recorder run gives its own.
pub(crate) fn match_tracks<T: RunTrack>(first: &[&T], later: &[T]) -> Result<Vec<usize>, Refusal> {
    let mut taken = vec![false; first.len()];
    let mut matches = Vec::with_capacity(later.len());
    for track in later {
        let free = (0..first.len())
            .find(|index| !taken[*index] && first[*index].can_be_continued_by(track))
            .ok_or_else(|| Refusal::TrackMismatch { kind: track.kind(), codec: track.codec() })?;
        taken[free] = true;
        matches.push(free);
    }
    Ok(matches)
}

#[cfg(test)]
pub(crate) fn test_track(kind: TrackKind, codec: &str) -> TrackEntry {
    TrackEntry {
        number: TrackNumber(1),
        kind,
        codec: codec.to_owned(),
        default_duration: None,
        codec_private: Vec::new(),
        beside: Beside::default(),
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_bytes(number: u64) -> Vec<u8> {
        let mut body = Vec::new();
        ebml::put_uint(&mut body, id::TRACK_NUMBER, number);
        ebml::put_uint(&mut body, id::TRACK_TYPE, 2);
        ebml::put_element(&mut body, id::CODEC_ID, b"A_OPUS");
        let mut entry = Vec::new();
        ebml::put_element(&mut entry, id::TRACK_ENTRY, &body);
        entry
    }

    #[test]
    fn tracks_match_by_kind_and_codec_in_whatever_order_they_come() {
        let audio = test_track(TrackKind::Audio, "A_OPUS");
        let video = test_track(TrackKind::Video, "V_VP8");
        let first = [&audio, &video];
        assert_eq!(match_tracks(&first, &[video.clone(), audio.clone()]), Ok(vec![1, 0]));
        assert_eq!(match_tracks(&first, std::slice::from_ref(&audio)), Ok(vec![0]));
        assert!(match_tracks(&first, &[audio.clone(), audio.clone()]).is_err());
        assert!(match_tracks(&first, &[test_track(TrackKind::Video, "V_VP9")]).is_err());
    }

    #[test]
    fn a_codec_that_needs_its_header_matches_only_the_same_header() {
        let mut avc = test_track(TrackKind::Video, "V_MPEG4/ISO/AVC");
        let first = avc.clone();
        assert_eq!(match_tracks(&[&first], &[avc.clone()]), Ok(vec![0]));
        avc.codec_private = vec![1];
        assert!(match_tracks(&[&first], &[avc]).is_err());
    }

    #[test]
    fn as_many_tracks_as_the_limit_are_read_and_one_more_is_refused() {
        let entries = |count: usize| (1..=count as u64).flat_map(entry_bytes).collect::<Vec<_>>();
        let at_limit = parse_tracks(&entries(limits::TRACKS_MAX)).unwrap();
        assert_eq!(at_limit.len(), limits::TRACKS_MAX);
        assert_eq!(parse_tracks(&entries(limits::TRACKS_MAX + 1)), Err(Malformed));
        assert_eq!(parse_tracks(&[]), Err(Malformed));
    }

    #[test]
    fn a_track_is_written_with_its_new_number_and_without_a_checksum() {
        let mut bytes = entry_bytes(9)[2..].to_vec();
        bytes.extend_from_slice(&[0xBF, 0x84, 1, 2, 3, 4]);
        let mut out = Vec::new();
        TrackEntry::parse(&bytes).unwrap().put(&mut out, TrackNumber(1));
        assert_eq!(out, entry_bytes(1));
    }
}

//! Owns track descriptions (RFC 9559 section 5.1.4): reading them, rewriting their number, and
//! telling which track of a later segment continues which track of the file.

use std::fmt;
use std::time::Duration;

use crate::ebml::{self, Malformed, id};
use crate::error::Refusal;
use crate::limits;
use crate::segment::RunTrack;
use crate::units::TrackNumber;

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
    body: Vec<u8>,
}

impl TrackEntry {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut number = None;
        let mut kind = None;
        let mut codec = None;
        let mut default_duration = None;
        let mut codec_private = Vec::new();
        for child in ebml::children(body) {
            let child = child?;
            match child.id {
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
            body: body.to_vec(),
        })
    }

    pub(crate) fn is_opus(&self) -> bool {
        self.codec == "A_OPUS"
    }

    /// Appends the entry as it was read, with another number. A checksum would no longer be right
    /// and is left out.
    pub(crate) fn put(&self, out: &mut Vec<u8>, number: TrackNumber) {
        let mut body = Vec::with_capacity(self.body.len() + 8);
        ebml::put_uint(&mut body, id::TRACK_NUMBER, number.0);
        for child in ebml::children(&self.body).flatten() {
            if ![id::TRACK_NUMBER, id::VOID, id::CRC_32].contains(&child.id) {
                body.extend_from_slice(child.whole);
            }
        }
        ebml::put_element(out, id::TRACK_ENTRY, &body);
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

    /// Codecs that repeat what a decoder needs in the packets themselves may differ in the header
    /// they were given.
    fn can_be_continued_by(&self, later: &Self) -> bool {
        let describes_itself = ["A_OPUS", "V_VP8", "V_VP9", "V_AV1"].contains(&&*self.codec);
        self.kind == later.kind
            && self.codec == later.codec
            && (describes_itself || self.codec_private == later.codec_private)
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

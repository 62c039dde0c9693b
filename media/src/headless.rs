//! Owns streams whose beginning is missing: what is held of them until their header comes, and making
//! up a header where the packets say enough of themselves.

use std::collections::BTreeMap;

use crate::frame::Search;
use crate::headers;
use crate::limits;
use crate::mp4;
use crate::opus;
use crate::reader::{Event, WebmReader};
use crate::tracks::TrackEntry;
use crate::units::TrackNumber;

/// Packets of a track that are looked at.
const LOOKED_AT_MAX: usize = 32;
/// They must be so many for sound, which has nothing else to be known by.
const SOUND_PACKETS_MIN: usize = 3;

/// The bytes of a segment that begins in the middle.
#[derive(Debug, Default)]
pub(crate) struct Headless {
    bytes: Vec<u8>,
    /// So many bytes have been looked through for a header.
    searched: usize,
}

/// A header that came later.
#[derive(Debug)]
pub(crate) enum Later<'a> {
    Webm(Rearranged<'a>),
    /// What stands before it cannot be its.
    Mp4,
}

/// A WebM whose header came later, in the order in which the bytes should have come.
#[derive(Debug)]
pub(crate) struct Rearranged<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) before: &'a [u8],
    pub(crate) behind: &'a [u8],
}

impl Headless {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() > limits::HEADLESS_BYTES_MAX
    }

    /// The header, once it is there whole.
    pub(crate) fn later_header(&mut self) -> Option<Later<'_>> {
        let (step, is_found) = match Search::first(&self.bytes[self.searched..], headers::is_header)
        {
            Search::Found(step) => (step, true),
            Search::Perhaps(step) => (step, false),
            Search::NotFound => (self.bytes.len() - self.searched, false),
        };
        self.searched += step;
        let at = self.searched;
        if !is_found {
            return None;
        }
        if mp4::is_ftyp(&self.bytes[at..]) == Some(true) {
            return Some(Later::Mp4);
        }
        let header = header_bytes(&self.bytes[at..])?;
        let (before, rest) = self.bytes.split_at(at);
        let (header, behind) = rest.split_at(header);
        Some(Later::Webm(Rearranged { header, before, behind }))
    }

    /// The tracks that the packets themselves tell of; of others nothing can be made.
    pub(crate) fn rebuilt(&self) -> Option<Vec<TrackEntry>> {
        let tracks: Vec<_> = self
            .looked_at()
            .into_iter()
            .filter_map(|(number, packets)| rebuilt_track(number, &packets))
            .collect();
        (!tracks.is_empty()).then_some(tracks)
    }

    /// Whether it is a recorder's, as far as can be told.
    pub(crate) fn is_media(&self) -> bool {
        !self.looked_at().is_empty()
    }

    fn looked_at(&self) -> BTreeMap<TrackNumber, Vec<Vec<u8>>> {
        let mut found: BTreeMap<TrackNumber, Vec<Vec<u8>>> = BTreeMap::new();
        let mut reader = WebmReader::of_unknown_tracks();
        for piece in self.bytes.chunks(limits::PUSH_PIECE_BYTES) {
            reader.push(piece);
            gather(&mut reader, &mut found);
        }
        reader.end();
        gather(&mut reader, &mut found);
        found
    }
}

fn gather(reader: &mut WebmReader, found: &mut BTreeMap<TrackNumber, Vec<Vec<u8>>>) {
    while let Ok(Some(event)) = reader.next_event() {
        if let Event::Block(block) = event {
            let packets = found.entry(block.track()).or_default();
            if packets.len() < LOOKED_AT_MAX {
                packets.push(block.payload().to_vec());
            }
        }
    }
}

fn rebuilt_track(number: TrackNumber, packets: &[Vec<u8>]) -> Option<TrackEntry> {
    if let Some((width, height)) = packets.iter().find_map(|packet| vp8_size(packet)) {
        return TrackEntry::of_vp8(number, width, height).ok();
    }
    let head = opus_head(packets)?;
    TrackEntry::of_opus(number, &head).ok()
}

/// Width and height of a VP8 keyframe (RFC 6386 section 9.1).
fn vp8_size(packet: &[u8]) -> Option<(u16, u16)> {
    const START_CODE: [u8; 3] = [0x9D, 0x01, 0x2A];
    const SIZE_BITS: u16 = 0x3FFF;
    let [tag, _, _, code @ ..] = packet else { return None };
    let size = code.strip_prefix(&START_CODE).filter(|_| tag & 1 == 0)?;
    let [width_low, width_high, height_low, height_high, ..] = size else { return None };
    let side = |low, high| u16::from_le_bytes([low, high]) & SIZE_BITS;
    Some((side(*width_low, *width_high), side(*height_low, *height_high)))
}

/// A header for packets that are Opus, as far as can be told: all are of one configuration and of a
/// length that Opus has (RFC 6716 section 3.1).
fn opus_head(packets: &[Vec<u8>]) -> Option<Vec<u8>> {
    const STEREO: u8 = 0b100;
    const CONFIGURATION: u8 = 0b1111_1000;
    let tocs: Vec<u8> = packets.iter().filter_map(|packet| packet.first().copied()).collect();
    let first = *tocs.first()?;
    let same = tocs.iter().filter(|toc| **toc & CONFIGURATION == first & CONFIGURATION).count();
    let all_play = packets.iter().all(|packet| opus::packet_duration(packet).is_some());
    if !all_play || packets.len() < SOUND_PACKETS_MIN || same * 2 < packets.len() {
        return None;
    }
    let channels = if tocs.iter().any(|toc| toc & STEREO != 0) { 2 } else { 1 };
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&[0, 0]);
    head.extend_from_slice(&48_000_u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    Some(head)
}

/// How long a WebM's header is, its tracks included; `None` if it is not there whole.
fn header_bytes(bytes: &[u8]) -> Option<usize> {
    let mut reader = WebmReader::new();
    reader.push(bytes);
    loop {
        match reader.next_event() {
            Ok(Some(Event::Tracks(_))) => return usize::try_from(reader.offset()).ok(),
            Ok(Some(Event::Header { .. } | Event::Damage(_))) => {}
            Ok(Some(Event::Cluster { .. } | Event::ClockBreak | Event::Block(_)) | None)
            | Err(_) => {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_from_a_keyframe_and_from_nothing_else() {
        let key = [0x50, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01, 9];
        assert_eq!(vp8_size(&key), Some((640, 480)));
        assert_eq!(vp8_size(&[&[0x51], &key[1..]].concat()), None, "no keyframe");
        assert_eq!(vp8_size(&key[..8]), None);
    }

    #[test]
    fn opus_is_known_by_packets_that_are_alike() {
        let mono = vec![vec![0xF8, 1], vec![0xF8, 2], vec![0xF8, 3]];
        assert_eq!(opus_head(&mono).unwrap()[9], 1);
        let stereo = vec![vec![0xFC, 1], vec![0xFC, 2], vec![0xFC, 3]];
        assert_eq!(opus_head(&stereo).unwrap()[9], 2);
        assert_eq!(opus_head(&mono[..SOUND_PACKETS_MIN - 1]), None);
        assert_eq!(opus_head(&[mono[0].clone(), vec![0x00], vec![0x40]]), None);
    }
}

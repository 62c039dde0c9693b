//! Owns finding the place in bytes that make no sense from which reading can go on: a block of a known
//! track, a Cluster, or a header. Decides nothing about what was lost.

use crate::block::RESERVED_FLAGS;
use crate::ebml::{self, ElementHeader, ElementId, Malformed, Size, id};
use crate::frame::{Missing, Search};
use crate::limits;
use crate::units::TrackNumber;

use super::plausible::Tracks;

/// What recorders write first into a Cluster.
const FIRST_IN_CLUSTER: [ElementId; 4] = [id::TIMESTAMP, id::CRC_32, id::POSITION, id::PREV_SIZE];

/// The first place. Random bytes can look like an id, so sizes, and what stands inside and behind, must
/// fit too.
pub(super) fn find(bytes: &[u8], tracks: &Tracks, is_end: bool) -> Search {
    Search::first(bytes, |here| is_entry(here, tracks, is_end))
}

/// The first Cluster that is there for certain.
pub(super) fn find_cluster(bytes: &[u8]) -> Option<usize> {
    let first = id::CLUSTER.0.to_be_bytes()[0];
    (0..bytes.len()).find(|at| bytes[*at] == first && is_cluster(&bytes[*at..]) == Some(true))
}

/// Chunks of a Chromium recorder begin one byte inside an element. If the chunk before is missing, so
/// is that byte.
pub(super) fn missing_first_byte(bytes: &[u8], tracks: &Tracks, is_end: bool) -> Missing {
    let looked_at = bytes.len().min(limits::ENTRY_BLOCK_BYTES_MAX);
    let mut whole = Vec::with_capacity(looked_at + 1);
    whole.push(0);
    whole.extend_from_slice(&bytes[..looked_at]);
    let mut answer = Missing::None;
    for element in [id::CLUSTER, id::SIMPLE_BLOCK, id::BLOCK_GROUP] {
        let significant = element.0.to_be_bytes().into_iter().find(|byte| *byte != 0);
        let Some(byte) = significant else { continue };
        whole[0] = byte;
        match is_entry(&whole, tracks, is_end) {
            Some(true) => return Missing::This(byte),
            Some(false) => {}
            None => answer = Missing::NotKnown,
        }
    }
    answer
}

/// `None`: the bytes end too early to tell.
fn is_entry(bytes: &[u8], tracks: &Tracks, is_end: bool) -> Option<bool> {
    const CLUSTER: u8 = 0x1F;
    const EBML: u8 = 0x1A;
    match *bytes.first()? {
        CLUSTER => is_cluster(bytes),
        EBML => is_header(bytes),
        0xA3 | 0xA0 => is_block(bytes, tracks, is_end),
        _ => Some(false),
    }
}

fn begins_with(bytes: &[u8], element: ElementId) -> bool {
    let id = element.0.to_be_bytes();
    let seen = bytes.len().min(id.len());
    bytes[..seen] == id[..seen]
}

fn is_cluster(bytes: &[u8]) -> Option<bool> {
    if !begins_with(bytes, id::CLUSTER) {
        return Some(false);
    }
    let header = match ElementHeader::parse(bytes) {
        Ok(header) => header?,
        Err(Malformed) => return Some(false),
    };
    let child = u32::from(*bytes.get(header.len)?);
    Some(FIRST_IN_CLUSTER.iter().any(|first| first.0 == child))
}

pub(super) fn is_header(bytes: &[u8]) -> Option<bool> {
    if !begins_with(bytes, id::EBML) {
        return Some(false);
    }
    let header = match ElementHeader::parse(bytes) {
        Ok(header) => header?,
        Err(Malformed) => return Some(false),
    };
    // Its children's ids all begin with this byte.
    let child = *bytes.get(header.len)?;
    let is_small =
        matches!(header.size, Size::Known(size) if size <= limits::HEADER_BYTES_MAX as u64);
    Some(is_small && child == id::EBML_VERSION.0.to_be_bytes()[2])
}

/// A block of a known track that can be one of it, and behind it another, or whatever else may follow one.
fn is_block(bytes: &[u8], tracks: &Tracks, is_end: bool) -> Option<bool> {
    let head = match Head::parse(bytes, tracks) {
        Some(Ok(head)) => head,
        Some(Err(Malformed)) => return Some(false),
        None => return if is_end { Some(false) } else { None },
    };
    let (block, behind) = match bytes.split_at_checked(head.bytes) {
        Some((_, [])) | None if !is_end => return None,
        Some(split) => split,
        None => return Some(false),
    };
    if !super::is_plausible(block, tracks) {
        return Some(false);
    }
    let Some(first) = behind.first() else {
        return Some(true);
    };
    let follows = match first {
        0xA3 | 0xA0 => match Head::parse(behind, tracks) {
            Some(next) => next.is_ok_and(|next| tracks.are_near(head.relative, next.relative)),
            None => return if is_end { Some(true) } else { None },
        },
        0x1F => begins_with(behind, id::CLUSTER),
        0x1A => begins_with(behind, id::EBML),
        0x1C => begins_with(behind, id::CUES),
        first => u32::from(*first) == id::VOID.0,
    };
    Some(follows)
}

/// What a block says before its payload.
struct Head {
    /// Of the whole block.
    bytes: usize,
    /// In ticks.
    relative: i16,
}

impl Head {
    /// `None`: the bytes end too early to tell.
    fn parse(bytes: &[u8], tracks: &Tracks) -> Option<Result<Self, Malformed>> {
        let header = match ElementHeader::parse(bytes) {
            Ok(header) => header?,
            Err(Malformed) => return Some(Err(Malformed)),
        };
        let Size::Known(size) = header.size else {
            return Some(Err(Malformed));
        };
        let body = usize::try_from(size).unwrap_or(usize::MAX);
        if !(4..=limits::ENTRY_BLOCK_BYTES_MAX).contains(&body) {
            return Some(Err(Malformed));
        }
        let mut inside = bytes.get(header.len..)?;
        if header.id == id::BLOCK_GROUP {
            // It begins with its Block.
            let block = match ElementHeader::parse(inside) {
                Ok(block) => block?,
                Err(Malformed) => return Some(Err(Malformed)),
            };
            let is_inside = matches!(block.size, Size::Known(size) if size < body as u64);
            if block.id != id::BLOCK || !is_inside {
                return Some(Err(Malformed));
            }
            inside = inside.get(block.len..)?;
        }
        inside.first()?;
        let number = ebml::read_vint(inside).map(|(number, len)| (TrackNumber(number), len));
        let Some((_, len)) = number.filter(|(number, _)| tracks.of_number(*number).is_some())
        else {
            return Some(Err(Malformed));
        };
        let [high, low, flags] = *inside.get(len..)?.first_chunk()?;
        if flags & RESERVED_FLAGS != 0 {
            return Some(Err(Malformed));
        }
        let relative = i16::from_be_bytes([high, low]);
        Some(Ok(Self { bytes: header.len + body, relative }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::TrackEntry;

    fn tracks(number: u64) -> Tracks {
        Tracks::unknown([TrackNumber(number)])
    }

    const CLUSTER: [u8; 7] = [0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x81];
    const BLOCK: [u8; 8] = [0xA3, 0x86, 0x81, 0, 5, 0x80, 0xF8, 7];

    #[test]
    fn a_cluster_is_found_behind_anything() {
        let garbage = [0x1F, 0x1F, 0x43, 0xB6, 0x75, 0x00, 0xA3, 0x1F, 0x43];
        let bytes = [&garbage[..], &CLUSTER].concat();
        assert_eq!(find(&bytes, &tracks(1), false), Search::Found(garbage.len()));
        assert_eq!(find_cluster(&bytes), Some(garbage.len()));
        assert_eq!(find(&garbage, &tracks(1), false), Search::Perhaps(6));
        assert_eq!(find(&[], &tracks(1), false), Search::NotFound);
    }

    #[test]
    fn a_cut_cluster_is_only_perhaps_one() {
        for cut in 1..=5 {
            assert_eq!(
                find(&CLUSTER[..cut], &tracks(1), false),
                Search::Perhaps(0),
                "cut at {cut}"
            );
        }
        assert_eq!(find(&CLUSTER[..6], &tracks(1), false), Search::Found(0));
    }

    #[test]
    fn a_block_is_one_by_its_track_and_by_what_follows() {
        let two = [BLOCK, BLOCK].concat();
        assert_eq!(find(&two, &tracks(1), false), Search::Found(0));
        assert_eq!(find(&two, &tracks(2), false), Search::NotFound);
        assert_eq!(find(&BLOCK, &tracks(1), false), Search::Perhaps(0));
        assert_eq!(find(&BLOCK, &tracks(1), true), Search::Found(0));
        let garbage = [&BLOCK[..], &[0x55; 9]].concat();
        assert_eq!(find(&garbage, &tracks(1), true), Search::NotFound);
    }

    /// Two blocks of Opus, of which the first has this body and the second is that much later.
    fn blocks_of_opus(first: &[u8], later: i16) -> Vec<u8> {
        let mut out = Vec::new();
        ebml::put_element(&mut out, id::SIMPLE_BLOCK, first);
        let [high, low] = later.to_be_bytes();
        ebml::put_element(&mut out, id::SIMPLE_BLOCK, &[0x81, high, low, 0x80, 0xF8]);
        out
    }

    #[test]
    fn a_block_whose_size_fits_is_none_if_it_cannot_be_what_its_track_has() {
        let head = b"OpusHead\x01\x01\0\0\x80\xBB\0\0\0\0\0";
        let track = TrackEntry::of_opus(TrackNumber(1), head).unwrap();
        let tracks = Tracks::of(&[track], 1_000_000);
        let found = |first: &[u8], later| find(&blocks_of_opus(first, later), &tracks, true);
        let behind = |first: &[u8]| Search::Found(2 + first.len());
        assert_eq!(found(&[0x81, 0, 0, 0x80, 0xF8, 7], 20), Search::Found(0));
        for (garbage, why) in [
            (&[0x81, 0, 0, 0x80, 0xF9, 7][..], "two frames of one size in one byte"),
            (&[0x81, 0, 0, 0x80, 0xFB, 7], "140 ms"),
            (&[0x81, 0, 0, 0x84, 1, 0xF8, 0xF8, 7], "lacing that does not add up"),
            (&[0x81, 0, 0, 0xA0, 0xF8, 7], "a reserved flag"),
        ] {
            assert_eq!(found(garbage, 20), behind(garbage), "{why}");
        }
        let step_ms = i16::try_from(limits::ENTRY_STEP_MAX.as_millis()).unwrap();
        let fine = [0x81, 0, 0, 0x80, 0xF8, 7];
        assert_eq!(found(&fine, step_ms), Search::Found(0));
        assert_eq!(found(&fine, -step_ms), Search::Found(0));
        assert_eq!(found(&fine, step_ms + 1), behind(&fine), "too far from what follows");
    }

    #[test]
    fn the_byte_before_a_chunk_is_known_by_what_it_would_begin() {
        let missing = |bytes: &[u8]| missing_first_byte(bytes, &tracks(1), true);
        assert_eq!(missing(&CLUSTER[1..]), Missing::This(0x1F));
        assert_eq!(missing(&[&BLOCK[1..], &BLOCK].concat()), Missing::This(0xA3));
        assert_eq!(missing(b"nothing of the sort"), Missing::None);
        assert_eq!(missing_first_byte(&BLOCK[1..], &tracks(1), false), Missing::NotKnown);
    }

    #[test]
    fn a_block_larger_than_the_limit_is_no_place_to_go_on() {
        let block = |bytes: usize| {
            let mut block = Vec::new();
            ebml::put_header(&mut block, id::SIMPLE_BLOCK, bytes);
            block.extend_from_slice(&[0x81, 0, 0, 0x80]);
            block.resize(block.len() + bytes - 4, 0);
            block
        };
        let max = limits::ENTRY_BLOCK_BYTES_MAX;
        assert_eq!(find(&block(max), &tracks(1), true), Search::Found(0));
        assert_eq!(find(&block(max + 1), &tracks(1), true), Search::NotFound);
    }
}

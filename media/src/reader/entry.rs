//! Owns finding the place in bytes that make no sense from which reading can go on: a block of a known
//! track, a Cluster, or a header. Decides nothing about what was lost.

use crate::ebml::{self, ElementHeader, ElementId, Malformed, Size, id};
use crate::frame::{Missing, Search};
use crate::limits;
use crate::units::TrackNumber;

/// Flags of a SimpleBlock that are reserved and zero (RFC 9559 section 10.2).
const RESERVED_FLAGS: u8 = 0x70;

/// What recorders write first into a Cluster.
const FIRST_IN_CLUSTER: [ElementId; 4] = [id::TIMESTAMP, id::CRC_32, id::POSITION, id::PREV_SIZE];

/// The first place. Random bytes can look like an id, so sizes, and what stands inside and behind, must
/// fit too.
pub(super) fn find(bytes: &[u8], tracks: &[TrackNumber], is_end: bool) -> Search {
    for at in 0..bytes.len() {
        match is_entry(&bytes[at..], tracks, is_end) {
            Some(true) => return Search::Found(at),
            Some(false) => {}
            None => return Search::Perhaps(at),
        }
    }
    Search::NotFound
}

/// The first Cluster that is there for certain.
pub(super) fn find_cluster(bytes: &[u8]) -> Option<usize> {
    let first = id::CLUSTER.0.to_be_bytes()[0];
    (0..bytes.len()).find(|at| bytes[*at] == first && is_cluster(&bytes[*at..]) == Some(true))
}

/// Chunks of a Chromium recorder begin one byte inside an element. If the chunk before is missing, so
/// is that byte.
pub(super) fn missing_first_byte(bytes: &[u8], tracks: &[TrackNumber], is_end: bool) -> Missing {
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
fn is_entry(bytes: &[u8], tracks: &[TrackNumber], is_end: bool) -> Option<bool> {
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

/// A block of a known track, and behind it another, or whatever else may follow one.
fn is_block(bytes: &[u8], tracks: &[TrackNumber], is_end: bool) -> Option<bool> {
    let whole = match block_bytes(bytes, tracks) {
        Some(Ok(whole)) => whole,
        Some(Err(Malformed)) => return Some(false),
        None => return if is_end { Some(false) } else { None },
    };
    let behind = match bytes.get(whole..) {
        Some([]) | None if !is_end => return None,
        Some([]) => return Some(true),
        None => return Some(false),
        Some(behind) => behind,
    };
    let follows = match behind[0] {
        0xA3 | 0xA0 => match block_bytes(behind, tracks) {
            Some(block) => block.is_ok(),
            None => return if is_end { Some(true) } else { None },
        },
        0x1F => begins_with(behind, id::CLUSTER),
        0x1A => begins_with(behind, id::EBML),
        0x1C => begins_with(behind, id::CUES),
        first => u32::from(first) == id::VOID.0,
    };
    Some(follows)
}

/// How long a block is that begins here, by its head.
fn block_bytes(bytes: &[u8], tracks: &[TrackNumber]) -> Option<Result<usize, Malformed>> {
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
    let inside = bytes.get(header.len..)?;
    let fits = if header.id == id::BLOCK_GROUP {
        // It begins with its Block.
        let block = match ElementHeader::parse(inside) {
            Ok(block) => block?,
            Err(Malformed) => return Some(Err(Malformed)),
        };
        let is_inside = matches!(block.size, Size::Known(size) if size < body as u64);
        block.id == id::BLOCK && is_inside && has_known_track(inside.get(block.len..)?, tracks)?
    } else {
        has_known_track(inside, tracks)?
            && inside.get(3).map(|flags| flags & RESERVED_FLAGS == 0)?
    };
    Some(if fits { Ok(header.len + body) } else { Err(Malformed) })
}

fn has_known_track(body: &[u8], tracks: &[TrackNumber]) -> Option<bool> {
    body.first()?;
    let number = ebml::read_vint(body).map(|(number, _)| TrackNumber(number));
    Some(number.is_some_and(|number| tracks.contains(&number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKS: [TrackNumber; 1] = [TrackNumber(1)];
    const CLUSTER: [u8; 7] = [0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x81];
    const BLOCK: [u8; 8] = [0xA3, 0x86, 0x81, 0, 5, 0x80, 0xF8, 7];

    #[test]
    fn a_cluster_is_found_behind_anything() {
        let garbage = [0x1F, 0x1F, 0x43, 0xB6, 0x75, 0x00, 0xA3, 0x1F, 0x43];
        let bytes = [&garbage[..], &CLUSTER].concat();
        assert_eq!(find(&bytes, &TRACKS, false), Search::Found(garbage.len()));
        assert_eq!(find_cluster(&bytes), Some(garbage.len()));
        assert_eq!(find(&garbage, &TRACKS, false), Search::Perhaps(6));
        assert_eq!(find(&[], &TRACKS, false), Search::NotFound);
    }

    #[test]
    fn a_cut_cluster_is_only_perhaps_one() {
        for cut in 1..=5 {
            assert_eq!(find(&CLUSTER[..cut], &TRACKS, false), Search::Perhaps(0), "cut at {cut}");
        }
        assert_eq!(find(&CLUSTER[..6], &TRACKS, false), Search::Found(0));
    }

    #[test]
    fn a_block_is_one_by_its_track_and_by_what_follows() {
        let two = [BLOCK, BLOCK].concat();
        assert_eq!(find(&two, &TRACKS, false), Search::Found(0));
        assert_eq!(find(&two, &[TrackNumber(2)], false), Search::NotFound);
        assert_eq!(find(&BLOCK, &TRACKS, false), Search::Perhaps(0));
        assert_eq!(find(&BLOCK, &TRACKS, true), Search::Found(0));
        let garbage = [&BLOCK[..], &[0x55; 9]].concat();
        assert_eq!(find(&garbage, &TRACKS, true), Search::NotFound);
    }

    #[test]
    fn the_byte_before_a_chunk_is_known_by_what_it_would_begin() {
        let missing = |bytes: &[u8]| missing_first_byte(bytes, &TRACKS, true);
        assert_eq!(missing(&CLUSTER[1..]), Missing::This(0x1F));
        assert_eq!(missing(&[&BLOCK[1..], &BLOCK].concat()), Missing::This(0xA3));
        assert_eq!(missing(b"nothing of the sort"), Missing::None);
        assert_eq!(missing_first_byte(&BLOCK[1..], &TRACKS, false), Missing::NotKnown);
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
        assert_eq!(find(&block(max), &TRACKS, true), Search::Found(0));
        assert_eq!(find(&block(max + 1), &TRACKS, true), Search::NotFound);
    }
}

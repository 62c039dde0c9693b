//! Owns the SimpleBlock and BlockGroup layout (RFC 9559 sections 5.1.3.4, 5.1.3.5 and 10), read
//! and written. Does not know which blocks belong into which cluster.

use std::time::Duration;

use crate::ebml::{self, Malformed, id};
use crate::lacing::Lacing;
use crate::segment::{Kept, Packet};
use crate::stretch::Stamp;
use crate::tracks::TrackEntry;
use crate::units::{Millis, SourceTime, TrackNumber};

const KEYFRAME_FLAG: u8 = 0x80;
/// Reserved and zero (RFC 9559 section 10.2).
pub(crate) const RESERVED_FLAGS: u8 = 0x70;
/// Keyframe and discardable: meaningful in a SimpleBlock, reserved in a BlockGroup's Block.
const SIMPLE_ONLY_FLAGS: u8 = 0x81;

/// One block as a recorder wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// When it plays, on the recorder's own timeline.
    pub time: SourceTime,
    /// Its stated BlockDuration, if it has one.
    pub duration: Option<Duration>,
    pub(crate) body: BlockBody<'a>,
}

impl<'a> Block<'a> {
    /// The track it belongs to, by the source's number.
    #[must_use]
    pub fn track(&self) -> TrackNumber {
        self.body.track
    }

    /// Whether the source says that decoding can start here.
    #[must_use]
    pub fn is_keyframe(&self) -> bool {
        self.body.keyframe
    }

    /// The frame; or, if the block is laced, the lacing sizes and the frames.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.body.payload
    }
}

impl<'a> Packet for Block<'a> {
    type Track = TrackEntry;
    type Kept = BlockCopy;

    fn track(&self) -> TrackNumber {
        self.body.track
    }

    fn stamp(&self, track: &TrackEntry) -> Stamp {
        Stamp { order: self.time, shown: self.time, may_go_back: track.reorders() }
    }

    fn payload(&self) -> &'a [u8] {
        self.body.payload
    }

    fn keep(&self) -> BlockCopy {
        let mut copy = BlockCopy::default();
        copy.copy(self);
        copy
    }
}

impl Kept for BlockCopy {
    type Track = TrackEntry;
    type Packet<'a> = Block<'a>;

    fn packet(&self) -> Option<Block<'_>> {
        self.block()
    }
}

/// A block that outlives the reader's buffer. Kept and filled again, it allocates no more.
#[derive(Debug, Default)]
pub(crate) struct BlockCopy {
    time: Option<SourceTime>,
    duration: Option<Duration>,
    track: TrackNumber,
    keyframe: bool,
    flags: u8,
    /// The body of a BlockGroup, or the payload of a SimpleBlock.
    bytes: Vec<u8>,
    is_group: bool,
}

impl BlockCopy {
    pub(crate) fn copy(&mut self, block: &Block<'_>) {
        let BlockBody { track, keyframe, payload, flags, group, .. } = block.body;
        self.bytes.clear();
        self.bytes.extend_from_slice(group.map_or(payload, |group| group.body));
        (self.time, self.duration) = (Some(block.time), block.duration);
        (self.track, self.keyframe, self.flags) = (track, keyframe, flags);
        self.is_group = group.is_some();
    }

    pub(crate) fn time(&self) -> Option<SourceTime> {
        self.time
    }

    /// One of sound, that no recorder wrote.
    pub(crate) fn of_sound(payload: Vec<u8>) -> Self {
        let time = Some(SourceTime::ZERO);
        Self { time, keyframe: true, bytes: payload, ..Self::default() }
    }

    /// `None` before there was anything to copy.
    pub(crate) fn block(&self) -> Option<Block<'_>> {
        let body = if self.is_group {
            BlockBody::from_block_group(&self.bytes).ok()?
        } else {
            BlockBody {
                track: self.track,
                relative: 0,
                keyframe: self.keyframe,
                duration_ticks: None,
                payload: &self.bytes,
                flags: self.flags,
                group: None,
            }
        };
        Some(Block { time: self.time?, duration: self.duration, body })
    }
}

/// What a block says, before its cluster tells when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockBody<'a> {
    pub(crate) track: TrackNumber,
    /// Ticks from the cluster's timestamp.
    pub(crate) relative: i16,
    pub(crate) keyframe: bool,
    pub(crate) duration_ticks: Option<u64>,
    pub(crate) payload: &'a [u8],
    flags: u8,
    group: Option<Group<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Group<'a> {
    body: &'a [u8],
    /// It says more than a SimpleBlock and a BlockDuration could.
    has_more: bool,
    /// Of it, a picture's transparency.
    has_additions: bool,
}

impl<'a> BlockBody<'a> {
    /// One packet of sound, of another container.
    pub(crate) fn of_sound(track: TrackNumber, payload: &'a [u8]) -> Self {
        Self {
            track,
            relative: 0,
            keyframe: true,
            duration_ticks: None,
            payload,
            flags: 0,
            group: None,
        }
    }

    pub(crate) fn from_simple_block(body: &'a [u8]) -> Result<Self, Malformed> {
        let (track, len) = ebml::read_vint(body).ok_or(Malformed)?;
        let [high, low, flags, payload @ ..] = &body[len..] else {
            return Err(Malformed);
        };
        Ok(Self {
            track: TrackNumber(track),
            relative: i16::from_be_bytes([*high, *low]),
            keyframe: flags & KEYFRAME_FLAG != 0,
            duration_ticks: None,
            payload,
            flags: *flags,
            group: None,
        })
    }

    pub(crate) fn from_block_group(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut block = None;
        let mut duration_ticks = None;
        let mut keyframe = true;
        let (mut has_more, mut has_additions) = (false, false);
        for child in ebml::children(body) {
            let child = child?;
            match child.id {
                id::BLOCK => block = Some(Self::from_simple_block(child.body)?),
                id::BLOCK_DURATION => duration_ticks = ebml::uint(child.body),
                id::REFERENCE_BLOCK => keyframe = false,
                id::VOID | id::CRC_32 => {}
                other => {
                    has_more = true;
                    has_additions |= other == id::BLOCK_ADDITIONS;
                }
            }
        }
        let block = block.ok_or(Malformed)?;
        Ok(Self {
            keyframe,
            duration_ticks,
            flags: block.flags & !SIMPLE_ONLY_FLAGS,
            group: Some(Group { body, has_more, has_additions }),
            ..block
        })
    }

    /// About how large it is, its own header left out.
    pub(crate) fn bytes(&self) -> usize {
        self.group.map_or(self.payload.len(), |group| group.body.len())
    }

    /// Something is added to its picture, as its transparency is.
    pub(crate) fn has_additions(&self) -> bool {
        self.group.is_some_and(|group| group.has_additions)
    }

    pub(crate) fn lacing(&self) -> Lacing {
        Lacing::from_flags(self.flags)
    }

    /// Its flags are those of no block.
    pub(crate) fn has_reserved_flags(&self) -> bool {
        self.flags & RESERVED_FLAGS != 0
    }

    /// Whether only a BlockGroup can say all of it. A BlockDuration that the codec tells anyway
    /// needs no group.
    pub(crate) fn needs_group(&self, duration_is_implied: bool) -> bool {
        let duration_matters = self.duration_ticks.is_some() && !duration_is_implied;
        self.group.is_some_and(|group| group.has_more || duration_matters)
    }
}

/// Where a block goes in the written file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) track: TrackNumber,
    pub(crate) at: Millis,
    pub(crate) keyframe: bool,
    /// Written as a BlockGroup with this duration, if it has one.
    pub(crate) as_group: bool,
    pub(crate) duration: Option<Millis>,
}

/// Appends the block as an element of a cluster, `relative` milliseconds from its timestamp.
pub(crate) fn put(out: &mut Vec<u8>, body: &BlockBody<'_>, place: &Placement, relative: i16) {
    match body.group {
        Some(group) if place.as_group => put_group(out, body, group, place, relative),
        Some(_) | None => {
            let key = if place.keyframe { KEYFRAME_FLAG } else { 0 };
            let flags = body.flags & !KEYFRAME_FLAG | key;
            put_block(out, id::SIMPLE_BLOCK, body, place.track, relative, flags);
        }
    }
}

fn put_group(
    out: &mut Vec<u8>,
    body: &BlockBody<'_>,
    group: Group<'_>,
    place: &Placement,
    relative: i16,
) {
    let mut inside = Vec::with_capacity(group.body.len() + 16);
    put_block(&mut inside, id::BLOCK, body, place.track, relative, body.flags);
    if let Some(duration) = place.duration {
        ebml::put_uint(&mut inside, id::BLOCK_DURATION, duration.0);
    }
    for child in ebml::children(group.body).flatten() {
        let rewritten = [id::BLOCK, id::BLOCK_DURATION, id::VOID, id::CRC_32];
        if !rewritten.contains(&child.id) {
            inside.extend_from_slice(child.whole);
        }
    }
    ebml::put_element(out, id::BLOCK_GROUP, &inside);
}

fn put_block(
    out: &mut Vec<u8>,
    element: ebml::ElementId,
    body: &BlockBody<'_>,
    track: TrackNumber,
    relative: i16,
    flags: u8,
) {
    let mut head = Vec::with_capacity(11);
    ebml::put_size(&mut head, track.0);
    head.extend_from_slice(&relative.to_be_bytes());
    head.push(flags);
    ebml::put_header(out, element, head.len() + body.payload.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(body.payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Placement = Placement {
        track: TrackNumber(1),
        at: Millis(0),
        keyframe: true,
        as_group: false,
        duration: None,
    };

    fn group(extra: &[u8]) -> Vec<u8> {
        [&[0xA1, 0x85, 0x82, 0x00, 0x10, 0x08, 0xAA][..], extra].concat()
    }

    #[test]
    fn a_group_that_says_no_more_becomes_a_simple_block() {
        let bytes = group(&[0xFB, 0x81, 0xF0]);
        let body = BlockBody::from_block_group(&bytes).unwrap();
        assert!(!body.keyframe && !body.needs_group(false));

        let mut out = Vec::new();
        put(&mut out, &body, &Placement { keyframe: body.keyframe, ..PLACE }, -2);
        assert_eq!(out, [0xA3, 0x85, 0x81, 0xFF, 0xFE, 0x08, 0xAA]);
    }

    #[test]
    fn a_group_with_discard_padding_stays_a_group_with_all_it_says() {
        let padding = [0x75, 0xA2, 0x82, 0x01, 0x02];
        let bytes = group(&[&padding[..], &[0x9B, 0x81, 0x3C, 0xEC, 0x80]].concat());
        let body = BlockBody::from_block_group(&bytes).unwrap();
        assert!(body.keyframe && body.needs_group(true));

        let mut out = Vec::new();
        let place = Placement { as_group: true, duration: Some(Millis(60)), ..PLACE };
        put(&mut out, &body, &place, 0);
        let block = [0xA0, 0x8F, 0xA1, 0x85, 0x81, 0, 0, 0x08, 0xAA, 0x9B, 0x81, 0x3C];
        assert_eq!(out, [&block[..], &padding].concat());
    }

    #[test]
    fn a_duration_needs_a_group_unless_the_codec_tells_it() {
        let bytes = group(&[0x9B, 0x81, 0x3C]);
        let body = BlockBody::from_block_group(&bytes).unwrap();
        assert!(body.needs_group(false) && !body.needs_group(true));
    }

    #[test]
    fn a_block_too_short_for_its_header_is_malformed() {
        assert!(BlockBody::from_simple_block(&[]).is_err());
        assert!(BlockBody::from_simple_block(&[0x81, 0, 0]).is_err());
        assert!(BlockBody::from_block_group(&[0xFB, 0x81, 0]).is_err(), "a group without a block");
    }
}

//! Owns whether a block can be one of its track, as far as it tells cheaply: where bytes may be damaged,
//! a size that fits is not enough. Decodes nothing.

use std::time::Duration;

use crate::block::BlockBody;
use crate::grammar::DEFAULT_SCALE_NANOS;
use crate::limits;
use crate::opus;
use crate::tracks::TrackEntry;
use crate::units::TrackNumber;

/// The tracks of a run, and how far apart two blocks of it may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Tracks {
    expected: Vec<Expected>,
    scale_nanos: u64,
}

/// A track, and what its packets begin with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    number: TrackNumber,
    coding: Coding,
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Opus,
    Vp8,
    Vp9,
    Av1,
    /// Each unit behind its length, in so many bytes.
    Avc {
        length_bytes: usize,
    },
    /// Anything at all.
    Unknown,
}

impl Tracks {
    /// `scale_nanos`: how long a tick is.
    pub(super) fn of(tracks: &[TrackEntry], scale_nanos: u64) -> Self {
        let expected =
            |track: &TrackEntry| Expected { number: track.number, coding: Coding::of(track) };
        Self { expected: tracks.iter().map(expected).collect(), scale_nanos }
    }

    /// Of which only the numbers are known.
    pub(super) fn unknown(numbers: impl IntoIterator<Item = TrackNumber>) -> Self {
        let expected = |number| Expected { number, coding: Coding::Unknown };
        let expected = numbers.into_iter().map(expected).collect();
        Self { expected, scale_nanos: DEFAULT_SCALE_NANOS }
    }

    pub(super) fn set_scale(&mut self, scale_nanos: u64) {
        self.scale_nanos = scale_nanos;
    }

    pub(super) fn of_number(&self, number: TrackNumber) -> Option<&Expected> {
        self.expected.iter().find(|track| track.number == number)
    }

    /// Whether a whole block can be one of its track.
    pub(super) fn fit(&self, block: &BlockBody<'_>) -> bool {
        let Some(track) = self.of_number(block.track).filter(|_| !block.has_reserved_flags())
        else {
            return false;
        };
        let frames = block.lacing().frames(block.payload);
        frames.is_some_and(|frames| frames.into_iter().all(|frame| track.coding.can_be(frame)))
    }

    /// Whether two blocks may follow one another, by their ticks in their cluster.
    pub(super) fn are_near(&self, one: i16, other: i16) -> bool {
        let ticks = u64::from(one.abs_diff(other));
        Duration::from_nanos(ticks.saturating_mul(self.scale_nanos)) <= limits::ENTRY_STEP_MAX
    }
}

impl Coding {
    fn of(track: &TrackEntry) -> Self {
        match &*track.codec {
            _ if track.is_encoded_again() => Self::Unknown,
            "A_OPUS" => Self::Opus,
            "V_VP8" => Self::Vp8,
            "V_VP9" => Self::Vp9,
            "V_AV1" => Self::Av1,
            // ISO/IEC 14496-15 section 5.3.3.1.
            "V_MPEG4/ISO/AVC" => match track.codec_private.get(4) {
                Some(length) => Self::Avc { length_bytes: usize::from(length & 0b11) + 1 },
                None => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    fn can_be(self, frame: &[u8]) -> bool {
        match self {
            Self::Opus => opus::is_packet(frame),
            Self::Vp8 => is_vp8(frame),
            // Section 6.2 of its specification: a frame_marker of two.
            Self::Vp9 => frame.first().is_some_and(|first| first >> 6 == 0b10),
            // Section 5.3.2 of its specification: two bits that are zero.
            Self::Av1 => frame.first().is_some_and(|first| first & 0x81 == 0),
            Self::Avc { length_bytes } => is_avc(frame, length_bytes),
            Self::Unknown => true,
        }
    }
}

/// The frame tag, and the start code of a keyframe (RFC 6386 section 9.1).
fn is_vp8(frame: &[u8]) -> bool {
    const START_CODE: [u8; 3] = [0x9D, 0x01, 0x2A];
    const VERSION_MAX: u32 = 3;
    let [low, middle, high, rest @ ..] = frame else { return false };
    let tag = u32::from_le_bytes([*low, *middle, *high, 0]);
    let is_key = tag & 1 == 0;
    let first_part_bytes = (tag >> 5) as usize;
    tag >> 1 & 0b111 <= VERSION_MAX
        && first_part_bytes <= rest.len()
        && (!is_key || rest.starts_with(&START_CODE))
}

/// Units that fill the frame, each with a header whose first bit is zero (ISO/IEC 14496-10 section 7.3.1);
/// or, as some write it all the same, units behind start codes.
fn is_avc(frame: &[u8], length_bytes: usize) -> bool {
    const START_CODES: [&[u8]; 2] = [&[0, 0, 1], &[0, 0, 0, 1]];
    if START_CODES.iter().any(|code| frame.starts_with(code)) {
        return true;
    }
    let mut rest = frame;
    while !rest.is_empty() {
        let Some((length, behind)) = rest.split_at_checked(length_bytes) else {
            return false;
        };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        match behind.split_at_checked(length) {
            Some(([first, ..], after)) if first & 0x80 == 0 => rest = after,
            Some(_) | None => return false,
        }
    }
    !frame.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_vp8_has_a_first_part_that_fits_and_a_keyframe_its_start_code() {
        let key = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01];
        assert!(is_vp8(&key));
        assert!(!is_vp8(&[&key[..3], &[0x9D, 0x01, 0x2B], &key[6..]].concat()), "no start code");
        assert!(is_vp8(&[0x31, 0, 0, 7]), "another picture");
        assert!(!is_vp8(&[0x51, 0, 0, 7]), "a part of two bytes in one");
        assert!(!is_vp8(&[0x39, 0, 0, 7]), "a version that is none");
        assert!(!is_vp8(&[]) && !is_vp8(&[0x31, 0]));
    }

    #[test]
    fn units_of_h264_fill_their_frame() {
        assert!(is_avc(&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41], 4));
        assert!(!is_avc(&[0, 0, 0, 2, 0x65], 4), "cut");
        assert!(!is_avc(&[0, 0, 0, 2, 0xE5, 1], 4), "the forbidden bit");
        assert!(!is_avc(&[0, 0, 0, 0], 4) && !is_avc(&[], 4), "nothing");
        assert!(is_avc(&[0, 1, 0x65], 2));
        assert!(is_avc(&[0, 0, 0, 1, 0x65, 1, 2], 4), "behind a start code");
    }
}

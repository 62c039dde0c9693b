//! Owns the little of Opus that this crate reads itself: how long a packet plays and what the
//! header says. Decodes nothing.

use std::time::Duration;

/// No Opus packet is longer (RFC 6716 section 3.2.5, rule R5).
const PACKET_DURATION_MAX: Duration = Duration::from_millis(120);

/// How long an Opus packet plays, from its TOC byte (RFC 6716 section 3.1). `None` if the packet
/// is empty, is cut before its frame count, or claims no frames or more than 120 ms.
#[must_use]
pub fn packet_duration(packet: &[u8]) -> Option<Duration> {
    let toc = *packet.first()?;
    let frames = match toc & 0b11 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    let total = frame_duration(toc >> 3) * frames;
    (!total.is_zero() && total <= PACKET_DURATION_MAX).then_some(total)
}

/// Whether the bytes can be a packet of Opus: what it says of its frames fits into it (RFC 6716 section
/// 3.4).
pub(crate) fn is_packet(packet: &[u8]) -> bool {
    let Some((toc, body)) = packet.split_first().filter(|_| packet_duration(packet).is_some())
    else {
        return false;
    };
    match toc & 0b11 {
        0 => is_frame(body.len()),
        1 => body.len().is_multiple_of(2) && is_frame(body.len() / 2),
        2 => are_frames(body, 2),
        _ => has_counted_frames(body),
    }
}

fn is_frame(bytes: usize) -> bool {
    const FRAME_BYTES_MAX: usize = 1_275;
    bytes <= FRAME_BYTES_MAX
}

/// Sizes of all frames but the last, and the frames (section 3.2.1).
fn are_frames(mut body: &[u8], frames: u8) -> bool {
    let mut told = 0_usize;
    for _ in 1..frames {
        let Some((first, rest)) = body.split_first() else { return false };
        let (size, rest) = match (*first, rest.split_first()) {
            (0..252, _) => (usize::from(*first), rest),
            (252.., Some((second, rest))) => (usize::from(*first) + 4 * usize::from(*second), rest),
            (252.., None) => return false,
        };
        told += size;
        body = rest;
    }
    body.len().checked_sub(told).is_some_and(is_frame)
}

/// Behind their count, as many frames and perhaps padding (section 3.2.5).
fn has_counted_frames(body: &[u8]) -> bool {
    const HAS_SIZES: u8 = 0x80;
    const HAS_PADDING: u8 = 0x40;
    let Some((count, mut body)) = body.split_first() else { return false };
    let frames = count & 0x3F;
    if count & HAS_PADDING != 0 {
        let mut padding = 0_usize;
        loop {
            let Some((more, rest)) = body.split_first() else { return false };
            body = rest;
            if *more < u8::MAX {
                padding += usize::from(*more);
                break;
            }
            padding += 254;
        }
        let Some(left) = body.len().checked_sub(padding) else { return false };
        body = &body[..left];
    }
    if count & HAS_SIZES != 0 {
        return are_frames(body, frames);
    }
    let frames = usize::from(frames);
    frames > 0 && body.len().is_multiple_of(frames) && is_frame(body.len() / frames)
}

fn frame_duration(config: u8) -> Duration {
    const SILK_MILLIS: [u64; 4] = [10, 20, 40, 60];
    const HYBRID_MILLIS: [u64; 2] = [10, 20];
    const CELT_MICROS: [u64; 4] = [2_500, 5_000, 10_000, 20_000];
    match config {
        0..12 => Duration::from_millis(SILK_MILLIS[usize::from(config % 4)]),
        12..16 => Duration::from_millis(HYBRID_MILLIS[usize::from(config % 2)]),
        _ => Duration::from_micros(CELT_MICROS[usize::from(config % 4)]),
    }
}

/// What `OpusHead` says that matters for decoding (RFC 7845 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OpusHead {
    /// Samples at 48 kHz that a decoder puts out before the sound begins.
    pub(crate) pre_skip: u16,
    /// In 1/256 dB.
    pub(crate) gain: i16,
    /// One stream of one or two channels: what a plain decoder understands.
    pub(crate) is_plain: bool,
    pub(crate) channels: u8,
    /// How channels are coded, where they are more.
    pub(crate) family: u8,
}

impl OpusHead {
    /// `None` if the bytes are no header.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?;
        let [version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] =
            fields
        else {
            return None;
        };
        // Versions up to 15 are compatible.
        let is_known = *version < 16;
        let is_plain = is_known && matches!((family, channels), (0 | 1, 1 | 2));
        Some(Self {
            pre_skip: u16::from_le_bytes([*skip_low, *skip_high]),
            gain: i16::from_le_bytes([*gain_low, *gain_high]),
            is_plain,
            channels: *channels,
            family: *family,
        })
    }

    /// Whether a decoder with this header plays packets of the other as they should sound. Each packet
    /// says itself whether it has one channel or two; two are heard as one in a track of one.
    pub(crate) fn can_play(&self, other: &Self) -> bool {
        let is_same = (self.channels, self.family) == (other.channels, other.family);
        let is_plain = self.is_plain && other.is_plain && other.channels <= self.channels;
        (is_plain || (is_same && !self.is_plain && !other.is_plain)) && self.gain == other.gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(packet: &[u8]) -> Option<f64> {
        packet_duration(packet).map(|duration| duration.as_secs_f64() * 1000.0)
    }

    #[test]
    fn every_configuration_has_the_frame_size_of_the_table() {
        let table = [
            [10.0, 20.0, 40.0, 60.0],
            [10.0, 20.0, 40.0, 60.0],
            [10.0, 20.0, 40.0, 60.0],
            [10.0, 20.0, 10.0, 20.0],
            [2.5, 5.0, 10.0, 20.0],
            [2.5, 5.0, 10.0, 20.0],
            [2.5, 5.0, 10.0, 20.0],
            [2.5, 5.0, 10.0, 20.0],
        ];
        for (config, expected) in table.iter().flatten().enumerate() {
            let toc = u8::try_from(config).unwrap() << 3;
            assert_eq!(millis(&[toc]), Some(*expected), "configuration {config}");
        }
    }

    #[test]
    fn the_frame_count_multiplies_the_frame() {
        assert_eq!(millis(&[0xF8]), Some(20.0));
        assert_eq!(millis(&[0xF9]), Some(40.0));
        assert_eq!(millis(&[0xFA]), Some(40.0));
        assert_eq!(millis(&[0xFB, 0x03]), Some(60.0));
        assert_eq!(millis(&[0xFB, 0x83]), Some(60.0), "the VBR bit is not part of the count");
        assert_eq!(millis(&[0xFB, 0x06]), Some(120.0));
    }

    #[test]
    fn a_packet_that_cannot_be_is_none() {
        assert_eq!(millis(&[]), None);
        assert_eq!(millis(&[0xFB]), None);
        assert_eq!(millis(&[0xFB, 0x00]), None);
        assert_eq!(millis(&[0xFB, 0x07]), None, "140 ms");
    }

    #[test]
    fn a_packet_is_one_if_its_frames_fit_into_it() {
        assert!(is_packet(&[0xF8]), "silence that is not sent");
        assert!(is_packet(&[&[0xF8][..], &[7; 1_275]].concat()));
        assert!(!is_packet(&[&[0xF8][..], &[7; 1_276]].concat()), "a frame too large");
        assert!(is_packet(&[0xF9, 1, 2]) && !is_packet(&[0xF9, 1]), "two of one size");
        assert!(is_packet(&[0xFA, 1, 2, 3]) && !is_packet(&[0xFA, 3, 2]), "two of two sizes");
        assert!(is_packet(&[&[0xFA, 252, 1][..], &[0; 260]].concat()));
        assert!(!is_packet(&[0xFA, 252]) && !is_packet(&[0xFA]));
        assert!(is_packet(&[0xFB, 0x03, 1, 2, 3]) && !is_packet(&[0xFB, 0x03, 1, 2]));
        assert!(is_packet(&[0xFB, 0x83, 1, 0, 9, 9]) && !is_packet(&[0xFB, 0x83, 2, 1, 9]));
        assert!(is_packet(&[0xFB, 0x41, 2, 9, 0, 0]) && !is_packet(&[0xFB, 0x41, 5, 9, 0]));
        assert!(!is_packet(&[0xFB, 0x41, 255]) && !is_packet(&[]));
    }

    #[test]
    fn a_header_tells_pre_skip_and_gain() {
        let firefox = b"OpusHead\x01\x01\x38\x01\x44\xac\0\0\0\0\0";
        let plain = OpusHead { pre_skip: 312, gain: 0, is_plain: true, channels: 1, family: 0 };
        assert_eq!(OpusHead::parse(firefox), Some(plain));
        let quieter = b"OpusHead\x01\x02\0\0\0\0\0\0\x00\xff\0";
        let quieter = OpusHead::parse(quieter).unwrap();
        assert!(quieter.gain == -256 && quieter.is_plain);
    }

    #[test]
    fn a_header_of_many_channels_or_of_the_future_is_not_plain() {
        let is_plain = |version, channels, family| {
            let fields = [version, channels, 0, 0, 0, 0, 0, 0, 0, 0, family];
            OpusHead::parse(&[&b"OpusHead"[..], &fields].concat()).unwrap().is_plain
        };
        assert!(is_plain(1, 1, 0) && is_plain(1, 2, 1) && is_plain(15, 2, 0));
        assert!(!is_plain(16, 2, 0), "another version");
        assert!(!is_plain(1, 6, 1) && !is_plain(1, 2, 255) && !is_plain(1, 0, 0));
    }

    #[test]
    fn what_is_no_header_is_none() {
        assert_eq!(OpusHead::parse(&[]), None);
        assert_eq!(OpusHead::parse(b"OpusHead\x01\x01"), None);
        assert_eq!(OpusHead::parse(b"OpusTags\x01\x01\0\0\0\0\0\0\0\0\0"), None);
    }
}

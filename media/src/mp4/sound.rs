//! Owns what a track's description says of its sound: which codec it is, and what a decoder has to
//! know. Decodes nothing.

use std::time::Duration;

use crate::decode::FULL_RATE_HZ;
use crate::opus::OpusHead;
use crate::tracks::TrackKind;

use super::boxes::{self, BoxType, Fields};
use super::moof::SampleInfo;
use super::moov::Track;
use super::time::{Ticks, Timescale};

const OPUS: BoxType = BoxType(*b"Opus");
const MP4A: BoxType = BoxType(*b"mp4a");
const DOPS: BoxType = BoxType(*b"dOps");
const ESDS: BoxType = BoxType(*b"esds");

/// Bytes of a box's header, and of the fields of a sample entry of sound (ISO/IEC 14496-12 section
/// 12.2.3), before the boxes in it.
const ENTRY_HEAD_BYTES: usize = 8 + 28;

/// The rates of AAC that have a number (ISO/IEC 14496-3 table 1.18). Others can be spelled out, down
/// to none at all, and no recorder does.
pub(crate) const AAC_RATES_HZ: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Sound that can be decoded here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SoundCodec {
    Opus(OpusHead),
    /// By its AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2).
    Aac(Vec<u8>),
}

/// What an AudioSpecificConfig says of AAC-LC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AacConfig {
    pub(crate) rate_hz: u32,
    pub(crate) channels: u8,
}

impl AacConfig {
    /// How long so many packets play.
    pub(crate) fn packets_last(self, packets: u32) -> Duration {
        const PACKET_SAMPLES: u64 = 1024;
        let nanos = u64::from(packets) * PACKET_SAMPLES * 1_000_000_000 / u64::from(self.rate_hz);
        Duration::from_nanos(nanos)
    }

    /// `None` of another kind of AAC, and if it has no rate that has a number.
    fn parse(config: &[u8]) -> Option<Self> {
        const LOW_COMPLEXITY: u8 = 2;
        let [first, second, ..] = *config else { return None };
        let index = (first & 0x07) << 1 | second >> 7;
        let rate_hz = *AAC_RATES_HZ.get(usize::from(index))?;
        (first >> 3 == LOW_COMPLEXITY).then_some(Self { rate_hz, channels: second >> 3 & 0x0F })
    }
}

impl Track {
    /// Of each description, in their order.
    pub(crate) fn aac_configs(&self) -> Vec<Option<AacConfig>> {
        let config = |description: &Vec<u8>| {
            let esds = boxes::child(inside(description)?, ESDS)?;
            AacConfig::parse(&audio_specific_config(esds)?)
        };
        self.descriptions.iter().map(config).collect()
    }

    /// By its first description.
    pub(crate) fn sound(&self) -> Option<SoundCodec> {
        self.sound_of(0)
    }

    /// By the description of this index. `None` of what is no sound, and of a codec that isn't
    /// known here.
    pub(crate) fn sound_of(&self, description: usize) -> Option<SoundCodec> {
        if self.kind != TrackKind::Audio {
            return None;
        }
        let inside = inside(self.descriptions.get(description)?)?;
        match self.codec {
            OPUS => opus_head(boxes::child(inside, DOPS)?).map(SoundCodec::Opus),
            MP4A => audio_specific_config(boxes::child(inside, ESDS)?).map(SoundCodec::Aac),
            _ => None,
        }
    }

    /// The `OpusHead` (RFC 7845 section 5.1) of a track of Opus. What is to be dropped from its
    /// beginning is what the edit list cuts off, in samples at 48 kHz: the description has another
    /// number for it, which Chromium always gives and never means.
    pub(crate) fn opus_head(&self) -> Option<Vec<u8>> {
        let Some(SoundCodec::Opus(OpusHead { gain, .. })) = self.sound() else {
            return None;
        };
        let dops = boxes::child(inside(self.descriptions.first()?)?, DOPS)?;
        let mut fields = Fields::new(dops);
        let [_, channels] = fields.take()?;
        fields.skip(2)?;
        let rate = fields.u32()?;
        fields.skip(2)?;
        let pre_skip = self.timescale.to(Timescale::new(FULL_RATE_HZ)?, self.ahead).0;
        let pre_skip = u16::try_from(pre_skip.max(0)).unwrap_or(u16::MAX);
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels);
        head.extend_from_slice(&pre_skip.to_le_bytes());
        head.extend_from_slice(&rate.to_le_bytes());
        head.extend_from_slice(&gain.to_le_bytes());
        head.extend_from_slice(fields.rest());
        Some(head)
    }

    /// When a sample is decoded, on the track's own timeline.
    pub(crate) fn decoded_at(&self, sample: &SampleInfo) -> Duration {
        self.timescale.duration(sample.at)
    }

    /// What of the track's beginning is not presented.
    pub(crate) fn cut_off(&self) -> Duration {
        self.timescale.duration(self.ahead)
    }

    /// How much later than the movie the track begins.
    pub(crate) fn late_by(&self) -> Duration {
        self.timescale.duration(Ticks(self.ahead.0.saturating_neg()))
    }
}

/// A sample entry of Opus in which Chromium's pre-skip is taken for what it is: it always says so many
/// samples, 80 ms, and they hold sound that a player would cut off, and play all that follows too early.
pub(super) fn without_false_pre_skip(mut entry: Vec<u8>) -> Vec<u8> {
    const CHROMIUM_SAYS: [u8; 2] = 3_840_u16.to_be_bytes();
    const BOX_HEADER_BYTES: usize = 8;
    const PRE_SKIP_AT: usize = 2;
    let Some(inside) = inside(&entry).filter(|inside| boxes::child(inside, DOPS).is_some()) else {
        return entry;
    };
    let before = boxes::children(inside).map_while(Result::ok).take_while(|one| one.kind != DOPS);
    let before: usize = before.map(|one| one.whole.len()).sum();
    let at = entry.len() - inside.len() + before + BOX_HEADER_BYTES + PRE_SKIP_AT;
    if let Some(pre_skip) = entry.get_mut(at..at + CHROMIUM_SAYS.len())
        && pre_skip == CHROMIUM_SAYS
    {
        pre_skip.fill(0);
    }
    entry
}

/// The boxes in a sample entry of sound. QuickTime's later versions of it have more fields.
fn inside(entry: &[u8]) -> Option<&[u8]> {
    const VERSION_AT: usize = 8 + 8;
    let mut fields = Fields::new(entry.get(VERSION_AT..)?);
    let more = match fields.take()? {
        [0, 1] => 16,
        [0, 2] => 36,
        [_, _] => 0,
    };
    entry.get(ENTRY_HEAD_BYTES + more..)
}

/// A `dOps` body (Encapsulation of Opus in ISO Base Media File Format, section 4.3.2): the fields of
/// an `OpusHead`, the other way round.
fn opus_head(dops: &[u8]) -> Option<OpusHead> {
    let mut fields = Fields::new(dops);
    let [version, channels] = fields.take()?;
    let pre_skip = u16::from_be_bytes(fields.take()?);
    fields.skip(4)?;
    let gain = i16::from_be_bytes(fields.take()?);
    let [family] = fields.take()?;
    let is_plain = version == 0 && matches!((family, channels), (0 | 1, 1 | 2));
    Some(OpusHead { pre_skip, gain, is_plain, channels, family })
}

/// What an `esds` body leads to (ISO/IEC 14496-1 section 7.2.6): a descriptor in a descriptor in a
/// descriptor. `None` if the sound is not that of MPEG-4.
fn audio_specific_config(esds: &[u8]) -> Option<Vec<u8>> {
    const ELEMENTARY_STREAM: u8 = 3;
    const DECODER: u8 = 4;
    const SPECIFIC: u8 = 5;
    const MPEG4_AUDIO: u8 = 0x40;
    /// Buffer size, greatest and average bitrate, and what kind of stream it is.
    const RATES_BYTES: usize = 12;

    let (_, _, fields) = Fields::of_full_box(esds)?;
    let mut stream = Fields::new(descriptor(fields.rest(), ELEMENTARY_STREAM)?);
    stream.skip(2)?;
    let [flags] = stream.take()?;
    if flags & 0x80 != 0 {
        stream.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let [address_bytes] = stream.take()?;
        stream.skip(address_bytes.into())?;
    }
    if flags & 0x20 != 0 {
        stream.skip(2)?;
    }
    let mut decoder = Fields::new(descriptor(stream.rest(), DECODER)?);
    let [codec] = decoder.take()?;
    decoder.skip(RATES_BYTES)?;
    let config = descriptor(decoder.rest(), SPECIFIC)?;
    (codec == MPEG4_AUDIO).then(|| config.to_vec())
}

/// The body of the first descriptor, which must have this tag.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut fields = Fields::new(bytes);
    let [told] = fields.take()?;
    let mut size = 0_usize;
    // Seven bits in a byte, as long as the eighth is set; four of them at most.
    for _ in 0..4 {
        let [byte] = fields.take()?;
        size = size << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    fields.rest().get(..size).filter(|_| told == tag)
}

/// A sample entry of Opus in one channel, whose decoder drops so many samples from the beginning.
pub(crate) fn opus_description(rate_hz: u32, pre_skip: u16) -> Vec<u8> {
    let mut out = Vec::new();
    boxes::put_box(&mut out, OPUS, |out| {
        out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&[0, 1, 0, 16, 0, 0, 0, 0]);
        boxes::put_u32(out, rate_hz << 16);
        boxes::put_box(out, DOPS, |out| {
            out.extend_from_slice(&[0, 1]);
            out.extend_from_slice(&pre_skip.to_be_bytes());
            boxes::put_u32(out, rate_hz);
            out.extend_from_slice(&[0, 0, 0]);
        });
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: [u8; 2] = [0x12, 0x08];

    #[test]
    fn only_the_pre_skip_that_chromium_always_gives_is_taken_for_none() {
        let said = |pre_skip| opus_description(48_000, pre_skip);
        assert_eq!(without_false_pre_skip(said(3_840)), said(0));
        assert_eq!(without_false_pre_skip(said(312)), said(312));
        let cut = said(3_840)[..50].to_vec();
        assert_eq!(without_false_pre_skip(cut.clone()), cut);
    }

    fn put(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag, 0x80, 0x80, 0x80, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn esds(flags: u8, optional: &[u8], codec: u8) -> Vec<u8> {
        let decoder = [&[codec][..], &[0; 12], &put(5, &CONFIG)].concat();
        let stream = [&[0, 1, flags][..], optional, &put(4, &decoder), &put(6, &[2])].concat();
        [&[0; 4][..], &put(3, &stream)].concat()
    }

    #[test]
    fn a_configuration_is_found_behind_whatever_may_stand_before_it() {
        let found = |esds: &[u8]| audio_specific_config(esds);
        assert_eq!(found(&esds(0, &[], 0x40)), Some(CONFIG.to_vec()));
        let all = [0, 9, 2, b'h', b'i', 0, 7];
        assert_eq!(found(&esds(0xE0, &all, 0x40)), Some(CONFIG.to_vec()));
        assert_eq!(found(&esds(0, &[], 0x6B)), None, "MP3");
        let whole = esds(0, &[], 0x40);
        for cut in 0..whole.len() - 3 {
            assert_eq!(found(&whole[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn the_boxes_of_an_entry_stand_behind_the_fields_of_its_version() {
        for (version, more) in [(0, 0), (1, 16), (2, 36)] {
            let mut entry = vec![0; ENTRY_HEAD_BYTES + more];
            entry[17] = version;
            entry.extend_from_slice(b"esds");
            assert_eq!(inside(&entry), Some(&b"esds"[..]), "version {version}");
            assert_eq!(inside(&entry[..ENTRY_HEAD_BYTES - 1]), None);
        }
    }

    #[test]
    fn a_description_of_opus_tells_its_gain_and_its_channels() {
        let head = |channels, family| {
            opus_head(&[0, channels, 1, 0x38, 0, 0, 0xBB, 0x80, 0xFF, 0, family])
        };
        let plain = OpusHead { pre_skip: 312, gain: -256, is_plain: true, channels: 2, family: 0 };
        assert_eq!(head(2, 0), Some(plain));
        assert_eq!(head(6, 1).map(|head| head.is_plain), Some(false));
        assert_eq!(opus_head(&[0, 1]), None);
    }
}

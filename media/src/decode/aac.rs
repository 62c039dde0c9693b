//! Owns decoding AAC-LC (ISO/IEC 14496-3), whose packets all have as many samples. Its channels are
//! mixed into one; its rate is what the track's description says.

use std::panic::{self, AssertUnwindSafe};

use symphonia_codec_aac::AacDecoder;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::Rate;
use crate::mp4::AAC_RATES_HZ;

pub(super) const PACKET_SAMPLES: usize = 1024;
const CHANNELS_MAX: usize = 2;

pub(super) struct Aac {
    rate: Rate,
    parameters: AudioCodecParameters,
    /// `None` where it can't be trusted any more.
    decoder: Option<Box<AacDecoder>>,
    pcm: Box<[i16]>,
}

impl Aac {
    /// `None` if an AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2) is that of another kind of
    /// AAC, or of more than two channels.
    pub(super) fn new(config: &[u8]) -> Option<Self> {
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
        let decoder = new_decoder(&parameters)?;
        let told = decoder.codec_params();
        let rate = told.sample_rate.filter(|rate| AAC_RATES_HZ.contains(rate))?;
        let channels = told.channels.as_ref().map_or(0, |channels| channels.count());
        (1..=CHANNELS_MAX).contains(&channels).then(|| Self {
            rate: Rate(rate),
            parameters,
            decoder: Some(decoder),
            pcm: vec![0; PACKET_SAMPLES].into(),
        })
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn begin_anew(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.reset();
        }
    }

    pub(super) fn decode(&mut self, packet: &[u8]) -> Option<&[i16]> {
        if self.decoder.is_none() {
            self.decoder = new_decoder(&self.parameters);
        }
        let (decoder, pcm) = (self.decoder.as_mut()?, &mut self.pcm);
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
        // Should it ever miss a check, that costs this packet and not the recording.
        let decode = AssertUnwindSafe(|| match decoder.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(sound)) => {
                let planes = (sound.plane(0), sound.plane(1));
                mix(planes, pcm)
            }
            Ok(_) | Err(_) => None,
        });
        match panic::catch_unwind(decode) {
            Ok(Some(())) => return Some(&self.pcm),
            // It is the packet that is bad. (Making a decoder takes longer than a bad packet does.)
            Ok(None) => self.begin_anew(),
            Err(_) => self.decoder = None,
        }
        None
    }
}

/// Also `None` if it panics: the description comes from a stranger too.
fn new_decoder(parameters: &AudioCodecParameters) -> Option<Box<AacDecoder>> {
    let options = AudioDecoderOptions::default();
    let make = AssertUnwindSafe(|| AacDecoder::try_new(parameters, &options));
    panic::catch_unwind(make).ok()?.ok().map(Box::new)
}

/// `None` if there are not as many samples as a packet has.
fn mix(planes: (Option<&[f32]>, Option<&[f32]>), pcm: &mut [i16]) -> Option<()> {
    const LOUDEST: f32 = 32_768.0;
    let (Some(left), right) = planes else { return None };
    let right = right.unwrap_or(left);
    if left.len() != pcm.len() || right.len() != pcm.len() {
        return None;
    }
    for ((sample, left), right) in pcm.iter_mut().zip(left).zip(right) {
        // What is too loud is cut, and what is no number is silent.
        *sample = ((left + right) / 2.0 * LOUDEST).round() as i16;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An AudioSpecificConfig: object type, index of the rate, channels.
    fn config(kind: u8, rate: u8, channels: u8) -> [u8; 2] {
        (u16::from(kind) << 11 | u16::from(rate) << 7 | u16::from(channels) << 3).to_be_bytes()
    }

    #[test]
    fn low_complexity_in_one_or_two_channels_is_decoded_at_every_rate_that_has_a_number() {
        for (index, rate) in (0..).zip(AAC_RATES_HZ) {
            for channels in [1, 2] {
                let aac = Aac::new(&config(2, index, channels)).expect("a plain configuration");
                assert_eq!(aac.rate(), Rate(rate));
            }
        }
    }

    #[test]
    fn other_kinds_more_channels_and_rates_without_a_number_are_not() {
        for (kind, rate, channels) in [(1, 4, 1), (5, 4, 1), (2, 4, 0), (2, 4, 6), (2, 14, 1)] {
            assert!(Aac::new(&config(kind, rate, channels)).is_none(), "{kind} {rate} {channels}");
        }
        assert!(Aac::new(&[]).is_none());
        for rate in [0_u32, 1, 44_101, 0xFF_FFFF] {
            // Five bits of kind, four that say that it is spelled out, 24 of rate, four of channels.
            let bits = 2_u64 << 35 | 0xF << 31 | u64::from(rate) << 7 | 1 << 3;
            assert!(Aac::new(&bits.to_be_bytes()[3..]).is_none(), "{rate} Hz");
        }
    }

    #[test]
    fn what_is_no_packet_is_bad_and_the_next_silent_one_is_decoded() {
        /// One channel, no energy in any band.
        const SILENT: [u8; 6] = [0x00, 0xC8, 0x00, 0x80, 0x23, 0x80];
        let mut aac = Aac::new(&config(2, 3, 1)).expect("a plain configuration");
        for bad in [&[][..], &[0xFF; 40], &[0x20; 40], b"not AAC at all"] {
            let _ = aac.decode(bad);
            assert_eq!(aac.decode(&SILENT), Some(&[0; PACKET_SAMPLES][..]));
        }
    }
}

//! Owns decoding Opus: one channel, at any of the rates that Opus knows.

use std::panic::{self, AssertUnwindSafe};

use ropus::{Channels, DecodeMode, Decoder};

use super::Rate;
use crate::opus;

const PACKET_MILLIS_MAX: usize = 120;

pub(super) struct Opus {
    rate: Rate,
    /// In 1/256 dB.
    gain: i16,
    /// `None` before the first packet, and where packets are missing or bad.
    decoder: Option<Box<Decoder>>,
    /// Room for the longest packet.
    pcm: Box<[i16]>,
}

impl Opus {
    pub(super) fn new(rate: Rate, gain: i16) -> Self {
        let pcm = vec![0; rate.0 as usize * PACKET_MILLIS_MAX / 1000].into();
        Self { rate, gain, decoder: None, pcm }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn length(&self, packet: &[u8]) -> Option<i64> {
        opus::packet_duration(packet).map(|length| self.rate.samples_in(length))
    }

    pub(super) fn begin_anew(&mut self) {
        self.decoder = None;
    }

    pub(super) fn decode(&mut self, packet: &[u8], length: usize) -> Option<&[i16]> {
        if self.decoder.is_none() {
            self.decoder = new_decoder(self.rate, self.gain);
        }
        let (decoder, pcm) = (self.decoder.as_mut()?, self.pcm.get_mut(..length)?);
        // The decoder indexes by what a packet says. Should it ever miss a check, that costs this
        // packet and not the recording.
        let decode = AssertUnwindSafe(|| decoder.decode(packet, pcm, DecodeMode::Normal));
        let is_good = matches!(panic::catch_unwind(decode), Ok(Ok(samples)) if samples == length);
        if !is_good {
            self.decoder = None;
        }
        is_good.then_some(&self.pcm[..length])
    }
}

/// `None` never comes: the rate is one of Opus's, and every gain is allowed.
fn new_decoder(rate: Rate, gain: i16) -> Option<Box<Decoder>> {
    // One channel whatever the packets have: the decoder mixes before it synthesises, which is
    // half the work.
    let mut decoder = Decoder::new(rate.0, Channels::Mono).ok()?;
    decoder.set_gain(i32::from(gain)).ok()?;
    Some(Box::new(decoder))
}

//! Owns what several sounds sound like together, and encoding that as Opus. Knows no container.

use std::collections::VecDeque;
use std::time::Duration;

use ropus::{Application, Bitrate, Channels, Encoder};

use crate::decode::{DescribedSound, FULL_RATE_HZ};
use crate::error::MediaError;
use crate::limits;
use crate::units::Millis;

const BITS_PER_SECOND: u32 = 64_000;
/// Of ten: half the work of the most, and no difference in speech.
const COMPLEXITY: u8 = 5;
const SAMPLES_PER_MILLI: u64 = FULL_RATE_HZ as u64 / 1000;
pub(crate) const PACKET_DURATION: Duration = Duration::from_millis(20);
const PACKET_SAMPLES: usize = PACKET_DURATION.as_millis() as usize * SAMPLES_PER_MILLI as usize;
/// The longest frame (RFC 6716 section 3.2.1).
pub(crate) const PACKET_BYTES_MAX: usize = 1275;
/// Up to here the sum is heard as it is; louder is pressed into what is left.
const KNEE: i32 = 24_576;
const LOUDEST: i32 = i16::MAX as i32;

/// Sounds that are added up, and an encoder that follows.
pub(crate) struct Blend {
    sum: Sum,
    encoder: Encoder,
}

impl Blend {
    pub(crate) fn new() -> Result<Self, MediaError> {
        let encoder = Encoder::builder(FULL_RATE_HZ, Channels::Mono, Application::Audio)
            .bitrate(Bitrate::Bits(BITS_PER_SECOND))
            .complexity(COMPLEXITY)
            .build()
            .map_err(|error| MediaError::Encoding(error.to_string()))?;
        Ok(Self { sum: Sum::default(), encoder })
    }

    /// Samples that the encoder is behind by, which a decoder drops.
    pub(crate) fn pre_skip(&self) -> u16 {
        u16::try_from(self.encoder.lookahead()).unwrap_or(u16::MAX)
    }

    /// The `OpusHead` (RFC 7845 section 5.1) of what is encoded.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&self.pre_skip().to_le_bytes());
        head.extend_from_slice(&FULL_RATE_HZ.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        head
    }

    /// Where the next packet begins.
    pub(crate) fn next_at(&self) -> Millis {
        Millis(self.sum.begins_at / SAMPLES_PER_MILLI)
    }

    /// Whether the next packet ends by `until`.
    pub(crate) fn is_next_over(&self, until: Duration) -> bool {
        let until = Millis::nearest(until.min(limits::SOUND_DURATION_MAX)).0 * SAMPLES_PER_MILLI;
        self.sum.begins_at + PACKET_SAMPLES as u64 <= until
    }

    /// Where the sound so far ends, in samples at 48 kHz from the zero of the file.
    pub(crate) fn end(&self) -> u64 {
        self.sum.begins_at + self.sum.samples.len() as u64
    }

    /// How many packets there are still to come if nothing is added any more.
    pub(crate) fn packets_left(&self) -> u64 {
        let samples = self.sum.samples.len() as u64 + u64::from(self.pre_skip());
        samples.div_ceil(PACKET_SAMPLES as u64)
    }

    /// Encodes the next packet into `room`, which has [`PACKET_BYTES_MAX`]. Returns its size.
    pub(crate) fn encode(&mut self, room: &mut [u8]) -> Result<usize, MediaError> {
        let pcm = self.sum.next_packet();
        let encoded = self.encoder.encode(&pcm, room);
        encoded.map_err(|error| MediaError::Encoding(error.to_string()))
    }

    /// Samples that came when their time was encoded already.
    pub(crate) fn late_samples(&self) -> u64 {
        self.sum.late
    }
}

/// One of the sounds.
pub(crate) struct Heard {
    sound: DescribedSound,
    /// Where what was decoded so far ends, in samples from the zero of the file.
    until: u64,
}

impl Heard {
    /// `sound` is decoded in full.
    pub(crate) fn new(sound: DescribedSound) -> Self {
        Self { sound, until: 0 }
    }

    /// Adds the sound of a packet that has this description.
    pub(crate) fn hear(
        &mut self,
        description: usize,
        at: Duration,
        packet: &[u8],
        blend: &mut Blend,
    ) {
        let sound = self.sound.decode(description, at, packet);
        self.until += sound.silence;
        blend.sum.add(self.until, sound.samples);
        self.until += sound.samples.len() as u64;
    }

    /// Adds what is still to come behind the last packet.
    pub(crate) fn end(&mut self, blend: &mut Blend) {
        let rest = self.sound.rest();
        blend.sum.add(self.until + rest.silence, rest.samples);
    }

    /// Packets that could not be decoded.
    pub(crate) fn bad(&self) -> u64 {
        self.sound.report().bad
    }
}

/// What all tracks sound like together, of the time that is not encoded yet.
#[derive(Debug, Default)]
struct Sum {
    /// In samples from the zero of the file.
    begins_at: u64,
    samples: VecDeque<i32>,
    late: u64,
}

impl Sum {
    fn add(&mut self, at: u64, samples: &[i16]) {
        let late = usize::try_from(self.begins_at.saturating_sub(at)).unwrap_or(usize::MAX);
        let (late, in_time) = samples.split_at(late.min(samples.len()));
        self.late += late.len() as u64;
        if in_time.is_empty() {
            return;
        }
        let start = at.saturating_sub(self.begins_at);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = start.saturating_add(in_time.len());
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        for (sum, sample) in self.samples.range_mut(start..end).zip(in_time) {
            *sum += i32::from(*sample);
        }
    }

    fn next_packet(&mut self) -> [i16; PACKET_SAMPLES] {
        self.begins_at += PACKET_SAMPLES as u64;
        std::array::from_fn(|_| soft(self.samples.pop_front().unwrap_or(0)))
    }
}

/// As it is up to the knee; louder ever less so, and never past the loudest.
fn soft(sum: i32) -> i16 {
    let room = i64::from(LOUDEST - KNEE);
    let over = i64::from(sum.unsigned_abs()) - i64::from(KNEE);
    let pressed = match over {
        ..=0 => i64::from(sum.unsigned_abs()),
        over => i64::from(KNEE) + room * over / (over + room),
    };
    let pressed = i16::try_from(pressed).unwrap_or(i16::MAX);
    if sum < 0 { -pressed } else { pressed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_too_loud_is_the_sum_and_nothing_wraps() {
        let both = |one: i16, other: i16| soft(i32::from(one) + i32::from(other));
        assert_eq!(both(10_000, 14_576), 24_576);
        assert_eq!(both(-10_000, -14_576), -24_576);
        assert_eq!((both(1_000, -1_000), both(300, -1_000)), (0, -700));
        assert!(both(i16::MAX, i16::MAX) > 30_000);
        assert!(both(i16::MIN, i16::MIN) < -30_000);
        let loud = i32::from(i16::MIN) * limits::TRACKS_MAX as i32;
        assert!(soft(loud) < -32_000 && soft(-loud) > 32_000);
    }

    #[test]
    fn louder_never_sounds_quieter() {
        let mut before = i16::MIN;
        for sum in (-140_000..140_000).step_by(7) {
            let now = soft(sum);
            assert!(now >= before, "{sum}");
            before = now;
        }
    }

    #[test]
    fn samples_are_added_where_they_belong_and_late_ones_are_counted() {
        let mut sum = Sum::default();
        sum.add(0, &[1; 960]);
        sum.add(950, &[2; 20]);
        assert_eq!(sum.samples.len(), 970);
        let first = sum.next_packet();
        assert_eq!((first[0], first[949], first[950], first[959]), (1, 1, 3, 3));
        sum.add(955, &[5; 10]);
        assert_eq!(sum.late, 5);
        let second = sum.next_packet();
        assert_eq!((second[0], second[4], second[5], second[10]), (7, 7, 2, 0));
        assert_eq!(sum.begins_at, 1_920);
        sum.add(0, &[9; 3]);
        assert_eq!((sum.late, sum.samples.len()), (8, 0), "and add nothing");
    }

    #[test]
    fn packets_come_until_the_encoder_has_caught_up() {
        let mut blend = Blend::new().unwrap();
        assert_eq!(blend.pre_skip(), 312);
        blend.sum.add(0, &[100; 1_920]);
        assert!(blend.is_next_over(Duration::from_millis(20)));
        assert!(!blend.is_next_over(Duration::from_millis(19)));
        assert_eq!(blend.packets_left(), 3);
        let mut room = [0; PACKET_BYTES_MAX];
        for at in [20, 40, 60] {
            assert!(blend.encode(&mut room).unwrap() > 0);
            assert_eq!(blend.next_at(), Millis(at));
        }
    }
}

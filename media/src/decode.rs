//! Owns turning the packets of one track into sound at its place in time. Reads no container and
//! keeps no sound; what is particular to a codec is in a module of its own.

mod aac;
mod described;
mod opus;
mod resample;

use std::fmt;
use std::time::Duration;

use self::aac::Aac;
pub(crate) use self::described::DescribedSound;
use self::opus::Opus;
use self::resample::Resampler;
use crate::limits;
use crate::mp4::{self, SoundCodec};
use crate::opus::OpusHead;
use crate::tracks::{TrackEntry, TrackKind};

/// Samples of decoded sound in a second: enough for speech, and more than enough for a picture.
pub const SOUND_RATE_HZ: u32 = 16_000;
/// All that Opus has.
pub(crate) const FULL_RATE_HZ: u32 = 48_000;

/// `OpusHead` counts pre-skip at this rate (RFC 7845 section 5.1).
const HEAD_RATE: i64 = 48_000;

/// Samples of decoded sound in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(u32);

/// For a picture: [`SOUND_RATE_HZ`].
pub(crate) const DRAWN: Rate = Rate(SOUND_RATE_HZ);
/// To be heard again.
pub(crate) const IN_FULL: Rate = Rate(FULL_RATE_HZ);

/// The next piece of a track's sound: silence, then samples. The pieces follow each other without
/// a gap, and the first begins at the zero of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound<'a> {
    /// Samples of silence; only counted, since a gap can last for hours.
    pub silence: u64,
    /// What plays after it: one channel at the rate that the track is decoded at.
    pub samples: &'a [i16],
}

impl Sound<'_> {
    const NONE: Self = Sound { silence: 0, samples: &[] };
}

/// What became of a track's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeReport {
    /// Packets decoded.
    pub decoded: u64,
    /// Packets that can't be decoded; there is silence in their place.
    pub bad: u64,
    /// Packets dropped because sound was there already for more than half of their time.
    pub overlapping: u64,
    /// Packets dropped because they end after [`limits::SOUND_DURATION_MAX`].
    pub too_late: u64,
}

/// Decodes one track, packet by packet, and mixes its channels into one.
///
/// A gap in time becomes silence of its length. Behind one that a packet could be lost in, decoding
/// begins anew as after a seek: Opus may be too quiet for 80 ms (RFC 7845 section 4.6), AAC for one
/// packet. If it went on with what it knew from before, silence would sound as loud as what was
/// before the gap. What a decoder puts out before the sound begins is dropped, and all sound plays
/// earlier by it: the pre-skip of a WebM's header, as Matroska's CodecDelay wants (RFC 9559 section
/// 5.1.4.1), what an MP4's edit list cuts off (ISO/IEC 14496-12 section 8.6.6).
///
/// Packets come from strangers: none makes this panic, and all together cost at most the decoding
/// of twice [`limits::SOUND_DURATION_MAX`], however many there are.
pub struct SoundTrack {
    codec: Codec,
    /// Dropped from the beginning, in samples of the codec.
    pre_skip: i64,
    /// Added to the time of every packet.
    late_by: Duration,
    /// Where the sound so far ends, in samples of the codec; negative inside the pre-skip.
    played: i64,
    /// Where the codec has a rate of its own.
    resampler: Option<Resampler>,
    report: DecodeReport,
}

/// What a track is decoded by.
enum Codec {
    Opus(Opus),
    Aac(Aac),
}

impl SoundTrack {
    /// Decodes the track of a WebM at [`SOUND_RATE_HZ`]. `None` if it is not Opus in one or two
    /// channels. A track without a readable header has neither pre-skip nor gain.
    #[must_use]
    pub fn new(track: &TrackEntry) -> Option<Self> {
        Self::of_webm(track, DRAWN)
    }

    fn of_webm(track: &TrackEntry, rate: Rate) -> Option<Self> {
        if track.kind != TrackKind::Audio || !track.is_opus() {
            return None;
        }
        let headless = OpusHead { pre_skip: 0, gain: 0, is_plain: true, channels: 1, family: 0 };
        let head = OpusHead::parse(&track.codec_private).unwrap_or(headless);
        let pre_skip = i64::from(head.pre_skip) * i64::from(rate.0) / HEAD_RATE;
        head.is_plain.then(|| Self {
            codec: Codec::Opus(Opus::new(rate, head.gain)),
            pre_skip,
            late_by: Duration::ZERO,
            played: -pre_skip,
            resampler: None,
            report: DecodeReport::default(),
        })
    }

    /// Decodes the packets that have this description, by its index. `None` if it is neither Opus nor
    /// AAC-LC, or has more than two channels. The times of packets are those of the track's own
    /// timeline, as the tables have them.
    fn of_mp4(track: &mp4::Track, description: usize, rate: Rate) -> Option<Self> {
        let codec = match track.sound_of(description)? {
            SoundCodec::Opus(head) => {
                head.is_plain.then(|| Codec::Opus(Opus::new(rate, head.gain)))?
            }
            SoundCodec::Aac(config) => Codec::Aac(Aac::new(&config)?),
        };
        let own = codec.rate();
        let pre_skip = own.samples_in(track.cut_off());
        Some(Self {
            resampler: Resampler::between(own.0, rate.0),
            codec,
            pre_skip,
            late_by: track.late_by(),
            played: -pre_skip,
            report: DecodeReport::default(),
        })
    }

    /// What the next packet adds to the sound; `at` is its timestamp in the file.
    pub fn decode(&mut self, at: Duration, packet: &[u8]) -> Sound<'_> {
        let Self { codec, resampler, report, played, .. } = self;
        let rate = codec.rate();
        let Some(length) = codec.length(packet) else {
            report.bad += 1;
            return Sound::NONE;
        };
        let start = rate.samples_in(at.saturating_add(self.late_by)) - self.pre_skip;
        let (gap, cut) = match Place::of(rate, start, length, *played) {
            Place::Plays { gap, cut } => (gap, cut),
            Place::Overlapping => {
                report.overlapping += 1;
                return Sound::NONE;
            }
            Place::TooLate => {
                report.too_late += 1;
                return Sound::NONE;
            }
        };
        if gap >= length {
            codec.begin_anew();
        }
        let length_in_pcm = usize::try_from(length).unwrap_or(0);
        let sound = match codec.decode(packet, length_in_pcm) {
            Some(pcm) => {
                report.decoded += 1;
                let silence = play(played, gap);
                let heard = usize::try_from(play(played, length - cut)).unwrap_or(0);
                Sound { silence, samples: &pcm[length_in_pcm - heard..] }
            }
            None => {
                report.bad += 1;
                Sound { silence: play(played, gap + length - cut), samples: &[] }
            }
        };
        match resampler {
            Some(resampler) => resampler.push(sound),
            None => sound,
        }
    }

    /// What is still to be heard when no packet follows: less than a few milliseconds.
    fn rest(&mut self) -> Sound<'_> {
        self.resampler.as_mut().map_or(Sound::NONE, Resampler::rest)
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn report(&self) -> DecodeReport {
        self.report
    }
}

/// Moves on and tells how many of the samples are heard: those in the pre-skip are not.
fn play(played: &mut i64, samples: i64) -> u64 {
    let from = (*played).max(0);
    *played += samples;
    u64::try_from(*played - from).unwrap_or(0)
}

impl fmt::Debug for SoundTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoundTrack")
            .field("codec", &self.codec.name())
            .field("rate", &self.codec.rate())
            .field("pre_skip", &self.pre_skip)
            .field("played", &self.played)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Codec {
    fn name(&self) -> &'static str {
        match self {
            Self::Opus(_) => "Opus",
            Self::Aac(_) => "AAC",
        }
    }

    /// At which it puts out samples.
    fn rate(&self) -> Rate {
        match self {
            Self::Opus(opus) => opus.rate(),
            Self::Aac(aac) => aac.rate(),
        }
    }

    /// How many samples a packet has; `None` if it does not say so.
    fn length(&self, packet: &[u8]) -> Option<i64> {
        match self {
            Self::Opus(opus) => opus.length(packet),
            Self::Aac(_) => Some(aac::PACKET_SAMPLES as i64),
        }
    }

    /// What was before has nothing to do with what follows.
    fn begin_anew(&mut self) {
        match self {
            Self::Opus(opus) => opus.begin_anew(),
            Self::Aac(aac) => aac.begin_anew(),
        }
    }

    /// A packet of so many samples, in one channel; `None` if it is bad, and then what follows
    /// begins anew.
    fn decode(&mut self, packet: &[u8], length: usize) -> Option<&[i16]> {
        match self {
            Self::Opus(opus) => opus.decode(packet, length),
            Self::Aac(aac) => aac.decode(packet),
        }
    }
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Rate {
    /// The nearest sample. Past all limits it need not be exact.
    const fn samples_in(self, duration: Duration) -> i64 {
        const NANOS: i64 = NANOS_PER_SECOND;
        let rate = self.0 as i64;
        let seconds = duration.as_secs();
        let seconds = if seconds > u32::MAX as u64 { u32::MAX as i64 } else { seconds as i64 };
        seconds * rate + (duration.subsec_nanos() as i64 * rate + NANOS / 2) / NANOS
    }

    const fn jitter_max(self) -> i64 {
        self.samples_in(limits::TIMESTAMP_JITTER_MAX)
    }

    const fn sound_max(self) -> i64 {
        self.samples_in(limits::SOUND_DURATION_MAX)
    }
}

/// Where a packet goes, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After a gap, or without the beginning that has been played over already.
    Plays {
        gap: i64,
        cut: i64,
    },
    Overlapping,
    TooLate,
}

impl Place {
    fn of(rate: Rate, start: i64, length: i64, played: i64) -> Self {
        let ahead = start - played;
        let (gap, cut) = if ahead.abs() <= rate.jitter_max() {
            (0, 0)
        } else if ahead > 0 {
            (ahead, 0)
        } else if -ahead * 2 <= length {
            (0, -ahead)
        } else {
            // Decoding every packet for a bit of new sound would let a few bytes cost hours.
            return Self::Overlapping;
        };
        if played + gap + length - cut > rate.sound_max() {
            return Self::TooLate;
        }
        Self::Plays { gap, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::test_track;

    const RATE: Rate = Rate(SOUND_RATE_HZ);
    const MS: i64 = RATE.0 as i64 / 1000;
    const JITTER_SAMPLES_MAX: i64 = RATE.jitter_max();
    const SOUND_SAMPLES_MAX: i64 = RATE.sound_max();

    fn track(pre_skip: u16) -> SoundTrack {
        let mut entry = test_track(TrackKind::Audio, "A_OPUS");
        let [low, high] = pre_skip.to_le_bytes();
        let fields = [1, 1, low, high, 0, 0, 0, 0, 0, 0, 0];
        entry.codec_private = [&b"OpusHead"[..], &fields].concat();
        SoundTrack::new(&entry).expect("an Opus track")
    }

    /// 20 ms of what a CELT encoder makes of silence.
    const SILENT_20_MS: [u8; 3] = [0xF8, 0xFF, 0xFE];

    fn lengths(track: &mut SoundTrack, at_millis: u64) -> (u64, usize) {
        let sound = track.decode(Duration::from_millis(at_millis), &SILENT_20_MS);
        (sound.silence, sound.samples.len())
    }

    #[test]
    fn a_duration_is_counted_in_whole_samples() {
        assert_eq!(RATE.samples_in(Duration::from_micros(2_500)), 40);
        assert_eq!(RATE.samples_in(Duration::from_nanos(31_250)), 1, "half a sample rounds up");
        assert_eq!(RATE.samples_in(Duration::from_nanos(31_249)), 0);
        assert!(RATE.samples_in(Duration::MAX) > SOUND_SAMPLES_MAX);
    }

    #[test]
    fn jitter_up_to_the_limit_is_smoothed_and_one_sample_more_is_not() {
        let (length, played) = (60 * MS, 1000 * MS);
        let at = |off: i64| Place::of(RATE, played + off, length, played);
        let unmoved = Place::Plays { gap: 0, cut: 0 };
        assert_eq!(at(JITTER_SAMPLES_MAX), unmoved);
        assert_eq!(at(-JITTER_SAMPLES_MAX), unmoved);
        let past = JITTER_SAMPLES_MAX + 1;
        assert_eq!(at(past), Place::Plays { gap: past, cut: 0 });
        assert_eq!(at(-past), Place::Plays { gap: 0, cut: past });
    }

    #[test]
    fn a_packet_is_cut_up_to_its_half_and_dropped_if_more_was_played() {
        let (length, played) = (60 * MS, 1000 * MS);
        let at = |off: i64| Place::of(RATE, played - off, length, played);
        assert_eq!(at(30 * MS), Place::Plays { gap: 0, cut: 30 * MS });
        assert_eq!(at(30 * MS + 1), Place::Overlapping);
        assert_eq!(at(900 * MS), Place::Overlapping);
    }

    #[test]
    fn sound_may_end_at_the_limit_and_not_one_sample_later() {
        let length = 20 * MS;
        let last = SOUND_SAMPLES_MAX - length;
        assert!(matches!(Place::of(RATE, last, length, 0), Place::Plays { .. }));
        assert_eq!(Place::of(RATE, last + 1, length, 0), Place::TooLate);
        assert!(matches!(Place::of(RATE, last, length, last), Place::Plays { .. }));
        assert_eq!(Place::of(RATE, last, length, last + 1), Place::TooLate, "moved by jitter");
        assert_eq!(Place::of(RATE, RATE.samples_in(Duration::MAX), length, 0), Place::TooLate);
    }

    #[test]
    fn a_gap_is_silence_and_what_follows_is_where_it_belongs() {
        let mut track = track(0);
        assert_eq!(lengths(&mut track, 0), (0, 320));
        assert_eq!(lengths(&mut track, 20), (0, 320));
        assert_eq!(lengths(&mut track, 100), (60 * 16, 320));
        assert_eq!(lengths(&mut track, 100), (0, 0), "the same once more");
        let report = DecodeReport { decoded: 3, overlapping: 1, ..DecodeReport::default() };
        assert_eq!(track.report(), report);
    }

    #[test]
    fn pre_skip_is_dropped_and_moves_everything_forward() {
        let mut firefox = track(312);
        assert_eq!(lengths(&mut firefox, 0), (0, 320 - 104));
        assert_eq!(lengths(&mut firefox, 20), (0, 320));
        assert_eq!(lengths(&mut firefox, 60), (320, 320));

        let mut long = track(3840);
        for at in [0, 20, 40, 60] {
            assert_eq!(lengths(&mut long, at), (0, 0), "80 ms are decoded and not heard");
        }
        assert_eq!(lengths(&mut long, 80), (0, 320));
        assert_eq!(long.report().decoded, 5);

        let mut late = track(3840);
        assert_eq!(lengths(&mut late, 100), (20 * 16, 320));
    }

    #[test]
    fn a_bad_packet_is_silence_of_the_length_it_claims() {
        let mut track = track(0);
        // Two frames of equal size need an even number of bytes.
        let odd = [0xF9, 1, 2, 3];
        let sound = track.decode(Duration::ZERO, &odd);
        assert_eq!(sound, Sound { silence: 640, samples: &[] });
        assert_eq!(lengths(&mut track, 40), (0, 320));
        assert_eq!(track.decode(Duration::from_millis(60), &[]), Sound::NONE);
        assert_eq!(lengths(&mut track, 80), (320, 320), "its place is silent too");
        assert_eq!(track.report(), DecodeReport { decoded: 2, bad: 2, ..Default::default() });
    }

    #[test]
    fn all_of_the_sound_has_three_times_the_samples_at_the_same_places() {
        let mut entry = test_track(TrackKind::Audio, "A_OPUS");
        entry.codec_private = b"OpusHead\x01\x01\x38\x01\0\0\0\0\0\0\0".to_vec();
        let mut full = SoundTrack::of_webm(&entry, IN_FULL).expect("an Opus track");
        assert_eq!(lengths(&mut full, 0), (0, 960 - 312));
        assert_eq!(lengths(&mut full, 60), (1920, 960));
    }

    #[test]
    fn only_opus_in_one_or_two_channels_is_decoded() {
        let plain = test_track(TrackKind::Audio, "A_OPUS");
        assert!(SoundTrack::new(&plain).is_some(), "without a header");
        let mut surround = plain;
        surround.codec_private = b"OpusHead\x01\x06\0\0\0\0\0\0\0\0\x01".to_vec();
        assert!(SoundTrack::new(&surround).is_none());
        assert!(SoundTrack::new(&test_track(TrackKind::Audio, "A_VORBIS")).is_none());
        assert!(SoundTrack::new(&test_track(TrackKind::Video, "A_OPUS")).is_none());
    }
}

//! Owns filling the gaps of a voice with packets of silence. Players treat a hole in the time of a track
//! each in its own way: some wait, some play on at once, and converters close it. Silence is played by
//! all alike.

use std::time::Duration;

use crate::limits;

const FRAME: Duration = Duration::from_millis(20);
/// As many as a packet may hold (RFC 6716 section 3.2.5, rule R5).
const FRAMES_MAX: u8 = 6;
/// CELT at full band, one channel, frames of 20 ms, any number of the same size in a packet (RFC 6716
/// section 3.1 and 3.2.5). A decoder of two channels plays it in both.
const TOC: u8 = 0xFB;
/// A frame that says of itself that it is silent (RFC 6716 section 4.3).
const SILENT_FRAME: [u8; 2] = [0xFF, 0xFE];

/// Follows one voice on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Voice {
    /// Where its own sound ends.
    sound_end: Duration,
    /// Where the silence after that ends.
    filled_to: Duration,
    /// All silence that it was given.
    given: Duration,
}

/// A packet to be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) at: Duration,
    frames: u8,
}

impl Voice {
    /// A packet of its own plays.
    pub(crate) fn sounds(&mut self, from: Duration, lasts: Duration) {
        self.sound_end = self.sound_end.max(from.saturating_add(lasts));
        self.filled_to = self.sound_end;
    }

    /// What has to be put in before something plays at `next`.
    pub(crate) fn silence_before(&self, next: Duration) -> Option<Silence> {
        if next.saturating_sub(self.sound_end) < limits::SILENCE_FROM {
            return None;
        }
        let fill_to = next.min(self.sound_end.saturating_add(limits::SILENCE_GAP_MAX));
        let gap = fill_to.saturating_sub(self.filled_to);
        let gap = gap.min(limits::SILENCE_TOTAL_MAX.saturating_sub(self.given));
        let room = gap.as_nanos() / FRAME.as_nanos();
        let frames = u8::try_from(room).unwrap_or(FRAMES_MAX).min(FRAMES_MAX);
        (frames > 0).then_some(Silence { at: self.filled_to, frames })
    }

    pub(crate) fn is_silent_for(&mut self, silence: Silence) {
        let lasts = FRAME * u32::from(silence.frames);
        self.filled_to = silence.at.saturating_add(lasts);
        self.given += lasts;
    }
}

/// What silence takes of a file at most that one voice is given in gaps of this length together.
#[must_use]
pub fn silence_bytes_max(gaps: Duration) -> u64 {
    let seconds = gaps.min(limits::SILENCE_TOTAL_MAX).as_secs().saturating_add(1);
    seconds.saturating_mul(limits::SILENCE_BYTES_PER_SECOND_MAX)
}

impl Silence {
    pub(crate) fn packet(self) -> Vec<u8> {
        let mut packet = vec![TOC, self.frames];
        for _ in 0..self.frames {
            packet.extend(SILENT_FRAME);
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::opus;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The packets that fill the time up to `next`.
    fn fill(voice: &mut Voice, next: Duration) -> Vec<Duration> {
        let mut lengths = Vec::new();
        while let Some(silence) = voice.silence_before(next) {
            lengths.extend(opus::packet_duration(&silence.packet()));
            voice.is_silent_for(silence);
        }
        lengths
    }

    #[test]
    fn a_gap_is_filled_up_to_less_than_a_frame_and_a_short_one_is_left() {
        let mut voice = Voice::default();
        voice.sounds(ms(0), ms(60));
        assert_eq!(fill(&mut voice, ms(60) + limits::SILENCE_FROM - ms(1)), []);
        assert_eq!(fill(&mut voice, ms(60 + 310)), [ms(120), ms(120), ms(60)]);
        assert_eq!(fill(&mut voice, ms(60 + 419)), [ms(100)], "it goes on where it was");
        voice.sounds(ms(480), ms(60));
        assert_eq!(fill(&mut voice, ms(560)), []);
    }

    #[test]
    fn a_packet_that_comes_late_takes_nothing_back() {
        let mut voice = Voice::default();
        voice.sounds(ms(100), ms(60));
        voice.sounds(ms(20), ms(60));
        assert_eq!(voice.silence_before(ms(161)), None);
        assert_eq!(voice.silence_before(ms(360)).map(|silence| silence.at), Some(ms(160)));
    }

    fn sum(lengths: &[Duration]) -> Duration {
        lengths.iter().sum()
    }

    #[test]
    fn a_gap_is_filled_up_to_the_limit_and_what_is_longer_stays_a_hole() {
        for (gap, filled) in [
            (limits::SILENCE_GAP_MAX, limits::SILENCE_GAP_MAX),
            (limits::SILENCE_GAP_MAX + FRAME, limits::SILENCE_GAP_MAX),
            (Duration::from_secs(20 * 3600), limits::SILENCE_GAP_MAX),
            (Duration::MAX, limits::SILENCE_GAP_MAX),
        ] {
            let mut voice = Voice::default();
            voice.sounds(ms(0), ms(60));
            assert_eq!(sum(&fill(&mut voice, gap.saturating_add(ms(60)))), filled, "{gap:?}");
        }
    }

    #[test]
    fn a_voice_is_given_so_much_silence_and_no_more() {
        let mut voice = Voice::default();
        let full = limits::SILENCE_TOTAL_MAX.as_secs() / limits::SILENCE_GAP_MAX.as_secs();
        for gap in 1..=full {
            let at = limits::SILENCE_GAP_MAX * u32::try_from(gap).unwrap();
            assert_eq!(sum(&fill(&mut voice, at)), limits::SILENCE_GAP_MAX, "gap {gap}");
            voice.sounds(at, Duration::ZERO);
        }
        let last = limits::SILENCE_TOTAL_MAX;
        assert_eq!(fill(&mut voice, last + limits::SILENCE_GAP_MAX), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn no_order_of_sounds_and_gaps_is_given_more_than_the_limits(
            sounds in prop::collection::vec((0..200_000_000_u64, 0..100_u64), 1..40),
        ) {
            let (mut voice, mut given, mut end) = (Voice::default(), Duration::ZERO, Duration::ZERO);
            for (at, lasts) in sounds {
                let filled = sum(&fill(&mut voice, ms(at)));
                prop_assert!(filled <= limits::SILENCE_GAP_MAX.min(ms(at).saturating_sub(end)));
                given += filled;
                voice.sounds(ms(at), ms(lasts));
                end = end.max(ms(at + lasts));
            }
            prop_assert!(given <= limits::SILENCE_TOTAL_MAX);
        }
    }
}

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
        let room = next.saturating_sub(self.filled_to).as_nanos() / FRAME.as_nanos();
        let frames = u8::try_from(room).unwrap_or(FRAMES_MAX).min(FRAMES_MAX);
        (frames > 0).then_some(Silence { at: self.filled_to, frames })
    }

    pub(crate) fn is_silent_for(&mut self, silence: Silence) {
        self.filled_to = silence.at + FRAME * u32::from(silence.frames);
    }
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
}

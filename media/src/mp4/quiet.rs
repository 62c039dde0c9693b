//! Owns packets of silence for the gaps of a voice in MP4, as `silence` does for WebM: AAC has them
//! too.

use std::time::Duration;

use crate::limits;
use crate::opus;
use crate::silence;

use super::moov::Track;
use super::sound::{AacConfig, SoundCodec};

/// AAC-LC without anything in it (ISO/IEC 14496-3 section 4.4.2): an element with no band, then the
/// end. Each element begins with three bits of what it is, each channel has 22 that are zero.
const SILENT_MONO: [u8; 4] = [0x00, 0x00, 0x00, 0x07];
const SILENT_STEREO: [u8; 7] = [0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0E];

/// Follows one voice on the timeline.
#[derive(Debug)]
pub(super) enum Voice {
    Opus(silence::Voice),
    Aac(AacVoice),
}

/// A packet to be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) packet: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct AacVoice {
    /// Of each description that the track has.
    configs: Vec<Option<AacConfig>>,
    /// Which of them the packet has that sounded last.
    description: usize,
    /// Where its own sound ends.
    sound_end: Duration,
    /// Packets of silence after that.
    filled: u32,
}

impl Voice {
    /// `None` if there is no silence of this kind.
    pub(super) fn of(track: &Track) -> Option<Self> {
        match track.sound()? {
            SoundCodec::Opus(_) => Some(Self::Opus(silence::Voice::default())),
            SoundCodec::Aac(_) => Some(Self::Aac(AacVoice::new(track.aac_configs()))),
        }
    }

    /// A packet of its own plays.
    pub(super) fn sounds(&mut self, from: Duration, description: usize, packet: &[u8]) {
        match self {
            Self::Opus(voice) => {
                voice.sounds(from, opus::packet_duration(packet).unwrap_or_default());
            }
            Self::Aac(voice) => voice.sounds(from, description),
        }
    }

    /// Index of the description that silence is by.
    pub(super) fn description(&self) -> usize {
        match self {
            Self::Opus(_) => 0,
            Self::Aac(voice) => voice.description,
        }
    }

    /// What has to be put in before something of its own plays at `next`.
    pub(super) fn silence_before(&self, next: Duration) -> Option<Silence> {
        match self {
            Self::Opus(voice) => {
                let silence = voice.silence_before(next)?;
                let packet = silence.packet();
                let lasts = opus::packet_duration(&packet)?;
                Some(Silence { at: silence.at, lasts, packet })
            }
            Self::Aac(voice) => voice.silence_before(next),
        }
    }

    pub(super) fn is_silent_until(&mut self, next: Duration) {
        match self {
            Self::Opus(voice) => {
                if let Some(silence) = voice.silence_before(next) {
                    voice.is_silent_for(silence);
                }
            }
            Self::Aac(voice) => voice.filled += 1,
        }
    }
}

impl AacVoice {
    fn new(configs: Vec<Option<AacConfig>>) -> Self {
        Self { configs, description: 0, sound_end: Duration::ZERO, filled: 0 }
    }

    fn config(&self) -> Option<AacConfig> {
        self.configs.get(self.description).copied().flatten()
    }

    fn sounds(&mut self, from: Duration, description: usize) {
        self.description = description;
        let lasts = self.config().map_or(Duration::ZERO, |config| config.packets_last(1));
        self.sound_end = self.sound_end.max(from.saturating_add(lasts));
        self.filled = 0;
    }

    fn silence_before(&self, next: Duration) -> Option<Silence> {
        let gap = next.saturating_sub(self.sound_end);
        let config = self.config()?;
        let end = config.packets_last(self.filled + 1);
        // The table of an MP4 has an entry for each: nights without a word are left out.
        let is_filled = (limits::SILENCE_FROM..=limits::MP4_SILENCE_MAX).contains(&gap);
        if !is_filled || end > gap {
            return None;
        }
        let at = self.sound_end + config.packets_last(self.filled);
        let packet = match config.channels {
            1 => SILENT_MONO.to_vec(),
            2 => SILENT_STEREO.to_vec(),
            _ => return None,
        };
        Some(Silence { at, lasts: config.packets_last(1), packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(channels: u8) -> AacVoice {
        AacVoice::new(vec![Some(AacConfig { rate_hz: 48_000, channels })])
    }

    fn fill(voice: &mut AacVoice, next: Duration) -> u32 {
        while voice.silence_before(next).is_some() {
            voice.filled += 1;
        }
        voice.filled
    }

    #[test]
    fn a_gap_is_filled_up_to_less_than_a_packet_and_a_short_or_endless_one_is_left() {
        let mut voice = voice(1);
        assert_eq!(fill(&mut voice, limits::SILENCE_FROM - Duration::from_millis(1)), 0);
        assert_eq!(fill(&mut voice, Duration::from_millis(1_000)), 46, "of 21 1/3 ms each");
        voice.sounds(Duration::from_secs(1), 0);
        assert_eq!(voice.silence_before(Duration::from_millis(1_030)), None);
        let end = voice.sound_end;
        assert!(voice.silence_before(end + limits::MP4_SILENCE_MAX).is_some());
        let more = limits::MP4_SILENCE_MAX + Duration::from_nanos(1);
        assert!(voice.silence_before(end + more).is_none());
    }

    #[test]
    fn a_description_that_is_not_known_has_no_silence() {
        let mut voice = voice(2);
        assert!(voice.silence_before(Duration::from_secs(1)).is_some());
        voice.sounds(Duration::ZERO, 7);
        assert!(voice.silence_before(Duration::from_secs(1)).is_none());
    }
}

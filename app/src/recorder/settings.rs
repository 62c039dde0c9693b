//! How things are recorded: said by the server in its page, read there by the browser adapter.

use protocol::Millis;

/// The element that carries the settings.
pub const SETTINGS_ID: &str = "recorder-settings";

/// Within the bounds named here. What a page says outside of them is taken for the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often the recorder is asked to hand over what it has. Browsers pack Opus in pieces of
    /// 60 ms, so 100 ms makes chunks of 120 ms: with the time to write one down, a killed browser
    /// costs less than 250 ms.
    pub timeslice: Millis,
    /// Opus is transparent for speech far below 128 kb/s; the rate leaves room for music and noise.
    pub audio_bits_per_second: u32,
    /// A face at 720 lines is clear at 1.5 Mb/s; more would only fill a slow uplink.
    pub video_bits_per_second: u32,
    /// How often a picture is taken where there is no video: every 2 s is enough to see who speaks,
    /// for a tenth of what video takes.
    pub still_every: Millis,
}

impl Settings {
    pub const DEFAULT: Self = Self {
        timeslice: Millis::new(100),
        audio_bits_per_second: 128_000,
        video_bits_per_second: 1_500_000,
        still_every: Millis::from_secs(2),
    };
    /// A longer timeslice would lose more than a second with a browser that is killed.
    pub const MIN: Self = Self {
        timeslice: Millis::new(20),
        audio_bits_per_second: 6_000,
        video_bits_per_second: 50_000,
        still_every: Millis::new(200),
    };
    pub const MAX: Self = Self {
        timeslice: Millis::from_secs(1),
        audio_bits_per_second: 510_000,
        video_bits_per_second: 20_000_000,
        still_every: Millis::from_secs(60),
    };

    #[must_use]
    pub fn within_bounds(self) -> Self {
        let Self { timeslice, audio_bits_per_second, video_bits_per_second, still_every } = self;
        let (min, max) = (Self::MIN, Self::MAX);
        Self {
            timeslice: timeslice.clamp(min.timeslice, max.timeslice),
            audio_bits_per_second: audio_bits_per_second
                .clamp(min.audio_bits_per_second, max.audio_bits_per_second),
            video_bits_per_second: video_bits_per_second
                .clamp(min.video_bits_per_second, max.video_bits_per_second),
            still_every: still_every.clamp(min.still_every, max.still_every),
        }
    }

    /// As the page carries it.
    pub fn to_text(self) -> String {
        let Self { timeslice, audio_bits_per_second, video_bits_per_second, still_every } = self;
        let (timeslice, still_every) = (timeslice.get(), still_every.get());
        format!("{timeslice} {audio_bits_per_second} {video_bits_per_second} {still_every}")
    }

    /// The defaults where the page says nothing that can be read.
    pub fn from_text(text: &str) -> Self {
        let numbers: Vec<u32> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
        let &[timeslice, audio_bits_per_second, video_bits_per_second, still_every] = &*numbers
        else {
            return Self::DEFAULT;
        };
        let (timeslice, still_every) = (u64::from(timeslice), u64::from(still_every));
        let (timeslice, still_every) = (Millis::new(timeslice), Millis::new(still_every));
        Self { timeslice, audio_bits_per_second, video_bits_per_second, still_every }
            .within_bounds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_page_and_stay_within_their_bounds() {
        for settings in [Settings::DEFAULT, Settings::MIN, Settings::MAX] {
            assert_eq!(Settings::from_text(&settings.to_text()), settings);
        }
        assert_eq!(Settings::from_text("19 5999 49999 199"), Settings::MIN);
        assert_eq!(Settings::from_text("1001 510001 20000001 60001"), Settings::MAX);
    }

    #[test]
    fn a_page_that_says_nothing_readable_gets_the_defaults() {
        for text in ["", "1 2 3", "1 2 3 4 5", "a b c d", "-1 2 3 4"] {
            assert_eq!(Settings::from_text(text), Settings::DEFAULT, "{text:?}");
        }
    }
}

//! What is kept an eye on while sound is captured: that there is sound, that the recorder delivers,
//! and that the page does not stand still. Knows no clock and no browser: time and what was seen
//! come in, and what follows from it comes out.

use protocol::item::Incident;
use protocol::{Millis, UnixMillis};

/// The loudest sample of a microphone that works is above this even in a quiet room; one that is
/// switched off, covered or broken delivers zeros, or the last few bits of its converter.
const LEVEL_SILENT_PEAK: f32 = 0.000_25;

/// So long a silence is told. The candidate is to know within 5 s, and up to 1.4 s pass before the
/// samples looked at are all silent and after that before the next look.
const LEVEL_SILENT_AFTER: Millis = Millis::new(3_500);

/// A recorder hands over something several times a second. One that owes so much has stopped working.
const RECORDER_STALLED_AFTER: Millis = Millis::from_secs(4);

/// The most that one look counts for: after the computer's sleep the recorder has had no time yet
/// to deliver, however long the clock says that it took.
const STALL_STEP_MAX: Millis = Millis::new(1_500);

/// While a recorder delivers, something happens several times a second in any page, hidden or not.
const PAGE_SLEPT_AFTER: Millis = Millis::from_secs(10);

/// Without one, the timers of a hidden page are all there is, and they may run once a minute.
const IDLE_PAGE_SLEPT_AFTER: Millis = Millis::from_secs(150);

/// Tells whether the microphone delivers anything. A level that is not known, because the browser
/// measures none just now, is no silence.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    silent_since: Option<Millis>,
    is_told: bool,
}

impl Silence {
    /// Takes the loudest sample, 0 to 1, since the last call. To be called at least every half of a
    /// second or so. Returns what is worth a note.
    pub(crate) fn hear(&mut self, now: Millis, peak: Option<f32>) -> Option<Incident> {
        if peak.is_none_or(|peak| peak >= LEVEL_SILENT_PEAK) {
            self.silent_since = None;
            return std::mem::take(&mut self.is_told).then_some(Incident::MicrophoneHeard);
        }
        let since = *self.silent_since.get_or_insert(now);
        if self.is_told || now < since + LEVEL_SILENT_AFTER {
            return None;
        }
        self.is_told = true;
        Some(Incident::MicrophoneSilent)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.is_told
    }

    /// Nothing is listened to for now, as in a pause: what was silent before is still told.
    pub(crate) fn rest(&mut self) {
        self.silent_since = None;
    }
}

/// Tells when a recorder that should deliver does not.
#[derive(Debug)]
pub(crate) struct Stall {
    looked_at: Millis,
    owed: Millis,
}

impl Stall {
    /// Of a recorder that starts now.
    pub(crate) fn new(now: Millis) -> Self {
        Self { looked_at: now, owed: Millis::ZERO }
    }

    pub(crate) fn delivered(&mut self, now: Millis) {
        *self = Self::new(now);
    }

    /// `may_deliver`: it is not paused, and its microphone is not muted. True once it has stalled.
    pub(crate) fn look(&mut self, now: Millis, may_deliver: bool) -> bool {
        let step = now.since(self.looked_at).min(STALL_STEP_MAX);
        self.looked_at = now;
        self.owed = if may_deliver { self.owed + step } else { Millis::ZERO };
        self.owed >= RECORDER_STALLED_AFTER
    }
}

/// Tells when the page stood still. A browser's own clock may stop while the computer sleeps, so
/// the wall's is asked too; that one may be set, which is no sleep, but cannot be told from it.
#[derive(Debug, Default)]
pub(crate) struct Sleep {
    seen: Option<(Millis, UnixMillis)>,
}

impl Sleep {
    /// To be called whenever anything happens. Returns how long nothing did, when that is more than
    /// the browser alone would explain.
    pub(crate) fn look(
        &mut self,
        now: Millis,
        wall: UnixMillis,
        is_delivering: bool,
    ) -> Option<Millis> {
        let (before, wall_before) = self.seen.replace((now, wall))?;
        let stood_still = now.since(before).max(wall.since(wall_before));
        let limit = if is_delivering { PAGE_SLEPT_AFTER } else { IDLE_PAGE_SLEPT_AFTER };
        Some(stood_still).filter(|span| *span >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: Option<f32> = Some(0.1);
    const NOTHING: Option<f32> = Some(0.0);
    const A_MOMENT: Millis = Millis::new(1);

    fn at(millis: u64) -> Millis {
        Millis::new(100_000 + millis)
    }

    #[test]
    fn silence_is_told_within_five_seconds_and_taken_back_at_once() {
        let mut silence = Silence::default();
        assert_eq!(silence.hear(at(0), NOTHING), None);
        let told = at(0) + LEVEL_SILENT_AFTER;
        assert_eq!(silence.hear(at(0) + (LEVEL_SILENT_AFTER - A_MOMENT), NOTHING), None);
        assert_eq!(silence.hear(told, NOTHING), Some(Incident::MicrophoneSilent));
        assert!(LEVEL_SILENT_AFTER < Millis::from_secs(5) && silence.is_silent());
        assert_eq!(silence.hear(told + A_MOMENT, NOTHING), None, "it is told once");
        let heard = silence.hear(told + A_MOMENT + A_MOMENT, LOUD);
        assert_eq!(heard, Some(Incident::MicrophoneHeard));
        assert!(!silence.is_silent());
    }

    #[test]
    fn a_single_sound_starts_the_wait_anew() {
        let mut silence = Silence::default();
        assert_eq!(silence.hear(at(0), NOTHING), None);
        assert_eq!(silence.hear(at(3_000), Some(LEVEL_SILENT_PEAK)), None);
        assert_eq!(silence.hear(at(4_000), NOTHING), None);
        assert_eq!(silence.hear(at(7_000), NOTHING), None);
        assert_eq!(silence.hear(at(7_500), NOTHING), Some(Incident::MicrophoneSilent));
    }

    #[test]
    fn a_level_below_the_threshold_is_silence_and_an_unknown_one_is_not() {
        let faint = Some(LEVEL_SILENT_PEAK * 0.99);
        for (peak, is_silent) in [(faint, true), (Some(LEVEL_SILENT_PEAK), false), (None, false)] {
            let mut silence = Silence::default();
            let _ = silence.hear(at(0), peak);
            let _ = silence.hear(at(4_000), peak);
            assert_eq!(silence.is_silent(), is_silent, "{peak:?}");
        }
    }

    #[test]
    fn a_pause_does_not_count_as_silence() {
        let mut silence = Silence::default();
        assert_eq!(silence.hear(at(0), NOTHING), None);
        silence.rest();
        assert_eq!(silence.hear(at(60_000), NOTHING), None);
    }

    #[test]
    fn a_recorder_has_stalled_when_it_owes_too_much_and_not_before() {
        let mut stall = Stall::new(at(0));
        for millis in (1_000..4_000).step_by(1_000) {
            assert!(!stall.look(at(millis), true), "{millis}");
        }
        assert!(!stall.look(at(3_999), true));
        assert!(stall.look(at(4_000), true));
    }

    #[test]
    fn a_recorder_that_delivers_or_is_not_expected_to_has_not_stalled() {
        let mut stall = Stall::new(at(0));
        for second in 1..60 {
            stall.delivered(at(second * 1_000 - 500));
            assert!(!stall.look(at(second * 1_000), true));
        }
        for second in 60..120 {
            assert!(!stall.look(at(second * 1_000), false), "paused");
        }
        assert!(!stall.look(at(120_000), true), "the pause counts");
    }

    #[test]
    fn a_long_sleep_is_no_stall_but_a_hidden_page_notices_one_in_the_end() {
        let mut stall = Stall::new(at(0));
        assert!(!stall.look(at(3_600_000), true), "it had no time yet to deliver");
        assert!(!stall.look(at(3_660_000), true));
        assert!(stall.look(at(3_720_000), true));
    }

    #[test]
    fn a_page_slept_when_either_clock_says_so() {
        let mut sleep = Sleep::default();
        assert_eq!(sleep.look(at(0), UnixMillis::new(1_000_000), true), None);
        assert_eq!(sleep.look(at(9_999), UnixMillis::new(1_009_999), true), None);
        assert_eq!(
            sleep.look(at(19_999), UnixMillis::new(1_019_999), true),
            Some(Millis::from_secs(10))
        );
        assert_eq!(
            sleep.look(at(20_249), UnixMillis::new(1_619_999), true),
            Some(Millis::from_secs(600))
        );
        assert_eq!(
            sleep.look(at(20_499), UnixMillis::new(600_000), true),
            None,
            "a clock set back is no sleep"
        );
    }

    #[test]
    fn a_hidden_page_without_a_recorder_is_slow_and_not_asleep() {
        let mut sleep = Sleep::default();
        assert_eq!(sleep.look(at(0), UnixMillis::new(0), false), None);
        assert_eq!(sleep.look(at(60_000), UnixMillis::new(60_000), false), None);
        assert_eq!(
            sleep.look(at(210_000), UnixMillis::new(210_000), false),
            Some(Millis::from_secs(150))
        );
    }
}

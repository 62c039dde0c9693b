//! Owns time in the units of MP4: ticks of a track's own timescale, and exact ways between them.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::units::SourceTime;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A position or distance in units of some track's [`Timescale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Ticks(pub(crate) i64);

/// Ticks a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timescale(NonZeroU32);

impl Timescale {
    pub(crate) fn new(ticks_per_second: u32) -> Option<Self> {
        NonZeroU32::new(ticks_per_second).map(Self)
    }

    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    fn wide(self) -> i128 {
        i128::from(self.0.get())
    }

    /// The time of a tick on a recorder's timeline.
    pub(crate) fn source_time(self, at: Ticks) -> SourceTime {
        SourceTime::from_nanos(divide_nearest(i128::from(at.0) * NANOS_PER_SECOND, self.wide()))
    }

    /// Zero for a negative position.
    pub(crate) fn duration(self, ticks: Ticks) -> Duration {
        let nanos = divide_nearest(i128::from(ticks.0) * NANOS_PER_SECOND, self.wide());
        Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    /// The tick nearest to a time.
    pub(crate) fn nearest(self, nanos: i128) -> Ticks {
        let ticks = divide_nearest(nanos.saturating_mul(self.wide()), NANOS_PER_SECOND);
        Ticks(saturate(ticks))
    }

    /// The same time counted by another scale; exact if that is possible.
    pub(crate) fn to(self, other: Self, ticks: Ticks) -> Ticks {
        if self == other {
            return ticks;
        }
        Ticks(saturate(divide_nearest(i128::from(ticks.0) * other.wide(), self.wide())))
    }

    /// The scale in which both count whole ticks, if there is a small enough one.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        let (one, two) = (self.get(), other.get());
        (one / greatest_divisor(one, two)).checked_mul(two).and_then(Self::new)
    }
}

fn saturate(ticks: i128) -> i64 {
    i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

/// Rounds half up; the divisor is positive.
fn divide_nearest(dividend: i128, divisor: i128) -> i128 {
    dividend.saturating_add(divisor / 2).div_euclid(divisor)
}

fn greatest_divisor(one: u32, two: u32) -> u32 {
    if two == 0 { one } else { greatest_divisor(two, one % two) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(ticks: u32) -> Timescale {
        Timescale::new(ticks).unwrap()
    }

    #[test]
    fn a_tick_survives_the_way_through_nanoseconds() {
        for per_second in [600, 20_000, 44_100, 48_000, 90_000, 1_000_000] {
            for tick in [0, 1, 2, 7, 123_457, 86_400 * i64::from(per_second)] {
                let there = scale(per_second).duration(Ticks(tick));
                let back = scale(per_second).nearest(i128::try_from(there.as_nanos()).unwrap());
                assert_eq!(back, Ticks(tick), "at {per_second} ticks a second");
            }
        }
    }

    #[test]
    fn ticks_of_one_scale_are_the_nearest_of_another() {
        assert_eq!(scale(48_000).to(scale(48_000), Ticks(7)), Ticks(7));
        assert_eq!(scale(1_000).to(scale(48_000), Ticks(60)), Ticks(2_880));
        assert_eq!(scale(48_000).to(scale(1_000), Ticks(24)), Ticks(1), "half a tick rounds up");
        assert_eq!(scale(1).to(scale(u32::MAX), Ticks(i64::MAX)), Ticks(i64::MAX));
        assert_eq!(scale(1).to(scale(u32::MAX), Ticks(i64::MIN)), Ticks(i64::MIN));
    }

    #[test]
    fn a_common_scale_counts_both_in_whole_ticks() {
        assert_eq!(scale(48_000).common(scale(20_000)), Some(scale(240_000)));
        assert_eq!(scale(48_000).common(scale(48_000)), Some(scale(48_000)));
        assert_eq!(scale(u32::MAX).common(scale(u32::MAX - 1)), None);
        assert_eq!(Timescale::new(0), None);
    }
}

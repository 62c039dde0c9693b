//! Owns where the moments of a recording without gaps lie on the timeline of its session.

use std::time::Duration;

/// A recording knows neither pauses nor gaps; its session's timeline has both. A schedule says by
/// how much later each moment lies on the timeline, from when on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// In the order of time; a later one replaces the one before.
    shifts: Vec<Shift>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    from: Duration,
    by: Duration,
}

impl Schedule {
    /// The recording and the timeline are the same.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From the moment `from` of the recording on, everything lies at least `by` later than in the
    /// recording. A shift never takes back what an earlier one added: the order of time stays.
    pub fn shift(&mut self, from: Duration, by: Duration) {
        let (from, by) = match self.shifts.last() {
            Some(last) => (from.max(last.from), by.max(last.by)),
            None => (from, by),
        };
        self.shifts.push(Shift { from, by });
    }

    /// By how much the last moments lie later: no gap is longer.
    pub(crate) fn longest(&self) -> Duration {
        self.shifts.last().map_or(Duration::ZERO, |shift| shift.by)
    }

    /// Where on the timeline a moment of the recording lies.
    #[must_use]
    pub fn place(&self, moment: Duration) -> Duration {
        let before = self.shifts.partition_point(|shift| shift.from <= moment);
        let by = before.checked_sub(1).map_or(Duration::ZERO, |last| self.shifts[last].by);
        moment.saturating_add(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn moments_lie_later_from_each_shift_on() {
        let mut schedule = Schedule::new();
        schedule.shift(secs(0), secs(2));
        schedule.shift(secs(10), secs(5));
        let places = [0, 9, 10, 11].map(|moment| schedule.place(secs(moment)));
        assert_eq!(places, [secs(2), secs(11), secs(15), secs(16)]);
        assert_eq!(Schedule::new().place(secs(7)), secs(7));
    }

    #[test]
    fn a_shift_that_would_take_time_back_changes_nothing() {
        let mut schedule = Schedule::new();
        schedule.shift(secs(10), secs(5));
        schedule.shift(secs(20), secs(3));
        schedule.shift(secs(5), secs(6));
        assert_eq!(schedule.place(secs(19)), secs(24));
        assert_eq!(schedule.place(secs(20)), secs(26));
        assert_eq!(schedule.place(secs(6)), secs(6));
    }

    proptest! {
        #[test]
        fn the_order_of_time_stays(
            shifts in prop::collection::vec((0..1_000_u64, 0..1_000_u64), 0..20),
            (one, other) in (0..2_000_u64, 0..2_000_u64),
        ) {
            let mut schedule = Schedule::new();
            for (from, by) in shifts {
                schedule.shift(secs(from), secs(by));
            }
            let (one, other) = (secs(one.min(other)), secs(one.max(other)));
            prop_assert!(schedule.place(one) <= schedule.place(other));
            prop_assert!(schedule.place(one) >= one);
        }
    }
}

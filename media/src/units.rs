//! Owns the typed units that cross module borders; arithmetic on them that can overflow is checked.

use std::fmt;
use std::time::Duration;

/// A position on the timeline of the written file, in whole milliseconds (its timestamp unit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The nearest whole millisecond; half a millisecond rounds up.
    #[must_use]
    pub fn nearest(time: Duration) -> Self {
        let rounded = time.saturating_add(Duration::from_micros(500)).as_millis();
        Self(u64::try_from(rounded).unwrap_or(u64::MAX))
    }

    /// The same position as a [`Duration`] from the start of the file.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// A position on a recorder's own timeline, in nanoseconds. It can be negative: a block's
/// timestamp is a signed distance from its cluster's (RFC 9559 section 10.2). Wide enough for
/// whatever a source says; what it says need not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceTime {
    nanos: i128,
}

impl SourceTime {
    /// The zero of the timeline.
    pub(crate) const ZERO: Self = Self { nanos: 0 };

    /// `(cluster + relative) * scale`.
    pub(crate) fn from_ticks(cluster: u64, relative: i16, scale_nanos: u64) -> Self {
        let ticks = i128::from(cluster) + i128::from(relative);
        Self { nanos: ticks.saturating_mul(i128::from(scale_nanos)) }
    }

    pub(crate) fn from_nanos(nanos: i128) -> Self {
        Self { nanos }
    }

    /// Nanoseconds from the zero of the recorder's timeline.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        self.nanos
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        duration_of(self.nanos.saturating_sub(earlier.nanos))
    }
}

/// So many nanoseconds; none if they are negative.
pub(crate) fn duration_of(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// The nanoseconds of a duration, for arithmetic that may go below zero.
pub(crate) fn nanos_of(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

/// A Matroska TrackNumber or an MP4 track id: names a track inside one source or one written file, never across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TrackNumber(pub u64);

impl fmt::Display for TrackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_to_the_nearest_millisecond() {
        assert_eq!(Millis::nearest(Duration::from_micros(2_499)), Millis(2));
        assert_eq!(Millis::nearest(Duration::from_micros(2_500)), Millis(3));
        assert_eq!(Millis::nearest(Duration::MAX), Millis(u64::MAX));
    }

    #[test]
    fn a_time_is_whatever_the_source_says() {
        assert_eq!(SourceTime::from_ticks(0, -5, 1_000_000).as_nanos(), -5_000_000);
        let last = SourceTime::from_ticks(u64::MAX, 0, u64::MAX);
        assert_eq!(last.as_nanos(), i128::MAX);
        assert_eq!(last.since(SourceTime::ZERO), Duration::from_nanos(u64::MAX));
        assert_eq!(SourceTime::ZERO.since(last), Duration::ZERO);
    }
}

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
/// timestamp is a signed distance from its cluster's (RFC 9559 section 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceTime {
    nanos: i64,
}

impl SourceTime {
    /// The zero of the timeline.
    pub(crate) const ZERO: Self = Self { nanos: 0 };

    /// `(cluster + relative) * scale`, or `None` if that is no sensible time.
    pub(crate) fn from_ticks(cluster: u64, relative: i16, scale_nanos: u64) -> Option<Self> {
        let ticks = i64::try_from(cluster).ok()?.checked_add(i64::from(relative))?;
        let nanos = ticks.checked_mul(i64::try_from(scale_nanos).ok()?)?;
        Some(Self { nanos })
    }

    pub(crate) fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// Nanoseconds from the zero of the recorder's timeline.
    #[must_use]
    pub fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.nanos) - i128::from(earlier.nanos);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
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
    fn a_time_that_overflows_is_none() {
        assert!(SourceTime::from_ticks(u64::MAX, 0, 1).is_none());
        assert!(SourceTime::from_ticks(1 << 50, 0, 1_000_000).is_none());
        assert!(SourceTime::from_ticks(1, 0, u64::MAX).is_none());
        assert_eq!(SourceTime::from_ticks(0, -5, 1_000_000).unwrap().as_nanos(), -5_000_000);
    }
}

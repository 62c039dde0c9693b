//! The two clocks: the wall clock for what is stored and shown, a monotonic one for deadlines
//! within the process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::{Millis, UnixMillis};

pub(crate) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

pub(crate) fn millis(span: Duration) -> Millis {
    Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Monotonic time since some point in the past, as the state machines want it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Monotonic(Instant);

impl Monotonic {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Millis {
        millis(self.0.elapsed())
    }

    pub(crate) fn instant(self, at: Millis) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.0 + Duration::from_millis(at.get()))
    }
}

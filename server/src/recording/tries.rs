//! Work that ended the server, or broke off, is not begun again at once and not for ever: each try is
//! noted before it begins, the next one waits longer each time, and after the last the session fails.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Millis, SessionId, UnixMillis};

use super::{CONCURRENT_MAX, Recordings};
use crate::clock;
use crate::store::{RECORDING_TRIES_MAX, StoreError, Tries};

/// How long to wait after the first try that never ended. After each further one, so many times as
/// long.
const WAIT: Millis = Millis::from_secs(2);
const WAIT_GROWS: u64 = 4;

/// Whether the next try may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// With so many of the permits: what has ended a server before is made alone, so that nobody
    /// else's recording goes with it.
    Now {
        permits: u32,
    },
    Later,
    NoMore,
}

pub(super) fn turn(tries: Tries, now: UnixMillis) -> Turn {
    if tries.unended >= RECORDING_TRIES_MAX {
        return Turn::NoMore;
    }
    if tries.unended > 0 && tries.not_before.is_some_and(|not_before| now < not_before) {
        return Turn::Later;
    }
    Turn::Now { permits: if tries.unended == 0 { 1 } else { CONCURRENT_MAX } }
}

/// After so many tries that never ended.
fn wait_after(unended: u32) -> Millis {
    let times = WAIT_GROWS.saturating_pow(unended.clamp(1, RECORDING_TRIES_MAX) - 1);
    Millis::new(WAIT.get().saturating_mul(times))
}

/// A session whose recording is being tried; until this is dropped.
pub(super) struct Trying<'a> {
    recordings: &'a Recordings,
    id: SessionId,
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.recordings.trying().remove(&self.id);
    }
}

impl Recordings {
    /// Durable on return.
    pub(super) async fn begin_try(&self, id: SessionId) -> Result<Trying<'_>, StoreError> {
        let store = &self.0.store;
        store.noting(store.begin_try(id)).await?;
        self.trying().insert(id);
        Ok(Trying { recordings: self, id })
    }

    pub(super) async fn end_try(&self, id: SessionId) {
        if let Err(error) = self.0.store.try_over(id).await {
            tracing::warn!(session = %id, %error, "a try that ended still counts");
        }
    }

    /// A try broke off without an end of its own.
    pub(super) async fn broke_off(&self, id: SessionId) {
        let held = match self.0.store.recording_tries(id).await {
            Ok(tries) => self.hold_back(id, tries.unended).await,
            Err(error) => Err(error),
        };
        if let Err(error) = held {
            tracing::error!(session = %id, %error, "the next try cannot be held back");
        }
    }

    /// To be called before anything is made: what is found was left by a server that is gone.
    pub(crate) async fn take_up(&self) -> Result<(), StoreError> {
        let sessions = self.0.store.give_up_ahead().await?;
        if sessions > 0 {
            tracing::info!(sessions, "not worked ahead for any more: the last server did not stop");
        }
        for (id, unended) in self.0.store.unended_tries().await? {
            self.hold_back(id, unended).await?;
        }
        Ok(())
    }

    /// The server stops in good order: what is cut off now has not ended it.
    pub(crate) async fn stop(&self) -> Result<(), StoreError> {
        let cut_off: Vec<SessionId> = self.trying().drain().collect();
        for id in cut_off {
            self.0.store.try_over(id).await?;
        }
        self.0.store.ahead_over().await
    }

    async fn hold_back(&self, id: SessionId, unended: u32) -> Result<(), StoreError> {
        let wait = wait_after(unended);
        tracing::warn!(
            session = %id, tries = unended, wait = ?Duration::from_millis(wait.get()),
            "making its recording ended the server, or broke off: the next try waits"
        );
        self.0.store.hold_back(id, clock::wall().plus(wait)).await
    }

    fn trying(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.0.trying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_000_000);

    fn after(unended: u32, not_before: Option<u64>) -> Turn {
        turn(Tries { unended, not_before: not_before.map(UnixMillis::new) }, NOW)
    }

    #[test]
    fn a_first_try_begins_at_once_beside_others() {
        assert_eq!(after(0, None), Turn::Now { permits: 1 });
        assert_eq!(after(0, Some(2_000_000)), Turn::Now { permits: 1 }, "those before it ended");
    }

    #[test]
    fn what_ended_the_server_waits_and_is_then_made_alone() {
        assert_eq!(after(1, Some(1_000_001)), Turn::Later);
        assert_eq!(after(1, Some(1_000_000)), Turn::Now { permits: CONCURRENT_MAX });
    }

    #[test]
    fn after_as_many_tries_as_the_limit_it_is_left_alone() {
        let all = Turn::Now { permits: CONCURRENT_MAX };
        assert_eq!(after(RECORDING_TRIES_MAX - 1, None), all);
        assert_eq!(after(RECORDING_TRIES_MAX, None), Turn::NoMore);
        assert_eq!(after(RECORDING_TRIES_MAX + 1, None), Turn::NoMore);
    }

    #[test]
    fn each_wait_is_longer_than_the_one_before() {
        let waits: Vec<u64> = (1..=RECORDING_TRIES_MAX).map(|one| wait_after(one).get()).collect();
        assert_eq!(waits, [2_000, 8_000, 32_000, 128_000, 512_000]);
        assert_eq!(wait_after(u32::MAX), wait_after(RECORDING_TRIES_MAX));
    }
}

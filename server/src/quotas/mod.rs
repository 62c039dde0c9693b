//! What one address may bring in a day, and how much room new sessions leave to those that run: whoever
//! is past a limit is refused here, and the log says which limit it was and how to raise it.

mod address;
mod told;
mod used;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::rules::Policy;
use ledger::{Append, Appended, Applied, Command, Ledger as _};
use protocol::limits::counted_bytes;
use protocol::receiver::Verdict;
use protocol::{Item, ItemError, Seq, SessionId, UnixMillis};

pub(crate) use address::Address;
use told::{Told, Whom};
use used::Used;

use crate::clock;
use crate::committer::{CommitError, Committer, Lane};
use crate::config::{Config, Limit};
use crate::error::ApiError;
use crate::store::{Disk, Store, StoreError};

/// What new sessions leave free unless the operator says otherwise: this, or a part of a disk that is
/// small.
const RESERVE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const RESERVE_PART_OF_DISK: u64 = 20;

/// Why a session is neither made nor opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Turned {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log has said more, once.
    #[error("past a limit: {}", .0.as_str())]
    Past(Limit),
}

impl From<Turned> for ApiError {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Store(error) => error.into(),
            Turned::Past(limit) => limit.into(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Quotas(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    policy: Policy,
    /// `None`: as large a reserve as fits the disk.
    reserve_bytes: Option<u64>,
    used: Mutex<Used>,
    told: Mutex<Told>,
}

impl Quotas {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Arc::new(Inner {
            policy: config.policy(),
            reserve_bytes: config.new_session_reserve.map(|size| size.0),
            used: Mutex::new(Used::new(
                config.sessions_per_address_day,
                config.bytes_per_address_day.0,
            )),
            told: Mutex::default(),
        }))
    }

    /// Carries out a command that opens a session, or may make one. Sessions that are there already are
    /// not refused for want of room or because there are many.
    pub(crate) async fn open(
        &self,
        store: &Store,
        from: Address,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> Result<Applied, Turned> {
        if !self.used().has_bytes_left(from, now) {
            return Err(Turned::Past(self.past_bytes(from, now)));
        }
        let is_new = command.started_at().is_some() && store.find(id).await?.is_none();
        let place = if is_new { Some(self.place(store, from, now)?) } else { None };
        let applied = store.carry_out(id, command, now).await?;
        if let Some(place) = place.filter(|_| applied.is_new()) {
            place.keep();
        }
        Ok(applied)
    }

    /// Stores what comes from an address, as long as it may bring more today. What is not stored, such
    /// as a duplicate, does not count.
    pub(crate) async fn append(
        &self,
        committer: &Committer,
        from: Address,
        lane: Lane,
        append: Append,
    ) -> Result<Appended, CommitError> {
        let (now, session) = (clock::wall(), append.session);
        let counted = |item: &Item| counted_bytes(item.payload_bytes()) as u64;
        let item_bytes: Vec<u64> = append.items.iter().map(counted).collect();
        let bytes = item_bytes.iter().sum();
        if !self.used().take_bytes(from, bytes, now) {
            return Err(CommitError::Past(self.past_bytes(from, now)));
        }
        let appended = committer.append(lane, append).await;
        let verdicts = match &appended {
            Ok(Ok(verdicts)) => verdicts.as_slice(),
            Ok(Err(_)) | Err(_) => &[],
        };
        let judged = item_bytes.iter().zip(verdicts);
        let is_stored = |(_, (_, verdict)): &(&u64, &(Seq, Verdict))| *verdict == Verdict::Stored;
        let stored: u64 = judged.filter(is_stored).map(|(bytes, _)| bytes).sum();
        self.used().give_bytes_back(from, bytes - stored, now);
        for (_, verdict) in verdicts {
            if let Verdict::Refused(error) = verdict {
                self.tell_refused(session, *error, now);
            }
        }
        appended
    }

    /// Which of the limits an item is past that was refused so.
    pub(crate) fn limit_of(&self, error: ItemError) -> Option<Limit> {
        Limit::of_refused(error, &self.0.policy).map(|(limit, _)| limit)
    }

    /// Says it to the operator, once, if something of a session was refused for a limit.
    pub(crate) fn tell_refused(&self, session: SessionId, error: ItemError, now: UnixMillis) {
        if let Some((limit, value)) = Limit::of_refused(error, &self.0.policy) {
            self.refuse(limit, value, Whom::Session(session), now);
        }
    }

    /// Room for one more session of an address.
    fn place(&self, store: &Store, from: Address, now: UnixMillis) -> Result<Place, Turned> {
        // A disk that is full is the store's to tell of.
        if !store.room().is_full() {
            match store.room().disk() {
                Ok(disk) => self.leave_room(disk, now)?,
                Err(error) => tracing::error!(%error, "it is not known how much room there is"),
            }
        }
        if !self.used().take_session(from, now) {
            let (whom, max) = (Whom::Address(from), self.used().sessions_max());
            return Err(Turned::Past(self.refuse(Limit::SessionsOfAddress, max, whom, now)));
        }
        Ok(Place { quotas: self.clone(), from, taken_at: now, is_kept: false })
    }

    fn leave_room(&self, disk: Disk, now: UnixMillis) -> Result<(), Turned> {
        let reserve = self.0.reserve_bytes.unwrap_or(reserve_of(disk));
        let (limit, whom) = (Limit::NewSessionReserve, Whom::Everybody);
        if disk.free_bytes < reserve {
            return Err(Turned::Past(self.refuse(limit, reserve, whom, now)));
        }
        self.told().forget(limit, whom);
        Ok(())
    }

    fn past_bytes(&self, from: Address, now: UnixMillis) -> Limit {
        let max = self.used().bytes_max();
        self.refuse(Limit::BytesOfAddress, max, Whom::Address(from), now)
    }

    /// Says it to the operator, once.
    fn refuse(&self, limit: Limit, value: u64, whom: Whom, now: UnixMillis) -> Limit {
        if self.told().is_news(limit, whom, now) {
            let (name, option) = (limit.as_str(), limit.option());
            tracing::warn!(limit = name, value, option, %whom, "refused: past a limit");
        }
        limit
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted as a session from the start, so that many at the same time are not more than may be; given
/// back when none was made.
struct Place {
    quotas: Quotas,
    from: Address,
    taken_at: UnixMillis,
    is_kept: bool,
}

impl Place {
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            self.quotas.used().give_session_back(self.from, self.taken_at);
        }
    }
}

/// What is kept free of a disk that the operator has said nothing of.
fn reserve_of(disk: Disk) -> u64 {
    RESERVE_BYTES.min(disk.all_bytes / RESERVE_PART_OF_DISK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);

    fn quotas(reserve_bytes: Option<u64>) -> Quotas {
        let (used, told) = (Mutex::new(Used::new(0, 0)), Mutex::default());
        Quotas(Arc::new(Inner { policy: ledger::conformance::POLICY, reserve_bytes, used, told }))
    }

    #[test]
    fn a_disk_with_the_reserve_left_has_room_for_new_sessions_and_with_a_byte_less_it_has_none() {
        const GB: u64 = 1 << 30;
        let (small, large) = (20 * GB, 1_000 * GB);
        for (reserve_bytes, all_bytes, reserve) in [
            (Some(7 * GB), large, 7 * GB),
            (Some(0), large, 0),
            (None, large, 2 * GB),
            (None, small, GB),
        ] {
            let quotas = quotas(reserve_bytes);
            let leaves_room =
                |free_bytes| quotas.leave_room(Disk { free_bytes, all_bytes }, NOW).is_ok();
            assert!(leaves_room(reserve));
            assert!(reserve == 0 || !leaves_room(reserve - 1), "{reserve_bytes:?}");
        }
    }
}

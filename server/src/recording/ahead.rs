//! Stitches long sessions while they are still being recorded, so that little is left to do when they
//! end. All of it is done again from the chunks when it is lost: nothing depends on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Seq, SessionId, SessionStatus, TrackNo};

use super::assemble::AssembleError;
use super::plan::Plan;
use super::stitching::Stitching;
use super::{Inner, Recordings};

/// How often it is looked what has come.
const EVERY: Duration = Duration::from_secs(2);
/// A shorter session is stitched in no time at its end.
const WORTH_BYTES: u64 = 1024 * 1024;
/// Sessions worked ahead for at the same time, the oldest first: each takes some memory and an open
/// file for each track.
const SESSIONS_MAX: u32 = 64;
/// Less room than this is left to the items.
const SPARED_BYTES: u64 = 1024 * 1024 * 1024;

/// What has been done ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<HashMap<SessionId, Standing>>);

#[derive(Debug)]
enum Standing {
    Begun(Begun),
    /// It cannot be done; why is found out at the end.
    GivenUp,
}

/// The beginnings of a session's files.
#[derive(Debug, Default)]
pub(super) struct Begun {
    tracks: BTreeMap<TrackNo, Stitching>,
    /// Up to here nothing is missing.
    unbroken_until: Option<Seq>,
}

impl Begun {
    pub(super) fn take(&mut self, track: TrackNo) -> Option<Stitching> {
        self.tracks.remove(&track)
    }

    fn is_new(&self) -> bool {
        self.unbroken_until.is_none()
    }

    /// The room that it has taken.
    pub(super) fn bytes(&self) -> u64 {
        self.tracks.values().map(Stitching::taken_bytes).sum()
    }
}

impl Ahead {
    /// What was done for this session; nothing is done for it meanwhile.
    pub(super) fn take(&self, id: SessionId) -> Begun {
        match self.standings().remove(&id) {
            Some(Standing::Begun(begun)) => begun,
            Some(Standing::GivenUp) | None => Begun::default(),
        }
    }

    /// `None`: it was given up.
    fn resume(&self, id: SessionId) -> Option<Begun> {
        let is_given_up = matches!(self.standings().get(&id), Some(Standing::GivenUp));
        (!is_given_up).then(|| self.take(id))
    }

    fn put(&self, id: SessionId, standing: Standing) {
        self.standings().insert(id, standing);
    }

    fn forget_all_but(&self, ids: &HashSet<SessionId>) {
        self.standings().retain(|id, _| ids.contains(id));
    }

    fn standings(&self) -> MutexGuard<'_, HashMap<SessionId, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recordings {
    /// Until the server stops.
    pub(crate) async fn work_ahead(&self) {
        let mut pause = EVERY;
        loop {
            tokio::select! {
                () = self.0.stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = match self.round().await {
                Ok(true) => Duration::ZERO,
                Ok(false) => EVERY,
                Err(error) => {
                    tracing::warn!(%error, "no recording can be worked ahead for");
                    EVERY
                }
            };
        }
    }

    /// One portion for each session that has something new. False when that was all.
    async fn round(&self) -> Result<bool, AssembleError> {
        let Inner { store, ahead, scratch, .. } = &*self.0;
        if store.room().is_full() || store.room().check(scratch, SPARED_BYTES).is_err() {
            ahead.forget_all_but(&HashSet::new());
            return Ok(false);
        }
        let sessions = store.long_sessions(WORTH_BYTES, SESSIONS_MAX).await?;
        ahead.forget_all_but(&sessions.iter().map(|(id, _)| *id).collect());
        let mut is_more = false;
        for (id, status) in sessions {
            if status == SessionStatus::Active && !self.0.stopping.is_cancelled() {
                is_more |= self.advance(id).await?;
            }
        }
        Ok(is_more)
    }

    /// False when there was no more than one portion.
    async fn advance(&self, id: SessionId) -> Result<bool, AssembleError> {
        let Inner { store, ahead, .. } = &*self.0;
        let lock = self.lock_of(id);
        let Ok(_not_while_one_is_made) = lock.try_lock() else { return Ok(false) };
        // Somebody may have made it since this session was found.
        if store.session(id).await?.status != SessionStatus::Active {
            return Ok(false);
        }
        let Some(begun) = ahead.resume(id) else { return Ok(false) };
        if begun.is_new() {
            store.begin_ahead(id).await?;
        }
        match self.take_portions(id, begun).await {
            Ok((begun, is_more)) => {
                ahead.put(id, Standing::Begun(begun));
                Ok(is_more)
            }
            Err(error) => {
                tracing::warn!(session = %id, %error, "its recording is not worked ahead for");
                ahead.put(id, Standing::GivenUp);
                Ok(false)
            }
        }
    }

    /// One portion of each track.
    async fn take_portions(
        &self,
        id: SessionId,
        mut begun: Begun,
    ) -> Result<(Begun, bool), AssembleError> {
        let Inner { store, scratch, .. } = &*self.0;
        let from = begun.unbroken_until.map_or(Seq::ZERO, Seq::next);
        let have = store.session(id).await?.have;
        let Some(until) = have.unbroken_from(from).or(begun.unbroken_until) else {
            return Ok((begun, false));
        };
        begun.unbroken_until = Some(until);
        let mut is_more = false;
        for track in Plan::media_of(store, id).await? {
            let stitching = match begun.take(track) {
                Some(stitching) => stitching,
                None => Stitching::begin(scratch, id, track)?,
            };
            stitching.touch()?;
            let stitching = if stitching.lacks(until) {
                stitching.take_some(store, until).await?
            } else {
                stitching
            };
            is_more |= stitching.lacks(until);
            begun.tracks.insert(track, stitching);
        }
        Ok((begun, is_more))
    }
}

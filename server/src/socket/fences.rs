//! Which connection of this process writes which session, so that a newer writer ends the older
//! one's connection at once. (The ledger refuses the older one's items in any case.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Epoch, SessionId};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Default)]
pub(crate) struct Fences(Arc<Mutex<HashMap<SessionId, (Epoch, CancellationToken)>>>);

/// Held by the connection that writes a session.
#[derive(Debug)]
pub(crate) struct Writing {
    fences: Fences,
    session: SessionId,
    epoch: Epoch,
    pub(crate) fenced: CancellationToken,
}

impl Fences {
    /// Ends the session's older writer, if this process has it.
    pub(crate) fn enter(&self, session: SessionId, epoch: Epoch) -> Writing {
        let fenced = CancellationToken::new();
        let mut writers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match writers.get(&session) {
            Some((newer, _)) if *newer > epoch => fenced.cancel(),
            Some((_, older)) => {
                older.cancel();
                writers.insert(session, (epoch, fenced.clone()));
            }
            None => {
                writers.insert(session, (epoch, fenced.clone()));
            }
        }
        Writing { fences: self.clone(), session, epoch, fenced }
    }
}

impl Writing {
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut writers = self.fences.0.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.get(&self.session).is_some_and(|(epoch, _)| *epoch == self.epoch) {
            writers.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UnixMillis;

    #[test]
    fn a_newer_writer_fences_off_the_older_and_not_the_other_way_round() {
        let fences = Fences::default();
        let session = SessionId::from_parts(UnixMillis::new(0), [0; 10]);
        let first = fences.enter(session, Epoch::new(1));
        let second = fences.enter(session, Epoch::new(2));
        assert!(first.fenced.is_cancelled() && !second.fenced.is_cancelled());
        drop(first);
        let late = fences.enter(session, Epoch::new(1));
        assert!(late.fenced.is_cancelled() && !second.fenced.is_cancelled());
        drop((late, second));
        assert!(fences.0.lock().unwrap().is_empty());
    }
}

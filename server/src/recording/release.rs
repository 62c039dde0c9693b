//! Lets go of what is not needed any more: the chunks that are in files, and all that a session has left
//! which was thrown away.

use ledger::jobs::JobEnd;
use ledger::{Ledger as _, Refused};
use protocol::{SessionId, SessionStatus};

use super::postponed::Postponed;
use super::{AssembleError, RecordingFiles, Recordings};
use crate::clock;
use crate::store::{KeptFile, Store, StoreError};

impl Recordings {
    /// Lets the chunks go that are in the files of a completed session.
    pub(crate) async fn release(&self, id: SessionId) -> JobEnd {
        let _one_at_a_time = self.lock_of(id).lock_owned().await;
        end_of(self.release_chunks(id).await)
    }

    /// Removes what a session that was thrown away has left.
    pub(crate) async fn erase(&self, id: SessionId) -> JobEnd {
        // Until then a part of it is in the scratch folder, or on its way to the recording.
        self.0.leases.end_beside(id).await;
        let _one_at_a_time = self.lock_of(id).lock_owned().await;
        drop(self.0.ahead.take(id));
        end_of(erase(&self.0.store, &self.0.files, id).await)
    }

    /// Only once all files are certainly there: until then the chunks are all there is.
    async fn release_chunks(&self, id: SessionId) -> Result<(), AssembleError> {
        let session = self.0.store.session(id).await?;
        let all_is_in_files = session.recording.is_some_and(|recording| recording.left_out == 0);
        if session.status != SessionStatus::Completed || !all_is_in_files {
            return Ok(());
        }
        for KeptFile { key, bytes } in self.0.store.kept_files(id).await? {
            if self.0.files.bytes_of(&key).await? != Some(bytes) {
                return Err(AssembleError::FileGone(key));
            }
        }
        Ok(self.0.store.release_payloads(id).await?)
    }
}

/// Removes what a session that was thrown away has left. Its rows tell for a while that it was there.
pub(crate) async fn erase(
    store: &Store,
    files: &RecordingFiles,
    id: SessionId,
) -> Result<(), AssembleError> {
    let Some(session) = store.find(id).await? else { return Ok(()) };
    if session.status != SessionStatus::Discarded {
        return Ok(());
    }
    files.delete_all(id).await?;
    store.erase_payloads(id).await?;
    if session.deadline.is_none_or(|until| until <= clock::wall()) {
        store.erase_rows(id).await?;
        tracing::info!(session = %id, "erased");
    }
    Ok(store.empty_wal().await?)
}

pub(super) fn end_of(done: Result<(), AssembleError>) -> JobEnd {
    match done {
        Ok(()) | Err(AssembleError::Store(StoreError::Refused(Refused::UnknownSession))) => {
            JobEnd::Done
        }
        Err(error) => {
            tracing::warn!(%error, "a job is not done");
            match Postponed::by(&error) {
                Some(postponed) => JobEnd::Postponed(postponed.as_str().into()),
                None => JobEnd::Failed(error.told()),
            }
        }
    }
}

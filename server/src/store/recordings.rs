//! What is noted of the recordings of sessions, with what follows for the session.

use ledger::{Applied, Command, MadeOf};
use media::Loudest;
use protocol::{Digest, Millis, SessionId, UnixMillis};

use super::rows::signed;
use super::tracks::{self, Made};
use super::{Store, StoreError};

impl Store {
    /// Notes a recording with all that was made beside it: its files are durable, and it can be played.
    pub async fn recording_playable(
        &self,
        id: SessionId,
        made: &Made,
        of: MadeOf,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let Made { recording, runs, .. } = made;
        let mut tx = self.begin().await?;
        self.apply_in(&mut tx, id, &Command::RecordingPlayable { of }, now).await??;
        sqlx::query(
            "UPDATE sessions SET recording_key = ?, recording_mime = ?, recording_bytes = ?, \
             recording_digest = NULL, recording_ms = ?, recording_left_out = ?, \
             recording_loudest = NULL WHERE id = ?",
        )
        .bind(&recording.key)
        .bind(&recording.mime)
        .bind(signed(recording.bytes))
        .bind(signed(recording.duration.get()))
        .bind(recording.left_out)
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        tracks::note_runs(&mut tx, id, runs).await?;
        tracks::replace(&mut tx, id, made).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes the digest of a recording that can be played: it is done. `None`, and nothing is noted, when
    /// another one has taken its place.
    pub async fn recording_done(
        &self,
        id: SessionId,
        made: &Made,
        digest: Digest,
        took: Millis,
        of: MadeOf,
        now: UnixMillis,
    ) -> Result<Option<Applied>, StoreError> {
        let Made { recording, sounds, .. } = made;
        let mut tx = self.begin().await?;
        let noted = sqlx::query(
            "UPDATE sessions SET recording_digest = ?, worked_ahead = 0 \
             WHERE id = ? AND recording_key = ?",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(&recording.key)
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() == 0 {
            return Ok(None);
        }
        let (duration, bytes, sounds) = (recording.duration, recording.bytes, *sounds);
        let done = Command::RecordingDone { of, duration, bytes, took, sounds };
        let applied = self.apply_in(&mut tx, id, &done, now).await??;
        tx.commit().await?;
        Ok(Some(applied))
    }

    /// Notes how loud a recording is, unless another one has taken its place.
    pub async fn note_loudest(
        &self,
        id: SessionId,
        key: &str,
        loudest: Loudest,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE sessions SET recording_loudest = ? WHERE id = ? AND recording_key = ?")
            .bind(loudest.get())
            .bind(id.as_bytes().as_slice())
            .bind(key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

//! How sessions end: finalized, completed, failed, discarded.

use media::Loudest;
use protocol::event::Asker;
use protocol::{Digest, Event, Millis, Seq, SessionEvent, SessionId, SessionStatus, UnixMillis};

use super::rows::signed;
use super::sessions::{fetch_guard, log};
use super::tracks::{self, KeptFile, Made};
use super::{Recording, Store, StoreError, Whose, tries};

/// Bytes of a failure's reason in the event log.
const REASON_BYTES_MAX: usize = 500;

/// Why a session is finalized.
#[derive(Debug, Clone, Copy)]
pub enum FinishedBy {
    Asked(Asker),
    /// The resume window is over.
    Deadline,
}

impl Store {
    /// Takes no more items from here on. `last_seq` is the writer's last, if it said so.
    pub async fn begin_finalizing(
        &self,
        id: SessionId,
        whose: Whose,
        by: FinishedBy,
        last_seq: Option<Seq>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        row.check(whose)?;
        let status = row.status.after(SessionEvent::FinishAsked)?;
        sqlx::query(
            "UPDATE sessions SET status = ?, deadline_at = NULL, failure = NULL, \
             last_seq = coalesce(?, last_seq) WHERE id = ?",
        )
        .bind(status.as_str())
        .bind(last_seq.map(|seq| signed(seq.get())))
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        if row.status == SessionStatus::Failed && matches!(by, FinishedBy::Asked(Asker::Reviewer)) {
            tries::allow_one_more(&mut tx, id).await?;
        }
        if row.status != SessionStatus::Finalizing {
            let event = match by {
                FinishedBy::Asked(by) => Event::FinishAsked { by, last_seq },
                FinishedBy::Deadline => Event::ResumeWindowOver,
            };
            log(&mut tx, id, now, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes a recording with all that was made beside it: its files are durable, and it can be played.
    /// One that was begun earlier may lack the last items: false, and nothing is noted, once the
    /// session is past that.
    pub async fn recording_playable(
        &self,
        id: SessionId,
        made: &Made,
        began_in: SessionStatus,
    ) -> Result<bool, StoreError> {
        let Made { recording, runs, .. } = made;
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        if is_past(began_in, row.status) {
            return Ok(false);
        }
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
        Ok(true)
    }

    /// Notes the digest of a recording that can be played: it is done. When the session was being
    /// finalized before the making began, it is completed by this. `None`, and nothing is noted, as of
    /// [`recording_playable`](Self::recording_playable).
    pub async fn recording_done(
        &self,
        id: SessionId,
        recording: &Recording,
        digest: Digest,
        took: Millis,
        began_in: SessionStatus,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        if is_past(began_in, row.status) {
            return Ok(None);
        }
        let status = row.status.after(SessionEvent::RecordingDurable).unwrap_or(row.status);
        let is_complete = status == SessionStatus::Completed;
        let noted = sqlx::query(
            "UPDATE sessions SET status = ?, recording_digest = ?, \
             recording_tries = 0, recording_not_before = NULL, worked_ahead = 0, \
             completed_at = CASE WHEN ? THEN coalesce(completed_at, ?) END \
             WHERE id = ? AND recording_key = ?",
        )
        .bind(status.as_str())
        .bind(digest.as_bytes().as_slice())
        .bind(is_complete)
        .bind(signed(now.get()))
        .bind(id.as_bytes().as_slice())
        .bind(&recording.key)
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() == 0 {
            return Ok(None);
        }
        let made = Event::RecordingMade {
            duration_ms: recording.duration,
            bytes: recording.bytes,
            took_ms: took,
            complete: is_complete,
        };
        log(&mut tx, id, now, made).await?;
        tx.commit().await?;
        Ok(Some(status))
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

    /// Throws a session away: its payloads are gone, and its files are nobody's any more; returns
    /// those, to be deleted. What was completed stays.
    pub async fn discard(
        &self,
        id: SessionId,
        whose: Whose,
        now: UnixMillis,
    ) -> Result<Vec<KeptFile>, StoreError> {
        let files = self.kept_files(id).await?;
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        row.check(whose)?;
        let status = row.status.after(SessionEvent::Discarded)?;
        sqlx::query(
            "UPDATE sessions SET status = ?, deadline_at = NULL, recording_key = NULL, \
             recording_mime = NULL, recording_bytes = NULL, recording_digest = NULL, \
             recording_ms = NULL, discarded_at = coalesce(discarded_at, ?) WHERE id = ?",
        )
        .bind(status.as_str())
        .bind(signed(now.get()))
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE items SET payload = NULL, payload_place = NULL WHERE session_id = ?")
            .bind(id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        tracks::delete(&mut tx, id).await?;
        if row.status != SessionStatus::Discarded {
            log(&mut tx, id, now, Event::Discarded).await?;
        }
        tx.commit().await?;
        Ok(files)
    }

    /// No recording could be made of a session that is being finalized.
    pub async fn recording_failed(
        &self,
        id: SessionId,
        reason: &str,
        took: Millis,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE sessions SET status = 'failed', failure = ? \
             WHERE id = ? AND status = 'finalizing'",
        )
        .bind(reason)
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        let reason = reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned();
        log(&mut tx, id, now, Event::RecordingFailed { reason, took_ms: took }).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether a session takes no items any more that took some when a recording of it was begun.
fn is_past(began_in: SessionStatus, status: SessionStatus) -> bool {
    began_in.takes_items() && !status.takes_items()
}

//! How sessions end: finalized, completed, failed, discarded.

use media::Loudest;
use protocol::event::Asker;
use protocol::{Event, Millis, Seq, SessionEvent, SessionId, SessionStatus, UnixMillis};

use super::rows::signed;
use super::sessions::{fetch_guard, log};
use super::tracks::{self, KeptFile, Made};
use super::{Store, StoreError, Whose, tries};

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

    /// Notes a durable recording with all that was made beside it. When the session was being
    /// finalized before the making began, it is completed by this. A recording that was begun
    /// earlier may lack the last items: `None`, and nothing is noted, once the session is past that.
    pub async fn recording_durable(
        &self,
        id: SessionId,
        made: &Made,
        took: Millis,
        began_in: SessionStatus,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        let Made { recording, runs, .. } = made;
        let mut tx = self.begin().await?;
        let row = fetch_guard(&mut tx, id).await?.ok_or(StoreError::UnknownSession)?;
        if began_in.takes_items() && !row.status.takes_items() {
            return Ok(None);
        }
        let status = row.status.after(SessionEvent::RecordingDurable).unwrap_or(row.status);
        sqlx::query(
            "UPDATE sessions SET status = ?, recording_key = ?, recording_mime = ?, \
             recording_bytes = ?, recording_digest = ?, recording_ms = ?, recording_left_out = ?, \
             recording_tries = 0, recording_not_before = NULL, worked_ahead = 0, \
             recording_loudest = CASE WHEN recording_key = ? THEN recording_loudest END, \
             completed_at = CASE WHEN ? THEN coalesce(completed_at, ?) END WHERE id = ?",
        )
        .bind(status.as_str())
        .bind(&recording.key)
        .bind(&recording.mime)
        .bind(signed(recording.bytes))
        .bind(recording.digest.as_bytes().as_slice())
        .bind(signed(recording.duration.get()))
        .bind(recording.left_out)
        .bind(&recording.key)
        .bind(status == SessionStatus::Completed)
        .bind(signed(now.get()))
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        tracks::note_runs(&mut tx, id, runs).await?;
        tracks::replace(&mut tx, id, made).await?;
        let made = Event::RecordingMade {
            duration_ms: recording.duration,
            bytes: recording.bytes,
            took_ms: took,
            complete: status == SessionStatus::Completed,
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

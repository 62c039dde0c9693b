//! Deleting what is not to be there any more, bit by bit, so that items need not wait for it.

use std::ops::RangeInclusive;

use ledger::Refused;
use protocol::{Seq, SessionId};

use super::rows::signed;
use super::{Store, StoreError};

/// Rows changed in one transaction: items wait meanwhile.
const ROWS_AT_ONCE: u32 = 500;

/// Tables with rows of sessions, and last the sessions' own.
const TABLES: [(&str, &str); 16] = [
    ("items", "session_id"),
    ("events", "session_id"),
    ("frames", "session_id"),
    ("track_files", "session_id"),
    ("left_out", "session_id"),
    ("supplement_left_out", "session_id"),
    ("supplement_files", "session_id"),
    ("supplements", "session_id"),
    ("chunk_runs", "session_id"),
    ("pause_cuts", "session_id"),
    ("pauses", "session_id"),
    ("connections", "session_id"),
    ("segment_ends", "session_id"),
    ("segments", "session_id"),
    ("jobs", "session_id"),
    ("sessions", "id"),
];

impl Store {
    /// Lets the payloads of the chunks go that are wholly in the recording; headers and digests stay, and
    /// so does all that came late. The caller has made sure that the session is completed, and that its
    /// files are there.
    pub async fn release_payloads(&self, id: SessionId) -> Result<(), StoreError> {
        for span in self.session(id).await?.in_time().ranges() {
            self.clear_payloads(
                id,
                span,
                "AND kind = 'chunk' AND EXISTS (SELECT 1 FROM sessions \
                WHERE id = ?1 AND recording_digest IS NOT NULL AND recording_left_out = 0)",
            )
            .await?;
        }
        Ok(())
    }

    /// The payloads of a session that was thrown away.
    pub async fn erase_payloads(&self, id: SessionId) -> Result<(), StoreError> {
        self.clear_payloads(id, Seq::ZERO..=Seq::new(u64::MAX), "").await
    }

    async fn clear_payloads(
        &self,
        id: SessionId,
        span: RangeInclusive<Seq>,
        which: &'static str,
    ) -> Result<(), StoreError> {
        let statement = format!(
            "UPDATE items SET payload = NULL, payload_place = NULL WHERE rowid IN \
             (SELECT rowid FROM items WHERE session_id = ?1 AND seq BETWEEN ?3 AND ?4 \
              AND (payload IS NOT NULL OR payload_place IS NOT NULL) {which} LIMIT ?2)"
        );
        self.bit_by_bit(id, statement, Some(span)).await
    }

    /// Deletes every row of a session that was thrown away, its own last.
    pub async fn erase_rows(&self, id: SessionId) -> Result<(), StoreError> {
        if self.session(id).await?.status != protocol::SessionStatus::Discarded {
            return Err(Refused::Discarded.into());
        }
        for (table, key) in TABLES {
            let statement = format!(
                "DELETE FROM {table} WHERE rowid IN \
                 (SELECT rowid FROM {table} WHERE {key} = ?1 LIMIT ?2)"
            );
            self.bit_by_bit(id, statement, None).await?;
        }
        Ok(())
    }

    async fn bit_by_bit(
        &self,
        id: SessionId,
        statement: String,
        span: Option<RangeInclusive<Seq>>,
    ) -> Result<(), StoreError> {
        loop {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
                .bind(id.as_bytes().as_slice())
                .bind(ROWS_AT_ONCE);
            if let Some(span) = &span {
                query = query.bind(signed(span.start().get())).bind(signed(span.end().get()));
            }
            let done = query.execute(&self.writer).await?;
            if done.rows_affected() < u64::from(ROWS_AT_ONCE) {
                return Ok(());
            }
        }
    }
}

//! What of the recorder runs is in no file: of those in the recording, and of those in the supplement.

use protocol::{SegmentNo, SessionId, TrackNo};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};

use super::rows::{signed, unsigned};
use super::{StoreError, Tx};

/// What of a recorder run is in no file. Its chunks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutRun {
    pub track: TrackNo,
    pub segment: SegmentNo,
    /// As far as they could be counted.
    pub packets: u64,
    pub bytes: u64,
    /// In words.
    pub why: String,
}

/// What it is left out of.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeftOutOf {
    Recording,
    Supplement,
}

impl LeftOutOf {
    const fn table(self) -> &'static str {
        match self {
            Self::Recording => "left_out",
            Self::Supplement => "supplement_left_out",
        }
    }

    /// In the order of the tracks and of their runs.
    pub(super) async fn runs(
        self,
        reader: &SqlitePool,
        id: SessionId,
    ) -> Result<Vec<LeftOutRun>, StoreError> {
        let statement = format!(
            "SELECT track, segment, packets, bytes, why FROM {} WHERE session_id = ? \
             ORDER BY track, segment",
            self.table()
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(id.as_bytes().as_slice())
            .fetch_all(reader)
            .await?;
        rows.iter().map(LeftOutRun::from_row).collect()
    }

    pub(super) async fn insert(
        self,
        tx: &mut Tx,
        id: SessionId,
        runs: &[LeftOutRun],
    ) -> Result<(), StoreError> {
        let statement = format!(
            "INSERT INTO {} (session_id, track, segment, packets, bytes, why) \
             VALUES (?, ?, ?, ?, ?, ?)",
            self.table()
        );
        for LeftOutRun { track, segment, packets, bytes, why } in runs {
            sqlx::query(AssertSqlSafe(statement.clone()))
                .bind(id.as_bytes().as_slice())
                .bind(track.get())
                .bind(segment.get())
                .bind(signed(*packets))
                .bind(signed(*bytes))
                .bind(why)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn delete(self, tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
        let statement = format!("DELETE FROM {} WHERE session_id = ?", self.table());
        sqlx::query(AssertSqlSafe(statement))
            .bind(id.as_bytes().as_slice())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

impl LeftOutRun {
    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            track: TrackNo::new(row.try_get("track")?),
            segment: SegmentNo::new(row.try_get("segment")?),
            packets: unsigned(row.try_get("packets")?),
            bytes: unsigned(row.try_get("bytes")?),
            why: row.try_get("why")?,
        })
    }
}

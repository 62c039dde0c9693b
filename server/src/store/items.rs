//! The ledger's rows: telling what is there, reading chunks back in order, letting them go.

use bytes::Bytes;
use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use protocol::{SegmentNo, Seq, SeqSet, SessionId, TrackNo};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{self, Segment, signed};
use super::{Store, StoreError};
use crate::ledger::payload::{PayloadStore, Placed};

/// A chunk read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChunk {
    pub seq: Seq,
    pub segment: SegmentNo,
    pub bytes: Bytes,
}

impl Store {
    /// Every seq that is stored.
    pub async fn have(&self, id: SessionId) -> Result<SeqSet, StoreError> {
        let rows = sqlx::query(
            "SELECT min(seq) AS first, max(seq) AS last FROM \
             (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island \
              FROM items WHERE session_id = ?) GROUP BY island",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        let mut have = SeqSet::new();
        for row in rows {
            let (first, last) = (row.try_get("first")?, row.try_get("last")?);
            have.insert_range(Seq::new(rows::unsigned(first))..=Seq::new(rows::unsigned(last)));
        }
        Ok(have)
    }

    /// The recorder runs of a session, in the order of their tracks and numbers.
    pub async fn segments(&self, id: SessionId) -> Result<Vec<Segment>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, segment, kind, mime, label, started_at_ms, duration_ms, \
             captured_until_ms FROM segments WHERE session_id = ? ORDER BY track, segment",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(Segment::from_row).collect()
    }

    /// Chunks of a track from `from` on, in seq order, about `bytes_max` of payload (at least one
    /// chunk). Empty at the end.
    pub async fn chunks(
        &self,
        payloads: &dyn PayloadStore,
        id: SessionId,
        track: TrackNo,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<StoredChunk>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, segment, payload_bytes, payload, payload_place FROM items \
             WHERE session_id = ? AND kind = 'chunk' AND track = ? AND seq >= ? \
             ORDER BY seq LIMIT ?",
        )
        .bind(id.as_bytes().as_slice())
        .bind(track.get())
        .bind(signed(from.get()))
        .bind(signed((bytes_max / ITEM_PAYLOAD_BYTES_MAX).max(1) as u64))
        .fetch_all(&self.reader)
        .await?;
        let mut chunks = Vec::with_capacity(rows.len());
        for row in rows {
            chunks.push(read_chunk(payloads, &row).await?);
        }
        Ok(chunks)
    }

    /// The tracks that have chunks.
    pub async fn tracks_with_chunks(&self, id: SessionId) -> Result<Vec<TrackNo>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT track FROM items WHERE session_id = ? AND kind = 'chunk' \
             ORDER BY track",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok(TrackNo::new(row.try_get("track")?))).collect()
    }

    /// How many recorder runs on these tracks have chunks.
    pub async fn segments_with_chunks(
        &self,
        id: SessionId,
        tracks: &[TrackNo],
    ) -> Result<u32, StoreError> {
        let mut count = 0;
        for track in tracks {
            let runs: u32 = sqlx::query_scalar(
                "SELECT count(DISTINCT segment) FROM items \
                 WHERE session_id = ? AND kind = 'chunk' AND track = ?",
            )
            .bind(id.as_bytes().as_slice())
            .bind(track.get())
            .fetch_one(&self.reader)
            .await?;
            count += runs;
        }
        Ok(count)
    }

    /// Lets the payloads of a completed session go, if the recording has all of them; headers and
    /// digests stay.
    pub async fn drop_payloads(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE items SET payload = NULL, payload_place = NULL \
             WHERE session_id = ? AND kind = 'chunk' \
             AND EXISTS (SELECT 1 FROM sessions WHERE id = session_id \
              AND status = 'completed' AND recording_left_out = 0)",
        )
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE sessions SET payloads_dropped = 1 \
             WHERE id = ? AND status = 'completed' AND recording_left_out = 0",
        )
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn read_chunk(
    payloads: &dyn PayloadStore,
    row: &SqliteRow,
) -> Result<StoredChunk, StoreError> {
    let placed = match row.try_get::<Option<String>, _>("payload_place")? {
        Some(place) => Placed::At(place),
        None => Placed::InRow(Bytes::from(
            row.try_get::<Option<Vec<u8>>, _>("payload")?
                .ok_or(StoreError::Corrupt("a payload that should be there"))?,
        )),
    };
    let bytes = payloads.fetch(placed).await?;
    if bytes.len() as u64 != rows::unsigned(row.try_get("payload_bytes")?) {
        return Err(StoreError::Corrupt("the length of a payload"));
    }
    Ok(StoredChunk {
        seq: Seq::new(rows::unsigned(row.try_get("seq")?)),
        segment: SegmentNo::new(row.try_get("segment")?),
        bytes,
    })
}

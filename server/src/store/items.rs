//! The ledger's rows: storing items once, telling what is there, reading chunks back in order.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use protocol::item::{ItemError, SegmentStart};
use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use protocol::receiver::Verdict;
use protocol::{Content, Digest, Epoch, Item, Marker, Seq, SeqSet, SessionId, SessionStatus};
use protocol::{SegmentNo, TrackNo};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, Transaction};

use super::rows::{self, Segment, signed};
use super::sessions::fetch_guard;
use super::{Store, StoreError};
use crate::ledger::payload::{PayloadStore, Placed};

/// Rows in one INSERT. SQLite allows 32,766 parameters; a fixed bound keeps statements cacheable.
const ROWS_PER_INSERT: usize = 64;

/// What one writer wants stored.
#[derive(Debug)]
pub struct Append {
    pub session: SessionId,
    pub epoch: Epoch,
    pub items: Vec<Item>,
}

/// What became of an [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    Judged(Vec<(Seq, Verdict)>),
    /// A newer writer has taken over: nothing was stored.
    Fenced,
}

/// A chunk read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChunk {
    pub seq: Seq,
    pub segment: SegmentNo,
    pub bytes: Bytes,
}

impl Store {
    /// Stores everything in one transaction, durable when this returns, and judges each item.
    pub async fn append(
        &self,
        payloads: &dyn PayloadStore,
        appends: &[&Append],
    ) -> Result<Vec<Appended>, StoreError> {
        let mut tx = self.begin().await?;
        let mut results = Vec::with_capacity(appends.len());
        for append in appends {
            results.push(append_one(&mut tx, payloads, append).await?);
        }
        tx.commit().await?;
        Ok(results)
    }

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
            "SELECT track, segment, kind, mime, label, started_at_ms, duration_ms FROM segments \
             WHERE session_id = ? ORDER BY track, segment",
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

    /// Lets the payloads of a completed session go; headers and digests stay.
    pub async fn drop_payloads(&self, id: SessionId) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE items SET payload = NULL, payload_place = NULL \
             WHERE session_id = ? AND kind = 'chunk' \
             AND (SELECT status FROM sessions WHERE id = session_id) = 'completed'",
        )
        .bind(id.as_bytes().as_slice())
        .execute(&self.writer)
        .await?;
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

async fn append_one(
    tx: &mut Transaction<'static, Sqlite>,
    payloads: &dyn PayloadStore,
    append: &Append,
) -> Result<Appended, StoreError> {
    let guard = fetch_guard(tx, append.session).await?.ok_or(StoreError::UnknownSession)?;
    if guard.epoch != append.epoch {
        return Ok(Appended::Fenced);
    }
    let inserted = if guard.status.takes_items() {
        insert(tx, payloads, append).await?
    } else {
        HashSet::new()
    };
    let stored = stored_digests(tx, append, &inserted).await?;
    let mut judged = Vec::with_capacity(append.items.len());
    let mut first_of_its_seq = inserted;
    for item in &append.items {
        let verdict = if first_of_its_seq.remove(&item.seq) {
            Verdict::Stored
        } else {
            verdict_of_second(stored.get(&item.seq), item, guard.status)
        };
        judged.push((item.seq, verdict));
    }
    Ok(Appended::Judged(judged))
}

fn verdict_of_second(stored: Option<&Digest>, item: &Item, status: SessionStatus) -> Verdict {
    match stored {
        Some(stored) => Verdict::of_second(stored, &item.digest),
        None if status.takes_items() => Verdict::Refused(ItemError::DigestConflict),
        None => Verdict::Refused(ItemError::SessionFinished),
    }
}

/// Inserts what is new and returns its seqs.
async fn insert(
    tx: &mut Transaction<'static, Sqlite>,
    payloads: &dyn PayloadStore,
    append: &Append,
) -> Result<HashSet<Seq>, StoreError> {
    let placed = payloads.place(append).await?;
    let mut inserted = HashSet::with_capacity(append.items.len());
    for (items, placed) in append.items.chunks(ROWS_PER_INSERT).zip(placed.chunks(ROWS_PER_INSERT))
    {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO items (session_id, seq, at_ms, kind, track, segment, payload_bytes, \
             digest, payload, payload_place) ",
        );
        query.push_values(items.iter().zip(placed), |mut row, (item, placed)| {
            let (kind, track, segment) = columns(item);
            row.push_bind(append.session.as_bytes().as_slice())
                .push_bind(signed(item.seq.get()))
                .push_bind(signed(item.at.get()))
                .push_bind(kind)
                .push_bind(track)
                .push_bind(segment)
                .push_bind(signed(item.payload_bytes() as u64))
                .push_bind(item.digest.as_bytes().as_slice());
            match placed {
                Placed::InRow(bytes) => row.push_bind(Some(&bytes[..])).push_bind(None::<&str>),
                Placed::At(place) => row.push_bind(None::<&[u8]>).push_bind(Some(place.as_str())),
            };
        });
        query.push(" ON CONFLICT (session_id, seq) DO NOTHING RETURNING seq");
        for row in query.build().fetch_all(&mut **tx).await? {
            inserted.insert(Seq::new(rows::unsigned(row.try_get(0)?)));
        }
    }
    count(tx, append, &inserted).await?;
    Ok(inserted)
}

/// Keeps the session's sums and its segments in step with what was just inserted.
async fn count(
    tx: &mut Transaction<'static, Sqlite>,
    append: &Append,
    inserted: &HashSet<Seq>,
) -> Result<(), StoreError> {
    if inserted.is_empty() {
        return Ok(());
    }
    let mut counted = HashSet::with_capacity(inserted.len());
    let (mut bytes, mut captured_ms) = (0, 0);
    for item in &append.items {
        if inserted.contains(&item.seq) && counted.insert(item.seq) {
            bytes += item.payload_bytes() as u64;
            captured_ms = captured_ms.max(item.at.get());
            if let Content::Marker(Marker::SegmentStarted(start)) = &item.content {
                insert_segment(tx, append.session, item, start).await?;
            }
        }
    }
    sqlx::query(
        "UPDATE sessions SET items = items + ?, payload_bytes = payload_bytes + ?, \
         captured_ms = max(captured_ms, ?) WHERE id = ?",
    )
    .bind(signed(counted.len() as u64))
    .bind(signed(bytes))
    .bind(signed(captured_ms))
    .bind(append.session.as_bytes().as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_segment(
    tx: &mut Transaction<'static, Sqlite>,
    session: SessionId,
    item: &Item,
    start: &SegmentStart,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO segments (session_id, track, segment, kind, mime, label, started_at_ms) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, track, segment) DO NOTHING",
    )
    .bind(session.as_bytes().as_slice())
    .bind(start.track.get())
    .bind(start.segment.get())
    .bind(start.kind.as_str())
    .bind(&start.mime)
    .bind(&start.label)
    .bind(signed(item.at.get()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn columns(item: &Item) -> (&'static str, Option<u8>, Option<u32>) {
    match &item.content {
        Content::Chunk { track, segment, .. } => ("chunk", Some(track.get()), Some(segment.get())),
        Content::Marker(_) => ("marker", None, None),
    }
}

/// The digests under which the seqs that were not inserted are stored.
async fn stored_digests(
    tx: &mut Transaction<'static, Sqlite>,
    append: &Append,
    inserted: &HashSet<Seq>,
) -> Result<HashMap<Seq, Digest>, StoreError> {
    let mut stored = HashMap::new();
    let distinct: HashSet<Seq> = append.items.iter().map(|item| item.seq).collect();
    if distinct.len() == append.items.len() && inserted.len() == distinct.len() {
        return Ok(stored);
    }
    for seq in distinct {
        let row = sqlx::query("SELECT digest FROM items WHERE session_id = ? AND seq = ?")
            .bind(append.session.as_bytes().as_slice())
            .bind(signed(seq.get()))
            .fetch_optional(&mut **tx)
            .await?;
        if let Some(row) = row {
            stored.insert(seq, rows::digest(&row.try_get::<Vec<u8>, _>(0)?)?);
        }
    }
    Ok(stored)
}

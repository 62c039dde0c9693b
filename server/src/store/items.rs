//! The ledger's rows: reading chunks back in order.

use std::ops::RangeInclusive;

use bytes::Bytes;
use futures::TryStreamExt as _;
use protocol::{Content, Digest, Item, Millis, SegmentNo, Seq, SessionId, TrackNo};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use super::payload::{PayloadStore, Placed};
use super::rows::{self, signed};
use super::{Store, StoreError};

/// Chunks read back at once, however small they are: each costs memory beside its bytes.
const CHUNKS_PER_READ_MAX: usize = 4_096;

/// Chunks as they were read, about which nothing is known before their digests are made again. That is
/// work for a thread that may take its time.
#[derive(Debug)]
#[must_use = "they are read to be checked"]
pub struct Unchecked {
    track: TrackNo,
    read: Vec<(StoredChunk, Digest)>,
}

/// A chunk read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChunk {
    pub seq: Seq,
    pub segment: SegmentNo,
    /// When it was captured, on the session's timeline.
    pub at: Millis,
    pub payload: Payload,
}

/// What is there of a chunk that was acked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The bytes that the digest was made of.
    Intact(Bytes),
    /// A hole in the recording.
    Unreadable(Unreadable),
}

/// What became of a payload since it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("its payload is gone")]
    Gone,
    #[error("its payload has another length")]
    OtherLength,
    #[error("its payload does not match its digest")]
    WrongDigest,
}

impl Unchecked {
    pub fn last_seq(&self) -> Option<Seq> {
        self.read.last().map(|(chunk, _)| chunk.seq)
    }

    /// As many as are read at once.
    pub fn is_full(&self, bytes_max: usize) -> bool {
        self.read.len() >= CHUNKS_PER_READ_MAX
            || self.read.iter().map(|(chunk, _)| chunk.payload_bytes()).sum::<usize>() >= bytes_max
    }

    /// What is another one than its digest was made of is unreadable.
    pub fn checked(self) -> impl Iterator<Item = StoredChunk> {
        let Self { track, read } = self;
        read.into_iter().map(move |(chunk, digest)| checked(chunk, track, &digest))
    }
}

impl StoredChunk {
    /// Of what can be read.
    pub fn payload_bytes(&self) -> usize {
        match &self.payload {
            Payload::Intact(bytes) => bytes.len(),
            Payload::Unreadable(_) => 0,
        }
    }
}

impl Store {
    /// Chunks of a track, in seq order, about `bytes_max` of payload (at least one chunk), and no more
    /// than `CHUNKS_PER_READ_MAX`. None when there is none in `span`.
    pub async fn chunks(
        &self,
        id: SessionId,
        track: TrackNo,
        span: RangeInclusive<Seq>,
        bytes_max: usize,
    ) -> Result<Unchecked, StoreError> {
        let mut rows = sqlx::query(
            "SELECT seq, segment, at_ms, payload_bytes, digest, payload, payload_place FROM items \
             WHERE session_id = ? AND kind = 'chunk' AND track = ? AND seq BETWEEN ? AND ? \
             ORDER BY seq",
        )
        .bind(id.as_bytes().as_slice())
        .bind(track.get())
        .bind(signed(span.start().get()))
        .bind(signed(span.end().get()))
        .fetch(&self.reader);
        let (mut read, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max
            && read.len() < CHUNKS_PER_READ_MAX
            && let Some(row) = rows.try_next().await?
        {
            let (chunk, digest) = read_chunk(&*self.payloads, &row).await?;
            bytes += chunk.payload_bytes();
            read.push((chunk, digest));
        }
        Ok(Unchecked { track, read })
    }
}

/// The markers of a session under some numbers, in their order.
pub(super) async fn markers(
    database: impl SqliteExecutor<'_>,
    id: SessionId,
    span: &RangeInclusive<Seq>,
) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, at_ms, payload FROM items \
         WHERE session_id = ? AND kind = 'marker' AND seq BETWEEN ? AND ? ORDER BY seq",
    )
    .bind(id.as_bytes().as_slice())
    .bind(signed(span.start().get()))
    .bind(signed(span.end().get()))
    .fetch_all(database)
    .await?;
    let marker = |row: &SqliteRow| {
        let marker = postcard::from_bytes(row.try_get("payload")?)
            .map_err(|_| StoreError::Corrupt("a marker"))?;
        let (seq, at) = (row.try_get("seq")?, row.try_get("at_ms")?);
        let (seq, at) = (Seq::new(rows::unsigned(seq)), Millis::new(rows::unsigned(at)));
        Ok(Item::new(seq, at, Content::Marker(marker)))
    };
    rows.iter().map(marker).collect()
}

/// A chunk, and what its digest has to be.
async fn read_chunk(
    payloads: &dyn PayloadStore,
    row: &SqliteRow,
) -> Result<(StoredChunk, Digest), StoreError> {
    let placed = match row.try_get::<Option<String>, _>("payload_place")? {
        Some(place) => Some(Placed::At(place)),
        None => row.try_get::<Option<Vec<u8>>, _>("payload")?.map(Bytes::from).map(Placed::InRow),
    };
    let bytes = match placed {
        Some(placed) => fetched(payloads.fetch(placed).await)?,
        None => None,
    };
    let length = rows::unsigned(row.try_get("payload_bytes")?);
    let payload = match bytes {
        Some(bytes) if bytes.len() as u64 == length => Payload::Intact(bytes),
        Some(_) => Payload::Unreadable(Unreadable::OtherLength),
        None => Payload::Unreadable(Unreadable::Gone),
    };
    let chunk = StoredChunk {
        seq: Seq::new(rows::unsigned(row.try_get("seq")?)),
        segment: SegmentNo::new(row.try_get("segment")?),
        at: Millis::new(rows::unsigned(row.try_get("at_ms")?)),
        payload,
    };
    Ok((chunk, rows::digest(row.try_get("digest")?)?))
}

/// A payload that is not where it should be is a hole; a place that cannot be reached now is not.
fn fetched(fetched: Result<Bytes, StoreError>) -> Result<Option<Bytes>, StoreError> {
    match fetched {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digest is over header and payload: it is made again of both.
fn checked(chunk: StoredChunk, track: TrackNo, digest: &Digest) -> StoredChunk {
    let StoredChunk { seq, segment, at, payload } = chunk;
    let payload = match payload {
        Payload::Intact(bytes) => {
            let content = Content::Chunk { track, segment, bytes: bytes.clone() };
            if Digest::of_item(seq, at, &content) == *digest {
                Payload::Intact(bytes)
            } else {
                Payload::Unreadable(Unreadable::WrongDigest)
            }
        }
        unreadable @ Payload::Unreadable(_) => unreadable,
    };
    StoredChunk { seq, segment, at, payload }
}

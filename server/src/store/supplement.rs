//! What came after the recording was made: that it came, what it is of, and the files that were made of it.
//! Nothing of it goes into the rows that the recording's timeline is built from.

use std::collections::{BTreeMap, HashMap};

use ledger::Command;
use protocol::item::SegmentStart;
use protocol::{
    Content, Item, Marker, Millis, SegmentNo, SeqSet, SessionId, TrackKind, TrackNo, UnixMillis,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::left_out::{LeftOutOf, LeftOutRun};
use super::rows::{signed, unix_millis, unsigned};
use super::{Store, StoreError, Tx, derived, events, items, timelines};

/// What has come late of a session, and what was made of it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplement {
    /// When the first and the last of it came.
    pub first_at: UnixMillis,
    pub last_at: UnixMillis,
    /// `None`: nothing was made of it yet.
    pub made_at: Option<UnixMillis>,
    /// Items that were there when it was made.
    pub items: u64,
    /// Among them; they are in no file.
    pub pictures: u64,
    /// In the order of the tracks and of their parts.
    pub files: Vec<SupplementFile>,
    /// Recorder runs that hold something which is in no file.
    pub left_out: u32,
    pub left_out_runs: Vec<LeftOutRun>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplementFile {
    pub track: TrackNo,
    /// Counted from 0, one for each format.
    pub part: u8,
    /// `None`: nothing has said what the track is.
    pub kind: Option<TrackKind>,
    pub label: String,
    pub key: String,
    pub mime: String,
    pub bytes: u64,
    pub duration: Millis,
}

/// What is noted of a supplement that was made.
#[derive(Debug, Clone)]
pub struct MadeSupplement {
    /// Of these items.
    pub of: SeqSet,
    pub pictures: u64,
    pub files: Vec<SupplementFile>,
    pub left_out: u32,
    /// The first of them.
    pub left_out_runs: Vec<LeftOutRun>,
    pub took: Millis,
}

/// The late chunks of one recorder run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateRun {
    pub track: TrackNo,
    pub segment: SegmentNo,
    pub chunks: u64,
    pub bytes: u64,
}

impl MadeSupplement {
    /// That of the longest track.
    fn duration(&self) -> Millis {
        let mut of_tracks: BTreeMap<TrackNo, Millis> = BTreeMap::new();
        for SupplementFile { track, duration, .. } in &self.files {
            let sum = of_tracks.entry(*track).or_default();
            *sum = *sum + *duration;
        }
        of_tracks.into_values().max().unwrap_or_default()
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl SupplementFile {
    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        let kind: Option<&str> = row.try_get("kind")?;
        Ok(Self {
            track: TrackNo::new(row.try_get("track")?),
            part: row.try_get("part")?,
            kind: kind.and_then(|kind| timelines::known(&TrackKind::ALL, TrackKind::as_str, kind)),
            label: row.try_get("label")?,
            key: row.try_get("key")?,
            mime: row.try_get("mime")?,
            bytes: unsigned(row.try_get("bytes")?),
            duration: Millis::new(unsigned(row.try_get("duration_ms")?)),
        })
    }
}

impl Store {
    /// `None`: nothing came late.
    pub async fn supplement(&self, id: SessionId) -> Result<Option<Supplement>, StoreError> {
        let row = sqlx::query(
            "SELECT first_at, last_at, made_at, items, pictures, left_out FROM supplements \
             WHERE session_id = ?",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&self.reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Supplement {
            first_at: unix_millis(row.try_get("first_at")?),
            last_at: unix_millis(row.try_get("last_at")?),
            made_at: row.try_get::<Option<i64>, _>("made_at")?.map(unix_millis),
            items: unsigned(row.try_get("items")?),
            pictures: unsigned(row.try_get("pictures")?),
            files: self.supplement_files(id).await?,
            left_out: row.try_get("left_out")?,
            left_out_runs: LeftOutOf::Supplement.runs(&self.reader, id).await?,
        }))
    }

    pub async fn supplement_files(&self, id: SessionId) -> Result<Vec<SupplementFile>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, part, kind, label, key, mime, bytes, duration_ms \
             FROM supplement_files WHERE session_id = ? ORDER BY track, part",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(SupplementFile::from_row).collect()
    }

    /// The recorder runs that late chunks are of, in the order of their tracks and numbers.
    pub async fn late_runs(
        &self,
        id: SessionId,
        late: &SeqSet,
    ) -> Result<Vec<LateRun>, StoreError> {
        let mut runs: BTreeMap<(TrackNo, SegmentNo), (u64, u64)> = BTreeMap::new();
        for span in late.ranges() {
            let rows = sqlx::query(
                "SELECT track, segment, count(*) AS chunks, sum(payload_bytes) AS bytes \
                 FROM items WHERE session_id = ? AND kind = 'chunk' AND seq BETWEEN ? AND ? \
                 GROUP BY track, segment",
            )
            .bind(id.as_bytes().as_slice())
            .bind(signed(span.start().get()))
            .bind(signed(span.end().get()))
            .fetch_all(&self.reader)
            .await?;
            for row in &rows {
                let track = TrackNo::new(row.try_get("track")?);
                let segment = SegmentNo::new(row.try_get("segment")?);
                let run = runs.entry((track, segment)).or_default();
                run.0 += unsigned(row.try_get("chunks")?);
                run.1 += unsigned(row.try_get("bytes")?);
            }
        }
        let run = |((track, segment), (chunks, bytes))| LateRun { track, segment, chunks, bytes };
        Ok(runs.into_iter().map(run).collect())
    }

    /// What late markers say of the beginnings of recorder runs.
    pub async fn late_starts(
        &self,
        id: SessionId,
        late: &SeqSet,
    ) -> Result<Vec<SegmentStart>, StoreError> {
        let mut starts = Vec::new();
        for span in late.ranges() {
            for item in items::markers(&self.reader, id, &span).await? {
                if let Content::Marker(Marker::SegmentStarted(start)) = item.content {
                    starts.push(start);
                }
            }
        }
        Ok(starts)
    }

    /// Notes a supplement in the place of the one before: its files are durable.
    pub async fn supplement_made(
        &self,
        id: SessionId,
        made: &MadeSupplement,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let (duration, bytes, took) = (made.duration(), made.bytes(), made.took);
        let command = Command::SupplementMade { of: made.of.clone(), duration, bytes, took };
        let mut tx = self.begin().await?;
        self.apply_in(&mut tx, id, &command, now).await??;
        sqlx::query(
            "UPDATE supplements SET made_at = ?, items = ?, pictures = ?, left_out = ? \
             WHERE session_id = ?",
        )
        .bind(signed(now.get()))
        .bind(signed(made.of.len()))
        .bind(signed(made.pictures))
        .bind(made.left_out)
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        replace_files(&mut tx, id, &made.files).await?;
        LeftOutOf::Supplement.delete(&mut tx, id).await?;
        LeftOutOf::Supplement.insert(&mut tx, id, &made.left_out_runs).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn replace_files(
    tx: &mut Tx,
    id: SessionId,
    files: &[SupplementFile],
) -> Result<(), StoreError> {
    delete_of("supplement_files", tx, id).await?;
    for file in files {
        sqlx::query(
            "INSERT INTO supplement_files (session_id, track, part, kind, label, key, mime, \
             bytes, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.as_bytes().as_slice())
        .bind(file.track.get())
        .bind(file.part)
        .bind(file.kind.map(TrackKind::as_str))
        .bind(&file.label)
        .bind(&file.key)
        .bind(&file.mime)
        .bind(signed(file.bytes))
        .bind(signed(file.duration.get()))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn delete_of(table: &'static str, tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE session_id = ?")))
        .bind(id.as_bytes().as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Of a session that has no recording any more, or of which nothing is late any more.
pub(super) async fn delete(tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    LeftOutOf::Supplement.delete(tx, id).await?;
    delete_of("supplement_files", tx, id).await?;
    delete_of("supplements", tx, id).await
}

/// Notes that these items, which are new in this transaction, came late. What their markers tell of is
/// logged.
pub(super) async fn note_arrived(
    tx: &mut Tx,
    late: &[(SessionId, &Item)],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut last_segments: HashMap<SessionId, Option<SegmentNo>> = HashMap::new();
    let mut told = Vec::new();
    for (session, item) in late {
        let last = last_segments.entry(*session).or_default();
        *last = (*last).max(item.content.segment());
        if let Content::Marker(marker) = &item.content {
            told.push(derived::event_of(*session, item, marker, now));
        }
    }
    events::log(tx, &told).await?;
    for (session, last_segment) in last_segments {
        sqlx::query(
            "INSERT INTO supplements (session_id, first_at, last_at, last_segment) \
             VALUES (?1, ?2, ?2, ?3) ON CONFLICT (session_id) DO UPDATE SET last_at = ?2, \
             last_segment = max(coalesce(last_segment, ?3), coalesce(?3, last_segment))",
        )
        .bind(session.as_bytes().as_slice())
        .bind(signed(now.get()))
        .bind(last_segment.map(SegmentNo::get))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

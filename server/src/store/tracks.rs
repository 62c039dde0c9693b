//! The files of single tracks and the pictures in them: written with the recording, read by whoever
//! lists, serves or deletes them.

use protocol::{Millis, SegmentNo, SessionId, TrackNo};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use timeline::{PauseCut, Segment};

use super::left_out::{LeftOutOf, LeftOutRun};
use super::rows::{signed, unsigned};
use super::{ROWS_PER_STATEMENT, Recording, Store, StoreError, Tx};

/// What is noted of a recording that was made.
#[derive(Debug, Clone)]
pub struct Made {
    pub recording: Recording,
    /// Sound tracks in the recording that can be drawn.
    pub sounds: u32,
    pub runs: Vec<StitchedRun>,
    /// Empty when the recording is the file of the only track.
    pub tracks: Vec<TrackFile>,
    pub frames: Vec<Frame>,
    pub left_out: Vec<LeftOutRun>,
}

/// A recorder run that was put into the files of its track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StitchedRun {
    pub track: TrackNo,
    pub segment: SegmentNo,
    /// The most of it that one file holds.
    pub duration: Millis,
    /// What the first file holds.
    pub in_file: Millis,
    /// Its pauses in the first file.
    pub cuts: Vec<PauseCut>,
}

/// The file of one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackFile {
    pub track: TrackNo,
    /// Counted from 0. A further one holds the recorder runs that do not fit into those before.
    pub part: u8,
    pub key: String,
    pub mime: String,
    pub bytes: u64,
    /// `None` of pictures.
    pub duration: Option<Millis>,
    /// Sound tracks in it that can be drawn.
    pub sounds: u32,
}

/// A picture in the file of its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Counted from 0 within the session, in the order of time.
    pub number: u32,
    pub track: TrackNo,
    /// When it was taken, on the session's timeline.
    pub at: Millis,
    /// The same in the recording.
    pub place: Millis,
    pub first_byte: u64,
    pub bytes: u64,
}

/// The chunks of one recorder run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRun {
    pub track: TrackNo,
    pub segment: SegmentNo,
    /// Where the first and the last lie on the timeline.
    pub first_at: Millis,
    pub last_at: Millis,
}

/// A file that is kept as long as its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    pub key: String,
    pub bytes: u64,
}

impl Made {
    /// Its files, the recording's own included.
    pub(crate) fn files(&self) -> Vec<KeptFile> {
        kept_files(&self.recording, &self.tracks)
    }
}

impl TrackFile {
    pub fn is_media(&self) -> bool {
        self.duration.is_some()
    }

    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            track: TrackNo::new(row.try_get("track")?),
            part: row.try_get("part")?,
            key: row.try_get("key")?,
            mime: row.try_get("mime")?,
            bytes: unsigned(row.try_get("bytes")?),
            duration: row
                .try_get::<Option<i64>, _>("duration_ms")?
                .map(|millis| Millis::new(unsigned(millis))),
            sounds: row.try_get("sounds")?,
        })
    }
}

impl Frame {
    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.try_get("number")?,
            track: TrackNo::new(row.try_get("track")?),
            at: Millis::new(unsigned(row.try_get("at_ms")?)),
            place: Millis::new(unsigned(row.try_get("place_ms")?)),
            first_byte: unsigned(row.try_get("first_byte")?),
            bytes: unsigned(row.try_get("bytes")?),
        })
    }
}

/// The files that go with a recording, its own included.
pub(super) fn kept_files(recording: &Recording, tracks: &[TrackFile]) -> Vec<KeptFile> {
    let whole = KeptFile { key: recording.key.clone(), bytes: recording.bytes };
    let tracks = tracks.iter().map(|file| KeptFile { key: file.key.clone(), bytes: file.bytes });
    std::iter::once(whole).chain(tracks).collect()
}

/// What the name of a track's file begins with. People count from 1.
pub fn track_stem(track: TrackNo, part: u8) -> String {
    let track = u16::from(track.get()) + 1;
    match part {
        0 => format!("track-{track}"),
        further => format!("track-{track}-part-{}", u16::from(further) + 1),
    }
}

/// The track that the recording holds where no track has a file of its own.
pub fn only_track(segments: &[Segment]) -> Option<TrackNo> {
    let is_in_it = |segment: &&Segment| segment.in_file.is_some_and(|one| one > Millis::ZERO);
    segments.iter().find(is_in_it).map(|segment| segment.track)
}

/// A media file of a track: its own, or the recording where that is made of this track alone.
pub fn media_of(
    track: TrackNo,
    part: u8,
    files: &[TrackFile],
    segments: &[Segment],
    recording: Option<&Recording>,
) -> Option<TrackFile> {
    if let Some(file) = files.iter().find(|file| (file.track, file.part) == (track, part)) {
        return Some(file.clone()).filter(TrackFile::is_media);
    }
    if part > 0 || files.iter().any(TrackFile::is_media) {
        return None;
    }
    let recording = recording.filter(|_| only_track(segments) == Some(track))?;
    Some(TrackFile {
        track,
        part,
        key: recording.key.clone(),
        mime: recording.mime.clone(),
        bytes: recording.bytes,
        duration: Some(recording.duration),
        sounds: 0,
    })
}

impl Store {
    /// In the order of the tracks and of their parts.
    pub async fn track_files(&self, id: SessionId) -> Result<Vec<TrackFile>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, part, key, mime, bytes, duration_ms, sounds FROM track_files \
             WHERE session_id = ? ORDER BY track, part",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(TrackFile::from_row).collect()
    }

    /// All pictures, in the order of time.
    pub async fn frames(&self, id: SessionId) -> Result<Vec<Frame>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, track, at_ms, place_ms, first_byte, bytes FROM frames \
             WHERE session_id = ? ORDER BY number",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(Frame::from_row).collect()
    }

    /// What of the recorder runs is in no file, in the order of their tracks and numbers.
    pub async fn left_out(&self, id: SessionId) -> Result<Vec<LeftOutRun>, StoreError> {
        LeftOutOf::Recording.runs(&self.reader, id).await
    }

    /// A picture, and the file that it is in.
    pub async fn frame(
        &self,
        id: SessionId,
        number: u32,
    ) -> Result<Option<(Frame, TrackFile)>, StoreError> {
        let row = sqlx::query(
            "SELECT number, track, at_ms, place_ms, first_byte, bytes FROM frames \
             WHERE session_id = ? AND number = ?",
        )
        .bind(id.as_bytes().as_slice())
        .bind(number)
        .fetch_optional(&self.reader)
        .await?;
        let Some(frame) = row.as_ref().map(Frame::from_row).transpose()? else {
            return Ok(None);
        };
        let files = self.track_files(id).await?;
        let file = files.into_iter().find(|file| file.track == frame.track);
        Ok(file.map(|file| (frame, file)))
    }

    /// The recording of a session, the files of its tracks and of its supplement; nothing before there
    /// is one.
    pub async fn kept_files(&self, id: SessionId) -> Result<Vec<KeptFile>, StoreError> {
        let Some(recording) = self.session(id).await?.recording else {
            return Ok(Vec::new());
        };
        let mut kept = kept_files(&recording, &self.track_files(id).await?);
        let late = self.supplement_files(id).await?;
        kept.extend(late.into_iter().map(|file| KeptFile { key: file.key, bytes: file.bytes }));
        Ok(kept)
    }

    /// Where in the first files of the tracks the pauses of their runs lie, in order.
    pub(super) async fn pause_cuts(
        &self,
        id: SessionId,
    ) -> Result<Vec<(TrackNo, SegmentNo, PauseCut)>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, segment, over_ms, before_ms FROM pause_cuts WHERE session_id = ? \
             ORDER BY track, segment, over_ms",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        let cut = |row: &SqliteRow| {
            let over = Millis::new(unsigned(row.try_get("over_ms")?));
            let before = Millis::new(unsigned(row.try_get("before_ms")?));
            let track = TrackNo::new(row.try_get("track")?);
            let segment = SegmentNo::new(row.try_get("segment")?);
            Ok((track, segment, PauseCut { over, before }))
        };
        rows.iter().map(cut).collect()
    }

    /// The recorder runs that have chunks, in the order of their tracks and numbers. Their markers may
    /// be missing.
    pub async fn chunk_runs(&self, id: SessionId) -> Result<Vec<ChunkRun>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, segment, first_at_ms, last_at_ms FROM chunk_runs \
             WHERE session_id = ? ORDER BY track, segment",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        let run = |row: &SqliteRow| {
            Ok(ChunkRun {
                track: TrackNo::new(row.try_get("track")?),
                segment: SegmentNo::new(row.try_get("segment")?),
                first_at: Millis::new(unsigned(row.try_get("first_at_ms")?)),
                last_at: Millis::new(unsigned(row.try_get("last_at_ms")?)),
            })
        };
        rows.iter().map(run).collect()
    }
}

/// Notes what became of the recorder runs, in the place of what was noted before.
pub(super) async fn note_runs(
    tx: &mut Tx,
    id: SessionId,
    runs: &[StitchedRun],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM pause_cuts WHERE session_id = ?")
        .bind(id.as_bytes().as_slice())
        .execute(&mut **tx)
        .await?;
    for StitchedRun { track, segment, duration, in_file, cuts } in runs {
        sqlx::query(
            "UPDATE segments SET duration_ms = ?, in_file_ms = ? \
             WHERE session_id = ? AND track = ? AND segment = ?",
        )
        .bind(signed(duration.get()))
        .bind(signed(in_file.get()))
        .bind(id.as_bytes().as_slice())
        .bind(track.get())
        .bind(segment.get())
        .execute(&mut **tx)
        .await?;
        for cuts in cuts.chunks(ROWS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO pause_cuts (session_id, track, segment, over_ms, before_ms) ",
            );
            query.push_values(cuts, |mut row, cut| {
                row.push_bind(id.as_bytes().to_vec())
                    .push_bind(track.get())
                    .push_bind(segment.get())
                    .push_bind(signed(cut.over.get()))
                    .push_bind(signed(cut.before.get()));
            });
            query.build().execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Puts the files of a new recording in the place of those before.
pub(super) async fn replace(tx: &mut Tx, id: SessionId, made: &Made) -> Result<(), StoreError> {
    let Made { tracks, frames, left_out, .. } = made;
    delete(tx, id).await?;
    LeftOutOf::Recording.insert(tx, id, left_out).await?;
    for file in tracks {
        sqlx::query(
            "INSERT INTO track_files (session_id, track, part, key, mime, bytes, duration_ms, \
             sounds) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.as_bytes().as_slice())
        .bind(file.track.get())
        .bind(file.part)
        .bind(&file.key)
        .bind(&file.mime)
        .bind(signed(file.bytes))
        .bind(file.duration.map(|duration| signed(duration.get())))
        .bind(file.sounds)
        .execute(&mut **tx)
        .await?;
    }
    for frames in frames.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO frames (session_id, number, track, at_ms, place_ms, first_byte, bytes) ",
        );
        query.push_values(frames, |mut row, frame| {
            row.push_bind(id.as_bytes().to_vec())
                .push_bind(frame.number)
                .push_bind(frame.track.get())
                .push_bind(signed(frame.at.get()))
                .push_bind(signed(frame.place.get()))
                .push_bind(signed(frame.first_byte))
                .push_bind(signed(frame.bytes));
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Of a session that has no recording any more.
pub(super) async fn delete(tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    LeftOutOf::Recording.delete(tx, id).await?;
    for statement in
        ["DELETE FROM track_files WHERE session_id = ?", "DELETE FROM frames WHERE session_id = ?"]
    {
        sqlx::query(statement).bind(id.as_bytes().as_slice()).execute(&mut **tx).await?;
    }
    Ok(())
}

//! What the timeline of a session is built from: its recorder runs, its pauses and its connections.
//! Each is written with what tells of it, so exactly once, and read back as `timeline` has it.

use protocol::item::{EndCause, SegmentEnd, StartCause};
use protocol::{Event, Item, Marker, Millis, SegmentNo, SessionId, TrackKind, TrackNo, UnixMillis};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use timeline::{ConnectionMark, Marks, PauseCut, PauseMark, RunEnd, Segment, Timeline};

use super::events::NewEvent;
use super::rows::{millis, signed, unsigned};
use super::{Store, StoreError, Tx};

/// Marks of one kind that are kept of one session: those of ten thousand pauses, and of as many lost
/// connections. One more says that there were more.
pub const MARKS_PER_SESSION_MAX: u32 = 20_000;

/// Pauses of one session whose places in the files of its tracks are noted: the first ones. Where
/// later ones lie is told by the clock alone.
pub const PAUSES_PLACED_MAX: u32 = 1_000;

impl Store {
    /// The time of a session, as far as it has been told.
    pub async fn timeline(&self, id: SessionId) -> Result<Timeline, StoreError> {
        Ok(Timeline { segments: self.segments(id).await?, pauses: self.pauses(id).await? })
    }

    /// The recorder runs of a session, in the order of their tracks and numbers.
    pub async fn segments(&self, id: SessionId) -> Result<Vec<Segment>, StoreError> {
        let rows = sqlx::query(
            "SELECT track, segment, kind, mime, label, started_at_ms, start_cause, duration_ms, \
             in_file_ms, last_at_ms, segment_ends.at_ms AS ended_at_ms, \
             segment_ends.cause AS end_cause FROM segments \
             LEFT JOIN chunk_runs USING (session_id, track, segment) \
             LEFT JOIN segment_ends USING (session_id, track, segment) \
             WHERE session_id = ? ORDER BY track, segment",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        let mut segments: Vec<Segment> = rows.iter().map(segment).collect::<Result<_, _>>()?;
        give_cuts(&mut segments, self.pause_cuts(id).await?);
        Ok(segments)
    }

    async fn pauses(&self, id: SessionId) -> Result<Marks<PauseMark>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, at_ms, is_over FROM pauses WHERE session_id = ? ORDER BY at_ms, number",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        marks(&rows, |row| {
            let at = Millis::new(unsigned(row.try_get("at_ms")?));
            let is_over: bool = row.try_get("is_over")?;
            Ok(if is_over { PauseMark::Over(at) } else { PauseMark::Paused(at) })
        })
    }

    /// When the pauses of a session were over, on its timeline, in order: the first
    /// [`PAUSES_PLACED_MAX`].
    pub async fn pauses_over(&self, id: SessionId) -> Result<Vec<Millis>, StoreError> {
        let rows = sqlx::query_scalar(
            "SELECT at_ms FROM pauses WHERE session_id = ? AND is_over AND number < ? \
             ORDER BY at_ms LIMIT ?",
        )
        .bind(id.as_bytes().as_slice())
        .bind(MARKS_PER_SESSION_MAX)
        .bind(PAUSES_PLACED_MAX)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|at| Millis::new(unsigned(at))).collect())
    }

    /// When the server was in reach, on a timeline that began at `origin` by its own clock.
    pub async fn connections(
        &self,
        id: SessionId,
        origin: UnixMillis,
    ) -> Result<Marks<ConnectionMark>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, at, lost_since FROM connections WHERE session_id = ? \
             ORDER BY at, number",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&self.reader)
        .await?;
        let place = |at: i64| UnixMillis::new(unsigned(at)).since(origin);
        marks(&rows, |row| {
            Ok(match row.try_get("lost_since")? {
                Some(since) => ConnectionMark::Lost(place(since)),
                None => ConnectionMark::Connected(place(row.try_get("at")?)),
            })
        })
    }
}

/// Notes what a marker says of the timeline. The beginning of a run has the row of its segment.
pub(super) async fn note_marker(
    tx: &mut Tx,
    session: SessionId,
    item: &Item,
    marker: &Marker,
) -> Result<(), StoreError> {
    match marker {
        Marker::SegmentEnded(end) => insert_end(tx, session, item.at, *end).await,
        Marker::Paused => insert_pause(tx, session, item.at, false).await,
        Marker::Resumed => insert_pause(tx, session, item.at, true).await,
        Marker::SegmentStarted(_) | Marker::Noted(_) => Ok(()),
    }
}

async fn insert_end(
    tx: &mut Tx,
    session: SessionId,
    at: Millis,
    end: SegmentEnd,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO segment_ends (session_id, track, segment, at_ms, cause) \
         VALUES (?, ?, ?, ?, ?) ON CONFLICT (session_id, track, segment) DO NOTHING",
    )
    .bind(session.as_bytes().as_slice())
    .bind(end.track.get())
    .bind(end.segment.get())
    .bind(signed(at.get()))
    .bind(end.cause.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Past the bound nothing is written any more.
async fn insert_pause(
    tx: &mut Tx,
    session: SessionId,
    at: Millis,
    is_over: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pauses (session_id, number, at_ms, is_over) SELECT ?1, n, ?2, ?3 \
         FROM (SELECT coalesce(max(number) + 1, 0) AS n FROM pauses WHERE session_id = ?1) \
         WHERE n <= ?4",
    )
    .bind(session.as_bytes().as_slice())
    .bind(signed(at.get()))
    .bind(is_over)
    .bind(MARKS_PER_SESSION_MAX)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes what an event says of the session's connections. Past the bound nothing is written any more.
pub(super) async fn note_connection(tx: &mut Tx, new: &NewEvent) -> Result<(), StoreError> {
    let at = signed(new.at.get());
    let lost_since = match new.event {
        Event::Connected { .. } => None,
        Event::ConnectionLost { .. } => Some(at),
        // A server that was gone itself notes the loss only when it is back.
        Event::Resumed { away_ms, .. } => Some(at.saturating_sub(signed(away_ms.get())).max(0)),
        Event::Created
        | Event::GraceOver
        | Event::ResumeWindowOver
        | Event::SegmentStarted { .. }
        | Event::SegmentEnded { .. }
        | Event::Paused
        | Event::PauseOver
        | Event::Noted { .. }
        | Event::DuplicatesReceived { .. }
        | Event::ItemsRefused { .. }
        | Event::DigestConflict { .. }
        | Event::MissingAsked { .. }
        | Event::FinishAsked { .. }
        | Event::RecordingMade { .. }
        | Event::RecordingFailed { .. }
        | Event::SupplementMade { .. }
        | Event::Fenced { .. }
        | Event::Discarded
        | Event::MoreNotKept => return Ok(()),
    };
    sqlx::query(
        "INSERT INTO connections (session_id, number, at, lost_since) SELECT ?1, n, ?2, ?3 \
         FROM (SELECT coalesce(max(number) + 1, 0) AS n FROM connections WHERE session_id = ?1) \
         WHERE n <= ?4 AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)",
    )
    .bind(new.session.as_bytes().as_slice())
    .bind(at)
    .bind(lost_since)
    .bind(MARKS_PER_SESSION_MAX)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// In the order of the rows, without the one that only says that there were more.
fn marks<T>(
    rows: &[SqliteRow],
    mark: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Marks<T>, StoreError> {
    let mut marks = Marks::default();
    for row in rows {
        if row.try_get::<u32, _>("number")? < MARKS_PER_SESSION_MAX {
            marks.kept.push(mark(row)?);
        } else {
            marks.has_more = true;
        }
    }
    Ok(marks)
}

fn segment(row: &SqliteRow) -> Result<Segment, StoreError> {
    let kind = known(&TrackKind::ALL, TrackKind::as_str, row.try_get("kind")?);
    let start_cause: Option<&str> = row.try_get("start_cause")?;
    let start_cause = start_cause.map(|cause| known(StartCause::ALL, StartCause::as_str, cause));
    let end_cause: Option<&str> = row.try_get("end_cause")?;
    let end_cause = end_cause.map(|cause| known(EndCause::ALL, EndCause::as_str, cause));
    let ended_at = millis(row.try_get("ended_at_ms")?);
    Ok(Segment {
        track: TrackNo::new(row.try_get("track")?),
        segment: SegmentNo::new(row.try_get("segment")?),
        kind: kind.ok_or(StoreError::Corrupt("a track kind"))?,
        mime: row.try_get("mime")?,
        label: row.try_get("label")?,
        started_at: Millis::new(unsigned(row.try_get("started_at_ms")?)),
        start_cause: start_cause.flatten(),
        end: ended_at.zip(end_cause.flatten()).map(|(at, cause)| RunEnd { at, cause }),
        duration: millis(row.try_get("duration_ms")?),
        in_file: millis(row.try_get("in_file_ms")?),
        cuts: Vec::new(),
        captured_until: millis(row.try_get("last_at_ms")?),
    })
}

/// The one of this name; `None` when only a newer version knows it.
pub(super) fn known<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    wanted: &str,
) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == wanted)
}

/// Both are in the order of tracks and segments.
fn give_cuts(segments: &mut [Segment], cuts: Vec<(TrackNo, SegmentNo, PauseCut)>) {
    let mut segments = segments.iter_mut().peekable();
    for (track, segment, cut) in cuts {
        while segments.next_if(|one| (one.track, one.segment) < (track, segment)).is_some() {}
        if let Some(its) =
            segments.peek_mut().filter(|one| (one.track, one.segment) == (track, segment))
        {
            its.cuts.push(cut);
        }
    }
}

//! What the timeline of a session is built from: its recorder runs, its pauses and its connections.
//! Each is written with what tells of it, so exactly once, and read back as `timeline` has it.

use protocol::item::{EndCause, SegmentEnd, SegmentStart, StartCause};
use protocol::{Event, Marker, Millis, SegmentNo, SessionId, TrackKind, TrackNo, UnixMillis};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use timeline::{ConnectionMark, Marks, PauseCut, PauseMark, RunEnd, Segment, Timeline};

use super::events::NewEvent;
use super::numbers::Numbers;
use super::rows::{millis, signed, unsigned};
use super::{ROWS_PER_STATEMENT, Store, StoreError, Tx};

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

/// A marker, of which session, and where on its timeline.
pub(super) type Marked<'a> = (SessionId, Millis, &'a Marker);

/// Notes what markers say of the timeline.
pub(super) async fn note_markers(tx: &mut Tx, markers: &[Marked<'_>]) -> Result<(), StoreError> {
    let (mut starts, mut ends, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
    for (session, at, marker) in markers {
        match marker {
            Marker::SegmentStarted(start) => starts.push((*session, *at, start)),
            Marker::SegmentEnded(end) => ends.push((*session, *at, *end)),
            Marker::Paused => pauses.push((*session, *at, false)),
            Marker::Resumed => pauses.push((*session, *at, true)),
            Marker::Noted(_) => {}
        }
    }
    insert_starts(tx, &starts).await?;
    insert_ends(tx, &ends).await?;
    insert_pauses(tx, &pauses).await
}

async fn insert_starts(
    tx: &mut Tx,
    starts: &[(SessionId, Millis, &SegmentStart)],
) -> Result<(), StoreError> {
    for starts in starts.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO segments (session_id, track, segment, kind, mime, label, started_at_ms, \
             start_cause) ",
        );
        query.push_values(starts, |mut row, (session, at, start)| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(start.track.get())
                .push_bind(start.segment.get())
                .push_bind(start.kind.as_str())
                .push_bind(&start.mime)
                .push_bind(&start.label)
                .push_bind(signed(at.get()))
                .push_bind(start.cause.as_str());
        });
        query.push(" ON CONFLICT (session_id, track, segment) DO NOTHING");
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

async fn insert_ends(
    tx: &mut Tx,
    ends: &[(SessionId, Millis, SegmentEnd)],
) -> Result<(), StoreError> {
    for ends in ends.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO segment_ends (session_id, track, segment, at_ms, cause) ",
        );
        query.push_values(ends, |mut row, (session, at, end)| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(end.track.get())
                .push_bind(end.segment.get())
                .push_bind(signed(at.get()))
                .push_bind(end.cause.as_str());
        });
        query.push(" ON CONFLICT (session_id, track, segment) DO NOTHING");
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Past the bound nothing is written any more.
async fn insert_pauses(
    tx: &mut Tx,
    pauses: &[(SessionId, Millis, bool)],
) -> Result<(), StoreError> {
    let sessions = pauses.iter().map(|(session, ..)| *session);
    let mut numbers = Numbers::of(tx, "pauses", sessions, MARKS_PER_SESSION_MAX).await?;
    let numbered: Vec<_> =
        pauses.iter().filter_map(|pause| Some((numbers.next(pause.0).number()?, pause))).collect();
    for pauses in numbered.chunks(ROWS_PER_STATEMENT) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO pauses (session_id, number, at_ms, is_over) ");
        query.push_values(pauses, |mut row, (number, (session, at, is_over))| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(*number)
                .push_bind(signed(at.get()))
                .push_bind(*is_over);
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Notes what events say of the connections of their sessions. Past the bound nothing is written any more.
pub(super) async fn note_connections(tx: &mut Tx, new: &[NewEvent]) -> Result<(), StoreError> {
    let told: Vec<_> = new.iter().filter_map(|one| Some((one, lost_since(one)?))).collect();
    let sessions = told.iter().map(|(one, _)| one.session);
    let mut numbers = Numbers::of(tx, "connections", sessions, MARKS_PER_SESSION_MAX).await?;
    for (one, lost_since) in told {
        let Some(number) = numbers.next(one.session).number() else { continue };
        sqlx::query(
            "INSERT INTO connections (session_id, number, at, lost_since) VALUES (?, ?, ?, ?)",
        )
        .bind(one.session.as_bytes().as_slice())
        .bind(number)
        .bind(signed(one.at.get()))
        .bind(lost_since.map(|since| signed(since.get())))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// What an event says of a connection, if it does: since when it was lost, or that it is there.
fn lost_since(new: &NewEvent) -> Option<Option<UnixMillis>> {
    match new.event {
        Event::Connected { .. } => Some(None),
        Event::ConnectionLost { .. } => Some(Some(new.at)),
        // A server that was gone itself notes the loss only when it is back.
        Event::Resumed { away_ms, .. } => {
            Some(Some(UnixMillis::new(new.at.get().saturating_sub(away_ms.get()))))
        }
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
        | Event::MoreNotKept => None,
    }
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

//! What follows from items that were just stored, in their transaction and so exactly once: the
//! rows of segments, where the chunks of each run lie, what markers say of the timeline, and the events
//! that they tell of.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use protocol::{Content, Event, Item, Marker, Millis, SeqSet, SessionId, UnixMillis};
use sqlx::{QueryBuilder, Sqlite};

use super::events::{self, NewEvent};
use super::rows::signed;
use super::{ROWS_PER_STATEMENT, StoreError, Tx, items, timelines};

type SegmentKey = (SessionId, u8, u32);

/// `stored` are the items that are new in this transaction.
pub(super) async fn keep(
    tx: &mut Tx,
    stored: &[(SessionId, &Item)],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut runs: HashMap<SegmentKey, RangeInclusive<Millis>> = HashMap::new();
    let (mut markers, mut events) = (Vec::new(), Vec::new());
    for (session, item) in stored {
        match &item.content {
            Content::Chunk { track, segment, .. } => {
                runs.entry((*session, track.get(), segment.get()))
                    .and_modify(|run| {
                        *run = item.at.min(*run.start())..=item.at.max(*run.end());
                    })
                    .or_insert(item.at..=item.at);
            }
            Content::Marker(marker) => {
                markers.push((*session, item.at, marker));
                events.push(event_of(*session, item, marker, now));
            }
        }
    }
    timelines::note_markers(tx, &markers).await?;
    events::log(tx, &events).await?;
    extend_runs(tx, runs.into_iter().collect()).await
}

/// What a marker tells of.
pub(super) fn event_of(
    session: SessionId,
    item: &Item,
    marker: &Marker,
    now: UnixMillis,
) -> NewEvent {
    NewEvent { session, at: now, place: Some(item.at), event: Event::of_marker(marker) }
}

/// Keeps the same of items that were late, once they are to be in the next recording after all. Their
/// events are logged.
pub(super) async fn take_in(
    tx: &mut Tx,
    session: SessionId,
    late: &SeqSet,
) -> Result<(), StoreError> {
    for span in late.ranges() {
        sqlx::query(
            "INSERT INTO chunk_runs (session_id, track, segment, first_at_ms, last_at_ms) \
             SELECT session_id, track, segment, min(at_ms), max(at_ms) FROM items \
             WHERE session_id = ? AND kind = 'chunk' AND seq BETWEEN ? AND ? \
             GROUP BY track, segment \
             ON CONFLICT (session_id, track, segment) DO UPDATE \
             SET first_at_ms = min(first_at_ms, excluded.first_at_ms), \
             last_at_ms = max(last_at_ms, excluded.last_at_ms)",
        )
        .bind(session.as_bytes().as_slice())
        .bind(signed(span.start().get()))
        .bind(signed(span.end().get()))
        .execute(&mut **tx)
        .await?;
        let items = items::markers(&mut **tx, session, &span).await?;
        let markers = items.iter().filter_map(|item| match &item.content {
            Content::Marker(marker) => Some((session, item.at, marker)),
            Content::Chunk { .. } => None,
        });
        timelines::note_markers(tx, &markers.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

async fn extend_runs(
    tx: &mut Tx,
    runs: Vec<(SegmentKey, RangeInclusive<Millis>)>,
) -> Result<(), StoreError> {
    for runs in runs.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO chunk_runs (session_id, track, segment, first_at_ms, last_at_ms) ",
        );
        query.push_values(runs, |mut row, ((session, track, segment), run)| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(*track)
                .push_bind(*segment)
                .push_bind(signed(run.start().get()))
                .push_bind(signed(run.end().get()));
        });
        query.push(
            " ON CONFLICT (session_id, track, segment) DO UPDATE \
             SET first_at_ms = min(first_at_ms, excluded.first_at_ms), \
             last_at_ms = max(last_at_ms, excluded.last_at_ms)",
        );
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

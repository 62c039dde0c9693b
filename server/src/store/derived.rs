//! What follows from items that were just stored, in their transaction and so exactly once: the
//! rows of segments, where the chunks of each run lie, what markers say of the timeline, and the events
//! that they tell of.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use protocol::{Content, Event, Item, Millis, SessionId, UnixMillis};
use sqlx::{QueryBuilder, Sqlite};

use super::events::{self, NewEvent};
use super::rows::signed;
use super::{ROWS_PER_STATEMENT, StoreError, Tx, timelines};

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
                let (place, event) = (Some(item.at), Event::of_marker(marker));
                events.push(NewEvent { session: *session, at: now, place, event });
            }
        }
    }
    timelines::note_markers(tx, &markers).await?;
    events::log(tx, &events).await?;
    extend_runs(tx, runs.into_iter().collect()).await
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

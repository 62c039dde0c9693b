//! What follows from items that were just stored, in their transaction and so exactly once: the
//! rows of segments, how far each of them reaches, and the events that markers tell of.

use std::collections::HashMap;

use protocol::item::SegmentStart;
use protocol::{Content, Event, Item, Marker, Millis, SessionId};
use sqlx::{QueryBuilder, Sqlite};

use super::events::{self, NewEvent};
use super::rows::signed;
use super::{ROWS_PER_STATEMENT, StoreError, Tx};
use crate::clock;

type SegmentKey = (SessionId, u8, u32);

/// `stored` are the items that are new in this transaction.
pub(super) async fn keep(tx: &mut Tx, stored: &[(SessionId, &Item)]) -> Result<(), StoreError> {
    let now = clock::wall();
    let mut reach: HashMap<SegmentKey, Millis> = HashMap::new();
    for (session, item) in stored {
        match &item.content {
            Content::Chunk { track, segment, .. } => {
                let until = reach.entry((*session, track.get(), segment.get())).or_default();
                *until = item.at.max(*until);
            }
            Content::Marker(marker) => {
                if let Marker::SegmentStarted(start) = marker {
                    insert_segment(tx, *session, item, start).await?;
                }
                let (place, event) = (Some(item.at), Event::of_marker(marker));
                events::log(tx, &NewEvent { session: *session, at: now, place, event }).await?;
            }
        }
    }
    extend_segments(tx, reach.into_iter().collect()).await
}

/// Chunks may arrive before the marker that opens their segment.
async fn insert_segment(
    tx: &mut Tx,
    session: SessionId,
    item: &Item,
    start: &SegmentStart,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO segments (session_id, track, segment, kind, mime, label, started_at_ms, \
         captured_until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
         (SELECT max(at_ms) FROM items WHERE session_id = ?1 AND seq > ?8 AND kind = 'chunk' \
          AND track = ?2 AND segment = ?3)) \
         ON CONFLICT (session_id, track, segment) DO NOTHING",
    )
    .bind(session.as_bytes().as_slice())
    .bind(start.track.get())
    .bind(start.segment.get())
    .bind(start.kind.as_str())
    .bind(&start.mime)
    .bind(&start.label)
    .bind(signed(item.at.get()))
    .bind(signed(item.seq.get()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn extend_segments(tx: &mut Tx, reach: Vec<(SegmentKey, Millis)>) -> Result<(), StoreError> {
    for reach in reach.chunks(ROWS_PER_STATEMENT) {
        let mut query =
            QueryBuilder::<Sqlite>::new("WITH reach (session_id, track, segment, at_ms) AS (");
        query.push_values(reach, |mut row, ((session, track, segment), until)| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(*track)
                .push_bind(*segment)
                .push_bind(signed(until.get()));
        });
        query.push(
            ") UPDATE segments \
             SET captured_until_ms = max(coalesce(captured_until_ms, 0), reach.at_ms) \
             FROM reach WHERE segments.session_id = reach.session_id \
             AND segments.track = reach.track AND segments.segment = reach.segment",
        );
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

//! Storing items: whatever many writers bring at the same time, in a handful of statements and one
//! transaction. What becomes of each item is the ledger's to say.

use std::collections::{HashMap, HashSet};

use ledger::rules::Appending;
use ledger::{Append, Appended, Refused, Session};
use protocol::receiver::Verdict;
use protocol::{Content, Digest, Item, Seq, SessionId, UnixMillis};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::payload::Placed;
use super::rows::{self, signed};
use super::{ROWS_PER_STATEMENT, Store, StoreError, Tx, derived, jobs, ruled, supplement};

impl Store {
    /// Stores everything in one transaction, durable when this returns, and judges each item.
    pub(super) async fn append_items(
        &self,
        appends: &[&Append],
        now: UnixMillis,
    ) -> Result<Vec<Appended>, StoreError> {
        self.taking(async {
            let mut tx = self.begin().await?;
            self.keep_pages_in_reserve(&mut tx).await?;
            let stored = self.append_all(&mut tx, appends, now).await;
            let reopened = self.open_reserved_pages(&mut tx).await;
            let results = stored?;
            reopened?;
            tx.commit().await?;
            Ok(results)
        })
        .await
    }

    async fn append_all(
        &self,
        tx: &mut Tx,
        appends: &[&Append],
        now: UnixMillis,
    ) -> Result<Vec<Appended>, StoreError> {
        let ids: HashSet<SessionId> = appends.iter().map(|append| append.session).collect();
        let ids: Vec<SessionId> = ids.into_iter().collect();
        let sessions = ruled::load_all(tx, &ids).await?;
        let mut sessions: HashMap<SessionId, Appending> = sessions
            .into_iter()
            .map(|(id, session)| (id, Appending::new(session, now, &self.policy)))
            .collect();
        let stored = digests(tx, &second_ones(appends, &sessions)).await?;
        let mut new = Vec::new();
        let judged =
            appends.iter().map(|append| judge(append, &mut sessions, &stored, &mut new)).collect();
        self.insert(tx, &new).await?;
        let is_late =
            |(id, _): &(SessionId, &Item)| sessions.get(id).is_some_and(Appending::makes_late);
        let (late, in_time): (Vec<_>, Vec<_>) = new.into_iter().partition(is_late);
        derived::keep(tx, &in_time, now).await?;
        supplement::note_arrived(tx, &late, now).await?;
        let mut changed: Vec<(SessionId, Session)> = Vec::with_capacity(sessions.len());
        for (id, appending) in sessions {
            let Some(change) = appending.into_change() else { continue };
            for wanted in change.jobs {
                jobs::want(tx, id, wanted, now).await?;
            }
            changed.push((id, change.after));
        }
        ruled::write_appended(tx, &changed).await?;
        Ok(judged)
    }

    async fn insert(&self, tx: &mut Tx, new: &[(SessionId, &Item)]) -> Result<(), StoreError> {
        let items: Vec<&Item> = new.iter().map(|(_, item)| *item).collect();
        let placed = self.payloads.place(&items).await?;
        for (new, placed) in new.chunks(ROWS_PER_STATEMENT).zip(placed.chunks(ROWS_PER_STATEMENT)) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO items (session_id, seq, at_ms, kind, track, segment, payload_bytes, \
                 digest, payload, payload_place) ",
            );
            query.push_values(new.iter().zip(placed), |mut row, ((session, item), placed)| {
                let (kind, track, segment) = columns(item);
                row.push_bind(session.as_bytes().as_slice())
                    .push_bind(signed(item.seq.get()))
                    .push_bind(signed(item.at.get()))
                    .push_bind(kind)
                    .push_bind(track)
                    .push_bind(segment)
                    .push_bind(signed(item.payload_bytes() as u64))
                    .push_bind(item.digest.as_bytes().as_slice());
                match placed {
                    Placed::InRow(bytes) => row.push_bind(Some(&bytes[..])).push_bind(None::<&str>),
                    Placed::At(place) => {
                        row.push_bind(None::<&[u8]>).push_bind(Some(place.as_str()))
                    }
                };
            });
            query.build().execute(&mut **tx).await?;
        }
        Ok(())
    }
}

/// Items under numbers that are taken.
fn second_ones(
    appends: &[&Append],
    sessions: &HashMap<SessionId, Appending>,
) -> Vec<(SessionId, Seq)> {
    let is_second = |(id, seq): &(SessionId, Seq)| {
        sessions.get(id).is_some_and(|session| session.is_stored(*seq))
    };
    let keys = appends
        .iter()
        .flat_map(|append| append.items.iter().map(|item| (append.session, item.seq)));
    keys.filter(is_second).collect()
}

/// `new` gets what is to be stored.
fn judge<'a>(
    append: &'a Append,
    sessions: &mut HashMap<SessionId, Appending>,
    stored: &Stored,
    new: &mut Vec<(SessionId, &'a Item)>,
) -> Appended {
    let id = append.session;
    let session = sessions.get_mut(&id).ok_or(Refused::UnknownSession)?;
    session.begin(append.by, append.transport)?;
    let mut verdicts = Vec::with_capacity(append.items.len());
    for item in &append.items {
        let verdict = session.judge(item, stored.get(&(id, item.seq)));
        if verdict == Verdict::Stored {
            new.push((id, item));
        }
        verdicts.push((item.seq, verdict));
    }
    Ok(verdicts)
}

fn columns(item: &Item) -> (&'static str, Option<u8>, Option<u32>) {
    match &item.content {
        Content::Chunk { track, segment, .. } => ("chunk", Some(track.get()), Some(segment.get())),
        Content::Marker(_) => ("marker", None, None),
    }
}

type Stored = HashMap<(SessionId, Seq), Digest>;

/// What is stored under some numbers.
pub(super) async fn digests(tx: &mut Tx, keys: &[(SessionId, Seq)]) -> Result<Stored, StoreError> {
    let mut stored = Stored::with_capacity(keys.len());
    for keys in keys.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT session_id, seq, digest FROM items WHERE (session_id, seq) IN (",
        );
        query.push_values(keys, |mut row, (session, seq)| {
            row.push_bind(session.as_bytes().as_slice()).push_bind(signed(seq.get()));
        });
        query.push(")");
        for row in query.build().fetch_all(&mut **tx).await? {
            let session = rows::session_id(row.try_get("session_id")?)?;
            let seq = Seq::new(rows::unsigned(row.try_get("seq")?));
            stored.insert((session, seq), rows::digest(row.try_get("digest")?)?);
        }
    }
    Ok(stored)
}

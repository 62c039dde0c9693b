//! Storing items: whatever many writers bring at the same time, in a handful of statements and one
//! transaction.

use std::collections::{HashMap, HashSet};

use protocol::item::ItemError;
use protocol::receiver::Verdict;
use protocol::{
    Content, Digest, Epoch, Item, Seq, SessionId, SessionStatus, TokenHash, UnixMillis,
};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::rows::{self, signed};
use super::{ROWS_PER_STATEMENT, Store, StoreError, Tx, derived};
use crate::ledger::payload::{PayloadStore, Placed};

/// What is to be stored together.
#[derive(Debug)]
pub struct Append {
    pub session: SessionId,
    pub by: By,
    pub items: Vec<Item>,
}

/// On whose word items are stored.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// A writer, as long as no newer one is there.
    Writer(Epoch),
    /// The holder of the session's token, under a number that no writer gives out.
    TokenHolder(TokenHash),
}

/// What became of an [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    Judged(Vec<(Seq, Verdict)>),
    /// A newer writer has taken over: nothing was stored.
    Fenced,
    /// The token is another session's: nothing was stored.
    WrongToken,
    UnknownSession,
}

type Key = (SessionId, Seq);

/// A session as it stands while its items are stored.
struct Writable {
    epoch: Epoch,
    token_hash: Vec<u8>,
    status: SessionStatus,
}

impl Writable {
    fn check(&self, by: By) -> Result<(), Appended> {
        match by {
            By::Writer(epoch) if epoch != self.epoch => Err(Appended::Fenced),
            By::TokenHolder(TokenHash(hash)) if self.token_hash != hash => {
                Err(Appended::WrongToken)
            }
            By::Writer(_) | By::TokenHolder(_) => Ok(()),
        }
    }
}

impl Store {
    /// Stores everything in one transaction, durable when this returns, and judges each item.
    pub async fn append(
        &self,
        payloads: &dyn PayloadStore,
        appends: &[&Append],
        now: UnixMillis,
    ) -> Result<Vec<Appended>, StoreError> {
        self.taking(async {
            let mut tx = self.begin().await?;
            self.keep_pages_in_reserve(&mut tx).await?;
            let stored = append_all(&mut tx, payloads, appends, now).await;
            let reopened = self.open_reserved_pages(&mut tx).await;
            let results = stored?;
            reopened?;
            tx.commit().await?;
            Ok(results)
        })
        .await
    }
}

async fn append_all(
    tx: &mut Tx,
    payloads: &dyn PayloadStore,
    appends: &[&Append],
    now: UnixMillis,
) -> Result<Vec<Appended>, StoreError> {
    let sessions = fetch_sessions(tx, appends).await?;
    let may_write = |append: &Append| {
        let session = sessions.get(&append.session).ok_or(Appended::UnknownSession)?;
        session.check(append.by).map(|()| session)
    };
    let new: Vec<(SessionId, &Item)> = appends
        .iter()
        .filter(|append| may_write(append).is_ok_and(|session| session.status.takes_items()))
        .flat_map(|append| append.items.iter().map(|item| (append.session, item)))
        .collect();
    let mut inserted = insert(tx, payloads, &new).await?;
    count(tx, &new, &inserted, now).await?;
    let mut results = Vec::with_capacity(appends.len());
    for append in appends {
        results.push(match may_write(append) {
            Ok(session) => judge(tx, append, session.status, &mut inserted).await?,
            Err(refused) => refused,
        });
    }
    Ok(results)
}

async fn fetch_sessions(
    tx: &mut Tx,
    appends: &[&Append],
) -> Result<HashMap<SessionId, Writable>, StoreError> {
    let ids: HashSet<SessionId> = appends.iter().map(|append| append.session).collect();
    let ids: Vec<SessionId> = ids.into_iter().collect();
    let mut sessions = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT id, epoch, token_hash, status FROM sessions WHERE id IN (",
        );
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.as_bytes().as_slice());
        }
        list.push_unseparated(")");
        for row in query.build().fetch_all(&mut **tx).await? {
            let writable = Writable {
                epoch: Epoch::new(rows::unsigned(row.try_get("epoch")?)),
                token_hash: row.try_get("token_hash")?,
                status: rows::status(row.try_get("status")?)?,
            };
            sessions.insert(rows::session_id(row.try_get("id")?)?, writable);
        }
    }
    Ok(sessions)
}

/// Inserts what is new and tells which that was. Of two items under one number, the first wins.
async fn insert(
    tx: &mut Tx,
    payloads: &dyn PayloadStore,
    new: &[(SessionId, &Item)],
) -> Result<HashSet<Key>, StoreError> {
    let items: Vec<&Item> = new.iter().map(|(_, item)| *item).collect();
    let placed = payloads.place(&items).await?;
    let mut inserted = HashSet::with_capacity(new.len());
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
                Placed::At(place) => row.push_bind(None::<&[u8]>).push_bind(Some(place.as_str())),
            };
        });
        query.push(" ON CONFLICT (session_id, seq) DO NOTHING RETURNING session_id, seq");
        for row in query.build().fetch_all(&mut **tx).await? {
            let session = rows::session_id(row.try_get("session_id")?)?;
            inserted.insert((session, Seq::new(rows::unsigned(row.try_get("seq")?))));
        }
    }
    Ok(inserted)
}

/// What a batch adds to a session's sums.
#[derive(Default)]
struct Sums {
    items: u64,
    payload_bytes: u64,
    captured_ms: u64,
}

/// Keeps the sessions' sums, segments and events in step with what was just inserted. Items are signs
/// of life, too.
async fn count(
    tx: &mut Tx,
    new: &[(SessionId, &Item)],
    inserted: &HashSet<Key>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut uncounted = inserted.clone();
    let mut stored = Vec::with_capacity(inserted.len());
    let mut sums: HashMap<SessionId, Sums> = HashMap::new();
    for (session, item) in new {
        if !uncounted.remove(&(*session, item.seq)) {
            continue;
        }
        let sum = sums.entry(*session).or_default();
        sum.items += 1;
        sum.payload_bytes += item.payload_bytes() as u64;
        sum.captured_ms = sum.captured_ms.max(item.at.get());
        stored.push((*session, *item));
    }
    derived::keep(tx, &stored).await?;
    let sums: Vec<(SessionId, Sums)> = sums.into_iter().collect();
    for sums in sums.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("WITH added (id, items, bytes, at_ms) AS (");
        query.push_values(sums, |mut row, (session, sum)| {
            row.push_bind(session.as_bytes().as_slice())
                .push_bind(signed(sum.items))
                .push_bind(signed(sum.payload_bytes))
                .push_bind(signed(sum.captured_ms));
        });
        query.push(
            ") UPDATE sessions SET items = sessions.items + added.items, \
             payload_bytes = sessions.payload_bytes + added.bytes, \
             captured_ms = max(sessions.captured_ms, added.at_ms), \
             last_heartbeat_at = max(sessions.last_heartbeat_at, ",
        );
        query.push_bind(signed(now.get()));
        query.push(") FROM added WHERE sessions.id = added.id");
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

fn columns(item: &Item) -> (&'static str, Option<u8>, Option<u32>) {
    match &item.content {
        Content::Chunk { track, segment, .. } => ("chunk", Some(track.get()), Some(segment.get())),
        Content::Marker(_) => ("marker", None, None),
    }
}

/// `inserted` gives up each key to the first item that claims it; whatever comes second is judged
/// by what is stored.
async fn judge(
    tx: &mut Tx,
    append: &Append,
    status: SessionStatus,
    inserted: &mut HashSet<Key>,
) -> Result<Appended, StoreError> {
    let mut judged = Vec::with_capacity(append.items.len());
    for item in &append.items {
        let verdict = if inserted.remove(&(append.session, item.seq)) {
            Verdict::Stored
        } else {
            match stored_digest(tx, append.session, item.seq).await? {
                Some(stored) => Verdict::of_second(&stored, &item.digest),
                None if status.takes_items() => Verdict::Refused(ItemError::DigestConflict),
                None => Verdict::Refused(ItemError::SessionFinished),
            }
        };
        judged.push((item.seq, verdict));
    }
    Ok(Appended::Judged(judged))
}

async fn stored_digest(
    tx: &mut Tx,
    session: SessionId,
    seq: Seq,
) -> Result<Option<Digest>, StoreError> {
    let row = sqlx::query("SELECT digest FROM items WHERE session_id = ? AND seq = ?")
        .bind(session.as_bytes().as_slice())
        .bind(signed(seq.get()))
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| rows::digest(row.try_get("digest")?)).transpose()
}

//! The browser's durable store of what the server has not acknowledged yet: IndexedDB. Decides
//! nothing: it deletes what it is told to, when it is told to.
//!
//! | store | key | value |
//! |---|---|---|
//! | `sessions` | session id | the session's record |
//! | `items` | [session id, seq] | an item and its media time |
//!
//! Values hold byte arrays and never `File` or `Blob` objects, which iOS stores corruptly; `stored`
//! has their forms. What cannot be read stays where it is, and is told. The service worker reads the
//! values too, and only reads.

pub(crate) mod stored;

use std::error::Error as _;
use std::rc::Rc;

use futures_util::future::{FutureExt as _, LocalBoxFuture, join, ready, try_join};
use js_sys::Array;
use protocol::sender::SessionRecord;
use protocol::{Item, Millis, Seq, SeqSet, SessionId};
use rexie::{KeyRange, ObjectStore, Rexie, Store, Transaction, TransactionMode};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::browser;
use stored::Stored;

const DATABASE: &str = "holdfast";
/// To be raised with a change of the stores. Values say their own form: a database of a higher version
/// cannot even be opened by an older page.
const DATABASE_VERSION: u32 = 1;
const SESSIONS: &str = "sessions";
const ITEMS: &str = "items";

const OPEN_DEADLINE: Millis = Millis::from_secs(3);
const READ_DEADLINE: Millis = Millis::from_secs(20);

/// Items read in one go when a whole session is looked through.
const PAGE_ITEMS: u32 = 64;

#[wasm_bindgen(module = "/js/strict-durability.js")]
extern "C" {
    #[wasm_bindgen(js_name = makeWritesDurable)]
    fn make_writes_durable();
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error("the browser offers no storage to this page")]
    Unavailable,
    #[error("the browser's storage failed ({0})")]
    Failed(String),
    #[error("the browser's storage does not answer")]
    TimedOut,
    #[error("what is stored of the recording cannot be read by this version")]
    Unreadable,
}

/// What an earlier page left behind of a session.
pub(crate) struct Unfinished {
    pub(crate) record: SessionRecord,
    /// Each item's seq, payload bytes and media time.
    pub(crate) items: Vec<(Seq, usize, Millis)>,
    pub(crate) unreadable: Unreadable,
}

/// The same, as far as it can be read.
pub(crate) enum Left {
    Nothing,
    Unfinished(Unfinished),
    /// Not even its record can be read: nothing of it can be sent.
    Unreadable(Unreadable),
}

/// What is stored and cannot be read by this version.
#[derive(Default)]
pub(crate) struct Unreadable {
    /// Where each piece lies: see js/unreadable.js.
    pub(crate) places: Array,
    /// Which items they are, as far as is known.
    pub(crate) seqs: Vec<Option<Seq>>,
}

impl Unreadable {
    fn add(&mut self, seq: Option<Seq>, store: &str, key: &JsValue) {
        self.places.push(&Array::of2(&store.into(), key));
        self.seqs.push(seq);
    }
}

/// A handle; its clones share one database. Operations reach the database in the order in which
/// their futures are first polled, and need not wait for each other.
#[derive(Clone)]
pub(crate) struct Spool {
    database: Option<Rc<Rexie>>,
}

impl Spool {
    /// Never fails: without a database every operation does.
    pub(crate) async fn open() -> Self {
        make_writes_durable();
        let opening = async {
            Rexie::builder(DATABASE)
                .version(DATABASE_VERSION)
                .add_object_store(ObjectStore::new(SESSIONS))
                .add_object_store(ObjectStore::new(ITEMS))
                .build()
                .await
                .map_err(|error| SpoolError::from(error).to_string())
        };
        let problem = match browser::within(OPEN_DEADLINE, opening).await {
            Some(Ok(database)) => {
                return Self { database: Some(Rc::new(database)) };
            }
            Some(Err(problem)) => problem,
            None => SpoolError::TimedOut.to_string(),
        };
        browser::log_error(&problem);
        Self { database: None }
    }

    /// False when the browser stores nothing for this page.
    pub(crate) fn is_there(&self) -> bool {
        self.database.is_some()
    }

    /// Returns once the item is on disk, and its session's record with it. Waits without a deadline of
    /// its own: the sender has one, and an answer that comes later still counts.
    pub(crate) async fn put(
        &self,
        item: Item,
        span: Millis,
        record: SessionRecord,
    ) -> Result<(), SpoolError> {
        let key = item_key(record.session, item.seq);
        let value = stored::item_to_value(item, span);
        let transaction = self.write(&[SESSIONS, ITEMS])?;
        let (sessions, items) = (transaction.store(SESSIONS)?, transaction.store(ITEMS)?);
        commit(transaction, vec![put_record(sessions, &record), put(items, key, value)]).await
    }

    pub(crate) async fn remember(&self, record: SessionRecord) -> Result<(), SpoolError> {
        let transaction = self.write(&[SESSIONS])?;
        let sessions = transaction.store(SESSIONS)?;
        commit(transaction, vec![put_record(sessions, &record)]).await
    }

    /// Writes the record and deletes these items, in one transaction.
    pub(crate) async fn forget(
        &self,
        seqs: Vec<Seq>,
        record: SessionRecord,
    ) -> Result<(), SpoolError> {
        let transaction = self.write(&[SESSIONS, ITEMS])?;
        let mut requests = vec![put_record(transaction.store(SESSIONS)?, &record)];
        for range in seqs.into_iter().collect::<SeqSet>().ranges() {
            let keys = item_keys(record.session, *range.start(), *range.end())?;
            requests.push(delete(transaction.store(ITEMS)?, keys.into()));
        }
        commit(transaction, requests).await
    }

    /// Deletes the session's record and all its items, in one transaction.
    pub(crate) async fn erase(&self, session: SessionId) -> Result<(), SpoolError> {
        let transaction = self.write(&[SESSIONS, ITEMS])?;
        let (sessions, items) = (transaction.store(SESSIONS)?, transaction.store(ITEMS)?);
        let keys = item_keys(session, Seq::ZERO, Seq::new(u64::MAX))?;
        let requests = vec![delete(sessions, session_key(session)), delete(items, keys.into())];
        commit(transaction, requests).await
    }

    /// Those of `seqs` that are here, without what cannot be read of them; what is missing in the result
    /// is gone.
    pub(crate) async fn load(
        &self,
        session: SessionId,
        seqs: &SeqSet,
    ) -> Result<Vec<(Option<Seq>, Option<Item>)>, SpoolError> {
        let mut items = Vec::new();
        for range in seqs.ranges() {
            let keys = item_keys(session, *range.start(), *range.end())?;
            for (key, value) in self.read_items(keys, None).await? {
                let (seq, stored) = item_in(&key, &value);
                items.push((seq, stored.map(|stored| stored.item)));
            }
        }
        Ok(items)
    }

    /// Every session of which something is here, and what stands there for none.
    pub(crate) async fn sessions(&self) -> Result<(Vec<SessionId>, Unreadable), SpoolError> {
        let spool = self.clone();
        let keys = in_time(async move {
            spool.read(&[SESSIONS])?.store(SESSIONS)?.get_all_keys(None, None).await.map_err(failed)
        });
        let (mut sessions, mut unreadable) = (Vec::new(), Unreadable::default());
        for key in keys.await? {
            match key.as_string().and_then(|id| id.parse().ok()) {
                Some(session) => sessions.push(session),
                None => unreadable.add(None, SESSIONS, &key),
            }
        }
        Ok((sessions, unreadable))
    }

    /// The session's record, if the session is here.
    pub(crate) async fn record(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionRecord>, SpoolError> {
        let spool = self.clone();
        let value = in_time(async move {
            let sessions = spool.read(&[SESSIONS])?.store(SESSIONS)?;
            sessions.get(session_key(session)).await.map_err(failed)
        });
        let Some(value) = value.await? else { return Ok(None) };
        let record = stored::record_from_value(&value).filter(|record| record.session == session);
        record.map(Some).ok_or(SpoolError::Unreadable)
    }

    /// The session's record and the numbers of its items.
    pub(crate) async fn left_of(&self, session: SessionId) -> Result<Left, SpoolError> {
        let (mut items, mut unreadable) = (Vec::new(), Unreadable::default());
        let record = match self.record(session).await {
            Ok(Some(record)) => Some(record),
            Ok(None) => return Ok(Left::Nothing),
            Err(SpoolError::Unreadable) => {
                unreadable.add(None, SESSIONS, &session_key(session));
                None
            }
            Err(error) => return Err(error),
        };
        let last = item_key(session, Seq::new(u64::MAX));
        let mut keys = item_keys(session, Seq::ZERO, Seq::new(u64::MAX))?;
        loop {
            let page = self.read_items(keys, Some(PAGE_ITEMS)).await?;
            let Some((end, _)) = page.last() else { break };
            keys = range(end, &last, Some(true))?;
            for (key, value) in &page {
                let (seq, stored) = item_in(key, value);
                // Without its record, what could be read cannot be sent.
                match stored.filter(|_| record.is_some()) {
                    Some(Stored { span, item }) => {
                        items.push((item.seq, item.payload_bytes(), span));
                    }
                    None => unreadable.add(seq, ITEMS, key),
                }
            }
        }
        Ok(match record {
            Some(record) => Left::Unfinished(Unfinished { record, items, unreadable }),
            None => Left::Unreadable(unreadable),
        })
    }

    /// Some items of a session from a number on, without what cannot be read of them, and where to go on.
    pub(crate) async fn next_items(
        &self,
        session: SessionId,
        from: Seq,
    ) -> Result<(Vec<Item>, Option<Seq>), SpoolError> {
        let keys = item_keys(session, from, Seq::new(u64::MAX))?;
        let (mut items, mut next) = (Vec::new(), None);
        for (key, value) in self.read_items(keys, Some(PAGE_ITEMS)).await? {
            let (seq, stored) = item_in(&key, &value);
            next = seq.map(Seq::next);
            items.extend(stored.map(|stored| stored.item));
        }
        Ok((items, next))
    }

    /// Keys and values.
    async fn read_items(
        &self,
        keys: KeyRange,
        limit: Option<u32>,
    ) -> Result<Vec<(JsValue, JsValue)>, SpoolError> {
        let spool = self.clone();
        let read = in_time(async move {
            let items = spool.read(&[ITEMS])?.store(ITEMS)?;
            let names = items.get_all_keys(Some(keys.clone()), limit).await?;
            let values = items.get_all(Some(keys), limit).await?;
            Ok(names.into_iter().zip(values).collect())
        });
        read.await
    }

    fn read(&self, stores: &[&str]) -> Result<Transaction, SpoolError> {
        let database = self.database.as_ref().ok_or(SpoolError::Unavailable)?;
        Ok(database.transaction(stores, TransactionMode::ReadOnly)?)
    }

    fn write(&self, stores: &[&str]) -> Result<Transaction, SpoolError> {
        let database = self.database.as_ref().ok_or(SpoolError::Unavailable)?;
        Ok(database.transaction(stores, TransactionMode::ReadWrite)?)
    }
}

/// What a transaction is asked to do, once it is first polled.
type Request = LocalBoxFuture<'static, Result<(), rexie::Error>>;

fn put_record(sessions: Store, record: &SessionRecord) -> Request {
    put(sessions, session_key(record.session), stored::record_to_value(record))
}

fn put(store: Store, key: JsValue, value: JsValue) -> Request {
    Box::pin(async move { store.put(&value, Some(&key)).await.map(drop) })
}

fn delete(store: Store, keys: JsValue) -> Request {
    Box::pin(async move { store.delete(keys).await })
}

/// Asks for everything at once, the commit included, without waiting for an answer. So the database
/// carries it all out even when the page is gone before it could hear of any. A transaction is on
/// disk only once it is complete as a whole.
async fn commit(transaction: Transaction, requests: Vec<Request>) -> Result<(), SpoolError> {
    // Polled in this order, so asked for in this order.
    let all = requests.into_iter().fold(ready(Ok(())).boxed_local(), |before, next| {
        Box::pin(async { try_join(before, next).await.map(drop) })
    });
    let (requested, committed) = join(all, transaction.commit()).await;
    requested?;
    Ok(committed?)
}

async fn in_time<T: 'static>(
    reading: impl Future<Output = Result<T, SpoolError>> + 'static,
) -> Result<T, SpoolError> {
    browser::within(READ_DEADLINE, reading).await.unwrap_or(Err(SpoolError::TimedOut))
}

fn session_key(session: SessionId) -> JsValue {
    JsValue::from_str(&session.to_string())
}

/// Seqs stay far below 2^53, where a JavaScript number would stop being exact.
fn item_key(session: SessionId, seq: Seq) -> JsValue {
    Array::of2(&session_key(session), &JsValue::from_f64(seq.get() as f64)).into()
}

fn item_keys(session: SessionId, first: Seq, last: Seq) -> Result<KeyRange, SpoolError> {
    range(&item_key(session, first), &item_key(session, last), None)
}

fn range(from: &JsValue, to: &JsValue, is_after: Option<bool>) -> Result<KeyRange, SpoolError> {
    KeyRange::bound(from, to, is_after, None).map_err(|error| rexie::Error::from(error).into())
}

/// The number in the key, and the item that lies under it, unless it cannot be read.
fn item_in(key: &JsValue, value: &JsValue) -> (Option<Seq>, Option<Stored>) {
    let seq = stored::whole_number(&key.unchecked_ref::<Array>().get(1)).map(Seq::new);
    (seq, stored::item_from_value(value).filter(|stored| Some(stored.item.seq) == seq))
}

fn failed(error: rexie::Error) -> SpoolError {
    error.into()
}

impl From<rexie::Error> for SpoolError {
    fn from(error: rexie::Error) -> Self {
        // Its own words are only that something failed; the browser's are one step down.
        Self::Failed(error.source().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

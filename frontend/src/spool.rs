//! The browser's durable store of what the server has not acknowledged yet: IndexedDB. Decides
//! nothing: it deletes what it is told to, when it is told to.
//!
//! | store | key | value |
//! |---|---|---|
//! | `sessions` | session id | the session's record |
//! | `items` | [session id, seq] | an item and its media time |
//!
//! Values hold byte arrays and never `File` or `Blob` objects, which iOS stores corruptly; `stored`
//! has their form. The service worker reads them too, and only reads.

pub(crate) mod stored;

use std::error::Error as _;
use std::rc::Rc;

use futures_util::future::{FutureExt as _, LocalBoxFuture, join, ready, try_join};
use js_sys::Array;
use protocol::sender::SessionRecord;
use protocol::{Item, Millis, Seq, SeqSet, SessionId};
use rexie::{KeyRange, ObjectStore, Rexie, Store, Transaction, TransactionMode};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser;
use stored::Stored;

const DATABASE: &str = "holdfast";
/// To be raised with any change of the stores, or of the values that older code would misread.
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
}

/// What an earlier page left behind of a session.
pub(crate) struct Unfinished {
    pub(crate) record: SessionRecord,
    /// Each item's seq, payload bytes and media time.
    pub(crate) items: Vec<(Seq, usize, Millis)>,
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

    /// Those of `seqs` that are here; what is missing or unreadable in the result is gone.
    pub(crate) async fn load(
        &self,
        session: SessionId,
        seqs: &SeqSet,
    ) -> Result<Vec<Item>, SpoolError> {
        let mut items = Vec::new();
        for range in seqs.ranges() {
            let keys = item_keys(session, *range.start(), *range.end())?;
            items.extend(self.read_items(keys, None).await?.into_iter().map(|stored| stored.item));
        }
        Ok(items)
    }

    /// Every session of which something is here.
    pub(crate) async fn sessions(&self) -> Result<Vec<SessionId>, SpoolError> {
        let spool = self.clone();
        let keys = in_time(async move {
            spool.read(&[SESSIONS])?.store(SESSIONS)?.get_all_keys(None, None).await.map_err(failed)
        });
        let sessions = keys.await?.into_iter().filter_map(|key| key.as_string()?.parse().ok());
        Ok(sessions.collect())
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
        Ok(value.await?.and_then(|value| stored::record_from_value(&value)))
    }

    /// The session's record and the numbers of its items, or `None` when there is no such session.
    pub(crate) async fn unfinished(
        &self,
        session: SessionId,
    ) -> Result<Option<Unfinished>, SpoolError> {
        let Some(record) = self.record(session).await? else {
            return Ok(None);
        };
        let mut items = Vec::new();
        let mut from = Seq::ZERO;
        loop {
            let keys = item_keys(session, from, Seq::new(u64::MAX))?;
            let page = self.read_items(keys, Some(PAGE_ITEMS)).await?;
            let Some(last) = page.last() else {
                return Ok(Some(Unfinished { record, items }));
            };
            from = last.item.seq.next();
            items.extend(
                page.iter().map(|Stored { span, item }| (item.seq, item.payload_bytes(), *span)),
            );
        }
    }

    async fn read_items(
        &self,
        keys: KeyRange,
        limit: Option<u32>,
    ) -> Result<Vec<Stored>, SpoolError> {
        let spool = self.clone();
        let values = in_time(async move {
            spool.read(&[ITEMS])?.store(ITEMS)?.get_all(Some(keys), limit).await.map_err(failed)
        });
        Ok(values.await?.iter().filter_map(stored::item_from_value).collect())
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
    let (first, last) = (item_key(session, first), item_key(session, last));
    KeyRange::bound(&first, &last, None, None).map_err(|error| rexie::Error::from(error).into())
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

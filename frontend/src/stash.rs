//! What a page that was left had not in the spool yet, kept in `localStorage`: the database carries
//! out most of what a page asks for in its last moment, but not always all of it. The page that
//! comes next moves the stash into the spool. Its values are those of the spool; an entry in which one
//! cannot be read stays.

use js_sys::Array;
use protocol::sender::SessionRecord;
use protocol::{Item, Millis, SessionId};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::browser;
use crate::local_storage::{self, Note};
use crate::spool::stored::{self, Stored};
use crate::spool::{Spool, SpoolError};

const STASH: Note = Note("stash");

#[wasm_bindgen(module = "/js/stash.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn write(key: &str, values: &Array) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    fn entries(name: &str) -> Result<Array, JsValue>;
}

pub(crate) fn keep(record: &SessionRecord, items: Vec<(Item, Millis)>) {
    if items.is_empty() {
        forget_page(record.session);
        return;
    }
    let values = Array::of1(&stored::record_to_value(record));
    for (item, span) in items {
        values.push(&stored::item_to_value(item, span));
    }
    if let Err(error) = write(&key_of_page(record.session), &values) {
        browser::warn("What is not on disk yet could not be put aside.", &error);
    }
}

/// To be called before the session is read from the spool. Returns the places of what cannot be moved
/// now, because something in it is unreadable or the spool takes nothing.
pub(crate) async fn move_into(spool: &Spool, session: SessionId) -> Array {
    let left = Array::new();
    for (key, values) in entries_of(session) {
        match move_entry(spool, session, values).await {
            Ok(()) => local_storage::remove(&key),
            Err(error) => {
                browser::warn("What a page put aside stays there.", &error.to_string().into());
                left.push(&Array::of2(&"localStorage".into(), &key.into()));
            }
        }
    }
    left
}

/// Without a record in the spool nothing of the session is needed any more.
async fn move_entry(spool: &Spool, session: SessionId, values: JsValue) -> Result<(), SpoolError> {
    let Some(mut record) = spool.record(session).await? else { return Ok(()) };
    let values: Array = values.dyn_into().map_err(|_| SpoolError::Unreadable)?;
    let of_stash = stored::record_from_value(&values.get(0)).ok_or(SpoolError::Unreadable);
    if let Ok(of_stash) = &of_stash {
        record.catch_up(of_stash);
    }
    let mut moved = of_stash.map(drop);
    for value in values.iter().skip(1) {
        match stored::item_from_value(&value) {
            Some(Stored { item, span }) => spool.put(item, span, record.clone()).await?,
            None => moved = Err(SpoolError::Unreadable),
        }
    }
    moved
}

/// The page lives on.
pub(crate) fn forget_page(session: SessionId) {
    local_storage::remove(&key_of_page(session));
}

/// Nothing of the session is needed any more.
pub(crate) fn forget(session: SessionId) {
    for (key, _) in entries_of(session) {
        local_storage::remove(&key);
    }
}

/// None where the browser blocks storage.
fn entries_of(session: SessionId) -> impl Iterator<Item = (String, JsValue)> {
    let entries = entries(&STASH.key(session)).unwrap_or_default().into_iter();
    entries.filter_map(|entry| {
        let entry: Array = entry.unchecked_into();
        Some((entry.get(0).as_string()?, entry.get(1)))
    })
}

/// Each page has a key of its own, so that none writes over what another one left.
fn key_of_page(session: SessionId) -> String {
    [&STASH.key(session), "-", &browser::opened_at().get().to_string()].concat()
}

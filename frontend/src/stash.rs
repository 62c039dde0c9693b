//! What a page that was left had not in the spool yet, kept in `localStorage`: the database carries
//! out most of what a page asks for in its last moment, but not always all of it. The page that
//! comes next moves the stash into the spool. Its values are those of the spool.

use js_sys::Array;
use protocol::sender::SessionRecord;
use protocol::{Item, Millis, SessionId};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser;
use crate::local_storage::Note;
use crate::spool::stored::{self, Stored};
use crate::spool::{Spool, SpoolError};

/// Bytes of items, with their headers. Browsers take some 5 million characters, four of which make
/// three bytes; the other sessions and notes need room too.
pub(crate) const BYTES_MAX: usize = 1024 * 1024;

const STASH: Note = Note("stash");

#[wasm_bindgen(module = "/js/stash.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn write(key: &str, value: &Array) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    fn read(key: &str) -> Result<Option<Array>, JsValue>;
}

pub(crate) fn keep(record: &SessionRecord, items: Vec<(Item, Millis)>) {
    if items.is_empty() {
        forget(record.session);
        return;
    }
    let values = Array::of1(&stored::record_to_value(record));
    for (item, span) in items {
        values.push(&stored::item_to_value(item, span));
    }
    if let Err(error) = write(&STASH.key(record.session), &values) {
        browser::warn("What is not on disk yet could not be put aside.", &error);
    }
}

/// To be called before the session is read from the spool.
pub(crate) async fn move_into(spool: &Spool, session: SessionId) -> Result<(), SpoolError> {
    let values = read(&STASH.key(session)).ok().flatten().unwrap_or_default();
    if let Some(record) = stored::record_from_value(&values.get(0))
        && spool.record(session).await?.is_some()
    {
        for value in values.iter().skip(1) {
            if let Some(Stored { item, span }) = stored::item_from_value(&value) {
                spool.put(item, span, record.clone()).await?;
            }
        }
    }
    forget(session);
    Ok(())
}

/// The page lives on, or nothing of the session is needed any more.
pub(crate) fn forget(session: SessionId) {
    STASH.forget(session);
}

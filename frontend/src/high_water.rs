//! The numbers that a page took while it was being left. Their items may reach the server without
//! ever reaching the spool, so the next page must not use them again. Kept in `localStorage`: there
//! is no time for anything that has to be waited for.

use protocol::{Seq, SessionId};
use web_sys::Storage;

use crate::browser;

/// Every number below `next` may have been used.
pub(crate) fn note(session: SessionId, next: Seq) {
    if let Some(storage) = storage()
        && let Err(error) = storage.set_item(&key(session), &next.to_string())
    {
        browser::warn("The numbers in use could not be noted.", &error);
    }
}

pub(crate) fn read(session: SessionId) -> Option<Seq> {
    let noted = storage()?.get_item(&key(session)).ok()??;
    noted.parse().map(Seq::new).ok()
}

pub(crate) fn forget(session: SessionId) {
    if let Some(storage) = storage() {
        // A note that stays costs a few bytes.
        let _ = storage.remove_item(&key(session));
    }
}

fn key(session: SessionId) -> String {
    ["holdfast-next-seq-", &session.to_string()].concat()
}

/// None where the browser blocks storage.
fn storage() -> Option<Storage> {
    browser::window().local_storage().ok()?
}

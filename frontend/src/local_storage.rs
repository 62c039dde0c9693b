//! Notes about a session in `localStorage`, where a write is done when its call returns: for what a
//! page that is being left cannot wait for. Whatever fails here costs no more than the note.

use protocol::SessionId;
use web_sys::Storage;

use crate::browser;

/// A kind of note, of which a session has one at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note(pub(crate) &'static str);

impl Note {
    pub(crate) fn write(self, session: SessionId, text: &str) {
        if let Some(storage) = storage()
            && let Err(error) = storage.set_item(&self.key(session), text)
        {
            browser::warn("A note could not be written down.", &error);
        }
    }

    pub(crate) fn read(self, session: SessionId) -> Option<String> {
        storage()?.get_item(&self.key(session)).ok()?
    }

    pub(crate) fn forget(self, session: SessionId) {
        remove(&self.key(session));
    }

    pub(crate) fn key(self, session: SessionId) -> String {
        ["holdfast-", self.0, "-", &session.to_string()].concat()
    }
}

pub(crate) fn remove(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

/// None where the browser blocks storage.
fn storage() -> Option<Storage> {
    browser::window().local_storage().ok()?
}

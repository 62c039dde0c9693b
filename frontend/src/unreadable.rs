//! What lies in this browser and cannot be read by this version: counted, and handed to the candidate
//! as a file. It stays where it is.

use js_sys::{Array, Promise};
use protocol::SessionId;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;

#[wasm_bindgen(module = "/js/unreadable.js")]
extern "C" {
    fn save(places: &Array) -> Promise;
}

/// Where the pieces of each session lie; of what names none, under `None`.
#[derive(Default)]
pub(crate) struct Unreadables(Vec<(Option<SessionId>, Array)>);

impl Unreadables {
    /// What was found of a session, in the place of what was found before.
    pub(crate) fn found(&mut self, session: Option<SessionId>, places: Array) {
        self.forget(session);
        self.0.push((session, places));
    }

    /// The candidate throws the session away.
    pub(crate) fn forget(&mut self, session: Option<SessionId>) {
        self.0.retain(|(of, _)| *of != session);
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|(_, places)| places.length()).sum()
    }

    pub(crate) fn save(&self) {
        let places: Array = self.0.iter().map(|(_, places)| places).collect();
        spawn_local(async move {
            if let Err(error) = JsFuture::from(save(&places)).await {
                browser::warn("What cannot be read could not be saved either.", &error);
            }
        });
    }
}

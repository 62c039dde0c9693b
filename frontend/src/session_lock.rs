//! One tab for one session: a Web Lock that says that a page is at work on it. Without it, a second
//! tab would take the session of the first for an abandoned one, and fence it off.

use futures_channel::oneshot;
use js_sys::{Function, Promise};
use protocol::{Millis, SessionId};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;

const LOCK_DEADLINE: Millis = Millis::from_secs(5);

#[wasm_bindgen(module = "/js/web-lock.js")]
extern "C" {
    #[wasm_bindgen(js_name = tryLock)]
    fn try_lock(name: &str) -> Promise;
}

/// Held until it is dropped or the page ends.
pub(crate) struct SessionLock {
    release: Function,
}

impl SessionLock {
    /// `None` when another tab has it, or when this browser knows no locks.
    pub(crate) async fn acquire(session: SessionId) -> Option<Self> {
        if !browser::has(&browser::window().navigator(), "locks") {
            return None;
        }
        let name = ["holdfast-session-", &session.to_string()].concat();
        // Granting may come after the deadline: the lock is then let go at once.
        let granted = async move {
            let release = JsFuture::from(try_lock(&name)).await?.dyn_into::<Function>().ok();
            Ok::<_, JsValue>(release.map(|release| Self { release }))
        };
        match browser::within(LOCK_DEADLINE, granted).await? {
            Ok(lock) => lock,
            Err(error) => {
                browser::warn("No lock could be had for the session.", &error);
                None
            }
        }
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        // Resolving a promise cannot throw.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// Takes the lock of a session that was just made, which nobody else can have, and keeps it until
/// it is dropped.
pub(crate) struct LockKeeper {
    _kept: oneshot::Sender<()>,
}

impl LockKeeper {
    pub(crate) fn new(session: SessionId) -> Self {
        let (kept, dropped) = oneshot::channel();
        spawn_local(async move {
            let _lock = SessionLock::acquire(session).await;
            // An error is what it waits for: the keeper is gone.
            let _: Result<(), oneshot::Canceled> = dropped.await;
        });
        Self { _kept: kept }
    }
}

//! One tab for one session: a Web Lock that says that a page is at work on it. Without it, a second
//! tab would take the session of the first for an abandoned one, and fence it off.

use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use protocol::{Millis, SessionId};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;
use crate::driver::Input;
use crate::port::Inputs;

const LOCK_DEADLINE: Millis = Millis::from_secs(5);

#[wasm_bindgen(module = "/js/web-lock.js")]
extern "C" {
    #[wasm_bindgen(js_name = requestLock)]
    fn request_lock(name: &str, how: &Object, on_lost: &Function) -> Promise;
}

/// How a lock is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    IfFree,
    /// Waits so long for another tab to let it go.
    For(Millis),
    /// Takes it from another tab, which hears of it.
    Stealing,
}

/// Held until it is dropped, the page ends, or another tab steals it: then the driver gets
/// [`Input::LockLost`].
pub(crate) struct SessionLock {
    release: Function,
    _on_lost: Closure<dyn FnMut()>,
}

impl SessionLock {
    /// `None` when another tab has it, or when this browser knows no locks.
    pub(crate) async fn acquire(
        session: SessionId,
        asking: Asking,
        inputs: &Inputs,
    ) -> Option<Self> {
        if !browser::has(&browser::window().navigator(), "locks") {
            return None;
        }
        let name = ["holdfast-session-", &session.to_string()].concat();
        let deadline = match asking {
            Asking::IfFree | Asking::Stealing => LOCK_DEADLINE,
            Asking::For(wait) => wait + LOCK_DEADLINE,
        };
        let inputs = inputs.clone();
        let on_lost = Closure::new(move || inputs.send(Input::LockLost(session)));
        // Granting may come after the deadline: the lock is then let go at once.
        let granted = async move {
            let how = asking.options()?;
            let on_lost_js = on_lost.as_ref().unchecked_ref();
            let release = JsFuture::from(request_lock(&name, &how, on_lost_js)).await?;
            let release = release.dyn_into::<Function>().ok();
            Ok::<_, JsValue>(release.map(|release| Self { release, _on_lost: on_lost }))
        };
        match browser::within(deadline, granted).await? {
            Ok(lock) => lock,
            Err(error) => {
                browser::warn("No lock could be had for the session.", &error);
                None
            }
        }
    }
}

/// Takes the lock of a session that was just made, which nobody else can have, and keeps it until
/// it is dropped.
pub(crate) struct LockKeeper {
    _kept: oneshot::Sender<()>,
}

impl LockKeeper {
    pub(crate) fn new(session: SessionId, inputs: &Inputs) -> Self {
        let (kept, dropped) = oneshot::channel();
        let inputs = inputs.clone();
        spawn_local(async move {
            let _lock = SessionLock::acquire(session, Asking::IfFree, &inputs).await;
            // An error is what it waits for: the keeper is gone.
            let _: Result<(), oneshot::Canceled> = dropped.await;
        });
        Self { _kept: kept }
    }
}

impl Asking {
    fn options(self) -> Result<Object, JsValue> {
        let options = Object::new();
        match self {
            Self::IfFree => false,
            Self::For(wait) => {
                Reflect::set(&options, &"waitMs".into(), &(wait.get() as f64).into())?
            }
            Self::Stealing => Reflect::set(&options, &"steal".into(), &true.into())?,
        };
        Ok(options)
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        // Resolving a promise cannot throw.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

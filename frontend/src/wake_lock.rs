//! Keeps the screen awake while sound is captured: a device that goes to sleep records nothing. The
//! browser takes the lock back whenever the page is hidden, so it is asked for again when the page
//! is seen. A browser without wake locks, or one that refuses, changes nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;

#[wasm_bindgen]
extern "C" {
    /// Screen Wake Lock, section 7; not yet in `web-sys`.
    #[wasm_bindgen(extends = js_sys::Object)]
    type Screen;
    #[wasm_bindgen(method, catch)]
    fn request(this: &Screen, kind: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(extends = js_sys::Object)]
    type Sentinel;
    #[wasm_bindgen(method, getter)]
    fn released(this: &Sentinel) -> bool;
    #[wasm_bindgen(method, catch)]
    fn release(this: &Sentinel) -> Result<Promise, JsValue>;
}

#[derive(Default)]
pub(crate) struct WakeLock {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    is_wanted: Cell<bool>,
    is_asked: Cell<bool>,
    held: RefCell<Option<Sentinel>>,
}

impl WakeLock {
    /// Asks for the lock or gives it back; the same answer twice changes nothing.
    pub(crate) fn set(&self, is_wanted: bool) {
        if self.state.is_wanted.replace(is_wanted) == is_wanted {
            return;
        }
        if is_wanted {
            self.ask();
        } else {
            self.state.let_go();
        }
    }

    /// The page is seen again.
    pub(crate) fn page_is_visible(&self) {
        if self.state.is_wanted.get() {
            self.ask();
        }
    }

    fn ask(&self) {
        let state = self.state.clone();
        if state.holds() || state.is_asked.replace(true) {
            return;
        }
        spawn_local(async move {
            let asked = ask_browser().await;
            state.is_asked.set(false);
            match asked {
                Ok(sentinel) => *state.held.borrow_mut() = sentinel,
                Err(error) => browser::warn("The screen may go to sleep.", &error),
            }
            if !state.is_wanted.get() {
                state.let_go();
            }
        });
    }
}

impl State {
    fn holds(&self) -> bool {
        self.held.borrow().as_ref().is_some_and(|sentinel| !sentinel.released())
    }

    fn let_go(&self) {
        if let Some(sentinel) = self.held.borrow_mut().take()
            && let Err(error) = sentinel.release()
        {
            browser::warn("The screen could not be allowed to sleep.", &error);
        }
    }
}

/// `None` when this browser knows no wake locks, or while the page is hidden.
async fn ask_browser() -> Result<Option<Sentinel>, JsValue> {
    let navigator = browser::window().navigator();
    if !browser::has(&navigator, "wakeLock") || !browser::is_visible() {
        return Ok(None);
    }
    let screen = js_sys::Reflect::get(&navigator, &JsValue::from_str("wakeLock"))?;
    let sentinel = JsFuture::from(screen.unchecked_into::<Screen>().request("screen")?).await?;
    Ok(Some(sentinel.unchecked_into()))
}

//! The page's side of the service worker in `frontend/sw`: has the browser install it, so that the
//! page opens without a server, and ask its courier to deliver what a closed page leaves unsent.

use std::cell::Cell;
use std::rc::Rc;

use gloo_events::EventListener;
use js_sys::{Function, Promise};
use protocol::Millis;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;

/// How often a page that waits for its server asks anew: a browser gives up after a few tries.
const ASK_EVERY: Millis = Millis::from_secs(60);

/// For a request of the courier that is under way; longer than its own deadline.
const COURIER_DEADLINE: Millis = Millis::from_secs(35);

#[wasm_bindgen(module = "/js/service-worker.js")]
extern "C" {
    #[wasm_bindgen(js_name = register)]
    fn register_worker() -> Promise;
    #[wasm_bindgen(js_name = askForDelivery)]
    fn ask_for_delivery() -> Promise;
    #[wasm_bindgen(js_name = holdCourier)]
    fn hold_courier(wait_millis: f64) -> Promise;
}

/// Without a worker the page works all the same, as long as it is open.
pub(crate) fn register() {
    spawn_local(async {
        // Fails as a matter of course whenever the server is out of reach; the next visit tries
        // again.
        let _ = JsFuture::from(register_worker()).await;
    });
}

/// Sees to it that the courier delivers what is unsent when the page ends.
pub(crate) struct Delivery {
    is_needed: Rc<Cell<bool>>,
    asked_at: Option<Millis>,
    _listeners: Vec<EventListener>,
}

impl Delivery {
    pub(crate) fn new() -> Self {
        let is_needed = Rc::new(Cell::new(false));
        let leaving = |event| {
            let is_needed = is_needed.clone();
            browser::on(&browser::window(), event, move || {
                if is_needed.get() {
                    ask();
                }
            })
        };
        // Phones stop hidden pages without another word.
        let listeners = vec![leaving("pagehide"), leaving("visibilitychange")];
        Self { is_needed, asked_at: None, _listeners: listeners }
    }

    /// To be called after every input. While the server is away the page may be stopped at any
    /// moment; while it is there, the page sends everything itself until it is left.
    pub(crate) fn settle(&mut self, now: Millis, is_needed: bool, is_server_away: bool) {
        self.is_needed.set(is_needed);
        let is_due = self.asked_at.is_none_or(|asked_at| now >= asked_at + ASK_EVERY);
        if is_needed && is_server_away && is_due {
            self.asked_at = Some(now);
            ask();
        }
    }
}

fn ask() {
    spawn_local(async {
        if let Err(error) = JsFuture::from(ask_for_delivery()).await {
            browser::warn("What is unsent waits for the next visit.", &error);
        }
    });
}

/// Keeps the courier from starting a request until it is dropped: a session that it is at work on
/// would otherwise be opened here at the same time.
pub(crate) struct CourierHold(Option<Function>);

impl CourierHold {
    pub(crate) async fn take() -> Self {
        let held = JsFuture::from(hold_courier(COURIER_DEADLINE.get() as f64)).await;
        Self(held.ok().and_then(|release| release.dyn_into().ok()))
    }
}

impl Drop for CourierHold {
    fn drop(&mut self) {
        if let Some(release) = &self.0 {
            // Resolving a promise cannot throw.
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

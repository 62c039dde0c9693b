//! Whether this page may use the microphone: noticed when the candidate allows it in the browser's
//! own settings. Browsers that cannot be asked have the button "Try again" instead.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_events::EventListener;
use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{PermissionState, PermissionStatus};

use crate::browser;

/// Watches until it is dropped.
pub(crate) struct PermissionWatch {
    _watched: Rc<RefCell<Option<EventListener>>>,
}

impl PermissionWatch {
    pub(crate) fn new(on_granted: impl Fn() + 'static) -> Self {
        let watched = Rc::new(RefCell::new(None));
        let slot = Rc::downgrade(&watched);
        spawn_local(async move {
            let Some(status) = ask().await else { return };
            let granted = status.clone();
            let listener = browser::on(&status, "change", move || {
                if granted.state() == PermissionState::Granted {
                    on_granted();
                }
            });
            if let Some(slot) = slot.upgrade() {
                *slot.borrow_mut() = Some(listener);
            }
        });
        Self { _watched: watched }
    }
}

/// `None` where the browser does not tell.
async fn ask() -> Option<PermissionStatus> {
    let navigator = browser::window().navigator();
    if !browser::has(&navigator, "permissions") {
        return None;
    }
    let microphone = Object::new();
    let name = (JsValue::from_str("name"), JsValue::from_str("microphone"));
    Reflect::set(&microphone, &name.0, &name.1).ok()?;
    let asked = navigator.permissions().ok()?.query(&microphone).ok()?;
    JsFuture::from(asked).await.ok()?.dyn_into().ok()
}

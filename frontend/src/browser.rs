//! The plain services of the browser: clocks, randomness, addresses, the timer, the log. Nothing
//! in here knows of recording.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use gloo_events::{EventListener, EventListenerOptions};
use gloo_timers::callback::Timeout;
use gloo_timers::future::TimeoutFuture;
use protocol::{Millis, SessionId, SessionToken, UnixMillis};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{EventTarget, VisibilityState, Window};

pub(crate) fn window() -> Window {
    web_sys::window().expect("the bundle is only ever loaded by a page, and a page has a window")
}

/// The monotonic clock of this page.
pub(crate) fn now() -> Millis {
    let millis = window().performance().map_or(0.0, |performance| performance.now());
    Millis::new(millis as u64)
}

pub(crate) fn wall_clock() -> UnixMillis {
    UnixMillis::new(js_sys::Date::now() as u64)
}

/// When this page was opened: no two of one browser have been at the same time.
pub(crate) fn opened_at() -> UnixMillis {
    UnixMillis::new(
        window().performance().map_or(0.0, |performance| performance.time_origin()) as u64
    )
}

/// In the reader's zone and language.
pub(crate) fn date_and_time(at: UnixMillis) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(at.get() as f64));
    date.to_locale_string("default", &JsValue::UNDEFINED).into()
}

pub(crate) fn new_session_id() -> Result<SessionId, JsValue> {
    Ok(SessionId::from_parts(wall_clock(), random()?))
}

pub(crate) fn new_session_token() -> Result<SessionToken, JsValue> {
    Ok(SessionToken::from_random(random()?))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], JsValue> {
    let mut bytes = [0; BYTES];
    window().crypto()?.get_random_values_with_u8_array(&mut bytes)?;
    Ok(bytes)
}

/// Where the server's socket is, next to this page.
pub(crate) fn socket_url() -> Result<String, JsValue> {
    let location = window().location();
    let scheme = if location.protocol()? == "https:" { "wss://" } else { "ws://" };
    Ok([scheme, &location.host()?, "/api/ws"].concat())
}

/// True while the candidate can see the page.
pub(crate) fn is_visible() -> bool {
    window()
        .document()
        .is_some_and(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Calls back whenever the page comes into view.
pub(crate) fn on_visible(call: impl Fn() + 'static) -> Option<EventListener> {
    let document = window().document()?;
    Some(on(&document, "visibilitychange", move || {
        if is_visible() {
            call();
        }
    }))
}

/// What stands behind the `#` of the page's address, with it.
pub(crate) fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Takes it out of the address and of the browser's history.
pub(crate) fn drop_fragment() {
    let location = window().location();
    let (Ok(path), Ok(query)) = (location.pathname(), location.search()) else { return };
    let replaced = window().history().and_then(|history| {
        history.replace_state_with_url(&JsValue::NULL, "", Some(&[path, query].concat()))
    });
    if let Err(error) = replaced {
        warn("The address could not be cleaned.", &error);
    }
}

/// The address of this page with another fragment.
pub(crate) fn address_with(fragment: &str) -> String {
    let location = window().location();
    let (origin, path) = (location.origin(), location.pathname());
    [&origin.unwrap_or_default(), &path.unwrap_or_default(), fragment].concat()
}

/// True when the page's address asks for the sound as the microphone delivers it.
pub(crate) fn wants_unprocessed_sound() -> bool {
    window().location().search().is_ok_and(|query| {
        query.trim_start_matches('?').split('&').any(|pair| pair == "processing=off")
    })
}

/// True when `target` has the property, and it is no `undefined` or `null`.
pub(crate) fn has(target: &JsValue, property: &str) -> bool {
    js_sys::Reflect::get(target, &JsValue::from_str(property))
        .is_ok_and(|value| !value.is_undefined() && !value.is_null())
}

/// True in Safari, and in every browser that shares its engine, as all do on iOS. Browsers' names for
/// themselves (`userAgent`) claim to be each other, and can be changed; the vendor is the engine's own
/// word: Chromium says "Google Inc." and Firefox nothing.
pub(crate) fn is_webkit() -> bool {
    text_of(&window().navigator(), "vendor").starts_with("Apple")
}

/// The `name` of a JavaScript error such as `NotAllowedError`; empty when it has none.
pub(crate) fn error_name(error: &JsValue) -> String {
    text_of(error, "name")
}

/// Its words, which differ between browsers.
pub(crate) fn error_message(error: &JsValue) -> String {
    text_of(error, "message")
}

/// As `contains` does, whose search is made for long texts and weighs a kilobyte of every download.
pub(crate) fn holds(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

fn text_of(target: &JsValue, property: &str) -> String {
    js_sys::Reflect::get(target, &JsValue::from_str(property))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_default()
}

/// For what goes wrong without a consequence for the candidate.
pub(crate) fn warn(what: &str, why: &JsValue) {
    web_sys::console::warn_2(&JsValue::from_str(what), why);
}

pub(crate) fn log_error(what: &str) {
    web_sys::console::error_1(&JsValue::from_str(what));
}

/// Waits for `future`, but not longer than `limit`. The future itself is not dropped: browser
/// callbacks may still be on their way to it.
pub(crate) async fn within<T: 'static>(
    limit: Millis,
    future: impl Future<Output = T> + 'static,
) -> Option<T> {
    let (done, outcome) = oneshot::channel();
    spawn_local(async move {
        // Nobody waits any longer when the limit is over.
        let _ = done.send(future.await);
    });
    match select(outcome, TimeoutFuture::new(to_timer_millis(limit))).await {
        Either::Left((outcome, _)) => outcome.ok(),
        Either::Right(_) => None,
    }
}

/// One shot at a point of [`now`]'s clock; dropping it calls it off.
pub(crate) struct Timer {
    at: Millis,
    _timeout: Timeout,
}

impl Timer {
    pub(crate) fn new(at: Millis, fire: impl FnOnce() + 'static) -> Self {
        let delay = to_timer_millis(at.since(now()));
        Self { at, _timeout: Timeout::new(delay, fire) }
    }

    pub(crate) fn at(&self) -> Millis {
        self.at
    }
}

/// Calls back after that time, come what may.
pub(crate) fn later(span: Millis, call: impl FnOnce() + 'static) {
    Timeout::new(to_timer_millis(span), call).forget();
}

/// `setTimeout` takes 31 bits.
fn to_timer_millis(span: Millis) -> u32 {
    u32::try_from(span.get()).unwrap_or(u32::MAX).min(i32::MAX as u32)
}

pub(crate) fn on(
    target: &EventTarget,
    event: &'static str,
    call: impl Fn() + 'static,
) -> EventListener {
    EventListener::new(target, event, move |_| call())
}

/// Calls back when the page is no longer to be seen, and when the browser freezes it.
pub(crate) fn on_hidden(call: impl Fn() + Clone + 'static) -> Vec<EventListener> {
    let Some(document) = window().document() else { return Vec::new() };
    let hidden = {
        let call = call.clone();
        move || {
            if !is_visible() {
                call();
            }
        }
    };
    vec![on(&document, "visibilitychange", hidden), on(&document, "freeze", call)]
}

/// Has the browser ask before the page is left, as long as the flag is set.
pub(crate) struct LeaveGuard {
    is_set: Rc<Cell<bool>>,
    _listener: EventListener,
}

impl LeaveGuard {
    pub(crate) fn new() -> Self {
        let is_set = Rc::new(Cell::new(false));
        let asks = is_set.clone();
        let options = EventListenerOptions::enable_prevent_default();
        let listener =
            EventListener::new_with_options(&window(), "beforeunload", options, move |event| {
                if asks.get() {
                    event.prevent_default();
                    // Chromium before 119 only looks at the value.
                    let value = JsValue::from_bool(true);
                    let _ = js_sys::Reflect::set(
                        event.unchecked_ref(),
                        &JsValue::from_str("returnValue"),
                        &value,
                    );
                }
            });
        Self { is_set, _listener: listener }
    }

    pub(crate) fn set(&self, asks: bool) {
        self.is_set.set(asks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_its_parts_and_nothing_else() {
        let text = "Permission denied by system";
        assert!(holds(text, "by system") && holds(text, "P") && holds(text, text));
        assert!(!holds(text, "by systems") && !holds("", "by system"));
    }
}

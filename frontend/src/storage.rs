//! How much room the browser has for what the server does not have yet, and the request to keep it.

use app::recorder::port::Room;
use protocol::Millis;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{StorageEstimate, StorageManager};

use crate::browser;

/// What a second of sound takes in the spool: 128 kb/s of Opus, its container, and a tenth more for
/// the browser's bookkeeping.
const BYTES_PER_SECOND: u64 = 18_000;

const ESTIMATE_DEADLINE: Millis = Millis::from_secs(5);

/// Asks the browser not to clear this page's storage by itself. It may refuse, and may ask the
/// candidate; either way the recording goes on.
pub(crate) fn ask_to_persist() {
    let Some(storage) = manager() else { return };
    spawn_local(async move {
        let asked = async { JsFuture::from(storage.persist()?).await };
        if let Err(error) = asked.await {
            browser::warn("The browser was not asked to keep what is stored.", &error);
        }
    });
}

/// What the browser says that it has left for this page.
pub(crate) async fn room() -> Room {
    let Some(storage) = manager() else { return Room::Unknown };
    let asked = async move { JsFuture::from(storage.estimate()?).await };
    match browser::within(ESTIMATE_DEADLINE, asked).await {
        Some(Ok(estimate)) => {
            let estimate: StorageEstimate = estimate.unchecked_into();
            match (estimate.get_quota(), estimate.get_usage()) {
                (Some(quota), usage) => room_in(quota, usage.unwrap_or(0.0)),
                (None, _) => Room::Unknown,
            }
        }
        Some(Err(error)) => {
            browser::warn("The room on this device is not known.", &error);
            Room::Unknown
        }
        None => Room::Unknown,
    }
}

fn manager() -> Option<StorageManager> {
    let navigator = browser::window().navigator();
    browser::has(&JsValue::from(&navigator), "storage").then(|| navigator.storage())
}

/// How much can be recorded while the server is out of reach.
fn room_in(quota_bytes: f64, usage_bytes: f64) -> Room {
    let free_bytes = (quota_bytes - usage_bytes).max(0.0) as u64;
    Room::For(Millis::from_secs(free_bytes / BYTES_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_what_is_left_of_the_quota() {
        let minute = BYTES_PER_SECOND as f64 * 60.0;
        assert_eq!(room_in(minute, 0.0), Room::For(Millis::from_secs(60)));
        assert_eq!(room_in(3.0 * minute, minute), Room::For(Millis::from_secs(120)));
        assert_eq!(room_in(minute, minute - 1.0), Room::For(Millis::ZERO));
    }

    #[test]
    fn a_quota_that_was_lowered_below_its_use_leaves_no_room() {
        assert_eq!(room_in(1_000.0, 2_000.0), Room::For(Millis::ZERO));
    }
}

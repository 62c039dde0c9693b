//! The microphones to choose from.

use gloo_events::EventListener;
use js_sys::Array;
use protocol::Millis;
use recorder::Device;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDeviceInfo, MediaDeviceKind, MediaDevices};

use crate::browser;

const LIST_DEADLINE: Millis = Millis::from_secs(5);

/// `None` in an insecure context, where the browser hides its devices.
pub(crate) fn media_devices() -> Option<MediaDevices> {
    let navigator = browser::window().navigator();
    if !browser::has(&navigator, "mediaDevices") {
        return None;
    }
    navigator.media_devices().ok()
}

/// Phones cannot share their screens.
pub(crate) fn can_share() -> bool {
    media_devices().is_some_and(|devices| browser::has(&devices, "getDisplayMedia"))
}

/// Empty until the browser names them, which it does once the microphone is allowed.
pub(crate) async fn list() -> Vec<Device> {
    let Some(devices) = media_devices() else {
        return Vec::new();
    };
    let listing = async move { JsFuture::from(devices.enumerate_devices()?).await };
    match browser::within(LIST_DEADLINE, listing).await {
        Some(Ok(infos)) => microphones(&infos),
        Some(Err(error)) => {
            browser::warn("The microphones could not be listed.", &error);
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn microphones(infos: &JsValue) -> Vec<Device> {
    Array::from(infos)
        .iter()
        .filter_map(|info| info.dyn_into::<MediaDeviceInfo>().ok())
        .filter(|info| info.kind() == MediaDeviceKind::Audioinput)
        .map(|info| Device { id: info.device_id(), label: info.label() })
        .filter(|device| !device.id.is_empty() && !device.label.is_empty())
        .collect()
}

/// Calls back whenever a device comes or goes.
pub(crate) fn on_change(call: impl Fn() + 'static) -> Option<EventListener> {
    media_devices().map(|devices| browser::on(&devices, "devicechange", call))
}

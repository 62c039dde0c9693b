//! The microphones to choose from.

use app::recorder::port::Device;
use gloo_events::EventListener;
use js_sys::Array;
use protocol::Millis;
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

/// What the system uses when nothing is chosen, where the browser lists that as a device of its own,
/// as Chromium does.
pub(crate) fn default_label(devices: &[Device]) -> Option<&str> {
    let default = devices.iter().find(|device| device.id == "default")?;
    Some(default.label.strip_prefix("Default - ").unwrap_or(&default.label))
}

/// Calls back whenever a device comes or goes.
pub(crate) fn on_change(call: impl Fn() + 'static) -> Option<EventListener> {
    media_devices().map(|devices| browser::on(&devices, "devicechange", call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_known_where_the_browser_lists_it() {
        let device = |id: &str, label: &str| Device { id: id.to_owned(), label: label.to_owned() };
        let named = device("a1b2", "Headset");
        assert_eq!(default_label(std::slice::from_ref(&named)), None);
        let listed = [named, device("default", "Default - Headset")];
        assert_eq!(default_label(&listed), Some("Headset"));
        assert_eq!(default_label(&[device("default", "Standard")]), Some("Standard"));
    }
}

//! The microphones to choose from.

use app::recorder::port::Device;
use gloo_events::EventListener;
use js_sys::Array;
use protocol::Millis;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDeviceInfo, MediaDeviceKind, MediaDevices};

use crate::browser;

/// What Chromium lists beside the devices themselves.
const STAND_INS: [&str; 2] = ["default", "communications"];

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

/// What the system uses when nothing is chosen, where the browser lists that as a device of its own,
/// as Chromium does.
pub(crate) fn default_label(devices: &[Device]) -> Option<&str> {
    let default = devices.iter().find(|device| device.id == "default")?;
    Some(default.label.strip_prefix("Default - ").unwrap_or(&default.label))
}

/// The first that is not `in_use`, nor one that only stands for another, as Chromium lists them.
pub(crate) fn another(devices: &[Device], in_use: Option<&str>) -> Option<String> {
    let named = |id: &str| devices.iter().find(|device| device.id == id);
    // "Default - Headset" stands for "Headset".
    let is_meant = |device: &Device| {
        let used = in_use.and_then(named);
        used.is_some_and(|used| {
            used.id == device.id || used.label.ends_with(&[" - ", &device.label].concat())
        })
    };
    devices
        .iter()
        .filter(|device| !STAND_INS.contains(&device.id.as_str()))
        .find(|device| !is_meant(device))
        .map(|device| device.id.clone())
}

/// Calls back whenever a device comes or goes.
pub(crate) fn on_change(call: impl Fn() + 'static) -> Option<EventListener> {
    media_devices().map(|devices| browser::on(&devices, "devicechange", call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_microphone_is_none_that_is_in_use_under_a_second_name() {
        let device = |id: &str, label: &str| Device { id: id.to_owned(), label: label.to_owned() };
        let listed = [
            device("default", "Default - Headset"),
            device("a1", "Headset"),
            device("b2", "Built-in"),
        ];
        assert_eq!(another(&listed, Some("default")).as_deref(), Some("b2"));
        assert_eq!(another(&listed, Some("a1")).as_deref(), Some("b2"));
        assert_eq!(another(&listed, Some("b2")).as_deref(), Some("a1"));
        assert_eq!(another(&listed[..2], Some("a1")), None);
    }

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

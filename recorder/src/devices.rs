//! The microphones to choose from, as browsers list them.

/// What Chromium lists beside the devices themselves.
const STAND_INS: [&str; 2] = ["default", "communications"];

/// One microphone, as the browser names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    pub label: String,
}

/// What the system uses when nothing is chosen, where the browser lists that as a device of its own,
/// as Chromium does.
pub(crate) fn default_label(devices: &[Device]) -> Option<&str> {
    let default = devices.iter().find(|device| device.id == "default")?;
    Some(default.label.strip_prefix("Default - ").unwrap_or(&default.label))
}

/// The first that is not `in_use`, nor one that only stands for another, as Chromium lists them.
pub fn another(devices: &[Device], in_use: Option<&str>) -> Option<String> {
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

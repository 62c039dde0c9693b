//! What the page says of how to record.

use app::recorder::settings::{SETTINGS_ID, Settings};

use crate::browser;

/// The defaults where the page says nothing.
pub(crate) fn read() -> Settings {
    let page = browser::window().document();
    let element = page.and_then(|page| page.get_element_by_id(SETTINGS_ID));
    let text = element.and_then(|element| element.get_attribute("data-settings"));
    text.map_or(Settings::DEFAULT, |text| Settings::from_text(&text))
}

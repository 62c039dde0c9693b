//! What the camera sees, shown in the page. The very stream that is recorded.

use app::recorder::port::PREVIEW_ID;
use wasm_bindgen::JsCast;
use web_sys::{HtmlVideoElement, MediaStream};

use crate::browser;

/// `None` shows nothing more.
pub(crate) fn show(stream: Option<&MediaStream>) {
    let element = browser::window().document().and_then(|page| page.get_element_by_id(PREVIEW_ID));
    // A page without the island has nothing to show it in.
    if let Some(preview) = element.and_then(|element| element.dyn_into::<HtmlVideoElement>().ok()) {
        preview.set_src_object(stream);
    }
}

//! What can be seen along a video recording. A script takes the pictures (`style/thumbnails.js`), in the
//! reader's browser: the server decodes no video.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use protocol::Millis;

use crate::assets;

#[component]
pub(super) fn Thumbnails(duration: Millis) -> impl IntoView {
    view! {
        <div
            class="thumbnails"
            role="group"
            aria-label="Pictures along the recording"
            data-seconds=format!("{:.3}", duration.get() as f64 / 1000.0)
            hidden
        ></div>
        <script type="module" src=assets::address("style/thumbnails.js") nonce=use_nonce()></script>
    }
}

//! Status words with their colour. The word always stands; colour only repeats it.

use leptos::prelude::*;
use protocol::SessionStatus;

#[component]
pub(crate) fn StatusBadge(
    status: SessionStatus,
    live: bool,
    /// Nothing but silence was recorded.
    #[prop(optional)]
    silent: bool,
) -> impl IntoView {
    view! {
        <span class="badges">
            <span class=format!("badge badge-{status}")>{status.label()}</span>
            {silent.then(|| view! { <span class="badge badge-silent">"Silent"</span> })}
            {live.then(|| view! { <span class="live"><span class="live-dot"></span>"Live"</span> })}
        </span>
    }
}

//! A point in time on a page.

use leptos::prelude::*;

use crate::views::Instant;

/// UTC as rendered; the local-time script rewrites it into the reader's zone and language.
#[component]
pub(crate) fn Moment(at: Instant) -> impl IntoView {
    view! { <time datetime=at.rfc3339 data-local>{at.human_utc}</time> }
}

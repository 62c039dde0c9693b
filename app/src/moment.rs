//! A point in time on a page.

use leptos::prelude::*;

use crate::views::Instant;

/// UTC as rendered; the local-time script rewrites it into the reader's zone and language.
#[component]
pub(crate) fn Moment(at: Instant) -> impl IntoView {
    view! { <time datetime=at.rfc3339 data-local="date">{at.human_utc}</time> }
}

/// The same within a list of moments: the time of day to the second; the script has the rest said
/// on pointing at it.
#[component]
pub(crate) fn Clock(at: Instant) -> impl IntoView {
    view! { <time datetime=at.rfc3339 data-local="clock">{at.human_utc}</time> }
}

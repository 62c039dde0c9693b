//! Renders views to HTML as the server does, for tests.

use std::sync::Arc;

use hydration_context::SsrSharedContext;
use leptos::nonce::Nonce;
use leptos::prelude::*;
use protocol::{SessionId, UnixMillis};

use crate::views::Instant;

/// The nonce of every rendered document.
pub(crate) const NONCE: &str = "test-nonce";

pub(crate) fn html<V: IntoView>(page: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    owner.with(|| {
        provide_context(Nonce::from_value(NONCE));
        page().into_view().to_html()
    })
}

/// The text between tags, with each run of white space as one blank.
pub(crate) fn text(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    // `<!>` only parts two texts of one element.
    for letter in html.replace("<!>", "").chars() {
        match letter {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            _ if in_tag => {}
            _ => text.push(letter),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn session_id(number: u8) -> SessionId {
    SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [number; 10])
}

pub(crate) fn instant(hour: u8) -> Instant {
    Instant {
        rfc3339: format!("2026-11-14T{hour:02}:30:00Z"),
        human_utc: format!("14 Nov 2026, {hour:02}:30 UTC"),
    }
}

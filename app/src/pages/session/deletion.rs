//! Deleting a session for good, and what that does and does not reach.

use leptos::prelude::*;
use protocol::SessionId;

use crate::paths;

/// Folded up, so that nobody deletes by a single slip.
#[component]
pub(super) fn Deletion(id: SessionId) -> impl IntoView {
    view! {
        <details class="deletion">
            <summary>"Delete this recording"</summary>
            <p>
                "Everything of it is erased from this server: the recording in all its forms, what the \
                 candidate delivered, and what is told here of it. Nothing shows any more that it was \
                 there. It cannot be undone."
            </p>
            <p>
                "Not reached are copies that somebody has downloaded, backups of this server, and what \
                 the candidate's browser has not delivered yet."
            </p>
            <form method="post" action=paths::delete(id)>
                <button class="button button-bad" type="submit">"Delete for good"</button>
            </form>
        </details>
    }
}

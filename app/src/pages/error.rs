//! What a person sees when an address leads nowhere or something broke.

use leptos::prelude::*;

use crate::paths;
use crate::shell::{Section, Shell};

/// `title` and `detail` are shown as they are: they say what happened and what to do, and nothing
/// of the server's inside.
#[component]
pub fn ErrorPage(
    status: u16,
    #[prop(into)] title: String,
    #[prop(into)] detail: String,
) -> impl IntoView {
    view! {
        <Shell title=title.clone() description="This page could not be shown." section=Section::Elsewhere>
            <div class="notice-page">
                <p class="notice-status">"Error "{status}</p>
                <h1>{title}</h1>
                <p>{detail}</p>
                <p class="actions">
                    <a class="button" href=paths::HISTORY>"All recordings"</a>
                    <a class="button button-quiet" href=paths::RECORD>"Record"</a>
                </p>
            </div>
        </Shell>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::html;

    #[test]
    fn an_error_page_says_what_happened_and_where_to_go() {
        let page = html(|| {
            view! { <ErrorPage status=404 title="No such recording" detail="Check the address."/> }
        });
        assert!(page.contains("<h1>No such recording</h1>"));
        assert!(page.contains(r#"href="/""#) && page.contains(r#"href="/record""#));
    }

    #[test]
    fn what_was_asked_for_cannot_become_markup() {
        let page = html(|| {
            let asked = "<script>alert(1)</script>";
            view! { <ErrorPage status=400 title=asked detail=asked/> }
        });
        assert!(!page.contains("<script>alert"));
    }
}

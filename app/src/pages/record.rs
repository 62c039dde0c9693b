//! The candidate's page: what will happen, the recorder, and what is good to know.

use leptos::prelude::*;

use crate::recorder::island::Recorder;
use crate::recorder::settings::{SETTINGS_ID, Settings};
use crate::shell::{Section, Shell};

#[component]
pub fn RecordPage(#[prop(default = Settings::DEFAULT)] settings: Settings) -> impl IntoView {
    view! {
        <Shell
            title="Record"
            description="Record in your browser. Nothing you say is lost."
            section=Section::Record
            style_sheet="/assets/style/recorder.css"
            has_island=true
        >
            <div class="record-page" id=SETTINGS_ID data-settings=settings.to_text()>
                <h1>"Record"</h1>
                <p class="lead">
                    "Test your microphone, then start when you are ready. What you say is kept on "
                    "this device until the server certainly has it, so a bad connection does no harm."
                </p>
                <noscript>
                    <p class="callout callout-bad">
                        "Recording needs JavaScript. Please allow it for this page and reload."
                    </p>
                </noscript>
                <Recorder/>
                <GoodToKnow/>
            </div>
        </Shell>
    }
}

#[component]
fn GoodToKnow() -> impl IntoView {
    view! {
        <section class="good-to-know">
            <h2>"Good to know"</h2>
            <ul>
                <li>"If the connection drops, keep talking. The rest is sent when it is back."</li>
                <li>
                    "If this page closes by accident, open it again on the same device and in the "
                    "same browser. What was recorded is still there."
                </li>
                <li>"You can pause at any time. Only what is recorded is kept."</li>
                <li>"At the end, wait for the receipt. It says whether all of it is safe."</li>
            </ul>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Build;
    use crate::rendering::{NONCE, html};

    #[test]
    fn the_record_page_loads_the_bundle_with_the_nonce() {
        let page = html(|| view! { <RecordPage/> });
        assert!(page.contains(r#"href="/assets/frontend.js""#), "{page}");
        assert!(page.contains(r#"href="/assets/frontend_bg.wasm""#));
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches(&format!("nonce=\"{NONCE}\"")).count(), 1);
        assert_eq!(page.matches("<leptos-island").count(), 1);
    }

    #[test]
    fn every_file_of_the_page_is_of_one_build() {
        let page = html(|| {
            provide_context(Build("c0ffee"));
            view! { <RecordPage/> }
        });
        assert!(page.contains(r#"href="/assets/c0ffee/frontend.js""#), "{page}");
        assert!(page.contains(r#"href="/assets/c0ffee/style/recorder.css""#));
        assert!(page.contains(r#""assets/c0ffee""#), "the script loads from elsewhere: {page}");
        assert_eq!(page.matches("assets/").count(), page.matches("assets/c0ffee").count());
    }

    #[test]
    fn the_record_page_explains_itself_without_scripts() {
        let page = html(|| view! { <RecordPage/> });
        assert!(page.contains("<noscript>") && page.contains("Recording needs JavaScript."));
        assert_eq!(page.matches("<h1").count(), 1);
    }

    #[test]
    fn no_style_attribute_is_rendered() {
        assert!(!html(|| view! { <RecordPage/> }).contains("style=\""));
    }
}

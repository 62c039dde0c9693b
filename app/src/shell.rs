//! The document around every page: head, header, footer, and the scripts that a page asks for.

use leptos::config::LeptosOptions;
use leptos::hydration::HydrationScripts;
use leptos::prelude::*;

use crate::{assets, paths};

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Recordings,
    Record,
    Api,
    Elsewhere,
}

/// A whole HTML document. Scripts carry the nonce of the surrounding [`Owner`], when it has one.
#[component]
pub fn Shell(
    #[prop(into)] title: String,
    /// One sentence for search results and link previews.
    #[prop(into)]
    description: String,
    section: Section,
    /// The plain address of a style sheet beside the one of every page.
    #[prop(optional)]
    style_sheet: Option<&'static str>,
    /// The page holds an island: the WASM bundle is loaded, which tells moments itself.
    #[prop(optional)]
    has_island: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <title>{format!("{title} · Holdfast")}</title>
                <meta name="description" content=description/>
                <meta name="robots" content="noindex"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href=favicon() type="image/svg+xml"/>
                <link rel="stylesheet" href=assets::address("style/holdfast.css")/>
                {(!has_island).then(|| view! {
                    <script
                        type="module"
                        src=assets::address("style/local-time.js")
                        nonce=use_nonce()
                    ></script>
                })}
                {style_sheet.map(|plain| {
                    view! { <link rel="stylesheet" href=assets::of_build(plain)/> }
                })}
                {has_island.then(|| view! { <HydrationScripts options=bundle() islands=true/> })}
            </head>
            <body>
                <a class="skip" href="#content">"Skip to the content"</a>
                <Header section/>
                <main id="content" tabindex="-1">{children()}</main>
                <footer class="foot">
                    <p>"Holdfast keeps every recording until the server certainly has it."</p>
                </footer>
            </body>
        </html>
    }
}

fn favicon() -> String {
    assets::address("style/favicon.svg")
}

/// Where the bundle is served: `frontend.js` and `frontend_bg.wasm` beside the other assets.
fn bundle() -> LeptosOptions {
    let folder = assets::folder();
    let site_pkg_dir = folder.trim_start_matches('/');
    LeptosOptions::builder().output_name("frontend").site_pkg_dir(site_pkg_dir).build()
}

#[component]
fn Header(section: Section) -> impl IntoView {
    let current = move |of: Section| (of == section).then_some("page");
    view! {
        <header class="head">
            <a class="brand" href=paths::HISTORY>
                <img src=favicon() alt="" width="28" height="28"/>
                "Holdfast"
            </a>
            <nav aria-label="Main">
                <a href=paths::HISTORY aria-current=current(Section::Recordings)>"Recordings"</a>
                <a href=paths::RECORD aria-current=current(Section::Record)>"Record"</a>
                <a href=paths::API_DOCS aria-current=current(Section::Api)>"API"</a>
            </nav>
        </header>
    }
}

//! The API, to be read: how to be let in, each operation, the WebSocket, and the schemas.

mod operation;
mod schema;
mod socket;

use leptos::prelude::*;

use crate::shell::{Section, Shell};
use crate::views::api::{ApiView, OperationView, SchemaView, Shape, ShapePart};
use operation::OperationSection;
use schema::SchemaSection;
use socket::SocketSection;

/// The address of the document that machines read.
const OPENAPI: &str = "/api/openapi.json";

#[component]
pub fn ApiDocsPage(view: ApiView) -> impl IntoView {
    let ApiView { title, version, introduction, operations, schemas } = view;
    let contents = view! { <Contents operations=operations.clone() schemas=schemas.clone()/> };
    view! {
        <Shell
            title="API"
            description="How programs use Holdfast: every operation, what it takes and answers."
            section=Section::Api
            style_sheet="/assets/style/api-docs.css"
        >
            <div class="title-row">
                <h1>{title}" API "<span class="version">{version}</span></h1>
                <a class="button button-quiet" href=OPENAPI>"OpenAPI document"</a>
            </div>
            <p class="prose">{prose(&introduction)}</p>
            {contents}
            <Authentication/>
            <h2 id="operations">"Operations"</h2>
            <p class="prose">
                "The examples take the session's id from "<code>"$ID"</code>
                " and its token from "<code>"$TOKEN"</code>"."
            </p>
            {operations
                .into_iter()
                .map(|operation| view! { <OperationSection operation/> })
                .collect_view()}
            <SocketSection/>
            <h2 id="schemas">"Schemas"</h2>
            {schemas.into_iter().map(|schema| view! { <SchemaSection schema/> }).collect_view()}
        </Shell>
    }
}

#[component]
fn Contents(operations: Vec<OperationView>, schemas: Vec<SchemaView>) -> impl IntoView {
    let operation = |operation: OperationView| {
        view! {
            <li>
                <a href=format!("#{}", operation.anchor)>{operation.summary}</a>
                <span class="aside">{operation.method}" "<code>{operation.path}</code></span>
            </li>
        }
    };
    let schema = |schema: SchemaView| view! { <li><SchemaLink name=schema.name/></li> };
    view! {
        <nav class="contents" aria-labelledby="contents">
            <h2 id="contents">"Contents"</h2>
            <ul>
                <li><a href="#authentication">"Authentication"</a></li>
                <li>
                    <a href="#operations">"Operations"</a>
                    <ul class="contents-operations">
                        {operations.into_iter().map(operation).collect_view()}
                    </ul>
                </li>
                <li><a href="#websocket">"WebSocket"</a></li>
                <li>
                    <a href="#schemas">"Schemas"</a>
                    <ul class="contents-schemas">
                        {schemas.into_iter().map(schema).collect_view()}
                    </ul>
                </li>
            </ul>
        </nav>
    }
}

#[component]
fn Authentication() -> impl IntoView {
    view! {
        <section class="prose">
            <h2 id="authentication">"Authentication"</h2>
            <p>
                "A session belongs to whoever holds its token: 64 hexadecimal digits, made by the "
                "client or handed out once by "<a href="#create_session">"Create a session"</a>
                ". The candidate's client sends it with every write:"
            </p>
            <pre><code>"Authorization: Bearer $TOKEN"</code></pre>
            <p>
                "A token of another session is refused with status 403. A request without a token "
                "counts as a reviewer's, who may read every session and finish it. There are no "
                "accounts: who can reach the server is up to whoever runs it."
            </p>
        </section>
    }
}

/// A type in words, with a link to each schema that it names.
fn shape_text(shape: Shape) -> impl IntoView {
    let part = |part| match part {
        ShapePart::Text(text) => text.into_any(),
        ShapePart::Schema(name) => view! { <SchemaLink name/> }.into_any(),
    };
    shape.0.into_iter().map(part).collect_view()
}

#[component]
fn SchemaLink(name: String) -> impl IntoView {
    let href = format!("#{}", schema_anchor(&name));
    view! { <a href=href><code>{name}</code></a> }
}

fn schema_anchor(name: &str) -> String {
    format!("schema-{name}")
}

const fn presence(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}

/// What stands between backticks is code.
fn prose(text: &str) -> Vec<AnyView> {
    let part = |(index, part): (usize, &str)| {
        let part = part.to_owned();
        if index % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
    };
    text.split('`').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, text};
    use crate::views::api::{BodyView, ContentView, FieldView, ParameterView, ResponseView};

    const HOSTILE: &str = "`<script>alert(1)</script>` <img src=x onerror=alert(2)>";

    fn a_track() -> Shape {
        Shape(vec![ShapePart::Text("array of ".to_owned()), ShapePart::Schema("Track".to_owned())])
    }

    fn a_field(description: &str) -> FieldView {
        FieldView {
            name: "tracks".to_owned(),
            shape: a_track(),
            required: true,
            description: description.to_owned(),
        }
    }

    fn a_view(described: &str) -> ApiView {
        let content =
            ContentView { content_type: "application/json".to_owned(), shape: Some(a_track()) };
        ApiView {
            title: "Holdfast".to_owned(),
            version: "1.2.3".to_owned(),
            introduction: described.to_owned(),
            operations: vec![OperationView {
                anchor: "tune".to_owned(),
                method: "POST",
                path: "/api/tracks/{id}".to_owned(),
                summary: described.to_owned(),
                description: described.to_owned(),
                parameters: vec![ParameterView { place: "path", field: a_field(described) }],
                body: Some(BodyView {
                    required: false,
                    content: content.clone(),
                    fields: vec![a_field(described)],
                }),
                responses: vec![ResponseView {
                    status: "404".to_owned(),
                    description: described.to_owned(),
                    contents: vec![content],
                }],
                example: described.to_owned(),
            }],
            schemas: vec![SchemaView {
                name: "Track".to_owned(),
                description: described.to_owned(),
                includes: vec!["Base".to_owned()],
                fields: vec![a_field(described)],
                shape: Shape::default(),
            }],
        }
    }

    fn page(described: &str) -> String {
        let view = a_view(described);
        html(|| view! { <ApiDocsPage view/> })
    }

    #[test]
    fn an_operation_says_what_it_takes_and_answers() {
        let page = page("Tune a `track`");
        assert!(page.contains("<h3 id=\"tune\">"), "{page}");
        assert!(page.contains("Tune a <code>track</code>"));
        let text = text(&page);
        for described in [
            "POST /api/tracks/{id}",
            "tracks array of Track path required",
            "application/json",
            "The body may be left out.",
            "404 Tune a track",
            "Includes the fields of Base .",
        ] {
            assert!(text.contains(described), "{described} is not in {text}");
        }
    }

    #[test]
    fn every_link_within_the_page_leads_somewhere() {
        let page = page("Tune");
        for link in page.split("href=\"#").skip(1) {
            let anchor = link.split('"').next().unwrap();
            // The sample includes a schema that it does not hold, and has one operation.
            if !["schema-Base", "create_session"].contains(&anchor) {
                assert!(page.contains(&format!("id=\"{anchor}\"")), "#{anchor} leads nowhere");
            }
        }
    }

    #[test]
    fn every_id_is_there_once() {
        let page = page("Tune");
        let mut ids: Vec<&str> =
            page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn a_description_cannot_become_markup() {
        let page = page(HOSTILE);
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"));
        assert!(page.contains("<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>"), "{page}");
    }
}

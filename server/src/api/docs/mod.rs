//! The OpenAPI document, as it is and as a page to read. How the page looks is not decided here.

mod example;
mod shapes;
mod view;

use std::sync::Arc;

use app::pages::api_docs::ApiDocsPage;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use leptos::prelude::*;
use tower_http::compression::CompressionLayer;
use utoipa::openapi::OpenApi;

use crate::render;
use crate::state::AppState;

pub(super) fn router(document: OpenApi) -> Router<AppState> {
    let json = document.to_json().unwrap_or_default();
    let document = Arc::new(document);
    Router::new()
        .route("/api/openapi.json", get(async move || openapi(json.clone())))
        .route(app::paths::API_DOCS, get(async move |headers: HeaderMap| page(&document, &headers)))
        .layer(CompressionLayer::new())
}

fn openapi(json: String) -> Response {
    let json_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json_type)], json).into_response()
}

fn page(document: &OpenApi, headers: &HeaderMap) -> Response {
    let view = view::of(document, &example::base(headers));
    render::page(StatusCode::OK, move || view! { <ApiDocsPage view/> })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use utoipa::openapi::RefOr;

    async fn html(document: &OpenApi) -> String {
        let body = page(document, &HeaderMap::new()).into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        // `<!>` only parts two texts of one element.
        String::from_utf8(bytes.to_vec()).unwrap().replace("<!>", "")
    }

    /// The section whose heading has the id.
    fn section<'a>(html: &'a str, id: &str) -> &'a str {
        let start =
            html.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id} is not on the page"));
        let end = html[start..].find("</section>").unwrap();
        &html[start..start + end]
    }

    #[tokio::test]
    async fn every_operation_is_on_the_page_with_its_path_and_every_response() {
        let (_, document) = api::routes();
        let html = html(&document).await;
        let mut operations = 0;
        for (path, item) in &document.paths.paths {
            for (method, operation) in
                [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)]
            {
                let Some(operation) = operation else { continue };
                operations += 1;
                let id = operation.operation_id.as_deref().unwrap();
                let section = section(&html, id);
                assert!(section.contains(method) && section.contains(path.as_str()), "{section}");
                for (status, response) in &operation.responses.responses {
                    let RefOr::T(response) = response else { panic!("{id} shares {status}") };
                    assert!(section.contains(status), "{id} lacks {status}");
                    assert!(section.contains(&response.description), "{id} lacks {status}");
                }
            }
        }
        assert_eq!(operations, 24);
    }

    #[tokio::test]
    async fn every_schema_is_on_the_page() {
        let (_, document) = api::routes();
        let html = html(&document).await;
        for name in document.components.unwrap().schemas.keys() {
            section(&html, &format!("schema-{name}"));
            assert!(html.contains(&format!("href=\"#schema-{name}\"")), "nothing leads to {name}");
        }
    }

    #[tokio::test]
    async fn the_details_of_a_session_list_the_fields_of_its_summary_too() {
        let (_, document) = api::routes();
        let html = html(&document).await;
        let details = section(&html, "schema-SessionDetails");
        for field in ["last_heartbeat_at", "completed_at", "tracks", "receipt"] {
            assert!(details.contains(&format!("<code>{field}</code>")), "{field}: {details}");
        }
    }

    #[tokio::test]
    async fn a_description_cannot_become_markup() {
        let (_, mut document) = api::routes();
        let hostile = "a `<script>alert(1)</script>` <img src=x onerror=alert(2)>".to_owned();
        document.info.description = Some(hostile.clone());
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
            {
                operation.summary = Some(hostile.clone());
                operation.description = Some(hostile.clone());
            }
        }
        let html = html(&document).await;
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"));
        assert!(html.contains("<code>&lt;script&gt;alert(1)"), "{html}");
    }

    #[tokio::test]
    async fn the_page_loads_no_wasm_and_carries_its_policy() {
        let (_, document) = api::routes();
        let response = page(&document, &HeaderMap::new());
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(!html(&document).await.contains("wasm"));
    }
}

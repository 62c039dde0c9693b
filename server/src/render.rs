//! Turns a view into an HTML response with its Content Security Policy.

use std::sync::Arc;

use app::pages::error::ErrorPage;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use hydration_context::SsrSharedContext;
use leptos::nonce::{Nonce, provide_nonce};
use leptos::prelude::*;

use crate::assets;

/// Renders a whole document. `page` runs inside an owner of its own, with a fresh nonce.
pub(crate) fn page<V: IntoView>(status: StatusCode, page: impl FnOnce() -> V) -> Response {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let (html, nonce) = owner.with(|| {
        provide_nonce();
        if let Some(build) = assets::build() {
            provide_context(build);
        }
        let html = page().into_view().to_html();
        (html, use_context::<Nonce>())
    });
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(policy) = nonce.and_then(|nonce| policy(&nonce).parse().ok()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

pub(super) fn error(status: StatusCode, title: &str, detail: &str) -> Response {
    let (title, detail) = (title.to_owned(), detail.to_owned());
    page(status, move || view! { <ErrorPage status=status.as_u16() title detail/> })
}

fn policy(nonce: &Nonce) -> String {
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; \
         connect-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

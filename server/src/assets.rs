//! The web assets inside the binary: style sheets, small scripts, the WASM bundle, the service
//! worker. Each is served under its build, to be kept for good, and under its plain name.

use app::assets::Build;
use axum::Router;
use axum::http::{HeaderValue, header};
use memory_serve::CacheControl;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::error::ApiError;
use crate::state::AppState;

/// At the root: from below, a worker could not look after a page.
const SERVICE_WORKER: &str = "/sw.js";
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The build in `dist/`; none when nothing was built.
pub(crate) fn build() -> Option<Build> {
    option_env!("HOLDFAST_BUILD").map(Build)
}

/// Serves `dist/` compressed and with ETags. Under a plain name everything is revalidated; what is
/// asked for under a build that is not this one is not there, rather than of the wrong build.
pub(crate) fn router() -> Router<AppState> {
    let files = memory_serve::load!()
        .index_file(None)
        .cache_control(CacheControl::NoCache)
        .html_cache_control(CacheControl::NoCache)
        .into_router::<()>()
        .fallback(|| async { ApiError::NoSuchAddress });
    let plain = Router::new()
        .route_service(SERVICE_WORKER, files.clone())
        .nest_service("/assets", files.clone());
    match build() {
        Some(Build(id)) => plain.nest_service(
            &format!("/assets/{id}"),
            files.route_layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, FOR_GOOD)),
        ),
        None => plain,
    }
}

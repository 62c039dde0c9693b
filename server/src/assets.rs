//! The web assets inside the binary: style sheets, small scripts, the WASM bundle.

use axum::Router;
use memory_serve::CacheControl;

use crate::state::AppState;

/// Serves `dist/` compressed, with ETags, always revalidated: names carry no hash.
pub(crate) fn router() -> Router<AppState> {
    memory_serve::load!()
        .index_file(None)
        .cache_control(CacheControl::NoCache)
        .html_cache_control(CacheControl::NoCache)
        .into_router()
}

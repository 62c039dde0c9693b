//! `POST /sessions/{id}/delete`: the session page's form.

use app::paths;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::error_page;
use crate::api;
use crate::error::ApiError;
use crate::state::AppState;

pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match deleted(&state, &id, &headers).await {
        Ok(()) => Redirect::to(paths::HISTORY).into_response(),
        Err(error) => error_page(error),
    }
}

async fn deleted(state: &AppState, id: &str, headers: &HeaderMap) -> Result<(), ApiError> {
    if comes_from_elsewhere(headers) {
        return Err(ApiError::BadRequest("Another site's page may not delete recordings.".into()));
    }
    let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
    api::delete(state, id).await.map(drop)
}

/// Whether a browser says that another site's page asks.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_sites_page_is_refused() {
        let from = |site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            comes_from_elsewhere(&headers)
        };
        assert!(!from(None) && !from(Some("same-origin")) && !from(Some("none")));
        assert!(from(Some("cross-site")) && from(Some("same-site")));
    }
}

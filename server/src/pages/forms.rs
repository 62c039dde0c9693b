//! The forms of pages, for people without a script.

use app::paths;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::error_page;
use crate::api;
use crate::error::ApiError;
use crate::state::AppState;

/// `POST /sessions/{id}/delete`: the session page's.
pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let deleted = async {
        is_from_here(&headers)?;
        let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
        api::delete(&state, id).await
    };
    match deleted.await {
        Ok(_) => Redirect::to(paths::HISTORY).into_response(),
        Err(error) => error_page(error),
    }
}

/// `POST /jobs/{id}/retry`: that of each job that was given up.
pub(crate) async fn retry(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let retried = async {
        is_from_here(&headers)?;
        api::retry(&state, &id).await
    };
    match retried.await {
        Ok(()) => Redirect::to(paths::JOBS).into_response(),
        Err(error) => error_page(error),
    }
}

/// Refused is what, as a browser says, another site's page asks for.
fn is_from_here(headers: &HeaderMap) -> Result<(), ApiError> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(ApiError::BadRequest("Another site's page may not ask for this.".into())),
    }
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
            is_from_here(&headers).is_ok()
        };
        assert!(from(None) && from(Some("same-origin")) && from(Some("none")));
        assert!(!from(Some("cross-site")) && !from(Some("same-site")));
    }
}

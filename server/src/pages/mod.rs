//! The pages that the server renders: fetch, turn rows into views, render. No rules, no markup.

mod forms;
mod history;
mod jobs;
mod session;
mod tracks;

use app::pages::record::RecordPage;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use leptos::prelude::*;

pub(crate) use forms::{delete, retry};
pub(crate) use history::history;
pub(crate) use jobs::jobs;
pub(crate) use session::session;

use crate::error::ApiError;
use crate::render;
use crate::state::AppState;

/// The recorder's page: the same for everyone, and no database behind it.
pub(crate) async fn record(State(state): State<AppState>) -> Response {
    let settings = state.config.recorder();
    render::page(StatusCode::OK, move || view! { <RecordPage settings/> })
}

/// Whatever no route takes: a problem for programs, a page for people.
pub(crate) async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") || uri.path().starts_with("/assets/") {
        return ApiError::NoSuchAddress.into_response();
    }
    render::error(
        StatusCode::NOT_FOUND,
        "Page not found",
        "There is no page at this address. It may have been mistyped, or cut off when it was copied.",
    )
}

/// An error of the store as a page.
fn error_page(error: ApiError) -> Response {
    match error.status() {
        // A job that is done is no address that was mistyped.
        StatusCode::NOT_FOUND if !matches!(error, ApiError::NoJob) => render::error(
            StatusCode::NOT_FOUND,
            "No such recording",
            "There is no recording at this address. It may have been mistyped, or the recording \
             may never have reached this server.",
        ),
        status if status.is_client_error() => {
            render::error(status, "That did not work", &error.to_string())
        }
        status => {
            drop(error.into_response());
            render::error(
                status,
                "Something broke",
                "The server could not show this page. Recordings in progress are not affected. \
                 Please try again in a moment.",
            )
        }
    }
}

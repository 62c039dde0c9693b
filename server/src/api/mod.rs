//! The JSON API for people and tools. One file an action; the routes and their OpenAPI document
//! come from the same annotations.

mod body;
mod check_timeouts;
mod create_session;
pub(crate) mod cursor;
mod delete_session;
mod discard;
mod docs;
mod exports;
mod extract;
mod finish;
mod frames;
mod items;
mod keepalive;
mod list_events;
mod list_jobs;
mod list_sessions;
mod missing_chunks;
mod playback;
mod recording;
mod retry_job;
mod show_session;
mod supplement;
mod tail;
mod tracks;
mod waveform;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use body::BODY_BYTES_AT_ONCE_MAX;
pub(crate) use delete_session::delete;
pub(crate) use retry_job::retry;

use crate::error::ApiError;
use crate::state::AppState;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Holdfast",
        description = "Sessions and their recordings. Times are RFC 3339 in UTC, durations are in \
            milliseconds, sizes in bytes. Errors are `application/problem+json` (RFC 9457). The \
            candidate's writes carry the session's token as a bearer token; whoever reaches the \
            server without one counts as a reviewer."
    ),
    tags(
        (name = "sessions", description = "One candidate's attempt each"),
        (name = "jobs", description = "Work that is due on sessions")
    )
)]
struct ApiDoc;

/// Everything below `/api` but the WebSocket.
pub(crate) fn router() -> Router<AppState> {
    let (routes, document) = routes();
    routes
        .merge(docs::router(document))
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
}

fn routes() -> (Router<AppState>, Document) {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .nest(
            "/api",
            OpenApiRouter::new()
                .routes(routes!(list_sessions::list_sessions, create_session::create_session))
                .routes(routes!(check_timeouts::check_timeouts))
                .routes(routes!(show_session::show_session, delete_session::delete_session))
                .routes(routes!(list_jobs::list_jobs))
                .routes(routes!(retry_job::retry_job))
                .routes(routes!(missing_chunks::missing_chunks))
                .routes(routes!(list_events::list_events))
                .routes(routes!(keepalive::keepalive))
                .routes(routes!(items::items))
                .routes(routes!(tail::tail))
                .routes(routes!(finish::finish))
                .routes(routes!(discard::discard))
                .routes(routes!(recording::recording))
                .routes(routes!(playback::playback))
                .routes(routes!(tracks::track_recording))
                .routes(routes!(supplement::supplement))
                .routes(routes!(waveform::waveform))
                .routes(routes!(frames::list_frames))
                .routes(routes!(frames::frame))
                .routes(routes!(exports::list_exports))
                .routes(routes!(exports::export, exports::start_export)),
        )
        .split_for_parts()
}

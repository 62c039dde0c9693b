//! Every address of the server on one page.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::error::ApiError;
use crate::state::AppState;
use crate::supervise::message_of;
use crate::{api, assets, pages, scrape, socket};

/// Bytes of a JSON request body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Pages below this are not worth compressing.
const COMPRESS_FROM_BYTES: u64 = 1024;

pub(crate) fn router(state: AppState) -> Router {
    let pages = Router::new()
        .route("/", get(pages::history))
        .route("/record", get(pages::record))
        .route("/jobs", get(pages::jobs))
        .route("/jobs/{id}/retry", post(pages::retry))
        .route("/sessions/{id}", get(pages::session))
        .route("/sessions/{id}/delete", post(pages::delete))
        .layer(
            CompressionLayer::new()
                .compress_when(SizeAbove::new(COMPRESS_FROM_BYTES).and(NotForContentType::IMAGES)),
        );
    Router::new()
        .merge(pages)
        .merge(api::router())
        .route("/api/ws", socket::route())
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape::metrics))
        .merge(assets::router())
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::REFERRER_POLICY, "same-origin"))
        .layer(header_layer(header::X_FRAME_OPTIONS, "DENY"))
        .layer(TraceLayer::new_for_http())
        .with_state(state)
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok"
}

/// The server can take recordings and make them: all its tasks run, its database answers, there is
/// room on the disk, and it is not shutting down.
async fn readyz(State(state): State<AppState>) -> Response {
    if state.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down").into_response();
    }
    if let Some(task) = state.supervisor.down() {
        let told = format!("a task of the server is down: {}", task.as_str());
        return (StatusCode::SERVICE_UNAVAILABLE, told).into_response();
    }
    if state.store.room().is_full() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the disk is full").into_response();
    }
    match tokio::time::timeout(READY_DEADLINE, state.store.check()).await {
        Ok(Ok(())) => "ready".into_response(),
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is too slow").into_response(),
    }
}

const READY_DEADLINE: Duration = Duration::from_secs(5);

fn header_layer(
    name: header::HeaderName,
    value: &'static str,
) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::Internal(anyhow::anyhow!("a handler panicked: {}", message_of(&*panic)))
        .into_response()
}

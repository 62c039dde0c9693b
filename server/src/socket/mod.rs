//! The WebSocket endpoint: who may connect, and one task for each connection.

mod connection;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use protocol::limits::FRAME_BYTES_MAX;

use crate::error::ApiError;
use crate::quotas::Address;
use crate::state::AppState;

pub(crate) fn route() -> MethodRouter<AppState> {
    get(upgrade)
}

/// A frame above the limit must still be read so that it can be refused in words; far above it the
/// connection is cut.
const FRAME_BYTES_READ_MAX: usize = 2 * FRAME_BYTES_MAX;

async fn upgrade(
    State(state): State<AppState>,
    from: Address,
    upgrade: WebSocketUpgrade,
) -> Response {
    if state.stopping.is_cancelled() {
        return ApiError::ShuttingDown.into_response();
    }
    let Ok(permit) = state.connections.clone().try_acquire_owned() else {
        return ApiError::TooManyConnections.into_response();
    };
    // Tracked from here on, so that a stop waits for it.
    let tracked = state.tasks.token();
    upgrade
        .max_message_size(FRAME_BYTES_READ_MAX)
        .max_frame_size(FRAME_BYTES_READ_MAX)
        .on_failed_upgrade(|error| tracing::debug!(%error, "upgrade failed"))
        .on_upgrade(move |socket| async move {
            let _held_to_the_end = (permit, tracked);
            connection::run(state, from, socket).await;
        })
}

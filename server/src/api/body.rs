//! Bodies of bytes: read within a deadline, and no more of them at the same time than fit into
//! memory.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum_extra::headers::{ContentLength, HeaderMapExt as _};
use bytes::BytesMut;
use futures::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::error::ApiError;
use crate::state::AppState;

/// Bytes of all bodies together that are read or worked on at the same time.
pub(crate) const BODY_BYTES_AT_ONCE_MAX: usize = 256 * 1024 * 1024;
/// How long a request may wait for its part of that.
const ROOM_DEADLINE: Duration = Duration::from_secs(10);
/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// A body, and the room that it takes up until this is dropped.
#[derive(Debug)]
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

pub(super) async fn read(
    state: &AppState,
    request: Request,
    bytes_max: usize,
) -> Result<HeldBody, ApiError> {
    if state.stopping.is_cancelled() {
        return Err(ApiError::ShuttingDown);
    }
    let announced = request.headers().typed_get::<ContentLength>();
    let announced = announced.map(|length| usize::try_from(length.0).unwrap_or(usize::MAX));
    let bytes = announced.unwrap_or(bytes_max);
    if bytes > bytes_max {
        return Err(ApiError::BodyTooLarge);
    }
    let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
    let room = timeout(ROOM_DEADLINE, state.body_bytes.clone().acquire_many_owned(permits)).await;
    let Ok(Ok(room)) = room else {
        return Err(ApiError::TooManyConnections);
    };
    let body = timeout(BODY_DEADLINE, collect(request.into_body(), bytes_max)).await;
    let bytes = body.map_err(|_| ApiError::BodyTooSlow)??;
    Ok(HeldBody { bytes, _room: room })
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut collected = BytesMut::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            tracing::debug!(%error, "a request's body broke off");
            ApiError::BadRequest("The request body broke off.".to_owned())
        })?;
        if collected.len() + piece.len() > bytes_max {
            return Err(ApiError::BodyTooLarge);
        }
        collected.extend_from_slice(&piece);
    }
    Ok(collected.freeze())
}

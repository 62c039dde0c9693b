//! Bodies of bytes: read within a deadline, and no more of them at the same time than fit into
//! memory.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum_extra::headers::{ContentLength, HeaderMapExt as _};
use bytes::BytesMut;
use futures::StreamExt as _;
use protocol::limits::ITEM_HEADER_BYTES_COUNTED;
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

/// What a body may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyMax {
    pub(super) bytes: usize,
    /// Items that are read from it and are in memory at the same time.
    pub(super) items: usize,
}

/// The fewest bytes that an item is sent as.
const ITEM_SENT_BYTES_MIN: usize = 36;

impl BodyMax {
    /// What a body of so many bytes takes of all bodies together: the headers of its items count.
    const fn counted_bytes(self, bytes: usize) -> usize {
        let items = bytes / ITEM_SENT_BYTES_MIN + 1;
        let items = if items < self.items { items } else { self.items };
        bytes + items * ITEM_HEADER_BYTES_COUNTED
    }
}

pub(super) async fn read(
    state: &AppState,
    request: Request,
    max: BodyMax,
) -> Result<HeldBody, ApiError> {
    if state.stopping.is_cancelled() {
        return Err(ApiError::ShuttingDown);
    }
    let announced = request.headers().typed_get::<ContentLength>();
    let announced = announced.map(|length| usize::try_from(length.0).unwrap_or(usize::MAX));
    let bytes = announced.unwrap_or(max.bytes);
    if bytes > max.bytes {
        return Err(ApiError::BodyTooLarge);
    }
    let permits = u32::try_from(max.counted_bytes(bytes)).unwrap_or(u32::MAX);
    let room = timeout(ROOM_DEADLINE, state.body_bytes.clone().acquire_many_owned(permits)).await;
    let Ok(Ok(room)) = room else {
        return Err(ApiError::TooManyConnections);
    };
    let body = timeout(BODY_DEADLINE, collect(request.into_body(), max.bytes)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::limits::ITEMS_PER_MESSAGE_MAX;
    use protocol::{ClientMessage, Content, Item, Marker, Millis, Seq};

    #[test]
    fn a_body_of_markers_counts_for_their_headers() {
        let marker = Item::new(Seq::ZERO, Millis::ZERO, Content::Marker(Marker::Paused));
        let markers = vec![marker; ITEMS_PER_MESSAGE_MAX];
        let bytes = ClientMessage::Items(markers).encode().len();
        let headers_bytes = ITEMS_PER_MESSAGE_MAX * ITEM_HEADER_BYTES_COUNTED;
        let max = BodyMax { bytes, items: usize::MAX };
        assert!(max.counted_bytes(bytes) >= bytes + headers_bytes);
        assert!(max.counted_bytes(bytes) <= bytes + headers_bytes + ITEM_HEADER_BYTES_COUNTED);
    }

    #[test]
    fn a_body_counts_for_as_many_headers_as_it_has_items_and_no_more() {
        let max = BodyMax { bytes: 1_000, items: 2 };
        assert_eq!(max.counted_bytes(0), ITEM_HEADER_BYTES_COUNTED, "a request is not for nothing");
        let most = 2 * ITEM_HEADER_BYTES_COUNTED;
        let two = ITEM_SENT_BYTES_MIN;
        assert_eq!(max.counted_bytes(two - 1), two - 1 + ITEM_HEADER_BYTES_COUNTED);
        assert_eq!(max.counted_bytes(two), two + most);
        assert_eq!(max.counted_bytes(1_000), 1_000 + most);
    }
}

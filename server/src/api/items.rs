//! `POST /api/sessions/{id}/items`: the protocol for clients that have no WebSocket. A request is a
//! short connection; its frames go through the same writer.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use protocol::event::Transport;
use protocol::frames::{self, FramesError, Joined};
use protocol::limits::{
    FRAMES_BYTES_MAX, FRAMES_PER_ANSWER_MAX, FRAMES_PER_REQUEST_MAX, IN_FLIGHT_BYTES_MAX,
    ITEM_HEADER_BYTES_COUNTED, ITEMS_PER_MESSAGE_MAX,
};
use protocol::{ClientMessage, SessionId};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::body::{self, BodyMax};
use super::extract::SessionPath;
use crate::error::{ApiError, Problem};
use crate::quotas::Address;
use crate::state::AppState;
use crate::writer::{Outgoing, Writer};

/// How long an answer waits for the recording to be made. Then it says `Finalizing`, and the client
/// asks again.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);

/// Of a body of many markers, the window keeps all but these waiting.
const BODY: BodyMax = BodyMax {
    bytes: FRAMES_BYTES_MAX,
    items: IN_FLIGHT_BYTES_MAX / ITEM_HEADER_BYTES_COUNTED + ITEMS_PER_MESSAGE_MAX,
};

/// Messages of the protocol in the postcard encoding, each with its length before it: 4 bytes,
/// little-endian.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Frames(#[expect(dead_code, reason = "says what a body is, and is none")] String);

/// Deliver items without a WebSocket
///
/// For networks that do not let WebSockets through, and for uploads in the background. The messages
/// are those of the WebSocket, one after another. `Hello` comes first; a client that was welcomed before joins its own writer with
/// `Joining`. The answer holds the server's messages in the same form, and in the version that `Hello` names. What ends a connection, such
/// as a wrong token, is a `Goodbye` in the answer. `Finish` is about everything before it; when the
/// recording takes long, `Finalizing` is the last answer, and the client asks again. Each request
/// counts as a sign of life.
#[utoipa::path(
    post, path = "/sessions/{id}/items", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    request_body(content = Frames, content_type = "application/octet-stream", description = "The client's messages"),
    responses(
        (status = 200, description = "The server's messages", body = Frames, content_type = "application/octet-stream"),
        (status = 400, description = "The body is no row of messages, or names another session", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The id is none", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body, or a message in it, is above the limit", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests, or the server is shutting down; try again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn items(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    from: Address,
    request: Request,
) -> Result<Response, ApiError> {
    let body = body::read(&state, request, BODY).await?;
    let frames = frames::split(body.bytes.clone(), FRAMES_PER_REQUEST_MAX)?;
    check_session(&frames, id)?;
    // To its end even when the client goes away: what came is stored.
    let tracked = state.tasks.token();
    let answered = tokio::spawn(async move {
        let _held_to_the_end = (body, tracked);
        answer(state, from, frames).await
    });
    let answer = answered.await.map_err(|error| ApiError::Internal(error.into()))??;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response())
}

/// A first message that is no `Hello` is refused by the protocol itself.
fn check_session(frames: &[Bytes], id: SessionId) -> Result<(), ApiError> {
    let first = frames.first().ok_or_else(|| ApiError::BadRequest("The body is empty.".into()))?;
    match ClientMessage::decode(first) {
        Ok(ClientMessage::Hello(hello)) if hello.session != id => {
            Err(ApiError::BadRequest("`Hello` names another session than the address.".into()))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn answer(state: AppState, from: Address, frames: Vec<Bytes>) -> Result<Vec<u8>, ApiError> {
    let stopping = state.stopping.clone();
    let mut writer = Writer::new(state, Transport::Http, from);
    let mut answer = Answer::new();
    for frame in frames {
        while !answer.ended && !writer.wants_input() {
            writer.happening().await;
            answer.take_from(&mut writer).await?;
        }
        if answer.ended {
            break;
        }
        writer.receive(&frame);
        answer.take_from(&mut writer).await?;
    }
    writer.commit().await;
    answer.take_from(&mut writer).await?;
    let deadline = Instant::now() + FINISH_DEADLINE;
    while !answer.ended && writer.owes_answers() {
        tokio::select! {
            happened = timeout_at(deadline, writer.happening()) => {
                if happened.is_err() {
                    break;
                }
            }
            () = stopping.cancelled() => break,
        }
        answer.take_from(&mut writer).await?;
    }
    Ok(answer.joined.into_body())
}

/// What the client is told.
struct Answer {
    joined: Joined,
    ended: bool,
}

impl Answer {
    const fn new() -> Self {
        Self { joined: Joined::new(FRAMES_PER_ANSWER_MAX), ended: false }
    }

    async fn take_from(&mut self, writer: &mut Writer) -> Result<(), ApiError> {
        while let Some(outgoing) = writer.next_outgoing().await {
            match outgoing {
                Outgoing::Frame(frame) => {
                    self.joined.push(&frame).map_err(|error| ApiError::Internal(error.into()))?
                }
                Outgoing::Close => {
                    self.ended = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl From<FramesError> for ApiError {
    fn from(error: FramesError) -> Self {
        match error {
            FramesError::BodyTooLarge(_)
            | FramesError::FrameTooLarge(_)
            | FramesError::TooManyFrames(_) => Self::BodyTooLarge,
            FramesError::CutOff => Self::BadRequest(error.to_string()),
        }
    }
}

//! `POST /api/sessions/{id}/tail`: the last chunk of a page that is being left.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use ledger::{Append, By};
use protocol::event::Transport;
use protocol::limits::{ITEM_PAYLOAD_BYTES_MAX, TAIL_HEADER_BYTES_MAX};
use protocol::receiver::Verdict;
use protocol::tail::TailHeader;
use protocol::{Event, ItemError, ProtocolError, Seq};

use utoipa::ToSchema;

use super::body::{self, BodyMax};
use super::extract::SessionPath;
use crate::committer::CommitError;
use crate::error::{ApiError, Problem};
use crate::quotas::Address;
use crate::state::AppState;

/// The length, the header and one chunk.
const BODY: BodyMax =
    BodyMax { bytes: 1 + TAIL_HEADER_BYTES_MAX + ITEM_PAYLOAD_BYTES_MAX, items: 1 };

/// The protocol's `TailHeader` (its length in one byte, then version, token, item number, time,
/// track and segment in the postcard encoding), and right behind it the bytes of one chunk.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Tail(#[expect(dead_code, reason = "says what a body is, and is none")] String);

/// Store the end of a recording
///
/// What `navigator.sendBeacon` can deliver of a page that is being left: one chunk behind a header
/// that says what it is and holds the session's token. The server seals it into items. The number was reserved by
/// that page, so no writer is disturbed; sending it again is no error.
#[utoipa::path(
    post, path = "/sessions/{id}/tail", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    request_body(content = Tail, content_type = "application/octet-stream", description = "The header and the chunk"),
    responses(
        (status = 204, description = "It is durable"),
        (status = 400, description = "No header, another version, or no item that can be stored", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Wrong token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session was discarded, is as large as it may be, or has another one under this number", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The chunk is above the limit", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The address has brought as much as it may in a day; nothing is stored", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests, or the server is shutting down; try again", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full; nothing is stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn tail(
    State(state): State<AppState>,
    SessionPath(id): SessionPath,
    from: Address,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let body = body::read(&state, request, BODY).await?;
    let (header, chunk) = TailHeader::decode(body.bytes.clone())?;
    let items = header.seal(chunk);
    for item in &items {
        item.check().map_err(|error| ApiError::BadRequest(error.to_string()))?;
    }
    // Under numbers that no writer gives out, whoever that is by now.
    let by = By::Candidate { token: header.token.hash(), epoch: None };
    let lane = state.committer.lane();
    let append = Append { session: id, by, transport: Transport::Http, items };
    let verdicts = state.quotas.append(&state.committer, from, lane, append).await??;
    judged(&state, id, verdicts).await
}

async fn judged(
    state: &AppState,
    id: protocol::SessionId,
    verdicts: Vec<(Seq, Verdict)>,
) -> Result<StatusCode, ApiError> {
    for (seq, verdict) in verdicts {
        match verdict {
            Verdict::Stored => {}
            Verdict::Duplicate => state.metrics.duplicates(1),
            Verdict::Refused(ItemError::SessionFinished) => {
                return Err(ApiError::WrongStatus(state.store.session(id).await?.status));
            }
            Verdict::Refused(error) => {
                if let Some(limit) = state.quotas.limit_of(error) {
                    return Err(limit.into());
                }
                state.metrics.refused(error);
                if error == ItemError::DigestConflict {
                    state.events.note(id, Event::DigestConflict { seq });
                }
                tracing::warn!(session = %id, %seq, %error, "tail refused");
                return Err(ApiError::Conflict(error));
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

impl From<ProtocolError> for ApiError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::FrameTooLarge(_) => Self::BodyTooLarge,
            ProtocolError::UnsupportedVersion(version) => Self::UnsupportedVersion(version),
            ProtocolError::Undecodable | ProtocolError::InvalidSessionId => {
                Self::BadRequest("The body is no tail.".into())
            }
        }
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::DiskFull => Self::DiskFull,
            CommitError::Past(limit) => limit.into(),
            CommitError::Failed(_) => Self::Internal(error.into()),
        }
    }
}

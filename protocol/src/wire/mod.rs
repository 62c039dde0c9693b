//! Messages as bytes: one message, payload included, is one binary frame (postcard encoding). This is
//! version 2. What the client says has the same bytes in version 1; where the server's words differ
//! there is in [`v1`].

pub(crate) mod farewell;
pub(crate) mod v1;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::FRAME_BYTES_MAX;
use crate::message::{ClientMessage, ServerMessage};
use crate::{Item, SessionId, Version};

/// The index of `ClientMessage::Hello`.
const HELLO: u8 = 0;
/// The index of `ClientMessage::Items`.
const ITEMS: u8 = 1;

/// A frame that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the frame of {0} bytes is above the limit of {FRAME_BYTES_MAX}")]
    FrameTooLarge(usize),
    #[error("the frame is not a message of a protocol version that is spoken here")]
    Undecodable,
    /// A `Hello` of a version whose remaining fields are unknown here.
    #[error("protocol version {0} is not spoken here")]
    UnsupportedVersion(u16),
    /// A `Hello` for something else than a session.
    #[error("the session id is not a UUID of version 7")]
    InvalidSessionId,
}

impl ClientMessage {
    pub fn encode(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a whole frame, of any version that is spoken here; bytes left over are an error.
    pub fn decode(frame: &[u8]) -> Result<Self, ProtocolError> {
        check_length(frame)?;
        whole(frame).ok_or_else(|| why_unreadable(frame))
    }
}

impl ServerMessage {
    /// In the newest version.
    pub fn encode(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a whole frame; bytes left over are an error. A server that does not know yet, or not at
    /// all, what its client speaks answers in version 1. No frame means one thing in one version and
    /// another in the other, so the client need not know which it is.
    pub fn decode(frame: &[u8]) -> Result<Self, ProtocolError> {
        check_length(frame)?;
        whole(frame).or_else(|| v1::read(frame)).ok_or(ProtocolError::Undecodable)
    }
}

impl Item {
    /// The item of a message that holds this one and nothing else, as the spool keeps it.
    pub fn of_frame(frame: &[u8]) -> Option<Self> {
        match frame {
            [ITEMS, 1, item @ ..] => whole(item),
            _ => None,
        }
    }
}

/// Of a frame that is no message, a `Hello` is told apart: its index, the version and the session come
/// first in every version.
fn why_unreadable(frame: &[u8]) -> ProtocolError {
    let Some(((HELLO, version), rest)) = start::<(u8, u16)>(frame) else {
        return ProtocolError::Undecodable;
    };
    if Version::try_from(version).is_err() {
        return ProtocolError::UnsupportedVersion(version);
    }
    match start::<uuid::Uuid>(rest) {
        Some((id, _)) if SessionId::try_from(id).is_err() => ProtocolError::InvalidSessionId,
        Some(_) | None => ProtocolError::Undecodable,
    }
}

fn check_length(frame: &[u8]) -> Result<(), ProtocolError> {
    match frame.len() {
        0..=FRAME_BYTES_MAX => Ok(()),
        bytes => Err(ProtocolError::FrameTooLarge(bytes)),
    }
}

pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("postcard encodes everything that is sent or kept")
}

/// `None` when the bytes are something else, or more than that.
pub(crate) fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    start(bytes).and_then(|(value, rest)| rest.is_empty().then_some(value))
}

/// A value, and the bytes behind it.
fn start<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    postcard::take_from_bytes(bytes).ok()
}

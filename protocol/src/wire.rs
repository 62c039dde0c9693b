//! Messages as bytes: one message, payload included, is one binary frame (postcard encoding).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{FRAME_BYTES_MAX, PROTOCOL_VERSION};
use crate::message::{ClientMessage, ServerMessage};

/// The index of `ServerMessage::Completed`.
const COMPLETED: u8 = 6;

/// A frame that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the frame of {0} bytes is above the limit of {FRAME_BYTES_MAX}")]
    FrameTooLarge(usize),
    #[error("the frame is not a message of protocol version {PROTOCOL_VERSION}")]
    Undecodable,
    /// A `Hello` of a version whose remaining fields are unknown here.
    #[error("protocol version {0} is not spoken here")]
    UnsupportedVersion(u16),
}

impl ClientMessage {
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a whole frame; bytes left over are an error.
    pub fn decode(frame: &[u8]) -> Result<Self, ProtocolError> {
        match decode(frame) {
            Ok(Self::Hello(hello)) if hello.version != PROTOCOL_VERSION => {
                Err(ProtocolError::UnsupportedVersion(hello.version))
            }
            Err(ProtocolError::Undecodable) => Err(hello_version(frame)
                .filter(|version| *version != PROTOCOL_VERSION)
                .map_or(ProtocolError::Undecodable, ProtocolError::UnsupportedVersion)),
            decoded => decoded,
        }
    }
}

impl ServerMessage {
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a whole frame; bytes left over are an error.
    pub fn decode(frame: &[u8]) -> Result<Self, ProtocolError> {
        match decode(frame) {
            // A receipt ends with what is left out, unless that is nothing.
            Err(ProtocolError::Undecodable) if frame.first() == Some(&COMPLETED) => {
                decode(&[frame, &[0]].concat())
            }
            decoded => decoded,
        }
    }
}

fn encode(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("postcard encodes every message")
}

fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<M, ProtocolError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(ProtocolError::FrameTooLarge(frame.len()));
    }
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(ProtocolError::Undecodable),
    }
}

/// The version of a `Hello` whose other fields this version cannot read: the variant's index and
/// the version come first in every version of the protocol.
fn hello_version(frame: &[u8]) -> Option<u16> {
    match postcard::take_from_bytes::<(u32, u16)>(frame) {
        Ok(((0, version), _)) => Some(version),
        Ok(_) | Err(_) => None,
    }
}

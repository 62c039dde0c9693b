//! Version 1, as pages and servers of the last release speak it: what of the server's words has other
//! bytes than in version 2. It goes when version 3 comes.

use super::{start, to_bytes, whole};
use crate::item::ItemError;
use crate::limits::{FRAME_BYTES_MAX, IN_FLIGHT_BYTES_MAX};
use crate::message::{Refusal, ServerMessage};
use crate::{Millis, Seq, UnixMillis, Version};

/// The indexes of the messages that differ.
const WELCOME: u8 = 0;
const COMPLETED: u8 = 6;
const GOODBYE: u8 = 9;

/// What stood behind the rest of a `Welcome`: bytes of a frame, bytes in flight, the longest silence,
/// and the server's time. No client ever asked for it.
type Limits = (usize, usize, Millis, UnixMillis);

/// `None` when it is no message that differs in version 1.
pub(super) fn read(frame: &[u8]) -> Option<ServerMessage> {
    match frame.split_first()? {
        (&WELCOME, _) => {
            let (welcome, limits) = start(frame)?;
            whole::<Limits>(limits).map(|_| welcome)
        }
        // A receipt ended with what is left out, unless that was nothing.
        (&COMPLETED, _) => whole(&[frame, &[0]].concat()),
        (&GOODBYE, refusal) => whole(refusal).map(ServerMessage::Goodbye),
        _ => None,
    }
}

pub(crate) fn encode(
    message: &ServerMessage,
    silence_max: Millis,
    server_time: UnixMillis,
) -> Vec<u8> {
    match message {
        ServerMessage::Welcome(_) => {
            let limits: Limits = (FRAME_BYTES_MAX, IN_FLIGHT_BYTES_MAX, silence_max, server_time);
            to_bytes(&(message, limits))
        }
        ServerMessage::Completed(receipt) => {
            let mut frame = message.encode();
            if receipt.left_out == 0 {
                frame.pop();
            }
            frame
        }
        ServerMessage::Refused(items) => {
            let known = |(seq, error): &(Seq, ItemError)| (*seq, nearest_error(*error));
            ServerMessage::Refused(items.iter().map(known).collect()).encode()
        }
        ServerMessage::Goodbye(refusal) => to_bytes(&(GOODBYE, nearest_refusal(refusal))),
        ServerMessage::Ack { .. }
        | ServerMessage::HeartbeatAck
        | ServerMessage::Missing(_)
        | ServerMessage::Finalizing
        | ServerMessage::Failed(_)
        | ServerMessage::Discarded => message.encode(),
    }
}

/// The word of version 1 that has its client do the same. One for which there is none ends with the
/// page's advice to reload it: the page that comes then may know it.
fn nearest_refusal(refusal: &Refusal) -> Refusal {
    match refusal {
        Refusal::UnsupportedVersion { .. }
        | Refusal::UndecodableFrame
        | Refusal::FrameTooLarge
        | Refusal::TooManyItems
        | Refusal::InvalidSessionId
        | Refusal::UnknownSession
        | Refusal::WrongToken
        | Refusal::Discarded
        | Refusal::HelloExpected
        | Refusal::Fenced
        | Refusal::Outdated { .. }
        | Refusal::Silent
        | Refusal::ShuttingDown
        | Refusal::Unavailable
        | Refusal::DiskFull
        | Refusal::TooManyConnections => refusal.clone(),
        Refusal::Other { is_temporary: true, .. } => Refusal::Unavailable,
        Refusal::Other { is_temporary: false, .. } => Refusal::UnsupportedVersion {
            client: Version::V1.number(),
            server: Version::V2.number(),
        },
    }
}

/// A client sends nothing again but what was damaged, and keeps what was refused.
fn nearest_error(error: ItemError) -> ItemError {
    match error {
        ItemError::WrongDigest
        | ItemError::EmptyPayload
        | ItemError::PayloadTooLarge
        | ItemError::SeqTooLarge
        | ItemError::TooLate
        | ItemError::TrackOutOfRange
        | ItemError::SegmentOutOfRange
        | ItemError::TextTooLong
        | ItemError::DigestConflict
        | ItemError::SessionFinished => error,
        ItemError::TooFarAhead | ItemError::TooManyHoles => ItemError::SeqTooLarge,
        // What it means is the same: the session is finished without what it takes no more.
        ItemError::SessionFull | ItemError::Other(_) => ItemError::SessionFinished,
    }
}

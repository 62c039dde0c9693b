//! The limits that the operator can raise, by their options.

use ledger::rules::Policy;
use protocol::Refusal;
use protocol::item::ItemError;

/// A limit that the operator can raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    SessionSize,
    ItemsAhead,
    Holes,
    SessionsOfAddress,
    BytesOfAddress,
    NewSessionReserve,
}

impl Limit {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionSize => "bytes of a session",
            Self::ItemsAhead => "numbers of an item ahead of all that came",
            Self::Holes => "holes in a session",
            Self::SessionsOfAddress => "new sessions of an address in a day",
            Self::BytesOfAddress => "bytes of an address in a day",
            Self::NewSessionReserve => "free bytes that new sessions leave",
        }
    }

    pub const fn option(self) -> &'static str {
        match self {
            Self::SessionSize => "--session-size-max",
            Self::ItemsAhead => "--items-ahead-max",
            Self::Holes => "--holes-max",
            Self::SessionsOfAddress => "--sessions-per-address-day",
            Self::BytesOfAddress => "--bytes-per-address-day",
            Self::NewSessionReserve => "--new-session-reserve",
        }
    }

    /// What an item is past that was refused so, and how much that is.
    pub(crate) const fn of_refused(error: ItemError, policy: &Policy) -> Option<(Self, u64)> {
        match error {
            ItemError::SessionFull => Some((Self::SessionSize, policy.session_bytes_max)),
            ItemError::TooFarAhead => Some((Self::ItemsAhead, policy.seq_ahead_max)),
            ItemError::TooManyHoles => Some((Self::Holes, policy.holes_max)),
            ItemError::WrongDigest
            | ItemError::EmptyPayload
            | ItemError::PayloadTooLarge
            | ItemError::SeqTooLarge
            | ItemError::TooLate
            | ItemError::TrackOutOfRange
            | ItemError::SegmentOutOfRange
            | ItemError::TextTooLong
            | ItemError::DigestConflict
            | ItemError::SessionFinished
            | ItemError::Other(_) => None,
        }
    }

    /// What a connection is told that ends because of it: to try again.
    pub(crate) const fn goodbye(self) -> Refusal {
        match self {
            Self::SessionSize
            | Self::ItemsAhead
            | Self::Holes
            | Self::SessionsOfAddress
            | Self::BytesOfAddress => Refusal::Unavailable,
            Self::NewSessionReserve => Refusal::DiskFull,
        }
    }
}

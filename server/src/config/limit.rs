//! The limits that the operator can raise, by their options.

use protocol::Refusal;

/// A limit that the operator can raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    SessionSize,
    SessionsOfAddress,
    BytesOfAddress,
    NewSessionReserve,
}

impl Limit {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionSize => "bytes of a session",
            Self::SessionsOfAddress => "new sessions of an address in a day",
            Self::BytesOfAddress => "bytes of an address in a day",
            Self::NewSessionReserve => "free bytes that new sessions leave",
        }
    }

    pub const fn option(self) -> &'static str {
        match self {
            Self::SessionSize => "--session-size-max",
            Self::SessionsOfAddress => "--sessions-per-address-day",
            Self::BytesOfAddress => "--bytes-per-address-day",
            Self::NewSessionReserve => "--new-session-reserve",
        }
    }

    /// What a connection is told that ends because of it: to try again.
    pub(crate) const fn goodbye(self) -> Refusal {
        match self {
            Self::SessionSize | Self::SessionsOfAddress | Self::BytesOfAddress => {
                Refusal::Unavailable
            }
            Self::NewSessionReserve => Refusal::DiskFull,
        }
    }
}

//! The versions of the protocol that are spoken here: the newest one, and the one before it, which is
//! what pages and servers of the last release speak.

use std::fmt;

use serde::{Deserialize, Serialize};

/// On the wire it is its number. Any change to the wire format makes a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Version {
    V1,
    V2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("protocol version {0} is not spoken here")]
pub struct UnknownVersion(pub u16);

impl Version {
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    pub const fn number(self) -> u16 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl TryFrom<u16> for Version {
    type Error = UnknownVersion;

    fn try_from(number: u16) -> Result<Self, UnknownVersion> {
        let spoken = Self::ALL.into_iter().find(|version| version.number() == number);
        spoken.ok_or(UnknownVersion(number))
    }
}

impl From<Version> for u16 {
    fn from(version: Version) -> Self {
        version.number()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

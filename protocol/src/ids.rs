//! Typed ids and numbers. Parsing happens here once; past this border they are known to be good.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::UnixMillis;

/// A number with a meaning: it displays and serialises as itself and converts to and from its
/// plain form only on purpose.
macro_rules! typed_number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

typed_number!(
    /// The number of an item, unique in its session whatever its track; the first is 0.
    Seq(u64)
);
typed_number!(
    /// Counts the writers of a session. A newer writer has a higher epoch and fences off the older.
    Epoch(u64)
);
typed_number!(
    /// One source of a session: the microphone is a track, a camera another.
    TrackNo(u8)
);
typed_number!(
    /// One uninterrupted recorder run on one track, counted from 0 within the session.
    SegmentNo(u32)
);

impl Seq {
    pub const ZERO: Self = Self(0);

    /// The number after this one. Stays at the top of the range, far above every limit.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A session's id: a UUID of version 7, made by the client so that a recording can start without
/// the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "uuid::Uuid", try_from = "uuid::Uuid")]
pub struct SessionId(uuid::Uuid);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session id is a UUID of version 7 such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct InvalidSessionId;

impl SessionId {
    /// Makes an id from the time and 10 random bytes (RFC 9562 section 5.7).
    pub fn from_parts(created_at: UnixMillis, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(created_at.get(), &random).into_uuid())
    }

    /// When its client made it, by that client's clock.
    pub fn created_at(&self) -> UnixMillis {
        // The first 48 bits (RFC 9562 section 5.7).
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        UnixMillis::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidSessionId> {
        uuid::Uuid::from_bytes(bytes).try_into()
    }
}

impl TryFrom<uuid::Uuid> for SessionId {
    type Error = InvalidSessionId;

    /// Accepts only version 7 in the RFC's variant.
    fn try_from(uuid: uuid::Uuid) -> Result<Self, InvalidSessionId> {
        let is_ours = uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122;
        if is_ours { Ok(Self(uuid)) } else { Err(InvalidSessionId) }
    }
}

impl From<SessionId> for uuid::Uuid {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    /// Accepts only the hyphenated lower- or upper-case form: 36 characters, nothing around them.
    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(InvalidSessionId);
        }
        uuid::Uuid::try_parse(text).map_err(|_| InvalidSessionId)?.try_into()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The secret that lets its holder write to one session. Made by the client from 32 random bytes;
/// the server keeps only its hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionToken([u8; 32]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session token is 64 hexadecimal digits")]
pub struct InvalidSessionToken;

impl SessionToken {
    pub const fn from_random(random: [u8; 32]) -> Self {
        Self(random)
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }

    /// The form in which the token travels in an `Authorization: Bearer` header and in the spool.
    pub fn expose(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for SessionToken {
    type Err = InvalidSessionToken;

    fn from_str(text: &str) -> Result<Self, InvalidSessionToken> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidSessionToken)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(secret)")
    }
}

/// SHA-256 of a [`SessionToken`]: what the server stores and compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    fn an_id() -> SessionId {
        SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [7; 10])
    }

    #[test]
    fn an_id_survives_its_text_form() {
        assert_eq!(an_id().to_string().parse(), Ok(an_id()));
        assert_eq!(an_id().created_at(), UnixMillis::new(1_795_257_600_000));
    }

    #[test]
    fn path_tricks_and_other_uuids_are_no_session_ids() {
        for text in [
            "",
            "..",
            "../../../../../../../../etc/passwd/aaa",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "01890a5dac96774bbcceb302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a805%",
            "936da01f-9abd-4d9d-80c7-02af85c822a8",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId), "{text}");
        }
    }

    #[test]
    fn a_token_never_shows_in_debug_output() {
        let token = SessionToken::from_random([0xab; 32]);
        assert!(!format!("{token:?}").contains("ab"));
        assert_eq!(token.expose().parse(), Ok(token));
        assert_eq!("abcd".parse::<SessionToken>(), Err(InvalidSessionToken));
    }
}

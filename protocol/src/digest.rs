//! The digest of an item, or of a file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::item::Content;
use crate::{Millis, Seq};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Over the item's postcard encoding without the digest, so that a changed header is as
    /// visible as a changed payload.
    pub fn of_item(seq: Seq, at: Millis, content: &Content) -> Self {
        struct Hashing(Sha256);

        impl postcard::ser_flavors::Flavor for Hashing {
            type Output = Sha256;

            fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
                self.0.update([byte]);
                Ok(())
            }

            fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
                self.0.update(bytes);
                Ok(())
            }

            fn finalize(self) -> postcard::Result<Sha256> {
                Ok(self.0)
            }
        }

        let hasher = postcard::serialize_with_flavor(&(seq, at, content), Hashing(Sha256::new()))
            .expect("postcard encodes every item, and hashing cannot fail");
        Self(hasher.finalize().into())
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest)?;
        Ok(Self(bytes))
    }
}

/// Hexadecimal in JSON, 32 bytes on the wire.
impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

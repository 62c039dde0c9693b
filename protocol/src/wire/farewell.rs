//! How a refusal is sent: with its words and what they mean for the client beside it, so that a page
//! that does not know the reason still does the right thing, and says why.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{to_bytes, whole};
use crate::message::Refusal;

#[derive(Serialize, Deserialize)]
struct Farewell {
    is_temporary: bool,
    words: String,
    /// Empty where the sender itself does not know it.
    reason: Bytes,
}

pub(crate) fn serialize<S: Serializer>(refusal: &Refusal, to: S) -> Result<S::Ok, S::Error> {
    let is_known = !matches!(refusal, Refusal::Other { .. });
    let reason = if is_known { to_bytes(refusal).into() } else { Bytes::new() };
    let (is_temporary, words) = (refusal.is_temporary(), refusal.to_string());
    Farewell { is_temporary, words, reason }.serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Refusal, D::Error> {
    let Farewell { is_temporary, words, reason } = Farewell::deserialize(from)?;
    Ok(whole(&reason).unwrap_or(Refusal::Other { is_temporary, words }))
}

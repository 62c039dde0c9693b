//! What the candidate is shown and can keep: proof of what the server holds.

use serde::{Deserialize, Serialize};

use crate::{Digest, Millis, SeqSet};

/// Given out once the recording is verified and durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Items in the ledger, markers included.
    pub items: u64,
    /// Bytes of the recording file.
    pub bytes: u64,
    /// Duration of the recording.
    pub duration: Millis,
    /// SHA-256 of the recording file, as `sha256sum` prints it.
    pub digest: Digest,
    /// What was captured and never arrived.
    pub missing: SeqSet,
    /// Recorder runs that are not wholly in a file; the server keeps their chunks.
    pub left_out: u32,
}

impl Receipt {
    /// True when everything that was captured has arrived, and can be played.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.left_out == 0
    }
}

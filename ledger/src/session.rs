//! What of a session decides what may happen to it.

use protocol::limits::ITEM_HEADER_BYTES_COUNTED;
use protocol::{Epoch, Millis, Seq, SeqSet, SessionStatus, TokenHash, UnixMillis};

/// A session as the rules see it. A store keeps more of it, which only shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub token: TokenHash,
    pub status: SessionStatus,
    /// The newest writer. Commands of an older one are refused.
    pub epoch: Epoch,
    /// The last sign of life of a connection.
    pub heard_at: UnixMillis,
    /// The writer's last moment, while it is away.
    pub away_since: Option<UnixMillis>,
    /// When something happens to it by itself: the end of the grace period, of the resume window, or of
    /// the time for which what is of no use any more is kept.
    pub deadline: Option<UnixMillis>,
    /// What is stored.
    pub have: SeqSet,
    /// What of it came when the recording was being made, or was there: no recording has it.
    pub late: SeqSet,
    /// When the first of that came of which no supplement was made since.
    pub late_since: Option<UnixMillis>,
    /// What the writer said was its last item; unknown until it finishes.
    pub last_seq: Option<Seq>,
    pub payload_bytes: u64,
    /// There is a recording that can be played, of whatever was there when it was made.
    pub playable: bool,
    /// Where the newest item lies on the session's timeline.
    pub captured: Millis,
}

impl Session {
    /// Just made, by the holder of a token.
    pub fn new(token: TokenHash, now: UnixMillis) -> Self {
        Self {
            token,
            status: SessionStatus::Active,
            epoch: Epoch::default(),
            heard_at: now,
            away_since: None,
            deadline: None,
            have: SeqSet::new(),
            late: SeqSet::new(),
            late_since: None,
            last_seq: None,
            payload_bytes: 0,
            playable: false,
            captured: Millis::ZERO,
        }
    }

    /// What a recording is made of.
    pub fn in_time(&self) -> SeqSet {
        self.have.difference(&self.late)
    }

    /// What it takes of the size that a session may have: headers count.
    pub fn counted_bytes(&self) -> u64 {
        let headers_bytes = self.have.len().saturating_mul(ITEM_HEADER_BYTES_COUNTED as u64);
        self.payload_bytes.saturating_add(headers_bytes)
    }

    /// Nothing was ever stored, none was said to exist.
    pub fn is_unused(&self) -> bool {
        self.have.is_empty() && self.last_seq.is_none() && !self.playable
    }

    /// What was captured and never arrived, as far as it can be known here.
    pub fn missing(&self) -> SeqSet {
        self.have.missing(self.last_seq)
    }
}

//! What the shell tells a recorder beside its bare methods.

use protocol::{Millis, SessionId, SessionToken, UnixMillis};

/// When something happened, by both of the page's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The page's own clock, which never goes back.
    pub now: Millis,
    pub wall: UnixMillis,
}

/// Counts what was asked for: an answer that comes too late is known as such, and what was opened has
/// this number as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RequestNo(u32);

impl RequestNo {
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// How an open microphone is just now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MicrophoneState {
    /// Neither unplugged nor forbidden.
    pub is_live: bool,
    /// The system has silenced it, as a phone call does.
    pub is_muted: bool,
    /// What it delivers, which may be less than was asked for.
    pub has_picture: bool,
    /// As the browser names the device; may be empty.
    pub label: String,
    /// The id of the device in use, when the browser tells.
    pub device: Option<String>,
}

/// What a recorder's run says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunForm {
    /// As the recorder names what it writes.
    pub mime: String,
    pub label: String,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub form: RunForm,
    /// For the first one of a session of this page's own.
    pub session: Option<NewSession>,
}

/// What a new session is known by: made by chance, which there is none of in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub session: SessionId,
    pub token: SessionToken,
}

//! Moments from which something was different. Of each kind a session keeps only so many.

use protocol::Millis;

/// The first moments of one kind, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks<T> {
    pub kept: Vec<T>,
    /// There were more than are kept.
    pub has_more: bool,
}

/// Recording was paused, or went on. All tracks of a session do that together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseMark {
    Paused(Millis),
    Over(Millis),
}

/// The server was in reach of the candidate's browser, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionMark {
    Connected(Millis),
    /// Out of reach since then.
    Lost(Millis),
}

impl PauseMark {
    pub(crate) const fn at(self) -> Millis {
        match self {
            Self::Paused(at) | Self::Over(at) => at,
        }
    }
}

impl<T> Marks<T> {
    pub const fn all(kept: Vec<T>) -> Self {
        Self { kept, has_more: false }
    }
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self::all(Vec::new())
    }
}

//! A part of a timeline.

use protocol::Millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Millis,
    pub to: Millis,
}

impl Span {
    pub fn length(self) -> Millis {
        self.to.since(self.from)
    }
}

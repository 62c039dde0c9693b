//! Owns getting back into a stream: at its end, at a hole, and behind damage.

use super::{Cut, Event, State, Step, Turn, WebmReader};
use crate::ebml::ElementHeader;
use crate::grammar::Level;
use crate::report::{Damage, DamageCause};
use crate::resync::{self, Search};

impl WebmReader {
    /// The buffer ends inside an element.
    pub(super) fn starved(&mut self) -> Turn {
        let Some(cut) = self.cut else {
            return Turn::Wait;
        };
        let rest = self.unread().len();
        if let Search::Found(at) = resync::find_cluster(self.unread().get(1..).unwrap_or(&[])) {
            let cause = ElementHeader::parse(self.unread())
                .ok()
                .flatten()
                .map_or(DamageCause::NotAnElement, |h| DamageCause::WrongSize(h.id));
            return self.resume_at_cluster(at + 1, cause);
        }
        match cut {
            Cut::End => {
                self.dangling = rest as u64;
                self.consume(rest);
                self.state = State::Over;
                Turn::Wait
            }
            Cut::Hole => {
                self.fall_into_hole();
                Turn::Wait
            }
        }
    }

    /// Chunks of a Chromium recorder begin one byte inside an element. If that element is a
    /// Cluster, its first byte is in the hole: it is put back, where it harms nothing else.
    fn fall_into_hole(&mut self) {
        self.state = State::Lost { since: self.offset, cause: DamageCause::Hole };
        self.consume(self.unread().len());
        self.cut = None;
        self.buffer.clear();
        self.buffer.push(resync::CLUSTER_ID_BYTES[0]);
        self.read = 0;
        self.offset = self.offset.saturating_sub(1);
    }

    pub(super) fn lose(&mut self, cause: DamageCause) -> Turn {
        self.state = State::Lost { since: self.offset, cause };
        Turn::Again
    }

    /// A Cluster begins `bytes` from here; what stands before it is damage.
    pub(super) fn resume_at_cluster(&mut self, bytes: usize, cause: DamageCause) -> Turn {
        let since = self.offset;
        self.consume(bytes);
        self.state = State::Elements(Level::Segment);
        self.damage(since, cause)
    }

    /// Looks for a Cluster while lost.
    pub(super) fn find_cluster(&mut self, since: u64, cause: DamageCause) -> Turn {
        let (bytes, found) = match resync::find_cluster(self.unread()) {
            Search::Found(at) => (at, true),
            Search::Perhaps(at) if self.cut.is_none() => (at, false),
            Search::Perhaps(_) | Search::NotFound => (self.unread().len(), false),
        };
        self.consume(bytes);
        let damage = self.damage(since, cause);
        match self.cut {
            _ if found => self.state = State::Elements(Level::Segment),
            None => return Turn::Wait,
            Some(Cut::Hole) => self.fall_into_hole(),
            Some(Cut::End) => self.state = State::Over,
        }
        damage
    }

    fn damage(&self, since: u64, cause: DamageCause) -> Turn {
        let bytes = self.offset.saturating_sub(since);
        let damage = Damage { at_byte: since, bytes, cause };
        Turn::Yield(Step::Event(Event::Damage(damage)))
    }
}

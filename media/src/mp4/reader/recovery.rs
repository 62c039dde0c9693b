//! Owns getting back into a stream: at its end, at a hole, and behind damage.

use crate::mp4::resync;
use crate::report::{Damage, DamageCause};
use crate::resync::Search;

use super::{Cut, Event, Mp4Reader, State, Step, Turn};

impl Mp4Reader {
    /// The buffer ends inside a box or sample.
    pub(super) fn starved(&mut self) -> Turn {
        let Some(cut) = self.cut else {
            return Turn::Wait;
        };
        let rest = self.unread().len();
        if let Search::Found(at) = resync::find_moof(self.unread().get(1..).unwrap_or(&[])) {
            let since = self.offset;
            self.consume(at + 1);
            return self.resume(since, DamageCause::SamplePlace);
        }
        match cut {
            Cut::End => {
                self.dangling = rest as u64;
                self.consume(rest);
                self.state = State::Over;
            }
            Cut::Hole => self.fall_into_hole(),
        }
        Turn::Wait
    }

    fn fall_into_hole(&mut self) {
        self.fragment = None;
        self.state = State::Lost { since: self.offset, cause: DamageCause::Hole };
        self.consume(self.unread().len());
        self.cut = None;
    }

    pub(super) fn lose(&mut self, since: u64, cause: DamageCause) -> Turn {
        self.fragment = None;
        self.state = State::Lost { since, cause };
        Turn::Again
    }

    /// A `moof` begins here; what stood before it is damage.
    pub(super) fn resume(&mut self, since: u64, cause: DamageCause) -> Turn {
        self.fragment = None;
        self.state = State::Boxes;
        self.damage(since, cause)
    }

    /// Looks for a `moof` while lost.
    pub(super) fn find_moof(&mut self, since: u64, cause: DamageCause) -> Turn {
        let (bytes, found) = match resync::find_moof(self.unread()) {
            Search::Found(at) => (at, true),
            Search::Perhaps(at) if self.cut.is_none() => (at, false),
            Search::Perhaps(_) | Search::NotFound => (self.unread().len(), false),
        };
        self.consume(bytes);
        if found {
            return self.resume(since, cause);
        }
        let damage = self.damage(since, cause);
        match self.cut {
            None => return Turn::Wait,
            Some(Cut::Hole) => self.fall_into_hole(),
            Some(Cut::End) => self.state = State::Over,
        }
        damage
    }

    fn damage(&self, since: u64, cause: DamageCause) -> Turn {
        let bytes = self.offset.saturating_sub(since);
        Turn::Yield(Step::Event(Event::Damage(Damage { at_byte: since, bytes, cause })))
    }
}

//! Which refusals the log has told of today: one line for each limit and whom it meets, not one for each
//! try.

use std::collections::HashSet;
use std::fmt;

use protocol::{SessionId, UnixMillis};

use super::address::Address;
use super::used::day_of;
use crate::config::Limit;

/// Lines in a day. Whoever makes more has been seen.
pub(super) const TOLD_MAX: usize = 1_000;

/// Who is past a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whom {
    Session(SessionId),
    Address(Address),
    Everybody,
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Address(address) => write!(f, "address {address}"),
            Self::Everybody => f.write_str("everybody"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Told {
    day: u64,
    told: HashSet<(Limit, Whom)>,
}

impl Told {
    /// True the first time on a day.
    pub(super) fn is_news(&mut self, limit: Limit, whom: Whom, now: UnixMillis) -> bool {
        if self.day != day_of(now) {
            *self = Self { day: day_of(now), told: HashSet::new() };
        }
        self.told.len() < TOLD_MAX && self.told.insert((limit, whom))
    }

    /// It is past the limit no more: the next time is news again.
    pub(super) fn forget(&mut self, limit: Limit, whom: Whom) {
        self.told.remove(&(limit, whom));
    }
}

#[cfg(test)]
mod tests {
    use super::super::used::DAY;
    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);

    #[test]
    fn a_refusal_is_told_once_a_day_and_again_when_it_was_over() {
        let mut told = Told::default();
        let (limit, whom) = (Limit::NewSessionReserve, Whom::Everybody);
        assert!(told.is_news(limit, whom, NOW));
        assert!(!told.is_news(limit, whom, NOW));
        assert!(told.is_news(Limit::SessionSize, whom, NOW));
        told.forget(limit, whom);
        assert!(told.is_news(limit, whom, NOW));
        assert!(told.is_news(limit, whom, NOW.plus(DAY)));
    }

    #[test]
    fn as_many_lines_as_the_limit_are_written_and_no_more() {
        let mut told = Told::default();
        let news = |number: usize| {
            let random = (number as u128).to_be_bytes();
            let whom = Whom::Session(SessionId::from_parts(NOW, random[6..].try_into().unwrap()));
            told.is_news(Limit::SessionSize, whom, NOW)
        };
        let lines = (0..=TOLD_MAX).map(news).collect::<Vec<bool>>();
        assert_eq!(lines.iter().filter(|line| **line).count(), TOLD_MAX);
        assert_eq!(lines.last(), Some(&false));
    }
}

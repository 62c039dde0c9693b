//! Owns the account of a segment: every byte and every packet that came in, and what became of it.
//! Decides nothing.

use std::fmt;
use std::ops::AddAssign;

use crate::error::Refusal;

/// Why something that came in is not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Of a recorder run that does not fit into the file, or that nobody can read.
    Refused,
    /// Of a track that the header does not declare.
    UndeclaredTrack,
    /// Bytes behind damage, or behind missing ones, up to where reading could go on. How many packets
    /// are in them is not known.
    BehindDamage,
    /// Described as standing where no media is.
    OutsideItsPlace,
    /// Later than the file can say.
    TooLate,
}

impl Cause {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::Refused,
        Self::UndeclaredTrack,
        Self::BehindDamage,
        Self::OutsideItsPlace,
        Self::TooLate,
    ];

    fn place(self) -> usize {
        match self {
            Self::Refused => 0,
            Self::UndeclaredTrack => 1,
            Self::BehindDamage => 2,
            Self::OutsideItsPlace => 3,
            Self::TooLate => 4,
        }
    }

    /// One word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::UndeclaredTrack => "undeclared_track",
            Self::BehindDamage => "behind_damage",
            Self::OutsideItsPlace => "outside_its_place",
            Self::TooLate => "too_late",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "do not fit into the file or cannot be read",
            Self::UndeclaredTrack => "of a track that was not declared",
            Self::BehindDamage => "behind damage",
            Self::OutsideItsPlace => "outside their place",
            Self::TooLate => "too late to be told",
        })
    }
}

/// So many packets, and so many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Blocks or samples.
    pub packets: u64,
    /// Of the source, what stands around the packets included.
    pub bytes: u64,
}

impl Tally {
    /// Nothing at all.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.packets == 0 && self.bytes == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// What came in and is not in the file, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    by_cause: [Tally; Cause::ALL.len()],
}

impl LeftOut {
    pub(crate) fn add(&mut self, cause: Cause, tally: Tally) {
        self.by_cause[cause.place()] += tally;
    }

    /// Nothing is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.by_cause.iter().all(Tally::is_nothing)
    }

    /// Whatever the reason.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.by_cause.iter().for_each(|tally| all += *tally);
        all
    }

    /// The reasons there are, and what was left out for each.
    pub fn causes(&self) -> impl Iterator<Item = (Cause, Tally)> + '_ {
        let told = |cause: Cause| (cause, self.by_cause[cause.place()]);
        Cause::ALL.into_iter().map(told).filter(|(_, tally)| !tally.is_nothing())
    }
}

impl AddAssign<&Self> for LeftOut {
    fn add_assign(&mut self, more: &Self) {
        for (cause, tally) in more.causes() {
            self.add(cause, tally);
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (cause, Tally { packets, bytes })) in self.causes().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            match packets {
                0 => write!(f, "{bytes} bytes {cause}")?,
                _ => write!(f, "{packets} packets ({bytes} bytes) {cause}")?,
            }
        }
        Ok(())
    }
}

/// What became of the bytes of a stream, as its reader tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bytes {
    /// Given to the reader.
    pub pushed: u64,
    /// Put back by the reader, where a chunk began inside an element whose first byte was missing.
    pub restored: u64,
    /// Headers and indexes, and elements that carry no media.
    pub structure: u64,
    /// Handed on as packets.
    pub packets: u64,
    /// In places that made no sense.
    pub stepped_over: u64,
    /// The beginnings of elements whose end never came: at the end, or before a hole.
    pub cut_off: u64,
}

impl Bytes {
    /// Every byte that came is in one place. `unread` are still held.
    pub(crate) fn add_up(&self, unread: u64) -> bool {
        self.pushed + self.restored
            == self.structure + self.packets + self.stepped_over + self.cut_off + unread
    }
}

/// What became of a segment, in packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Packets that the reader found.
    pub found: u64,
    /// Those that are in the file.
    pub written: u64,
    /// Those that were in the stream a second time, and are in the file once.
    pub repeated: u64,
    /// What is not in the file.
    pub left_out: LeftOut,
    /// The whole stream.
    pub bytes: Bytes,
}

impl Account {
    pub(crate) fn leave_out(&mut self, cause: Cause, packets: u64, bytes: u64) {
        self.left_out.add(cause, Tally { packets, bytes });
    }

    /// Whether what came in is what came out and what was left out.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let packets = self.written + self.repeated + self.left_out.all().packets;
        self.found == packets && self.bytes.add_up(0)
    }

    /// A segment of bytes that were not even read.
    pub(crate) fn unread(bytes: u64, refusal: Option<&Refusal>) -> Self {
        let mut account = Self::default();
        account.bytes.pushed = bytes;
        account.bytes.stepped_over = bytes;
        if bytes > 0 && refusal.is_some() {
            account.leave_out(Cause::Refused, 0, bytes);
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_by_its_reasons_in_their_order() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_nothing());
        left_out.add(Cause::BehindDamage, Tally { packets: 0, bytes: 700 });
        left_out.add(Cause::UndeclaredTrack, Tally { packets: 3, bytes: 60 });
        assert_eq!(
            left_out.to_string(),
            "3 packets (60 bytes) of a track that was not declared; 700 bytes behind damage"
        );
        assert_eq!(left_out.all(), Tally { packets: 3, bytes: 760 });
        let mut twice = left_out;
        twice += &left_out;
        assert_eq!(twice.all().bytes, 1_520);
    }

    #[test]
    fn an_account_in_which_a_packet_or_a_byte_is_missing_does_not_balance() {
        let bytes = Bytes { pushed: 10, packets: 8, cut_off: 2, ..Bytes::default() };
        let mut account = Account { found: 3, written: 2, bytes, ..Account::default() };
        assert!(!account.is_balanced());
        account.leave_out(Cause::TooLate, 1, 4);
        assert!(account.is_balanced());
        account.bytes.cut_off = 1;
        assert!(!account.is_balanced());
    }
}

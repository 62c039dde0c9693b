//! A set of seqs, kept as ranges: what the server has, what is missing.

use std::ops::RangeInclusive;

use rangemap::RangeInclusiveSet;
use serde::{Deserialize, Serialize};

use crate::Seq;

/// A set of [`Seq`]s. Its size is that of its ranges, not of its members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeqSet(RangeInclusiveSet<u64>);

impl SeqSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// 0..=last.
    pub fn up_to(last: Seq) -> Self {
        let mut set = Self::new();
        set.insert_range(Seq::ZERO..=last);
        set
    }

    pub fn insert(&mut self, seq: Seq) {
        self.insert_range(seq..=seq);
    }

    /// Adds a range; one that runs backwards is empty, as everywhere in Rust.
    pub fn insert_range(&mut self, range: RangeInclusive<Seq>) {
        let (start, end) = (range.start().get(), range.end().get());
        if start <= end {
            self.0.insert(start..=end);
        }
    }

    pub fn remove(&mut self, seq: Seq) {
        self.0.remove(seq.get()..=seq.get());
    }

    pub fn remove_range(&mut self, range: RangeInclusive<Seq>) {
        let (start, end) = (range.start().get(), range.end().get());
        if start <= end {
            self.0.remove(start..=end);
        }
    }

    pub fn contains(&self, seq: Seq) -> bool {
        self.0.contains(&seq.get())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many seqs are in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, range| {
            sum.saturating_add((range.end() - range.start()).saturating_add(1))
        })
    }

    /// How many ranges it takes to tell the set.
    pub fn range_count(&self) -> usize {
        self.0.len()
    }

    pub fn first(&self) -> Option<Seq> {
        self.0.first().map(|range| Seq::new(*range.start()))
    }

    pub fn last(&self) -> Option<Seq> {
        self.0.last().map(|range| Seq::new(*range.end()))
    }

    /// Where the members end that follow `from` without a gap; `None` when it is none itself.
    pub fn unbroken_from(&self, from: Seq) -> Option<Seq> {
        self.0.get(&from.get()).map(|range| Seq::new(*range.end()))
    }

    /// The ranges in ascending order, never touching one another.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<Seq>> + '_ {
        self.0.iter().map(|range| Seq::new(*range.start())..=Seq::new(*range.end()))
    }

    /// What of 0..=last is not in the set.
    #[must_use]
    pub fn missing_up_to(&self, last: Seq) -> Self {
        self.0.gaps(&(0..=last.get())).collect::<RangeInclusiveSet<u64>>().into()
    }

    /// What a session ends with of which these are there: their last, or what was said to be the last.
    pub fn end(&self, said: Option<Seq>) -> Option<Seq> {
        said.max(self.last())
    }

    /// What is not in the set up to its [end](Self::end).
    #[must_use]
    pub fn missing(&self, said_last: Option<Seq>) -> Self {
        self.end(said_last).map(|end| self.missing_up_to(end)).unwrap_or_default()
    }

    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = self.0.clone();
        for range in other.0.iter() {
            left.remove(range.clone());
        }
        Self(left)
    }
}

impl From<RangeInclusiveSet<u64>> for SeqSet {
    fn from(ranges: RangeInclusiveSet<u64>) -> Self {
        Self(ranges)
    }
}

impl FromIterator<Seq> for SeqSet {
    fn from_iter<I: IntoIterator<Item = Seq>>(seqs: I) -> Self {
        let mut set = Self::new();
        set.extend(seqs);
        set
    }
}

impl Extend<Seq> for SeqSet {
    fn extend<I: IntoIterator<Item = Seq>>(&mut self, seqs: I) {
        for seq in seqs {
            self.insert(seq);
        }
    }
}

/// As inclusive pairs, `[[0, 4], [7, 7]]`, on the wire and in JSON.
impl Serialize for SeqSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(u64, u64)> =
            self.0.iter().map(|range| (*range.start(), *range.end())).collect();
        pairs.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SeqSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut set = Self::new();
        for (start, end) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            if start > end {
                return Err(serde::de::Error::custom("a range runs backwards"));
            }
            set.insert_range(Seq::new(start)..=Seq::new(end));
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn set(seqs: &[u64]) -> SeqSet {
        seqs.iter().copied().map(Seq::new).collect()
    }

    #[test]
    fn neighbours_join_into_one_range() {
        assert_eq!(serde_json::to_string(&set(&[3, 1, 2, 7])).unwrap(), "[[1,3],[7,7]]");
    }

    #[test]
    fn missing_is_everything_not_in_the_set_up_to_the_last() {
        assert_eq!(set(&[1, 2, 5]).missing_up_to(Seq::new(6)), set(&[0, 3, 4, 6]));
        assert_eq!(SeqSet::new().missing_up_to(Seq::ZERO), set(&[0]));
        assert!(SeqSet::up_to(Seq::new(9)).missing_up_to(Seq::new(9)).is_empty());
    }

    #[test]
    fn what_is_missing_of_a_session_ends_with_what_came_or_was_said_to_be_last() {
        let came = set(&[1, 2, 5]);
        for (said, missing) in [(None, set(&[0, 3, 4])), (Some(2), set(&[0, 3, 4]))] {
            assert_eq!(came.missing(said.map(Seq::new)), missing);
        }
        assert_eq!(came.missing(Some(Seq::new(7))), set(&[0, 3, 4, 6, 7]));
        assert_eq!(came.end(Some(Seq::new(2))), Some(Seq::new(5)));
        let nothing = SeqSet::new();
        assert_eq!((nothing.end(None), nothing.missing(None)), (None, SeqSet::new()));
        assert_eq!(nothing.missing(Some(Seq::ZERO)), set(&[0]));
    }

    #[test]
    fn a_huge_range_does_no_harm_and_one_that_runs_backwards_is_refused() {
        let decoded: SeqSet = serde_json::from_str("[[5,5],[0,18446744073709551615]]").unwrap();
        assert_eq!(decoded.len(), u64::MAX);
        assert!(serde_json::from_str::<SeqSet>("[[1,2],[5,4]]").is_err());
    }

    proptest::proptest! {
        #[test]
        fn it_behaves_like_a_plain_set(seqs: Vec<u8>, removed: Vec<u8>, last: u8) {
            let mut ranges = SeqSet::new();
            let mut plain = BTreeSet::new();
            for seq in seqs {
                ranges.insert(Seq::new(u64::from(seq)));
                plain.insert(u64::from(seq));
            }
            for seq in removed {
                ranges.remove(Seq::new(u64::from(seq)));
                plain.remove(&u64::from(seq));
            }
            proptest::prop_assert_eq!(ranges.len(), plain.len() as u64);
            proptest::prop_assert_eq!(ranges.last().map(Seq::get), plain.last().copied());
            let missing = ranges.missing_up_to(Seq::new(u64::from(last)));
            for seq in 0..=u64::from(last) {
                proptest::prop_assert_eq!(missing.contains(Seq::new(seq)), !plain.contains(&seq));
            }
        }
    }
}

//! What lies in the spool and this version cannot read, such as what a newer one wrote: another
//! version may, so it is never called lost.

use crate::{Seq, SeqSet};

#[derive(Debug, Default)]
pub(super) struct Unreadable {
    seqs: SeqSet,
    /// Pieces whose numbers are not known: whatever is missing may be among them.
    unnumbered: u64,
}

impl Unreadable {
    pub(super) fn note(&mut self, seq: Option<Seq>) {
        match seq {
            Some(seq) => self.seqs.insert(seq),
            None => self.unnumbered += 1,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(super) fn count(&self) -> u64 {
        self.seqs.len() + self.unnumbered
    }

    /// What of `absent` is surely not among it.
    pub(super) fn lost_of(&self, absent: &SeqSet) -> SeqSet {
        if self.unnumbered > 0 { SeqSet::new() } else { absent.difference(&self.seqs) }
    }
}

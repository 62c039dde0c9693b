//! How the spool fares: which items it could not take, and when it is asked to try them once more.

use crate::limits::{SPOOL_CALM_AFTER, SPOOL_RETRIES_MAX, SPOOL_RETRY_AFTER};
use crate::{Millis, Seq, SeqSet};

/// One item is tried first. Each write that succeeds brings two more, so that a spool with room
/// again is filled quickly, and a full one is left in peace.
const REWRITES_A_SUCCESS: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Spooling {
    /// In memory only, and not being written.
    refused: SeqSet,
    /// In memory only, and being written once more.
    rewriting: SeqSet,
    /// Rewrites that may start now.
    allowed: usize,
    retry_at: Option<Millis>,
    failed_at: Option<Millis>,
}

impl Spooling {
    pub(super) fn succeeded(&mut self, now: Millis, seq: Seq) {
        self.settled(seq);
        if self.refused.is_empty() && self.rewriting.is_empty() {
            self.failed_at = self.failed_at.filter(|at| now < *at + SPOOL_CALM_AFTER);
        } else {
            self.allowed += REWRITES_A_SUCCESS;
        }
    }

    /// `is_kept`: it is not acked yet, so it is to be tried once more.
    pub(super) fn failed(&mut self, now: Millis, seq: Seq, is_kept: bool) {
        self.settled(seq);
        if is_kept {
            self.refused.insert(seq);
        }
        self.allowed = 0;
        self.failed_at = Some(now);
        self.retry_at = Some(now + SPOOL_RETRY_AFTER).filter(|_| !self.refused.is_empty());
    }

    /// A write was not answered in time.
    pub(super) fn overdue(&mut self, now: Millis) {
        self.failed_at = Some(now);
    }

    /// Nothing is to be done about the item any more.
    pub(super) fn settled(&mut self, seq: Seq) {
        self.refused.remove(seq);
        self.rewriting.remove(seq);
        if self.refused.is_empty() {
            self.retry_at = None;
            self.allowed = 0;
        }
    }

    /// The next item to be written once more, oldest first; none for now when `None`.
    pub(super) fn next_rewrite(&mut self, now: Millis) -> Option<Seq> {
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = Some(now + SPOOL_RETRY_AFTER);
            self.allowed = self.allowed.max(1);
        }
        if self.allowed == 0 || self.rewriting.len() >= SPOOL_RETRIES_MAX {
            return None;
        }
        let seq = self.refused.first()?;
        self.refused.remove(seq);
        self.allowed -= 1;
        self.rewriting.insert(seq);
        self.retry_at = self.retry_at.filter(|_| !self.refused.is_empty());
        Some(seq)
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.retry_at
    }

    /// True from a failed write on, until writes succeed again and nothing is left in memory only.
    pub(super) fn is_failing(&self) -> bool {
        self.failed_at.is_some()
    }
}

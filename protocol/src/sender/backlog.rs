//! The un-acked items of a session: where each is kept and how far it has come. Knows nothing of
//! the link.

use std::collections::{BTreeMap, BTreeSet};

use crate::item::ItemError;
use crate::limits::{DAMAGED_RETRIES_MAX, ITEM_HEADER_BYTES_MAX, MEMORY_BYTES_MAX, SPOOL_DEADLINE};
use crate::{Item, Millis, Seq, SeqSet};

/// Where the local copy of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The spool is writing it.
    Writing {
        since: Millis,
    },
    Spooled,
    /// The spool could not take it, or takes too long: memory is all there is.
    MemoryOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not to be sent yet: the spool has not answered.
    Unready,
    Waiting,
    /// Being read back from the spool, to be sent at once.
    Loading {
        since: Millis,
    },
    InFlight {
        since: Millis,
    },
    /// The server will never take it.
    Refused(ItemError),
}

#[derive(Debug)]
struct Entry {
    item: Option<Item>,
    payload_bytes: usize,
    /// The media time that the item covers.
    span: Millis,
    kept: Kept,
    progress: Progress,
    times_damaged: u8,
}

/// Every item from its capture to its ack.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    entries: BTreeMap<Seq, Entry>,
    waiting: BTreeSet<Seq>,
    /// Acked while the spool was still writing them: to be deleted once written.
    acked_while_writing: BTreeSet<Seq>,
    in_flight_bytes: usize,
    in_flight_items: usize,
    memory_bytes: usize,
}

/// What fits into the window just now.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// To be read back from the spool first.
    pub(super) to_load: Vec<Seq>,
    /// Some of `items` are in memory only.
    pub(super) any_unspooled: bool,
}

/// What the candidate's page needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BacklogStatus {
    pub items: u64,
    pub payload_bytes: u64,
    pub span: Millis,
    /// Items that only memory holds: a crash of the page would lose them.
    pub memory_only_items: u64,
    /// Items that the server will never take.
    pub refused_items: u64,
}

impl Backlog {
    pub(super) fn captured(&mut self, now: Millis, item: Item, span: Millis) {
        let seq = item.seq;
        let payload_bytes = item.payload_bytes();
        self.memory_bytes += payload_bytes;
        let entry = Entry {
            payload_bytes,
            span,
            kept: Kept::Writing { since: now },
            progress: Progress::Unready,
            times_damaged: 0,
            item: Some(item),
        };
        self.entries.insert(seq, entry);
    }

    /// An item that an earlier page left in the spool.
    pub(super) fn restored(&mut self, seq: Seq, payload_bytes: usize, span: Millis) {
        let entry = Entry {
            item: None,
            payload_bytes,
            span,
            kept: Kept::Spooled,
            progress: Progress::Waiting,
            times_damaged: 0,
        };
        self.entries.insert(seq, entry);
        self.waiting.insert(seq);
    }

    /// The spool has it on disk. Returns true when it was acked meanwhile and is to be deleted.
    pub(super) fn spooled(&mut self, seq: Seq) -> bool {
        if self.acked_while_writing.remove(&seq) {
            return true;
        }
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.kept = Kept::Spooled;
            self.ready(seq);
            self.trim_memory(seq);
        }
        false
    }

    /// The spool cannot take it: it stays in memory until it is acked.
    pub(super) fn not_spooled(&mut self, seq: Seq) {
        self.acked_while_writing.remove(&seq);
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.kept = Kept::MemoryOnly;
            self.ready(seq);
        }
    }

    /// Lets items go whose spool does not answer. Their later `spooled` still counts.
    pub(super) fn spool_overdue(&mut self, now: Millis) {
        let overdue: Vec<Seq> = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.progress == Progress::Unready
                    && matches!(entry.kept, Kept::Writing { since } if now >= since + SPOOL_DEADLINE)
            })
            .map(|(seq, _)| *seq)
            .collect();
        for seq in overdue {
            self.ready(seq);
        }
    }

    pub(super) fn spool_deadline(&self) -> Option<Millis> {
        self.entries
            .values()
            .filter_map(|entry| match (entry.progress, entry.kept) {
                (Progress::Unready, Kept::Writing { since }) => Some(since + SPOOL_DEADLINE),
                (_, Kept::Writing { .. } | Kept::Spooled | Kept::MemoryOnly) => None,
            })
            .min()
    }

    fn ready(&mut self, seq: Seq) {
        if let Some(entry) = self.entries.get_mut(&seq)
            && entry.progress == Progress::Unready
        {
            entry.progress = Progress::Waiting;
            self.waiting.insert(seq);
        }
    }

    /// The next items to send in seq order: at most `items_max` of them and `bytes_max` with their
    /// headers.
    pub(super) fn next_batch(&mut self, now: Millis, bytes_max: usize, items_max: usize) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while let Some(seq) = self.waiting.first().copied() {
            let Some(entry) = self.entries.get_mut(&seq) else {
                self.waiting.remove(&seq);
                continue;
            };
            bytes += entry.payload_bytes + ITEM_HEADER_BYTES_MAX;
            if bytes > bytes_max || batch.items.len() + batch.to_load.len() >= items_max {
                break;
            }
            self.waiting.remove(&seq);
            self.in_flight_bytes += entry.payload_bytes;
            self.in_flight_items += 1;
            if let Some(item) = &entry.item {
                entry.progress = Progress::InFlight { since: now };
                batch.any_unspooled |= entry.kept != Kept::Spooled;
                batch.items.push(item.clone());
            } else {
                entry.progress = Progress::Loading { since: now };
                batch.to_load.push(seq);
            }
            self.trim_memory(seq);
        }
        batch
    }

    /// An item read back from the spool. Its room in the window was taken when it was asked for.
    /// Returns it for sending, unless it was acked or the link was lost meanwhile.
    pub(super) fn loaded(&mut self, now: Millis, item: Item) -> Option<Item> {
        let entry = self.entries.get_mut(&item.seq)?;
        if !matches!(entry.progress, Progress::Loading { .. }) {
            return None;
        }
        entry.progress = Progress::InFlight { since: now };
        Some(item)
    }

    /// The spool no longer has it, although it was never acked: the promise of the browser's
    /// storage is broken. Returns true when it was known.
    pub(super) fn vanished(&mut self, seq: Seq) -> bool {
        self.remove(seq).is_some()
    }

    /// Everything sent without an answer, or on its way to be sent, waits again.
    pub(super) fn link_lost(&mut self) {
        for (seq, entry) in &mut self.entries {
            match entry.progress {
                Progress::Loading { .. } | Progress::InFlight { .. } => {
                    entry.progress = Progress::Waiting;
                    self.waiting.insert(*seq);
                }
                Progress::Unready | Progress::Waiting | Progress::Refused(_) => {}
            }
        }
        self.in_flight_bytes = 0;
        self.in_flight_items = 0;
    }

    /// The server has these for good. Returns those to delete from the spool.
    pub(super) fn acked(&mut self, seqs: &SeqSet) -> Vec<Seq> {
        let known: Vec<Seq> = seqs
            .ranges()
            .flat_map(|range| {
                self.entries
                    .range(range)
                    .map(|(seq, _)| *seq)
                    .collect::<Vec<_>>()
            })
            .collect();
        known
            .into_iter()
            .filter(|seq| match self.remove(*seq) {
                Some(Kept::Spooled) => true,
                Some(Kept::Writing { .. }) => {
                    self.acked_while_writing.insert(*seq);
                    false
                }
                Some(Kept::MemoryOnly) | None => false,
            })
            .collect()
    }

    pub(super) fn refused(&mut self, seq: Seq, error: ItemError) {
        let Some(entry) = self.entries.get_mut(&seq) else {
            return;
        };
        if matches!(entry.progress, Progress::InFlight { .. }) {
            self.in_flight_bytes -= entry.payload_bytes;
            self.in_flight_items -= 1;
        }
        if error == ItemError::WrongDigest && entry.times_damaged < DAMAGED_RETRIES_MAX {
            entry.times_damaged += 1;
            entry.progress = Progress::Waiting;
            self.waiting.insert(seq);
        } else {
            entry.progress = Progress::Refused(error);
            self.waiting.remove(&seq);
        }
    }

    /// What of the server's `missing` cannot be delivered: not here, or here and refused.
    pub(super) fn undeliverable(&self, missing: &SeqSet) -> SeqSet {
        let mut lost = missing.clone();
        for range in missing.ranges() {
            for (seq, entry) in self.entries.range(range) {
                if !matches!(entry.progress, Progress::Refused(_)) {
                    lost.remove(*seq);
                }
            }
        }
        lost
    }

    /// True when nothing is left that the server could still take.
    pub(super) fn is_settled(&self) -> bool {
        self.entries
            .values()
            .all(|entry| matches!(entry.progress, Progress::Refused(_)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    pub(super) fn in_flight_items(&self) -> usize {
        self.in_flight_items
    }

    /// When the item was sent, or asked back from the spool, that has waited longest.
    pub(super) fn oldest_in_flight(&self) -> Option<Millis> {
        self.entries
            .values()
            .filter_map(|entry| match entry.progress {
                Progress::InFlight { since } | Progress::Loading { since } => Some(since),
                Progress::Unready | Progress::Waiting | Progress::Refused(_) => None,
            })
            .min()
    }

    pub(super) fn status(&self) -> BacklogStatus {
        let mut status = BacklogStatus::default();
        for entry in self.entries.values() {
            status.items += 1;
            status.payload_bytes += entry.payload_bytes as u64;
            status.span = status.span + entry.span;
            status.memory_only_items += u64::from(entry.kept == Kept::MemoryOnly);
            status.refused_items += u64::from(matches!(entry.progress, Progress::Refused(_)));
        }
        status
    }

    fn remove(&mut self, seq: Seq) -> Option<Kept> {
        let entry = self.entries.remove(&seq)?;
        self.waiting.remove(&seq);
        if matches!(
            entry.progress,
            Progress::InFlight { .. } | Progress::Loading { .. }
        ) {
            self.in_flight_bytes -= entry.payload_bytes;
            self.in_flight_items -= 1;
        }
        if entry.item.is_some() {
            self.memory_bytes -= entry.payload_bytes;
        }
        Some(entry.kept)
    }

    /// Drops the copy in memory of a spooled item when memory holds too much.
    fn trim_memory(&mut self, seq: Seq) {
        if self.memory_bytes <= MEMORY_BYTES_MAX {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&seq)
            && entry.kept == Kept::Spooled
            && entry.item.take().is_some()
        {
            self.memory_bytes -= entry.payload_bytes;
        }
    }
}

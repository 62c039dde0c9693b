//! The un-acked items of a session: where each is kept and how far it has come. Knows nothing of
//! the link.

use std::collections::{BTreeMap, BTreeSet};

use super::spooling::Spooling;
use crate::item::ItemError;
use crate::limits::{
    DAMAGED_RETRIES_MAX, ITEM_HEADER_BYTES_MAX, ITEMS_PER_MESSAGE_MAX, MEMORY_BYTES_MAX,
    MESSAGE_ITEM_BYTES_MAX, SPOOL_DEADLINE, counted_bytes,
};
use crate::{Item, Millis, Seq, SeqSet};

/// Where the local copy of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The spool is writing it.
    Writing,
    Spooled,
    /// The spool could not take it: memory is all there is.
    MemoryOnly,
    /// The same, but the spool is trying once more.
    Rewriting,
}

impl Kept {
    const fn is_memory_only(self) -> bool {
        matches!(self, Self::MemoryOnly | Self::Rewriting)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not to be sent yet: the spool has not answered.
    Unready {
        since: Millis,
    },
    Waiting,
    /// Being read back from the spool, to be sent at once.
    Loading {
        since: Millis,
    },
    InFlight {
        since: Millis,
    },
    /// The server will never take it.
    Refused,
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

/// Every item from its capture to its ack. Hours offline make many: whatever is asked often is
/// indexed or counted.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    entries: BTreeMap<Seq, Entry>,
    /// The entries in each kind of progress that is asked for.
    unready: BTreeSet<(Millis, Seq)>,
    waiting: SeqSet,
    asked: BTreeSet<(Millis, Seq)>,
    /// Acked while the spool was still writing them: to be deleted once written.
    acked_while_writing: SeqSet,
    spooling: Spooling,
    /// Entries that the spool does not have yet.
    unspooled_items: usize,
    in_flight_bytes: usize,
    memory_bytes: usize,
    status: BacklogStatus,
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

/// What fits into the window just now.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// To be read back from the spool first.
    pub(super) to_load: Vec<Seq>,
    /// Some of `items` are in memory only.
    pub(super) any_unspooled: bool,
}

/// For as many entries as fit into `bytes_max` with their headers.
fn fits(bytes_max: usize) -> impl FnMut(&&Entry) -> bool {
    let mut bytes = 0;
    move |entry| {
        bytes += entry.payload_bytes + ITEM_HEADER_BYTES_MAX;
        bytes <= bytes_max
    }
}

impl Backlog {
    pub(super) fn captured(&mut self, now: Millis, item: Item, span: Millis) {
        let entry = Entry {
            payload_bytes: item.payload_bytes(),
            span,
            kept: Kept::Writing,
            progress: Progress::Unready { since: now },
            times_damaged: 0,
            item: Some(item.clone()),
        };
        self.memory_bytes += counted_bytes(entry.payload_bytes);
        self.insert(item.seq, entry);
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
        self.insert(seq, entry);
    }

    /// The spool has it on disk. Returns true when it was acked meanwhile and is to be deleted.
    pub(super) fn spooled(&mut self, now: Millis, seq: Seq) -> bool {
        let is_acked = self.acked_while_writing.contains(seq);
        self.acked_while_writing.remove(seq);
        if !is_acked {
            self.keep(seq, Kept::Spooled);
            self.trim_memory(seq);
        }
        self.spooling.succeeded(now, seq);
        is_acked
    }

    /// The spool cannot take it: it stays in memory until it is acked or written after all.
    pub(super) fn not_spooled(&mut self, now: Millis, seq: Seq) {
        self.acked_while_writing.remove(seq);
        self.keep(seq, Kept::MemoryOnly);
        self.spooling.failed(now, seq, self.entries.contains_key(&seq));
    }

    /// What the spool should try to write once more, with the media time that each covers.
    pub(super) fn next_rewrites(&mut self, now: Millis) -> Vec<(Item, Millis)> {
        let mut rewrites = Vec::new();
        while let Some(seq) = self.spooling.next_rewrite(now) {
            let Some(entry) = self.entries.get(&seq) else { continue };
            rewrites.extend(entry.item.clone().map(|item| (item, entry.span)));
            self.keep(seq, Kept::Rewriting);
        }
        rewrites
    }

    pub(super) fn is_spool_failing(&self) -> bool {
        self.spooling.is_failing()
    }

    /// True when the spool has everything that is not acked.
    pub(super) fn is_spooled(&self) -> bool {
        self.unspooled_items == 0 && self.acked_while_writing.is_empty()
    }

    fn keep(&mut self, seq: Seq, kept: Kept) {
        let Some(entry) = self.entries.get_mut(&seq) else {
            return;
        };
        let before = std::mem::replace(&mut entry.kept, kept);
        let unready = matches!(entry.progress, Progress::Unready { .. });
        self.status.memory_only_items += u64::from(kept.is_memory_only());
        self.status.memory_only_items -= u64::from(before.is_memory_only());
        self.unspooled_items += usize::from(kept != Kept::Spooled);
        self.unspooled_items -= usize::from(before != Kept::Spooled);
        if unready {
            self.advance(seq, Progress::Waiting);
        }
    }

    /// Lets items go whose spool does not answer. Their later `spooled` still counts.
    pub(super) fn spool_overdue(&mut self, now: Millis) {
        while let Some((since, seq)) = self.unready.first().copied()
            && now >= since + SPOOL_DEADLINE
        {
            self.spooling.overdue(now);
            self.advance(seq, Progress::Waiting);
        }
    }

    pub(super) fn spool_deadline(&self) -> Option<Millis> {
        let answer = self.unready.first().map(|(since, _)| *since + SPOOL_DEADLINE);
        [answer, self.spooling.deadline()].into_iter().flatten().min()
    }

    /// The next items to send in seq order: at most `items_max` of them, as they fit into what is free
    /// of the window and into one message.
    pub(super) fn next_batch(&mut self, now: Millis, bytes_free: usize, items_max: usize) -> Batch {
        let mut batch = Batch::default();
        let (mut window_bytes, mut message_bytes) = (0, 0);
        while let Some(seq) = self.waiting.first()
            && let Some(entry) = self.entries.get(&seq)
        {
            window_bytes += counted_bytes(entry.payload_bytes);
            message_bytes += entry.payload_bytes + ITEM_HEADER_BYTES_MAX;
            if window_bytes > bytes_free
                || message_bytes > MESSAGE_ITEM_BYTES_MAX
                || batch.items.len() + batch.to_load.len() >= items_max
            {
                break;
            }
            if let Some(item) = &entry.item {
                batch.any_unspooled |= entry.kept != Kept::Spooled;
                batch.items.push(item.clone());
                self.advance(seq, Progress::InFlight { since: now });
            } else {
                batch.to_load.push(seq);
                self.advance(seq, Progress::Loading { since: now });
            }
            self.trim_memory(seq);
        }
        batch
    }

    /// Un-acked items of which a copy is in memory, newest last: the newest that fit into
    /// `bytes_max` with their headers, and into one message. The others stay un-acked, in the spool.
    pub(super) fn at_hand(&self, bytes_max: usize) -> Vec<Item> {
        let entries = self
            .entries
            .values()
            .rev()
            .filter(|entry| entry.item.is_some() && entry.progress != Progress::Refused);
        let mut items: Vec<Item> = entries
            .take_while(fits(bytes_max))
            .take(ITEMS_PER_MESSAGE_MAX)
            .filter_map(|entry| entry.item.clone())
            .collect();
        items.reverse();
        items
    }

    /// Un-acked items that the spool is not known to have, with the media time that each covers: the
    /// oldest that fit into `bytes_max` with their headers. Of the others the next page may find
    /// nothing; then it tells the server that they are lost.
    pub(super) fn unspooled(&self, bytes_max: usize) -> Vec<(Item, Millis)> {
        let entries = self.entries.values().filter(|entry| entry.kept != Kept::Spooled);
        entries
            .take_while(fits(bytes_max))
            .filter_map(|entry| Some((entry.item.clone()?, entry.span)))
            .collect()
    }

    /// An item read back from the spool. Its room in the window was taken when it was asked for.
    /// Returns it for sending, unless it was acked or the link was lost meanwhile.
    pub(super) fn loaded(&mut self, now: Millis, item: Item) -> Option<Item> {
        let entry = self.entries.get(&item.seq)?;
        if !matches!(entry.progress, Progress::Loading { .. }) {
            return None;
        }
        self.advance(item.seq, Progress::InFlight { since: now });
        Some(item)
    }

    /// The spool no longer has it, although it was never acked: the promise of the browser's
    /// storage is broken. Returns true when it was known.
    pub(super) fn vanished(&mut self, seq: Seq) -> bool {
        self.remove(seq).is_some()
    }

    /// Everything sent without an answer, or on its way to be sent, waits again.
    pub(super) fn link_lost(&mut self) {
        while let Some((_, seq)) = self.asked.first().copied() {
            self.advance(seq, Progress::Waiting);
        }
    }

    /// The server has these for good. Returns those to delete from the spool.
    pub(super) fn acked(&mut self, seqs: &SeqSet) -> Vec<Seq> {
        let mut known = Vec::new();
        for range in seqs.ranges() {
            known.extend(self.entries.range(range).map(|(seq, _)| *seq));
        }
        known.retain(|seq| match self.remove(*seq) {
            Some(Kept::Spooled) => true,
            Some(Kept::Writing | Kept::Rewriting) => {
                self.acked_while_writing.insert(*seq);
                false
            }
            Some(Kept::MemoryOnly) | None => false,
        });
        known
    }

    /// An answer that comes late, to a copy of an item that has moved on since, changes nothing.
    pub(super) fn refused(&mut self, seq: Seq, error: ItemError) {
        let Some(entry) = self.entries.get_mut(&seq) else {
            return;
        };
        if error == ItemError::WrongDigest && entry.times_damaged < DAMAGED_RETRIES_MAX {
            if matches!(entry.progress, Progress::InFlight { .. }) {
                entry.times_damaged += 1;
                self.advance(seq, Progress::Waiting);
            }
        } else {
            self.advance(seq, Progress::Refused);
        }
    }

    /// What of the server's `missing` cannot be delivered: not here, or here and refused.
    pub(super) fn undeliverable(&self, missing: &SeqSet) -> SeqSet {
        let mut lost = missing.clone();
        for range in missing.ranges() {
            for (seq, entry) in self.entries.range(range) {
                if entry.progress != Progress::Refused {
                    lost.remove(*seq);
                }
            }
        }
        lost
    }

    /// True when nothing is left that the server could still take.
    pub(super) fn is_settled(&self) -> bool {
        self.status.items == self.status.refused_items
    }

    /// True when the spool has every item.
    pub(super) fn is_kept(&self) -> bool {
        self.entries.values().all(|entry| entry.kept == Kept::Spooled)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes sent, or being read back to be sent, headers counted.
    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    pub(super) fn in_flight_items(&self) -> usize {
        self.asked.len()
    }

    /// When the item was sent, or asked back from the spool, that has waited longest.
    pub(super) fn oldest_in_flight(&self) -> Option<Millis> {
        self.asked.first().map(|(since, _)| *since)
    }

    pub(super) fn status(&self) -> BacklogStatus {
        self.status
    }

    fn insert(&mut self, seq: Seq, entry: Entry) {
        self.status.items += 1;
        self.status.payload_bytes += entry.payload_bytes as u64;
        self.status.span = self.status.span + entry.span;
        self.unspooled_items += usize::from(entry.kept != Kept::Spooled);
        let (progress, payload_bytes) = (entry.progress, entry.payload_bytes);
        self.entries.insert(seq, entry);
        self.enter(seq, progress, payload_bytes);
    }

    fn remove(&mut self, seq: Seq) -> Option<Kept> {
        let entry = self.entries.remove(&seq)?;
        self.leave(seq, entry.progress, entry.payload_bytes);
        self.status.items -= 1;
        self.status.payload_bytes -= entry.payload_bytes as u64;
        self.status.span = self.status.span - entry.span;
        self.status.memory_only_items -= u64::from(entry.kept.is_memory_only());
        self.unspooled_items -= usize::from(entry.kept != Kept::Spooled);
        self.spooling.settled(seq);
        if entry.item.is_some() {
            self.memory_bytes -= counted_bytes(entry.payload_bytes);
        }
        Some(entry.kept)
    }

    /// The only place where an entry's progress changes, so that the indexes stay true.
    fn advance(&mut self, seq: Seq, progress: Progress) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            let before = std::mem::replace(&mut entry.progress, progress);
            let payload_bytes = entry.payload_bytes;
            self.leave(seq, before, payload_bytes);
            self.enter(seq, progress, payload_bytes);
        }
    }

    fn enter(&mut self, seq: Seq, progress: Progress, payload_bytes: usize) {
        match progress {
            Progress::Unready { since } => {
                self.unready.insert((since, seq));
            }
            Progress::Waiting => {
                self.waiting.insert(seq);
            }
            Progress::Loading { since } | Progress::InFlight { since } => {
                self.asked.insert((since, seq));
                self.in_flight_bytes += counted_bytes(payload_bytes);
            }
            Progress::Refused => self.status.refused_items += 1,
        }
    }

    fn leave(&mut self, seq: Seq, progress: Progress, payload_bytes: usize) {
        match progress {
            Progress::Unready { since } => {
                self.unready.remove(&(since, seq));
            }
            Progress::Waiting => {
                self.waiting.remove(seq);
            }
            Progress::Loading { since } | Progress::InFlight { since } => {
                self.asked.remove(&(since, seq));
                self.in_flight_bytes -= counted_bytes(payload_bytes);
            }
            Progress::Refused => self.status.refused_items -= 1,
        }
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
            self.memory_bytes -= counted_bytes(entry.payload_bytes);
        }
    }
}

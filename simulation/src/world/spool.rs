//! The browser's disk: operations take effect one after another, in the order in which they were
//! asked for, and what was asked for when the page dies may or may not.

use std::collections::{BTreeMap, VecDeque};

use protocol::sender::SessionRecord;
use protocol::{Digest, Item, Millis, SegmentNo, Seq};

use super::event::Event;
use super::page::PageNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::drive::Drive;
use crate::faults::FaultKind;

#[derive(Default)]
pub(super) struct Spool {
    pub(super) record: Option<SessionRecord>,
    pub(super) items: BTreeMap<Seq, (Item, Millis)>,
    /// Written at once, unlike all else.
    pub(super) noted: Option<(Seq, SegmentNo)>,
    /// What the page that was left had not in the spool yet; written at once, too.
    pub(super) stash: Option<Stash>,
    pub(super) is_full: bool,
    queue: VecDeque<Operation>,
    operations: u64,
    busy_until: Millis,
}

pub(super) struct Stash {
    record: SessionRecord,
    items: Vec<(Item, Millis)>,
}

struct Operation {
    number: u64,
    page: PageNo,
    what: Request,
}

#[derive(Debug, Clone)]
pub(super) enum Request {
    Remember(SessionRecord),
    Put { item: Item, span: Millis, record: SessionRecord },
    Forget { seqs: Vec<Seq>, record: SessionRecord },
    Load(Vec<Seq>),
    Erase,
}

/// What the page hears of it.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Spooled(Seq),
    Failed(Seq),
    Loaded(Vec<(Seq, Option<Item>)>),
}

impl<D: Drive> World<D> {
    pub(super) fn ask_spool(&mut self, page: PageNo, what: Request) {
        let mut takes = self.dice.millis(self.now, Purpose::Spool, 1, 30);
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::SlowSpool, 60) {
            takes = roll.millis(1_000, 9_000);
        }
        let spool = &mut self.spool;
        spool.operations += 1;
        let number = spool.operations;
        spool.busy_until = spool.busy_until.max(self.now) + takes;
        let at = spool.busy_until;
        spool.queue.push_back(Operation { number, page, what });
        self.schedule_at(at, Event::SpoolDone { operation: number });
    }

    pub(super) fn spool_done(&mut self, operation: u64) {
        // It may have been decided already by the end of its page.
        if self.spool.queue.front().is_some_and(|oldest| oldest.number == operation)
            && let Some(oldest) = self.spool.queue.pop_front()
        {
            let page = oldest.page;
            if let Some(answer) = self.take_effect(oldest.what) {
                self.schedule(Millis::ZERO, Event::SpoolSays { page, answer });
            }
        }
    }

    pub(super) fn spool_says(&mut self, page: PageNo, answer: Answer) {
        match answer {
            Answer::Spooled(seq) => {
                if let Some(page) = self.pages.get_mut(&page) {
                    page.unspooled.remove(&seq);
                }
                self.with_sender(page, |sender, now| sender.handle_spooled(now, seq));
            }
            Answer::Failed(seq) => {
                self.with_sender(page, |sender, now| sender.handle_spool_failed(now, seq));
            }
            Answer::Loaded(items) => {
                for (seq, item) in items {
                    self.with_sender(page, |sender, now| match item {
                        Some(item) => sender.handle_loaded(now, item),
                        None => sender.handle_vanished(now, seq),
                    });
                }
            }
        }
    }

    /// The page is gone: so many of what it asked for still take effect, the rest never does.
    pub(super) fn decide_spool(&mut self, take_effect: usize) {
        for (index, operation) in std::mem::take(&mut self.spool.queue).into_iter().enumerate() {
            if index < take_effect {
                self.take_effect(operation.what);
            }
        }
        self.spool.busy_until = self.now;
    }

    pub(super) fn spool_queue_len(&self) -> usize {
        self.spool.queue.len()
    }

    fn take_effect(&mut self, what: Request) -> Option<Answer> {
        match what {
            Request::Remember(record) => {
                self.spool.record = Some(record);
                None
            }
            Request::Put { item, span, record } => {
                let seq = item.seq;
                // A full disk still takes a record in the place of one of the same size.
                if self.spool.is_full {
                    return Some(Answer::Failed(seq));
                }
                self.model.spooled(&self.spool, &self.disk.known, &item);
                self.spool.items.insert(seq, (item, span));
                self.spool.record = Some(record);
                Some(Answer::Spooled(seq))
            }
            Request::Forget { seqs, record } => {
                for seq in seqs {
                    self.delete_from_spool(seq);
                }
                self.spool.record = Some(record);
                None
            }
            Request::Load(seqs) => {
                let found = |seq: Seq| self.spool.items.get(&seq).map(|(item, _)| item.clone());
                Some(Answer::Loaded(seqs.into_iter().map(|seq| (seq, found(seq))).collect()))
            }
            Request::Erase => {
                for seq in self.spool.items.keys().copied().collect::<Vec<_>>() {
                    self.delete_from_spool(seq);
                }
                self.spool.record = None;
                self.spool.stash = None;
                None
            }
        }
    }

    /// Written at once, if the browser has room for it.
    pub(super) fn stash(&mut self, record: SessionRecord, items: Vec<(Item, Millis)>) {
        if self.dice.roll(self.now, Purpose::Spool).once_in(8) {
            return;
        }
        for (item, _) in &items {
            self.model.spooled(&self.spool, &self.disk.known, item);
        }
        self.spool.stash = Some(Stash { record, items }).filter(|stash| !stash.items.is_empty());
    }

    /// What a page does first.
    pub(super) fn move_stash(&mut self) {
        let Some(Stash { record, items }) = self.spool.stash.take() else { return };
        if self.breakage == Some(Breakage::ForgetStash) || self.spool.record.is_none() {
            return;
        }
        for (item, span) in items {
            self.spool.items.insert(item.seq, (item, span));
        }
        self.spool.record = Some(record);
    }

    /// Those of the stash that are not in the spool.
    pub(super) fn is_stashed(&self, seq: Seq, digest: &Digest) -> bool {
        let stashed = self.spool.stash.iter().flat_map(|stash| &stash.items);
        stashed.into_iter().any(|(item, _)| item.seq == seq && item.digest == *digest)
    }

    pub(super) fn delete_from_spool(&mut self, seq: Seq) {
        if let Some((item, _)) = self.spool.items.remove(&seq) {
            self.model.deleted(&self.disk.known, &item);
        }
    }
}

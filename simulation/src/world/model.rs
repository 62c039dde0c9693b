//! The reference: what was captured, where each item must be by the promise, and whether it is. Told
//! of every change; looked at after every step.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::Work;
use protocol::item::ItemError;
use protocol::message::Refusal;
use protocol::receiver::Verdict;
use protocol::sender::{FinishStatus, LinkStatus, Sender};
use protocol::tail::TailHeader;
use protocol::{Digest, Epoch, Item, Seq, SeqSet, ServerMessage, SessionStatus};

use super::World;
use super::disk::Known;
use super::page::PageNo;
use super::segments::Segments;
use super::spool::Spool;
use crate::drive::Drive;

#[derive(Default)]
pub(super) struct Model {
    broken: Option<String>,
    /// Everything that was ever captured, by content.
    captured: BTreeMap<[u8; 32], Captured>,
    /// The content that was given a number last.
    given: BTreeMap<Seq, Digest>,
    segments: Segments,
    /// The content that left the page under a number, whether it arrived or not.
    left: BTreeMap<Seq, Digest>,
    /// On the browser's disk, and not yet on the server's.
    at_risk: BTreeMap<Seq, Digest>,
    /// What the ledger stored first under a number.
    first: BTreeMap<Seq, Digest>,
    epoch: Epoch,
    /// The candidate wants nothing of it any more.
    pub(super) discard_asked: bool,
}

struct Captured {
    seq: Seq,
    page: PageNo,
    was_spooled: bool,
    died: bool,
}

impl Model {
    pub(super) fn broken(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// An item got its number.
    pub(super) fn given(&mut self, page: PageNo, item: &Item) {
        let Item { seq, digest, .. } = item;
        if self.left.get(seq).is_some_and(|left| left != digest) {
            self.broken(format!("{seq} was given again after something had left under it"));
        }
        if let Some(before) = self.given.insert(*seq, *digest).filter(|before| before != digest)
            && self.captured.get(before.as_bytes()).is_some_and(|one| !one.died || one.was_spooled)
        {
            self.broken(format!("{seq} was given to two items"));
        }
        match self.segments.given(item) {
            Ok(Some(before)) if self.is_anywhere(&before) => {
                self.broken(format!("{seq} begins a segment that had begun before"));
            }
            Ok(_) => {}
            Err(broken) => self.broken(broken),
        }
        let captured = Captured { seq: *seq, page, was_spooled: false, died: false };
        self.captured.entry(*digest.as_bytes()).or_insert(captured);
    }

    /// It did not die with its page.
    fn is_anywhere(&self, digest: &Digest) -> bool {
        self.captured.get(digest.as_bytes()).is_some_and(|one| {
            !one.died || one.was_spooled || self.left.get(&one.seq) == Some(digest)
        })
    }

    pub(super) fn left_page(&mut self, item: &Item) {
        self.left.insert(item.seq, item.digest);
    }

    /// The server must make of a tail what the page would have made.
    pub(super) fn tail(&mut self, page: PageNo, header: &TailHeader, chunk: &Bytes) {
        for item in header.seal(chunk.clone()) {
            self.given(page, &item);
            self.left_page(&item);
        }
    }

    pub(super) fn spooled(&mut self, spool: &Spool, known: &Known, item: &Item) {
        let Item { seq, digest, .. } = item;
        let overwritten = spool.items.get(seq).is_some_and(|(there, _)| there.digest != *digest);
        if overwritten && self.at_risk.contains_key(seq) {
            self.broken(format!("{seq} was replaced in the spool"));
        }
        if let Some(captured) = self.captured.get_mut(digest.as_bytes()) {
            captured.was_spooled = true;
        }
        if !is_durable(known, *seq, digest) {
            self.at_risk.insert(*seq, *digest);
        }
    }

    pub(super) fn deleted(&mut self, known: &Known, item: &Item) {
        let discarded = known.status() == Some(SessionStatus::Discarded);
        if !discarded && !is_durable(known, item.seq, &item.digest) {
            self.broken(format!("{} was deleted and is not durable", item.seq));
        }
    }

    pub(super) fn page_died(&mut self, page: PageNo) {
        for captured in self.captured.values_mut().filter(|one| one.page == page) {
            captured.died = true;
        }
    }

    /// The ledger has judged items, of a writer of an epoch or of a tail.
    pub(super) fn stored(
        &mut self,
        known: &Known,
        epoch: Option<Epoch>,
        items: &[Item],
        verdicts: &[(Seq, Verdict)],
    ) {
        if epoch.is_some_and(|epoch| epoch != known.epoch()) {
            self.broken(format!("epoch {epoch:?} stored items beside {}", known.epoch()));
        }
        for (item, (seq, verdict)) in items.iter().zip(verdicts) {
            match verdict {
                Verdict::Stored if !self.captured.contains_key(item.digest.as_bytes()) => {
                    self.broken(format!("{seq} is stored, and was never captured so"));
                }
                Verdict::Refused(ItemError::SessionFinished)
                    if known.status() == Some(SessionStatus::Discarded) => {}
                // Only what nobody captured may meet another item under its number.
                Verdict::Refused(error) if self.captured.contains_key(item.digest.as_bytes()) => {
                    self.broken(format!("{seq} was captured and refused: {error}"));
                }
                Verdict::Stored | Verdict::Duplicate | Verdict::Refused(_) => {}
            }
            if let Some(stored) = known.items.get(seq) {
                let first = *self.first.entry(*seq).or_insert(*stored);
                if first != *stored {
                    self.broken(format!("{seq} is no longer what was stored first"));
                }
                if self.at_risk.get(seq) == Some(stored) {
                    self.at_risk.remove(seq);
                }
            }
        }
    }

    /// The server lets something go out.
    pub(super) fn said(&mut self, known: &Known, message: &ServerMessage) {
        let not_durable = told_durable(message)
            .and_then(|seqs| each(seqs).find(|seq| !known.items.contains_key(seq)));
        if let Some(seq) = not_durable {
            self.broken(format!("{seq} was acked and is not durable"));
        }
    }

    pub(super) fn window_over(&mut self, has_live_writer: bool) {
        if has_live_writer {
            self.broken("the session was finished over the head of its writer".into());
        }
    }

    pub(super) fn completed(&mut self, known: &Known) {
        if !holds_everything(known) {
            self.broken("completed with a recording that does not hold every item".into());
        }
        let declared = known.declared.as_ref().map(|finish| &finish.lost);
        let unknown = match declared {
            Some(lost) => known.missing().difference(lost),
            None => SeqSet::new(),
        };
        if !unknown.is_empty() {
            self.broken(format!("completed without {unknown:?}, of which the page knows nothing"));
        }
    }

    pub(super) fn payloads_dropped(&mut self, known: &Known) {
        let completed = known.status() == Some(SessionStatus::Completed);
        if !completed || !holds_everything(known) {
            self.broken("payloads were dropped before the recording was durable".into());
        }
    }
}

/// Everything but what came late.
fn holds_everything(known: &Known) -> bool {
    known.recording.as_ref().is_some_and(|held| known.in_time().difference(held).is_empty())
}

fn is_durable(known: &Known, seq: Seq, digest: &Digest) -> bool {
    known.items.get(&seq).is_some_and(|stored| stored == digest)
}

/// Every seq of a set.
fn each(seqs: &SeqSet) -> impl Iterator<Item = Seq> + '_ {
    seqs.ranges().flat_map(|range| (range.start().get()..=range.end().get()).map(Seq::new))
}

/// Something said to the page that lets it delete.
fn told_durable(message: &ServerMessage) -> Option<&SeqSet> {
    match message {
        ServerMessage::Ack { seqs, .. } => Some(seqs),
        ServerMessage::Welcome(welcome) => Some(&welcome.have),
        ServerMessage::Refused(_)
        | ServerMessage::HeartbeatAck
        | ServerMessage::Missing(_)
        | ServerMessage::Finalizing
        | ServerMessage::Completed(_)
        | ServerMessage::Failed(_)
        | ServerMessage::Discarded
        | ServerMessage::Goodbye(_) => None,
    }
}

impl<D: Drive> World<D> {
    /// What must hold after every step.
    pub(super) fn check_step(&mut self) -> Result<(), String> {
        if let Some(broken) = self.model.broken.take() {
            return Err(broken);
        }
        if self.disk.known.epoch() < self.model.epoch {
            return Err("the epoch went back".into());
        }
        self.model.epoch = self.disk.known.epoch();
        if self.disk.known.status() == Some(SessionStatus::Discarded) {
            self.model.at_risk.clear();
        }
        for (seq, digest) in &self.model.at_risk {
            let spooled = self.spool.items.get(seq).is_some_and(|(item, _)| item.digest == *digest);
            if !spooled && !self.is_stashed(*seq, digest) {
                return Err(format!("{seq} was on the browser's disk and is nowhere"));
            }
        }
        for page in self.pages.values() {
            if let Some(LinkStatus::Stopped(refusal)) = page.link_status()
                && refusal != Refusal::Discarded
            {
                return Err(format!("the page was turned away for good: {refusal}"));
            }
        }
        Ok(())
    }

    /// What must hold once the candidate has been told the end.
    pub(super) fn check_done(&self) -> Result<(), String> {
        if self.disk.known.status() == Some(SessionStatus::Discarded) {
            return Ok(());
        }
        if self.disk.known.status() != Some(SessionStatus::Completed) {
            return Err(format!(
                "the page was told an end, and it is {:?}",
                self.disk.known.status()
            ));
        }
        // Too late to discard: what was not sent by then stays where it is.
        if self.model.discard_asked {
            return Ok(());
        }
        if self.breakage.is_none() && self.disk.stored() != self.disk.known.items {
            return Err("what is stored is not what was said to be".into());
        }
        for (digest, captured) in &self.model.captured {
            let Captured { seq, was_spooled, died, .. } = captured;
            let excused = *died && !*was_spooled;
            if !is_durable(&self.disk.known, *seq, &Digest::from_bytes(*digest)) && !excused {
                return Err(format!("{seq} was captured and is nowhere"));
            }
        }
        self.check_files()?;
        self.check_receipt()
    }

    /// What was acked is in the recording or in the supplement, or will be.
    fn check_files(&self) -> Result<(), String> {
        let known = &self.disk.known;
        if !holds_everything(known) {
            return Err("the recording does not hold every item that came in time".into());
        }
        let waiting = known.late().difference(&known.supplement);
        if !waiting.is_empty() && !self.disk.is_due(Work::Supplement) {
            return Err(format!("{waiting:?} came late, and is in no supplement"));
        }
        Ok(())
    }

    fn check_receipt(&self) -> Result<(), String> {
        for page in self.pages.values() {
            let FinishStatus::Completed(receipt) = page.finish_status() else { continue };
            if !page.microphones.is_empty() {
                return Err("completed with a microphone that is still open".into());
            }
            let unknown = self.disk.known.missing().difference(&receipt.missing);
            if !unknown.is_empty() {
                return Err(format!("the receipt does not tell of {unknown:?}"));
            }
            let backlog = page.sender().map(Sender::backlog_status).unwrap_or_default();
            if backlog.items > backlog.refused_items {
                return Err(format!("completed with {} items left to send", backlog.items));
            }
        }
        Ok(())
    }
}

//! What survives in the server whatever happens to its processes: sessions, items, recordings.
//! Every method is one transaction.

use std::collections::BTreeMap;

use protocol::item::ItemError;
use protocol::message::{Finish, Hello, Opening, Refusal};
use protocol::receiver::Verdict;
use protocol::{
    Digest, Epoch, Item, Millis, Seq, SeqSet, SessionEvent, SessionStatus, TokenHash, UnixMillis,
};

use crate::breakage::Breakage;
use crate::faults::{FaultKind, Faults};

pub(super) struct Stored {
    pub(super) digest: Digest,
    pub(super) has_payload: bool,
}

pub(super) struct Ledger {
    /// `None` until the session is known.
    pub(super) status: Option<SessionStatus>,
    token: Option<TokenHash>,
    pub(super) epoch: Epoch,
    pub(super) deadline: Option<UnixMillis>,
    heard_at: UnixMillis,
    /// By the world's clock.
    pub(super) interrupted_at: Millis,
    pub(super) items: BTreeMap<Seq, Stored>,
    last_seq: Option<Seq>,
    /// What the writer said when it finished.
    pub(super) declared: Option<Finish>,
    /// What the recording that is there now was made of.
    pub(super) recording: Option<SeqSet>,
    pub(super) disk_full: bool,
    pub(super) grace: Millis,
    pub(super) resume_window: Millis,
}

/// The disk takes nothing: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskFull;

/// What became of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Appended {
    Judged(Vec<(Seq, Verdict)>),
    Fenced,
}

impl Ledger {
    pub(super) fn new(faults: &mut Faults) -> Self {
        let mut span = |kind, from, to, usual| {
            faults.strikes(Millis::ZERO, kind, 1).map_or(usual, |mut roll| roll.millis(from, to))
        };
        Self {
            grace: span(FaultKind::ShortGrace, 500, 6_000, Millis::from_secs(30)),
            resume_window: span(FaultKind::ShortWindow, 1_000, 15_000, Millis::from_secs(86_400)),
            status: None,
            token: None,
            epoch: Epoch::new(0),
            deadline: None,
            heard_at: UnixMillis::new(0),
            interrupted_at: Millis::ZERO,
            items: BTreeMap::new(),
            last_seq: None,
            declared: None,
            recording: None,
            disk_full: false,
        }
    }

    fn writable(&self) -> Result<(), DiskFull> {
        if self.disk_full { Err(DiskFull) } else { Ok(()) }
    }

    pub(super) fn have(&self) -> SeqSet {
        self.items.keys().copied().collect()
    }

    pub(super) fn open(
        &mut self,
        hello: &Hello,
        now: UnixMillis,
    ) -> Result<(Epoch, SessionStatus), Refusal> {
        self.writable().map_err(|DiskFull| Refusal::DiskFull)?;
        let token = *self.token.get_or_insert(hello.token.hash());
        let status = match (self.status, hello.opening) {
            (Some(status), _) => status,
            (None, Opening::New { .. }) => SessionStatus::Active,
            (None, _) => return Err(Refusal::UnknownSession),
        };
        if token != hello.token.hash() {
            return Err(Refusal::WrongToken);
        }
        if status == SessionStatus::Discarded {
            return Err(Refusal::Discarded);
        }
        self.epoch = hello.opening.epoch_after(self.epoch)?;
        let status = status.after(SessionEvent::WriterConnected).unwrap_or(status);
        self.status = Some(status);
        self.heard_at = now;
        if status == SessionStatus::Active {
            self.deadline = None;
        }
        Ok((self.epoch, status))
    }

    pub(super) fn append(
        &mut self,
        epoch: Epoch,
        items: &[Item],
        breakage: Option<Breakage>,
    ) -> Result<Appended, DiskFull> {
        self.writable()?;
        if epoch != self.epoch && breakage != Some(Breakage::ForgetEpoch) {
            return Ok(Appended::Fenced);
        }
        Ok(Appended::Judged(self.judge(items, breakage)))
    }

    /// A tail needs no epoch.
    pub(super) fn append_tail(&mut self, items: &[Item]) -> Result<Vec<(Seq, Verdict)>, DiskFull> {
        self.writable()?;
        Ok(self.judge(items, None))
    }

    fn judge(&mut self, items: &[Item], breakage: Option<Breakage>) -> Vec<(Seq, Verdict)> {
        let takes_items = self.status.is_some_and(SessionStatus::takes_items);
        let mut verdicts = Vec::with_capacity(items.len());
        for item in items {
            let verdict = match self.items.get(&item.seq) {
                Some(stored) => Verdict::of_second(&stored.digest, &item.digest),
                None if takes_items => Verdict::Stored,
                None => Verdict::Refused(ItemError::SessionFinished),
            };
            let replaces = breakage == Some(Breakage::StoreSecondDigest)
                && verdict == Verdict::Refused(ItemError::DigestConflict);
            if verdict == Verdict::Stored || replaces {
                let stored = Stored { digest: item.digest, has_payload: true };
                self.items.insert(item.seq, stored);
            }
            verdicts.push((item.seq, verdict));
        }
        verdicts
    }

    /// A sign of life of the writer, whose session may have been taken for interrupted.
    pub(super) fn heartbeat(&mut self, epoch: Epoch, now: UnixMillis, breakage: Option<Breakage>) {
        if epoch != self.epoch {
            return;
        }
        self.heard_at = now;
        if breakage == Some(Breakage::IgnoreHeartbeat) {
            return;
        }
        if let Some(Ok(status)) = self.status.map(|one| one.after(SessionEvent::WriterConnected)) {
            (self.status, self.deadline) = (Some(status), None);
        }
    }

    pub(super) fn connection_lost(&mut self, epoch: Epoch, wall: UnixMillis, now: Millis) {
        if !self.disk_full && epoch == self.epoch {
            self.interrupt(wall, now);
        }
    }

    /// `None`: whenever it was heard of.
    pub(super) fn interrupt_silent(
        &mut self,
        silent_for: Option<Millis>,
        wall: UnixMillis,
        now: Millis,
    ) {
        let silent = silent_for.is_none_or(|span| wall.since(self.heard_at) >= span);
        if !self.disk_full && silent {
            self.interrupt(wall, now);
        }
    }

    fn interrupt(&mut self, wall: UnixMillis, now: Millis) {
        if self.status == Some(SessionStatus::Active) {
            self.status = Some(SessionStatus::Interrupted);
            self.deadline = Some(wall.plus(self.grace));
            self.interrupted_at = now;
        }
    }

    /// What the deadlines that have passed lead to; the new status if there is one.
    pub(super) fn check_deadline(&mut self, now: UnixMillis) -> Option<SessionStatus> {
        if self.disk_full || self.deadline.is_none_or(|deadline| deadline > now) {
            return None;
        }
        let (event, deadline) = match self.status? {
            SessionStatus::Interrupted => {
                (SessionEvent::GraceOver, Some(now.plus(self.resume_window)))
            }
            SessionStatus::Incomplete => (SessionEvent::FinishAsked, None),
            SessionStatus::Active
            | SessionStatus::Finalizing
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => return None,
        };
        self.status = Some(self.status?.after(event).ok()?);
        self.deadline = deadline;
        self.status
    }

    /// What is missing before the session can be finished, or that it is finished from here on.
    pub(super) fn finish(
        &mut self,
        finish: &Finish,
        breakage: Option<Breakage>,
    ) -> Result<Result<(), SeqSet>, DiskFull> {
        let have = self.have();
        let missing = finish.last_seq.map(|last| have.missing_up_to(last).difference(&finish.lost));
        if let Some(missing) = missing.filter(|missing| !missing.is_empty())
            && breakage != Some(Breakage::FinishUnchecked)
        {
            return Ok(Err(missing));
        }
        self.writable()?;
        if let Some(Ok(status)) = self.status.map(|one| one.after(SessionEvent::FinishAsked)) {
            self.status = Some(status);
            self.deadline = None;
            self.last_seq = finish.last_seq.or(self.last_seq);
            self.declared = Some(finish.clone());
        }
        Ok(Ok(()))
    }

    /// Throws the session away, if it is not finished.
    pub(super) fn discard(&mut self) -> Result<bool, DiskFull> {
        self.writable()?;
        let Some(Ok(status)) = self.status.map(|one| one.after(SessionEvent::Discarded)) else {
            return Ok(false);
        };
        (self.status, self.deadline, self.recording) = (Some(status), None, None);
        self.items.values_mut().for_each(|item| item.has_payload = false);
        Ok(true)
    }

    /// What was captured and never arrived, as the receipt says it.
    pub(super) fn missing(&self) -> SeqSet {
        self.last_seq.map(|last| self.have().missing_up_to(last)).unwrap_or_default()
    }
}

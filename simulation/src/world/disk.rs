//! The ledger on the servers' disk, and what the world knows of it. Whatever happens to processes, it
//! stays. All rules are the ledger's own; here they are only broken, where a run wants to see that
//! noticed.

use std::collections::BTreeMap;

use ledger::jobs::{JobEnd, JobState, Worker};
use ledger::rules::Policy;
use ledger::{
    Append, Appended, Applied, By, Command, JobKey, JobKind, Ledger as _, Refused, Session, Work,
};
use protocol::event::Transport;
use protocol::item::ItemError;
use protocol::message::{Finish, Hello};
use protocol::receiver::Verdict;
use protocol::{
    Digest, Epoch, Item, Millis, Seq, SeqSet, SessionId, SessionStatus, TokenHash, UnixMillis,
};

use crate::breakage::Breakage;
use crate::drive::Drive;
use crate::faults::{FaultKind, Faults};

/// Sessions that one look finds: there is only one.
const FOUND_MAX: usize = 10;

/// What the world knows of the ledger after each change.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) session: Option<Session>,
    /// What is stored under each number.
    pub(super) items: BTreeMap<Seq, Digest>,
    /// What the writer said when it finished.
    pub(super) declared: Option<Finish>,
    /// What the recording that is there now was made of.
    pub(super) recording: Option<SeqSet>,
    /// What the supplement that is there now was made of.
    pub(super) supplement: SeqSet,
    pub(super) payloads_dropped: bool,
    /// By the world's clock.
    pub(super) interrupted_at: Millis,
}

pub(super) struct Disk<D> {
    drive: D,
    id: SessionId,
    pub(super) known: Known,
    pub(super) is_full: bool,
    breakage: Option<Breakage>,
}

/// The disk takes nothing: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskFull;

type OnDisk<T> = Result<Result<T, Refused>, DiskFull>;

impl Known {
    pub(super) fn status(&self) -> Option<SessionStatus> {
        self.session.as_ref().map(|session| session.status)
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.session.as_ref().map(|session| session.epoch).unwrap_or_default()
    }

    pub(super) fn have(&self) -> SeqSet {
        self.items.keys().copied().collect()
    }

    /// What of that came when the recording was being made, or was there.
    pub(super) fn late(&self) -> SeqSet {
        self.session.as_ref().map(|session| session.late.clone()).unwrap_or_default()
    }

    /// What the recording has to hold.
    pub(super) fn in_time(&self) -> SeqSet {
        self.have().difference(&self.late())
    }

    /// What was captured and never arrived, as the receipt says it.
    pub(super) fn missing(&self) -> SeqSet {
        let last = self.session.as_ref().and_then(|session| session.last_seq);
        last.map(|last| self.have().missing_up_to(last)).unwrap_or_default()
    }
}

/// How long what lasts in one run.
pub(super) fn policy(faults: &mut Faults) -> Policy {
    let mut span = |kind, from, to, usual| {
        faults.strikes(Millis::ZERO, kind, 1).map_or(usual, |mut roll| roll.millis(from, to))
    };
    Policy {
        grace: span(FaultKind::ShortGrace, 500, 6_000, Millis::from_secs(30)),
        resume_window: span(FaultKind::ShortWindow, 1_000, 15_000, Millis::from_secs(86_400)),
        discarded_kept: Millis::from_secs(86_400),
        failed_kept: Millis::from_secs(86_400),
        session_bytes_max: u64::MAX,
        seq_ahead_max: u64::MAX,
        holes_max: u64::MAX,
    }
}

impl<D: Drive> Disk<D> {
    pub(super) fn new(drive: D, id: SessionId, breakage: Option<Breakage>) -> Self {
        Self { drive, id, known: Known::default(), is_full: false, breakage }
    }

    fn writable(&self) -> Result<(), DiskFull> {
        if self.is_full { Err(DiskFull) } else { Ok(()) }
    }

    /// `now` is by the server's wall clock.
    pub(super) fn apply(
        &mut self,
        command: &Command,
        now: UnixMillis,
        world_now: Millis,
    ) -> OnDisk<Applied> {
        self.writable()?;
        let applied = self.drive.wait(self.drive.ledger().apply(self.id, command, now)).unwrap();
        if let Ok(applied) = &applied {
            let was = self.known.status();
            self.known.session = Some(applied.after.clone());
            if was != self.known.status() && self.known.status() == Some(SessionStatus::Interrupted)
            {
                self.known.interrupted_at = world_now;
            }
        }
        Ok(applied)
    }

    pub(super) fn open(
        &mut self,
        hello: &Hello,
        transport: Transport,
        now: UnixMillis,
        world_now: Millis,
    ) -> OnDisk<Applied> {
        let (token, opening) = (hello.token.hash(), hello.opening);
        self.apply(&Command::Open { token, opening, transport }, now, world_now)
    }

    pub(super) fn append(
        &mut self,
        epoch: Epoch,
        transport: Transport,
        items: &[Item],
        now: UnixMillis,
    ) -> OnDisk<Vec<(Seq, Verdict)>> {
        let forgets = self.breakage == Some(Breakage::ForgetEpoch);
        let epoch = if forgets { self.known.epoch() } else { epoch };
        self.append_by(By::Writer(epoch), transport, items, now)
    }

    /// A tail needs no epoch.
    pub(super) fn append_tail(
        &mut self,
        token: TokenHash,
        items: &[Item],
        now: UnixMillis,
    ) -> OnDisk<Vec<(Seq, Verdict)>> {
        self.append_by(By::Candidate { token, epoch: None }, Transport::Http, items, now)
    }

    fn append_by(
        &mut self,
        by: By,
        transport: Transport,
        items: &[Item],
        now: UnixMillis,
    ) -> OnDisk<Vec<(Seq, Verdict)>> {
        self.writable()?;
        let ledger = self.drive.ledger();
        let append = Append { session: self.id, by, transport, items: items.to_vec() };
        let appended: Appended =
            self.drive.wait(ledger.append(&[&append], now)).unwrap().pop().unwrap();
        let seqs: Vec<Seq> = items.iter().map(|item| item.seq).collect();
        let stored = self.drive.wait(ledger.digests(self.id, &seqs)).unwrap();
        self.known.session = self.drive.wait(ledger.find(self.id)).unwrap();
        self.known.items.extend(stored);
        if self.breakage == Some(Breakage::StoreSecondDigest) {
            for (item, (seq, verdict)) in items.iter().zip(appended.iter().flatten()) {
                if *verdict == Verdict::Refused(ItemError::DigestConflict) {
                    self.known.items.insert(*seq, item.digest);
                }
            }
        }
        Ok(appended)
    }

    /// What is stored in truth, whatever the world believes.
    pub(super) fn stored(&self) -> BTreeMap<Seq, Digest> {
        let seqs: Vec<Seq> = self.known.items.keys().copied().collect();
        let stored = self.drive.wait(self.drive.ledger().digests(self.id, &seqs)).unwrap();
        stored.into_iter().collect()
    }

    pub(super) fn heartbeat(&mut self, epoch: Epoch, now: UnixMillis, world_now: Millis) {
        if self.breakage != Some(Breakage::IgnoreHeartbeat) {
            let by = By::Writer(epoch);
            // A full disk takes no note of it, and an older writer hears of that by its items.
            drop(self.apply(&Command::Heartbeat { by }, now, world_now));
        }
    }

    /// `None`: whenever it was heard of.
    pub(super) fn interrupt_silent(
        &mut self,
        silent_for: Option<Millis>,
        now: UnixMillis,
        world_now: Millis,
    ) {
        let since = silent_for.map(|span| UnixMillis::new(now.get().saturating_sub(span.get())));
        let silent = self.drive.wait(self.drive.ledger().silent(since, FOUND_MAX)).unwrap();
        if silent.contains(&self.id) {
            drop(self.apply(&Command::NoteSilence { since }, now, world_now));
        }
    }

    /// The new status, if a deadline that has passed led to one.
    pub(super) fn check_deadline(
        &mut self,
        now: UnixMillis,
        world_now: Millis,
    ) -> Option<SessionStatus> {
        let due = self.drive.wait(self.drive.ledger().due(now, FOUND_MAX)).unwrap();
        if !due.contains(&self.id) {
            return None;
        }
        let before = self.known.status();
        let applied = self.apply(&Command::CheckDeadline, now, world_now);
        let after = applied.ok()?.ok()?.after.status;
        (before != Some(after)).then_some(after)
    }

    pub(super) fn finish(
        &mut self,
        epoch: Epoch,
        finish: &Finish,
        now: UnixMillis,
        world_now: Millis,
    ) -> OnDisk<Applied> {
        let unchecked = self.breakage == Some(Breakage::FinishUnchecked);
        let lost = match finish.last_seq.filter(|_| unchecked) {
            Some(last) => SeqSet::up_to(last),
            None => finish.lost.clone(),
        };
        let by = By::Writer(epoch);
        let command = Command::Finish { by, last_seq: finish.last_seq, lost };
        let applied = self.apply(&command, now, world_now);
        if let Ok(Ok(Applied { before: Some(before), after, .. })) = &applied
            && before.status != after.status
        {
            self.known.declared = Some(finish.clone());
        }
        applied
    }

    pub(super) fn claim(&mut self, kind: JobKind, by: Worker, now: UnixMillis) -> bool {
        !self.is_full
            && self.drive.wait(self.drive.ledger().claim(kind, by, now)).unwrap().is_some()
    }

    /// Somebody will do it, or does it.
    pub(super) fn is_due(&self, work: Work) -> bool {
        let job = self.drive.ledger().job(JobKey::new(self.id, work));
        let job = self.drive.wait(job).unwrap();
        job.is_some_and(|job| job.state != JobState::Stopped)
    }

    pub(super) fn expire_jobs(&mut self, now: UnixMillis) {
        if !self.is_full {
            self.drive.wait(self.drive.ledger().expire_jobs(now)).unwrap();
        }
    }

    pub(super) fn end_job(&mut self, work: Work, by: Worker, now: UnixMillis) {
        let key = JobKey::new(self.id, work);
        let end = self.drive.ledger().end_job(key, by, JobEnd::Done, now);
        self.drive.wait(end).unwrap();
    }
}

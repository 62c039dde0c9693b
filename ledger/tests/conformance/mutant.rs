//! A ledger in which one rule is broken on purpose.

use ledger::conformance::POLICY;
use ledger::jobs::{Job, JobEnd, Worker};
use ledger::limits::{LATE_QUIET, LATE_QUIET_MAX};
use ledger::memory::Memory;
use ledger::work::{Beside, Format, JobKey, JobKind, Work};
use ledger::{Append, Appended, Applied, By, Command, Ledger, Refused, Session};
use protocol::event::Transport;
use protocol::item::ItemError;
use protocol::message::Opening;
use protocol::receiver::Verdict;
use protocol::{Digest, Millis, Seq, SeqSet, SessionId, SessionStatus, UnixMillis};

macro_rules! mutations {
    ($($(#[$doc:meta])* $mutation:ident,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Mutation {
            $($(#[$doc])* $mutation,)+
        }

        impl Mutation {
            pub(crate) const ALL: &[Self] = &[$(Self::$mutation,)+];
        }
    };
}

mutations!(
    /// Whoever was a writer once may do everything.
    ForgetEpoch,
    /// Any token will do.
    ForgetToken,
    /// Whoever says `Hello` last is the newest.
    FollowLateHello,
    /// What comes over HTTP is a connection.
    HttpIsAConnection,
    /// Signs of life are not looked at.
    IgnoreHeartbeat,
    /// A connection that is lost is never the older writer's.
    LostIsLost,
    /// Silence does nothing.
    IgnoreSilence,
    /// Deadlines come a minute early.
    HurryDeadline,
    /// Deadlines never come.
    IgnoreDeadline,
    /// Nobody looks for what is missing.
    FinishUnchecked,
    /// What the writer has lost is waited for.
    WaitForLost,
    /// A recording of what was there before the end completes the session.
    CompleteWithPartial,
    /// A recording of one sound is as good as one of none.
    OverlookOneSound,
    /// A recording of one sound is mixed.
    HearDouble,
    /// A recording of what is there so far is drawn, too.
    DrawPartial,
    /// Who misses a waveform or a mix is not heard.
    IgnoreWants,
    /// Who misses one gets the other.
    MakeTheOther,
    /// Of what was never recorded something is made.
    WantOfNothing,
    /// What is not completed yet is exported.
    ExportHalves,
    /// Whoever has a job tried again is not heard.
    IgnoreRetries,
    /// What was not given up is tried again.
    RetryWhatever,
    /// A retry of a recording leaves its session as it is.
    LeaveItFailed,
    /// What is completed can be discarded.
    DiscardCompleted,
    /// The job is not written down that became due.
    ForgetJob,
    /// What comes after the end is refused.
    RefuseLateItems,
    /// What comes after the end counts as if it had come in time.
    ForgetLate,
    /// Nobody makes a supplement of it.
    ForgetSupplement,
    /// The supplement is made while more comes.
    HurrySupplement,
    /// A recording completes its session whatever has come since.
    CompleteWithFewer,
    /// Another item under a taken number counts as the same.
    SecondIsDuplicate,
    /// The same item again is refused.
    RefuseDuplicates,
    /// No number is too far ahead.
    TakeWhateverIsAhead,
    /// No session is too large.
    TakeWhateverIsLarge,
    /// A job that somebody works on may be taken away.
    StealJobs,
    /// What is asked for while a job runs is forgotten.
    ForgetAgain,
);

pub(crate) struct Mutant {
    inner: Memory,
    mutation: Option<Mutation>,
}

impl Mutant {
    pub(crate) const fn new(inner: Memory, mutation: Option<Mutation>) -> Self {
        Self { inner, mutation }
    }

    async fn known(&self, id: SessionId) -> Option<Session> {
        self.inner.find(id).await.ok().flatten()
    }

    async fn by(&self, id: SessionId, by: By) -> By {
        match (self.mutation, by, self.known(id).await) {
            (Some(Mutation::ForgetEpoch), By::Writer(_), Some(known)) => By::Writer(known.epoch),
            (Some(Mutation::ForgetEpoch), By::Candidate { token, epoch: Some(_) }, _) => {
                By::Candidate { token, epoch: None }
            }
            (Some(Mutation::ForgetToken), By::Candidate { epoch, .. }, Some(known)) => {
                By::Candidate { token: known.token, epoch }
            }
            _ => by,
        }
    }

    /// The command that is carried out instead; `None`: nothing is.
    async fn instead(&self, id: SessionId, command: &Command) -> Option<Command> {
        let (mutation, known) = (self.mutation, self.known(id).await);
        let is_completed =
            known.as_ref().is_some_and(|known| known.status == SessionStatus::Completed);
        let mut command = command.clone();
        match &mut command {
            Command::Create { token, .. } | Command::Open { token, .. }
                if mutation == Some(Mutation::ForgetToken) =>
            {
                *token = known.map_or(*token, |known| known.token);
            }
            Command::Open { transport, .. } if mutation == Some(Mutation::HttpIsAConnection) => {
                *transport = Transport::WebSocket;
            }
            Command::Open { opening, .. }
                if mutation == Some(Mutation::FollowLateHello) && known.is_some() =>
            {
                *opening = Opening::Existing;
            }
            Command::Heartbeat { .. } if mutation == Some(Mutation::IgnoreHeartbeat) => {
                return None;
            }
            Command::NoteSilence { .. } if mutation == Some(Mutation::IgnoreSilence) => {
                return None;
            }
            Command::CheckDeadline if mutation == Some(Mutation::IgnoreDeadline) => return None,
            Command::LoseConnection { epoch, .. } if mutation == Some(Mutation::LostIsLost) => {
                *epoch = known.map_or(*epoch, |known| known.epoch);
            }
            Command::Finish { lost, .. } if mutation == Some(Mutation::FinishUnchecked) => {
                *lost = SeqSet::up_to(Seq::new(2 * POLICY.seq_ahead_max));
            }
            Command::Finish { lost, .. } if mutation == Some(Mutation::WaitForLost) => {
                *lost = SeqSet::new();
            }
            Command::RecordingPlayable { of } | Command::RecordingDone { of, .. }
                if mutation == Some(Mutation::CompleteWithPartial) =>
            {
                of.began_in = SessionStatus::Finalizing;
            }
            Command::RecordingPlayable { of } | Command::RecordingDone { of, .. }
                if mutation == Some(Mutation::CompleteWithFewer) =>
            {
                of.items = known.map_or(of.items, |known| known.in_time().len());
            }
            Command::RecordingDone { sounds, .. }
                if mutation == Some(Mutation::OverlookOneSound) && *sounds == 1 =>
            {
                *sounds = 0;
            }
            Command::RecordingDone { sounds, .. } if mutation == Some(Mutation::HearDouble) => {
                *sounds *= 2;
            }
            Command::Want { .. } if mutation == Some(Mutation::IgnoreWants) => return None,
            Command::Retry { .. } if mutation == Some(Mutation::IgnoreRetries) => return None,
            Command::Want { beside } if mutation == Some(Mutation::MakeTheOther) => {
                *beside = match *beside {
                    Beside::Waveform => Beside::Mix,
                    Beside::Mix => Beside::Waveform,
                    Beside::Export(_) => Beside::Export(Format::Zip),
                };
            }
            Command::Discard { .. }
                if mutation == Some(Mutation::DiscardCompleted) && is_completed =>
            {
                command = Command::Delete;
            }
            _ => {}
        }
        match &mut command {
            Command::Heartbeat { by } | Command::Finish { by, .. } | Command::Discard { by } => {
                *by = self.by(id, *by).await;
            }
            _ => {}
        }
        Some(command)
    }

    async fn forget_supplement(&self, id: SessionId, now: UnixMillis) -> Done<()> {
        let (kind, worker, then) =
            (JobKind::Supplement, Worker(u64::MAX), now.plus(LATE_QUIET_MAX));
        while let Some((claimed, _)) = self.inner.claim(kind, worker, then).await? {
            self.inner.end_job(claimed, worker, JobEnd::Done, then).await?;
            if claimed.session == id {
                break;
            }
        }
        Ok(())
    }

    async fn nothing_done(&self, id: SessionId) -> Result<Applied, Refused> {
        let known = self.known(id).await.ok_or(Refused::UnknownSession)?;
        Ok(Applied { before: Some(known.clone()), after: known, events: Vec::new() })
    }

    async fn verdicts(&self, id: SessionId, judged: Appended) -> Appended {
        let mut verdicts = judged?;
        let late = self.known(id).await.map(|known| known.late).unwrap_or_default();
        for (seq, verdict) in &mut verdicts {
            match (self.mutation, *verdict) {
                (Some(Mutation::RefuseLateItems), Verdict::Stored) if late.contains(*seq) => {
                    *verdict = Verdict::Refused(ItemError::SessionFinished);
                }
                (Some(Mutation::TakeWhateverIsLarge), Verdict::Refused(ItemError::SessionFull))
                | (
                    Some(Mutation::TakeWhateverIsAhead),
                    Verdict::Refused(ItemError::TooFarAhead | ItemError::TooManyHoles),
                ) => {
                    *verdict = Verdict::Stored;
                }
                (
                    Some(Mutation::SecondIsDuplicate),
                    Verdict::Refused(ItemError::DigestConflict),
                ) => {
                    *verdict = Verdict::Duplicate;
                }
                (Some(Mutation::RefuseDuplicates), Verdict::Duplicate) => {
                    *verdict = Verdict::Refused(ItemError::DigestConflict);
                }
                _ => {}
            }
        }
        Ok(verdicts)
    }
}

type Done<T> = Result<T, <Memory as Ledger>::Error>;

impl Ledger for Mutant {
    type Error = <Memory as Ledger>::Error;

    async fn apply(
        &self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> Done<Result<Applied, Refused>> {
        let Some(instead) = self.instead(id, command).await else {
            return Ok(self.nothing_done(id).await);
        };
        let now = match (self.mutation, &instead) {
            (Some(Mutation::HurryDeadline), Command::CheckDeadline) => {
                now.plus(Millis::from_secs(60))
            }
            _ => now,
        };
        let mut applied = self.inner.apply(id, &instead, now).await;
        match (self.mutation, &instead, &applied) {
            (Some(Mutation::DrawPartial), Command::RecordingDone { .. }, Ok(Ok(_))) => {
                let drawn = Command::Want { beside: Beside::Waveform };
                self.inner.apply(id, &drawn, now).await?.ok();
            }
            (Some(Mutation::WantOfNothing), _, Ok(Err(Refused::NoRecording)))
            | (Some(Mutation::ExportHalves), _, Ok(Err(Refused::NotCompleted)))
            | (Some(Mutation::RetryWhatever), _, Ok(Err(Refused::NoJob | Refused::NotGivenUp))) => {
                applied = Ok(self.nothing_done(id).await);
            }
            (Some(Mutation::LeaveItFailed), Command::Retry { work: Work::Assemble }, Ok(Ok(_))) => {
                let (reason, took) = ("no".into(), Millis::ZERO);
                let failed = Command::RecordingFailed { reason, took };
                self.inner.apply(id, &failed, now).await?.ok();
            }
            _ => {}
        }
        if self.mutation == Some(Mutation::ForgetJob) {
            for kind in JobKind::ALL {
                let worker = Worker(u64::MAX);
                while let Some((key, _)) = self.inner.claim(kind, worker, now).await? {
                    self.inner.end_job(key, worker, JobEnd::Done, now).await?;
                }
            }
        }
        applied
    }

    async fn append(&self, appends: &[&Append], now: UnixMillis) -> Done<Vec<Appended>> {
        let mut results = Vec::with_capacity(appends.len());
        for append in appends {
            let by = self.by(append.session, append.by).await;
            let (session, transport) = (append.session, append.transport);
            let transport = match self.mutation {
                Some(Mutation::HttpIsAConnection) => Transport::WebSocket,
                _ => transport,
            };
            let instead = Append { session, by, transport, items: append.items.clone() };
            for judged in self.inner.append(&[&instead], now).await? {
                results.push(self.verdicts(session, judged).await);
            }
            if self.mutation == Some(Mutation::ForgetSupplement) {
                self.forget_supplement(session, now).await?;
            }
        }
        Ok(results)
    }

    async fn find(&self, id: SessionId) -> Done<Option<Session>> {
        let found = self.inner.find(id).await?;
        let forgets = self.mutation == Some(Mutation::ForgetLate);
        let in_time = |found: Session| Session { late: SeqSet::new(), late_since: None, ..found };
        Ok(if forgets { found.map(in_time) } else { found })
    }

    async fn digests(&self, id: SessionId, seqs: &[Seq]) -> Done<Vec<(Seq, Digest)>> {
        self.inner.digests(id, seqs).await
    }

    async fn silent(&self, since: Option<UnixMillis>, limit: usize) -> Done<Vec<SessionId>> {
        self.inner.silent(since, limit).await
    }

    async fn due(&self, now: UnixMillis, limit: usize) -> Done<Vec<SessionId>> {
        self.inner.due(now, limit).await
    }

    async fn claim(
        &self,
        kind: JobKind,
        by: Worker,
        now: UnixMillis,
    ) -> Done<Option<(JobKey, Job)>> {
        if self.mutation == Some(Mutation::StealJobs) {
            self.inner.expire_jobs(UnixMillis::new(0)).await?;
        }
        let hurries =
            kind == JobKind::Supplement && self.mutation == Some(Mutation::HurrySupplement);
        let now = if hurries { now.plus(LATE_QUIET) } else { now };
        self.inner.claim(kind, by, now).await
    }

    async fn renew(&self, key: JobKey, by: Worker, progress: u16, now: UnixMillis) -> Done<bool> {
        self.inner.renew(key, by, progress, now).await
    }

    async fn end_job(
        &self,
        key: JobKey,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> Done<Option<Job>> {
        let left = self.inner.end_job(key, by, end.clone(), now).await?;
        if self.mutation == Some(Mutation::ForgetAgain)
            && end == JobEnd::Done
            && left.as_ref().is_some_and(|job| job.tries == 0)
        {
            self.inner.claim(key.work.kind(), by, now).await?;
            return self.inner.end_job(key, by, JobEnd::Done, now).await;
        }
        Ok(left)
    }

    async fn expire_jobs(&self, now: UnixMillis) -> Done<u64> {
        self.inner.expire_jobs(now).await
    }

    async fn job(&self, key: JobKey) -> Done<Option<Job>> {
        self.inner.job(key).await
    }
}

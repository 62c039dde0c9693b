//! A ledger in memory: the reference that other stores are held against, and the simulation's. It is as
//! durable as the value itself.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::receiver::Verdict;
use protocol::{Digest, Seq, SessionId, SessionStatus, UnixMillis};

use crate::command::{Command, Refused};
use crate::jobs::{Job, JobEnd, JobState, Worker};
use crate::rules::{Appending, Policy, decide};
use crate::session::Session;
use crate::store::{Append, Appended, Applied, Ledger};
use crate::work::{JobKey, JobKind};

#[derive(Debug)]
pub struct Memory {
    policy: Policy,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<SessionId, Session>,
    items: HashMap<SessionId, BTreeMap<Seq, Digest>>,
    jobs: BTreeMap<JobKey, Job>,
}

/// What never happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl Memory {
    pub fn new(policy: Policy) -> Self {
        Self { policy, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn apply(
        &mut self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<Applied, Refused> {
        let before = self.sessions.get(&id).cloned();
        let change = decide(before.as_ref(), command, now, policy)?;
        let mut due = Vec::with_capacity(change.jobs.len());
        for wanted in change.jobs {
            let key = JobKey::new(id, wanted.work);
            due.push((key, wanted.made_of(self.jobs.get(&key).cloned(), now)?));
        }
        self.jobs.extend(due);
        self.sessions.insert(id, change.after.clone());
        Ok(Applied { before, after: change.after, events: change.events })
    }

    fn append(&mut self, append: &Append, now: UnixMillis, policy: &Policy) -> Appended {
        let session = self.sessions.get(&append.session).ok_or(Refused::UnknownSession)?;
        let mut appending = Appending::new(session.clone(), now, policy);
        appending.begin(append.by, append.transport)?;
        let items = self.items.entry(append.session).or_default();
        let mut judged = Vec::with_capacity(append.items.len());
        for item in &append.items {
            let verdict = appending.judge(item, items.get(&item.seq));
            if verdict == Verdict::Stored {
                items.insert(item.seq, item.digest);
            }
            judged.push((item.seq, verdict));
        }
        if let Some(change) = appending.into_change() {
            for wanted in change.jobs {
                let key = JobKey::new(append.session, wanted.work);
                let job = wanted.made_of(self.jobs.get(&key).cloned(), now)?;
                self.jobs.insert(key, job);
            }
            self.sessions.insert(append.session, change.after);
        }
        Ok(judged)
    }

    fn claim(&mut self, kind: JobKind, by: Worker, now: UnixMillis) -> Option<(JobKey, Job)> {
        let of_kind = self.jobs.iter_mut().filter(|(key, _)| key.work.kind() == kind);
        let may_begin = of_kind.filter(|(_, job)| job.may_begin(now));
        let (key, job) = may_begin
            .min_by_key(|(key, job)| (job.may_begin_at(), key.session, key.work.subject()))?;
        job.claim(by, now).then(|| (*key, job.clone()))
    }

    fn end_job(&mut self, key: JobKey, by: Worker, end: JobEnd, now: UnixMillis) -> Option<Job> {
        let left = self.jobs.remove(&key)?.ended(by, end, now)?;
        self.jobs.insert(key, left.clone());
        Some(left)
    }
}

impl Ledger for Memory {
    type Error = Never;

    fn apply(
        &self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Result<Applied, Refused>, Never>> + Send {
        ready(Ok(self.kept().apply(id, command, now, &self.policy)))
    }

    fn append(
        &self,
        appends: &[&Append],
        now: UnixMillis,
    ) -> impl Future<Output = Result<Vec<Appended>, Never>> + Send {
        let mut kept = self.kept();
        let append = |append: &&Append| kept.append(append, now, &self.policy);
        ready(Ok(appends.iter().map(append).collect()))
    }

    fn find(&self, id: SessionId) -> impl Future<Output = Result<Option<Session>, Never>> + Send {
        ready(Ok(self.kept().sessions.get(&id).cloned()))
    }

    fn digests(
        &self,
        id: SessionId,
        seqs: &[Seq],
    ) -> impl Future<Output = Result<Vec<(Seq, Digest)>, Never>> + Send {
        let kept = self.kept();
        let items = kept.items.get(&id);
        let stored = |seq: &Seq| Some((*seq, *items?.get(seq)?));
        ready(Ok(seqs.iter().filter_map(stored).collect()))
    }

    fn silent(
        &self,
        since: Option<UnixMillis>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, Never>> + Send {
        let is_silent = |session: &Session| {
            session.status == SessionStatus::Active
                && since.is_none_or(|since| session.heard_at <= since)
        };
        let kept = self.kept();
        let silent = kept.sessions.iter().filter(|(_, session)| is_silent(session));
        ready(Ok(silent.map(|(id, _)| *id).take(limit).collect()))
    }

    fn due(
        &self,
        now: UnixMillis,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, Never>> + Send {
        let kept = self.kept();
        let deadline = |(id, session): (&SessionId, &Session)| Some((session.deadline?, *id));
        let mut due: Vec<_> = kept.sessions.iter().filter_map(deadline).collect();
        due.retain(|(deadline, _)| *deadline <= now);
        due.sort_unstable();
        ready(Ok(due.into_iter().map(|(_, id)| id).take(limit).collect()))
    }

    fn claim(
        &self,
        kind: JobKind,
        by: Worker,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<(JobKey, Job)>, Never>> + Send {
        ready(Ok(self.kept().claim(kind, by, now)))
    }

    fn renew(
        &self,
        key: JobKey,
        by: Worker,
        progress: u16,
        now: UnixMillis,
    ) -> impl Future<Output = Result<bool, Never>> + Send {
        let mut kept = self.kept();
        let job = kept.jobs.get_mut(&key);
        ready(Ok(job.is_some_and(|job| job.renew(by, progress, now))))
    }

    fn end_job(
        &self,
        key: JobKey,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<Job>, Never>> + Send {
        ready(Ok(self.kept().end_job(key, by, end, now)))
    }

    fn expire_jobs(&self, now: UnixMillis) -> impl Future<Output = Result<u64, Never>> + Send {
        let mut kept = self.kept();
        let running = |job: &&mut Job| matches!(job.state, JobState::Running { .. });
        let expired = kept.jobs.values_mut().filter(running).map(|job| job.expire(now)).count();
        ready(Ok(expired as u64))
    }

    fn job(&self, key: JobKey) -> impl Future<Output = Result<Option<Job>, Never>> + Send {
        ready(Ok(self.kept().jobs.get(&key).cloned()))
    }
}

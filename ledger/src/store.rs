//! What every store of sessions can do.

use std::future::Future;

use protocol::event::Transport;
use protocol::limits::counted_bytes;
use protocol::receiver::Verdict;
use protocol::{Digest, Event, Item, Seq, SessionId, UnixMillis};

use crate::command::{By, Command, Refused};
use crate::jobs::{Job, JobEnd, Worker};
use crate::session::Session;
use crate::work::{JobKey, JobKind};

/// Items that are to be stored together.
#[derive(Debug)]
pub struct Append {
    pub session: SessionId,
    pub by: By,
    /// What comes by a connection is a sign of life.
    pub transport: Transport,
    pub items: Vec<Item>,
}

impl Append {
    /// What it takes of whatever bounds bytes.
    pub fn counted_bytes(&self) -> usize {
        self.items.iter().map(|item| counted_bytes(item.payload_bytes())).sum()
    }
}

/// What became of an [`Append`]: of each item, or of all of it.
pub type Appended = Result<Vec<(Seq, Verdict)>, Refused>;

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// `None`: it was made by this.
    pub before: Option<Session>,
    pub after: Session,
    pub events: Vec<Event>,
}

impl Applied {
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }
}

/// A durable store of sessions and their items. Each method is one transaction, durable when it returns,
/// and does what [`rules`](crate::rules) and [`jobs`](crate::jobs) say.
pub trait Ledger {
    /// The store cannot work now: nothing has changed.
    type Error: std::fmt::Debug;

    /// Carries out a command.
    fn apply(
        &self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Result<Applied, Refused>, Self::Error>> + Send;

    /// Stores what is new of many batches, and judges each item.
    fn append(
        &self,
        appends: &[&Append],
        now: UnixMillis,
    ) -> impl Future<Output = Result<Vec<Appended>, Self::Error>> + Send;

    fn find(
        &self,
        id: SessionId,
    ) -> impl Future<Output = Result<Option<Session>, Self::Error>> + Send;

    /// What is stored under some numbers of a session, in their order.
    fn digests(
        &self,
        id: SessionId,
        seqs: &[Seq],
    ) -> impl Future<Output = Result<Vec<(Seq, Digest)>, Self::Error>> + Send;

    /// Active sessions that nobody has heard of since; `None`: all active ones.
    fn silent(
        &self,
        since: Option<UnixMillis>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, Self::Error>> + Send;

    /// Sessions whose deadline has passed, the longest overdue first.
    fn due(
        &self,
        now: UnixMillis,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, Self::Error>> + Send;

    /// The job of this kind that has waited longest and may begin; it is `by`'s from now on.
    fn claim(
        &self,
        kind: JobKind,
        by: Worker,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<(JobKey, Job)>, Self::Error>> + Send;

    /// `by` still works on a job. False when it is not its any more.
    fn renew(
        &self,
        key: JobKey,
        by: Worker,
        progress: u16,
        now: UnixMillis,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// A try by `by` has ended. Returns what is left of the job.
    fn end_job(
        &self,
        key: JobKey,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<Job>, Self::Error>> + Send;

    /// What anybody worked on before is nobody's any more: the one server of this store has just started.
    fn expire_jobs(&self, now: UnixMillis)
    -> impl Future<Output = Result<u64, Self::Error>> + Send;

    fn job(&self, key: JobKey) -> impl Future<Output = Result<Option<Job>, Self::Error>> + Send;
}

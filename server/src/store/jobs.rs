//! The rows of jobs: what is due, whose it is, and what became of it. How long what waits is the ledger's
//! to say.

use ledger::jobs::{JobState, WantedJob, Worker};
use ledger::{Applied, Beside, Command, Job, JobKey, JobKind, Work};
use protocol::{SessionId, UnixMillis};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};

use super::rows::{self, signed};
use super::{Store, StoreError, Tx};

type SqlQuery<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// A job as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    pub key: JobKey,
    pub job: Job,
}

impl Store {
    pub(super) async fn is_any_due(
        &self,
        kind: JobKind,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT 1 FROM jobs WHERE kind = ? AND begins_at <= ? LIMIT 1");
        let query = query.bind(kind.as_str()).bind(signed(now.get()));
        Ok(query.fetch_optional(&self.reader).await?.is_some())
    }

    /// What waits, runs or was given up; what was given up first, then the longest due.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<ListedJob>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM jobs ORDER BY begins_at, session_id, kind, subject LIMIT ?")
                .bind(limit)
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(listed).collect()
    }

    pub async fn jobs_of(&self, id: SessionId) -> Result<Vec<ListedJob>, StoreError> {
        let rows = sqlx::query("SELECT * FROM jobs WHERE session_id = ? ORDER BY kind, subject")
            .bind(id.as_bytes().as_slice())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(listed).collect()
    }

    /// Has something made beside a recording, unless there are so many of its kind that wait or run.
    /// `None`: there are.
    pub async fn want_within(
        &self,
        jobs_max: u64,
        id: SessionId,
        beside: Beside,
        now: UnixMillis,
    ) -> Result<Option<Applied>, StoreError> {
        self.noting(async {
            let mut tx = self.begin().await?;
            let job = load(&mut tx, JobKey::new(id, beside.work())).await?;
            let is_open = job.is_some_and(|job| job.state != JobState::Stopped);
            if !is_open && count_open(&mut tx, beside.work().kind()).await? >= jobs_max {
                return Ok(None);
            }
            let applied = self.apply_in(&mut tx, id, &Command::Want { beside }, now).await??;
            tx.commit().await?;
            Ok(Some(applied))
        })
        .await
    }

    /// How many there are of each state.
    pub async fn count_jobs(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT state, count(*) AS jobs FROM jobs GROUP BY state")
            .fetch_all(&self.reader)
            .await?;
        let count =
            |row: &SqliteRow| Ok((row.try_get("state")?, rows::unsigned(row.try_get("jobs")?)));
        rows.iter().map(count).collect()
    }
}

/// The words of all states.
pub const STATE_WORDS: [&str; 3] = [WAITING, RUNNING, STOPPED];

const WAITING: &str = "waiting";
const RUNNING: &str = "running";
const STOPPED: &str = "stopped";

/// In the place of the moment from which a job is wanted again.
const NOT_AGAIN: i64 = 0;

/// The word in the database, in the API and in the metrics.
pub fn state_word(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => WAITING,
        JobState::Running { .. } => RUNNING,
        JobState::Stopped => STOPPED,
    }
}

/// The one of this kind that has waited longest and may begin.
pub(super) async fn next(
    tx: &mut Tx,
    kind: JobKind,
    now: UnixMillis,
) -> Result<Option<ListedJob>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM jobs WHERE kind = ? AND begins_at <= ? \
         ORDER BY begins_at, session_id, subject LIMIT 1",
    )
    .bind(kind.as_str())
    .bind(signed(now.get()))
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(listed).transpose()
}

/// Written in the transaction that makes it due.
pub(super) async fn want(
    tx: &mut Tx,
    id: SessionId,
    wanted: WantedJob,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let key = JobKey::new(id, wanted.work);
    let job = wanted.made_of(load(tx, key).await?, now)?;
    write(tx, key, &job).await
}

pub(super) async fn load(tx: &mut Tx, key: JobKey) -> Result<Option<Job>, StoreError> {
    let query = sqlx::query("SELECT * FROM jobs WHERE session_id = ? AND kind = ? AND subject = ?");
    let row = of_key(query, key).fetch_optional(&mut **tx).await?;
    row.as_ref().map(from_row).transpose()
}

pub(super) async fn write(tx: &mut Tx, key: JobKey, job: &Job) -> Result<(), StoreError> {
    let (worker, until) = match job.state {
        JobState::Running { by, until } => (Some(by.0.cast_signed()), Some(signed(until.get()))),
        JobState::Waiting | JobState::Stopped => (None, None),
    };
    let query = sqlx::query(
        "INSERT OR REPLACE INTO jobs (session_id, kind, subject, state, worker, until_at, due_at, \
         begins_at, tries, postponed, again, error, progress) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    of_key(query, key)
        .bind(state_word(job.state))
        .bind(worker)
        .bind(until)
        .bind(signed(job.due.get()))
        .bind(job.may_begin_at().map(|at| signed(at.get())))
        .bind(job.tries)
        .bind(job.postponed)
        .bind(job.again.map_or(NOT_AGAIN, |due| signed(due.get())))
        .bind(&job.error)
        .bind(job.progress)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, key: JobKey) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM jobs WHERE session_id = ? AND kind = ? AND subject = ?");
    of_key(query, key).execute(&mut **tx).await?;
    Ok(())
}

/// Those that were not given up.
async fn count_open(tx: &mut Tx, kind: JobKind) -> Result<u64, StoreError> {
    let open =
        sqlx::query_scalar("SELECT count(*) FROM jobs WHERE kind = ? AND begins_at IS NOT NULL")
            .bind(kind.as_str())
            .fetch_one(&mut **tx)
            .await?;
    Ok(rows::unsigned(open))
}

/// Those that somebody works on.
pub(super) async fn running(tx: &mut Tx) -> Result<Vec<ListedJob>, StoreError> {
    let query = sqlx::query("SELECT * FROM jobs WHERE state = ?").bind(RUNNING);
    query.fetch_all(&mut **tx).await?.iter().map(listed).collect()
}

fn of_key<'q>(query: SqlQuery<'q>, key: JobKey) -> SqlQuery<'q> {
    let JobKey { session, work } = key;
    query.bind(session.as_bytes().to_vec()).bind(work.kind().as_str()).bind(work.subject())
}

fn listed(row: &SqliteRow) -> Result<ListedJob, StoreError> {
    let session = rows::session_id(row.try_get("session_id")?)?;
    let work = Work::of_words(row.try_get("kind")?, row.try_get("subject")?);
    let work = work.ok_or(StoreError::Corrupt("a kind of job"))?;
    Ok(ListedJob { key: JobKey::new(session, work), job: from_row(row)? })
}

fn from_row(row: &SqliteRow) -> Result<Job, StoreError> {
    let state = match (row.try_get("state")?, row.try_get("worker")?, row.try_get("until_at")?) {
        (WAITING, _, _) => JobState::Waiting,
        (STOPPED, _, _) => JobState::Stopped,
        (RUNNING, Some(worker), Some(until)) => JobState::Running {
            by: Worker(i64::cast_unsigned(worker)),
            until: rows::unix_millis(until),
        },
        (_, _, _) => return Err(StoreError::Corrupt("the state of a job")),
    };
    Ok(Job {
        state,
        due: rows::unix_millis(row.try_get("due_at")?),
        tries: row.try_get("tries")?,
        postponed: row.try_get("postponed")?,
        again: Some(row.try_get("again")?).filter(|due| *due != NOT_AGAIN).map(rows::unix_millis),
        error: row.try_get("error")?,
        progress: row.try_get("progress")?,
    })
}

//! The rows of jobs: what is due, whose it is, and what became of it. How long what waits is the ledger's
//! to say.

use ledger::jobs::{JobEnd, JobState, WantedJob, Worker};
use ledger::{Job, JobKind};
use protocol::{SessionId, UnixMillis};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{self, signed};
use super::{Store, StoreError, Tx};

/// A job as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    pub session: SessionId,
    pub kind: JobKind,
    pub job: Job,
}

impl Store {
    pub(super) async fn claim_job(
        &self,
        kind: JobKind,
        by: Worker,
        now: UnixMillis,
    ) -> Result<Option<(SessionId, Job)>, StoreError> {
        // Mostly there is none, and nobody is to wait for that.
        if self.next_job(kind, now).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "SELECT * FROM jobs WHERE kind = ? AND begins_at <= ? \
             ORDER BY begins_at, session_id LIMIT 1",
        )
        .bind(kind.as_str())
        .bind(signed(now.get()))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id = rows::session_id(row.try_get("session_id")?)?;
        let mut job = from_row(&row)?;
        if !job.claim(by, now) {
            return Ok(None);
        }
        write(&mut tx, id, kind, &job).await?;
        tx.commit().await?;
        Ok(Some((id, job)))
    }

    async fn next_job(
        &self,
        kind: JobKind,
        now: UnixMillis,
    ) -> Result<Option<SqliteRow>, StoreError> {
        let query = sqlx::query("SELECT 1 FROM jobs WHERE kind = ? AND begins_at <= ? LIMIT 1");
        let query = query.bind(kind.as_str()).bind(signed(now.get()));
        Ok(query.fetch_optional(&self.reader).await?)
    }

    pub(super) async fn renew_job(
        &self,
        id: SessionId,
        kind: JobKind,
        by: Worker,
        progress: u16,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(mut job) = load(&mut tx, id, kind).await? else { return Ok(false) };
        let renewed = job.renew(by, progress, now);
        if renewed {
            write(&mut tx, id, kind, &job).await?;
            tx.commit().await?;
        }
        Ok(renewed)
    }

    pub(super) async fn end_try(
        &self,
        id: SessionId,
        kind: JobKind,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(job) = load(&mut tx, id, kind).await? else { return Ok(None) };
        let left = job.ended(by, end, now);
        match &left {
            Some(job) => write(&mut tx, id, kind, job).await?,
            None => {
                sqlx::query("DELETE FROM jobs WHERE session_id = ? AND kind = ?")
                    .bind(id.as_bytes().as_slice())
                    .bind(kind.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(left)
    }

    pub(super) async fn expire_leases(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let running = sqlx::query("SELECT * FROM jobs WHERE state = ?")
            .bind(RUNNING)
            .fetch_all(&mut *tx)
            .await?;
        for row in &running {
            let mut job = from_row(row)?;
            job.expire(now);
            write(&mut tx, rows::session_id(row.try_get("session_id")?)?, kind(row)?, &job).await?;
        }
        tx.commit().await?;
        Ok(running.len() as u64)
    }

    /// What waits, runs or was given up; what was given up first, then the longest due.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<ListedJob>, StoreError> {
        let rows = sqlx::query("SELECT * FROM jobs ORDER BY begins_at, session_id, kind LIMIT ?")
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(listed).collect()
    }

    pub async fn jobs_of(&self, id: SessionId) -> Result<Vec<ListedJob>, StoreError> {
        let rows = sqlx::query("SELECT * FROM jobs WHERE session_id = ? ORDER BY kind")
            .bind(id.as_bytes().as_slice())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(listed).collect()
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

/// Written in the transaction that makes it due.
pub(super) async fn want(
    tx: &mut Tx,
    id: SessionId,
    wanted: WantedJob,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let job = wanted.made_of(load(tx, id, wanted.kind).await?, now);
    write(tx, id, wanted.kind, &job).await
}

pub(super) async fn load(
    tx: &mut Tx,
    id: SessionId,
    kind: JobKind,
) -> Result<Option<Job>, StoreError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE session_id = ? AND kind = ?")
        .bind(id.as_bytes().as_slice())
        .bind(kind.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn write(tx: &mut Tx, id: SessionId, kind: JobKind, job: &Job) -> Result<(), StoreError> {
    let (worker, until) = match job.state {
        JobState::Running { by, until } => (Some(by.0.cast_signed()), Some(signed(until.get()))),
        JobState::Waiting | JobState::Stopped => (None, None),
    };
    sqlx::query(
        "INSERT OR REPLACE INTO jobs (session_id, kind, state, worker, until_at, due_at, \
         begins_at, tries, postponed, again, error, progress) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(kind.as_str())
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

fn listed(row: &SqliteRow) -> Result<ListedJob, StoreError> {
    let session = rows::session_id(row.try_get("session_id")?)?;
    Ok(ListedJob { session, kind: kind(row)?, job: from_row(row)? })
}

fn kind(row: &SqliteRow) -> Result<JobKind, StoreError> {
    JobKind::of_word(row.try_get("kind")?).ok_or(StoreError::Corrupt("a kind of job"))
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

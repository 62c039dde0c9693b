//! The store as the ledger's rules want it: each call loads, asks and writes in one transaction.

use ledger::jobs::{JobEnd, Worker};
use ledger::{Append, Appended, Applied, Command, Job, JobKey, JobKind, Ledger, Refused, Session};
use protocol::{Digest, Seq, SessionId, SessionStatus, UnixMillis};
use sqlx::Row as _;

use super::jobs::{self, ListedJob};
use super::rows::{self, signed};
use super::{Store, StoreError, append, ruled};

/// Whether a command takes something new: refused while the disk is full. The others let go of
/// something, or somebody waits for them.
const fn takes_room(command: &Command) -> bool {
    match command {
        Command::Create { .. } | Command::Open { .. } => true,
        Command::Heartbeat { .. }
        | Command::LoseConnection { .. }
        | Command::NoteSilence { .. }
        | Command::CheckDeadline
        | Command::Finish { .. }
        | Command::RecordingPlayable { .. }
        | Command::RecordingDone { .. }
        | Command::SupplementMade { .. }
        | Command::RecordingFailed { .. }
        | Command::Want { .. }
        | Command::Retry { .. }
        | Command::Discard { .. }
        | Command::Delete => false,
    }
}

impl Ledger for Store {
    type Error = StoreError;

    async fn apply(
        &self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> Result<Result<Applied, Refused>, StoreError> {
        let call = async {
            let mut tx = self.begin().await?;
            let applied = self.apply_in(&mut tx, id, command, now).await?;
            tx.commit().await?;
            Ok(applied)
        };
        if takes_room(command) { self.taking(call).await } else { self.noting(call).await }
    }

    async fn append(
        &self,
        appends: &[&Append],
        now: UnixMillis,
    ) -> Result<Vec<Appended>, StoreError> {
        self.append_items(appends, now).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let mut tx = self.reader.begin().await?;
        ruled::load(&mut tx, id).await
    }

    async fn digests(&self, id: SessionId, seqs: &[Seq]) -> Result<Vec<(Seq, Digest)>, StoreError> {
        let mut tx = self.reader.begin().await?;
        let keys: Vec<(SessionId, Seq)> = seqs.iter().map(|seq| (id, *seq)).collect();
        let stored = append::digests(&mut tx, &keys).await?;
        let found = |seq: &Seq| Some((*seq, *stored.get(&(id, *seq))?));
        Ok(seqs.iter().filter_map(found).collect())
    }

    async fn silent(
        &self,
        since: Option<UnixMillis>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let query = sqlx::query(
            "SELECT id FROM sessions WHERE status = ? AND last_heartbeat_at <= ? LIMIT ?",
        )
        .bind(SessionStatus::Active.as_str())
        .bind(since.map_or(i64::MAX, |at| signed(at.get())))
        .bind(signed(limit as u64));
        let rows = query.fetch_all(&self.reader).await?;
        rows.iter().map(|row| rows::session_id(row.try_get("id")?)).collect()
    }

    async fn due(&self, now: UnixMillis, limit: usize) -> Result<Vec<SessionId>, StoreError> {
        let query = sqlx::query(
            "SELECT id FROM sessions WHERE deadline_at <= ? ORDER BY deadline_at, id LIMIT ?",
        )
        .bind(signed(now.get()))
        .bind(signed(limit as u64));
        let rows = query.fetch_all(&self.reader).await?;
        rows.iter().map(|row| rows::session_id(row.try_get("id")?)).collect()
    }

    async fn claim(
        &self,
        kind: JobKind,
        by: Worker,
        now: UnixMillis,
    ) -> Result<Option<(JobKey, Job)>, StoreError> {
        // Mostly there is none, and nobody is to wait for that.
        if !self.is_any_due(kind, now).await? {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let Some(ListedJob { key, mut job }) = jobs::next(&mut tx, kind, now).await? else {
            return Ok(None);
        };
        if !job.claim(by, now) {
            return Ok(None);
        }
        jobs::write(&mut tx, key, &job).await?;
        tx.commit().await?;
        Ok(Some((key, job)))
    }

    async fn renew(
        &self,
        key: JobKey,
        by: Worker,
        progress: u16,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(mut job) = jobs::load(&mut tx, key).await? else { return Ok(false) };
        let renewed = job.renew(by, progress, now);
        if renewed {
            jobs::write(&mut tx, key, &job).await?;
            tx.commit().await?;
        }
        Ok(renewed)
    }

    async fn end_job(
        &self,
        key: JobKey,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(job) = jobs::load(&mut tx, key).await? else { return Ok(None) };
        let left = job.ended(by, end, now);
        match &left {
            Some(job) => jobs::write(&mut tx, key, job).await?,
            None => jobs::delete(&mut tx, key).await?,
        }
        tx.commit().await?;
        Ok(left)
    }

    async fn expire_jobs(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let running = jobs::running(&mut tx).await?;
        let expired = running.len() as u64;
        for ListedJob { key, mut job } in running {
            job.expire(now);
            jobs::write(&mut tx, key, &job).await?;
        }
        tx.commit().await?;
        Ok(expired)
    }

    async fn job(&self, key: JobKey) -> Result<Option<Job>, StoreError> {
        let mut tx = self.reader.begin().await?;
        jobs::load(&mut tx, key).await
    }
}

//! Carries out what the ledger's rules decide: load, ask, write, in one transaction.

use ledger::jobs::{JobEnd, Worker};
use ledger::rules::decide;
use ledger::{Append, Appended, Applied, Command, Job, JobKind, Ledger, Refused, Session};
use protocol::{Digest, Event, Seq, SessionId, SessionStatus, UnixMillis};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::events::{self, NewEvent};
use super::rows::{self, signed};
use super::{ROWS_PER_STATEMENT, Store, StoreError, Tx, jobs, ruled};

impl Store {
    /// Carries out a command; what is refused is an error.
    pub async fn carry_out(
        &self,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> Result<Applied, StoreError> {
        Ok(self.apply(id, command, now).await??)
    }

    /// Carries out many commands in one transaction. One that is refused is no matter to the others.
    pub async fn carry_out_all(
        &self,
        commands: &[(SessionId, Command)],
        now: UnixMillis,
    ) -> Result<Vec<Result<Applied, Refused>>, StoreError> {
        self.noting(async {
            let mut tx = self.begin().await?;
            let ids: Vec<SessionId> = commands.iter().map(|(id, _)| *id).collect();
            let mut sessions = ruled::load_all(&mut tx, &ids).await?;
            let mut results = Vec::with_capacity(commands.len());
            for (id, command) in commands {
                let before = sessions.get(id).cloned();
                let applied = self.decide_in(&mut tx, *id, before, command, now).await?;
                if let Ok(applied) = &applied {
                    sessions.insert(*id, applied.after.clone());
                }
                results.push(applied);
            }
            tx.commit().await?;
            Ok(results)
        })
        .await
    }

    /// As part of a transaction.
    pub(super) async fn apply_in(
        &self,
        tx: &mut Tx,
        id: SessionId,
        command: &Command,
        now: UnixMillis,
    ) -> Result<Result<Applied, Refused>, StoreError> {
        let before = ruled::load(tx, id).await?;
        self.decide_in(tx, id, before, command, now).await
    }

    async fn decide_in(
        &self,
        tx: &mut Tx,
        id: SessionId,
        before: Option<Session>,
        command: &Command,
        now: UnixMillis,
    ) -> Result<Result<Applied, Refused>, StoreError> {
        let change = match decide(before.as_ref(), command, now, &self.policy) {
            Ok(change) => change,
            Err(refused) => return Ok(Err(refused)),
        };
        match &before {
            None => ruled::insert(tx, id, &change.after, command, now).await?,
            Some(before) if *before == change.after => {}
            Some(before) => {
                ruled::write(tx, id, before, &change.after, &change.events, now).await?;
            }
        }
        for event in &change.events {
            log(tx, id, now, event.clone()).await?;
        }
        for wanted in &change.jobs {
            jobs::want(tx, id, *wanted, now).await?;
        }
        Ok(Ok(Applied { before, after: change.after, events: change.events }))
    }
}

/// What the session goes through is logged in the transaction that puts it through it.
pub(super) async fn log(
    tx: &mut Tx,
    session: SessionId,
    at: UnixMillis,
    event: Event,
) -> Result<(), StoreError> {
    events::log(tx, &NewEvent { session, at, place: None, event }).await
}

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
        let stored = digests(&mut tx, &keys).await?;
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
    ) -> Result<Option<(SessionId, Job)>, StoreError> {
        self.claim_job(kind, by, now).await
    }

    async fn renew(
        &self,
        id: SessionId,
        kind: JobKind,
        by: Worker,
        progress: u16,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.renew_job(id, kind, by, progress, now).await
    }

    async fn end_job(
        &self,
        id: SessionId,
        kind: JobKind,
        by: Worker,
        end: JobEnd,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        self.end_try(id, kind, by, end, now).await
    }

    async fn expire_jobs(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.expire_leases(now).await
    }

    async fn job(&self, id: SessionId, kind: JobKind) -> Result<Option<Job>, StoreError> {
        let mut tx = self.reader.begin().await?;
        jobs::load(&mut tx, id, kind).await
    }
}

pub(super) type Stored = std::collections::HashMap<(SessionId, Seq), Digest>;

/// What is stored under some numbers.
pub(super) async fn digests(tx: &mut Tx, keys: &[(SessionId, Seq)]) -> Result<Stored, StoreError> {
    let mut stored = Stored::with_capacity(keys.len());
    for keys in keys.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT session_id, seq, digest FROM items WHERE (session_id, seq) IN (",
        );
        query.push_values(keys, |mut row, (session, seq)| {
            row.push_bind(session.as_bytes().as_slice()).push_bind(signed(seq.get()));
        });
        query.push(")");
        for row in query.build().fetch_all(&mut **tx).await? {
            let session = rows::session_id(row.try_get("session_id")?)?;
            let seq = Seq::new(rows::unsigned(row.try_get("seq")?));
            stored.insert((session, seq), rows::digest(row.try_get("digest")?)?);
        }
    }
    Ok(stored)
}

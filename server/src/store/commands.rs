//! Carries out what the ledger's rules decide: load, ask, write, in one transaction.

use ledger::rules::decide;
use ledger::{Applied, Command, JobKey, Ledger as _, Refused, Session};
use protocol::{Event, SessionId, UnixMillis};

use super::events::{self, NewEvent};
use super::{Store, StoreError, Tx, jobs, ruled};

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
        let mut due = Vec::with_capacity(change.jobs.len());
        for wanted in change.jobs {
            let key = JobKey::new(id, wanted.work);
            match wanted.made_of(jobs::load(tx, key).await?, now) {
                Ok(job) => due.push((key, job)),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        match &before {
            None => ruled::insert(tx, id, &change.after, command, now).await?,
            Some(before) if *before == change.after => {}
            Some(before) => {
                ruled::write(tx, id, before, &change.after, &change.events, now).await?;
            }
        }
        let told =
            |event: &Event| NewEvent { session: id, at: now, place: None, event: event.clone() };
        events::log(tx, &change.events.iter().map(told).collect::<Vec<_>>()).await?;
        for (key, job) in &due {
            jobs::write(tx, *key, job).await?;
        }
        Ok(Ok(Applied { before, after: change.after, events: change.events }))
    }
}

//! Work that is due: whose it is, how often it is tried, and when it is given up.

use super::*;

pub(super) async fn a_job_is_one_workers_at_a_time<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.finalizing().await?;
    same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
    same("the second", trial.claim(Worker(2), at(1_000)).await?, None)?;
    let renew = |by, now| trial.ledger.renew(trial.id, JobKind::Assemble, by, 500, now);
    let late = at(1_000).plus(JOB_LEASE);
    let renewed = renew(Worker(1), late).await.map_err(|error| format!("{error:?}"))?;
    same("it still works on it", renewed, true)?;
    let renewed = renew(Worker(2), late).await.map_err(|error| format!("{error:?}"))?;
    same("somebody else does", renewed, false)?;
    trial.end(Worker(2), JobEnd::Done, late).await?;
    let running = JobState::Running { by: Worker(1), until: late.plus(JOB_LEASE) };
    same("the job", trial.job_state(JobKind::Assemble).await?, Some(running))?;
    trial.end(Worker(1), JobEnd::Postponed("no room".into()), late).await?;
    same("at once", trial.claim(Worker(2), late).await?, None)?;
    let a_second_later = late.plus(Millis::from_secs(1));
    same("a second later", trial.claim(Worker(2), a_second_later).await?, Some(1))
}

pub(super) async fn a_job_that_is_wanted_while_it_runs_is_done_once_more<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    trial.done(Command::CheckDeadline, at(31_000)).await?;
    same("the first", trial.claim(Worker(1), at(31_000)).await?, Some(1))?;
    trial.done(finish(writer(1), Some(2)), at(32_000)).await?;
    trial.end(Worker(1), JobEnd::Done, at(33_000)).await?;
    same("once more", trial.claim(Worker(1), at(33_000)).await?, Some(1))?;
    trial.end(Worker(1), JobEnd::Done, at(34_000)).await?;
    same("never more", trial.claim(Worker(1), at(35_000)).await?, None)
}

pub(super) async fn a_job_that_never_ends_is_poison<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.finalizing().await?;
    let mut now = at(1_000);
    for tries in 1..=JOB_TRIES_MAX + 1 {
        same("the try", trial.claim(Worker(tries.into()), now).await?, Some(tries))?;
        same("at once again", trial.claim(Worker(9), now).await?, None)?;
        now = now.plus(Millis::from_secs(3_600));
    }
    let failed = JobEnd::Failed("it ended the server".into());
    trial.end(Worker(u64::from(JOB_TRIES_MAX) + 1), failed, now).await?;
    let assemble = || trial.job_state(JobKind::Assemble);
    same("the job", assemble().await?, Some(JobState::Stopped))?;
    trial.done(recording_failed(), now).await?;
    trial.done(finish(writer(1), Some(2)), now).await?;
    let tries = trial.claim(Worker(1), now).await?;
    same("if the candidate asks", tries, Some(JOB_TRIES_MAX + 2))?;
    trial.end(Worker(1), JobEnd::Failed("the same".into()), now).await?;
    trial.done(recording_failed(), now).await?;
    trial.done(finish(By::Reviewer, None), now).await?;
    let tries = trial.claim(Worker(1), now).await?;
    same("if a reviewer asks", tries, Some(JOB_TRIES_MAX))
}

pub(super) async fn a_job_of_a_server_that_is_gone_is_free_again<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
    let expired = trial.ledger.expire_jobs(at(2_000)).await;
    same("expired", expired.map_err(|error| format!("{error:?}"))?, 1)?;
    same("at once", trial.claim(Worker(2), at(2_000)).await?, None)?;
    same("after the wait", trial.claim(Worker(2), at(4_000)).await?, Some(2))
}

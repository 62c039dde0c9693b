//! Work that is due: whose it is, how often it is tried, and when it is given up.

use super::*;

pub(super) async fn a_job_is_one_workers_at_a_time<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.finalizing().await?;
    same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
    same("the second", trial.claim(Worker(2), at(1_000)).await?, None)?;
    let key = JobKey::new(trial.id, Work::Assemble);
    let renew = |by, now| trial.ledger.renew(key, by, 500, now);
    let late = at(1_000).plus(JOB_LEASE);
    let renewed = renew(Worker(1), late).await.map_err(|error| format!("{error:?}"))?;
    same("it still works on it", renewed, true)?;
    let renewed = renew(Worker(2), late).await.map_err(|error| format!("{error:?}"))?;
    same("somebody else does", renewed, false)?;
    trial.end(Worker(2), JobEnd::Done, late).await?;
    let running = JobState::Running { by: Worker(1), until: late.plus(JOB_LEASE) };
    same("the job", trial.job_state(Work::Assemble).await?, Some(running))?;
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
    let now = trial.gives_up(Work::Assemble, at(1_000)).await?;
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

pub(super) async fn only_a_job_that_was_given_up_is_retried<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let work = Work::Waveform;
    let retry = || Command::Retry { work };
    trial.refused(retry(), at(0), Refused::UnknownSession).await?;
    trial.finalizing().await?;
    trial.refused(retry(), at(1_500), Refused::NoJob).await?;
    let before = trial.made(SessionStatus::Finalizing).await?.after;
    trial.refused(retry(), at(2_500), Refused::NotGivenUp).await?;
    same("it is begun", trial.claim_of(work, Worker(1), at(3_000)).await?, Some(1))?;
    trial.refused(retry(), at(3_500), Refused::NotGivenUp).await?;
    trial.end_of(work, Worker(1), JobEnd::Done, at(4_000)).await?;
    same("nobody asked for it", trial.job_state(work).await?, None)?;
    trial.done(Command::Want { beside: Beside::Waveform }, at(5_000)).await?;
    let now = trial.gives_up(work, at(5_000)).await?;
    let retried = trial.done(retry(), now).await?;
    same("nothing else changed", (retried.after, retried.events), (before, Vec::new()))?;
    let tries = trial.claim_of(work, Worker(1), now).await?;
    same("it is tried once more", tries, Some(JOB_TRIES_MAX))
}

pub(super) async fn a_session_that_failed_with_its_recording_is_finished_once_more_by_a_retry<
    L: Ledger,
>(
    trial: &Trial<'_, L>,
) -> Holds {
    let retry = || Command::Retry { work: Work::Assemble };
    trial.finalizing().await?;
    same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
    let failed = trial.done(recording_failed(), at(1_000)).await?.after;
    trial.end(Worker(1), JobEnd::Done, at(1_000)).await?;
    trial.refused(retry(), at(1_500), Refused::NoJob).await?;
    same("nothing changed", trial.session().await?, failed)?;
    trial.done(finish(writer(1), Some(2)), at(2_000)).await?;
    let now = trial.gives_up(Work::Assemble, at(2_000)).await?;
    trial.done(recording_failed(), now).await?;
    let retried = trial.done(retry(), now).await?;
    same("the status", retried.after.status, SessionStatus::Finalizing)?;
    same("the deadline", retried.after.deadline, None)?;
    same("the last item", retried.after.last_seq, Some(Seq::new(2)))?;
    let asked = Event::FinishAsked { by: Asker::Reviewer, last_seq: None };
    same("the events", retried.events, vec![asked])?;
    same("as it is found", trial.session().await?, retried.after)?;
    same("it is tried once more", trial.claim(Worker(1), now).await?, Some(JOB_TRIES_MAX))
}

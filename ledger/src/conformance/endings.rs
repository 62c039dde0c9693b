//! How a session ends: finished, failed, thrown away, deleted.

use super::*;

pub(super) async fn it_is_not_finished_while_items_are_missing<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.stores([0, 2]).await?;
    let missing = Refused::Missing([1, 3].map(Seq::new).into_iter().collect());
    trial.refused(finish(writer(1), Some(3)), at(1), missing).await?;
    same("the status", trial.status().await?, SessionStatus::Active)?;
    trial.stores([1, 3]).await?;
    let done = trial.done(finish(writer(1), Some(3)), at(2)).await?;
    same("the status", done.after.status, SessionStatus::Finalizing)?;
    same("the last item", done.after.last_seq, Some(Seq::new(3)))?;
    let assemble = trial.job_state(Work::Assemble).await?;
    same("a recording", assemble, Some(JobState::Waiting))
}

pub(super) async fn it_is_finished_without_what_is_lost<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    trial.stores([0, 2]).await?;
    let lost = seqs(1..=1);
    let finish = Command::Finish { by: writer(1), last_seq: Some(Seq::new(2)), lost };
    let done = trial.done(finish, at(1)).await?;
    same("the status", done.after.status, SessionStatus::Finalizing)?;
    same("what is missing", done.after.missing(), seqs(1..=1))
}

pub(super) async fn a_finish_far_above_what_came_is_refused<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.stores([0]).await?;
    let last = POLICY.seq_ahead_max + 1;
    let finish = |last| Command::Finish {
        by: writer(1),
        last_seq: Some(Seq::new(last)),
        lost: SeqSet::up_to(Seq::new(last)),
    };
    trial.refused(finish(last + 1), at(1), Refused::TooFarAhead).await?;
    trial.done(finish(last), at(1)).await.map(drop)
}

pub(super) async fn finishing_twice_is_no_error<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.finalizing().await?;
    let again = trial.done(finish(writer(1), Some(2)), at(1_500)).await?;
    same("the status", again.after.status, SessionStatus::Finalizing)?;
    same("the events", again.events, Vec::new())?;
    let made = trial.made(SessionStatus::Finalizing).await?;
    let again = trial.done(finish(writer(1), Some(2)), at(3_000)).await?;
    same("once it is completed", again.after, made.after)
}

pub(super) async fn a_failed_session_may_be_finished_again_and_expires<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    let failed = trial.done(recording_failed(), at(2_000)).await?;
    same("the status", failed.after.status, SessionStatus::Failed)?;
    let expires = at(2_000).plus(POLICY.failed_kept);
    same("the deadline", failed.after.deadline, Some(expires))?;
    let again = trial.done(finish(writer(1), Some(2)), at(3_000)).await?;
    same("the status", again.after.status, SessionStatus::Finalizing)?;
    same("the deadline", again.after.deadline, None)?;
    trial.done(recording_failed(), at(2_000)).await?;
    trial.done(Command::CheckDeadline, UnixMillis::new(expires.get() - 1)).await?;
    same("the status", trial.status().await?, SessionStatus::Failed)?;
    trial.done(Command::CheckDeadline, expires).await?;
    same("in the end", trial.status().await?, SessionStatus::Discarded)
}

pub(super) async fn what_is_completed_cannot_be_discarded<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    let discard = || Command::Discard { by: By::Reviewer };
    let illegal = trial.apply(discard(), at(1_500)).await?;
    same("while it is finalizing", matches!(illegal, Err(Refused::Illegal(_))), true)?;
    let made = trial.made(SessionStatus::Finalizing).await?;
    let illegal = trial.apply(discard(), at(3_000)).await?;
    same("once it is completed", matches!(illegal, Err(Refused::Illegal(_))), true)?;
    same("nothing changed", trial.session().await?, made.after)
}

pub(super) async fn a_discarded_session_is_closed_and_erased_in_the_end<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.stores(0..3).await?;
    let discarded = trial.done(Command::Discard { by: writer(1) }, at(1_000)).await?;
    same("the status", discarded.after.status, SessionStatus::Discarded)?;
    same("the events", discarded.events, vec![Event::Discarded])?;
    let erase = trial.job_state(Work::Erase).await?;
    same("erasing", erase, Some(JobState::Waiting))?;
    let again = trial.done(Command::Discard { by: writer(1) }, at(2_000)).await?;
    same("once more", (again.after, again.events), (discarded.after.clone(), Vec::new()))?;
    let transport = Transport::WebSocket;
    let open = Command::Open { token: TOKEN, opening: Opening::Existing, transport };
    trial.refused(open, at(2_000), Refused::Discarded).await?;
    let refused = trial.verdict(writer(1), item(3)).await?;
    same("an item", refused, Verdict::Refused(ItemError::SessionFinished))?;
    let playable = recording_playable(SessionStatus::Finalizing);
    trial.refused(playable, at(2_000), Refused::RecordingOutdated).await?;
    let gone = at(1_000).plus(POLICY.discarded_kept);
    same("the deadline", discarded.after.deadline, Some(gone))?;
    let checked = trial.done(Command::CheckDeadline, gone).await?;
    same("the deadline", checked.after.deadline, None)
}

pub(super) async fn any_session_can_be_deleted<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.finalizing().await?;
    trial.made(SessionStatus::Finalizing).await?;
    let deleted = trial.done(Command::Delete, at(3_000)).await?;
    same("the status", deleted.after.status, SessionStatus::Discarded)?;
    same("the deadline", deleted.after.deadline, Some(at(3_000)))?;
    same("it can be played", deleted.after.playable, false)?;
    let erase = trial.job_state(Work::Erase).await?;
    same("erasing", erase, Some(JobState::Waiting))
}

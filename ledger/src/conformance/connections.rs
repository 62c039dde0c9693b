//! Connections that come and go, and what their absence leads to.

use super::*;

pub(super) async fn a_lost_connection_interrupts_only_its_own_writers_session<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.open(Opening::Existing, at(10)).await?;
    trial.done(lost(1), at(20)).await?;
    same("after the older one", trial.status().await?, SessionStatus::Active)?;
    let applied = trial.done(lost(2), at(30)).await?;
    same("the status", applied.after.status, SessionStatus::Interrupted)?;
    same("away since", applied.after.away_since, Some(at(30)))?;
    same("the deadline", applied.after.deadline, Some(at(30).plus(POLICY.grace)))?;
    let event = Event::ConnectionLost { cause: LossCause::Broken };
    same("the events", applied.events, vec![event])?;
    let again = trial.done(lost(2), at(40)).await?;
    same("once more", again.after, applied.after)
}

pub(super) async fn silence_interrupts_an_active_session<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    trial.done(Command::Heartbeat { by: writer(1) }, at(50)).await?;
    let silent = |since| trial.ledger.silent(Some(since), 10);
    let found = silent(at(49)).await.map_err(|error| format!("{error:?}"))?;
    same("silent before the last sign of life", found, Vec::new())?;
    trial.done(Command::NoteSilence { since: Some(at(49)) }, at(100)).await?;
    same("the status", trial.status().await?, SessionStatus::Active)?;
    let found = silent(at(50)).await.map_err(|error| format!("{error:?}"))?;
    same("silent since then", found, vec![trial.id])?;
    let noted = trial.done(Command::NoteSilence { since: Some(at(50)) }, at(100)).await?;
    same("the status", noted.after.status, SessionStatus::Interrupted)?;
    same("away since", noted.after.away_since, Some(at(50)))?;
    same("the deadline", noted.after.deadline, Some(at(100).plus(POLICY.grace)))?;
    let found = silent(at(200)).await.map_err(|error| format!("{error:?}"))?;
    same("silent once it is interrupted", found, Vec::new())
}

pub(super) async fn a_server_that_starts_interrupts_whatever_was_active<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let found = trial.ledger.silent(None, 10).await.map_err(|error| format!("{error:?}"))?;
    same("active", found, vec![trial.id])?;
    let noted = trial.done(Command::NoteSilence { since: None }, at(1)).await?;
    same("the status", noted.after.status, SessionStatus::Interrupted)?;
    let event = Event::ConnectionLost { cause: LossCause::ServerGone };
    same("the events", noted.events, vec![event])
}

pub(super) async fn a_writer_that_comes_back_makes_the_session_active_again<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    let back = trial.open(Opening::Existing, at(5_000)).await?;
    same("the status", back.after.status, SessionStatus::Active)?;
    same("the deadline", back.after.deadline, None)?;
    same("away since", back.after.away_since, None)?;
    same("heard at", back.after.heard_at, at(5_000))?;
    let resumed = Event::Resumed { away_ms: Millis::new(4_000), within_grace: true };
    same("the events", back.events, vec![resumed])?;
    trial.done(lost(2), at(6_000)).await?;
    trial.done(Command::CheckDeadline, at(36_000)).await?;
    same("after the grace period", trial.status().await?, SessionStatus::Incomplete)?;
    let back = trial.open(Opening::Existing, at(66_000)).await?;
    same("the status", back.after.status, SessionStatus::Active)?;
    same("the deadline", back.after.deadline, None)?;
    let resumed = Event::Resumed { away_ms: Millis::new(60_000), within_grace: false };
    same("the events", back.events, vec![resumed])
}

pub(super) async fn a_sign_of_life_makes_the_session_active_again<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    let back = trial.done(Command::Heartbeat { by: writer(1) }, at(2_000)).await?;
    same("the status", back.after.status, SessionStatus::Active)?;
    same("the deadline", back.after.deadline, None)?;
    same("heard at", back.after.heard_at, at(2_000))?;
    // A clock that goes back makes nobody silent.
    let back = trial.done(Command::Heartbeat { by: writer(1) }, at(1_500)).await?;
    same("heard at", back.after.heard_at, at(2_000))
}

pub(super) async fn what_comes_over_http_leaves_the_connection_alone<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    let before = trial.session().await?;
    for opening in [Opening::Joining { epoch: Epoch::new(1) }, Opening::Existing] {
        let transport = Transport::Http;
        let open = Command::Open { token: TOKEN, opening, transport };
        let opened = trial.done(open, at(2_000)).await?;
        let expected = Session { epoch: opened.after.epoch, ..before.clone() };
        same("the session", opened.after, expected)?;
        same("the events", opened.events, Vec::new())?;
    }
    let newest = trial.session().await?;
    same("its epoch", newest.epoch, Epoch::new(2))?;
    trial.append(writer(2), vec![item(3)]).await?.map_err(|refused| refused.to_string())?;
    trial.append(candidate(None), vec![item(4)]).await?.map_err(|one| one.to_string())?;
    let after = trial.session().await?;
    same("the items", after.have.clone(), seqs(0..=4))?;
    let link = |one: &Session| (one.status, one.heard_at, one.away_since, one.deadline);
    same("its connection", link(&after), link(&before))
}

pub(super) async fn items_of_a_connection_are_signs_of_life<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let heard_at = async || Ok::<_, String>(trial.session().await?.heard_at);
    let append = async |transport, seq, now| {
        let appended = trial.append_over(transport, writer(1), vec![item(seq)], now).await?;
        appended.map(drop).map_err(|refused| refused.to_string())
    };
    append(Transport::WebSocket, 0, at(7_000)).await?;
    same("after an item", heard_at().await?, at(7_000))?;
    append(Transport::Http, 1, at(8_000)).await?;
    same("after one over HTTP", heard_at().await?, at(7_000))?;
    // A clock that was set back does not make it older.
    append(Transport::WebSocket, 2, at(1_000)).await?;
    same("after one by a clock that went back", heard_at().await?, at(7_000))
}

pub(super) async fn grace_and_resume_window_end_at_their_deadlines<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    let grace_over = at(1_000).plus(POLICY.grace);
    let due = |now| trial.ledger.due(now, 10);
    let just_before = UnixMillis::new(grace_over.get() - 1);
    let found = due(just_before).await.map_err(|error| format!("{error:?}"))?;
    same("due before", found, Vec::new())?;
    trial.done(Command::CheckDeadline, just_before).await?;
    same("the status", trial.status().await?, SessionStatus::Interrupted)?;
    let found = due(grace_over).await.map_err(|error| format!("{error:?}"))?;
    same("due then", found, vec![trial.id])?;
    let over = trial.done(Command::CheckDeadline, grace_over).await?;
    same("the status", over.after.status, SessionStatus::Incomplete)?;
    same("the events", over.events, vec![Event::GraceOver])?;
    let window_over = grace_over.plus(POLICY.resume_window);
    same("the deadline", over.after.deadline, Some(window_over))?;
    trial.done(Command::CheckDeadline, UnixMillis::new(window_over.get() - 1)).await?;
    same("the status", trial.status().await?, SessionStatus::Incomplete)?;
    let over = trial.done(Command::CheckDeadline, window_over).await?;
    same("the status", over.after.status, SessionStatus::Finalizing)?;
    same("the events", over.events, vec![Event::ResumeWindowOver])?;
    same("the deadline", over.after.deadline, None)
}

pub(super) async fn a_recording_is_due_in_the_moment_when_the_grace_period_ends<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    let assemble = || trial.job_state(Work::Assemble);
    same("before", assemble().await?, None)?;
    trial.done(Command::CheckDeadline, at(31_000)).await?;
    same("then", assemble().await?, Some(JobState::Waiting))?;
    same("it is begun", trial.claim(Worker(1), at(31_000)).await?, Some(1))?;
    trial.end(Worker(1), JobEnd::Done, at(32_000)).await?;
    same("once it is done", assemble().await?, None)?;
    let window_over = at(31_000).plus(POLICY.resume_window);
    trial.done(Command::CheckDeadline, window_over).await?;
    same("after the resume window", assemble().await?, Some(JobState::Waiting))
}

pub(super) async fn a_session_that_was_never_used_is_erased<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.done(lost(1), at(0)).await?;
    trial.done(Command::CheckDeadline, at(30_000)).await?;
    same("a recording", trial.job_state(Work::Assemble).await?, None)?;
    same("the status", trial.status().await?, SessionStatus::Incomplete)?;
    let over = trial.done(Command::CheckDeadline, at(30_000).plus(POLICY.resume_window));
    same("the status", over.await?.after.status, SessionStatus::Discarded)?;
    let erase = trial.job_state(Work::Erase).await?;
    same("erasing", erase, Some(JobState::Waiting))
}

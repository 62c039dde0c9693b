//! What a recording does to its session, and what is made of it.

use super::*;

pub(super) async fn only_a_recording_of_everything_completes_a_session<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    for command in [
        recording_playable(SessionStatus::Active),
        recording_done(SessionStatus::Active),
        recording_done(SessionStatus::Incomplete),
    ] {
        trial.refused(command, at(2_000), Refused::RecordingOutdated).await?;
    }
    same("the status", trial.status().await?, SessionStatus::Finalizing)?;
    let made = trial.made(SessionStatus::Finalizing).await?;
    same("the status", made.after.status, SessionStatus::Completed)?;
    same("it can be played", made.after.playable, true)?;
    let complete = |event: &Event| matches!(event, Event::RecordingMade { complete: true, .. });
    same("it is told", made.events.iter().any(complete), true)?;
    let release = trial.job_state(Work::Release).await?;
    same("its chunks may go", release, Some(JobState::Waiting))
}

pub(super) async fn a_recording_of_a_session_that_goes_on_changes_no_status<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.left_alone().await?;
    trial.done(Command::CheckDeadline, at(31_000)).await?;
    let made = trial.made(SessionStatus::Incomplete).await?;
    same("the status", made.after.status, SessionStatus::Incomplete)?;
    same("it can be played", made.after.playable, true)?;
    same("its chunks may go", trial.job_state(Work::Release).await?, None)?;
    let failed = trial.done(recording_failed(), at(32_000)).await?;
    same("once another one failed", failed.after.status, SessionStatus::Incomplete)
}

pub(super) async fn a_recording_of_everything_is_drawn_and_its_sounds_are_mixed<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let waiting = Some(JobState::Waiting);
    for (sounds, drawn, mixed) in [(0, None, None), (1, waiting, None), (2, waiting, waiting)] {
        let id = SessionId::from_parts(START, [sounds as u8; 10]);
        let of_another = Trial { ledger: trial.ledger, id };
        of_another.finalizing().await?;
        let began_in = SessionStatus::Finalizing;
        of_another.done(recording_done_of(sounds, began_in), at(2_000)).await?;
        let told = |what| format!("{what} a recording of {sounds} sounds");
        same(&told("drawing"), of_another.job_state(Work::Waveform).await?, drawn)?;
        same(&told("mixing"), of_another.job_state(Work::Mix).await?, mixed)?;
    }
    trial.left_alone().await?;
    trial.done(Command::CheckDeadline, at(31_000)).await?;
    let began_in = SessionStatus::Incomplete;
    trial.done(recording_playable(began_in), at(32_000)).await?;
    trial.done(recording_done_of(2, began_in), at(32_000)).await?;
    same("drawing half of it", trial.job_state(Work::Waveform).await?, None)?;
    same("mixing half of it", trial.job_state(Work::Mix).await?, None)
}

pub(super) async fn what_is_missing_beside_a_recording_is_made_again<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let want = |beside| Command::Want { beside };
    let both = [Beside::Waveform, Beside::Mix];
    for beside in both {
        trial.refused(want(beside), at(0), Refused::UnknownSession).await?;
    }
    trial.left_alone().await?;
    for beside in both {
        trial.refused(want(beside), at(2_000), Refused::NoRecording).await?;
    }
    let began_in = SessionStatus::Interrupted;
    let before = trial.done(recording_playable(began_in), at(2_000)).await?.after;
    let jobs = async || {
        let drawing = trial.job_state(Work::Waveform).await?;
        Ok::<_, String>((drawing, trial.job_state(Work::Mix).await?))
    };
    trial.done(want(Beside::Waveform), at(3_000)).await?;
    same("once it is to be drawn", jobs().await?, (Some(JobState::Waiting), None))?;
    let wanted = trial.done(want(Beside::Mix), at(3_000)).await?;
    let waiting = Some(JobState::Waiting);
    same("once it is to be mixed, too", jobs().await?, (waiting, waiting))?;
    same("nothing else changed", (wanted.after, wanted.events), (before, Vec::new()))?;
    trial.done(Command::Delete, at(4_000)).await?;
    for beside in both {
        trial.refused(want(beside), at(5_000), Refused::NoRecording).await?;
    }
    Ok(())
}

pub(super) async fn each_form_of_a_completed_recording_is_a_job_of_its_own<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let want = |format| Command::Want { beside: Beside::Export(format) };
    let (mp3, ogg) = (Work::Export(Format::Mp3), Work::Export(Format::Ogg));
    trial.refused(want(Format::Mp3), at(0), Refused::UnknownSession).await?;
    trial.finalizing().await?;
    trial.refused(want(Format::Mp3), at(1_500), Refused::NoRecording).await?;
    let began_in = SessionStatus::Finalizing;
    trial.done(recording_playable(began_in), at(2_000)).await?;
    trial.refused(want(Format::Mp3), at(2_000), Refused::NotCompleted).await?;
    let before = trial.done(recording_done(began_in), at(2_000)).await?.after;
    let states =
        async || Ok::<_, String>((trial.job_state(mp3).await?, trial.job_state(ogg).await?));
    let waiting = Some(JobState::Waiting);
    let wanted = trial.done(want(Format::Mp3), at(3_000)).await?;
    same("nothing else changed", (wanted.after, wanted.events), (before, Vec::new()))?;
    same("once one is asked for", states().await?, (waiting, None))?;
    same("it is begun", trial.claim_of(mp3, Worker(1), at(3_000)).await?, Some(1))?;
    trial.done(want(Format::Ogg), at(4_000)).await?;
    same("another one is begun", trial.claim_of(ogg, Worker(2), at(4_000)).await?, Some(1))?;
    trial.end_of(mp3, Worker(1), JobEnd::Done, at(5_000)).await?;
    let running = Some(JobState::Running { by: Worker(2), until: at(4_000).plus(JOB_LEASE) });
    same("once the first is made", states().await?, (None, running))?;
    trial.done(Command::Delete, at(6_000)).await?;
    trial.refused(want(Format::Mp3), at(6_000), Refused::NoRecording).await
}

pub(super) async fn an_export_that_was_given_up_is_tried_again_by_whoever_asks_for_it<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    trial.made(SessionStatus::Finalizing).await?;
    trial.claim_of(Work::Waveform, Worker(1), at(2_000)).await?;
    trial.end_of(Work::Waveform, Worker(1), JobEnd::Done, at(2_000)).await?;
    for (beside, tries) in [
        (Beside::Export(Format::Mp3), JOB_TRIES_MAX),
        // The page asks for it that shows the recording.
        (Beside::Waveform, JOB_TRIES_MAX + 2),
    ] {
        trial.done(Command::Want { beside }, at(3_000)).await?;
        let now = trial.gives_up(beside.work(), at(3_000)).await?;
        trial.done(Command::Want { beside }, now).await?;
        let begun = trial.claim_of(beside.work(), Worker(1), now).await?;
        same(&format!("{beside:?}, asked for again"), begun, Some(tries))?;
    }
    Ok(())
}

//! What a recording does to its session, and what is made of it.

use super::*;

pub(super) async fn only_a_recording_of_everything_completes_a_session<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    for command in [
        Command::RecordingPlayable { began_in: SessionStatus::Active },
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
    let release = trial.job_state(JobKind::Release).await?;
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
    same("its chunks may go", trial.job_state(JobKind::Release).await?, None)?;
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
        same(&told("drawing"), of_another.job_state(JobKind::Waveform).await?, drawn)?;
        same(&told("mixing"), of_another.job_state(JobKind::Mix).await?, mixed)?;
    }
    trial.left_alone().await?;
    trial.done(Command::CheckDeadline, at(31_000)).await?;
    let began_in = SessionStatus::Incomplete;
    trial.done(Command::RecordingPlayable { began_in }, at(32_000)).await?;
    trial.done(recording_done_of(2, began_in), at(32_000)).await?;
    same("drawing half of it", trial.job_state(JobKind::Waveform).await?, None)?;
    same("mixing half of it", trial.job_state(JobKind::Mix).await?, None)
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
    let before = trial.done(Command::RecordingPlayable { began_in }, at(2_000)).await?.after;
    let jobs = async || {
        let drawing = trial.job_state(JobKind::Waveform).await?;
        Ok::<_, String>((drawing, trial.job_state(JobKind::Mix).await?))
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

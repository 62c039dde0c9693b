//! What is claimed of items that come when the recording is being made, or is there.

use super::*;
use crate::limits::{LATE_QUIET, LATE_QUIET_MAX};

impl<L: Ledger> Trial<'_, L> {
    /// Completed at 2 s, with the items 0..=2.
    async fn completed(&self) -> Holds {
        self.finalizing().await?;
        self.made(SessionStatus::Finalizing).await.map(drop)
    }

    async fn stores_at(&self, seq: u64, now: UnixMillis) -> Holds {
        let appended = self.append_over(Transport::Http, writer(1), vec![item(seq)], now).await?;
        same("an item", appended, Ok(vec![(Seq::new(seq), Verdict::Stored)]))
    }

    async fn supplement_due(&self) -> Result<Option<UnixMillis>, String> {
        let job = self.ledger.job(JobKey::new(self.id, Work::Supplement)).await;
        let job = job.map_err(|error| format!("{error:?}"))?;
        Ok(job.and_then(|job| job.may_begin_at()))
    }

    async fn claim_supplement(&self, now: UnixMillis) -> Result<bool, String> {
        Ok(self.claim_of(Work::Supplement, Worker(1), now).await?.is_some())
    }

    async fn end_supplement(&self, now: UnixMillis) -> Holds {
        self.end_of(Work::Supplement, Worker(1), JobEnd::Done, now).await
    }
}

fn supplement_made(of: SeqSet) -> Command {
    let (duration, took) = (Millis::from_secs(1), Millis::new(20));
    Command::SupplementMade { of, duration, bytes: 500, took }
}

pub(super) async fn what_comes_after_the_end_is_stored_and_counts_as_late<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    for (seq, status) in [(4, SessionStatus::Finalizing), (5, SessionStatus::Completed)] {
        same("the status", trial.status().await?, status)?;
        trial.stores([seq]).await?;
        same("it again", trial.verdict(writer(1), item(seq)).await?, Verdict::Duplicate)?;
        same("an old item", trial.verdict(writer(1), item(2)).await?, Verdict::Duplicate)?;
        let other = trial.verdict(writer(1), item_with(seq, b"other")).await?;
        same("another one", other, Verdict::Refused(ItemError::DigestConflict))?;
        same("what is late", trial.session().await?.late, seqs(4..=seq))?;
        trial.made(SessionStatus::Finalizing).await?;
    }
    let session = trial.session().await?;
    same("the status", session.status, SessionStatus::Completed)?;
    same("what is missing", session.missing(), seqs(3..=3))?;
    same("what the recording has", session.in_time(), seqs(0..=2))?;
    trial.open(Opening::Existing, at(3_000)).await?;
    let appended = trial.append(writer(1), vec![item(3)]).await?;
    same("an older writer", appended, Err(Refused::Fenced))?;
    same("a tail", trial.verdict(candidate(None), item(3)).await?, Verdict::Stored)?;
    same("the status", trial.status().await?, SessionStatus::Completed)
}

pub(super) async fn what_comes_late_is_bounded_like_what_is_stored<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.completed().await?;
    let far = trial.verdict(writer(1), item(2 + POLICY.seq_ahead_max + 2)).await?;
    same("a number far ahead", far, Verdict::Refused(ItemError::TooFarAhead))?;
    let half = POLICY.session_bytes_max / 2;
    same("half of it", trial.verdict(writer(1), item_counted(3, half)).await?, Verdict::Stored)?;
    let past = trial.verdict(writer(1), item_counted(4, half)).await?;
    same("past the size of a session", past, Verdict::Refused(ItemError::SessionFull))
}

pub(super) async fn late_ranges_without_number_are_refused<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let most = POLICY.holes_max + 1;
    trial.stores((0..most).map(|nth| 2 * nth)).await?;
    trial.done(finish(writer(1), None), at(1_000)).await?;
    // What is stored is one range now.
    trial.stores((0..most).map(|nth| 2 * nth + 1)).await?;
    same("what is stored", trial.session().await?.have.range_count(), 1)?;
    let another = trial.verdict(writer(1), item(2 * most + 1)).await?;
    same("one more range", another, Verdict::Refused(ItemError::TooManyHoles))?;
    let beside = trial.verdict(writer(1), item(2 * most)).await?;
    same("beside the last range", beside, Verdict::Stored)
}

pub(super) async fn a_supplement_is_due_once_nothing_more_comes_late<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.completed().await?;
    same("before", trial.supplement_due().await?, None)?;
    trial.stores_at(3, at(5_000)).await?;
    let first = at(5_000).plus(LATE_QUIET);
    same("after the first", trial.supplement_due().await?, Some(first))?;
    trial.stores_at(4, at(9_000)).await?;
    // What is there already is no reason to wait.
    let again = trial.append_over(Transport::Http, writer(1), vec![item(4)], at(20_000)).await?;
    same("it again", again, Ok(vec![(Seq::new(4), Verdict::Duplicate)]))?;
    let last = at(9_000).plus(LATE_QUIET);
    same("after the last", trial.supplement_due().await?, Some(last))?;
    same("too early", trial.claim_supplement(UnixMillis::new(last.get() - 1)).await?, false)?;
    same("in time", trial.claim_supplement(last).await?, true)?;
    let made = trial.done(supplement_made(seqs(3..=4)), last).await?;
    let told = |event: &Event| matches!(event, Event::SupplementMade { items: 2, .. });
    same("it is told", made.events.iter().any(told), true)?;
    same("the status", made.after.status, SessionStatus::Completed)?;
    same("what is late", made.after.late, seqs(3..=4))?;
    trial.end_supplement(last).await?;
    same("once it is made", trial.supplement_due().await?, None)?;
    let later = last.plus(Millis::from_secs(3_600));
    trial.stores_at(5, later).await?;
    same("much later", trial.supplement_due().await?, Some(later.plus(LATE_QUIET)))
}

pub(super) async fn a_supplement_waits_for_an_endless_stream_only_so_long<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.completed().await?;
    let began = at(5_000);
    let mut now = began;
    for seq in 3.. {
        if now.since(began) > LATE_QUIET_MAX {
            break;
        }
        trial.stores_at(seq, now).await?;
        now = now.plus(Millis::new(LATE_QUIET.get() / 2));
    }
    let at_last = began.plus(LATE_QUIET_MAX);
    same("it is due", trial.supplement_due().await?, Some(at_last))?;
    same("it is begun", trial.claim_supplement(at_last).await?, true)
}

pub(super) async fn what_comes_late_while_the_recording_is_made_waits_for_that<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    trial.stores_at(3, at(1_500)).await?;
    same("before", trial.supplement_due().await?, None)?;
    trial.refused(supplement_made(seqs(3..=3)), at(1_600), Refused::NotCompleted).await?;
    trial.made(SessionStatus::Finalizing).await?;
    same("then", trial.supplement_due().await?, Some(at(2_000).plus(LATE_QUIET)))
}

pub(super) async fn what_comes_late_while_the_supplement_is_made_makes_another<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.completed().await?;
    trial.stores_at(3, at(5_000)).await?;
    let due = at(5_000).plus(LATE_QUIET);
    same("it is begun", trial.claim_supplement(due).await?, true)?;
    let meanwhile = due.plus(Millis::new(100));
    trial.stores_at(4, meanwhile).await?;
    let made = due.plus(Millis::new(200));
    trial.done(supplement_made(seqs(3..=3)), made).await?;
    trial.end_supplement(made).await?;
    same("another", trial.supplement_due().await?, Some(made.plus(LATE_QUIET)))
}

pub(super) async fn a_recording_made_once_more_has_what_was_late<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    trial.stores_at(3, at(1_500)).await?;
    same("what is late", trial.session().await?.late, seqs(3..=3))?;
    let failed = trial.done(recording_failed(), at(2_000)).await?;
    same("what is late then", failed.after.late, SeqSet::new())?;
    trial.stores_at(4, at(3_000)).await?;
    let finished = trial.done(finish(writer(1), Some(4)), at(4_000)).await?;
    same("what the recording has", finished.after.in_time(), seqs(0..=4))?;
    same("a supplement", trial.supplement_due().await?, None)
}

pub(super) async fn what_is_brought_to_a_failed_session_is_kept_like_the_rest<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.done(finish(writer(1), None), at(1_000)).await?;
    let failed = trial.done(recording_failed(), at(2_000)).await?;
    let soon = at(2_000).plus(POLICY.resume_window);
    same("the deadline of nothing", failed.after.deadline, Some(soon))?;
    trial.stores_at(0, at(3_000)).await?;
    let later = Some(at(3_000).plus(POLICY.failed_kept));
    same("the deadline then", trial.session().await?.deadline, later)?;
    // A clock that went back takes nothing away.
    trial.stores_at(1, at(1_000)).await?;
    same("the deadline", trial.session().await?.deadline, later)
}

pub(super) async fn a_recording_that_lacks_items_completes_nothing<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.finalizing().await?;
    trial.done(recording_failed(), at(2_000)).await?;
    trial.stores_at(3, at(3_000)).await?;
    trial.done(finish(writer(1), Some(3)), at(4_000)).await?;
    // It was begun before, by a server that was held up.
    for command in
        [recording_playable(SessionStatus::Finalizing), recording_done(SessionStatus::Finalizing)]
    {
        trial.refused(command, at(5_000), Refused::RecordingOutdated).await?;
    }
    let of = MadeOf { began_in: SessionStatus::Finalizing, items: 4 };
    let (duration, took) = (Millis::from_secs(1), Millis::ZERO);
    let done = Command::RecordingDone { of, duration, bytes: 1_000, took, sounds: 0 };
    let done = trial.done(done, at(6_000)).await?;
    same("one that has them", done.after.status, SessionStatus::Completed)
}

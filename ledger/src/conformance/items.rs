//! What becomes of items.

use super::*;

pub(super) async fn an_item_is_stored_once<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    trial.stores([0]).await?;
    let again = trial.verdict(writer(1), item(0)).await?;
    same("the same again", again, Verdict::Duplicate)?;
    let other = trial.verdict(writer(1), item_with(0, b"other")).await?;
    same("another one", other, Verdict::Refused(ItemError::DigestConflict))?;
    let stored = trial.ledger.digests(trial.id, &[Seq::new(0), Seq::new(1)]).await;
    let stored = stored.map_err(|error| format!("{error:?}"))?;
    same("what is stored", stored, vec![(Seq::new(0), item(0).digest)])
}

pub(super) async fn the_first_of_two_in_one_batch_wins<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    let batch = vec![item(0), item(0), item_with(0, b"other"), item(1)];
    let judged = trial.append(writer(1), batch).await?;
    let verdicts = vec![
        (Seq::new(0), Verdict::Stored),
        (Seq::new(0), Verdict::Duplicate),
        (Seq::new(0), Verdict::Refused(ItemError::DigestConflict)),
        (Seq::new(1), Verdict::Stored),
    ];
    same("verdicts", judged, Ok(verdicts))?;
    let session = trial.session().await?;
    same("bytes", session.payload_bytes, 6)?;
    let two = [2_u64, 3].map(|seq| Append {
        session: trial.id,
        by: writer(1),
        transport: Transport::WebSocket,
        items: vec![item(2), item(seq)],
    });
    let both = trial.ledger.append(&[&two[0], &two[1]], at(1)).await;
    let both = both.map_err(|error| format!("{error:?}"))?;
    let first = vec![(Seq::new(2), Verdict::Stored), (Seq::new(2), Verdict::Duplicate)];
    let second = vec![(Seq::new(2), Verdict::Duplicate), (Seq::new(3), Verdict::Stored)];
    same("two batches at once", both, vec![Ok(first), Ok(second)])
}

pub(super) async fn what_is_stored_is_told_in_ranges_and_sums<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.stores([0, 1, 2, 7, 8]).await?;
    trial.stores([4]).await?;
    let session = trial.session().await?;
    let have: SeqSet = [0, 1, 2, 4, 7, 8].map(Seq::new).into_iter().collect();
    same("what is stored", session.have, have)?;
    same("bytes", session.payload_bytes, 18)?;
    same("the newest", session.captured, Millis::new(800))
}

pub(super) async fn numbers_far_ahead_are_refused<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    let refused = Verdict::Refused(ItemError::TooFarAhead);
    let past = trial.verdict(writer(1), item(POLICY.seq_ahead_max + 1)).await?;
    same("one past the limit", past, refused)?;
    let at_the_limit = trial.verdict(writer(1), item(POLICY.seq_ahead_max)).await?;
    same("at the limit", at_the_limit, Verdict::Stored)?;
    let past = trial.verdict(writer(1), item(2 * POLICY.seq_ahead_max + 2)).await?;
    same("one past the next limit", past, refused)
}

pub(super) async fn holes_without_number_are_refused<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    let most = POLICY.holes_max + 1;
    trial.stores((0..most).map(|nth| 2 * nth)).await?;
    let another = trial.verdict(writer(1), item(2 * most)).await?;
    same("one more range", another, Verdict::Refused(ItemError::TooManyHoles))?;
    let beside = trial.verdict(writer(1), item(2 * most - 1)).await?;
    same("beside the last range", beside, Verdict::Stored)?;
    let filling = trial.verdict(writer(1), item(1)).await?;
    same("between two ranges", filling, Verdict::Stored)?;
    let another = trial.verdict(writer(1), item(2 * most + 2)).await?;
    same("a range where there is room again", another, Verdict::Stored)
}

pub(super) async fn a_session_grows_up_to_its_limit_and_headers_count<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let half = POLICY.session_bytes_max / 2;
    same("half of it", trial.verdict(writer(1), item_counted(0, half)).await?, Verdict::Stored)?;
    let past = trial.verdict(writer(1), item_counted(1, half + 1)).await?;
    same("one byte past the limit", past, Verdict::Refused(ItemError::SessionFull))?;
    let smaller = trial.verdict(writer(1), item_counted(1, half)).await?;
    same("at the limit", smaller, Verdict::Stored)?;
    let header = trial.verdict(writer(1), item_counted(2, 0)).await?;
    same("a header alone", header, Verdict::Refused(ItemError::SessionFull))?;
    let again = trial.verdict(writer(1), item_counted(1, half)).await?;
    same("what is stored", again, Verdict::Duplicate)?;
    same("the status", trial.status().await?, SessionStatus::Active)?;
    same("what is stored", trial.session().await?.have, seqs(0..=1))?;
    trial.done(finish(writer(1), Some(1)), at(1_000)).await.map(drop)
}

//! Who may write a session, and who made it.

use super::*;

pub(super) async fn a_session_is_made_by_its_first_hello_and_by_no_other<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let open = |opening| {
        let transport = Transport::WebSocket;
        Command::Open { token: TOKEN, opening, transport }
    };
    let following = Opening::Following { epoch: Epoch::new(0) };
    let joining = Opening::Joining { epoch: Epoch::new(0) };
    for opening in [Opening::Existing, following, joining] {
        trial.refused(open(opening), at(0), Refused::UnknownSession).await?;
    }
    trial.refused(lost(0), at(0), Refused::UnknownSession).await?;
    trial.refused(finish(By::Reviewer, None), at(0), Refused::UnknownSession).await?;
    let appended = trial.append(writer(0), vec![item(0)]).await?;
    same("an append", appended, Err(Refused::UnknownSession))?;
    let opened = trial.begun().await?;
    same("it is new", opened.is_new(), true)?;
    same("its epoch", opened.after.epoch, Epoch::new(1))?;
    same("its events", opened.events, vec![Event::Created])?;
    same("as it is found", trial.session().await?, opened.after)
}

pub(super) async fn creating_it_again_with_the_same_token_is_no_error<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let first = trial.done(create(TOKEN), at(0)).await?;
    same("it is new", first.is_new(), true)?;
    let again = trial.done(create(TOKEN), at(5)).await?;
    same("it is new", again.is_new(), false)?;
    same("nothing changed", again.after, first.after)?;
    trial.refused(create(OTHER_TOKEN), at(5), Refused::WrongToken).await
}

pub(super) async fn another_token_opens_and_changes_nothing<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    let before = trial.begun().await?.after;
    let stranger = By::Candidate { token: OTHER_TOKEN, epoch: None };
    let transport = Transport::WebSocket;
    let opening = Opening::Existing;
    for command in [
        Command::Open { token: OTHER_TOKEN, opening, transport },
        Command::Heartbeat { by: stranger },
        finish(stranger, None),
        Command::Discard { by: stranger },
    ] {
        trial.refused(command, at(1), Refused::WrongToken).await?;
    }
    let appended = trial.append(stranger, vec![item(0)]).await?;
    same("an append", appended, Err(Refused::WrongToken))?;
    same("nothing changed", trial.session().await?, before)
}

pub(super) async fn each_writer_fences_off_the_one_before<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let second = trial.open(Opening::Existing, at(10)).await?;
    same("the second's epoch", second.after.epoch, Epoch::new(2))?;
    let following = Opening::Following { epoch: Epoch::new(2) };
    let third = trial.open(following, at(20)).await?;
    same("the third's epoch", third.after.epoch, Epoch::new(3))?;
    let joining = Opening::Joining { epoch: Epoch::new(3) };
    let joined = trial.open(joining, at(30)).await?;
    same("the epoch of one that joins", joined.after.epoch, Epoch::new(3))
}

pub(super) async fn a_hello_that_comes_late_fences_off_nobody<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.open(Opening::Existing, at(10)).await?;
    let open = |opening| {
        let transport = Transport::WebSocket;
        Command::Open { token: TOKEN, opening, transport }
    };
    let outdated = Refused::Outdated { current: Epoch::new(2) };
    let following = Opening::Following { epoch: Epoch::new(1) };
    let new = Opening::New { started_at: START };
    for opening in [following, new] {
        trial.refused(open(opening), at(20), outdated.clone()).await?;
    }
    let joining = Opening::Joining { epoch: Epoch::new(1) };
    trial.refused(open(joining), at(20), Refused::Fenced).await?;
    same("the epoch", trial.session().await?.epoch, Epoch::new(2))
}

pub(super) async fn an_older_writer_stores_nothing<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
    trial.begun().await?;
    trial.open(Opening::Existing, at(10)).await?;
    let appended = trial.append(writer(1), vec![item(0)]).await?;
    same("an append", appended, Err(Refused::Fenced))?;
    same("what is stored", trial.session().await?.have, SeqSet::new())?;
    // A tail comes under a number that no other writer gives out.
    same("a tail", trial.verdict(candidate(None), item(0)).await?, Verdict::Stored)
}

pub(super) async fn an_older_writer_neither_finishes_nor_discards_nor_gives_signs_of_life<
    L: Ledger,
>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    let newest = trial.open(Opening::Existing, at(10)).await?.after;
    for command in [
        finish(writer(1), None),
        Command::Discard { by: writer(1) },
        Command::Heartbeat { by: writer(1) },
    ] {
        trial.refused(command, at(20), Refused::Fenced).await?;
    }
    same("nothing changed", trial.session().await?, newest)
}

pub(super) async fn a_request_that_names_its_epoch_is_fenced_off_too<L: Ledger>(
    trial: &Trial<'_, L>,
) -> Holds {
    trial.begun().await?;
    trial.open(Opening::Existing, at(10)).await?;
    for command in [
        finish(candidate(Some(1)), None),
        Command::Discard { by: candidate(Some(1)) },
        Command::Heartbeat { by: candidate(Some(1)) },
    ] {
        trial.refused(command, at(20), Refused::Fenced).await?;
    }
    trial.done(Command::Heartbeat { by: candidate(Some(2)) }, at(20)).await?;
    trial.done(Command::Heartbeat { by: candidate(None) }, at(20)).await?;
    trial.done(finish(candidate(None), None), at(20)).await.map(drop)
}

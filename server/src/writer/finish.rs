//! From `Finish` to the receipt, beside the connection, so that it goes on answering heartbeats, and
//! to its end even when the connection breaks.

use protocol::event::Asker;
use protocol::message::Finish;
use protocol::receiver::FinishStep;
use protocol::{Refusal, SessionId};
use tokio::sync::mpsc;

use crate::clock;
use crate::recording::Outcome;
use crate::state::AppState;
use crate::store::{FinishedBy, StoreError, Whose};

/// What became of a finish so far.
#[derive(Debug)]
pub(super) enum Step {
    Begun(FinishStep),
    /// Nothing follows. A refusal means: not now, ask again.
    Last(Result<FinishStep, Refusal>),
}

pub(super) fn start(
    state: AppState,
    session: SessionId,
    finish: Finish,
    steps: mpsc::Sender<Step>,
) {
    let tasks = state.tasks.clone();
    tasks.spawn(async move {
        let last = run(&state, session, &finish, &steps).await.unwrap_or_else(|error| {
            tracing::error!(%session, %error, "cannot finish");
            Err(super::temporary(&error))
        });
        // A peer that has gone asks again when it is back.
        drop(steps.send(Step::Last(last)).await);
    });
}

async fn run(
    state: &AppState,
    session: SessionId,
    finish: &Finish,
    steps: &mpsc::Sender<Step>,
) -> Result<Result<FinishStep, Refusal>, StoreError> {
    if let Some(last_seq) = finish.last_seq {
        let have = state.store.have(session).await?;
        let missing = have.missing_up_to(last_seq).difference(&finish.lost);
        if !missing.is_empty() {
            return Ok(Ok(FinishStep::Missing(missing)));
        }
    }
    let (store, by) = (&state.store, FinishedBy::Asked(Asker::Candidate));
    let begun =
        store.begin_finalizing(session, Whose::Reviewer, by, finish.last_seq, clock::wall());
    match store.noting(begun).await {
        // Completed already: the receipt is there to be given again.
        Ok(()) | Err(StoreError::Illegal(_)) => {}
        Err(error) => return Err(error),
    }
    drop(steps.send(Step::Begun(FinishStep::Finalizing)).await);
    Ok(answer(state.recordings.make(session).await))
}

fn answer(outcome: Outcome) -> Result<FinishStep, Refusal> {
    match outcome {
        Outcome::Completed(receipt) => Ok(FinishStep::Completed(receipt)),
        Outcome::Failed(reason) => Ok(FinishStep::Failed(reason)),
        Outcome::Partial => Ok(FinishStep::Failed("the session was taken up again".into())),
        // It is tried again without being asked; a client that asks hears how it stands.
        Outcome::Postponed(postponed) => Err(postponed.refusal()),
    }
}

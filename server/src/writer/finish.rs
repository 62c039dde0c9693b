//! From `Finish` to the receipt, beside the connection, so that it goes on answering heartbeats, and
//! to its end even when the connection breaks.

use ledger::{By, Command, Refused};
use protocol::message::Finish;
use protocol::receiver::FinishStep;
use protocol::{Epoch, ItemError, Refusal, SessionId};
use tokio::sync::mpsc;

use crate::clock;
use crate::recording::Outcome;
use crate::state::AppState;
use crate::store::StoreError;

/// What became of a finish so far.
#[derive(Debug)]
pub(super) enum Step {
    Begun(FinishStep),
    /// Nothing follows. A refusal means: not now, ask again.
    Last(Result<FinishStep, Refusal>),
}

pub(super) fn start(
    state: AppState,
    writer: (SessionId, Epoch),
    finish: Finish,
    steps: mpsc::Sender<Step>,
) {
    let tasks = state.tasks.clone();
    tasks.spawn(async move {
        let (session, epoch) = writer;
        let last = run(&state, session, epoch, finish, &steps).await.unwrap_or_else(|error| {
            if !matches!(error, StoreError::DiskFull) {
                tracing::error!(%session, %error, "cannot finish");
            }
            Err(super::refusal_of(&error))
        });
        // A peer that has gone asks again when it is back.
        drop(steps.send(Step::Last(last)).await);
    });
}

async fn run(
    state: &AppState,
    session: SessionId,
    epoch: Epoch,
    finish: Finish,
    steps: &mpsc::Sender<Step>,
) -> Result<Result<FinishStep, Refusal>, StoreError> {
    let Finish { last_seq, lost } = finish;
    let command = Command::Finish { by: By::Writer(epoch), last_seq, lost };
    match state.store.carry_out(session, &command, clock::wall()).await {
        Ok(_) => {}
        Err(StoreError::Refused(Refused::Missing(missing))) => {
            return Ok(Ok(FinishStep::Missing(missing)));
        }
        Err(StoreError::Refused(refused @ Refused::TooFarAhead)) => {
            state.quotas.tell_refused(session, ItemError::TooFarAhead, clock::wall());
            return Ok(Ok(FinishStep::Failed(refused.to_string())));
        }
        Err(error) => return Err(error),
    }
    drop(steps.send(Step::Begun(FinishStep::Finalizing)).await);
    Ok(answer(state.recordings.outcome(session).await))
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

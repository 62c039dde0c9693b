//! Moves sessions on whose time has come. The deadlines are in the database; what they lead to is the
//! ledger's to say.

use std::time::Duration;

use ledger::{Applied, Command, Ledger as _, Refused};
use protocol::{SessionId, SessionStatus, UnixMillis};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::state::AppState;
use crate::store::StoreError;

const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Sessions that one transaction moves on; items wait meanwhile.
const SESSIONS_AT_ONCE: usize = 200;
/// Sessions that one check moves on; the rest wait for the next.
const SESSIONS_PER_CHECK_MAX: usize = 2_000;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checked {
    pub(crate) interrupted: u64,
    pub(crate) incomplete: u64,
    pub(crate) finalized: u64,
}

pub(crate) async fn watch(state: AppState) {
    let mut ticks = interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match check(&state, clock::wall()).await {
            // The deadlines wait until there is room.
            Ok(_) | Err(StoreError::DiskFull) => {}
            Err(error) => tracing::error!(%error, "deadlines could not be checked"),
        }
    }
}

/// Moves every overdue session on. The work that follows is written down with that.
pub(crate) async fn check(state: &AppState, now: UnixMillis) -> Result<Checked, StoreError> {
    // A live connection notes a heartbeat far more often than this; only a client that lives by
    // HTTP, or a connection of another server that was killed, can be this silent.
    let silence_max = state.config.heartbeat_timeout.0;
    let since = UnixMillis::new(now.get().saturating_sub(silence_max.get()));
    let mut checked = Checked {
        interrupted: interrupt_silent(state, Some(since), now).await?,
        ..Checked::default()
    };
    let due = state.store.due(now, SESSIONS_PER_CHECK_MAX).await?;
    for (id, applied) in all(state, due, &Command::CheckDeadline, now).await? {
        match applied.after.status {
            SessionStatus::Incomplete => checked.incomplete += 1,
            SessionStatus::Finalizing => {
                checked.finalized += 1;
                count_outcome(state, id);
            }
            SessionStatus::Active
            | SessionStatus::Interrupted
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => {}
        }
    }
    state.leases.look();
    Ok(checked)
}

/// What becomes of a session that nobody came back to.
fn count_outcome(state: &AppState, id: SessionId) {
    let (recordings, metrics) = (state.recordings.clone(), state.metrics.clone());
    state.tasks.spawn(async move {
        metrics.auto_finalized(recordings.outcome(id).await.made());
    });
}

/// Interrupts the active sessions that nobody has heard of since; `None`: all that are active.
pub(crate) async fn interrupt_silent(
    state: &AppState,
    since: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<u64, StoreError> {
    let silent = state.store.silent(since, SESSIONS_PER_CHECK_MAX).await?;
    Ok(all(state, silent, &Command::NoteSilence { since }, now).await?.len() as u64)
}

/// Gives many sessions the same command, and tells which of them it moved on.
async fn all(
    state: &AppState,
    sessions: Vec<SessionId>,
    command: &Command,
    now: UnixMillis,
) -> Result<Vec<(SessionId, Applied)>, StoreError> {
    let mut moved = Vec::new();
    for sessions in sessions.chunks(SESSIONS_AT_ONCE) {
        let commands: Vec<_> = sessions.iter().map(|id| (*id, command.clone())).collect();
        let results = state.store.carry_out_all(&commands, now).await?;
        for (id, result) in sessions.iter().zip(results) {
            moved.extend(moved_on(*id, result).map(|applied| (*id, applied)));
        }
    }
    Ok(moved)
}

fn moved_on(id: SessionId, result: Result<Applied, Refused>) -> Option<Applied> {
    match result {
        Ok(applied) => {
            let before = applied.before.as_ref().map(|before| before.status);
            let status = applied.after.status;
            (before != Some(status)).then(|| {
                tracing::info!(session = %id, %status, "its time has come");
                applied
            })
        }
        // It is gone, or was taken up again in the very last moment.
        Err(refused) => {
            tracing::debug!(session = %id, %refused, "its time had come");
            None
        }
    }
}

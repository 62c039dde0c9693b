//! Deadlines that lie in the database: grace periods and resume windows. A restarted or another
//! server carries on where the last one stopped.

use std::time::Duration;

use protocol::{SessionId, SessionStatus, UnixMillis};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::metrics::Made;
use crate::state::AppState;
use crate::store::{FinishedBy, StoreError, Whose};

const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Sessions taken on in one check; the rest wait for the next.
const SESSIONS_PER_CHECK_MAX: u32 = 100;

/// What one check found overdue.
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

/// Moves every overdue session on and has its recording made in the background.
pub(crate) async fn check(state: &AppState, now: UnixMillis) -> Result<Checked, StoreError> {
    let config = &state.config;
    // A live connection notes a heartbeat far more often than this; only a client that lives by
    // HTTP, or a connection of another server that was killed, can be this silent.
    let silent_since = UnixMillis::new(now.get().saturating_sub(config.heartbeat_timeout.0.get()));
    let mut checked = Checked {
        interrupted: state.store.interrupt_silent(Some(silent_since), now, config.grace.0).await?,
        ..Checked::default()
    };
    let resume_until = now.plus(config.resume_window.0);
    for id in due(state, SessionStatus::Interrupted, now).await? {
        if state.store.grace_over(id, now, resume_until).await? {
            tracing::info!(session = %id, "the grace period is over");
            checked.incomplete += 1;
            let recordings = state.recordings.clone();
            state.tasks.spawn(async move { recordings.make(id).await });
        }
    }
    for id in due(state, SessionStatus::Incomplete, now).await? {
        match state
            .store
            .begin_finalizing(id, Whose::Reviewer, FinishedBy::Deadline, None, now)
            .await
        {
            Ok(()) => {
                tracing::info!(session = %id, "the resume window is over");
                checked.finalized += 1;
                let (recordings, metrics) = (state.recordings.clone(), state.metrics.clone());
                state.tasks.spawn(async move {
                    metrics.auto_finalized(Made::of(&recordings.make(id).await));
                });
            }
            // The writer came back in the very last moment.
            Err(StoreError::Illegal(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(checked)
}

async fn due(
    state: &AppState,
    status: SessionStatus,
    now: UnixMillis,
) -> Result<Vec<SessionId>, StoreError> {
    state.store.due_sessions(status, now, SESSIONS_PER_CHECK_MAX).await
}

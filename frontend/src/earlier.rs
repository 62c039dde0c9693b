//! Recordings that an earlier page left in the spool: sent in the background, one after another,
//! while no other tab is at work on them.

use protocol::sender::{FinishStatus, LinkStatus};
use protocol::{Millis, SessionId};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use app::format;

use crate::browser;
use crate::driver::Input;
use crate::pipeline::Pipeline;
use crate::port::Inputs;
use crate::session_lock::SessionLock;
use crate::spool::{Spool, SpoolError, Unfinished};

/// A session with something left to do.
pub(crate) struct Found {
    unfinished: Unfinished,
    lock: SessionLock,
    /// Those not looked at yet.
    rest: Vec<SessionId>,
}

struct Sending {
    pipeline: Pipeline,
    rest: Vec<SessionId>,
    _lock: SessionLock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Safe,
    /// Not everything could be sent; the rest stays in the spool.
    Kept,
}

pub(crate) struct Earlier {
    spool: Spool,
    inputs: Inputs,
    sending: Option<Sending>,
    /// Of the recording before.
    outcome: Option<Outcome>,
}

impl Earlier {
    pub(crate) fn new(spool: Spool, inputs: Inputs) -> Self {
        Self { spool, inputs, sending: None, outcome: None }
    }

    /// Looks through the whole spool.
    pub(crate) fn search(&self) {
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move {
            match spool.sessions().await {
                Ok(sessions) => report(first_of(&spool, sessions).await, &inputs),
                Err(error) => warn(&error),
            }
        });
    }

    pub(crate) fn found(&mut self, now: Millis, found: Found) {
        let Found { unfinished, lock, rest } = found;
        let pipeline = Pipeline::restore(now, unfinished, self.spool.clone(), self.inputs.clone());
        self.sending = Some(Sending { pipeline, rest, _lock: lock });
    }

    pub(crate) fn pipeline(&mut self) -> Option<&mut Pipeline> {
        self.sending.as_mut().map(|sending| &mut sending.pipeline)
    }

    /// Items not yet acked, and how much of a recording they are.
    pub(crate) fn pending(&self) -> (u64, Millis) {
        self.sending.as_ref().map_or((0, Millis::ZERO), |sending| {
            let backlog = sending.pipeline.backlog();
            (backlog.items, backlog.span)
        })
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        self.sending.as_ref().and_then(|sending| sending.pipeline.poll_timeout())
    }

    /// To be called after every input: goes on to the next recording when one is done with.
    pub(crate) fn tick(&mut self, now: Millis) {
        let Some(sending) = &mut self.sending else {
            return;
        };
        sending.pipeline.tick(now);
        let Some(outcome) = sending.outcome() else {
            return;
        };
        // One that had to be kept is not forgotten over another that is safe.
        if self.outcome != Some(Outcome::Kept) {
            self.outcome = Some(outcome);
        }
        let rest = std::mem::take(&mut sending.rest);
        self.sending = None;
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move { report(first_of(&spool, rest).await, &inputs) });
    }

    pub(crate) fn notice(&self) -> Option<String> {
        if self.sending.is_some() {
            return Some(match self.pending() {
                (0, _) => "Saving an earlier recording…".to_owned(),
                (pending, _) => {
                    let chunks = format::count(pending, "chunk", "chunks");
                    ["Sending ", &chunks, " of an earlier recording…"].concat()
                }
            });
        }
        self.outcome.map(|outcome| match outcome {
            Outcome::Safe => "An earlier recording is now safe on the server.".to_owned(),
            Outcome::Kept => "An earlier recording could not be sent completely. What is missing \
                              is kept on this device."
                .to_owned(),
        })
    }
}

impl Sending {
    fn outcome(&self) -> Option<Outcome> {
        let backlog = self.pipeline.backlog();
        let all_arrived = if backlog.items == 0 { Outcome::Safe } else { Outcome::Kept };
        match (self.pipeline.finish_status(), self.pipeline.link()) {
            (FinishStatus::Completed(receipt), _) if receipt.missing.is_empty() => {
                Some(all_arrived)
            }
            (FinishStatus::Completed(_) | FinishStatus::Failed(_), _)
            | (_, LinkStatus::Stopped(_)) => Some(Outcome::Kept),
            // Whether it is to be finished is for the candidate to say, or for the server's time
            // limit: whatever could be sent is there.
            (FinishStatus::NotAsked, _) if backlog.items == backlog.refused_items => {
                Some(all_arrived)
            }
            (FinishStatus::NotAsked | FinishStatus::Finishing, _) => None,
        }
    }
}

/// The first of `sessions` that no tab is at work on and that has something left to do.
async fn first_of(
    spool: &Spool,
    mut sessions: Vec<SessionId>,
) -> Result<Option<Found>, SpoolError> {
    while let Some(session) = sessions.pop() {
        let Some(lock) = SessionLock::acquire(session).await else {
            continue;
        };
        // Only now: until it had the lock, another tab may have been at work on it.
        let Some(unfinished) = spool.unfinished(session).await? else {
            continue;
        };
        if unfinished.record.finish_asked || !unfinished.items.is_empty() {
            return Ok(Some(Found { unfinished, lock, rest: sessions }));
        }
    }
    Ok(None)
}

fn report(found: Result<Option<Found>, SpoolError>, inputs: &Inputs) {
    match found {
        Ok(Some(found)) => inputs.send(Input::EarlierFound(found)),
        Ok(None) => {}
        Err(error) => warn(&error),
    }
}

fn warn(error: &SpoolError) {
    let why = JsValue::from_str(&error.to_string());
    browser::warn("Earlier recordings cannot be looked for.", &why);
}

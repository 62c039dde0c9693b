//! Recordings that an earlier page left in the spool, while no other tab is at work on them. What
//! the server does not have is sent at once, in the background, one recording after another. The
//! newest one that the candidate has not finished waits for a word on it: to go on, or to save it.

use protocol::sender::{FinishStatus, LinkStatus};
use protocol::{Millis, Seq, SessionId, SessionStatus};
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
    lock: SessionLock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Safe,
    Discarded,
    /// Not everything could be sent; the rest stays in the spool.
    Kept,
}

pub(crate) struct Earlier {
    spool: Spool,
    inputs: Inputs,
    sending: Option<Sending>,
    /// Those not looked at yet.
    rest: Vec<SessionId>,
    /// Not finished by the candidate, and still open on the server as far as is known.
    undecided: Option<Sending>,
    /// Of the recording before.
    outcome: Option<Outcome>,
}

impl Earlier {
    pub(crate) fn new(spool: Spool, inputs: Inputs) -> Self {
        Self { spool, inputs, sending: None, rest: Vec::new(), undecided: None, outcome: None }
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

    fn search_rest(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move { report(first_of(&spool, rest).await, &inputs) });
    }

    pub(crate) fn found(&mut self, now: Millis, found: Found) {
        let Found { unfinished, lock, rest } = found;
        let decided = unfinished.record.finish_asked || unfinished.record.discard_asked;
        let is_undecided = !decided && self.undecided.is_none();
        let pipeline = Pipeline::restore(now, unfinished, self.spool.clone(), self.inputs.clone());
        self.rest = rest;
        if is_undecided {
            self.undecided = Some(Sending { pipeline, lock });
            self.search_rest();
        } else {
            self.sending = Some(Sending { pipeline, lock });
        }
    }

    pub(crate) fn pipelines(&mut self) -> impl Iterator<Item = &mut Pipeline> {
        self.sending.iter_mut().chain(&mut self.undecided).map(|sending| &mut sending.pipeline)
    }

    /// Items not yet acked, and how much of a recording they are.
    pub(crate) fn pending(&self) -> (u64, Millis) {
        let both = self.sending.iter().chain(&self.undecided);
        both.fold((0, Millis::ZERO), |(items, span), sending| {
            let backlog = sending.pipeline.backlog();
            (items + backlog.items, span + backlog.span)
        })
    }

    /// What waits for the candidate's word.
    pub(crate) fn unfinished(&self) -> Option<app::recorder::port::Unfinished> {
        let pipeline = &self.undecided.as_ref()?.pipeline;
        let (record, backlog) = (pipeline.record(), pipeline.backlog());
        Some(app::recorder::port::Unfinished {
            started: browser::date_and_time(record.started_at),
            recorded: record.recorded,
            pending: backlog.items,
            pending_duration: backlog.span,
        })
    }

    /// Hands over what waits for the candidate's word.
    pub(crate) fn take_unfinished(&mut self) -> Option<(Pipeline, SessionLock)> {
        self.undecided.take().map(|Sending { pipeline, lock }| (pipeline, lock))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        let both = self.sending.iter().chain(&self.undecided);
        both.filter_map(|sending| sending.pipeline.poll_timeout()).min()
    }

    /// To be called after every input: goes on to the next recording when one is done with.
    pub(crate) fn tick(&mut self, now: Millis) {
        for pipeline in self.pipelines() {
            pipeline.tick(now);
        }
        if self.undecided.as_ref().is_some_and(Sending::is_decided_elsewhere) {
            self.decided_elsewhere(now);
        }
        if let Some(outcome) = self.sending.as_ref().and_then(Sending::outcome) {
            self.sending = None;
            self.note(outcome);
            self.search_rest();
        }
    }

    /// The server has finished it meanwhile, or takes no more of it: nothing is left to choose.
    fn decided_elsewhere(&mut self, now: Millis) {
        let Some(mut sending) = self.undecided.take() else { return };
        if matches!(sending.pipeline.link(), LinkStatus::Stopped(_)) || self.sending.is_some() {
            self.note(Outcome::Kept);
            return;
        }
        sending.pipeline.finish(now);
        self.sending = Some(sending);
    }

    /// One that had to be kept is not forgotten over another that is safe.
    fn note(&mut self, outcome: Outcome) {
        if self.outcome != Some(Outcome::Kept) {
            self.outcome = Some(outcome);
        }
    }

    pub(crate) fn notice(&self) -> Option<String> {
        if let Some(sending) = &self.sending {
            return Some(match sending.pipeline.backlog().items {
                0 => "Saving an earlier recording…".to_owned(),
                pending => {
                    let chunks = format::count(pending, "chunk", "chunks");
                    ["Sending ", &chunks, " of an earlier recording…"].concat()
                }
            });
        }
        self.outcome.map(|outcome| match outcome {
            Outcome::Safe => "An earlier recording is now safe on the server.".to_owned(),
            Outcome::Discarded => "The earlier recording was discarded.".to_owned(),
            Outcome::Kept => "An earlier recording could not be sent completely. What is missing \
                              is kept on this device."
                .to_owned(),
        })
    }
}

impl Sending {
    fn is_decided_elsewhere(&self) -> bool {
        let open = self.pipeline.server_status().is_none_or(SessionStatus::takes_items);
        !open || matches!(self.pipeline.link(), LinkStatus::Stopped(_))
    }

    fn outcome(&self) -> Option<Outcome> {
        let backlog = self.pipeline.backlog();
        let all_arrived = if backlog.items == 0 { Outcome::Safe } else { Outcome::Kept };
        match (self.pipeline.finish_status(), self.pipeline.link()) {
            (FinishStatus::Completed(receipt), _) if receipt.missing.is_empty() => {
                Some(all_arrived)
            }
            (FinishStatus::Discarded, _) => Some(Outcome::Discarded),
            (FinishStatus::Completed(_) | FinishStatus::Failed(_), _)
            | (_, LinkStatus::Stopped(_)) => Some(Outcome::Kept),
            // Whether it is to be finished is for the candidate to say, or for the server's time
            // limit: whatever could be sent is there.
            (FinishStatus::NotAsked, _) if backlog.items == backlog.refused_items => {
                Some(all_arrived)
            }
            (FinishStatus::NotAsked | FinishStatus::Finishing | FinishStatus::Discarding, _) => {
                None
            }
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
        let record = &unfinished.record;
        if record.finish_asked || record.next_seq > Seq::ZERO {
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

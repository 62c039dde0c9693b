//! Recordings that an earlier page left, while no other tab is at work on them. What the server does
//! not have is sent at once, in the background, one recording after another. The newest one that the
//! candidate has not finished waits for a word on it: to go on, to save it, or to throw it away.
//! What another tab is recording can be taken over from it.

mod search;

use app::format;
use app::recorder::port;
use protocol::sender::{FinishStatus, LinkStatus};
use protocol::{Millis, SessionId, SessionStatus};

use crate::browser;
use crate::pipeline::Pipeline;
use crate::port::Inputs;
use crate::recovery::Recovery;
use crate::session_lock::SessionLock;
use crate::spool::Spool;

use search::Search;
pub(crate) use search::{Elsewhere, Found};

/// A session taken up, with what keeps other tabs away. One that was recovered from the server has
/// no lock yet: nothing of it was in this browser.
pub(crate) struct Taken {
    pub(crate) pipeline: Pipeline,
    pub(crate) lock: Option<SessionLock>,
}

/// The gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Safe,
    Discarded,
    /// All has arrived, and the server could not put all of it into a file.
    LeftOut,
    /// Not everything could be sent; the rest stays in the spool.
    Kept,
}

pub(crate) struct Earlier {
    search: Search,
    /// What needs no word any more, on its way to the server.
    sending: Vec<Taken>,
    /// Those not looked at yet.
    rest: Vec<SessionId>,
    /// Not finished by the candidate, and still open on the server as far as is known.
    undecided: Option<Taken>,
    /// In another tab.
    elsewhere: Option<Elsewhere>,
    /// The candidate wants it here.
    is_taking_over: bool,
    /// From a recovery link. Connecting would fence off whoever records it on another device, so
    /// that waits for the candidate's word.
    recovery: Option<Recovery>,
    /// The candidate goes on with `undecided` as soon as the server has said where.
    is_wanted: bool,
    /// Of the recording before.
    outcome: Option<Outcome>,
    /// Of a recording that is done with, or that goes nowhere from here, items are left in the spool.
    has_left_items: bool,
}

impl Earlier {
    pub(crate) fn new(spool: Spool, inputs: Inputs) -> Self {
        Self {
            search: Search { spool, inputs },
            sending: Vec::new(),
            rest: Vec::new(),
            undecided: None,
            elsewhere: None,
            is_taking_over: false,
            recovery: None,
            is_wanted: false,
            outcome: None,
            has_left_items: false,
        }
    }

    /// Looks through the whole spool.
    pub(crate) fn search(&self) {
        self.search.all();
    }

    pub(crate) fn found(&mut self, now: Millis, found: Found) {
        let record = &found.unfinished.record;
        let is_decided = record.finish_asked || record.discard_asked;
        let (taken, rest) = self.take_up(now, found);
        if is_decided || self.undecided.is_some() {
            self.rest = rest;
            self.sending.push(taken);
        } else {
            self.undecided = Some(taken);
            self.search.rest(rest);
        }
    }

    fn take_up(&self, now: Millis, found: Found) -> (Taken, Vec<SessionId>) {
        let Found { unfinished, lock, rest } = found;
        let Search { spool, inputs } = &self.search;
        let pipeline = Pipeline::restore(now, unfinished, spool.clone(), inputs.clone());
        (Taken { pipeline, lock: Some(lock) }, rest)
    }

    /// Looks whether the session of a recovery link is in this browser; if not, it is offered.
    pub(crate) fn search_for(&self, recovery: Recovery) {
        self.search.recovered(recovery);
    }

    pub(crate) fn offer(&mut self, recovery: Recovery) {
        self.recovery = Some(recovery);
    }

    /// Connects what a recovery link leads to.
    fn recover(&mut self, now: Millis) -> Option<Taken> {
        let recovery = self.recovery.take()?;
        let Search { spool, inputs } = &self.search;
        let pipeline = Pipeline::recover(now, &recovery, spool.clone(), inputs.clone());
        Some(Taken { pipeline, lock: None })
    }

    pub(crate) fn found_elsewhere(&mut self, elsewhere: Elsewhere) {
        self.elsewhere = Some(elsewhere);
    }

    /// Asks the tab that records to let go; the answer is [`Earlier::taken_over`]. Returns whom to
    /// ask for.
    pub(crate) fn take_over(&mut self) -> Option<SessionId> {
        let session = self.elsewhere.as_ref().filter(|_| !self.is_taking_over)?.session;
        self.is_taking_over = true;
        self.search.take_over(session);
        Some(session)
    }

    /// The other tab has let go. `None`: nothing is left to do there.
    pub(crate) fn taken_over(&mut self, now: Millis, found: Option<Found>) -> Option<Taken> {
        self.elsewhere = None;
        self.is_taking_over = false;
        let found = found?;
        if found.unfinished.record.finish_asked {
            self.found(now, found);
            return None;
        }
        Some(self.take_up(now, found).0)
    }

    /// Another tab wants what waits here for a word.
    pub(crate) fn hand_over(&mut self, session: SessionId) {
        self.undecided.take_if(|one| one.pipeline.session() == session);
    }

    /// The candidate throws away what waits for a word. Returns what it was.
    pub(crate) fn discard(&mut self, now: Millis) -> Option<SessionId> {
        let mut taken = self.undecided.take().or_else(|| self.recover(now))?;
        taken.pipeline.discard(now);
        let session = taken.pipeline.session();
        self.sending.push(taken);
        Some(session)
    }

    pub(crate) fn pipelines(&mut self) -> impl Iterator<Item = &mut Pipeline> {
        self.sending.iter_mut().chain(&mut self.undecided).map(|taken| &mut taken.pipeline)
    }

    fn all(&self) -> impl Iterator<Item = &Taken> {
        self.sending.iter().chain(&self.undecided)
    }

    /// Items that will not be sent from here are in the spool.
    pub(crate) fn keeps_back(&self) -> bool {
        self.has_left_items || self.all().any(|taken| taken.pipeline.sender().keeps_back())
    }

    /// Items not yet acked, and how much of a recording they are.
    pub(crate) fn pending(&self) -> (u64, Millis) {
        self.all().fold((0, Millis::ZERO), |(items, span), taken| {
            let backlog = taken.pipeline.sender().backlog_status();
            (items + backlog.items, span + backlog.span)
        })
    }

    /// What waits for the candidate's word.
    pub(crate) fn unfinished(&self) -> Option<port::Unfinished> {
        let Some(taken) = self.undecided.as_ref().filter(|_| !self.is_wanted) else {
            return self.recovery.as_ref().map(|recovery| port::Unfinished {
                started: browser::date_and_time(recovery.session.created_at()),
                is_remote: true,
                ..port::Unfinished::default()
            });
        };
        let sender = taken.pipeline.sender();
        let (record, backlog) = (sender.record(), sender.backlog_status());
        Some(port::Unfinished {
            started: browser::date_and_time(record.started_at),
            is_remote: false,
            recorded: record.recorded,
            pending: backlog.items + sender.unreadable(),
            pending_duration: backlog.span,
        })
    }

    /// What another tab is recording.
    pub(crate) fn elsewhere(&self) -> Option<port::Elsewhere> {
        self.elsewhere.as_ref().map(|elsewhere| port::Elsewhere {
            started: elsewhere.started.clone(),
            is_taking_over: self.is_taking_over,
        })
    }

    /// The candidate goes on with what waits for a word; [`Earlier::take_wanted`] has it as soon as
    /// it is known where to go on.
    pub(crate) fn resume(&mut self, now: Millis) {
        if self.undecided.is_none() {
            self.undecided = self.recover(now);
        }
        self.is_wanted = self.undecided.is_some();
    }

    pub(crate) fn take_wanted(&mut self) -> Option<Taken> {
        let is_known = |taken: &mut Taken| {
            !taken.pipeline.is_recovered() || taken.pipeline.sender().server_status().is_some()
        };
        let taken = self.undecided.take_if(|taken| self.is_wanted && is_known(taken))?;
        self.is_wanted = false;
        Some(taken)
    }

    /// The candidate saves as it is what waits for a word.
    pub(crate) fn take_to_finish(&mut self, now: Millis) -> Option<Taken> {
        self.undecided.take().or_else(|| self.recover(now))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        self.all().filter_map(|taken| taken.pipeline.sender().poll_timeout()).min()
    }

    /// To be called after every input: goes on to the next recording when one is done with.
    pub(crate) fn tick(&mut self, now: Millis) {
        for pipeline in self.pipelines() {
            pipeline.tick(now);
        }
        if let Some(taken) = self.undecided.take_if(|taken| taken.is_decided_elsewhere()) {
            self.is_wanted = false;
            self.decided_elsewhere(now, taken);
        }
        let done: Vec<Outcome> = self.sending.iter().filter_map(Taken::outcome).collect();
        if done.is_empty() {
            return;
        }
        let is_left =
            |taken: &Taken| taken.outcome().is_some() && taken.pipeline.sender().keeps_back();
        self.has_left_items |= self.sending.iter().any(is_left);
        self.sending.retain(|taken| taken.outcome().is_none());
        done.into_iter().for_each(|outcome| self.note(outcome));
        if self.sending.is_empty() {
            self.search.rest(std::mem::take(&mut self.rest));
        }
    }

    /// The server has finished it meanwhile, or takes no more of it: nothing is left to choose.
    fn decided_elsewhere(&mut self, now: Millis, mut taken: Taken) {
        let sender = taken.pipeline.sender();
        if matches!(sender.link_status(), LinkStatus::Stopped(_)) {
            self.has_left_items |= sender.keeps_back();
            self.note(Outcome::Kept);
        } else {
            taken.pipeline.finish(now);
            self.sending.push(taken);
        }
    }

    /// One that is not whole is not forgotten over another that is safe.
    fn note(&mut self, outcome: Outcome) {
        if self.outcome.is_none_or(|before| before < Outcome::LeftOut || before < outcome) {
            self.outcome = Some(outcome);
        }
    }

    pub(crate) fn notice(&self) -> Option<String> {
        if let Some(taken) = self.sending.first() {
            let sender = taken.pipeline.sender();
            return Some(match (sender.finish_status(), sender.backlog_status().items) {
                (FinishStatus::Discarding, _) => "Discarding the earlier recording…".to_owned(),
                (_, 0) => "Saving an earlier recording…".to_owned(),
                (_, pending) => {
                    let chunks = format::count(pending, "chunk", "chunks");
                    ["Sending ", &chunks, " of an earlier recording…"].concat()
                }
            });
        }
        self.outcome.map(|outcome| match outcome {
            Outcome::Safe => "An earlier recording is now safe on the server.".to_owned(),
            Outcome::Discarded => "The earlier recording was discarded.".to_owned(),
            Outcome::LeftOut => "An earlier recording has arrived, but not all of it could be put \
                                 into the file. The server keeps the rest as it arrived."
                .to_owned(),
            Outcome::Kept => "An earlier recording is not complete on the server. What could not \
                              be sent is kept on this device."
                .to_owned(),
        })
    }
}

impl Taken {
    fn is_decided_elsewhere(&self) -> bool {
        let sender = self.pipeline.sender();
        let open = sender.server_status().is_none_or(SessionStatus::takes_items);
        !open || matches!(sender.link_status(), LinkStatus::Stopped(_))
    }

    fn outcome(&self) -> Option<Outcome> {
        let sender = self.pipeline.sender();
        let backlog = sender.backlog_status();
        let is_here = backlog.items + sender.unreadable() > 0;
        let all_arrived = if is_here { Outcome::Kept } else { Outcome::Safe };
        match (sender.finish_status(), sender.link_status()) {
            (FinishStatus::Completed(receipt), _) if receipt.missing.is_empty() => {
                Some(if receipt.left_out > 0 {
                    all_arrived.max(Outcome::LeftOut)
                } else {
                    all_arrived
                })
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

//! The end of a session: finished, or thrown away, and what the server says to that.

use super::backlog::Backlog;
use super::{Effect, FinishStatus, Sender};
use crate::message::{ClientMessage, Finish};
use crate::{Millis, Receipt, Seq, SeqSet, SessionStatus};

/// Why a session cannot finish whose missing items lie here.
const WITHHELD: &str =
    "Some of it is only on this device, where this version of the page cannot read it";

/// How far the end of the session has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finishing {
    NotAsked,
    Asked,
    Sent {
        since: Millis,
    },
    Completed(Receipt),
    Failed(String),
    /// To be thrown away. `None`: the server is yet to be told.
    Discarding {
        sent_at: Option<Millis>,
    },
    Discarded,
}

impl Sender {
    pub fn finish_status(&self) -> FinishStatus {
        match &self.finishing {
            Finishing::NotAsked => FinishStatus::NotAsked,
            Finishing::Asked | Finishing::Sent { .. } => FinishStatus::Finishing,
            Finishing::Completed(receipt) => FinishStatus::Completed(receipt.clone()),
            Finishing::Failed(reason) => FinishStatus::Failed(reason.clone()),
            Finishing::Discarding { .. } => FinishStatus::Discarding,
            Finishing::Discarded => FinishStatus::Discarded,
        }
    }

    /// The candidate says "stop and save": nothing more will be captured. Also tries again after a
    /// failure.
    pub fn finish(&mut self, now: Millis) {
        match self.finishing {
            Finishing::NotAsked | Finishing::Failed(_) => {
                self.finishing = Finishing::Asked;
                self.record.finish_asked = true;
                self.effects.push_back(Effect::Remember(self.record.clone()));
            }
            Finishing::Asked
            | Finishing::Sent { .. }
            | Finishing::Completed(_)
            | Finishing::Discarding { .. }
            | Finishing::Discarded => {}
        }
        self.pump(now);
    }

    /// The candidate throws the session away: nothing more of it is sent, and once the server has
    /// deleted its part, everything here is erased.
    pub fn discard(&mut self, now: Millis) {
        match self.finishing {
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Sent { .. }
            | Finishing::Failed(_) => {
                self.finishing = Finishing::Discarding { sent_at: None };
                self.record.discard_asked = true;
                self.effects.push_back(Effect::Remember(self.record.clone()));
            }
            Finishing::Completed(_) | Finishing::Discarding { .. } | Finishing::Discarded => {}
        }
        self.pump(now);
    }

    /// Asks for the end once nothing is left to send.
    pub(super) fn finish_if_settled(&mut self, now: Millis) {
        let is_settled = self.unfilled.is_empty() && self.backlog.is_settled();
        if self.finishing == Finishing::Asked && is_settled {
            let last_seq = self.record.next_seq.get().checked_sub(1).map(Seq::new);
            let finish = Finish { last_seq, lost: self.lost.clone() };
            self.effects.push_back(Effect::Send(ClientMessage::Finish(finish)));
            self.finishing = Finishing::Sent { since: now };
        }
    }

    pub(super) fn missing(&mut self, missing: &SeqSet) {
        let absent = self.backlog.undeliverable(missing);
        let lost = self.unreadable.lost_of(&absent);
        for range in lost.ranges() {
            self.lost.insert_range(range);
        }
        if lost == absent {
            self.finish_again();
        } else {
            self.finishing = Finishing::Failed(WITHHELD.to_owned());
        }
    }

    pub(super) fn completed(&mut self, receipt: Receipt) {
        self.server_status = Some(SessionStatus::Completed);
        self.finishing = Finishing::Completed(receipt);
        // What the server would not take, or could not be told, stays in the spool: it is nowhere else.
        if self.backlog.is_empty() && self.unreadable.is_empty() {
            self.effects.push_back(Effect::Erase);
        }
        self.effects.push_back(Effect::Disconnect);
        self.link.close();
    }

    pub(super) fn discarded(&mut self) {
        self.server_status = Some(SessionStatus::Discarded);
        self.finishing = Finishing::Discarded;
        // Nothing of it may be written once more after it was erased.
        self.backlog = Backlog::default();
        self.effects.push_back(Effect::Erase);
        self.effects.push_back(Effect::Disconnect);
        self.link.close();
    }

    /// Whatever the server was asked at the end is to be asked again.
    pub(super) fn finish_again(&mut self) {
        match &mut self.finishing {
            Finishing::Sent { .. } => self.finishing = Finishing::Asked,
            Finishing::Discarding { sent_at } => *sent_at = None,
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Completed(_)
            | Finishing::Failed(_)
            | Finishing::Discarded => {}
        }
    }

    /// When the server was asked for the end, while it owes an answer.
    pub(super) fn asked_at(&self) -> Option<Millis> {
        match self.finishing {
            Finishing::Sent { since } => Some(since),
            Finishing::Discarding { sent_at } => sent_at,
            Finishing::NotAsked
            | Finishing::Asked
            | Finishing::Completed(_)
            | Finishing::Failed(_)
            | Finishing::Discarded => None,
        }
    }
}

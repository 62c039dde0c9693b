//! What becomes of items that are brought to a session: they come in thousands, and so not as commands.

use std::collections::HashMap;

use protocol::event::Transport;
use protocol::item::ItemError;
use protocol::limits::counted_bytes;
use protocol::receiver::Verdict;
use protocol::{Digest, Item, Seq, SeqSet, SessionStatus, UnixMillis};

use super::{Change, Policy};
use crate::command::{By, Refused};
use crate::session::Session;

/// A session while items are appended to it. A store tells it the digests of what is stored already, and
/// writes what is [`Verdict::Stored`].
#[derive(Debug)]
pub struct Appending {
    session: Session,
    now: UnixMillis,
    policy: Policy,
    new: HashMap<Seq, Digest>,
    has_changed: bool,
    has_late: bool,
}

impl Appending {
    pub fn new(session: Session, now: UnixMillis, policy: &Policy) -> Self {
        let (new, has_changed, has_late) = (HashMap::new(), false, false);
        Self { session, now, policy: *policy, new, has_changed, has_late }
    }

    /// Whether items are taken at all on somebody's word. Those that come by a connection are signs of
    /// life.
    pub fn begin(&mut self, by: By, transport: Transport) -> Result<(), Refused> {
        self.session.allows(by)?;
        match transport {
            Transport::WebSocket => {
                self.has_changed |= self.now > self.session.heard_at;
                self.session.heard_at = self.session.heard_at.max(self.now);
            }
            Transport::Http => {}
        }
        Ok(())
    }

    /// True when the verdict about this number depends on what was stored before.
    pub fn is_stored(&self, seq: Seq) -> bool {
        self.session.have.contains(seq) && !self.new.contains_key(&seq)
    }

    /// What becomes of one item. `stored` is the digest of what [is stored](Self::is_stored) under its
    /// number.
    pub fn judge(&mut self, item: &Item, stored: Option<&Digest>) -> Verdict {
        if let Some(first) = self.new.get(&item.seq).or(stored) {
            return Verdict::of_second(first, &item.digest);
        }
        if let Some(error) = self.refusal(item) {
            return Verdict::Refused(error);
        }
        self.take(item);
        Verdict::Stored
    }

    fn refusal(&self, item: &Item) -> Option<ItemError> {
        let (seq, Session { status, have, late, .. }) = (item.seq, &self.session);
        if have.contains(seq) {
            // Said to be stored, and nobody knows what: the first one is kept, whatever it is.
            return Some(ItemError::DigestConflict);
        }
        if *status == SessionStatus::Discarded {
            return Some(ItemError::SessionFinished);
        }
        if self.policy.is_too_far_ahead(have, seq) {
            return Some(ItemError::TooFarAhead);
        }
        let is_late = makes_late(*status);
        if self.policy.is_one_hole_too_many(have, seq)
            || (is_late && self.policy.is_one_hole_too_many(late, seq))
        {
            return Some(ItemError::TooManyHoles);
        }
        let item_bytes = counted_bytes(item.payload_bytes()) as u64;
        let bytes = self.session.counted_bytes().saturating_add(item_bytes);
        (bytes > self.policy.session_bytes_max).then_some(ItemError::SessionFull)
    }

    /// What is new now is in no recording that is there, or is being made.
    pub fn makes_late(&self) -> bool {
        makes_late(self.session.status)
    }

    fn take(&mut self, item: &Item) {
        self.has_changed = true;
        self.new.insert(item.seq, item.digest);
        self.session.have.insert(item.seq);
        self.session.payload_bytes += item.payload_bytes() as u64;
        self.session.captured = self.session.captured.max(item.at);
        if self.makes_late() {
            self.has_late = true;
            self.session.late.insert(item.seq);
            self.session.late_since.get_or_insert(self.now);
        }
        // What is brought to a session that failed is kept as long as if it had failed with that.
        if self.session.status == SessionStatus::Failed {
            let kept_until = self.now.plus(self.policy.failed_kept);
            self.session.deadline = self.session.deadline.map(|until| until.max(kept_until));
        }
    }

    /// What is to be written beside the items; `None` when nothing has changed.
    pub fn into_change(self) -> Option<Change> {
        let change = Change::none(&self.session);
        let change = if self.has_late { change.wanting_supplement(self.now) } else { change };
        self.has_changed.then_some(change)
    }
}

impl Policy {
    /// Beside all that is there, and no room for another hole.
    fn is_one_hole_too_many(&self, have: &SeqSet, seq: Seq) -> bool {
        let touches = have.contains(seq.next())
            || seq.get().checked_sub(1).is_some_and(|before| have.contains(Seq::new(before)));
        !touches && have.range_count() as u64 > self.holes_max
    }
}

/// A recording that is being made for good reads what is there when it is begun. One that failed is
/// made of everything if it is made again.
const fn makes_late(status: SessionStatus) -> bool {
    match status {
        SessionStatus::Finalizing | SessionStatus::Completed => true,
        SessionStatus::Active
        | SessionStatus::Interrupted
        | SessionStatus::Incomplete
        | SessionStatus::Failed
        | SessionStatus::Discarded => false,
    }
}

//! What a command makes of a session: the one place where it is decided.

mod appending;

use protocol::event::{Asker, LossCause, Transport};
use protocol::message::Opening;
use protocol::{
    Epoch, Event, Millis, Seq, SeqSet, SessionEvent, SessionStatus, TokenHash, UnixMillis,
};

pub use appending::Appending;

use crate::command::{By, Command, MadeOf, Refused};
use crate::jobs::{WantedJob, Wish, shortened};
use crate::limits::{LATE_QUIET, LATE_QUIET_MAX};
use crate::session::Session;
use crate::work::{Beside, Work};

/// How long what lasts, and how large a session may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a lost connection may take to come back.
    pub grace: Millis,
    /// How long an incomplete session can be resumed.
    pub resume_window: Millis,
    /// How long a client that comes back to a session which it had discarded is told so.
    pub discarded_kept: Millis,
    /// How long a session is kept of which no recording could be made.
    pub failed_kept: Millis,
    /// How large a session may grow, the headers of its items counted.
    pub session_bytes_max: u64,
    /// How far an item's number, or the last one that `Finish` names, may be ahead of all that came.
    pub seq_ahead_max: u64,
    /// Holes that one session may have. An item that would make another is refused until one is filled.
    pub holes_max: u64,
}

/// What is to be written, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The session from now on.
    pub after: Session,
    /// For its log.
    pub events: Vec<Event>,
    /// Due from now on.
    pub jobs: Vec<WantedJob>,
}

/// What `command` makes of a session that is now like `before`; `None`: there is none.
pub fn decide(
    before: Option<&Session>,
    command: &Command,
    now: UnixMillis,
    policy: &Policy,
) -> Result<Change, Refused> {
    match command {
        Command::Create { token, .. } => find_or_make(before, *token, now),
        Command::Open { token, opening, transport } => {
            let found = match (before, opening) {
                (None, Opening::New { .. }) => find_or_make(None, *token, now)?,
                (found, _) => Change::none(found.ok_or(Refused::UnknownSession)?),
            };
            open(found, *token, *opening, *transport, now)
        }
        Command::Heartbeat { by } => of(before)?.heartbeat(*by, now),
        Command::LoseConnection { epoch, cause } => {
            of(before)?.lose_connection(*epoch, *cause, now, policy)
        }
        Command::NoteSilence { since } => of(before)?.note_silence(*since, now, policy),
        Command::CheckDeadline => of(before)?.check_deadline(now, policy),
        Command::Finish { by, last_seq, lost } => of(before)?.finish(*by, *last_seq, lost, policy),
        Command::RecordingDone { of: made_of, duration, bytes, took, sounds } => {
            let made = |complete| Event::RecordingMade {
                duration_ms: *duration,
                bytes: *bytes,
                took_ms: *took,
                complete,
            };
            of(before)?.recording_done(*made_of, *sounds, now, made)
        }
        Command::Want { beside } => of(before)?.want(*beside),
        Command::Retry { work } => of(before)?.retry(*work, policy),
        Command::RecordingPlayable { of: made_of } => of(before)?.recording_playable(*made_of),
        Command::SupplementMade { of: made_of, duration, bytes, took } => {
            let made = Event::SupplementMade {
                items: made_of.len(),
                duration_ms: *duration,
                bytes: *bytes,
                took_ms: *took,
            };
            of(before)?.supplement_made(made_of, now, made)
        }
        Command::RecordingFailed { reason, took } => {
            of(before)?.recording_failed(reason, *took, now, policy)
        }
        Command::Discard { by } => of(before)?.discard(*by, now, policy),
        Command::Delete => of(before)?.delete(now),
    }
}

fn of(before: Option<&Session>) -> Result<Change, Refused> {
    before.map(Change::none).ok_or(Refused::UnknownSession)
}

fn find_or_make(
    before: Option<&Session>,
    token: TokenHash,
    now: UnixMillis,
) -> Result<Change, Refused> {
    match before {
        Some(found) if found.token == token => Ok(Change::none(found)),
        Some(_) => Err(Refused::WrongToken),
        None => {
            let made = Change::none(&Session::new(token, now));
            Ok(made.with(Event::Created))
        }
    }
}

/// Fences off the writer before, unless it is the same one.
fn open(
    found: Change,
    token: TokenHash,
    opening: Opening,
    transport: Transport,
    now: UnixMillis,
) -> Result<Change, Refused> {
    let mut change = found;
    change.after.allows(By::Candidate { token, epoch: None })?;
    if change.after.status == SessionStatus::Discarded {
        return Err(Refused::Discarded);
    }
    change.after.epoch = opening.epoch_after(change.after.epoch)?;
    match transport {
        Transport::WebSocket => Ok(change.writer_is_there(now)),
        // It stores items and leaves the connection's state alone.
        Transport::Http => Ok(change),
    }
}

impl Session {
    /// Whether something may be done on somebody's word.
    fn allows(&self, by: By) -> Result<(), Refused> {
        match by {
            By::Candidate { token, .. } if token != self.token => Err(Refused::WrongToken),
            By::Writer(epoch) | By::Candidate { epoch: Some(epoch), .. } if epoch != self.epoch => {
                Err(Refused::Fenced)
            }
            By::Writer(_) | By::Candidate { .. } | By::Reviewer => Ok(()),
        }
    }

    /// One that was begun earlier may lack the last items. Once the recording is being made for good, it
    /// has all that came in time: what it lacks counts as late, and is in the supplement.
    fn takes_recording(&self, of: MadeOf) -> Result<(), Refused> {
        let is_open = self.status.takes_items();
        let is_past = of.began_in.takes_items() && !is_open;
        let lacks_items = !is_open && of.items != self.in_time().len();
        if is_past || lacks_items || self.status == SessionStatus::Discarded {
            return Err(Refused::RecordingOutdated);
        }
        Ok(())
    }

    /// When the supplement may be made, if nothing more comes late from now on.
    fn supplement_due(&self, now: UnixMillis) -> UnixMillis {
        let quiet = now.plus(LATE_QUIET);
        self.late_since.map_or(quiet, |since| quiet.min(since.plus(LATE_QUIET_MAX)))
    }

    /// What it means that a writer is there now.
    fn resumed(&self, now: UnixMillis) -> Option<Event> {
        let within_grace = match self.status {
            SessionStatus::Interrupted => true,
            SessionStatus::Incomplete => false,
            SessionStatus::Active
            | SessionStatus::Finalizing
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => return None,
        };
        let away_ms = now.since(self.away_since.unwrap_or(self.heard_at));
        Some(Event::Resumed { away_ms, within_grace })
    }
}

impl Change {
    /// Everything stays as it is.
    fn none(session: &Session) -> Self {
        Self { after: session.clone(), events: Vec::new(), jobs: Vec::new() }
    }

    #[must_use]
    fn with(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    #[must_use]
    fn wanting(mut self, work: Work, wish: Wish) -> Self {
        self.jobs.push(WantedJob { work, wish });
        self
    }

    /// The supplement follows on the recording: one that is made once more reads all that came.
    #[must_use]
    fn wanting_supplement(self, now: UnixMillis) -> Self {
        if self.after.status != SessionStatus::Completed || self.after.late_since.is_none() {
            return self;
        }
        let due = self.after.supplement_due(now);
        self.wanting(Work::Supplement, Wish::NotBefore(due))
    }

    fn to(mut self, event: SessionEvent) -> Result<Self, Refused> {
        self.after.status = self.after.status.after(event)?;
        Ok(self)
    }

    /// A session that was taken for interrupted, because its connection was lost, a clock jumped or
    /// another server started, is active again.
    fn writer_is_there(mut self, now: UnixMillis) -> Self {
        let Ok(status) = self.after.status.after(SessionEvent::WriterConnected) else {
            return self;
        };
        self.events.extend(self.after.resumed(now));
        self.after.status = status;
        self.after.heard_at = self.after.heard_at.max(now);
        (self.after.away_since, self.after.deadline) = (None, None);
        self
    }

    fn heartbeat(self, by: By, now: UnixMillis) -> Result<Self, Refused> {
        self.after.allows(by)?;
        Ok(self.writer_is_there(now))
    }

    fn interrupt(
        mut self,
        away_since: UnixMillis,
        cause: LossCause,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        self = self.to(SessionEvent::ConnectionLost)?;
        self.after.away_since = Some(away_since);
        self.after.deadline = Some(now.plus(policy.grace));
        Ok(self.with(Event::ConnectionLost { cause }))
    }

    /// Nothing happens when a newer writer is there already, or the session is past that.
    fn lose_connection(
        self,
        epoch: Epoch,
        cause: LossCause,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        if epoch == self.after.epoch && self.after.status == SessionStatus::Active {
            self.interrupt(now, cause, now, policy)
        } else {
            Ok(self)
        }
    }

    fn note_silence(
        self,
        since: Option<UnixMillis>,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        let heard_at = self.after.heard_at;
        let is_silent = since.is_none_or(|since| heard_at <= since);
        if is_silent && self.after.status == SessionStatus::Active {
            let cause = since.map_or(LossCause::ServerGone, |_| LossCause::Silent);
            self.interrupt(heard_at, cause, now, policy)
        } else {
            Ok(self)
        }
    }

    fn check_deadline(mut self, now: UnixMillis, policy: &Policy) -> Result<Self, Refused> {
        if self.after.deadline.is_none_or(|deadline| deadline > now) {
            return Ok(self);
        }
        match self.after.status {
            SessionStatus::Interrupted => {
                self = self.to(SessionEvent::GraceOver)?;
                self.after.deadline = Some(now.plus(policy.resume_window));
                let over = self.with(Event::GraceOver);
                // Of nothing no recording can be made; the session may still be resumed.
                let is_empty = over.after.have.is_empty();
                Ok(if is_empty { over } else { over.wanting(Work::Assemble, Wish::Mild) })
            }
            SessionStatus::Incomplete if self.after.is_unused() => self.delete(now),
            SessionStatus::Incomplete => {
                self = self.to(SessionEvent::FinishAsked)?;
                self.after.deadline = None;
                Ok(self.with(Event::ResumeWindowOver).wanting(Work::Assemble, Wish::Mild))
            }
            SessionStatus::Failed => self.delete(now),
            SessionStatus::Discarded => {
                self.after.deadline = None;
                Ok(self.wanting(Work::Erase, Wish::Insisting))
            }
            SessionStatus::Active | SessionStatus::Finalizing | SessionStatus::Completed => {
                Ok(self)
            }
        }
    }

    /// What is completed stays so: its receipt is there to be given again.
    fn finish(
        mut self,
        by: By,
        last_seq: Option<Seq>,
        lost: &SeqSet,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        self.after.allows(by)?;
        if self.after.status == SessionStatus::Completed {
            return Ok(self);
        }
        if let Some(last) = last_seq {
            if policy.is_too_far_ahead(&self.after.have, last) {
                return Err(Refused::TooFarAhead);
            }
            let missing = self.after.have.missing_up_to(last).difference(lost);
            if !missing.is_empty() {
                return Err(Refused::Missing(missing));
            }
        }
        let before = self.after.status;
        self = self.to(SessionEvent::FinishAsked)?;
        self.after.deadline = None;
        self.after.last_seq = last_seq.or(self.after.last_seq);
        let asker = match by {
            By::Writer(_) | By::Candidate { .. } => Asker::Candidate,
            By::Reviewer => Asker::Reviewer,
        };
        if before != SessionStatus::Finalizing {
            self = self.with(Event::FinishAsked { by: asker, last_seq });
        }
        let insists = before == SessionStatus::Failed && asker == Asker::Reviewer;
        let wish = if insists { Wish::Insisting } else { Wish::Mild };
        Ok(self.wanting(Work::Assemble, wish))
    }

    fn recording_playable(mut self, of: MadeOf) -> Result<Self, Refused> {
        self.after.takes_recording(of)?;
        self.after.playable = true;
        Ok(self)
    }

    /// Completes the session if that was being finalized before the recording was begun. Only then
    /// something is made of it unasked: what is recorded later makes another one.
    fn recording_done(
        mut self,
        of: MadeOf,
        sounds: u32,
        now: UnixMillis,
        made: impl FnOnce(bool) -> Event,
    ) -> Result<Self, Refused> {
        self.after.takes_recording(of)?;
        let is_complete = self.after.status.after(SessionEvent::RecordingDurable).is_ok();
        if is_complete {
            self = self.to(SessionEvent::RecordingDurable)?.wanting(Work::Release, Wish::Mild);
            if sounds > 0 {
                self = self.wanting(Work::Waveform, Wish::Mild);
            }
            if sounds > 1 {
                self = self.wanting(Work::Mix, Wish::Mild);
            }
            self = self.wanting_supplement(now);
        }
        Ok(self.with(made(is_complete)))
    }

    /// What came while it was made is for the next one.
    fn supplement_made(
        mut self,
        of: &SeqSet,
        now: UnixMillis,
        made: Event,
    ) -> Result<Self, Refused> {
        if self.after.status != SessionStatus::Completed {
            return Err(Refused::NotCompleted);
        }
        let is_all = self.after.late.difference(of).is_empty();
        self.after.late_since = (!is_all).then_some(now);
        Ok(self.with(made).wanting_supplement(now))
    }

    fn want(self, beside: Beside) -> Result<Self, Refused> {
        if !self.after.playable {
            return Err(Refused::NoRecording);
        }
        match beside {
            Beside::Export(_) if self.after.status != SessionStatus::Completed => {
                return Err(Refused::NotCompleted);
            }
            Beside::Waveform | Beside::Mix | Beside::Export(_) => {}
        }
        let wish = if beside.insists() { Wish::Insisting } else { Wish::Mild };
        Ok(self.wanting(beside.work(), wish))
    }

    /// A session that failed because its recording was given up is finished once more.
    fn retry(self, work: Work, policy: &Policy) -> Result<Self, Refused> {
        let has_failed = self.after.status == SessionStatus::Failed;
        let change = if work == Work::Assemble && has_failed {
            Self { jobs: Vec::new(), ..self.finish(By::Reviewer, None, &SeqSet::new(), policy)? }
        } else {
            self
        };
        Ok(change.wanting(work, Wish::Retrying))
    }

    /// A session that still takes items goes on. What cannot be played expires. The next try reads all that
    /// came, so nothing of it is late.
    fn recording_failed(
        mut self,
        reason: &str,
        took: Millis,
        now: UnixMillis,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        if self.after.status.after(SessionEvent::RecordingFailed).is_ok() {
            self = self.to(SessionEvent::RecordingFailed)?;
            let kept =
                if self.after.have.is_empty() { policy.resume_window } else { policy.failed_kept };
            self.after.deadline = (!self.after.playable).then(|| now.plus(kept));
            (self.after.late, self.after.late_since) = (SeqSet::new(), None);
        }
        let reason = shortened(reason.to_owned());
        Ok(self.with(Event::RecordingFailed { reason, took_ms: took }))
    }

    fn discard(mut self, by: By, now: UnixMillis, policy: &Policy) -> Result<Self, Refused> {
        self.after.allows(by)?;
        if self.after.status == SessionStatus::Discarded {
            return Ok(self);
        }
        self = self.to(SessionEvent::Discarded)?.without_recording();
        self.after.deadline = Some(now.plus(policy.discarded_kept));
        Ok(self.with(Event::Discarded).wanting(Work::Erase, Wish::Insisting))
    }

    /// Nothing is to be left of it, and nobody is told of it any more.
    fn delete(mut self, now: UnixMillis) -> Result<Self, Refused> {
        self = self.to(SessionEvent::Deleted)?.without_recording();
        self.after.deadline = Some(now);
        Ok(self.with(Event::Discarded).wanting(Work::Erase, Wish::Insisting))
    }

    fn without_recording(mut self) -> Self {
        self.after.playable = false;
        self
    }
}

impl Policy {
    fn is_too_far_ahead(&self, have: &SeqSet, seq: Seq) -> bool {
        let next = have.last().map_or(0, |last| last.next().get());
        seq.get() > next.saturating_add(self.seq_ahead_max)
    }
}

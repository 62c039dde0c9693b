//! Watches one connection, whatever its transport: counts what goes through it, and notes what is
//! worth remembering of it. Decides nothing; the connection works the same without it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use ledger::Applied;
use protocol::event::{LossCause, Transport};
use protocol::item::ItemError;
use protocol::message::{Heartbeat, Hello, Opening, Refusal};
use protocol::{Epoch, Event, Seq, SeqSet, ServerMessage, SessionId};

use super::Events;
use crate::metrics::{Metrics, OpenConnection};

/// What it has gathered is noted when it is dropped, however the connection ends.
#[derive(Debug)]
pub(crate) struct Observer {
    events: Events,
    metrics: Metrics,
    transport: Transport,
    open: OpenConnection,
    writer: Option<(SessionId, Epoch)>,
    /// When each batch came that the ledger has not answered, oldest first.
    received: VecDeque<Instant>,
    duplicates: u64,
    refused: BTreeMap<&'static str, u64>,
    conflict_noted: bool,
    fenced: bool,
    cause: LossCause,
}

impl Observer {
    pub(crate) fn new(events: &Events, metrics: &Metrics, transport: Transport) -> Self {
        Self {
            events: events.clone(),
            metrics: metrics.clone(),
            transport,
            open: metrics.connection_opened(transport),
            writer: None,
            received: VecDeque::new(),
            duplicates: 0,
            refused: BTreeMap::new(),
            conflict_noted: false,
            fenced: false,
            cause: LossCause::Closed,
        }
    }

    pub(crate) fn welcomed(&mut self, hello: &Hello, opened: &Applied) {
        let epoch = opened.after.epoch;
        self.writer = Some((hello.session, epoch));
        for event in &opened.events {
            if let Event::Resumed { within_grace, .. } = event {
                self.metrics.resumed(*within_grace);
            }
        }
        match hello.opening {
            Opening::New { .. } | Opening::Existing | Opening::Following { .. } => {
                self.note(Event::Connected {
                    epoch,
                    failed_tries: hello.failed_tries,
                    transport: self.transport,
                })
            }
            // One more request of the same writer.
            Opening::Joining { .. } => {}
        }
    }

    /// Items go to the ledger.
    pub(crate) fn storing(&mut self) {
        self.received.push_back(Instant::now());
    }

    /// The ledger has answered for the oldest batch.
    pub(crate) fn stored(&mut self, acked: bool) {
        if let Some(received) = self.received.pop_front().filter(|_| acked) {
            self.metrics.acked(received.elapsed());
        }
    }

    pub(crate) fn heard(&mut self, heartbeat: &Heartbeat) {
        self.open.lags(heartbeat.pending_span);
    }

    /// Everything that the peer is told passes here.
    pub(crate) fn sending(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Ack { duplicates, .. } => {
                let items = duplicates.len();
                self.duplicates += items;
                self.metrics.duplicates(items);
            }
            ServerMessage::Refused(items) => self.refused(items),
            ServerMessage::Missing(missing) => self.missing(missing),
            ServerMessage::Goodbye(refusal) => {
                self.fenced |= *refusal == Refusal::Fenced;
                self.cause = LossCause::of_goodbye(refusal);
                self.metrics.turned_away(refusal);
            }
            ServerMessage::Welcome(_)
            | ServerMessage::HeartbeatAck
            | ServerMessage::Finalizing
            | ServerMessage::Completed(_)
            | ServerMessage::Failed(_)
            | ServerMessage::Discarded => {}
        }
    }

    /// The connection ended in another way than by being closed.
    pub(crate) fn lost(&mut self, cause: LossCause) {
        self.cause = cause;
    }

    /// Why the connection ended, as far as is known.
    pub(crate) fn cause(&self) -> LossCause {
        self.cause
    }

    fn refused(&mut self, items: &[(Seq, ItemError)]) {
        for (seq, error) in items {
            *self.refused.entry(error.as_str()).or_default() += 1;
            self.metrics.refused(*error);
            // The first is an alarm of its own; a peer that makes many fills no log with them.
            if *error == ItemError::DigestConflict && !self.conflict_noted {
                self.conflict_noted = true;
                tracing::error!(writer = ?self.writer, %seq, "another item under a taken number");
                self.note(Event::DigestConflict { seq: *seq });
            }
        }
    }

    fn missing(&self, missing: &SeqSet) {
        let items = missing.len();
        self.metrics.missing(items);
        let first = missing.ranges().next().map(|range| *range.start());
        if let Some((first, last)) = first.zip(missing.last()) {
            self.note(Event::MissingAsked { items, first, last });
        }
    }

    fn note(&self, event: Event) {
        if let Some((session, _)) = self.writer {
            self.events.note(session, event);
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if self.duplicates > 0 {
            self.note(Event::DuplicatesReceived { items: self.duplicates });
        }
        if !self.refused.is_empty() {
            let refused = std::mem::take(&mut self.refused);
            let reasons = refused.into_iter().map(|(word, items)| (word.to_owned(), items));
            self.note(Event::ItemsRefused { reasons: reasons.collect() });
        }
        if let Some((_, epoch)) = self.writer.filter(|_| self.fenced) {
            self.note(Event::Fenced { epoch });
        }
    }
}

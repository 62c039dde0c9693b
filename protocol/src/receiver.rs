//! The server's side of one connection: checks every frame, asks the shell to open the session, to
//! store items and to finish, and answers. One receiver lives as long as its connection.

use std::collections::VecDeque;

use crate::item::ItemError;
use crate::limits::{
    HELLO_DEADLINE, IN_FLIGHT_BYTES_MAX, ITEMS_PER_MESSAGE_MAX, PROTOCOL_VERSION,
    PROTOCOL_VERSION_OLDEST, counted_bytes,
};
use crate::message::{ClientMessage, Finish, Heartbeat, Hello, Refusal, ServerMessage, Welcome};
use crate::wire::v1;
use crate::{Epoch, Item, Millis, ProtocolError, Receipt, Seq, SeqSet, SessionId};
use crate::{UnixMillis, Version};

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Check the token, create the session if allowed, raise its epoch, then call
    /// [`Receiver::handle_opened`].
    Open(Hello),
    /// Make these durable, then call [`Receiver::handle_stored`]; batches are answered in order.
    Store(Vec<Item>),
    /// Note the sign of life.
    Heartbeat(Heartbeat),
    /// Throw the session away and call [`Receiver::handle_discard`].
    Discard,
    /// Finalize if the session is whole but for what is lost, and call
    /// [`Receiver::handle_finish`] with each step.
    Finish(Finish),
    Send(ServerMessage),
    /// Send what is queued, then close the connection.
    Close,
}

/// What became of one item in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Durable now.
    Stored,
    /// Durable before, with the same digest.
    Duplicate,
    /// Not stored.
    Refused(ItemError),
}

impl Verdict {
    /// The rule of "stored once": what a second item under a taken number is.
    pub fn of_second(stored: &crate::Digest, arriving: &crate::Digest) -> Self {
        if stored == arriving { Self::Duplicate } else { Self::Refused(ItemError::DigestConflict) }
    }
}

/// A step on the way from `Finish` to the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishStep {
    Missing(SeqSet),
    Finalizing,
    Completed(Receipt),
    Failed(String),
}

/// How a `Discard` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscardStep {
    Discarded,
    /// Too late: the recording is made, and the candidate has its receipt.
    Completed(Receipt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    AwaitingHello { deadline: Millis },
    Opening { session: SessionId },
    Open { session: SessionId, epoch: Epoch },
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Receiver {
    phase: Phase,
    /// What the client speaks; until it has said so, the oldest that there is.
    version: Version,
    heard_at: Millis,
    silence_max: Millis,
    /// Bytes of each batch, headers included, that the ledger has not answered, oldest first.
    storing: VecDeque<usize>,
    storing_bytes: usize,
    effects: VecDeque<Effect>,
}

impl Receiver {
    /// A connection just accepted. `silence_max` is how long it may go without a sign of life.
    pub fn new(now: Millis, silence_max: Millis) -> Self {
        Self {
            phase: Phase::AwaitingHello { deadline: now + HELLO_DEADLINE.min(silence_max) },
            version: PROTOCOL_VERSION_OLDEST,
            heard_at: now,
            silence_max,
            storing: VecDeque::new(),
            storing_bytes: 0,
            effects: VecDeque::new(),
        }
    }

    /// The session and epoch that this connection writes, once welcomed.
    pub fn writer(&self) -> Option<(SessionId, Epoch)> {
        match self.phase {
            Phase::Open { session, epoch } => Some((session, epoch)),
            Phase::AwaitingHello { .. } | Phase::Opening { .. } | Phase::Closed => None,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// False while the ledger owes answers for a full window: read no further frame until then, so
    /// that a connection's memory stays bounded.
    pub fn wants_input(&self) -> bool {
        self.storing_bytes < IN_FLIGHT_BYTES_MAX && self.storing.len() < ITEMS_PER_MESSAGE_MAX
    }

    pub fn handle_frame(&mut self, now: Millis, frame: &[u8]) {
        self.heard_at = now;
        if self.phase == Phase::Closed {
            return;
        }
        match ClientMessage::decode(frame) {
            Ok(message) => self.handle_message(message),
            Err(error) => self.refuse(self.refusal_of(error)),
        }
    }

    fn refusal_of(&self, error: ProtocolError) -> Refusal {
        match error {
            ProtocolError::FrameTooLarge(_) => Refusal::FrameTooLarge,
            // Past the first message it is no `Hello`, but bytes that were damaged on the way.
            ProtocolError::UnsupportedVersion(_) | ProtocolError::InvalidSessionId
                if !matches!(self.phase, Phase::AwaitingHello { .. }) =>
            {
                Refusal::UndecodableFrame
            }
            ProtocolError::UnsupportedVersion(client) => {
                Refusal::UnsupportedVersion { client, server: PROTOCOL_VERSION.number() }
            }
            ProtocolError::InvalidSessionId => Refusal::InvalidSessionId,
            ProtocolError::Undecodable => Refusal::UndecodableFrame,
        }
    }

    /// A message for this client as bytes, in the version that it speaks. Version 1 tells the time.
    pub fn encode(&self, message: &ServerMessage, server_time: UnixMillis) -> Vec<u8> {
        match self.version {
            Version::V1 => v1::encode(message, self.silence_max, server_time),
            Version::V2 => message.encode(),
        }
    }

    /// A WebSocket pong or ping: the peer lives.
    pub fn handle_sign_of_life(&mut self, now: Millis) {
        self.heard_at = now;
    }

    pub fn handle_opened(&mut self, opened: Result<Welcome, Refusal>) {
        let Phase::Opening { session } = self.phase else {
            return;
        };
        match opened {
            Ok(welcome) => {
                self.phase = Phase::Open { session, epoch: welcome.epoch };
                self.send(ServerMessage::Welcome(welcome));
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// The oldest batch is committed: every item has its verdict.
    pub fn handle_stored(&mut self, verdicts: impl IntoIterator<Item = (Seq, Verdict)>) {
        let bytes = self.storing.pop_front().unwrap_or(0);
        self.storing_bytes -= bytes;
        let (mut seqs, mut duplicates, mut refused) = (SeqSet::new(), SeqSet::new(), Vec::new());
        for (seq, verdict) in verdicts {
            match verdict {
                Verdict::Stored => seqs.insert(seq),
                Verdict::Duplicate => {
                    seqs.insert(seq);
                    duplicates.insert(seq);
                }
                Verdict::Refused(error) => refused.push((seq, error)),
            }
        }
        if self.writer().is_none() {
            return;
        }
        if !seqs.is_empty() {
            self.send(ServerMessage::Ack { seqs, duplicates });
        }
        if !refused.is_empty() {
            self.send(ServerMessage::Refused(refused));
        }
    }

    pub fn handle_finish(&mut self, step: FinishStep) {
        if self.writer().is_some() {
            self.send(match step {
                FinishStep::Missing(seqs) => ServerMessage::Missing(seqs),
                FinishStep::Finalizing => ServerMessage::Finalizing,
                FinishStep::Completed(receipt) => ServerMessage::Completed(receipt),
                FinishStep::Failed(reason) => ServerMessage::Failed(reason),
            });
        }
    }

    /// The session is thrown away, or was completed before it could be.
    pub fn handle_discard(&mut self, step: DiscardStep) {
        if matches!(self.phase, Phase::Open { .. }) {
            self.send(match step {
                DiscardStep::Discarded => ServerMessage::Discarded,
                DiscardStep::Completed(receipt) => ServerMessage::Completed(receipt),
            });
        }
    }

    /// Ends the connection from the server's side: fenced, shutting down, storage unavailable.
    pub fn refuse(&mut self, refusal: Refusal) {
        if self.phase != Phase::Closed {
            self.send(ServerMessage::Goodbye(refusal));
            self.handle_closed();
        }
    }

    /// The peer is gone, or is to be.
    pub fn handle_closed(&mut self) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.effects.push_back(Effect::Close);
        }
    }

    pub fn handle_timeout(&mut self, now: Millis) {
        if self.poll_timeout().is_some_and(|deadline| now >= deadline) {
            self.refuse(Refusal::Silent);
        }
    }

    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.phase {
            Phase::AwaitingHello { deadline } => Some(deadline),
            Phase::Opening { .. } | Phase::Open { .. } => Some(self.heard_at + self.silence_max),
            Phase::Closed => None,
        }
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn handle_message(&mut self, message: ClientMessage) {
        match (self.phase, message) {
            (Phase::AwaitingHello { .. }, ClientMessage::Hello(hello)) => {
                self.version = hello.version;
                self.phase = Phase::Opening { session: hello.session };
                self.effects.push_back(Effect::Open(hello));
            }
            (Phase::Open { .. }, ClientMessage::Items(items)) => self.handle_items(items),
            (Phase::Open { .. }, ClientMessage::Heartbeat(heartbeat)) => {
                self.effects.push_back(Effect::Heartbeat(heartbeat));
                self.send(ServerMessage::HeartbeatAck);
            }
            (Phase::Open { .. }, ClientMessage::Finish(finish)) => {
                self.effects.push_back(Effect::Finish(finish));
            }
            (Phase::Open { .. }, ClientMessage::Discard) => {
                self.effects.push_back(Effect::Discard);
            }
            (
                Phase::AwaitingHello { .. }
                | Phase::Opening { .. }
                | Phase::Open { .. }
                | Phase::Closed,
                _,
            ) => self.refuse(Refusal::HelloExpected),
        }
    }

    fn handle_items(&mut self, items: Vec<Item>) {
        if items.len() > ITEMS_PER_MESSAGE_MAX {
            self.refuse(Refusal::TooManyItems);
            return;
        }
        let (mut good, mut refused) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match item.check() {
                Ok(()) => good.push(item),
                Err(error) => refused.push((item.seq, error)),
            }
        }
        if !refused.is_empty() {
            self.send(ServerMessage::Refused(refused));
        }
        if !good.is_empty() {
            let bytes = good.iter().map(|item| counted_bytes(item.payload_bytes())).sum();
            self.storing.push_back(bytes);
            self.storing_bytes += bytes;
            self.effects.push_back(Effect::Store(good));
        }
    }

    fn send(&mut self, message: ServerMessage) {
        self.effects.push_back(Effect::Send(message));
    }
}

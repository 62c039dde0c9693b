//! One writer of one session, whatever transport its frames come by: carries out what the
//! protocol's receiver asks for. All rules are in the receiver; a transport only moves frames and
//! decides how long it waits.

mod fences;
mod finish;

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use protocol::event::{LossCause, Transport};
use protocol::message::{Finish, Heartbeat, Hello, Welcome};
use protocol::receiver::{Effect, Receiver, Verdict};
use protocol::{Item, Refusal, SessionId};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use fences::Fences;
use fences::Writing;
use finish::Step;

use crate::clock::{self, Monotonic};
use crate::events::Observer;
use crate::ledger::LedgerError;
use crate::state::AppState;
use crate::store::{Append, Appended, By, Opened, StoreError, Whose};

/// Steps of a finish that may wait for the peer.
const FINISH_STEPS_MAX: usize = 8;
/// A sign of life is written down at most this often for each connection.
const HEARTBEAT_NOTED_EVERY: Duration = Duration::from_secs(1);

type Storing = BoxFuture<'static, (usize, Result<Appended, LedgerError>)>;

pub(crate) struct Writer {
    state: AppState,
    clock: Monotonic,
    receiver: Receiver,
    observer: Observer,
    storing: FuturesOrdered<Storing>,
    writing: Option<Writing>,
    steps_in: mpsc::Sender<Step>,
    steps: mpsc::Receiver<Step>,
    /// Waits until everything received before it is committed.
    asked: Option<Finish>,
    finishing: bool,
    noted_at: Option<Instant>,
}

/// What the transport is to do.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message, in the version that the client speaks.
    Frame(Vec<u8>),
    /// End the connection; nothing follows.
    Close,
}

impl Writer {
    pub(crate) fn new(state: AppState, transport: Transport) -> Self {
        let clock = Monotonic::start();
        let silence_max = state.config.heartbeat_timeout.0;
        let (steps_in, steps) = mpsc::channel(FINISH_STEPS_MAX);
        Self {
            receiver: Receiver::new(clock.now(), silence_max),
            observer: Observer::new(&state.events, &state.metrics, transport),
            state,
            clock,
            storing: FuturesOrdered::new(),
            writing: None,
            steps_in,
            steps,
            asked: None,
            finishing: false,
            noted_at: None,
        }
    }

    /// False while the ledger owes answers for a full window: hand in no further frame until then.
    pub(crate) fn wants_input(&self) -> bool {
        self.receiver.wants_input()
    }

    /// True while something received is not answered: items, or a finish.
    pub(crate) fn owes_answers(&self) -> bool {
        !self.receiver.is_closed() && (self.is_storing() || self.finishing)
    }

    pub(crate) fn is_storing(&self) -> bool {
        !self.storing.is_empty()
    }

    pub(crate) fn receive(&mut self, frame: &[u8]) {
        self.receiver.handle_frame(self.clock.now(), frame);
    }

    pub(crate) fn sign_of_life(&mut self) {
        self.receiver.handle_sign_of_life(self.clock.now());
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.receiver.refuse(refusal);
    }

    /// Waits until something happens without the peer: a commit, a step of a finish, a newer writer.
    /// May be dropped and called again.
    pub(crate) async fn happening(&mut self) {
        tokio::select! {
            // Commits first: acks must not wait behind anything.
            biased;
            Some((items, result)) = self.storing.next() => self.stored(items, result),
            Some(step) = self.steps.recv() => self.step(step),
            refusal = ended(self.writing.as_mut()) => self.receiver.refuse(refusal),
        }
    }

    /// When [`Writer::overdue`] is to be called. `None` while no input is wanted: who is not
    /// listened to cannot be silent.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.receiver.poll_timeout().filter(|_| self.wants_input());
        deadline.map(|at| self.clock.instant(at))
    }

    pub(crate) fn overdue(&mut self) {
        self.receiver.handle_timeout(self.clock.now());
    }

    /// Carries out what the receiver asks for, up to the next thing that the transport has to do.
    pub(crate) async fn next_outgoing(&mut self) -> Option<Outgoing> {
        while let Some(effect) = self.receiver.poll_effect() {
            match effect {
                Effect::Open(hello) => {
                    let opened = self.open(&hello).await;
                    self.receiver.handle_opened(opened);
                }
                Effect::Store(items) => self.store(items),
                Effect::Heartbeat(heartbeat) => self.heard(heartbeat).await,
                Effect::Discard => self.discard().await,
                Effect::Finish(finish) => self.asked = Some(finish),
                Effect::Send(message) => {
                    self.observer.sending(&message);
                    let frame = self.receiver.encode(&message, clock::wall());
                    return Some(Outgoing::Frame(frame));
                }
                Effect::Close => return Some(Outgoing::Close),
            }
        }
        self.finish_if_all_is_stored();
        None
    }

    /// The server shuts down: what was received is committed, and its acks are queued, before the
    /// goodbye.
    pub(crate) async fn stop(&mut self) {
        self.commit().await;
        self.receiver.refuse(Refusal::ShuttingDown);
    }

    /// Waits until everything received is committed, and queues the acks.
    pub(crate) async fn commit(&mut self) {
        while let Some((items, result)) = self.storing.next().await {
            self.stored(items, result);
        }
    }

    /// The connection ended in another way than by being closed.
    pub(crate) fn lost(&mut self, cause: LossCause) {
        self.observer.lost(cause);
    }

    /// The connection is gone. What came by it is committed all the same; nobody hears the ack.
    pub(crate) async fn leave(mut self) {
        while self.storing.next().await.is_some() {}
        let Some(writing) = self.writing.take() else {
            return;
        };
        let (session, epoch) = (writing.session(), writing.epoch());
        if writing.is_last() {
            let (cause, grace) = (self.observer.cause(), self.state.config.grace.0);
            let store = &self.state.store;
            match store.connection_lost(session, epoch, cause, clock::wall(), grace).await {
                // The deadlines find the session by its silence as soon as there is room.
                Ok(()) | Err(StoreError::DiskFull) => {}
                Err(error) => tracing::error!(%session, %error, "lost connection not noted"),
            }
        }
        tracing::info!(%session, %epoch, "connection closed");
    }

    async fn open(&mut self, hello: &Hello) -> Result<Welcome, Refusal> {
        let refused = |error| refusal(hello.session, &error);
        let store = &self.state.store;
        let opened = store.taking(store.open_session(hello, clock::wall())).await;
        let opened = opened.map_err(refused)?;
        let Opened { epoch, status, progress, .. } = opened;
        let have = store.have(hello.session).await.map_err(refused)?;
        self.writing = Some(self.state.fences.enter(hello.session, epoch));
        self.observer.welcomed(hello, &opened);
        tracing::info!(session = %hello.session, %epoch, %status, have = have.len(), "welcome");
        Ok(Welcome { epoch, have, progress, status })
    }

    fn store(&mut self, items: Vec<Item>) {
        let Some((session, epoch)) = self.receiver.writer() else {
            return;
        };
        self.observer.storing();
        let ledger = self.state.ledger.clone();
        self.storing.push_back(Box::pin(async move {
            let count = items.len();
            (count, ledger.append(Append { session, by: By::Writer(epoch), items }).await)
        }));
    }

    fn stored(&mut self, items: usize, result: Result<Appended, LedgerError>) {
        self.observer.stored(matches!(result, Ok(Appended::Judged(_))));
        match result {
            Ok(Appended::Judged(verdicts)) => {
                for (seq, verdict) in &verdicts {
                    if let Verdict::Refused(error) = verdict {
                        tracing::warn!(%seq, %error, "item refused");
                    }
                }
                self.receiver.handle_stored(verdicts);
            }
            Ok(Appended::Fenced | Appended::WrongToken | Appended::UnknownSession) => {
                self.receiver.refuse(Refusal::Fenced);
            }
            Err(LedgerError::DiskFull) => self.receiver.refuse(Refusal::DiskFull),
            Err(error @ LedgerError::Failed(_)) => {
                tracing::error!(items, %error, "nothing acked");
                self.receiver.refuse(Refusal::Unavailable);
            }
        }
    }

    /// Notes a sign of life. A failure is no reason to end a connection that works.
    async fn heard(&mut self, heartbeat: Heartbeat) {
        let Some((session, _)) = self.receiver.writer() else {
            return;
        };
        tracing::debug!(%session, pending = heartbeat.pending, "heartbeat");
        self.observer.heard(&heartbeat);
        let now = Instant::now();
        if self.noted_at.is_some_and(|noted| now.duration_since(noted) < HEARTBEAT_NOTED_EVERY) {
            return;
        }
        self.noted_at = Some(now);
        match self.state.store.heartbeat(session, Whose::Reviewer, clock::wall()).await {
            Ok(_) | Err(StoreError::DiskFull) => {}
            Err(error) => tracing::warn!(%session, %error, "heartbeat not noted"),
        }
    }

    /// A finish is about everything that was received before it.
    fn finish_if_all_is_stored(&mut self) {
        if self.is_storing() || self.finishing {
            return;
        }
        if let (Some(finish), Some((session, _))) = (self.asked.take(), self.receiver.writer()) {
            self.finishing = true;
            finish::start(self.state.clone(), session, finish, self.steps_in.clone());
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begun(step) => self.receiver.handle_finish(step),
            Step::Last(last) => {
                self.finishing = false;
                // Whoever asked meanwhile has the same answer.
                self.asked = None;
                match last {
                    Ok(step) => self.receiver.handle_finish(step),
                    Err(refusal) => self.receiver.refuse(refusal),
                }
            }
        }
    }

    async fn discard(&mut self) {
        let Some((session, _)) = self.receiver.writer() else {
            return;
        };
        match self.state.recordings.discard(session, Whose::Reviewer).await {
            Ok(step) => self.receiver.handle_discard(step),
            Err(error) => {
                tracing::error!(%session, %error, "not discarded");
                self.receiver.refuse(temporary(&error));
            }
        }
    }
}

fn refusal(session: SessionId, error: &StoreError) -> Refusal {
    let refusal = match error {
        StoreError::UnknownSession => Refusal::UnknownSession,
        StoreError::WrongToken => Refusal::WrongToken,
        StoreError::Fenced => Refusal::Fenced,
        StoreError::Outdated(current) => Refusal::Outdated { current: *current },
        StoreError::Discarded => Refusal::Discarded,
        // The log says it once, when it begins.
        StoreError::DiskFull => return Refusal::DiskFull,
        StoreError::Illegal(_)
        | StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::Corrupt(_) => Refusal::Unavailable,
    };
    tracing::info!(%session, %error, "refused");
    refusal
}

/// Why the peer should ask again later.
fn temporary(error: &StoreError) -> Refusal {
    match error {
        StoreError::DiskFull => Refusal::DiskFull,
        StoreError::UnknownSession
        | StoreError::WrongToken
        | StoreError::Fenced
        | StoreError::Outdated(_)
        | StoreError::Discarded
        | StoreError::Illegal(_)
        | StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::Corrupt(_) => Refusal::Unavailable,
    }
}

async fn ended(writing: Option<&mut Writing>) -> Refusal {
    match writing {
        Some(writing) => writing.ended().await,
        None => std::future::pending().await,
    }
}

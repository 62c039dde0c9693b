//! One writer of one session, whatever transport its frames come by: carries out what the
//! protocol's receiver asks for. All rules are in the receiver; a transport only moves frames and
//! decides how long it waits.

mod finish;

use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use ledger::{Append, Appended, By, Command};
use protocol::event::{LossCause, Transport};
use protocol::message::{Finish, Heartbeat, Hello, Progress, Welcome};
use protocol::receiver::{Effect, Receiver, Verdict};
use protocol::{Item, Refusal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use finish::Step;

use crate::clock::{self, Monotonic};
use crate::committer::{CommitError, Lane};
use crate::events::Observer;
use crate::quotas::{Address, Turned};
use crate::state::AppState;
use crate::store::StoreError;
use crate::writers::Writing;

/// Steps of a finish that may wait for the peer.
const FINISH_STEPS_MAX: usize = 8;

type Storing = BoxFuture<'static, (usize, Result<Appended, CommitError>)>;

pub(crate) struct Writer {
    state: AppState,
    transport: Transport,
    from: Address,
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
    lane: Lane,
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
    pub(crate) fn new(state: AppState, transport: Transport, from: Address) -> Self {
        let clock = Monotonic::start();
        let silence_max = state.config.heartbeat_timeout.0;
        let (steps_in, steps) = mpsc::channel(FINISH_STEPS_MAX);
        let lane = state.committer.lane();
        Self {
            transport,
            from,
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
            lane,
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
                Effect::Heartbeat(heartbeat) => self.heard(heartbeat),
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
        if writing.is_last_connection() {
            let lost = Command::LoseConnection { epoch, cause: self.observer.cause() };
            match self.state.store.carry_out(session, &lost, clock::wall()).await {
                // The deadlines find the session by its silence as soon as there is room.
                Ok(_) | Err(StoreError::DiskFull) => {}
                Err(error) => tracing::error!(%session, %error, "lost connection not noted"),
            }
        }
        tracing::info!(%session, %epoch, "connection closed");
    }

    async fn open(&mut self, hello: &Hello) -> Result<Welcome, Refusal> {
        let (session, transport) = (hello.session, self.transport);
        let refused = |error: Turned| match error {
            Turned::Past(limit) => limit.goodbye(),
            // That of a full disk is said once, when it begins.
            Turned::Store(StoreError::DiskFull) => Refusal::DiskFull,
            Turned::Store(error) => {
                tracing::info!(%session, %error, "refused");
                refusal_of(&error)
            }
        };
        let token = hello.token.hash();
        let open = Command::Open { token, opening: hello.opening, transport };
        let (store, quotas) = (&self.state.store, &self.state.quotas);
        let opened = quotas.open(store, self.from, session, &open, clock::wall()).await;
        let opened = opened.map_err(refused)?;
        let next_segment =
            store.next_segment(session).await.map_err(|error| refused(error.into()))?;
        let ledger::Session { epoch, status, captured, have, .. } = opened.after.clone();
        self.writing = Some(self.state.writers.enter(session, epoch, transport));
        self.observer.welcomed(hello, &opened);
        tracing::info!(%session, %epoch, %status, have = have.len(), "welcome");
        let progress = Progress { next_segment, timeline_end: captured };
        Ok(Welcome { epoch, have, progress, status })
    }

    fn store(&mut self, items: Vec<Item>) {
        let Some((session, epoch)) = self.receiver.writer() else {
            return;
        };
        self.observer.storing();
        let (quotas, committer) = (self.state.quotas.clone(), self.state.committer.clone());
        let (from, lane, transport) = (self.from, self.lane, self.transport);
        self.storing.push_back(Box::pin(async move {
            let count = items.len();
            let append = Append { session, by: By::Writer(epoch), transport, items };
            (count, quotas.append(&committer, from, lane, append).await)
        }));
    }

    fn stored(&mut self, items: usize, result: Result<Appended, CommitError>) {
        self.observer.stored(matches!(result, Ok(Ok(_))));
        match result {
            Ok(Ok(verdicts)) => {
                let mut refused = verdicts.iter().filter_map(|(seq, verdict)| match verdict {
                    // Those past a limit of the operator's are told of elsewhere, once.
                    Verdict::Refused(error) => {
                        self.state.quotas.limit_of(*error).is_none().then_some((seq, error))
                    }
                    Verdict::Stored | Verdict::Duplicate => None,
                });
                if let Some((seq, error)) = refused.next() {
                    tracing::warn!(%seq, %error, more = refused.count(), "items refused");
                }
                self.receiver.handle_stored(verdicts);
            }
            Ok(Err(refused)) => self.receiver.refuse(refused.goodbye()),
            Err(CommitError::DiskFull) => self.receiver.refuse(Refusal::DiskFull),
            Err(CommitError::Past(limit)) => self.receiver.refuse(limit.goodbye()),
            Err(error @ CommitError::Failed(_)) => {
                tracing::error!(items, %error, "nothing acked");
                self.receiver.refuse(Refusal::Unavailable);
            }
        }
    }

    fn heard(&mut self, heartbeat: Heartbeat) {
        let Some((session, epoch)) = self.receiver.writer() else {
            return;
        };
        tracing::debug!(%session, pending = heartbeat.pending, "heartbeat");
        self.observer.heard(&heartbeat);
        self.state.committer.heartbeat(session, By::Writer(epoch));
    }

    /// A finish is about everything that was received before it.
    fn finish_if_all_is_stored(&mut self) {
        if self.is_storing() || self.finishing {
            return;
        }
        if let (Some(finish), Some(writer)) = (self.asked.take(), self.receiver.writer()) {
            self.finishing = true;
            finish::start(self.state.clone(), writer, finish, self.steps_in.clone());
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
        let Some((session, epoch)) = self.receiver.writer() else {
            return;
        };
        match self.state.recordings.discard(session, By::Writer(epoch)).await {
            Ok(step) => self.receiver.handle_discard(step),
            Err(error) => {
                tracing::error!(%session, %error, "not discarded");
                self.receiver.refuse(refusal_of(&error));
            }
        }
    }
}

/// Why a connection ends when the store does not do what it asks for.
fn refusal_of(error: &StoreError) -> Refusal {
    match error {
        StoreError::DiskFull => Refusal::DiskFull,
        StoreError::Refused(refused) => refused.goodbye(),
        StoreError::Database(_) | StoreError::Migration(_) | StoreError::Corrupt(_) => {
            Refusal::Unavailable
        }
    }
}

async fn ended(writing: Option<&mut Writing>) -> Refusal {
    match writing {
        Some(writing) => writing.ended().await,
        None => std::future::pending().await,
    }
}

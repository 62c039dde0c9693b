//! Drives one protocol receiver over one WebSocket. All rules are in the receiver; this loop only
//! moves frames, waits for the ledger, and keeps deadlines.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use protocol::message::{Finish, Heartbeat, Hello, Limits, Refusal, Welcome};
use protocol::receiver::{Effect, FinishStep, Receiver, Verdict};
use protocol::{Item, ServerMessage, SessionId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::fences::Writing;
use crate::clock::{self, Monotonic};
use crate::ledger::LedgerError;
use crate::recording::Outcome;
use crate::state::AppState;
use crate::store::{Append, Appended, StoreError, Whose};

/// How long a peer may take to read what it is sent before it counts as dead.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// WebSocket pings keep a connection alive without any timer in the page.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Steps of a finish that may wait for the peer.
const FINISH_STEPS_MAX: usize = 8;

type Storing = BoxFuture<'static, (Vec<Item>, Result<Appended, LedgerError>)>;

struct Connection {
    state: AppState,
    socket: WebSocket,
    clock: Monotonic,
    receiver: Receiver,
    storing: FuturesOrdered<Storing>,
    writing: Option<Writing>,
    steps_in: mpsc::Sender<FinishStep>,
    steps: mpsc::Receiver<FinishStep>,
    finishing: Option<JoinHandle<()>>,
    next_ping: Instant,
}

pub(super) async fn run(state: AppState, socket: WebSocket) {
    let clock = Monotonic::start();
    let (steps_in, steps) = mpsc::channel(FINISH_STEPS_MAX);
    let mut connection = Connection {
        receiver: Receiver::new(clock.now(), state.config.heartbeat_timeout.0),
        state,
        socket,
        clock,
        storing: FuturesOrdered::new(),
        writing: None,
        steps_in,
        steps,
        finishing: None,
        next_ping: Instant::now() + PING_EVERY,
    };
    while connection.turn().await.is_continue() {}
    connection.leave().await;
}

impl Connection {
    /// Waits for one thing to happen, tells the receiver, and carries out what it asks.
    async fn turn(&mut self) -> ControlFlow<()> {
        let deadline = self.receiver.poll_timeout().map(|at| self.clock.instant(at));
        let fenced = self.writing.as_ref().map(|writing| writing.fenced.clone());
        tokio::select! {
            // Commits first: acks must not wait behind new frames.
            biased;
            Some((items, result)) = self.storing.next() => self.stored(&items, result),
            Some(step) = self.steps.recv() => self.receiver.handle_finish(step),
            () = cancelled(fenced) => self.receiver.refuse(Refusal::Fenced),
            () = self.state.stopping.cancelled() => self.stop().await,
            () = sleep_until(deadline.unwrap_or(self.next_ping)), if deadline.is_some() => {
                self.receiver.handle_timeout(self.clock.now());
            }
            () = sleep_until(self.next_ping) => return self.ping().await,
            frame = self.socket.recv(), if self.receiver.wants_input() => {
                self.received(frame)?;
            }
        }
        self.carry_out().await
    }

    fn received(&mut self, frame: Option<Result<Message, axum::Error>>) -> ControlFlow<()> {
        let now = self.clock.now();
        match frame {
            Some(Ok(Message::Binary(frame))) => self.receiver.handle_frame(now, &frame),
            Some(Ok(Message::Text(_))) => self.receiver.refuse(Refusal::UndecodableFrame),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.receiver.handle_sign_of_life(now);
            }
            Some(Ok(Message::Close(_))) | None => return ControlFlow::Break(()),
            Some(Err(error)) => {
                tracing::debug!(%error, "connection broken");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    async fn carry_out(&mut self) -> ControlFlow<()> {
        while let Some(effect) = self.receiver.poll_effect() {
            match effect {
                Effect::Open(hello) => {
                    let opened = self.open(&hello).await;
                    self.receiver.handle_opened(opened);
                }
                Effect::Store(items) => self.store(items),
                Effect::Heartbeat(heartbeat) => {
                    if let Some((session, _)) = self.receiver.writer() {
                        heard(&self.state, session, heartbeat).await;
                    }
                }
                Effect::Discard => self.discard().await,
                Effect::Finish(finish) => self.finish(finish),
                Effect::Send(message) => self.send(&message).await?,
                Effect::Close => {
                    let close = self.socket.send(Message::Close(None));
                    drop(timeout(SEND_DEADLINE, close).await);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn open(&mut self, hello: &Hello) -> Result<Welcome, Refusal> {
        let opened = self.state.store.open_session(hello, clock::wall()).await;
        let (epoch, status) = opened.map_err(|error| refusal(hello, &error))?;
        let have = self.state.store.have(hello.session).await;
        let have = have.map_err(|error| refusal(hello, &error))?;
        self.writing = Some(self.state.fences.enter(hello.session, epoch));
        tracing::info!(session = %hello.session, %epoch, %status, have = have.len(), "welcome");
        let limits =
            Limits { silence_max: self.state.config.heartbeat_timeout.0, ..Limits::default() };
        Ok(Welcome { epoch, have, status, limits, server_time: clock::wall() })
    }

    fn store(&mut self, items: Vec<Item>) {
        let Some((session, epoch)) = self.receiver.writer() else {
            return;
        };
        let ledger = self.state.ledger.clone();
        self.storing.push_back(Box::pin(async move {
            let append = Append { session, epoch, items: items.clone() };
            (items, ledger.append(append).await)
        }));
    }

    fn stored(&mut self, items: &[Item], result: Result<Appended, LedgerError>) {
        match result {
            Ok(Appended::Judged(verdicts)) => {
                for (seq, verdict) in &verdicts {
                    if let Verdict::Refused(error) = verdict {
                        tracing::warn!(%seq, %error, "item refused");
                    }
                }
                self.receiver.handle_stored(verdicts);
            }
            Ok(Appended::Fenced) => self.receiver.refuse(Refusal::Fenced),
            Err(error) => {
                tracing::error!(items = items.len(), %error, "nothing acked");
                self.receiver.refuse(Refusal::Unavailable);
            }
        }
    }

    /// Runs beside the connection, so that it goes on answering heartbeats, and to its end even
    /// when the connection breaks. One at a time: a repeated `Finish` is answered by the first.
    fn finish(&mut self, finish: Finish) {
        let Some((session, _)) = self.receiver.writer() else {
            return;
        };
        if self.finishing.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let (state, steps) = (self.state.clone(), self.steps_in.clone());
        let tasks = self.state.tasks.clone();
        self.finishing = Some(tasks.spawn(async move {
            let last = match finish_session(&state, session, &finish, &steps).await {
                Ok(step) => step,
                Err(error) => {
                    tracing::error!(%session, %error, "cannot finish");
                    FinishStep::Failed(error.to_string())
                }
            };
            // A peer that has gone asks again when it is back.
            drop(steps.send(last).await);
        }));
    }

    async fn discard(&mut self) {
        let Some((session, _)) = self.receiver.writer() else {
            return;
        };
        match self.state.recordings.discard(session, Whose::Reviewer).await {
            Ok(step) => self.receiver.handle_discard(step),
            Err(error) => {
                tracing::error!(%session, %error, "not discarded");
                self.receiver.refuse(Refusal::Unavailable);
            }
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> ControlFlow<()> {
        let frame = Message::Binary(message.encode().into());
        match timeout(SEND_DEADLINE, self.socket.send(frame)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) | Err(_) => ControlFlow::Break(()),
        }
    }

    async fn ping(&mut self) -> ControlFlow<()> {
        self.next_ping = Instant::now() + PING_EVERY;
        let ping = self.socket.send(Message::Ping(bytes::Bytes::new()));
        match timeout(SEND_DEADLINE, ping).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) | Err(_) => ControlFlow::Break(()),
        }
    }

    /// The server shuts down: what was received is committed and acked before the goodbye.
    async fn stop(&mut self) {
        while let Some((items, result)) = self.storing.next().await {
            self.stored(&items, result);
        }
        self.receiver.refuse(Refusal::ShuttingDown);
    }

    /// The peer is gone. What it sent is committed all the same; nobody hears the ack.
    async fn leave(mut self) {
        let writer = self.writing.take().map(|writing| (writing.session(), writing.epoch()));
        while self.storing.next().await.is_some() {}
        if let Some((session, epoch)) = writer {
            let deadline = clock::wall().plus(self.state.config.grace.0);
            let lost = self.state.store.connection_lost(session, epoch, deadline).await;
            if let Err(error) = lost {
                tracing::error!(%session, %error, "lost connection not noted");
            }
            tracing::info!(%session, %epoch, "connection closed");
        }
    }
}

/// Notes a sign of life. A failure is no reason to end a connection that works.
async fn heard(state: &AppState, session: SessionId, heartbeat: Heartbeat) {
    tracing::debug!(%session, pending = heartbeat.pending, "heartbeat");
    let noted = state.store.heartbeat(session, Whose::Reviewer, clock::wall()).await;
    if let Err(error) = noted {
        tracing::warn!(%session, %error, "heartbeat not noted");
    }
}

async fn finish_session(
    state: &AppState,
    session: SessionId,
    finish: &Finish,
    steps: &mpsc::Sender<FinishStep>,
) -> Result<FinishStep, StoreError> {
    if let Some(last_seq) = finish.last_seq {
        let have = state.store.have(session).await?;
        let missing = have.missing_up_to(last_seq).difference(&finish.lost);
        if !missing.is_empty() {
            return Ok(FinishStep::Missing(missing));
        }
    }
    match state.store.begin_finalizing(session, Whose::Reviewer, finish.last_seq).await {
        // Completed already: the receipt is there to be given again.
        Ok(()) | Err(StoreError::Illegal(_)) => {}
        Err(error) => return Err(error),
    }
    drop(steps.send(FinishStep::Finalizing).await);
    Ok(step_of(state.recordings.make(session).await))
}

fn step_of(outcome: Outcome) -> FinishStep {
    match outcome {
        Outcome::Completed(receipt) => FinishStep::Completed(receipt),
        Outcome::Failed(reason) => FinishStep::Failed(reason),
        Outcome::Partial => FinishStep::Failed("the session was taken up again".into()),
    }
}

fn refusal(hello: &Hello, error: &StoreError) -> Refusal {
    tracing::info!(session = %hello.session, %error, "refused");
    match error {
        StoreError::UnknownSession => Refusal::UnknownSession,
        StoreError::WrongToken => Refusal::WrongToken,
        StoreError::Fenced => Refusal::Fenced,
        StoreError::Illegal(_)
        | StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::Corrupt(_) => Refusal::Unavailable,
    }
}

async fn cancelled(token: Option<CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

//! Moves frames between one WebSocket and a writer, and keeps the deadlines of the socket itself.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use protocol::Refusal;
use protocol::event::{LossCause, Transport};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::quotas::Address;
use crate::state::AppState;
use crate::writer::{Outgoing, Writer};

/// How long a peer may take to read what it is sent before it counts as dead; less when it may not
/// even be silent for that long.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// The same while the server stops, and how long the peer may take to hang up.
const LAST_WORDS_DEADLINE: Duration = Duration::from_secs(2);
/// WebSocket pings keep a connection alive without any timer in the page.
const PING_EVERY: Duration = Duration::from_secs(10);

struct Connection {
    socket: WebSocket,
    writer: Writer,
    stopping: CancellationToken,
    send_deadline: Duration,
    next_ping: Instant,
}

pub(super) async fn run(state: AppState, from: Address, socket: WebSocket) {
    let silence_max = state.config.heartbeat_timeout.0;
    let mut connection = Connection {
        socket,
        stopping: state.stopping.clone(),
        send_deadline: SEND_DEADLINE.min(Duration::from_millis(silence_max.get())),
        next_ping: Instant::now() + PING_EVERY,
        writer: Writer::new(state, Transport::WebSocket, from),
    };
    while connection.turn().await.is_continue() {}
    let Connection { socket, writer, .. } = connection;
    writer.leave().await;
    linger(socket).await;
}

/// Closing a socket with unread frames in it resets the connection, and the peer may lose the acks
/// and the goodbye that were sent before. So the rest is read, and thrown away, until it hangs up.
async fn linger(mut socket: WebSocket) {
    drop(
        timeout(LAST_WORDS_DEADLINE, async { while let Some(Ok(_)) = socket.recv().await {} })
            .await,
    );
}

impl Connection {
    /// Waits for one thing to happen and sends what follows from it.
    async fn turn(&mut self) -> ControlFlow<()> {
        let deadline = self.writer.deadline();
        tokio::select! {
            // Commits first: acks must not wait behind new frames.
            biased;
            () = self.writer.happening() => {}
            () = self.stopping.cancelled() => self.writer.stop().await,
            () = sleep_until(self.next_ping) => {
                self.next_ping = Instant::now() + PING_EVERY;
                self.send(Message::Ping(Bytes::new())).await?;
            }
            frame = self.socket.recv(), if self.writer.wants_input() => self.received(frame)?,
            // Last: a peer whose frame waits here is not silent, however late it is read.
            () = reached(deadline) => self.writer.overdue(),
        }
        while let Some(outgoing) = self.writer.next_outgoing().await {
            match outgoing {
                Outgoing::Frame(frame) => self.send(Message::Binary(frame.into())).await?,
                Outgoing::Close => {
                    self.send(Message::Close(None)).await?;
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn received(&mut self, frame: Option<Result<Message, axum::Error>>) -> ControlFlow<()> {
        match frame {
            Some(Ok(Message::Binary(frame))) => self.writer.receive(&frame),
            Some(Ok(Message::Text(_))) => self.writer.refuse(Refusal::UndecodableFrame),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.writer.sign_of_life(),
            Some(Ok(Message::Close(_))) | None => return ControlFlow::Break(()),
            Some(Err(error)) => {
                tracing::debug!(%error, "connection broken");
                self.writer.lost(LossCause::Broken);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// A peer that does not read is cut off: its acks must not pile up here.
    async fn send(&mut self, message: Message) -> ControlFlow<()> {
        let sent = async {
            tokio::select! {
                biased;
                sent = timeout(self.send_deadline, self.socket.send(message)) => sent.ok(),
                () = after(&self.stopping, LAST_WORDS_DEADLINE) => None,
            }
        };
        match sent.await {
            Some(Ok(())) => ControlFlow::Continue(()),
            Some(Err(_)) => {
                self.writer.lost(LossCause::Broken);
                ControlFlow::Break(())
            }
            None => {
                tracing::info!("a peer that does not read is cut off");
                self.writer.lost(LossCause::NotReading);
                ControlFlow::Break(())
            }
        }
    }
}

/// Resolves `span` after the server began to stop, or after now if that was before.
async fn after(stopping: &CancellationToken, span: Duration) {
    stopping.cancelled().await;
    tokio::time::sleep(span).await;
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

//! A server of one's own, and a candidate that speaks the protocol to it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use futures::{SinkExt as _, StreamExt as _};
use protocol::frames::{Joined, split};
use protocol::item::{SegmentStart, StartCause};
use protocol::limits::{FRAMES_PER_ANSWER_MAX, FRAMES_PER_REQUEST_MAX, PROTOCOL_VERSION};
use protocol::message::{Finish, Hello, Opening, Refusal, Welcome};
use protocol::{
    ClientMessage, Content, Item, Marker, Millis, Receipt, SegmentNo, Seq, SeqSet, ServerMessage,
    SessionId, SessionToken, TrackKind, TrackNo, UnixMillis,
};
use serde_json::Value;
use server::Server;
use server::cli::{Cli, Command};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

/// How a session begins.
pub(crate) const NEW: Opening = Opening::New { started_at: UnixMillis::new(1_795_257_600_000) };

/// Nothing a test waits for takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process.
pub(crate) struct TestServer {
    server: Option<Server>,
    pub(crate) folder: TempDir,
    options: Vec<String>,
    at: Api,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with_options(&[]).await
    }

    pub(crate) async fn with_options(options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let server = start(folder.path(), &options).await;
        let at = Api::at(server.address());
        Self { server: Some(server), folder, options, at }
    }

    /// Stops the server cleanly and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    pub(crate) async fn start_again(&mut self) {
        let server = start(self.folder.path(), &self.options).await;
        self.at = Api::at(server.address());
        self.server = Some(server);
    }

    pub(crate) async fn stop(&mut self) {
        timeout(PATIENCE, self.server.take().unwrap().stop()).await.unwrap().unwrap();
    }
}

impl Deref for TestServer {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.at
    }
}

/// A server as its clients reach it, wherever it runs.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
}

impl Api {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap()
    }

    pub(crate) async fn session(&self, id: SessionId) -> Value {
        self.json(&format!("/api/sessions/{id}")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.http.post(self.url(path)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// Posts bytes as `sendBeacon` does; the answer's status and body.
    pub(crate) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> (u16, Bytes) {
        let request = self.http.post(self.url(path)).body(body);
        let request = request.header("content-type", "application/octet-stream");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap())
    }

    /// Polls the session's JSON until its status is `status`.
    pub(crate) async fn wait_for_status(&self, id: SessionId, status: &str) -> Value {
        let has_status = async || {
            let session = self.session(id).await;
            (session["status"] == status).then_some(session)
        };
        eventually(&format!("the session is {status}"), has_status).await
    }

    pub(crate) async fn readiness(&self) -> (u16, String) {
        let response = self.get("/readyz").await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn connect(&self) -> Socket {
        Socket(connect_async(format!("ws://{}/api/ws", self.address)).await.unwrap().0)
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    timeout(PATIENCE, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never: {what}"))
}

async fn start(folder: &Path, options: &[String]) -> Server {
    let folder = folder.to_str().unwrap();
    let arguments = ["holdfast", "serve", "--listen", "127.0.0.1:0", "--data-dir", folder];
    let arguments = arguments.into_iter().map(str::to_owned).chain(options.iter().cloned());
    let Command::Serve(config) = Cli::parse_from(arguments).command else {
        panic!("the command is another one");
    };
    Server::start(config).await.unwrap()
}

/// A raw protocol connection.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        self.send_frame(message.encode()).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Vec<u8>) {
        self.0.send(Message::Binary(frame.into())).await.unwrap();
    }

    /// False when the connection has ended.
    pub(crate) async fn try_send(&mut self, message: &ClientMessage) -> bool {
        self.try_send_frame(message.encode()).await
    }

    pub(crate) async fn try_send_frame(&mut self, frame: Vec<u8>) -> bool {
        self.0.send(Message::Binary(frame.into())).await.is_ok()
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message; `None` when the connection has ended, in whatever way.
    pub(crate) async fn receive(&mut self) -> Option<ServerMessage> {
        Some(ServerMessage::decode(&self.receive_frame().await?).unwrap())
    }

    pub(crate) async fn receive_frame(&mut self) -> Option<Bytes> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the server says nothing") {
                Some(Ok(Message::Binary(frame))) => return Some(frame),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn expect_goodbye(&mut self) -> Refusal {
        match self.receive().await {
            Some(ServerMessage::Goodbye(refusal)) => refusal,
            other => panic!("expected a goodbye, got {other:?}"),
        }
    }

    pub(crate) async fn acked(&mut self) -> (SeqSet, SeqSet) {
        match self.receive().await {
            Some(ServerMessage::Ack { seqs, duplicates }) => (seqs, duplicates),
            other => panic!("expected an ack, got {other:?}"),
        }
    }

    /// Sends items and waits until every one is acked.
    pub(crate) async fn deliver(&mut self, items: Vec<Item>) {
        let mut open: SeqSet = items.iter().map(|item| item.seq).collect();
        for some in items.chunks(20) {
            self.send(&ClientMessage::Items(some.to_vec())).await;
        }
        while !open.is_empty() {
            open = open.difference(&self.acked().await.0);
        }
    }

    pub(crate) async fn finish(&mut self, last_seq: Option<Seq>, lost: SeqSet) -> ServerMessage {
        self.send(&ClientMessage::Finish(Finish { last_seq, lost })).await;
        loop {
            match self.receive().await.expect("the connection ended before the receipt") {
                ServerMessage::Finalizing | ServerMessage::HeartbeatAck => {}
                answer => return answer,
            }
        }
    }

    pub(crate) async fn finish_completely(&mut self, last_seq: Seq) -> Receipt {
        match self.finish(Some(last_seq), SeqSet::new()).await {
            ServerMessage::Completed(receipt) => receipt,
            other => panic!("expected a receipt, got {other:?}"),
        }
    }
}

/// One candidate's session.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) session: SessionId,
    pub(crate) token: SessionToken,
}

impl Candidate {
    pub(crate) fn new(number: u8) -> Self {
        let mut random = [number; 10];
        random[9] = 7;
        Self {
            session: SessionId::from_parts(UnixMillis::new(1_795_257_600_000), random),
            token: SessionToken::from_random([number; 32]),
        }
    }

    pub(crate) fn hello(&self, opening: Opening) -> ClientMessage {
        ClientMessage::Hello(Hello {
            version: PROTOCOL_VERSION,
            session: self.session,
            token: self.token.clone(),
            opening,
            failed_tries: 0,
        })
    }

    pub(crate) async fn open(&self, server: &Api) -> (Socket, Welcome) {
        match self.try_open(server).await {
            (socket, Some(ServerMessage::Welcome(welcome))) => (socket, welcome),
            (_, other) => panic!("expected a welcome, got {other:?}"),
        }
    }

    /// Connects and says hello, as the one that takes over if somebody was welcomed before; what the
    /// server answers.
    pub(crate) async fn try_open(&self, server: &Api) -> (Socket, Option<ServerMessage>) {
        match self.try_opening(server, NEW).await {
            (_, Some(ServerMessage::Goodbye(Refusal::Outdated { current }))) => {
                self.try_opening(server, Opening::Following { epoch: current }).await
            }
            answer => answer,
        }
    }

    pub(crate) async fn try_opening(
        &self,
        server: &Api,
        opening: Opening,
    ) -> (Socket, Option<ServerMessage>) {
        let mut socket = server.connect().await;
        socket.send(&self.hello(opening)).await;
        let answer = socket.receive().await;
        (socket, answer)
    }

    /// A connection whose messages have hardly any room on their way, for a peer that reads none.
    pub(crate) async fn open_deaf(&self, server: &Api) -> Socket {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(4096).unwrap();
        let tcp = tcp.connect(server.address).await.unwrap();
        let url = format!("ws://{}/api/ws", server.address);
        let (socket, _) = client_async(url, MaybeTlsStream::Plain(tcp)).await.unwrap();
        let mut socket = Socket(socket);
        socket.send(&self.hello(NEW)).await;
        assert!(matches!(socket.receive().await, Some(ServerMessage::Welcome(_))));
        socket
    }

    /// One request over HTTP: a hello and messages; what the server answers.
    pub(crate) async fn exchange(
        &self,
        server: &Api,
        opening: Opening,
        messages: &[ClientMessage],
    ) -> Vec<ServerMessage> {
        let mut body = Joined::new(FRAMES_PER_REQUEST_MAX);
        body.push(&self.hello(opening).encode()).unwrap();
        for message in messages {
            body.push(&message.encode()).unwrap();
        }
        let path = format!("/api/sessions/{}/items", self.session);
        let (status, answer) = server.post_bytes(&path, body.into_body()).await;
        assert_eq!(status, 200, "{answer:?}");
        let frames = split(answer, FRAMES_PER_ANSWER_MAX).unwrap();
        frames.iter().map(|frame| ServerMessage::decode(frame).unwrap()).collect()
    }
}

/// The database of a server, past it.
pub(crate) async fn database(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("holdfast.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// So many chunks of a session still have their payloads once all work on it is done, read past the server.
pub(crate) async fn payloads_left(folder: &Path, id: SessionId) -> i64 {
    eventually("all work on the session is done", async || {
        let jobs: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM jobs WHERE session_id = ? AND state <> 'stopped'",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_one(&mut database(folder).await)
        .await
        .unwrap();
        (jobs == 0).then_some(())
    })
    .await;
    sqlx::query_scalar(
        "SELECT count(*) FROM items WHERE session_id = ? AND kind = 'chunk' AND payload IS NOT NULL",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_one(&mut database(folder).await)
    .await
    .unwrap()
}

pub(crate) fn chunk(seq: u64, segment: u32, bytes: &[u8]) -> Item {
    let content = Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(segment),
        bytes: Bytes::copy_from_slice(bytes),
    };
    Item::new(Seq::new(seq), Millis::new(seq.saturating_mul(250)), content)
}

pub(crate) fn segment_start(seq: u64, segment: u32) -> Item {
    let start = SegmentStart {
        track: TrackNo::new(0),
        segment: SegmentNo::new(segment),
        kind: TrackKind::Microphone,
        mime: "audio/webm;codecs=opus".into(),
        label: "Test <microphone>".into(),
        wall: UnixMillis::new(1_795_257_600_000),
        cause: StartCause::Begun,
    };
    let content = Content::Marker(Marker::SegmentStarted(start));
    Item::new(Seq::new(seq), Millis::new(seq.saturating_mul(250)), content)
}

/// A recorder run's items from a fixture: its marker, then its chunks.
pub(crate) fn run(first_seq: u64, segment: u32, fixture: &str) -> Vec<Item> {
    let chunks = fixture_chunks(fixture);
    let chunks = (first_seq + 1..).zip(&chunks).map(|(seq, bytes)| chunk(seq, segment, bytes));
    std::iter::once(segment_start(first_seq, segment)).chain(chunks).collect()
}

/// The chunks of real recorder output, in order.
pub(crate) fn fixture_chunks(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/tests/fixtures");
    let chunks: Vec<_> = (0..)
        .map_while(|number| std::fs::read(folder.join(format!("{name}.{number:03}.chunk"))).ok())
        .collect();
    assert!(!chunks.is_empty(), "no fixture {name}");
    chunks
}

//! One session's way to the server: carries out what its [`Sender`] decides, with the spool and a
//! socket. Serves the session that is being recorded as well as one that an earlier page left.

use bytes::Bytes;
use protocol::sender::{
    BacklogStatus, Effect, FinishStatus, LinkStatus, Reserved, Sender, SessionRecord,
};
use protocol::{
    ClientMessage, Content, Item, Millis, Refusal, SegmentNo, Seq, SeqSet, ServerMessage,
    SessionId, SessionStatus, SessionToken, TrackNo,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use crate::browser;
use crate::capture;
use crate::driver::Input;
use crate::high_water;
use crate::parting;
use crate::port::Inputs;
use crate::recovery::Recovery;
use crate::socket::{Socket, SocketEvent};
use crate::source;
use crate::spool::{Spool, SpoolError, Unfinished};
use crate::stash;

/// Chunks read at once, or sent unread, when the page may be left: as many as fill a beacon's quota.
/// While the browser asks whether the page is really to be left, they pile up.
const URGENT_CHUNKS_MAX: u32 = 16;

/// Counts the connections of a pipeline, so that news of an old one is known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionNo(u64);

/// What a pipeline's spool and socket report.
pub(crate) enum PipelineEvent {
    /// The bytes of the chunk that has this number, or begins with it; none when they could not be
    /// read.
    Read(Seq, Option<Bytes>),
    Socket {
        connection: ConnectionNo,
        event: SocketEvent,
    },
    Spooled(Seq),
    SpoolFailed(Seq, SpoolError),
    Loaded(Item),
    Vanished(Seq),
    /// What was to be loaded cannot be read.
    Unreadable(Option<Seq>),
    RecordFailed(SpoolError),
}

/// A chunk that has its number and its place, and whose bytes are being read.
struct Piece {
    reserved: Reserved,
    place: Place,
    blob: Blob,
}

/// Where a chunk belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) track: TrackNo,
    pub(crate) segment: SegmentNo,
    /// On the session's timeline.
    pub(crate) at: Millis,
    /// The media time that it covers.
    pub(crate) span: Millis,
}

pub(crate) struct Pipeline {
    sender: Sender,
    spool: Spool,
    inputs: Inputs,
    socket: Option<Socket>,
    connection: ConnectionNo,
    /// A connection has failed or was lost at least once.
    was_disconnected: bool,
    /// The spool has refused a write at least once.
    spool_has_failed: bool,
    reading: Vec<Piece>,
    unreadable_chunks: u64,
    /// Chunks that cannot wait, because the page may be gone before they are read.
    urgent_chunks: u32,
    /// Taken up by its recovery link.
    is_recovered: bool,
}

impl Pipeline {
    /// Starts a session that neither the spool nor the server knows yet.
    pub(crate) fn new(
        now: Millis,
        session: SessionId,
        token: SessionToken,
        spool: Spool,
        inputs: Inputs,
    ) -> Self {
        let sender = Sender::new(now, session, token, browser::wall_clock());
        Self::with_sender(sender, spool, inputs)
    }

    /// Takes up what an earlier page left in the spool.
    pub(crate) fn restore(
        now: Millis,
        unfinished: Unfinished,
        spool: Spool,
        inputs: Inputs,
    ) -> Self {
        let Unfinished { mut record, items, unreadable } = unfinished;
        if let Some(next_seq) = high_water::read(record.session) {
            record.note(next_seq);
        }
        let mut sender = Sender::restore(now, record, items);
        for seq in unreadable.seqs {
            sender.handle_unreadable(now, seq);
        }
        Self::with_sender(sender, spool, inputs)
    }

    /// Takes up a session of which nothing is in this browser.
    pub(crate) fn recover(now: Millis, recovery: &Recovery, spool: Spool, inputs: Inputs) -> Self {
        let sender = Sender::recover(now, recovery.session, recovery.token.clone());
        Self { is_recovered: true, ..Self::with_sender(sender, spool, inputs) }
    }

    fn with_sender(sender: Sender, spool: Spool, inputs: Inputs) -> Self {
        let mut pipeline = Self {
            sender,
            spool,
            inputs,
            socket: None,
            connection: ConnectionNo(0),
            was_disconnected: false,
            spool_has_failed: false,
            reading: Vec::new(),
            unreadable_chunks: 0,
            urgent_chunks: 0,
            is_recovered: false,
        };
        pipeline.carry_out();
        pipeline
    }

    pub(crate) fn session(&self) -> SessionId {
        self.sender.session()
    }

    pub(crate) fn record(&self) -> &SessionRecord {
        self.sender.record()
    }

    /// What the server last said of the session; `None` before it said anything.
    pub(crate) fn server_status(&self) -> Option<SessionStatus> {
        self.sender.server_status()
    }

    pub(crate) fn backlog(&self) -> BacklogStatus {
        self.sender.backlog_status()
    }

    pub(crate) fn link(&self) -> LinkStatus {
        self.sender.link_status()
    }

    pub(crate) fn finish_status(&self) -> FinishStatus {
        self.sender.finish_status()
    }

    pub(crate) fn was_disconnected(&self) -> bool {
        self.was_disconnected
    }

    /// The spool takes nothing, or not everything, just now.
    pub(crate) fn is_spool_failing(&self) -> bool {
        self.sender.is_spool_failing()
    }

    /// Something of it will never arrive.
    pub(crate) fn has_losses(&self) -> bool {
        self.sender.has_losses()
    }

    /// Pieces in the spool that this version cannot read.
    pub(crate) fn unreadable(&self) -> u64 {
        self.sender.unreadable()
    }

    /// Chunks that the browser could not hand over.
    pub(crate) fn unreadable_chunks(&self) -> u64 {
        self.unreadable_chunks
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        self.sender.poll_timeout()
    }

    pub(crate) fn capture(&mut self, now: Millis, at: Millis, span: Millis, content: Content) {
        self.sender.capture(now, at, span, content);
        self.carry_out();
    }

    /// Takes a chunk in the moment of its capture: it has its number when this returns.
    pub(crate) fn capture_blob(&mut self, now: Millis, place: Place, blob: Blob) {
        let reserved = self.sender.reserve(blob.size() as usize);
        let (seq, piece) = (reserved.first(), Piece { reserved, place, blob: blob.clone() });
        let is_urgent = self.urgent_chunks > 0;
        if is_urgent {
            self.urgent_chunks -= 1;
            self.send_tail(&piece);
        }
        self.reading.push(piece);
        // The tail needs a server, and this a browser that gives the bytes out.
        if is_urgent && let Some(bytes) = capture::read_now(&blob) {
            self.handle(now, PipelineEvent::Read(seq, Some(bytes)));
            return;
        }
        let outlet = self.outlet();
        spawn_local(async move {
            let bytes = capture::read(blob).await;
            outlet.send(PipelineEvent::Read(seq, bytes));
        });
    }

    /// The server may store it at any time, under the number that it has here.
    fn send_tail(&self, Piece { reserved, place, blob }: &Piece) {
        high_water::note(self.session(), self.record().next_seq);
        let version = self.sender.version();
        parting::send_tail(version, self.record(), reserved.first(), *place, blob);
    }

    /// The page may be gone in a moment: the next chunks go out as they are, and are read at once where
    /// the browser does that, to be on disk as well.
    pub(crate) fn expect_the_end(&mut self) {
        self.urgent_chunks = URGENT_CHUNKS_MAX;
    }

    /// The page goes: whatever is un-acked and at hand is sent once more, in a way that outlives it,
    /// and what may not be on disk yet is put where that takes no time.
    pub(crate) fn part(&mut self) {
        self.reading.iter().for_each(|piece| self.send_tail(piece));
        high_water::note(self.session(), self.record().next_seq);
        stash::keep(self.record(), self.sender.unspooled(stash::BYTES_MAX));
        let messages = self.sender.parting(parting::MESSAGE_BYTES_MAX);
        if !messages.is_empty() {
            parting::send_messages(self.session(), &messages);
        }
    }

    /// Items that the spool is not known to have.
    pub(crate) fn unspooled(&self) -> Vec<Item> {
        self.sender.unspooled(usize::MAX).into_iter().map(|(item, _)| item).collect()
    }

    /// It holds items that will not be sent from here, or that a crash of the page would lose.
    pub(crate) fn keeps_back(&self) -> bool {
        let BacklogStatus { items, refused_items, memory_only_items, .. } = self.backlog();
        let is_over = match self.finish_status() {
            FinishStatus::Completed(_) | FinishStatus::Failed(_) => true,
            FinishStatus::NotAsked
            | FinishStatus::Finishing
            | FinishStatus::Discarding
            | FinishStatus::Discarded => false,
        };
        let is_stopped = matches!(self.link(), LinkStatus::Stopped(_));
        refused_items > 0 || memory_only_items > 0 || (items > 0 && (is_over || is_stopped))
    }

    /// The page came back as it was.
    pub(crate) fn returned(&mut self) {
        stash::forget_page(self.session());
    }

    pub(crate) fn finish(&mut self, now: Millis) {
        self.sender.finish(now);
        self.carry_out();
    }

    pub(crate) fn discard(&mut self, now: Millis) {
        self.sender.discard(now);
        self.carry_out();
    }

    pub(crate) fn is_recovered(&self) -> bool {
        self.is_recovered
    }

    /// True when another page could take up all of it.
    pub(crate) fn is_kept(&self) -> bool {
        self.sender.is_kept()
    }

    /// Why the server takes nothing just now, if it said so.
    pub(crate) fn turned_away(&self) -> Option<&Refusal> {
        self.sender.turned_away()
    }

    pub(crate) fn network_online(&mut self, now: Millis) {
        self.sender.handle_network_online(now);
        self.carry_out();
    }

    /// To be called after every input and when [`Pipeline::poll_timeout`] is reached. Inputs come
    /// often while recording, also in a hidden page, whose timers the browser slows down.
    pub(crate) fn tick(&mut self, now: Millis) {
        if self.poll_timeout().is_some_and(|at| now >= at) {
            self.sender.handle_timeout(now);
            self.carry_out();
        }
    }

    pub(crate) fn handle(&mut self, now: Millis, event: PipelineEvent) {
        match event {
            PipelineEvent::Read(seq, bytes) => {
                let is_it = |piece: &Piece| piece.reserved.first() == seq;
                if let Some(place) = self.reading.iter().position(is_it) {
                    let piece = self.reading.swap_remove(place);
                    self.take_in(now, piece, bytes);
                }
            }
            PipelineEvent::Socket { connection, event } if connection == self.connection => {
                self.handle_socket(now, event);
            }
            PipelineEvent::Socket { .. } => {}
            PipelineEvent::Spooled(seq) => self.sender.handle_spooled(now, seq),
            PipelineEvent::SpoolFailed(seq, error) => {
                self.note_spool_failure(&error);
                self.sender.handle_spool_failed(now, seq);
            }
            PipelineEvent::Loaded(item) => self.sender.handle_loaded(now, item),
            PipelineEvent::Vanished(seq) => self.sender.handle_vanished(now, seq),
            PipelineEvent::Unreadable(seq) => self.sender.handle_unreadable(now, seq),
            PipelineEvent::RecordFailed(error) => self.note_spool_failure(&error),
        }
        self.carry_out();
    }

    fn take_in(&mut self, now: Millis, piece: Piece, bytes: Option<Bytes>) {
        let Piece { reserved, place: Place { track, segment, at, span }, .. } = piece;
        if let Some(bytes) = bytes {
            let content = Content::Chunk { track, segment, bytes };
            self.sender.fill(now, reserved, at, span, content);
        } else {
            // The hole is known to both sides, and capture goes on.
            self.unreadable_chunks += 1;
            self.sender.abandon(now, reserved);
        }
    }

    fn handle_socket(&mut self, now: Millis, event: SocketEvent) {
        match event {
            SocketEvent::Opened => self.sender.handle_connected(now),
            SocketEvent::Frame(frame) => match ServerMessage::decode(&frame) {
                Ok(message) => self.sender.handle_message(now, message),
                Err(error) => {
                    browser::log_error(&error.to_string());
                    self.disconnect();
                    self.sender.handle_disconnected(now);
                }
            },
            SocketEvent::Closed => {
                self.disconnect();
                self.sender.handle_disconnected(now);
            }
        }
    }

    fn note_spool_failure(&mut self, error: &SpoolError) {
        if !self.spool_has_failed {
            browser::log_error(&error.to_string());
        }
        self.spool_has_failed = true;
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.sender.poll_effect() {
            match effect {
                Effect::Remember(record) => self.remember(record),
                Effect::Spool { item, span, record } => self.put(item, span, record),
                Effect::Forget { seqs, record } => self.forget(seqs, record),
                Effect::Note { next_seq } => high_water::note(self.session(), next_seq),
                Effect::Load(seqs) => self.load(seqs),
                Effect::Erase => self.erase(),
                Effect::Connect => self.connect(),
                Effect::Send(message) => self.send(&message),
                Effect::Disconnect => self.disconnect(),
            }
        }
    }

    fn remember(&self, record: SessionRecord) {
        let (spool, outlet) = (self.spool.clone(), self.outlet());
        spawn_local(async move {
            if let Err(error) = spool.remember(record).await {
                outlet.send(PipelineEvent::RecordFailed(error));
            }
        });
    }

    fn put(&self, item: Item, span: Millis, record: SessionRecord) {
        let (spool, outlet, seq) = (self.spool.clone(), self.outlet(), item.seq);
        spawn_local(async move {
            outlet.send(match spool.put(item, span, record).await {
                Ok(()) => PipelineEvent::Spooled(seq),
                Err(error) => PipelineEvent::SpoolFailed(seq, error),
            });
        });
    }

    /// What is not deleted is sent again by a later page, and acked as a duplicate.
    fn forget(&self, seqs: Vec<Seq>, record: SessionRecord) {
        let spool = self.spool.clone();
        spawn_local(async move {
            if let Err(error) = spool.forget(seqs, record).await {
                browser::warn("Items could not be deleted.", &text(&error));
            }
        });
    }

    fn erase(&self) {
        let (spool, session) = (self.spool.clone(), self.session());
        spawn_local(async move {
            match spool.erase(session).await {
                Ok(()) => forget_notes(session),
                Err(error) => {
                    browser::warn(
                        "A session that is not needed any more could not be deleted.",
                        &text(&error),
                    );
                }
            }
        });
    }

    /// When reading fails, nothing is reported: an item that cannot be read has not vanished. The
    /// sender misses its answer and asks again.
    fn load(&self, seqs: Vec<Seq>) {
        let (spool, outlet) = (self.spool.clone(), self.outlet());
        spawn_local(async move {
            let mut missing: SeqSet = seqs.into_iter().collect();
            match spool.load(outlet.session, &missing).await {
                Ok(items) => {
                    for (seq, item) in items {
                        if let Some(seq) = seq {
                            missing.remove(seq);
                        }
                        let unreadable = PipelineEvent::Unreadable(seq);
                        outlet.send(item.map_or(unreadable, PipelineEvent::Loaded));
                    }
                    for seq in missing.ranges().flat_map(|range| each(*range.start(), *range.end()))
                    {
                        outlet.send(PipelineEvent::Vanished(seq));
                    }
                }
                Err(error) => browser::warn("Items could not be read back.", &text(&error)),
            }
        });
    }

    fn connect(&mut self) {
        self.connection = self.connection.next();
        let (connection, outlet) = (self.connection, self.outlet());
        let opening = Socket::connect(move |event| {
            outlet.send(PipelineEvent::Socket { connection, event });
        });
        self.socket = opening
            .inspect_err(|error| {
                browser::warn("No connection could be opened.", error);
                self.report_closed();
            })
            .ok();
    }

    fn send(&self, message: &ClientMessage) {
        // Without a socket the sender is about to hear that the connection is gone.
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(&message.encode())
        {
            browser::warn("A message could not be sent.", &error);
            self.report_closed();
        }
    }

    fn disconnect(&mut self) {
        self.socket = None;
        self.connection = self.connection.next();
        self.was_disconnected = true;
    }

    fn report_closed(&self) {
        let (connection, event) = (self.connection, SocketEvent::Closed);
        self.outlet().send(PipelineEvent::Socket { connection, event });
    }

    fn outlet(&self) -> Outlet {
        Outlet { session: self.session(), inputs: self.inputs.clone() }
    }
}

impl ConnectionNo {
    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where the events of one pipeline go.
#[derive(Clone)]
struct Outlet {
    session: SessionId,
    inputs: Inputs,
}

impl Outlet {
    fn send(&self, event: PipelineEvent) {
        self.inputs.send(Input::Pipeline { session: self.session, event });
    }
}

fn forget_notes(session: SessionId) {
    high_water::forget(session);
    source::forget(session);
    stash::forget(session);
}

fn each(first: Seq, last: Seq) -> impl Iterator<Item = Seq> {
    (first.get()..=last.get()).map(Seq::new)
}

fn text(error: &SpoolError) -> JsValue {
    JsValue::from_str(&error.to_string())
}

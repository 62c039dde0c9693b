//! One session's way to its spool and to the server: carries out what its [`Sender`] decides, and tells
//! it what came of it.

use protocol::sender::{Effect, Sender, SessionRecord};
use protocol::{ClientMessage, Item, Millis, Seq, SeqSet, ServerMessage, SessionId};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::browser;
use crate::driver::Input;
use crate::high_water;
use crate::port::Inputs;
use crate::socket::{Socket, SocketEvent};
use crate::source;
use crate::spool::{Spool, SpoolError};
use crate::stash;

/// Counts the connections of a line, so that news of an old one is known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionNo(u64);

/// What a line's spool and socket report.
pub(crate) enum LineEvent {
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

pub(crate) struct Line {
    session: SessionId,
    spool: Spool,
    inputs: Inputs,
    socket: Option<Socket>,
    connection: ConnectionNo,
    /// A connection has failed or was lost at least once.
    was_disconnected: bool,
    /// The spool has refused a write at least once.
    spool_has_failed: bool,
}

impl Line {
    pub(crate) fn new(session: SessionId, spool: Spool, inputs: Inputs) -> Self {
        Self {
            session,
            spool,
            inputs,
            socket: None,
            connection: ConnectionNo(0),
            was_disconnected: false,
            spool_has_failed: false,
        }
    }

    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn was_disconnected(&self) -> bool {
        self.was_disconnected
    }

    /// What the sender then asks for is to be carried out at once.
    pub(crate) fn handle(&mut self, now: Millis, sender: &mut Sender, event: LineEvent) {
        match event {
            LineEvent::Socket { connection, event } if connection == self.connection => {
                self.handle_socket(now, sender, event);
            }
            LineEvent::Socket { .. } => {}
            LineEvent::Spooled(seq) => sender.handle_spooled(now, seq),
            LineEvent::SpoolFailed(seq, error) => {
                self.note_spool_failure(&error);
                sender.handle_spool_failed(now, seq);
            }
            LineEvent::Loaded(item) => sender.handle_loaded(now, item),
            LineEvent::Vanished(seq) => sender.handle_vanished(now, seq),
            LineEvent::Unreadable(seq) => sender.handle_unreadable(now, seq),
            LineEvent::RecordFailed(error) => self.note_spool_failure(&error),
        }
    }

    fn handle_socket(&mut self, now: Millis, sender: &mut Sender, event: SocketEvent) {
        match event {
            SocketEvent::Opened => sender.handle_connected(now),
            SocketEvent::Frame(frame) => match ServerMessage::decode(&frame) {
                Ok(message) => sender.handle_message(now, message),
                Err(error) => {
                    browser::log_error(&error.to_string());
                    self.disconnect();
                    sender.handle_disconnected(now);
                }
            },
            SocketEvent::Closed => {
                self.disconnect();
                sender.handle_disconnected(now);
            }
        }
    }

    fn note_spool_failure(&mut self, error: &SpoolError) {
        if !self.spool_has_failed {
            browser::log_error(&error.to_string());
        }
        self.spool_has_failed = true;
    }

    /// Does what the sender asks for.
    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Remember(record) => self.remember(record),
            Effect::Spool { item, span, record } => self.put(item, span, record),
            Effect::Forget { seqs, record } => self.forget(seqs, record),
            Effect::Note { next_seq, next_segment } => {
                high_water::note(self.session, next_seq, next_segment);
            }
            Effect::Load(seqs) => self.load(seqs),
            Effect::Erase => self.erase(),
            Effect::Connect => self.connect(),
            Effect::Send(message) => self.send(&message),
            Effect::Disconnect => self.disconnect(),
        }
    }

    fn remember(&self, record: SessionRecord) {
        let (spool, outlet) = (self.spool.clone(), self.outlet());
        spawn_local(async move {
            if let Err(error) = spool.remember(record).await {
                outlet.send(LineEvent::RecordFailed(error));
            }
        });
    }

    fn put(&self, item: Item, span: Millis, record: SessionRecord) {
        let (spool, outlet, seq) = (self.spool.clone(), self.outlet(), item.seq);
        spawn_local(async move {
            outlet.send(match spool.put(item, span, record).await {
                Ok(()) => LineEvent::Spooled(seq),
                Err(error) => LineEvent::SpoolFailed(seq, error),
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
        let (spool, session) = (self.spool.clone(), self.session);
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
                        let unreadable = LineEvent::Unreadable(seq);
                        outlet.send(item.map_or(unreadable, LineEvent::Loaded));
                    }
                    for seq in missing.ranges().flat_map(|range| each(*range.start(), *range.end()))
                    {
                        outlet.send(LineEvent::Vanished(seq));
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
            outlet.send(LineEvent::Socket { connection, event });
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
        self.outlet().send(LineEvent::Socket { connection, event });
    }

    fn outlet(&self) -> Outlet {
        Outlet { session: self.session, inputs: self.inputs.clone() }
    }
}

impl ConnectionNo {
    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where the events of one line go.
#[derive(Clone)]
struct Outlet {
    session: SessionId,
    inputs: Inputs,
}

impl Outlet {
    fn send(&self, event: LineEvent) {
        self.inputs.send(Input::Line { session: self.session, event });
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

//! One WebSocket connection to the server: frames out, events into the driver's channel. Dropping
//! it closes the connection and silences its listeners.

use gloo_events::EventListener;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, MessageEvent, WebSocket};

use crate::browser;

pub(crate) enum SocketEvent {
    Opened,
    /// One whole binary frame.
    Frame(Vec<u8>),
    /// Closed or failed; nothing follows.
    Closed,
}

pub(crate) struct Socket {
    socket: WebSocket,
    _listeners: [EventListener; 3],
}

impl Socket {
    pub(crate) fn connect(
        on_event: impl Fn(SocketEvent) + Clone + 'static,
    ) -> Result<Self, JsValue> {
        let socket = WebSocket::new(&browser::socket_url()?)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = {
            let on_event = on_event.clone();
            browser::on(&socket, "open", move || on_event(SocketEvent::Opened))
        };
        let frame = {
            let on_event = on_event.clone();
            EventListener::new(&socket, "message", move |event| on_event(received(event)))
        };
        // An error is always followed by a close.
        let closed = browser::on(&socket, "close", move || on_event(SocketEvent::Closed));
        Ok(Self { socket, _listeners: [opened, frame, closed] })
    }

    pub(crate) fn send(&self, frame: &[u8]) -> Result<(), JsValue> {
        self.socket.send_with_u8_array(frame)
    }
}

/// The server speaks binary only: whatever else arrives comes from something else.
fn received(event: &web_sys::Event) -> SocketEvent {
    event
        .dyn_ref::<MessageEvent>()
        .and_then(|message| message.data().dyn_into::<ArrayBuffer>().ok())
        .map_or(SocketEvent::Closed, |buffer| SocketEvent::Frame(Uint8Array::new(&buffer).to_vec()))
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = self.socket.close() {
            browser::warn("The connection could not be closed.", &error);
        }
    }
}

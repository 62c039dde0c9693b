//! What a page still sends while it is being left: beacons, which the browser delivers although the
//! page is gone. Answers do not come back; whatever was not stored is in the spool, or is declared
//! lost by the page that comes next.

use js_sys::{Array, Uint8Array};
use protocol::frames::Joined;
use protocol::limits::FRAMES_PER_REQUEST_MAX;
use protocol::tail::TailHeader;
use protocol::{ClientMessage, SessionId};
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag};

use crate::browser;

const BYTES: &str = "application/octet-stream";

/// A chunk whose bytes there is no time to read: the server seals it under its reserved number.
pub(crate) fn send_tail(session: SessionId, header: &TailHeader, chunk: &Blob) {
    let header = Uint8Array::from(header.encode().as_slice());
    send(session, "tail", &Array::of2(&header, chunk));
}

pub(crate) fn send_messages(session: SessionId, messages: &[ClientMessage]) {
    let mut body = Joined::new(FRAMES_PER_REQUEST_MAX);
    for message in messages {
        if let Err(error) = body.push(&message.encode()) {
            browser::log_error(&error.to_string());
        }
    }
    let body = Uint8Array::from(body.into_body().as_slice());
    send(session, "items", &Array::of1(&body));
}

fn send(session: SessionId, endpoint: &str, parts: &JsValue) {
    let kind = BlobPropertyBag::new();
    kind.set_type(BYTES);
    let url = ["/api/sessions/", &session.to_string(), "/", endpoint].concat();
    let queued = Blob::new_with_buffer_source_sequence_and_options(parts, &kind).and_then(|body| {
        browser::window().navigator().send_beacon_with_opt_blob(&url, Some(&body))
    });
    match queued {
        Ok(true) => {}
        Ok(false) => browser::log_error("The browser takes no more beacons."),
        Err(error) => browser::warn("A beacon could not be sent.", &error),
    }
}

//! The WebSocket, which an OpenAPI document cannot describe. The `protocol` crate defines it; this
//! is the way in.

use leptos::prelude::*;
use protocol::limits::{
    FRAME_BYTES_MAX, HEARTBEAT_EVERY, HELLO_DEADLINE, ITEMS_PER_MESSAGE_MAX, PROTOCOL_VERSION,
    PROTOCOL_VERSION_OLDEST, SILENCE_MAX,
};

use crate::format;

/// What the client sends, what the server answers, and what that means.
const EXCHANGES: [(&str, &[&str], &str); 5] = [
    (
        "Hello",
        &["Welcome"],
        "Always first: the protocol's version, the session and its token. The answer says which \
         items are durable already; the client sends exactly the others.",
    ),
    (
        "Items",
        &["Ack", "Refused"],
        "Numbered chunks and markers, each with its SHA-256. `Ack` comes after they are committed; \
         sending an item again is no error. `Refused` names what was damaged or not allowed.",
    ),
    (
        "Heartbeat",
        &["HeartbeatAck"],
        "Says that the client is there, and how many of its items wait for their `Ack`.",
    ),
    (
        "Finish",
        &["Missing", "Finalizing", "Completed", "Failed"],
        "The last number captured. `Missing` names what must be sent first. `Finalizing` means \
         that the recording is being made; `Completed` holds the receipt, `Failed` says why there \
         is no recording.",
    ),
    (
        "Discard",
        &["Discarded", "Completed"],
        "Throws the session away. `Discarded` means that everything of it is deleted; a session \
         that is completed stays, and answers with its receipt.",
    ),
];

#[component]
pub(super) fn SocketSection() -> impl IntoView {
    let code = |name: &'static str| view! { <div><code>{name}</code></div> };
    let row = |(sent, answers, meaning): (&'static str, &'static [&'static str], &'static str)| {
        view! {
            <tr>
                <th scope="row"><code>{sent}</code></th>
                <td class="answers">{answers.iter().copied().map(code).collect_view()}</td>
                <td class="meaning">{super::prose(meaning)}</td>
            </tr>
        }
    };
    view! {
        <h2 id="websocket">"WebSocket"</h2>
        <section class="entry" aria-labelledby="websocket-messages">
            <h3 id="websocket-messages">
                <span class="badge method-ws">"WS"</span>" "<code>"/api/ws"</code>
            </h3>
            <p class="summary">"Where a candidate's client delivers what it records"</p>
            <p>
                "One binary frame is one message: a "<code>"ClientMessage"</code>" or a "
                <code>"ServerMessage"</code>" of the "<code>"protocol"</code>
                " crate in the postcard encoding. This is version "{PROTOCOL_VERSION.number()}
                "; a client that says version "{PROTOCOL_VERSION_OLDEST.number()}" in its "
                <code>"Hello"</code>" is answered in that."
            </p>
            <table class="spec" aria-labelledby="websocket-messages">
                <thead>
                    <tr>
                        <th scope="col">"Client sends"</th>
                        <th scope="col">"Server answers"</th>
                        <th scope="col">"Description"</th>
                    </tr>
                </thead>
                <tbody>{EXCHANGES.into_iter().map(row).collect_view()}</tbody>
            </table>
            <p>
                "The server may end the connection with "<code>"Goodbye"</code>
                " and its reason at any time. A newer connection to the same session takes over "
                "from the older one."
            </p>
            <Limits/>
        </section>
    }
}

#[component]
fn Limits() -> impl IntoView {
    view! {
        <h4>"Limits"</h4>
        <ul>
            <li>{format::count(FRAME_BYTES_MAX as u64, "byte", "bytes")}" a frame"</li>
            <li>{ITEMS_PER_MESSAGE_MAX}" items a message"</li>
            <li>{format::span(HELLO_DEADLINE)}" from the connection to its "<code>"Hello"</code></li>
            <li>
                {format::span(SILENCE_MAX)}" without a message; a "<code>"Heartbeat"</code>" every "
                {format::span(HEARTBEAT_EVERY)}" keeps well within that"
            </li>
        </ul>
    }
}

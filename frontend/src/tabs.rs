//! What the tabs of one browser tell each other: that one of them wants to take over a session that
//! another is recording.

use gloo_events::EventListener;
use protocol::SessionId;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

use crate::browser;
use crate::driver::Input;
use crate::port::Inputs;

const CHANNEL: &str = "holdfast-take-over";

/// The other tabs, as long as it lives. Without `BroadcastChannel` nobody hears anything, and a
/// take-over falls back to stealing the session's lock.
pub(crate) struct Tabs {
    channel: Option<BroadcastChannel>,
    _listener: Option<EventListener>,
}

impl Tabs {
    pub(crate) fn new(inputs: &Inputs) -> Self {
        let channel = BroadcastChannel::new(CHANNEL).ok();
        let listener = channel.as_ref().map(|channel| {
            let inputs = inputs.clone();
            EventListener::new(channel, "message", move |event| {
                let data = event.dyn_ref::<MessageEvent>().map(MessageEvent::data);
                let session = data.and_then(|data| data.as_string()?.parse().ok());
                if let Some(session) = session {
                    inputs.send(Input::HandOver(session));
                }
            })
        });
        Self { channel, _listener: listener }
    }

    /// Asks whoever records `session` to stop and to let it go.
    pub(crate) fn ask_for(&self, session: SessionId) {
        if let Some(channel) = &self.channel
            && let Err(error) = channel.post_message(&JsValue::from_str(&session.to_string()))
        {
            browser::warn("The other tab could not be asked.", &error);
        }
    }
}

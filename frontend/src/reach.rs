//! Whether the server can be reached, for a page that has no connection of its own to tell by: it
//! may have been opened without any server.

use gloo_events::EventListener;
use js_sys::Promise;
use protocol::Millis;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser;
use crate::driver::Input;
use crate::port::Inputs;

const ANSWER_DEADLINE: Millis = Millis::from_secs(5);
const RETRY_AFTER: Millis = Millis::from_secs(3);

#[wasm_bindgen(module = "/js/reach.js")]
extern "C" {
    #[wasm_bindgen(js_name = isServerThere)]
    fn is_server_there(wait_millis: f64) -> Promise;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing else is known, or what is known is good.
    There,
    Away {
        /// None while an answer is awaited.
        retry_at: Option<Millis>,
    },
}

pub(crate) struct Reach {
    inputs: Inputs,
    found: Found,
    _listeners: [EventListener; 2],
}

impl Reach {
    /// Asks at once, and again when the browser's network comes or goes.
    pub(crate) fn new(inputs: Inputs) -> Self {
        ask(inputs.clone());
        let listeners = ["online", "offline"].map(|event| {
            let inputs = inputs.clone();
            browser::on(&browser::window(), event, move || ask(inputs.clone()))
        });
        Self { inputs, found: Found::There, _listeners: listeners }
    }

    pub(crate) fn is_away(&self) -> bool {
        matches!(self.found, Found::Away { .. })
    }

    /// The answer to a question, or what a connection shows.
    pub(crate) fn handle(&mut self, now: Millis, is_there: bool) {
        self.found = match is_there {
            true => Found::There,
            false => Found::Away { retry_at: Some(now + RETRY_AFTER) },
        };
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        match self.found {
            Found::There => None,
            Found::Away { retry_at } => retry_at,
        }
    }

    pub(crate) fn tick(&mut self, now: Millis) {
        if self.poll_timeout().is_some_and(|at| now >= at) {
            self.found = Found::Away { retry_at: None };
            ask(self.inputs.clone());
        }
    }
}

fn ask(inputs: Inputs) {
    spawn_local(async move {
        let answer = JsFuture::from(is_server_there(ANSWER_DEADLINE.get() as f64)).await;
        let is_there = answer.is_ok_and(|answer| answer.is_truthy());
        inputs.send(Input::Reached(is_there));
    });
}

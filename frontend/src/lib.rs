//! The browser's side of Holdfast: the WASM entry, and the adapters between the recorder's island,
//! the two state machines and the browser.
//!
//! Everything that happens comes in through the `port` and is handled by the `driver` in the moment
//! it happens: the candidate's commands, sound from the `capture`, answers from the `spool` and the
//! `socket`, and the timer. What is recorded, and when, is decided in [`recorder`]; the `shell` carries
//! that out. What is numbered, kept, sent and let go is decided in [`protocol::sender`]; a `line`
//! carries that out.

mod browser;
mod capture;
mod capture_error;
mod companion;
mod devices;
mod driver;
mod earlier;
mod high_water;
mod level;
mod line;
mod local_storage;
mod microphone;
mod parting;
mod permission;
mod pipeline;
mod port;
mod preview;
mod reach;
mod recovery;
mod saving;
mod service_worker;
mod session_lock;
mod settings;
mod shell;
mod socket;
mod source;
mod spool;
mod stash;
mod stills;
mod storage;
mod tabs;
mod take;
mod unreadable;
mod view;
mod wake_lock;

use std::rc::Rc;

// Without a use of the crate the linker drops its islands.
use app as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page once the module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    std::panic::set_hook(Box::new(|panic| browser::log_error(&panic.to_string())));
    let inputs = port::Inputs::default();
    driver::start(inputs.clone());
    app::recorder::port::install(Rc::new(port::BrowserPort::new(inputs)));
    leptos::mount::hydrate_islands();
    service_worker::register();
}

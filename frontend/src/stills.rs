//! A camera's pictures, one now and then, handed over as a recorder hands over its chunks.

use std::rc::Rc;

use protocol::Millis;
use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use web_sys::{Blob, MediaStream};

use crate::capture::RunEvent;
use crate::settings;

pub(crate) const STILL_MIME: &str = "image/jpeg";

#[wasm_bindgen(module = "/js/stills.js")]
extern "C" {
    type StillsTaker;

    #[wasm_bindgen(constructor)]
    fn new(
        stream: &MediaStream,
        every_ms: f64,
        bytes_max: f64,
        on_picture: &Closure<dyn Fn(Blob, f64)>,
    ) -> StillsTaker;

    #[wasm_bindgen(method)]
    fn pause(this: &StillsTaker);

    #[wasm_bindgen(method)]
    fn resume(this: &StillsTaker);

    #[wasm_bindgen(method)]
    fn stop(this: &StillsTaker);
}

/// Runs until it is dropped.
pub(crate) struct Stills {
    taker: StillsTaker,
    on_event: Rc<dyn Fn(RunEvent)>,
    _on_picture: Closure<dyn Fn(Blob, f64)>,
}

impl Stills {
    /// No picture is above what an item holds, so that each is one chunk.
    pub(crate) fn start(stream: &MediaStream, on_event: impl Fn(RunEvent) + 'static) -> Self {
        let on_event: Rc<dyn Fn(RunEvent)> = Rc::new(on_event);
        let tell = on_event.clone();
        let on_picture = Closure::<dyn Fn(Blob, f64)>::new(move |blob, taken_at: f64| {
            tell(RunEvent::Picture(blob, Millis::new(taken_at as u64)));
        });
        let every = settings::read().still_every.get() as f64;
        let taker = StillsTaker::new(stream, every, ITEM_PAYLOAD_BYTES_MAX as f64, &on_picture);
        Self { taker, on_event, _on_picture: on_picture }
    }

    pub(crate) fn pause(&self) {
        self.taker.pause();
    }

    pub(crate) fn resume(&self) {
        self.taker.resume();
    }

    /// A picture that is just being made is not waited for: the next would have come soon.
    pub(crate) fn stop(&self) {
        self.taker.stop();
        (self.on_event)(RunEvent::Stopped);
    }
}

impl Drop for Stills {
    fn drop(&mut self) {
        self.taker.stop();
    }
}

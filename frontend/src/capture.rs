//! One recorder run: the MediaRecorder on an open microphone, from its start to its `stop` event.
//! Hands over what was captured in the order in which it was; numbers and keeps nothing.

use bytes::Bytes;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt as _;
use gloo_events::EventListener;
use js_sys::Uint8Array;
use protocol::Millis;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobEvent, MediaRecorder, MediaRecorderOptions, RecordingState};

use crate::browser;
use crate::capture_error::CaptureError;
use crate::microphone::Microphone;

/// How often the recorder hands over what it has: at most this much is not yet on disk.
const TIMESLICE: Millis = Millis::new(250);

/// Opus is transparent for speech far below this; the rate leaves room for music and noise.
const AUDIO_BITS_PER_SECOND: u32 = 128_000;

/// Best first. WebM with Opus comes first because the server joins its runs without loss and
/// without another program, and because Chromium, Firefox and newer Safari all write it; plain WebM
/// is for browsers that know the container but not the parameter. Older Safari has only MP4, older
/// Firefox may have only Ogg.
const MIMES: [&str; 4] =
    ["audio/webm;codecs=opus", "audio/webm", "audio/mp4", "audio/ogg;codecs=opus"];

/// For one blob; a blob of 50 MB after the computer's sleep takes a while.
const READ_DEADLINE: Millis = Millis::from_secs(30);

/// What a run hands over. Times are on the page's clock, taken when it happened.
pub(crate) enum RunEvent {
    Chunk {
        bytes: Bytes,
        clock: Millis,
    },
    Paused {
        clock: Millis,
    },
    Resumed {
        clock: Millis,
    },
    Failed(CaptureError),
    /// Everything has been handed over; nothing follows.
    Stopped {
        clock: Millis,
    },
}

/// What waits for its turn to be handed over.
enum Signal {
    Blob(Blob, Millis),
    Ready(RunEvent),
}

/// A run in progress. Dropping it silences the recorder without waiting for its end.
pub(crate) struct Run {
    recorder: MediaRecorder,
    mime: String,
    signals: UnboundedSender<Signal>,
    is_paused: bool,
    _listeners: Vec<EventListener>,
}

impl Run {
    pub(crate) fn start(
        microphone: &Microphone,
        on_event: impl Fn(RunEvent) + 'static,
    ) -> Result<Self, CaptureError> {
        let mime = supported_mime()?;
        let options = MediaRecorderOptions::new();
        options.set_mime_type(mime);
        options.set_audio_bits_per_second(AUDIO_BITS_PER_SECOND);
        let recorder = MediaRecorder::new_with_media_stream_and_media_recorder_options(
            microphone.stream(),
            &options,
        )
        .map_err(|error| CaptureError::of_recorder(&error))?;
        let (signals, queue) = unbounded();
        let listeners = listen(&recorder, &signals);
        recorder
            .start_with_time_slice(TIMESLICE.get() as i32)
            .map_err(|error| CaptureError::of_recorder(&error))?;
        spawn_local(hand_over(queue, on_event));
        let actual = recorder.mime_type();
        let mime = if actual.is_empty() { mime.to_owned() } else { actual };
        Ok(Self { recorder, mime, signals, is_paused: false, _listeners: listeners })
    }

    /// As the recorder names what it writes.
    pub(crate) fn mime(&self) -> &str {
        &self.mime
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(crate) fn pause(&mut self) {
        if self.is_paused || self.recorder.pause().is_err() {
            // A recorder that cannot be paused has just ended, and says so itself.
            return;
        }
        self.is_paused = true;
        self.push(RunEvent::Paused { clock: browser::now() });
        // Otherwise the last fraction of a second would be withheld until the recorder goes on.
        self.flush();
    }

    pub(crate) fn resume(&mut self) {
        if !self.is_paused || self.recorder.resume().is_err() {
            return;
        }
        self.is_paused = false;
        self.push(RunEvent::Resumed { clock: browser::now() });
    }

    /// Asks for the rest, which arrives as a last chunk before [`RunEvent::Stopped`].
    pub(crate) fn stop(&self) {
        if self.recorder.state() != RecordingState::Inactive
            && let Err(error) = self.recorder.stop()
        {
            browser::warn("The recorder could not be stopped.", &error);
        }
    }

    fn flush(&self) {
        request_data(&self.recorder);
    }

    fn push(&self, event: RunEvent) {
        push(&self.signals, Signal::Ready(event));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

fn supported_mime() -> Result<&'static str, CaptureError> {
    if !browser::has(&browser::window(), "MediaRecorder") {
        return Err(CaptureError::Unsupported);
    }
    MIMES
        .into_iter()
        .find(|mime| MediaRecorder::is_type_supported(mime))
        .ok_or(CaptureError::Unsupported)
}

fn listen(recorder: &MediaRecorder, signals: &UnboundedSender<Signal>) -> Vec<EventListener> {
    let data = {
        let signals = signals.clone();
        EventListener::new(recorder, "dataavailable", move |event| {
            let blob = event.dyn_ref::<BlobEvent>().and_then(BlobEvent::data);
            // Asking for data twice in a row, and Safari at any time, yields empty blobs.
            if let Some(blob) = blob.filter(|blob| blob.size() > 0.0) {
                push(&signals, Signal::Blob(blob, browser::now()));
            }
        })
    };
    let failed = {
        let signals = signals.clone();
        EventListener::new(recorder, "error", move |event| {
            browser::warn("The recorder failed.", event);
            push(&signals, Signal::Ready(RunEvent::Failed(CaptureError::RecorderStopped)));
        })
    };
    let stopped = {
        let signals = signals.clone();
        browser::on(recorder, "stop", move || {
            push(&signals, Signal::Ready(RunEvent::Stopped { clock: browser::now() }));
        })
    };
    let leaving = {
        let recorder = recorder.clone();
        // In `pagehide` it would be too late for the recorder to answer.
        browser::on(&browser::window(), "beforeunload", move || request_data(&recorder))
    };
    vec![data, failed, stopped, leaving]
}

fn request_data(recorder: &MediaRecorder) {
    if recorder.state() != RecordingState::Inactive
        && let Err(error) = recorder.request_data()
    {
        browser::warn("The recorder did not hand over its last data.", &error);
    }
}

fn push(signals: &UnboundedSender<Signal>, signal: Signal) {
    // The other end lives as long as there is a sender.
    let _ = signals.unbounded_send(signal);
}

/// Keeps the order of capture. A blob's bytes come only asynchronously, so a chunk cannot get its
/// number inside the `dataavailable` event. But the queue is filled inside the events, and this is
/// the only task that empties it, one signal after another: whatever was captured later, a marker
/// or a chunk that is faster to read, waits behind it and is numbered after it.
async fn hand_over(mut queue: UnboundedReceiver<Signal>, on_event: impl Fn(RunEvent)) {
    while let Some(signal) = queue.next().await {
        on_event(match signal {
            Signal::Blob(blob, clock) => read(blob, clock).await,
            Signal::Ready(event) => event,
        });
    }
}

async fn read(blob: Blob, clock: Millis) -> RunEvent {
    let reading = async move {
        let buffer = JsFuture::from(blob.array_buffer()).await?;
        Ok::<_, JsValue>(Bytes::from(Uint8Array::new(&buffer).to_vec()))
    };
    match browser::within(READ_DEADLINE, reading).await {
        Some(Ok(bytes)) => RunEvent::Chunk { bytes, clock },
        Some(Err(error)) => {
            browser::warn("A piece of the recording could not be read.", &error);
            RunEvent::Failed(CaptureError::Unreadable)
        }
        None => RunEvent::Failed(CaptureError::Unreadable),
    }
}

//! One recorder run: the MediaRecorder on an open stream, from its start to its `stop` event.
//! Reports what happens inside the event in which it does; numbers and keeps nothing.

use std::rc::Rc;

use bytes::Bytes;
use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use protocol::Millis;
use recorder::CaptureError;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobEvent, MediaRecorder, MediaRecorderOptions, MediaStream, RecordingState};

use crate::settings;
use crate::{browser, capture_error};

/// A recorder that is stopped throws away what does not fill a packet, and what was said last is still on
/// its way to it: up to two packets are missing. So it runs on for as long.
const LAST_WORDS_TAKE: Millis = Millis::new(120);

/// Best first; WebKit's MP4 goes before all of them, see [`choose_mime`]. WebM with Opus comes first
/// because Chromium and Firefox write it and everything is made of it without loss; plain WebM is for
/// browsers that know the container but not the parameter. Older Firefox may have only Ogg.
const SOUND_MIMES: [&str; 5] = [
    "audio/webm;codecs=opus",
    "audio/webm",
    "audio/mp4;codecs=mp4a.40.2",
    "audio/mp4",
    "audio/ogg;codecs=opus",
];

/// VP8 comes before VP9: it costs an old laptop the least, and a laptop that is too slow loses frames.
/// The H.264 is what WebKit's hardware encodes: level 3.1, the lowest that has room for 720 lines. Asked
/// for level 3.0, WebKit says yes and records no picture at all.
const PICTURE_MIMES: [&str; 5] = [
    "video/webm;codecs=vp8,opus",
    "video/webm;codecs=vp9,opus",
    "video/webm",
    "video/mp4;codecs=avc1.42E01F,mp4a.40.2",
    "video/mp4",
];

/// Safari, which is who records MP4, hands over nothing but empty blobs when it is asked more often.
const MP4_TIMESLICE_MIN: Millis = Millis::from_secs(1);

/// For one blob; a blob of 50 MB after the computer's sleep takes a while.
const READ_DEADLINE: Millis = Millis::from_secs(30);

/// A blob that lies in a file can fail to be read while the disk is busy, and be whole a moment later.
const READ_TRIES_MAX: u8 = 4;
const READ_AGAIN_AFTER: Millis = Millis::new(500);

pub(crate) enum RunEvent {
    /// Never empty. Its bytes are yet to be read.
    Chunk(Blob),
    /// A whole one, and when it was taken.
    Picture(Blob, Millis),
    Failed,
    /// Everything has been handed over; nothing follows.
    Stopped,
}

/// A run in progress. Dropping it silences the recorder without waiting for its end.
pub(crate) struct Run {
    recorder: MediaRecorder,
    mime: String,
    _listeners: Vec<EventListener>,
}

impl Run {
    pub(crate) fn start(
        stream: &MediaStream,
        has_picture: bool,
        on_event: impl Fn(RunEvent) + 'static,
    ) -> Result<Self, CaptureError> {
        let on_event: Rc<dyn Fn(RunEvent)> = Rc::new(on_event);
        let mime = supported_mime(has_picture)?;
        let options = MediaRecorderOptions::new();
        options.set_mime_type(mime);
        let settings = settings::read();
        options.set_audio_bits_per_second(settings.audio_bits_per_second);
        options.set_video_bits_per_second(settings.video_bits_per_second);
        let recorder =
            MediaRecorder::new_with_media_stream_and_media_recorder_options(stream, &options)
                .map_err(|error| capture_error::of_recorder(&error))?;
        let listeners = listen(&recorder, &on_event);
        recorder
            .start_with_time_slice(timeslice(mime, settings.timeslice).get() as i32)
            .map_err(|error| capture_error::of_recorder(&error))?;
        let actual = recorder.mime_type();
        let mime = if actual.is_empty() { mime.to_owned() } else { actual };
        Ok(Self { recorder, mime, _listeners: listeners })
    }

    /// As the recorder names what it writes.
    pub(crate) fn mime(&self) -> &str {
        &self.mime
    }

    /// True when it is paused now. One that cannot be paused has just ended, and says so itself.
    pub(crate) fn pause(&self) -> bool {
        if self.recorder.pause().is_err() {
            return false;
        }
        // Otherwise the last fraction of a second would be withheld until the recorder goes on; and so
        // would be what was on its way to it.
        self.flush();
        let recorder = self.recorder.clone();
        browser::later(LAST_WORDS_TAKE, move || {
            if recorder.state() == RecordingState::Paused {
                flush(&recorder);
            }
        });
        true
    }

    /// True when it goes on now.
    pub(crate) fn resume(&self) -> bool {
        self.recorder.resume().is_ok()
    }

    /// Asks for everything up to now, which arrives before [`RunEvent::Stopped`].
    pub(crate) fn stop(&self) {
        if self.recorder.state() == RecordingState::Paused {
            stop(&self.recorder);
        } else {
            let recorder = self.recorder.clone();
            browser::later(LAST_WORDS_TAKE, move || stop(&recorder));
        }
    }

    /// Has what was captured up to now handed over soon, rather than at the end of the timeslice.
    pub(crate) fn flush(&self) {
        flush(&self.recorder);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        stop(&self.recorder);
    }
}

fn stop(recorder: &MediaRecorder) {
    if recorder.state() != RecordingState::Inactive
        && let Err(error) = recorder.stop()
    {
        browser::warn("The recorder could not be stopped.", &error);
    }
}

fn flush(recorder: &MediaRecorder) {
    if recorder.state() != RecordingState::Inactive
        && let Err(error) = recorder.request_data()
    {
        browser::warn("The recorder did not hand over its last data.", &error);
    }
}

fn timeslice(mime: &str, wanted: Millis) -> Millis {
    if is_mp4(mime) { wanted.max(MP4_TIMESLICE_MIN) } else { wanted }
}

fn is_mp4(mime: &str) -> bool {
    mime.starts_with("audio/mp4") || mime.starts_with("video/mp4")
}

fn supported_mime(has_picture: bool) -> Result<&'static str, CaptureError> {
    if !browser::has(&browser::window(), "MediaRecorder") {
        return Err(CaptureError::Unsupported);
    }
    choose_mime(has_picture, browser::is_webkit(), MediaRecorder::is_type_supported)
        .ok_or(CaptureError::Unsupported)
}

/// WebKit records MP4 wherever it can, whatever else it claims: Safari has written WebM since 18.4, and
/// turned its picture by 90 degrees at first, while its MP4 has been right for years.
fn choose_mime(
    has_picture: bool,
    is_webkit: bool,
    is_supported: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let mimes = if has_picture { &PICTURE_MIMES[..] } else { &SOUND_MIMES[..] };
    let first = mimes.iter().filter(|mime| is_webkit && is_mp4(mime));
    first.chain(mimes).copied().find(|mime| is_supported(mime))
}

fn listen(recorder: &MediaRecorder, on_event: &Rc<dyn Fn(RunEvent)>) -> Vec<EventListener> {
    let data = {
        let on_event = on_event.clone();
        EventListener::new(recorder, "dataavailable", move |event| {
            let blob = event.dyn_ref::<BlobEvent>().and_then(BlobEvent::data);
            // Asking for data twice in a row, and Safari at any time, yields empty blobs.
            if let Some(blob) = blob.filter(|blob| blob.size() > 0.0) {
                on_event(RunEvent::Chunk(blob));
            }
        })
    };
    let failed = {
        let on_event = on_event.clone();
        EventListener::new(recorder, "error", move |event| {
            browser::warn("The recorder failed.", event);
            on_event(RunEvent::Failed);
        })
    };
    let on_event = on_event.clone();
    let stopped = browser::on(recorder, "stop", move || on_event(RunEvent::Stopped));
    vec![data, failed, stopped]
}

#[wasm_bindgen(module = "/js/read-now.js")]
extern "C" {
    #[wasm_bindgen(js_name = readNow)]
    fn bytes_now(blob: &Blob) -> Option<Uint8Array>;
}

/// The bytes of a chunk at once, at the price of holding up the page; not every browser gives them.
pub(crate) fn read_now(blob: &Blob) -> Option<Bytes> {
    let bytes = bytes_now(blob)?;
    // An interrupted read would make a damaged chunk out of a good one.
    (f64::from(bytes.length()) == blob.size()).then(|| Bytes::from(bytes.to_vec()))
}

/// The bytes of a chunk as browsers give them out otherwise: later, and not always the first time they
/// are asked.
pub(crate) async fn read(blob: Blob) -> Option<Bytes> {
    for _ in 0..READ_TRIES_MAX {
        let blob = blob.clone();
        let reading = async move {
            let buffer = JsFuture::from(blob.array_buffer()).await?;
            Ok::<_, JsValue>(Bytes::from(Uint8Array::new(&buffer).to_vec()))
        };
        match browser::within(READ_DEADLINE, reading).await? {
            Ok(bytes) => return Some(bytes),
            Err(error) => browser::warn("A piece of the recording could not be read.", &error),
        }
        TimeoutFuture::new(READ_AGAIN_AFTER.get() as u32).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mp4_is_handed_over_less_often_than_wished() {
        let wished = Millis::new(100);
        assert_eq!(timeslice("audio/webm;codecs=opus", wished), wished);
        assert_eq!(timeslice("video/mp4", wished), MP4_TIMESLICE_MIN);
        let long = MP4_TIMESLICE_MIN + Millis::new(1);
        assert_eq!(timeslice("audio/mp4", long), long);
    }

    fn everything(_: &str) -> bool {
        true
    }

    #[test]
    fn webkit_records_mp4_even_where_it_claims_webm() {
        assert_eq!(choose_mime(false, true, everything), Some("audio/mp4;codecs=mp4a.40.2"));
        let video = Some("video/mp4;codecs=avc1.42E01F,mp4a.40.2");
        assert_eq!(choose_mime(true, true, everything), video);
        let is_plain = |mime: &str| !mime.contains(';');
        assert_eq!(choose_mime(false, true, is_plain), Some("audio/mp4"));
        assert_eq!(choose_mime(true, true, is_plain), Some("video/mp4"));
    }

    #[test]
    fn a_webkit_without_mp4_records_what_it_has() {
        let is_webm = |mime: &str| mime.contains("/webm");
        assert_eq!(choose_mime(true, true, is_webm), Some("video/webm;codecs=vp8,opus"));
        assert_eq!(choose_mime(true, true, |_| false), None);
    }

    #[test]
    fn elsewhere_webm_goes_before_mp4_and_mp4_before_ogg() {
        assert_eq!(choose_mime(false, false, everything), Some("audio/webm;codecs=opus"));
        assert_eq!(choose_mime(true, false, everything), Some("video/webm;codecs=vp8,opus"));
        let is_no_webm = |mime: &str| !mime.contains("/webm");
        assert_eq!(choose_mime(false, false, is_no_webm), Some("audio/mp4;codecs=mp4a.40.2"));
        let is_ogg = |mime: &str| mime.contains("/ogg");
        assert_eq!(choose_mime(false, false, is_ogg), Some("audio/ogg;codecs=opus"));
    }
}

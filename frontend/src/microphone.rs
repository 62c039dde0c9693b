//! An open microphone, and a camera with it if one is wanted: asked for, watched while it is open, and
//! closed when it is dropped.

use gloo_events::EventListener;
use recorder::{CaptureError, MicrophoneState};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ConstrainDomStringParameters, ConstrainLongRange, MediaStream, MediaStreamConstraints,
    MediaStreamTrack, MediaStreamTrackState, MediaTrackConstraints,
};

use crate::level::LevelMeter;
use crate::{browser, capture_error, devices};

/// Enough for a face, and for the old laptop that encodes it.
const PICTURE_WIDTH: i32 = 1280;
const PICTURE_HEIGHT: i32 = 720;
const FRAMES_PER_SECOND: f64 = 30.0;

pub(crate) struct Microphone {
    stream: MediaStream,
    track: MediaStreamTrack,
    picture: Option<MediaStreamTrack>,
    listeners: Vec<EventListener>,
    meter: Option<LevelMeter>,
}

impl Microphone {
    /// Asks the browser, which may ask the candidate: this takes as long as they take. Never another
    /// device than the one asked for.
    pub(crate) async fn open(
        device: Option<String>,
        wants_picture: bool,
    ) -> Result<Self, CaptureError> {
        let stream = match request(device.as_deref(), wants_picture).await {
            // The browser does not say which of the two it could not open.
            Err(error) if wants_picture && error.may_be_the_camera() => {
                let sound = request(device.as_deref(), false).await?;
                stop(&sound);
                return Err(CaptureError::NoCamera);
            }
            stream => stream?,
        };
        let track = stream
            .get_audio_tracks()
            .get(0)
            .dyn_into::<MediaStreamTrack>()
            .map_err(|_| CaptureError::NoMicrophone)?;
        Ok(Self {
            picture: stream.get_video_tracks().get(0).dyn_into().ok(),
            stream,
            track,
            listeners: Vec::new(),
            meter: None,
        })
    }

    /// Calls back when its state has changed, and shows its level.
    pub(crate) fn watch(
        &mut self,
        on_change: impl Fn() + Clone + 'static,
        on_level: impl Fn(f32) + 'static,
    ) {
        for event in ["mute", "unmute", "ended"] {
            self.listeners.push(browser::on(&self.track, event, on_change.clone()));
        }
        if let Some(picture) = &self.picture {
            self.listeners.push(browser::on(picture, "ended", on_change));
        }
        match LevelMeter::new(&self.stream, on_level) {
            Ok(meter) => self.meter = Some(meter),
            Err(error) => browser::warn("The level of the microphone cannot be shown.", &error),
        }
    }

    pub(crate) fn stream(&self) -> &MediaStream {
        &self.stream
    }

    pub(crate) fn state(&self) -> MicrophoneState {
        MicrophoneState {
            is_live: is_live(&self.track),
            is_muted: self.track.muted(),
            has_picture: self.picture.as_ref().is_some_and(is_live),
            label: self.track.label(),
            device: self.track.get_settings().get_device_id().filter(|id| !id.is_empty()),
        }
    }

    /// As the browser names the device, with the camera's name; may be empty.
    pub(crate) fn whole_label(&self) -> String {
        match &self.picture {
            Some(picture) => [self.track.label(), " · ".to_owned(), picture.label()].concat(),
            None => self.track.label(),
        }
    }

    /// Its loudest sample of late, 0 to 1; `None` while that is not known.
    pub(crate) fn peak(&self) -> Option<f32> {
        self.meter.as_ref().and_then(LevelMeter::peak)
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        stop(&self.stream);
    }
}

pub(crate) fn stop(stream: &MediaStream) {
    for track in stream.get_tracks().iter().filter_map(|track| track.dyn_into().ok()) {
        let track: MediaStreamTrack = track;
        track.stop();
    }
}

pub(crate) fn is_live(track: &MediaStreamTrack) -> bool {
    track.ready_state() == MediaStreamTrackState::Live
}

async fn request(device: Option<&str>, wants_picture: bool) -> Result<MediaStream, CaptureError> {
    let constraints = MediaStreamConstraints::new();
    constraints.set_audio(&JsValue::from(sound(device)));
    if wants_picture {
        constraints.set_video(&JsValue::from(picture()));
    }
    ask(&constraints).await
}

/// Asks the browser, which may ask the candidate.
pub(crate) async fn ask(constraints: &MediaStreamConstraints) -> Result<MediaStream, CaptureError> {
    let devices = devices::media_devices().ok_or(CaptureError::InsecurePage)?;
    let asked = async move {
        let promise = devices.get_user_media_with_constraints(constraints)?;
        JsFuture::from(promise).await?.dyn_into::<MediaStream>()
    };
    asked.await.map_err(|error| capture_error::of_microphone(&error))
}

pub(crate) fn sound(device: Option<&str>) -> MediaTrackConstraints {
    let sound = MediaTrackConstraints::new();
    if let Some(id) = device {
        let exactly = ConstrainDomStringParameters::new();
        exactly.set_exact_str(id);
        sound.set_device_id_constrain_dom_string_parameters(&exactly);
    }
    if browser::wants_unprocessed_sound() {
        sound.set_echo_cancellation_bool(false);
        sound.set_noise_suppression_bool(false);
        sound.set_auto_gain_control_bool(false);
    }
    sound
}

pub(crate) fn picture() -> MediaTrackConstraints {
    let picture = MediaTrackConstraints::new();
    picture.set_width_constrain_long_range(&about(PICTURE_WIDTH));
    picture.set_height_constrain_long_range(&about(PICTURE_HEIGHT));
    picture.set_frame_rate_f64(FRAMES_PER_SECOND);
    picture
}

/// What the camera has that comes nearest.
fn about(wanted: i32) -> ConstrainLongRange {
    let range = ConstrainLongRange::new();
    range.set_ideal(wanted);
    range
}

//! An open microphone, and a camera with it if one is wanted: asked for, watched while it is open, and
//! closed when it is dropped.

use gloo_events::EventListener;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ConstrainDomStringParameters, ConstrainLongRange, MediaStream, MediaStreamConstraints,
    MediaStreamTrack, MediaStreamTrackState, MediaTrackConstraints,
};

use crate::capture_error::CaptureError;
use crate::level::LevelMeter;
use crate::{browser, devices};

/// Enough for a face, and for the old laptop that encodes it.
const PICTURE_WIDTH: i32 = 1280;
const PICTURE_HEIGHT: i32 = 720;
const FRAMES_PER_SECOND: f64 = 30.0;

pub(crate) enum MicrophoneEvent {
    /// Unplugged, or no longer allowed. Nothing follows.
    Ended,
    /// The system has silenced it, as a phone call does, or has given it back.
    MutingChanged,
    /// The camera is gone; the sound is still there.
    PictureEnded,
}

pub(crate) struct Microphone {
    stream: MediaStream,
    track: MediaStreamTrack,
    wants_picture: bool,
    picture: Option<MediaStreamTrack>,
    /// The device that was asked for; none is the browser's default.
    asked_for: Option<String>,
    /// The device asked for was gone, and this is the default.
    is_stand_in: bool,
    /// As it was named when it was opened.
    first_label: String,
    listeners: Vec<EventListener>,
    meter: Option<LevelMeter>,
}

impl Microphone {
    /// Asks the browser, which may ask the candidate: this takes as long as they take.
    pub(crate) async fn open(
        device: Option<String>,
        wants_picture: bool,
    ) -> Result<Self, CaptureError> {
        match (Self::open_exactly(device.clone(), wants_picture).await, device) {
            (Err(CaptureError::ChosenIsGone | CaptureError::NoMicrophone), Some(device)) => {
                let mut stand_in = Self::open_exactly(None, wants_picture).await?;
                stand_in.asked_for = Some(device);
                stand_in.is_stand_in = true;
                Ok(stand_in)
            }
            (opened, _) => opened,
        }
    }

    /// To go on with a recording: its sound matters more than a camera that is gone.
    pub(crate) async fn open_again(
        device: Option<String>,
        wants_picture: bool,
    ) -> Result<Self, CaptureError> {
        match Self::open(device.clone(), wants_picture).await {
            Err(CaptureError::NoCamera) => {
                let mut sound = Self::open(device, false).await?;
                sound.wants_picture = wants_picture;
                Ok(sound)
            }
            opened => opened,
        }
    }

    /// Never another device than the one asked for.
    pub(crate) async fn open_exactly(
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
            first_label: track.label(),
            picture: stream.get_video_tracks().get(0).dyn_into().ok(),
            stream,
            track,
            wants_picture,
            asked_for: device,
            is_stand_in: false,
            listeners: Vec::new(),
            meter: None,
        })
    }

    pub(crate) fn watch(
        &mut self,
        on_event: impl Fn(MicrophoneEvent) + Clone + 'static,
        on_level: impl Fn(f32) + 'static,
    ) {
        for event in ["mute", "unmute"] {
            let on_event = on_event.clone();
            let call = move || on_event(MicrophoneEvent::MutingChanged);
            self.listeners.push(browser::on(&self.track, event, call));
        }
        if let Some(picture) = &self.picture {
            let on_event = on_event.clone();
            let call = move || on_event(MicrophoneEvent::PictureEnded);
            self.listeners.push(browser::on(picture, "ended", call));
        }
        let call = move || on_event(MicrophoneEvent::Ended);
        self.listeners.push(browser::on(&self.track, "ended", call));
        match LevelMeter::new(&self.stream, on_level) {
            Ok(meter) => self.meter = Some(meter),
            Err(error) => browser::warn("The level of the microphone cannot be shown.", &error),
        }
    }

    pub(crate) fn stream(&self) -> &MediaStream {
        &self.stream
    }

    /// As the browser names the device; may be empty.
    pub(crate) fn label(&self) -> String {
        self.track.label()
    }

    /// The same, with the camera's name.
    pub(crate) fn whole_label(&self) -> String {
        match &self.picture {
            Some(picture) => [self.label(), " · ".to_owned(), picture.label()].concat(),
            None => self.label(),
        }
    }

    /// What it delivers, which may be less than was asked for.
    pub(crate) fn has_picture(&self) -> bool {
        self.picture.as_ref().is_some_and(is_live)
    }

    /// The system has put another device behind it.
    pub(crate) fn is_relabelled(&self) -> bool {
        self.track.label() != self.first_label
    }

    /// Its loudest sample of late, 0 to 1; `None` while that is not known.
    pub(crate) fn peak(&self) -> Option<f32> {
        self.meter.as_ref().and_then(LevelMeter::peak)
    }

    /// The id of the device in use, when the browser tells.
    pub(crate) fn device(&self) -> Option<String> {
        self.track.get_settings().get_device_id().filter(|id| !id.is_empty())
    }

    pub(crate) fn is_stand_in(&self) -> bool {
        self.is_stand_in
    }

    pub(crate) fn is_live(&self) -> bool {
        is_live(&self.track)
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.track.muted()
    }

    /// True when opening this would give this very microphone.
    pub(crate) fn serves(&self, device: Option<&String>, wants_picture: bool) -> bool {
        self.is_live() && self.asked_for.as_ref() == device && self.wants_picture == wants_picture
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
    asked.await.map_err(|error| CaptureError::of_microphone(&error))
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

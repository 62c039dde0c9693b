//! An open microphone: asked for, watched while it is open, and closed when it is dropped.

use gloo_events::EventListener;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ConstrainDomStringParameters, MediaStream, MediaStreamConstraints, MediaStreamTrack,
    MediaStreamTrackState, MediaTrackConstraints,
};

use crate::capture_error::CaptureError;
use crate::level::LevelMeter;
use crate::{browser, devices};

pub(crate) enum MicrophoneEvent {
    /// Unplugged, or no longer allowed. Nothing follows.
    Ended,
    /// The system has silenced it, as a phone call does, or has given it back.
    MutingChanged,
}

pub(crate) struct Microphone {
    stream: MediaStream,
    track: MediaStreamTrack,
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
    pub(crate) async fn open(device: Option<String>) -> Result<Self, CaptureError> {
        match (Self::open_exactly(device.clone()).await, device) {
            (Err(CaptureError::ChosenIsGone | CaptureError::NoMicrophone), Some(device)) => {
                let mut stand_in = Self::open_exactly(None).await?;
                stand_in.asked_for = Some(device);
                stand_in.is_stand_in = true;
                Ok(stand_in)
            }
            (opened, _) => opened,
        }
    }

    /// The same, but never another device than the one asked for.
    pub(crate) async fn open_exactly(device: Option<String>) -> Result<Self, CaptureError> {
        let stream = request(device.as_deref()).await?;
        let track = stream
            .get_audio_tracks()
            .get(0)
            .dyn_into::<MediaStreamTrack>()
            .map_err(|_| CaptureError::NoMicrophone)?;
        Ok(Self {
            first_label: track.label(),
            stream,
            track,
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
        self.track.ready_state() == MediaStreamTrackState::Live
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.track.muted()
    }

    /// True when opening `device` would give this very microphone.
    pub(crate) fn serves(&self, device: Option<&String>) -> bool {
        self.is_live() && self.asked_for.as_ref() == device
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.track.stop();
    }
}

async fn request(device: Option<&str>) -> Result<MediaStream, CaptureError> {
    let devices = devices::media_devices().ok_or(CaptureError::InsecurePage)?;
    let asked = async move {
        let promise = devices.get_user_media_with_constraints(&constraints(device))?;
        JsFuture::from(promise).await?.dyn_into::<MediaStream>()
    };
    asked.await.map_err(|error| CaptureError::of_microphone(&error))
}

fn constraints(device: Option<&str>) -> MediaStreamConstraints {
    let audio = MediaTrackConstraints::new();
    if let Some(id) = device {
        let exactly = ConstrainDomStringParameters::new();
        exactly.set_exact_str(id);
        audio.set_device_id_constrain_dom_string_parameters(&exactly);
    }
    if browser::wants_unprocessed_sound() {
        audio.set_echo_cancellation_bool(false);
        audio.set_noise_suppression_bool(false);
        audio.set_auto_gain_control_bool(false);
    }
    let constraints = MediaStreamConstraints::new();
    constraints.set_audio(&JsValue::from(audio));
    constraints
}

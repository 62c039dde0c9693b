//! What is recorded beside the microphone, on a track of its own: asked for, watched while it is open,
//! recorded, and closed when it is dropped.

use gloo_events::EventListener;
use recorder::devices::another;
use recorder::{CaptureError, Companion as Kind, Wanted};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DisplayMediaStreamConstraints, MediaStream, MediaStreamConstraints, MediaStreamTrack,
};

use crate::capture::{Run, RunEvent};
use crate::microphone::{self, is_live, sound, stop};
use crate::stills::Stills;
use crate::take::Take;
use crate::{browser, capture_error, devices};

pub(crate) struct Companion {
    kind: Kind,
    /// All that was opened.
    stream: MediaStream,
    /// What of it is recorded.
    recorded: MediaStream,
    /// As long as this lives, it does.
    track: MediaStreamTrack,
    listeners: Vec<EventListener>,
}

impl Companion {
    /// Asks the browser, which may ask the candidate. `first` is the microphone in use.
    pub(crate) async fn open(wanted: Wanted, first: Option<String>) -> Result<Self, CaptureError> {
        let kind = wanted.kind;
        let stream = match kind {
            Kind::Stills => open_camera().await,
            Kind::SecondMicrophone => open_second(wanted.device.clone(), first).await,
            Kind::SystemAudio | Kind::Screen => share().await,
        };
        let stream = stream.map_err(|error| error.of_companion(kind))?;
        let recorded = match kind {
            Kind::SystemAudio => {
                let sound = MediaStream::new_with_tracks(&stream.get_audio_tracks());
                sound.map_err(|error| capture_error::of_recorder(&error))?
            }
            // The same stream: its own method of that name would make other tracks.
            Kind::Stills | Kind::SecondMicrophone | Kind::Screen => Clone::clone(&stream),
        };
        let Some(track) = main_track(kind, &recorded) else {
            stop(&stream);
            return Err(CaptureError::NoSharedSound);
        };
        Ok(Self { kind, stream, recorded, track, listeners: Vec::new() })
    }

    pub(crate) fn watch(&mut self, on_end: impl Fn() + 'static) {
        self.listeners.push(browser::on(&self.track, "ended", on_end));
    }

    pub(crate) fn record(
        &self,
        on_event: impl Fn(RunEvent) + 'static,
    ) -> Result<Take, CaptureError> {
        match self.kind {
            Kind::Stills => Ok(Take::Stills(Stills::start(&self.recorded, on_event))),
            Kind::SecondMicrophone | Kind::SystemAudio | Kind::Screen => {
                Run::start(&self.recorded, self.kind.has_picture(), on_event).map(Take::Run)
            }
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        is_live(&self.track)
    }

    pub(crate) fn recorded(&self) -> &MediaStream {
        &self.recorded
    }

    /// As the browser names it; may be empty.
    pub(crate) fn label(&self) -> String {
        self.track.label()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        stop(&self.stream);
    }
}

/// The picture, where there is one: a shared screen may have no sound.
fn main_track(kind: Kind, stream: &MediaStream) -> Option<MediaStreamTrack> {
    let tracks = match kind {
        Kind::Stills | Kind::Screen => stream.get_video_tracks(),
        Kind::SecondMicrophone | Kind::SystemAudio => stream.get_audio_tracks(),
    };
    tracks.get(0).dyn_into().ok()
}

async fn open_camera() -> Result<MediaStream, CaptureError> {
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&JsValue::from(microphone::picture()));
    microphone::ask(&constraints).await
}

async fn open_second(
    chosen: Option<String>,
    first: Option<String>,
) -> Result<MediaStream, CaptureError> {
    let device = match chosen {
        Some(chosen) => chosen,
        // Only now that one is open does the browser tell of the others.
        None => {
            another(&devices::list().await, first.as_deref()).ok_or(CaptureError::NoMicrophone)?
        }
    };
    let constraints = MediaStreamConstraints::new();
    constraints.set_audio(&JsValue::from(sound(Some(&device))));
    microphone::ask(&constraints).await
}

/// Browsers share sound only together with a picture.
async fn share() -> Result<MediaStream, CaptureError> {
    let devices = devices::media_devices().ok_or(CaptureError::InsecurePage)?;
    if !devices::can_share() {
        return Err(CaptureError::CannotShare);
    }
    let constraints = DisplayMediaStreamConstraints::new();
    constraints.set_video(&JsValue::TRUE);
    constraints.set_audio(&JsValue::TRUE);
    let asked = async move {
        let promise = devices.get_display_media_with_constraints(&constraints)?;
        JsFuture::from(promise).await?.dyn_into::<MediaStream>()
    };
    asked.await.map_err(|error| capture_error::of_microphone(&error))
}

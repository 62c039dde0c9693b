//! What is recorded beside the microphone, on a track of its own: asked for, watched while it is open,
//! recorded, and closed when it is dropped.

use app::recorder::port::Companion as Kind;
use gloo_events::EventListener;
use protocol::TrackKind;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DisplayMediaStreamConstraints, MediaStream, MediaStreamConstraints, MediaStreamTrack,
};

use crate::capture::{Run, RunEvent};
use crate::capture_error::CaptureError;
use crate::microphone::{self, is_live, sound, stop};
use crate::stills::{STILL_MIME, Stills};
use crate::{browser, devices};

/// What is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) kind: Kind,
    /// Of a second microphone; none is the first that is left.
    pub(crate) device: Option<String>,
}

pub(crate) struct Companion {
    wanted: Wanted,
    /// All that was opened.
    stream: MediaStream,
    /// What of it is recorded.
    recorded: MediaStream,
    /// As long as this lives, it does.
    track: MediaStreamTrack,
    listeners: Vec<EventListener>,
}

/// What it hands over, as long as it runs.
pub(crate) enum Take {
    Run(Run),
    Stills(Stills),
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
                sound.map_err(|error| CaptureError::of_recorder(&error))?
            }
            // The same stream: its own method of that name would make other tracks.
            Kind::Stills | Kind::SecondMicrophone | Kind::Screen => Clone::clone(&stream),
        };
        let Some(track) = main_track(kind, &recorded) else {
            stop(&stream);
            return Err(CaptureError::NoSharedSound);
        };
        Ok(Self { wanted, stream, recorded, track, listeners: Vec::new() })
    }

    pub(crate) fn watch(&mut self, on_end: impl Fn() + 'static) {
        self.listeners.push(browser::on(&self.track, "ended", on_end));
    }

    pub(crate) fn record(
        &self,
        on_event: impl Fn(RunEvent) + 'static,
    ) -> Result<Take, CaptureError> {
        match self.wanted.kind {
            Kind::Stills => Ok(Take::Stills(Stills::start(&self.recorded, on_event))),
            Kind::SecondMicrophone | Kind::SystemAudio | Kind::Screen => {
                Run::start(&self.recorded, self.has_picture(), on_event).map(Take::Run)
            }
        }
    }

    pub(crate) fn is(&self, wanted: &Wanted) -> bool {
        self.wanted == *wanted && self.is_live()
    }

    pub(crate) fn is_live(&self) -> bool {
        is_live(&self.track)
    }

    pub(crate) fn has_picture(&self) -> bool {
        matches!(self.wanted.kind, Kind::Stills | Kind::Screen)
    }

    pub(crate) fn recorded(&self) -> &MediaStream {
        &self.recorded
    }

    /// As the browser names it; may be empty.
    pub(crate) fn label(&self) -> String {
        self.track.label()
    }

    pub(crate) const fn track_kind(&self) -> TrackKind {
        match self.wanted.kind {
            Kind::Stills => TrackKind::Stills,
            Kind::SecondMicrophone => TrackKind::Microphone,
            Kind::SystemAudio => TrackKind::SystemAudio,
            Kind::Screen => TrackKind::Screen,
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        stop(&self.stream);
    }
}

impl Take {
    pub(crate) fn mime(&self) -> &str {
        match self {
            Self::Run(run) => run.mime(),
            Self::Stills(_) => STILL_MIME,
        }
    }

    pub(crate) fn pause(&mut self) {
        match self {
            Self::Run(run) => run.pause(),
            Self::Stills(stills) => stills.pause(),
        }
    }

    pub(crate) fn resume(&mut self) {
        match self {
            Self::Run(run) => run.resume(),
            Self::Stills(stills) => stills.resume(),
        }
    }

    /// The rest arrives before [`RunEvent::Stopped`].
    pub(crate) fn stop(&self) {
        match self {
            Self::Run(run) => run.stop(),
            Self::Stills(stills) => stills.stop(),
        }
    }

    /// Each picture is whole; there is never a part of one to hand over.
    pub(crate) fn flush(&self) {
        match self {
            Self::Run(run) => run.flush(),
            Self::Stills(_) => {}
        }
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
        None => devices::another(&devices::list().await, first.as_deref())
            .ok_or(CaptureError::NoMicrophone)?,
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
    asked.await.map_err(|error| CaptureError::of_microphone(&error))
}

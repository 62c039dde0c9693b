//! Opening what is to be recorded: the microphone, and what is recorded beside it.

use crate::capture_error::CaptureError;
use crate::companion::{Companion, Wanted};
use crate::microphone::Microphone;

pub(super) struct Wish {
    pub(super) device: Option<String>,
    pub(super) wants_picture: bool,
    pub(super) companion: Option<Wanted>,
    /// Nothing is recorded yet: without all of it nothing is to begin. Later the sound goes on
    /// without the rest.
    pub(super) is_beginning: bool,
    pub(super) is_after_a_loss: bool,
}

/// The answer to a request.
pub(crate) struct Opened {
    pub(super) microphone: Result<Microphone, CaptureError>,
    /// `None` when nothing was asked for beside the microphone.
    pub(super) companion: Option<Result<Companion, CaptureError>>,
}

impl Wish {
    pub(super) async fn fulfil(self) -> Opened {
        // The screen comes first: a browser asks for it only right after a click.
        let (shared, device) = match self.companion {
            Some(wanted) if wanted.kind.is_shared() => {
                (Some(Companion::open(wanted, None).await), None)
            }
            wanted => (None, wanted),
        };
        if let (Some(Err(error)), true) = (&shared, self.is_beginning) {
            return Opened { microphone: Err(error.clone()), companion: None };
        }
        let microphone = if self.is_after_a_loss {
            Microphone::open_again(self.device, self.wants_picture).await
        } else {
            Microphone::open(self.device, self.wants_picture).await
        };
        let (Ok(open), Some(wanted)) = (&microphone, device) else {
            return Opened { microphone, companion: shared };
        };
        match Companion::open(wanted, open.device()).await {
            Err(error) if self.is_beginning => Opened { microphone: Err(error), companion: None },
            companion => Opened { microphone, companion: Some(companion) },
        }
    }
}

//! What records on one track: the browser's recorder, or whatever takes pictures.

use crate::capture::Run;
use crate::stills::{STILL_MIME, Stills};

/// In progress, until it is dropped.
pub(crate) enum Take {
    Run(Run),
    Stills(Stills),
}

impl Take {
    pub(crate) fn mime(&self) -> &str {
        match self {
            Self::Run(run) => run.mime(),
            Self::Stills(_) => STILL_MIME,
        }
    }

    /// True when it is paused now.
    pub(crate) fn pause(&self) -> bool {
        match self {
            Self::Run(run) => run.pause(),
            Self::Stills(stills) => {
                stills.pause();
                true
            }
        }
    }

    /// True when it goes on now.
    pub(crate) fn resume(&self) -> bool {
        match self {
            Self::Run(run) => run.resume(),
            Self::Stills(stills) => {
                stills.resume();
                true
            }
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

//! Why there is no sound, and what the candidate can do about it.

use app::recorder::port::Alert;
use wasm_bindgen::JsValue;

use crate::browser;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("This page may not use a microphone")]
    InsecurePage,
    #[error("This browser cannot record")]
    Unsupported,
    #[error("The microphone is blocked")]
    Blocked,
    #[error("No microphone was found")]
    NoMicrophone,
    /// The chosen one cannot be had; another one may.
    #[error("The chosen microphone is not there any more")]
    ChosenIsGone,
    #[error("The microphone does not start")]
    Busy,
    #[error("The microphone was disconnected")]
    Disconnected,
    #[error("The browser stopped recording")]
    RecorderStopped,
    /// By the name of the browser's error.
    #[error("The microphone cannot be used ({0})")]
    Other(String),
}

impl CaptureError {
    /// What `getUserMedia` reports (Media Capture and Streams, section 10.2).
    pub(crate) fn of_microphone(error: &JsValue) -> Self {
        let name = browser::error_name(error);
        match name.as_str() {
            "NotAllowedError" | "SecurityError" => Self::Blocked,
            "NotFoundError" => Self::NoMicrophone,
            "NotReadableError" | "AbortError" => Self::Busy,
            "OverconstrainedError" => Self::ChosenIsGone,
            _ => Self::Other(name),
        }
    }

    /// What creating or starting a recorder reports.
    pub(crate) fn of_recorder(error: &JsValue) -> Self {
        let name = browser::error_name(error);
        match name.as_str() {
            "NotSupportedError" => Self::Unsupported,
            "InvalidStateError" | "InvalidModificationError" => Self::Disconnected,
            _ => Self::Other(name),
        }
    }

    const fn advice(&self) -> &'static str {
        match self {
            Self::InsecurePage => {
                "Browsers hand out the microphone only on secure pages. Please open this page with \
                 https:// at the beginning of its address."
            }
            Self::Unsupported => {
                "Please open this page in a current version of Chrome, Edge, Firefox or Safari."
            }
            Self::Blocked => {
                "Please allow the microphone: click the icon at the left of the address bar, set \
                 the microphone to \"Allow\", then try again. If it stays blocked, your system's \
                 privacy settings may keep the browser from using it."
            }
            Self::NoMicrophone => "Please connect a microphone, then try again.",
            Self::ChosenIsGone => "Please connect it again or choose another one, then try again.",
            Self::Busy => {
                "Another program may be using it. Please close other calls and recorders, then try \
                 again."
            }
            Self::Disconnected => {
                "It was unplugged, or its permission was taken back. Everything recorded until then \
                 is kept. Please connect it again, then try again: the recording goes on where it \
                 stopped."
            }
            Self::RecorderStopped => {
                "Everything recorded until then is kept. Please try again: the recording goes on \
                 where it stopped."
            }
            Self::Other(_) => "Please try again. If that does not help, reload the page.",
        }
    }

    /// True when trying the same again may help.
    const fn may_pass(&self) -> bool {
        !matches!(self, Self::InsecurePage | Self::Unsupported)
    }

    pub(crate) fn alert(&self) -> Alert {
        Alert { title: self.to_string(), detail: self.advice().to_owned(), retry: self.may_pass() }
    }
}

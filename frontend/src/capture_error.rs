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
    #[error("The microphone was blocked")]
    Blocked,
    /// By the settings of the computer or the phone, not by those of the browser.
    #[error("Your system blocks the microphone")]
    BlockedBySystem,
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
            // Only Chromium tells the two apart, and only in its words.
            "NotAllowedError" if browser::error_message(error).contains("by system") => {
                Self::BlockedBySystem
            }
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
            Self::BlockedBySystem => {
                "Please open your system's privacy settings, allow your browser to use the \
                 microphone, then try again."
            }
            Self::NoMicrophone => {
                "Please connect a microphone. This page notices it by itself; if not, try again."
            }
            Self::ChosenIsGone => "Please connect it again or choose another one, then try again.",
            Self::Busy => {
                "Another program may be using it. Please close other calls and recorders, then try \
                 again."
            }
            Self::Disconnected => {
                "Please connect it again, or any other one: the recording goes on by itself. If it \
                 does not, try again."
            }
            Self::RecorderStopped => {
                "Please try again. If that does not help, choose another microphone."
            }
            Self::Other(_) => "Please try again. If that does not help, reload the page.",
        }
    }

    /// True when trying the same again may help.
    const fn may_pass(&self) -> bool {
        !matches!(self, Self::InsecurePage | Self::Unsupported)
    }

    /// True when it may help that a device comes or goes.
    pub(crate) const fn may_pass_with_a_device(&self) -> bool {
        match self {
            Self::NoMicrophone | Self::ChosenIsGone | Self::Busy | Self::Disconnected => true,
            Self::InsecurePage
            | Self::Unsupported
            | Self::Blocked
            | Self::BlockedBySystem
            | Self::RecorderStopped
            | Self::Other(_) => false,
        }
    }

    /// In the middle of a recording there was a microphone before.
    pub(crate) fn after_a_loss(self) -> Self {
        if self == Self::NoMicrophone { Self::Disconnected } else { self }
    }

    /// `has_recorded`: something was captured before.
    pub(crate) fn alert(&self, has_recorded: bool) -> Alert {
        let kept = if has_recorded { "Everything recorded until then is kept. " } else { "" };
        Alert {
            title: self.to_string(),
            detail: [kept, self.advice()].concat(),
            retry: self.may_pass(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_said_to_be_kept_and_only_then() {
        let alert = CaptureError::Disconnected.alert(true);
        assert!(alert.detail.starts_with("Everything recorded until then is kept."), "{alert:?}");
        assert!(!CaptureError::Blocked.alert(false).detail.contains("kept"));
    }

    #[test]
    fn a_microphone_that_is_gone_in_the_middle_was_disconnected() {
        assert_eq!(CaptureError::NoMicrophone.after_a_loss(), CaptureError::Disconnected);
        assert_eq!(CaptureError::Blocked.after_a_loss(), CaptureError::Blocked);
    }
}

//! Why there is no sound, and what the candidate can do about it.

use app::recorder::port::{Alert, Companion};
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
    #[error("No camera can be used")]
    NoCamera,
    #[error("The camera was blocked")]
    CameraBlocked,
    #[error("No second microphone can be used")]
    NoSecondMicrophone,
    #[error("Nothing was shared")]
    NotShared,
    /// It was, for a while.
    #[error("Sharing has ended")]
    ShareEnded,
    /// Something was, but without its sound.
    #[error("No sound was shared")]
    NoSharedSound,
    #[error("This browser cannot share the screen")]
    CannotShare,
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
            "NotAllowedError" if browser::holds(&browser::error_message(error), "by system") => {
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
            Self::NoCamera => {
                "Please connect a camera, or close the program that uses it, then try again. Sound can \
                 be recorded without one."
            }
            Self::CameraBlocked => {
                "Please allow the camera at the left of the address bar, then try again."
            }
            Self::NoSecondMicrophone => {
                "Please connect a second microphone, then try again. One is enough to record."
            }
            Self::NotShared | Self::ShareEnded => {
                "Please choose what to share when your browser asks. If it does not ask, look into \
                 your system's privacy settings."
            }
            Self::NoSharedSound => {
                "Please switch on that sound is shared too when your browser asks. Firefox and \
                 Safari cannot do that."
            }
            Self::CannotShare => "Please choose another kind of recording, or another browser.",
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
        !matches!(self, Self::InsecurePage | Self::Unsupported | Self::CannotShare)
    }

    /// True when the camera may be meant, if one was asked for too.
    pub(crate) const fn may_be_the_camera(&self) -> bool {
        matches!(self, Self::NoMicrophone | Self::Busy | Self::ChosenIsGone)
    }

    /// True when it may help that a device comes or goes.
    pub(crate) const fn may_pass_with_a_device(&self) -> bool {
        match self {
            Self::NoMicrophone
            | Self::NoCamera
            | Self::NoSecondMicrophone
            | Self::ChosenIsGone
            | Self::Busy
            | Self::Disconnected => true,
            Self::InsecurePage
            | Self::Unsupported
            | Self::Blocked
            | Self::BlockedBySystem
            | Self::CameraBlocked
            | Self::NotShared
            | Self::ShareEnded
            | Self::NoSharedSound
            | Self::CannotShare
            | Self::RecorderStopped
            | Self::Other(_) => false,
        }
    }

    /// The same, of what is recorded beside the microphone.
    pub(crate) fn of_companion(self, companion: Companion) -> Self {
        let cannot_be_had = matches!(
            self,
            Self::NoMicrophone | Self::ChosenIsGone | Self::Busy | Self::Disconnected
        );
        let is_blocked = matches!(self, Self::Blocked | Self::BlockedBySystem);
        let is_refused = cannot_be_had || is_blocked || matches!(self, Self::Other(_));
        match companion {
            Companion::Stills if cannot_be_had => Self::NoCamera,
            Companion::Stills if is_blocked => Self::CameraBlocked,
            Companion::SecondMicrophone if cannot_be_had => Self::NoSecondMicrophone,
            // The browser does not say whether the candidate or the system said "no".
            Companion::Screen | Companion::SystemAudio if is_refused => Self::NotShared,
            Companion::Stills
            | Companion::SecondMicrophone
            | Companion::Screen
            | Companion::SystemAudio => self,
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
    fn what_is_wrong_with_a_companion_is_said_of_that_one() {
        let of = |error: CaptureError, companion| error.of_companion(companion);
        assert_eq!(of(CaptureError::Busy, Companion::Stills), CaptureError::NoCamera);
        assert_eq!(of(CaptureError::Blocked, Companion::Screen), CaptureError::NotShared);
        assert_eq!(
            of(CaptureError::NoMicrophone, Companion::SecondMicrophone),
            CaptureError::NoSecondMicrophone
        );
        assert_eq!(of(CaptureError::CannotShare, Companion::Screen), CaptureError::CannotShare);
    }

    #[test]
    fn a_microphone_that_is_gone_in_the_middle_was_disconnected() {
        assert_eq!(CaptureError::NoMicrophone.after_a_loss(), CaptureError::Disconnected);
        assert_eq!(CaptureError::Blocked.after_a_loss(), CaptureError::Blocked);
    }
}

//! Why there is no sound: in the browser's words, and what the candidate can do about it.

use app::recorder::port::Alert;
use recorder::CaptureError;
use wasm_bindgen::JsValue;

use crate::browser;

/// What `getUserMedia` reports (Media Capture and Streams, section 10.2).
pub(crate) fn of_microphone(error: &JsValue) -> CaptureError {
    let name = browser::error_name(error);
    match name.as_str() {
        // Only Chromium tells the two apart, and only in its words.
        "NotAllowedError" if browser::holds(&browser::error_message(error), "by system") => {
            CaptureError::BlockedBySystem
        }
        "NotAllowedError" | "SecurityError" => CaptureError::Blocked,
        "NotFoundError" => CaptureError::NoMicrophone,
        "NotReadableError" | "AbortError" => CaptureError::Busy,
        "OverconstrainedError" => CaptureError::ChosenIsGone,
        _ => CaptureError::Other(name),
    }
}

/// What creating or starting a recorder reports.
pub(crate) fn of_recorder(error: &JsValue) -> CaptureError {
    let name = browser::error_name(error);
    match name.as_str() {
        "NotSupportedError" => CaptureError::Unsupported,
        "InvalidStateError" | "InvalidModificationError" => CaptureError::Disconnected,
        _ => CaptureError::Other(name),
    }
}

/// `has_recorded`: something was captured before.
pub(crate) fn alert(error: &CaptureError, has_recorded: bool) -> Alert {
    let kept = if has_recorded { "Everything recorded until then is kept. " } else { "" };
    Alert {
        title: error.to_string(),
        detail: [kept, advice(error)].concat(),
        retry: error.may_pass(),
    }
}

const fn advice(error: &CaptureError) -> &'static str {
    match error {
        CaptureError::InsecurePage => {
            "Browsers hand out the microphone only on secure pages. Please open this page with \
             https:// at the beginning of its address."
        }
        CaptureError::Unsupported => {
            "Please open this page in a current version of Chrome, Edge, Firefox or Safari."
        }
        CaptureError::Blocked => {
            "Please allow the microphone: click the icon at the left of the address bar, set \
             the microphone to \"Allow\", then try again. If it stays blocked, your system's \
             privacy settings may keep the browser from using it."
        }
        CaptureError::BlockedBySystem => {
            "Please open your system's privacy settings, allow your browser to use the \
             microphone, then try again."
        }
        CaptureError::NoMicrophone => {
            "Please connect a microphone. This page notices it by itself; if not, try again."
        }
        CaptureError::NoCamera => {
            "Please connect a camera, or close the program that uses it, then try again. Sound can \
             be recorded without one."
        }
        CaptureError::CameraBlocked => {
            "Please allow the camera at the left of the address bar, then try again."
        }
        CaptureError::NoSecondMicrophone => {
            "Please connect a second microphone, then try again. One is enough to record."
        }
        CaptureError::NotShared | CaptureError::ShareEnded => {
            "Please choose what to share when your browser asks. If it does not ask, look into \
             your system's privacy settings."
        }
        CaptureError::NoSharedSound => {
            "Please switch on that sound is shared too when your browser asks. Firefox and \
             Safari cannot do that."
        }
        CaptureError::CannotShare => "Please choose another kind of recording, or another browser.",
        CaptureError::ChosenIsGone => {
            "Please connect it again or choose another one, then try again."
        }
        CaptureError::Busy => {
            "Another program may be using it. Please close other calls and recorders, then try \
             again."
        }
        CaptureError::Disconnected => {
            "Please connect it again, or any other one: the recording goes on by itself. If it \
             does not, try again."
        }
        CaptureError::RecorderStopped => {
            "Please try again. If that does not help, choose another microphone."
        }
        CaptureError::Other(_) => "Please try again. If that does not help, reload the page.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_said_to_be_kept_and_only_then() {
        let alert = super::alert(&CaptureError::Disconnected, true);
        assert!(alert.detail.starts_with("Everything recorded until then is kept."), "{alert:?}");
        assert!(!super::alert(&CaptureError::Blocked, false).detail.contains("kept"));
    }
}

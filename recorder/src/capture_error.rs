//! Why there is no sound, or not all of what was to be recorded.

use crate::Companion;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
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
    /// True when trying the same again may help.
    pub const fn may_pass(&self) -> bool {
        !matches!(self, Self::InsecurePage | Self::Unsupported | Self::CannotShare)
    }

    /// True when the camera may be meant, if one was asked for too.
    pub const fn may_be_the_camera(&self) -> bool {
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
    #[must_use]
    pub fn of_companion(self, companion: Companion) -> Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;

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

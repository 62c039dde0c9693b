//! What is recorded.

/// What is recorded. The microphone always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    #[default]
    Microphone,
    /// In one stream with the microphone.
    Camera,
    With(Companion),
}

/// What is recorded beside the microphone, on a track of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Companion {
    /// The camera, as a picture now and then: for poor networks.
    Stills,
    SecondMicrophone,
    /// The sound of a tab or of the whole computer.
    SystemAudio,
    Screen,
}

impl Source {
    pub const ALL: [Self; 6] = [
        Self::Microphone,
        Self::Camera,
        Self::With(Companion::Stills),
        Self::With(Companion::SecondMicrophone),
        Self::With(Companion::SystemAudio),
        Self::With(Companion::Screen),
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Camera => "camera",
            Self::With(Companion::Stills) => "stills",
            Self::With(Companion::SecondMicrophone) => "second_microphone",
            Self::With(Companion::SystemAudio) => "system_audio",
            Self::With(Companion::Screen) => "screen",
        }
    }

    pub const fn has_camera(self) -> bool {
        matches!(self, Self::Camera | Self::With(Companion::Stills))
    }

    pub const fn companion(self) -> Option<Companion> {
        match self {
            Self::With(companion) => Some(companion),
            Self::Microphone | Self::Camera => None,
        }
    }
}

impl Companion {
    /// The candidate picks it in a question of the browser's, which comes only after a click.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::SystemAudio | Self::Screen)
    }

    /// It has one, which is shown while it is open.
    pub const fn has_picture(self) -> bool {
        matches!(self, Self::Stills | Self::Screen)
    }
}

//! What can be due on a session, and what it is called.

use std::fmt;
use std::str::FromStr;

use protocol::SessionId;

/// Kinds of work. Each is looked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Assemble,
    Supplement,
    Release,
    Erase,
    Waveform,
    Mix,
    Export,
}

impl JobKind {
    /// In the order in which they are looked for.
    pub const ALL: [Self; 7] = [
        Self::Assemble,
        Self::Supplement,
        Self::Release,
        Self::Erase,
        Self::Waveform,
        Self::Mix,
        Self::Export,
    ];

    /// The word in the database, in the API and in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assemble => "assemble",
            Self::Supplement => "supplement",
            Self::Release => "release",
            Self::Erase => "erase",
            Self::Waveform => "waveform",
            Self::Mix => "mix",
            Self::Export => "export",
        }
    }
}

/// A form in which a recording can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The recording with its pauses and gaps as time.
    Timeline,
    /// The sound alone, as Opus; several sounds mixed into one.
    Ogg,
    Mp3,
    Wav,
    Mp4,
    /// Everything there is of the session.
    Zip,
}

impl Format {
    pub const ALL: [Self; 6] =
        [Self::Timeline, Self::Ogg, Self::Mp3, Self::Wav, Self::Mp4, Self::Zip];

    /// The word in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeline => "timeline",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
            Self::Mp4 => "mp4",
            Self::Zip => "zip",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// What is to be done on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Make the recording of what is there.
    Assemble,
    /// Make files of what came after the recording was made.
    Supplement,
    /// Let the chunks go that are wholly in the files of a completed session.
    Release,
    /// Remove what a session that was thrown away has left: payloads, files, and in the end its rows.
    Erase,
    /// Draw the sound of the recording, and measure how loud it is.
    Waveform,
    /// Mix the sounds of the recording into one, for players that play only one.
    Mix,
    /// Make another form of the recording.
    Export(Format),
}

impl Work {
    pub const fn kind(self) -> JobKind {
        match self {
            Self::Assemble => JobKind::Assemble,
            Self::Supplement => JobKind::Supplement,
            Self::Release => JobKind::Release,
            Self::Erase => JobKind::Erase,
            Self::Waveform => JobKind::Waveform,
            Self::Mix => JobKind::Mix,
            Self::Export(_) => JobKind::Export,
        }
    }

    /// Which of several of its kind; empty where there is only one of a session.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::Assemble
            | Self::Supplement
            | Self::Release
            | Self::Erase
            | Self::Waveform
            | Self::Mix => "",
            Self::Export(format) => format.as_str(),
        }
    }

    /// Whether it makes what is kept [beside](Beside) a recording.
    pub const fn is_beside(self) -> bool {
        match self {
            Self::Assemble | Self::Supplement | Self::Release | Self::Erase => false,
            Self::Waveform | Self::Mix | Self::Export(_) => true,
        }
    }

    /// Each there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let single = [
            Self::Assemble,
            Self::Supplement,
            Self::Release,
            Self::Erase,
            Self::Waveform,
            Self::Mix,
        ];
        single.into_iter().chain(Format::ALL.into_iter().map(Self::Export))
    }

    pub fn of_words(kind: &str, subject: &str) -> Option<Self> {
        Self::all().find(|work| work.kind().as_str() == kind && work.subject() == subject)
    }
}

/// Which job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    pub session: SessionId,
    pub work: Work,
}

impl JobKey {
    pub const fn new(session: SessionId, work: Work) -> Self {
        Self { session, work }
    }
}

/// As it is called in addresses: `{session}.{kind}`, and `.{subject}` where there are several.
impl fmt::Display for JobKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, work } = self;
        write!(out, "{session}.{}", work.kind().as_str())?;
        match work.subject() {
            "" => Ok(()),
            subject => write!(out, ".{subject}"),
        }
    }
}

/// There cannot be a job of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no job is called like that")]
pub struct NoJobKey;

impl FromStr for JobKey {
    type Err = NoJobKey;

    fn from_str(name: &str) -> Result<Self, NoJobKey> {
        let (session, work) = name.split_once('.').ok_or(NoJobKey)?;
        let session = session.parse().map_err(|_| NoJobKey)?;
        let (kind, subject) = work.split_once('.').unwrap_or((work, ""));
        Ok(Self { session, work: Work::of_words(kind, subject).ok_or(NoJobKey)? })
    }
}

/// What is made of a recording, is kept beside it, and can be made again as long as that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    Waveform,
    Mix,
    /// Only of a session that has come to its end: before that it would be of another recording each
    /// time.
    Export(Format),
}

impl Beside {
    /// What makes it.
    pub const fn work(self) -> Work {
        match self {
            Self::Waveform => Work::Waveform,
            Self::Mix => Work::Mix,
            Self::Export(format) => Work::Export(format),
        }
    }

    /// Whether asking for it is reason enough to try once more what was given up. Nobody asks for a
    /// waveform or a mix: the page does that shows the recording.
    pub const fn insists(self) -> bool {
        match self {
            Self::Waveform | Self::Mix => false,
            Self::Export(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::UnixMillis;

    use super::*;

    #[test]
    fn every_job_has_a_name_of_its_own() {
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [7; 10]);
        let mut names = BTreeSet::new();
        for work in Work::all() {
            let key = JobKey::new(session, work);
            assert_eq!(key.to_string().parse(), Ok(key));
            assert!(names.insert(key.to_string()));
        }
        assert!(names.contains(&format!("{session}.export.mp3")), "{names:?}");
        for none in ["", "mix", "x.mix", &format!("{session}"), &format!("{session}.")] {
            assert_eq!(none.parse::<JobKey>(), Err(NoJobKey), "{none}");
        }
        for none in ["paint", "export", "export.flac", "mix.mp3", "export.mp3."] {
            assert_eq!(format!("{session}.{none}").parse::<JobKey>(), Err(NoJobKey), "{none}");
        }
    }
}

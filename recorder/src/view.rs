//! What the candidate is told, as a plain state: the words are the page's.

use protocol::sender::{FinishStatus, LinkStatus};
use protocol::{Millis, Refusal};

use crate::recorder::{Phase, Recorder};
use crate::replacing::Turn;
use crate::run::Ending;
use crate::session::Session;
use crate::{CaptureError, Companion, Effect, RequestNo, Source};

/// Where the candidate's recorder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecorderState {
    #[default]
    Idle,
    /// The browser asks the candidate for the microphone, or opens it.
    Acquiring,
    Recording,
    Paused,
    /// Capture is over; the rest is sent and the receipt is awaited.
    Finishing,
    Done,
    Error,
}

/// All of it but what the session's sender says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub state: RecorderState,
    pub source: Source,
    /// The device in use, or the chosen one; none is the browser's default.
    pub device: Option<String>,
    /// The chosen second microphone; none is the first that is left.
    pub second_device: Option<String>,
    /// A camera or the screen is open.
    pub has_picture: bool,
    /// What should be recorded beside the microphone and is not.
    pub missing: Option<Companion>,
    pub is_testing: bool,
    /// What was captured before the sound was lost can be saved as it is.
    pub can_save: bool,
    /// Something was recorded, or should have been, and is nowhere.
    pub has_losses: bool,
    pub trouble: Option<Trouble>,
    pub warnings: Vec<Warning>,
    pub notices: Vec<Notice>,
    /// The recorded time, and how much of it the server has acked.
    pub recorded: Millis,
    pub safe: Millis,
}

/// Something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    NoSound {
        error: CaptureError,
        /// Something was captured before.
        has_recorded: bool,
    },
    /// The server has made no recording.
    NotMade(String),
    /// The server takes no more of it.
    Refused(Refusal),
}

/// What endangers the recording while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    Muted,
    Silent,
    CameraGone,
    /// What is to be recorded beside the microphone, and is not.
    Missing(Companion, CaptureError),
    /// The storage takes no more, and something exists only in this page.
    OnlyInMemory,
    StorageFails,
}

/// What the candidate should know, and is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The chosen microphone was not there; the default one is used.
    StandIn,
    /// The recording goes on with the microphone of this name.
    Replaced(String),
    Restarted,
    /// What was chosen cannot be had; the microphone of this name is still used.
    Stayed(CaptureError, String),
    /// The system has put this one behind the name that was chosen.
    Relabelled(String),
    /// The system has another default now; the second one is still used here.
    NewDefault(String, String),
    /// The browser did not hand over the end of the recording.
    TailLost,
    /// So many chunks could not be read.
    Unreadable(u64),
    /// So many items were refused by the server.
    Refused(u64),
}

impl RecorderState {
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Acquiring,
        Self::Recording,
        Self::Paused,
        Self::Finishing,
        Self::Done,
        Self::Error,
    ];

    /// The word in `data-state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Acquiring => "acquiring",
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Finishing => "finishing",
            Self::Done => "done",
            Self::Error => "error",
        }
    }
}

impl Recorder {
    pub fn view(&self, now: Millis) -> View {
        let session = self.session.as_ref();
        let has_losses = session.is_some_and(|session| session.sender.has_losses());
        View {
            state: self.state(),
            source: self.source,
            device: self.device(),
            second_device: self.companion.device().map(ToOwned::to_owned),
            has_picture: self.picture().is_some(),
            missing: self.missing_companion(),
            is_testing: matches!(self.phase, Phase::Idle) && self.microphone.is_some(),
            can_save: self.can_save(),
            has_losses: self.tail_was_lost || has_losses,
            trouble: self.trouble(),
            warnings: self.warnings(),
            notices: self.notices(),
            recorded: session.map_or(Millis::ZERO, |session| session.recorded(now)),
            safe: session.map_or(Millis::ZERO, Session::safe),
        }
    }

    fn state(&self) -> RecorderState {
        match &self.phase {
            Phase::Idle => RecorderState::Idle,
            Phase::Acquiring(_) | Phase::Starting(_) => RecorderState::Acquiring,
            Phase::Closing { ending: Ending::Save, .. } => RecorderState::Finishing,
            // While it closes to go on, the next segment is about to begin.
            Phase::Capturing(live) | Phase::Closing { ending: Ending::GoOn(_), live, .. } => {
                if live.is_paused { RecorderState::Paused } else { RecorderState::Recording }
            }
            Phase::Closing { ending: Ending::HandOver, .. }
            | Phase::Failed { .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway => RecorderState::Error,
            Phase::Finishing => self.session.as_ref().map_or(RecorderState::Finishing, finishing),
        }
    }

    /// What is shown of what is open.
    fn picture(&self) -> Option<RequestNo> {
        let camera = self.microphone.as_ref().filter(|one| one.state.has_picture);
        camera.map(|one| one.request).or_else(|| self.companion.picture())
    }

    pub(crate) fn show_preview(&mut self) {
        let shown = self.picture();
        self.ask(Effect::Preview(shown));
    }

    fn can_save(&self) -> bool {
        let has_lost_sound = matches!(self.phase, Phase::Failed { .. }) || self.is_going_on();
        has_lost_sound && self.session.is_some()
    }

    fn device(&self) -> Option<String> {
        let in_use = self.microphone.as_ref().and_then(|one| one.state.device.clone());
        in_use.or_else(|| self.chosen.clone())
    }

    fn trouble(&self) -> Option<Trouble> {
        match &self.phase {
            Phase::Failed { error, .. } => {
                let has_recorded = self.session.is_some();
                Some(Trouble::NoSound { error: error.clone(), has_recorded })
            }
            Phase::Closing { ending: Ending::HandOver, .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway => Some(Trouble::Refused(Refusal::Fenced)),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Starting(_)
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::Finishing => self.session.as_ref().and_then(trouble),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.is_muted() {
            warnings.push(Warning::Muted);
        } else if self.is_silent() {
            warnings.push(Warning::Silent);
        }
        let is_blind = self.microphone.as_ref().is_some_and(|one| !one.state.has_picture);
        if self.source == Source::Camera && is_blind {
            warnings.push(Warning::CameraGone);
        }
        if let (Some(kind), Some(error)) = (self.missing_companion(), self.companion.error()) {
            warnings.push(Warning::Missing(kind, error.clone()));
        }
        if let Some(session) = &self.session {
            if session.sender.backlog_status().memory_only_items > 0 {
                warnings.push(Warning::OnlyInMemory);
            } else if session.sender.is_spool_failing() {
                warnings.push(Warning::StorageFails);
            }
        }
        warnings
    }

    fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        if self.has_stand_in {
            notices.push(Notice::StandIn);
        }
        self.note_turn(&mut notices);
        if self.tail_was_lost {
            notices.push(Notice::TailLost);
        }
        if let Some(session) = &self.session {
            if session.unreadable_chunks() > 0 {
                notices.push(Notice::Unreadable(session.unreadable_chunks()));
            }
            let refused = session.sender.backlog_status().refused_items;
            if refused > 0 {
                notices.push(Notice::Refused(refused));
            }
        }
        notices
    }

    /// What has become of the microphone while recording.
    fn note_turn(&self, notices: &mut Vec<Notice>) {
        let Some(microphone) = &self.microphone else { return };
        let label = || microphone.state.label.clone();
        match self.replacing.turn() {
            Some(Turn::Replaced) => notices.push(Notice::Replaced(label())),
            Some(Turn::Restarted) => notices.push(Notice::Restarted),
            Some(Turn::Stayed(error)) => notices.push(Notice::Stayed(error.clone(), label())),
            None => {}
        }
        if microphone.is_relabelled() {
            notices.push(Notice::Relabelled(label()));
        } else if let Some(default) = self.replacing.new_default() {
            notices.push(Notice::NewDefault(default.to_owned(), label()));
        }
    }
}

fn finishing(session: &Session) -> RecorderState {
    match (session.sender.finish_status(), session.sender.link_status()) {
        (FinishStatus::Completed(_), _) => RecorderState::Done,
        (FinishStatus::Failed(_), _) | (_, LinkStatus::Stopped(_)) => RecorderState::Error,
        (
            FinishStatus::NotAsked
            | FinishStatus::Finishing
            | FinishStatus::Discarding
            | FinishStatus::Discarded,
            LinkStatus::Online | LinkStatus::Reconnecting,
        ) => RecorderState::Finishing,
    }
}

fn trouble(session: &Session) -> Option<Trouble> {
    match (session.sender.finish_status(), session.sender.link_status()) {
        (FinishStatus::Failed(reason), _) => Some(Trouble::NotMade(reason)),
        (_, LinkStatus::Stopped(refusal)) => Some(Trouble::Refused(refusal)),
        (
            FinishStatus::NotAsked
            | FinishStatus::Finishing
            | FinishStatus::Completed(_)
            | FinishStatus::Discarding
            | FinishStatus::Discarded,
            LinkStatus::Online | LinkStatus::Reconnecting,
        ) => None,
    }
}

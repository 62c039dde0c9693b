//! What the candidate sees of the recorder, derived from its state.

use app::format;
use app::recorder::port::{
    Alert, Companion as Kind, LinkState, RecorderState, RecorderView, ServerTrouble, Source,
    Warning,
};
use protocol::sender::{FinishStatus, LinkStatus};
use protocol::{Millis, Refusal, SessionStatus};

use super::replacing::Turn;
use super::{Ending, Phase, Purpose, Recorder};
use crate::browser;
use crate::capture_error::CaptureError;
use crate::companion::Companion;
use crate::devices;
use crate::microphone::Microphone;
use crate::pipeline::Pipeline;
use crate::recovery::Recovery;
use crate::session::Session;

impl Recorder {
    /// All but the list of devices.
    pub(crate) fn view(&self, now: Millis) -> RecorderView {
        let mut view = RecorderView {
            state: self.state(),
            device: self.device(),
            source: self.source,
            second_device: self.companion.device().map(ToOwned::to_owned),
            can_share: devices::can_share(),
            has_picture: self.has_picture(),
            missing: self.missing_companion(),
            testing: matches!(self.phase, Phase::Idle) && self.microphone.is_some(),
            can_save: self.can_save(),
            alert: self.alert(),
            warnings: self.warnings(),
            notices: self.notices(),
            has_losses: self.tail_was_lost,
            ..RecorderView::default()
        };
        if let Some(session) = &self.session {
            show_session(&mut view, now, session);
        }
        view
    }

    fn state(&self) -> RecorderState {
        match &self.phase {
            Phase::Idle => RecorderState::Idle,
            Phase::Acquiring(_) => RecorderState::Acquiring,
            Phase::Capturing(live) if live.run.is_paused() => RecorderState::Paused,
            Phase::Capturing(_) => RecorderState::Recording,
            Phase::Closing { ending: Ending::Save, .. } => RecorderState::Finishing,
            // The next segment is about to begin.
            Phase::Closing { ending: Ending::GoOn(_), live, .. } if live.run.is_paused() => {
                RecorderState::Paused
            }
            Phase::Closing { ending: Ending::GoOn(_), .. } => RecorderState::Recording,
            Phase::Closing { ending: Ending::HandOver, .. }
            | Phase::Failed { .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway => RecorderState::Error,
            Phase::Finishing => self
                .session
                .as_ref()
                .map_or(RecorderState::Finishing, |session| finishing(&session.pipeline)),
        }
    }

    fn has_picture(&self) -> bool {
        self.microphone.as_ref().is_some_and(Microphone::has_picture)
            || self.companion.open().is_some_and(Companion::has_picture)
    }

    fn can_save(&self) -> bool {
        let has_lost_sound =
            matches!(self.phase, Phase::Failed { .. } | Phase::Acquiring(Purpose::GoOn(_)));
        has_lost_sound && self.session.is_some()
    }

    fn device(&self) -> Option<String> {
        let in_use = self.microphone.as_ref().and_then(|microphone| microphone.device());
        in_use.or_else(|| self.chosen.clone())
    }

    fn alert(&self) -> Option<Alert> {
        match &self.phase {
            Phase::Failed { error, .. } => Some(error.alert(self.session.is_some())),
            Phase::Closing { ending: Ending::HandOver, .. }
            | Phase::HandingOver { .. }
            | Phase::GivenAway => Some(refused(&Refusal::Fenced)),
            Phase::Idle
            | Phase::Acquiring(_)
            | Phase::Capturing(_)
            | Phase::Closing { .. }
            | Phase::Finishing => {
                self.session.as_ref().and_then(|session| trouble(&session.pipeline))
            }
        }
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.has_stand_in {
            notices.push(
                "The chosen microphone is not there any more; the default one is used.".to_owned(),
            );
        }
        self.note_turn(&mut notices);
        if self.tail_was_lost {
            notices.push(
                "Your browser did not hand over the end of the recording: up to a second of it \
                 may be missing."
                    .to_owned(),
            );
        }
        if let Some(session) = &self.session {
            note_unreadable(&mut notices, &session.pipeline);
            note_refused(&mut notices, &session.pipeline);
        }
        notices
    }

    /// What has become of the microphone while recording.
    fn note_turn(&self, notices: &mut Vec<String>) {
        let Some(microphone) = &self.microphone else { return };
        let label = microphone.label();
        match self.replacing.turn() {
            Some(Turn::Replaced) => {
                notices.push(["The recording goes on with “", &label, "”."].concat());
            }
            Some(Turn::Restarted) => notices.push(
                "Your browser's recorder stood still and was started again: a few seconds may be \
                 missing."
                    .to_owned(),
            ),
            Some(Turn::Stayed(error)) => {
                let why = error.to_string();
                let still = ". The recording goes on with “";
                notices.push(["Nothing was changed: ", &why, still, &label, "”."].concat());
            }
            None => {}
        }
        if microphone.is_relabelled() {
            notices.push(["Your microphone is now “", &label, "”."].concat());
        } else if let Some(default) = self.replacing.new_default() {
            let says = ["Your system's microphone is now “", default, "”. "].concat();
            let still = ["“", &label, "” is still used here; you can choose another."].concat();
            notices.push(says + &still);
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.microphone.as_ref().is_some_and(|microphone| microphone.is_muted()) {
            warnings.push(warning(
                "Your system has muted the microphone",
                "Nothing of what you say is heard. A phone call or the mute key of a headset may be \
                 the reason; as soon as it ends, you are heard again.",
            ));
        } else if self.is_silent() {
            warnings.push(warning(
                "The microphone delivers no sound",
                "If you are speaking: please check that it is switched on, not muted and not \
                 covered, or choose another one.",
            ));
        }
        let is_blind = |microphone: &Microphone| !microphone.has_picture();
        if self.source == Source::Camera && self.microphone.as_ref().is_some_and(is_blind) {
            warnings.push(warning(
                "The camera is gone",
                "Your sound is still recorded. The picture comes back with the next recording.",
            ));
        }
        if let (Some(kind), Some(error)) = (self.missing_companion(), self.companion.error()) {
            warnings.push(missing(kind, error));
        }
        if let Some(session) = &self.session {
            warnings.extend(storage_warning(&session.pipeline));
        }
        warnings
    }
}

fn show_session(view: &mut RecorderView, now: Millis, session: &Session) {
    let backlog = session.pipeline.backlog();
    view.link = link(&session.pipeline);
    view.pending = backlog.items;
    view.pending_duration = backlog.span;
    view.only_in_memory = backlog.memory_only_items > 0;
    view.refused = backlog.refused_items;
    view.has_losses |= session.pipeline.has_losses();
    view.is_kept_back = session.pipeline.keeps_back();
    view.session = Some(session.pipeline.session());
    view.recovery_link = recovery_link(&session.pipeline);
    view.server_trouble = session.pipeline.turned_away().map(server_trouble);
    view.recorded = session.recorded(now);
    view.safe = session.safe();
    if let FinishStatus::Completed(receipt) = session.pipeline.finish_status() {
        view.receipt = Some(receipt);
    }
}

/// Until the recording is made: after that there is nothing to go on with.
fn recovery_link(pipeline: &Pipeline) -> Option<String> {
    let record = pipeline.record();
    let is_open = pipeline.server_status().is_some_and(SessionStatus::takes_items);
    let recovery = Recovery { session: record.session, token: record.token.clone() };
    is_open.then(|| browser::address_with(&recovery.fragment()))
}

fn server_trouble(refusal: &Refusal) -> ServerTrouble {
    if *refusal == Refusal::DiskFull { ServerTrouble::DiskFull } else { ServerTrouble::Busy }
}

/// The first connection is no reconnection, until it fails.
fn link(pipeline: &Pipeline) -> LinkState {
    match pipeline.link() {
        LinkStatus::Online => LinkState::Online,
        LinkStatus::Reconnecting if !pipeline.was_disconnected() => LinkState::Online,
        LinkStatus::Reconnecting | LinkStatus::Stopped(_) => LinkState::Reconnecting,
    }
}

fn finishing(pipeline: &Pipeline) -> RecorderState {
    match (pipeline.finish_status(), pipeline.link()) {
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

fn trouble(pipeline: &Pipeline) -> Option<Alert> {
    if let FinishStatus::Failed(reason) = pipeline.finish_status() {
        return Some(Alert {
            title: "The server could not make your recording".to_owned(),
            detail: [
                &reason,
                ". Everything that has arrived is kept on the server. Please try again.",
            ]
            .concat(),
            retry: true,
        });
    }
    match pipeline.link() {
        LinkStatus::Stopped(refusal) => Some(refused(&refusal)),
        LinkStatus::Online | LinkStatus::Reconnecting => None,
    }
}

fn refused(refusal: &Refusal) -> Alert {
    let (title, advice) = match refusal {
        Refusal::Fenced => (
            "This recording goes on elsewhere",
            "Another tab or device has taken it over. Please go on there; you can close this page.",
        ),
        Refusal::UnsupportedVersion { .. } => (
            "This page is out of date",
            "Please stop the recording and reload the page: then the rest can be sent.",
        ),
        Refusal::Discarded => ("This recording was discarded", "Please start a new one."),
        Refusal::UnknownSession => (
            "The server does not know this recording any more",
            "Please tell whoever runs this server, before you close this page.",
        ),
        Refusal::UndecodableFrame
        | Refusal::FrameTooLarge
        | Refusal::TooManyItems
        | Refusal::InvalidSessionId
        | Refusal::WrongToken
        | Refusal::HelloExpected
        | Refusal::Outdated { .. }
        | Refusal::Silent
        | Refusal::ShuttingDown
        | Refusal::Unavailable
        | Refusal::DiskFull
        | Refusal::TooManyConnections
        | Refusal::Other { .. } => (
            "The server takes no more of this recording",
            "Please tell whoever runs this server, before you close this page.",
        ),
    };
    let reason = refusal.to_string();
    let detail =
        [advice, " What has not been sent is kept on this device. (", &reason, ".)"].concat();
    Alert { title: title.to_owned(), detail, retry: false }
}

fn note_unreadable(notices: &mut Vec<String>, pipeline: &Pipeline) {
    if pipeline.unreadable_chunks() > 0 {
        let chunks = format::count(pipeline.unreadable_chunks(), "chunk", "chunks");
        notices.push(["Your browser could not hand over ", &chunks, "; they are lost."].concat());
    }
}

fn note_refused(notices: &mut Vec<String>, pipeline: &Pipeline) {
    let refused = pipeline.backlog().refused_items;
    if refused > 0 {
        let chunks = format::count(refused, "chunk", "chunks");
        notices.push(["The server did not take ", &chunks, "; kept on this device."].concat());
    }
}

/// Without numbers, which would be read out with each change.
fn storage_warning(pipeline: &Pipeline) -> Option<Warning> {
    let detail = if pipeline.backlog().memory_only_items > 0 {
        "What the server does not have yet exists only in this page. Please do not close or reload \
         it until it says that everything is safe. If you can, free up some storage."
    } else if pipeline.is_spool_failing() {
        "The recording goes straight to the server. Please stay connected and keep this page open. \
         If you can, free up some storage."
    } else {
        return None;
    };
    Some(warning("This browser's storage is full or blocked", detail))
}

/// What is to be recorded beside the microphone, and is not.
fn missing(kind: Kind, error: &CaptureError) -> Warning {
    let title = match kind {
        Kind::Stills => "No pictures are taken",
        Kind::SecondMicrophone => "The second microphone is not recorded",
        Kind::SystemAudio => "This computer's sound is not recorded",
        Kind::Screen => "The screen is not recorded",
    };
    let detail = [&error.to_string(), ". Your own sound is still recorded."].concat();
    warning(title, &detail)
}

fn warning(title: &str, detail: &str) -> Warning {
    Warning { title: title.to_owned(), detail: detail.to_owned() }
}

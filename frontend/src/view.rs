//! What the candidate sees of the recorder: its plain state, put into words.

use app::format;
use app::recorder::port::{Alert, LinkState, RecorderView, ServerTrouble, Warning};
use protocol::sender::{FinishStatus, LinkStatus, Sender};
use protocol::{Millis, Refusal, SessionStatus};
use recorder::{CaptureError, Companion, Notice, Recorder, Trouble, View};

use crate::recovery::Recovery;
use crate::{browser, capture_error, devices};

/// All but what the page knows beside its recorder.
pub(crate) fn of(recorder: &Recorder, was_disconnected: bool, now: Millis) -> RecorderView {
    let View {
        state,
        source,
        device,
        second_device,
        has_picture,
        missing,
        is_testing,
        can_save,
        has_losses,
        trouble,
        warnings,
        notices,
        recorded,
        safe,
    } = recorder.view(now);
    let mut view = RecorderView {
        state,
        source,
        device,
        second_device,
        can_share: devices::can_share(),
        has_picture,
        missing,
        testing: is_testing,
        can_save,
        has_losses,
        alert: trouble.map(alert),
        warnings: warnings.into_iter().map(warning).collect(),
        notices: notices.into_iter().map(notice).collect(),
        recorded,
        safe,
        ..RecorderView::default()
    };
    if let Some(sender) = recorder.sender() {
        show_session(&mut view, sender, was_disconnected);
    }
    view
}

fn show_session(view: &mut RecorderView, sender: &Sender, was_disconnected: bool) {
    let backlog = sender.backlog_status();
    view.link = link(sender, was_disconnected);
    view.pending = backlog.items;
    view.pending_duration = backlog.span;
    view.only_in_memory = backlog.memory_only_items > 0;
    view.refused = backlog.refused_items;
    view.is_kept_back = sender.keeps_back();
    view.session = Some(sender.session());
    view.recovery_link = recovery_link(sender);
    view.server_trouble = sender.turned_away().map(server_trouble);
    if let FinishStatus::Completed(receipt) = sender.finish_status() {
        view.receipt = Some(receipt);
    }
}

/// Until the recording is made: after that there is nothing to go on with.
fn recovery_link(sender: &Sender) -> Option<String> {
    let record = sender.record();
    let is_open = sender.server_status().is_some_and(SessionStatus::takes_items);
    let recovery = Recovery { session: record.session, token: record.token.clone() };
    is_open.then(|| browser::address_with(&recovery.fragment()))
}

fn server_trouble(refusal: &Refusal) -> ServerTrouble {
    if *refusal == Refusal::DiskFull { ServerTrouble::DiskFull } else { ServerTrouble::Busy }
}

/// The first connection is no reconnection, until it fails.
fn link(sender: &Sender, was_disconnected: bool) -> LinkState {
    match sender.link_status() {
        LinkStatus::Online => LinkState::Online,
        LinkStatus::Reconnecting if !was_disconnected => LinkState::Online,
        LinkStatus::Reconnecting | LinkStatus::Stopped(_) => LinkState::Reconnecting,
    }
}

fn alert(trouble: Trouble) -> Alert {
    match trouble {
        Trouble::NoSound { error, has_recorded } => capture_error::alert(&error, has_recorded),
        Trouble::NotMade(reason) => Alert {
            title: "The server could not make your recording".to_owned(),
            detail: [
                &reason,
                ". Everything that has arrived is kept on the server. Please try again.",
            ]
            .concat(),
            retry: true,
        },
        Trouble::Refused(refusal) => refused(&refusal),
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

fn notice(notice: Notice) -> String {
    match notice {
        Notice::StandIn => {
            "The chosen microphone is not there any more; the default one is used.".to_owned()
        }
        Notice::Replaced(label) => ["The recording goes on with “", &label, "”."].concat(),
        Notice::Restarted => "Your browser's recorder stood still and was started again: a few \
                              seconds may be missing."
            .to_owned(),
        Notice::Stayed(error, label) => {
            let why = error.to_string();
            let still = ". The recording goes on with “";
            ["Nothing was changed: ", &why, still, &label, "”."].concat()
        }
        Notice::Relabelled(label) => ["Your microphone is now “", &label, "”."].concat(),
        Notice::NewDefault(default, label) => {
            let says = ["Your system's microphone is now “", &default, "”. "].concat();
            says + &["“", &label, "” is still used here; you can choose another."].concat()
        }
        Notice::TailLost => "Your browser did not hand over the end of the recording: up to a \
                             second of it may be missing."
            .to_owned(),
        Notice::Unreadable(chunks) => {
            let chunks = format::count(chunks, "chunk", "chunks");
            ["Your browser could not hand over ", &chunks, "; they are lost."].concat()
        }
        Notice::Refused(chunks) => {
            let chunks = format::count(chunks, "chunk", "chunks");
            ["The server did not take ", &chunks, "; kept on this device."].concat()
        }
    }
}

/// Without numbers, which would be read out with each change.
fn warning(warning: recorder::Warning) -> Warning {
    use recorder::Warning as Kind;
    let (title, detail) = match warning {
        Kind::Muted => (
            "Your system has muted the microphone",
            "Nothing of what you say is heard. A phone call or the mute key of a headset may be \
             the reason; as soon as it ends, you are heard again.",
        ),
        Kind::Silent => (
            "The microphone delivers no sound",
            "If you are speaking: please check that it is switched on, not muted and not \
             covered, or choose another one.",
        ),
        Kind::CameraGone => (
            "The camera is gone",
            "Your sound is still recorded. The picture comes back with the next recording.",
        ),
        Kind::Missing(kind, error) => return missing(kind, &error),
        Kind::OnlyInMemory => (
            STORAGE_FAILS,
            "What the server does not have yet exists only in this page. Please do not close or \
             reload it until it says that everything is safe. If you can, free up some storage.",
        ),
        Kind::StorageFails => (
            STORAGE_FAILS,
            "The recording goes straight to the server. Please stay connected and keep this page \
             open. If you can, free up some storage.",
        ),
    };
    Warning { title: title.to_owned(), detail: detail.to_owned() }
}

const STORAGE_FAILS: &str = "This browser's storage is full or blocked";

/// What is to be recorded beside the microphone, and is not.
fn missing(kind: Companion, error: &CaptureError) -> Warning {
    let title = match kind {
        Companion::Stills => "No pictures are taken",
        Companion::SecondMicrophone => "The second microphone is not recorded",
        Companion::SystemAudio => "This computer's sound is not recorded",
        Companion::Screen => "The screen is not recorded",
    };
    let detail = [&error.to_string(), ". Your own sound is still recorded."].concat();
    Warning { title: title.to_owned(), detail }
}

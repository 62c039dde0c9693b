//! What happened, described to a reviewer. Every kind of event has a description of its own.

use protocol::event::{Asker, LossCause, Transport};
use protocol::item::{EndCause, Incident, StartCause};
use protocol::{Event, SegmentNo, TrackNo};
use timeline::GapCause;

use crate::format;

/// How an event is to be taken; the colour only repeats what its description says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Alarm,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "tone-plain",
            Self::Good => "tone-good",
            Self::Warning => "tone-warning",
            Self::Alarm => "tone-alarm",
        }
    }
}

pub(super) fn of_event(event: &Event) -> (String, Tone) {
    match event {
        Event::Created => ("The session was created.".to_owned(), Tone::Plain),
        Event::Connected { failed_tries, transport, .. } => {
            (connected(*failed_tries, *transport), Tone::Plain)
        }
        Event::ConnectionLost { cause } => {
            (format!("Connection lost: {}.", of_loss(*cause)), Tone::Warning)
        }
        Event::Resumed { away_ms, within_grace } => {
            let away = format::fine_span(*away_ms);
            let back = if *within_grace {
                format!("Back after {away}.")
            } else {
                format!("Back after {away}, when the session already counted as incomplete.")
            };
            (back, Tone::Good)
        }
        Event::GraceOver => {
            ("Nobody came back in time: the session is incomplete.".to_owned(), Tone::Warning)
        }
        Event::ResumeWindowOver => {
            let over = "Nobody came back at all: the recording is made of what is there.";
            (over.to_owned(), Tone::Warning)
        }
        Event::SegmentStarted { track, segment, cause } => started(&part(*track, *segment), *cause),
        Event::SegmentEnded { track, segment, cause } => ended(&part(*track, *segment), *cause),
        Event::Paused => ("Paused by the candidate.".to_owned(), Tone::Plain),
        Event::PauseOver => ("Recording went on after the pause.".to_owned(), Tone::Plain),
        Event::Noted { incident } => noted(*incident),
        Event::DuplicatesReceived { items } => {
            let items = format::count(*items, "item", "items");
            (format!("{items} arrived a second time. Each is stored once."), Tone::Plain)
        }
        Event::ItemsRefused { reasons } => {
            let total = reasons.values().fold(0, |sum: u64, items| sum.saturating_add(*items));
            let each = reasons.iter().map(|(reason, items)| {
                format!("{} ({})", of_reason(reason), format::grouped(*items))
            });
            let each = each.collect::<Vec<_>>().join(", ");
            let total = format::count(total, "item was", "items were");
            (format!("{total} not accepted: {each}."), Tone::Warning)
        }
        Event::DigestConflict { seq } => {
            let other = format!("Other data arrived under number {seq}. The first data was kept.");
            (other, Tone::Alarm)
        }
        Event::MissingAsked { items, .. } => {
            let items = format::count(*items, "item was", "items were");
            (format!("{items} missing at the end and asked for again."), Tone::Warning)
        }
        Event::FinishAsked { by, .. } => (of_asker(*by).to_owned(), Tone::Plain),
        Event::RecordingMade { duration_ms, bytes, took_ms, complete } => {
            let (length, size) = (format::fine_span(*duration_ms), format::size(*bytes));
            let took = format::fine_span(*took_ms);
            if *complete {
                (format!("The recording was made: {length}, {size}, in {took}."), Tone::Good)
            } else {
                let early = format!("A recording of what was there was made: {length}, {size}.");
                (early, Tone::Plain)
            }
        }
        Event::RecordingFailed { reason, .. } => {
            (format!("No recording could be made: {reason}."), Tone::Alarm)
        }
        Event::SupplementMade { items, duration_ms, bytes, took_ms } => {
            let items = format::count(*items, "item", "items");
            let (length, size) = (format::fine_span(*duration_ms), format::size(*bytes));
            let took = format::fine_span(*took_ms);
            let made = format!(
                "What had come later was put into files of its own: {items}, {length}, {size}, in \
                 {took}."
            );
            (made, Tone::Plain)
        }
        Event::Fenced { .. } => {
            ("Another tab or page took over; the earlier one was cut off.".to_owned(), Tone::Plain)
        }
        Event::Discarded => ("The recording was thrown away.".to_owned(), Tone::Warning),
        Event::MoreNotKept => {
            ("More happened after this; it was not kept.".to_owned(), Tone::Warning)
        }
    }
}

fn connected(failed_tries: u32, transport: Transport) -> String {
    let how = match transport {
        Transport::WebSocket => "Connected",
        Transport::Http => "Connected by plain requests",
    };
    match failed_tries {
        0 => format!("{how}."),
        tries => {
            format!("{how} after {}.", format::count(tries.into(), "failed try", "failed tries"))
        }
    }
}

const fn of_loss(cause: LossCause) -> &'static str {
    match cause {
        LossCause::Closed => "the browser closed it",
        LossCause::Broken => "it broke without a word",
        LossCause::Silent => "no sign of life for too long",
        LossCause::NotReading => "the browser did not take in what it was sent",
        LossCause::Refused => "the server could not accept what it was sent",
        LossCause::Unavailable => "the server could not store anything",
        LossCause::ServerStopping => "the server was stopped",
        LossCause::ServerGone => "the server was gone and is back",
    }
}

fn started(part: &str, cause: StartCause) -> (String, Tone) {
    let (why, tone) = match cause {
        StartCause::Begun => return (format!("{part} began."), Tone::Good),
        StartCause::PageReturned => ("the candidate went on after the page was gone", Tone::Good),
        StartCause::TakenOver => ("another tab went on with it", Tone::Plain),
        StartCause::Retried => ("the candidate tried again", Tone::Good),
        StartCause::DeviceChanged => ("another microphone is in use", Tone::Plain),
        StartCause::RecorderRestarted => ("the recorder was restarted", Tone::Good),
    };
    (format!("{part} began: {why}."), tone)
}

fn ended(part: &str, cause: EndCause) -> (String, Tone) {
    let (why, tone) = match cause {
        EndCause::Stopped => {
            return (format!("{part} ended: stopped by the candidate."), Tone::Plain);
        }
        EndCause::PageLeft => ("the page was left", Tone::Warning),
        EndCause::TakenOver => ("another tab took over", Tone::Plain),
        EndCause::DeviceLost => ("the microphone was unplugged or forbidden", Tone::Warning),
        EndCause::DeviceChanged => ("another microphone was chosen", Tone::Plain),
        EndCause::RecorderFailed => ("the recorder failed", Tone::Warning),
        EndCause::RecorderStalled => ("the recorder delivered nothing any more", Tone::Warning),
    };
    (format!("{part} ended: {why}."), tone)
}

/// People count from 1.
/// The first track is what most sessions have; only of others is it told.
fn part(track: TrackNo, segment: SegmentNo) -> String {
    let part = u64::from(segment.get()) + 1;
    match u64::from(track.get()) + 1 {
        1 => format!("Part {part}"),
        track => format!("Part {part}, on track {track},"),
    }
}

fn noted(incident: Incident) -> (String, Tone) {
    let (noted, tone) = match incident {
        Incident::PageLeft => ("The page was left.", Tone::Warning),
        Incident::PageReturned => ("The page was opened again.", Tone::Good),
        Incident::PageSlept(span) => {
            let span = format::fine_span(span);
            return (
                format!(
                    "The page stood still for {span}; the computer slept, or the browser froze it."
                ),
                Tone::Warning,
            );
        }
        Incident::MicrophoneMuted => ("The system silenced the microphone.", Tone::Warning),
        Incident::MicrophoneUnmuted => ("The microphone was given back.", Tone::Good),
        Incident::MicrophoneSilent => {
            ("The microphone delivered nothing but silence.", Tone::Warning)
        }
        Incident::MicrophoneHeard => ("The microphone was heard again.", Tone::Good),
        Incident::SpoolFailed => (
            "The browser's storage took no more; what was captured was kept in memory.",
            Tone::Warning,
        ),
        Incident::SpoolRecovered => ("The browser's storage worked again.", Tone::Good),
        Incident::LinkLost => ("The candidate's browser lost the server.", Tone::Warning),
        Incident::LinkRestored { away, tries } => {
            let away = format::fine_span(away);
            let tries = format::count(tries.into(), "try", "tries");
            return (
                format!(
                    "The candidate's browser reached the server again after {away} and {tries}."
                ),
                Tone::Good,
            );
        }
    };
    (noted.to_owned(), tone)
}

const fn of_asker(by: Asker) -> &'static str {
    match by {
        Asker::Candidate => "The candidate stopped and saved.",
        Asker::Reviewer => "A reviewer asked for the recording of what is there.",
    }
}

/// The reasons are stored; one that this version does not know stands for itself.
fn of_reason(reason: &str) -> &str {
    match reason {
        "wrong_digest" => "damaged on the way",
        "empty_payload" => "empty",
        "payload_too_large" => "too large",
        "seq_too_large"
        | "too_late"
        | "track_out_of_range"
        | "segment_out_of_range"
        | "text_too_long" => "out of bounds",
        "session_full" => "too large a session",
        "too_far_ahead" => "too far ahead of all that came",
        "too_many_holes" => "too much was missing before",
        "digest_conflict" => "other data under a taken number",
        "session_finished" => "too late, the session was finished",
        _ => reason,
    }
}

/// Why nothing was recorded: what stands in a table, and what goes with "without".
pub(super) const fn of_gap(cause: GapCause) -> (&'static str, &'static str) {
    match cause {
        GapCause::PageLeft => ("No page: it was left or reloaded", "a page"),
        GapCause::PageGone => ("No page: it crashed, or its browser was closed", "a page"),
        GapCause::OtherTab => ("Another tab took over", "a recording tab"),
        GapCause::MicrophoneLost => ("The microphone was gone", "a microphone"),
        GapCause::MicrophoneChanged => ("The microphone was changed", "a microphone"),
        GapCause::RecorderFailed => ("The recorder had failed", "a working recorder"),
        GapCause::RecorderStalled => ("The recorder delivered nothing", "a working recorder"),
        GapCause::Unknown => ("Nothing was recorded; it is not known why", "a known reason"),
    }
}

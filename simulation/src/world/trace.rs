//! What happened last, one line each, for the reader of a failure.

use std::collections::VecDeque;

use protocol::{ClientMessage, Millis, ServerMessage};

use super::event::Event;

const LINES: usize = 80;
const LINE_CHARS: usize = 180;

/// Filled only when asked for: it costs more than all the rest.
pub(super) struct Trace(Option<VecDeque<String>>);

impl Trace {
    pub(super) fn new(is_on: bool) -> Self {
        Self(is_on.then(VecDeque::new))
    }

    pub(super) fn note(&mut self, now: Millis, event: &Event) {
        if self.0.is_none() {
            return;
        }
        let line = match event {
            Event::Check { .. }
            | Event::PageTimer { .. }
            | Event::Candidate { .. }
            | Event::ServerTimer { .. } => return,
            Event::ToServer { link, frame } => {
                format!("ToServer {link:?} {}", summary(&ClientMessage::decode(frame)))
            }
            Event::ToPage { link, frame } => {
                format!("ToPage {link:?} {}", summary(&ServerMessage::decode(frame)))
            }
            Event::Written { link, items } | Event::Committed { link, items } => {
                let seqs: Vec<u64> = items.iter().map(|item| item.seq.get()).collect();
                let what =
                    if matches!(event, Event::Written { .. }) { "written" } else { "commit" };
                format!("{what} {link:?} {seqs:?}")
            }
            Event::Fault(_)
            | Event::FaultsEnd
            | Event::DiskHasRoom
            | Event::QuotaHasRoom
            | Event::StopSpeaking
            | Event::OpenPage
            | Event::MicrophoneAnswers { .. }
            | Event::StreamChanged { .. }
            | Event::DevicesChanged { .. }
            | Event::MicrophoneIsBack
            | Event::Capture { .. }
            | Event::Flushed { .. }
            | Event::RunStops { .. }
            | Event::Read { .. }
            | Event::TakeOver { .. }
            | Event::LockLost { .. }
            | Event::SpoolDone { .. }
            | Event::SpoolSays { .. }
            | Event::Connected { .. }
            | Event::NotConnected { .. }
            | Event::PageSeesEnd { .. }
            | Event::ServerSeesEnd { .. }
            | Event::Tail { .. }
            | Event::Courier
            | Event::Posted(_)
            | Event::Opened { .. }
            | Event::Finish { .. }
            | Event::Discard { .. }
            | Event::Recording { .. }
            | Event::ProcessStarts
            | Event::ProcessEnds { .. } => summary(event),
        };
        self.say(now, line);
    }

    pub(super) fn say(&mut self, now: Millis, line: String) {
        let Some(lines) = &mut self.0 else { return };
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{:>7} {line}", now.get()));
    }

    pub(super) fn text(&self) -> String {
        self.0.iter().flatten().cloned().collect::<Vec<_>>().join("\n")
    }
}

fn summary(what: &impl std::fmt::Debug) -> String {
    let mut text = format!("{what:?}");
    if let Some((end, _)) = text.char_indices().nth(LINE_CHARS) {
        text.truncate(end);
    }
    text
}

//! What can happen in the world, each at its time.

use protocol::message::{Finish, Hello};
use protocol::{Item, SegmentNo, Seq};
use recorder::RequestNo;

use super::link::LinkNo;
use super::page::PageNo;
use super::request::Posted;
use super::server::ProcessNo;
use super::spool::Answer;
use crate::faults::FaultKind;

#[derive(Debug, Clone)]
pub(super) enum Event {
    Fault(FaultKind),
    FaultsEnd,
    DiskHasRoom,
    QuotaHasRoom,
    StopSpeaking,

    OpenPage,
    MicrophoneAnswers {
        page: PageNo,
        request: RequestNo,
    },
    /// The page is told that what is open is no longer as it was.
    StreamChanged {
        page: PageNo,
    },
    /// The page is told that a device came.
    DevicesChanged {
        page: PageNo,
    },
    MicrophoneIsBack,
    /// A timeslice of the run's is over.
    Capture {
        page: PageNo,
        run: SegmentNo,
    },
    /// The run was asked for what it has.
    Flushed {
        page: PageNo,
        run: SegmentNo,
    },
    RunStops {
        page: PageNo,
        run: SegmentNo,
    },
    /// The bytes of a chunk are read, or cannot be.
    Read {
        page: PageNo,
        seq: Seq,
    },
    PageTimer {
        page: PageNo,
    },
    /// The candidate looks at the page, and may press a button.
    Candidate {
        page: PageNo,
    },
    /// Another tab has waited long enough for the page to hand over.
    TakeOver {
        page: PageNo,
    },
    LockLost {
        page: PageNo,
    },

    /// The oldest operation of the spool is done.
    SpoolDone {
        operation: u64,
    },
    SpoolSays {
        page: PageNo,
        answer: Answer,
    },

    Connected {
        page: PageNo,
        link: LinkNo,
    },
    NotConnected {
        page: PageNo,
        link: LinkNo,
    },
    ToServer {
        link: LinkNo,
        frame: Vec<u8>,
    },
    ToPage {
        link: LinkNo,
        frame: Vec<u8>,
    },
    PageSeesEnd {
        link: LinkNo,
    },
    ServerSeesEnd {
        link: LinkNo,
    },
    Tail {
        body: Vec<u8>,
    },
    /// The service worker looks for what closed pages left.
    Courier,
    Posted(Posted),

    Opened {
        link: LinkNo,
        hello: Hello,
    },
    Written {
        link: LinkNo,
        items: Vec<Item>,
    },
    Committed {
        link: LinkNo,
        items: Vec<Item>,
    },
    Finish {
        link: LinkNo,
        finish: Finish,
    },
    Discard {
        link: LinkNo,
    },
    ServerTimer {
        link: LinkNo,
    },
    /// A process looks for deadlines that have passed.
    Check {
        process: ProcessNo,
    },
    /// Making the recording goes one step on.
    Recording {
        process: ProcessNo,
    },
    ProcessStarts,
    ProcessEnds {
        process: ProcessNo,
    },
}

impl Event {
    /// The page whose script has to run for it, if one has.
    pub(super) fn script_of(&self) -> Option<PageNo> {
        match self {
            Self::MicrophoneAnswers { page, .. }
            | Self::StreamChanged { page }
            | Self::DevicesChanged { page }
            | Self::Capture { page, .. }
            | Self::Flushed { page, .. }
            | Self::RunStops { page, .. }
            | Self::Read { page, .. }
            | Self::PageTimer { page }
            | Self::Candidate { page }
            | Self::LockLost { page }
            | Self::SpoolSays { page, .. }
            | Self::Connected { page, .. }
            | Self::NotConnected { page, .. } => Some(*page),
            Self::Fault(_)
            | Self::FaultsEnd
            | Self::DiskHasRoom
            | Self::QuotaHasRoom
            | Self::StopSpeaking
            | Self::OpenPage
            | Self::MicrophoneIsBack
            | Self::TakeOver { .. }
            | Self::SpoolDone { .. }
            | Self::ToServer { .. }
            | Self::ToPage { .. }
            | Self::PageSeesEnd { .. }
            | Self::ServerSeesEnd { .. }
            | Self::Tail { .. }
            | Self::Courier
            | Self::Posted(_)
            | Self::Opened { .. }
            | Self::Written { .. }
            | Self::Committed { .. }
            | Self::Finish { .. }
            | Self::Discard { .. }
            | Self::ServerTimer { .. }
            | Self::Check { .. }
            | Self::Recording { .. }
            | Self::ProcessStarts
            | Self::ProcessEnds { .. } => None,
        }
    }
}

//! What can happen in the world, each at its time.

use protocol::Item;
use protocol::message::{Finish, Hello};

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
    Capture {
        page: PageNo,
    },
    /// The bytes of a chunk are read, or cannot be.
    Read {
        page: PageNo,
        piece: u64,
    },
    PageTimer {
        page: PageNo,
    },
    /// The candidate presses "stop and save" again after a failure.
    FinishAgain {
        page: PageNo,
    },
    HandOver {
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
            Self::Capture { page }
            | Self::Read { page, .. }
            | Self::PageTimer { page }
            | Self::FinishAgain { page }
            | Self::HandOver { page }
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

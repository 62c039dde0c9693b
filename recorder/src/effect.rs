//! What comes out of a recorder for its shell to carry out.

use protocol::sender::{self, SessionRecord};
use protocol::tail::TailHeader;
use protocol::{ClientMessage, Item, Millis, SegmentNo, Seq, SessionId};

use crate::{RequestNo, Source, Wanted};

/// What the shell has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What the session's sender asks for.
    Sender(sender::Effect),

    /// Ask for a microphone, never another than this one; then call
    /// [`crate::Recorder::microphone_opened`].
    OpenMicrophone {
        request: RequestNo,
        /// `None` is the browser's default.
        device: Option<String>,
        wants_picture: bool,
    },
    /// Ask for what is recorded beside the microphone; then call
    /// [`crate::Recorder::companion_opened`].
    OpenCompanion {
        request: RequestNo,
        wanted: Wanted,
        /// The device of the microphone beside which it is recorded, if it is known.
        first: Option<String>,
    },
    /// Close what was opened under this number.
    Close(RequestNo),
    /// This microphone is in use from now on: show its level.
    Use(RequestNo),
    /// Show the picture of what is open under this number, or none any more.
    Preview(Option<RequestNo>),
    /// Listen to the microphone; then call [`crate::Recorder::heard`] at once.
    Listen(RequestNo),

    /// Have a recorder run on the open microphone; then call [`crate::Recorder::run_started`] at once.
    StartRun {
        run: SegmentNo,
        microphone: RequestNo,
        has_picture: bool,
        /// The answer is to say what the new session is known by.
        is_first: bool,
    },
    /// The same on the open companion; then call [`crate::Recorder::companion_started`] at once.
    StartCompanion { run: SegmentNo, companion: RequestNo },
    /// Then call [`crate::Recorder::run_paused`] at once, unless the recorder has just ended.
    Pause(SegmentNo),
    /// Then call [`crate::Recorder::run_resumed`] at once, unless the recorder has just ended.
    Resume(SegmentNo),
    /// Have it hand over everything up to now and end, which [`crate::Recorder::run_stopped`] tells.
    Stop(SegmentNo),
    /// Have it hand over soon what it has, rather than at the end of its timeslice.
    Flush(SegmentNo),
    /// The run is over: nothing of it is heard any more.
    Drop(SegmentNo),

    /// Read the bytes of the chunk that has this number; then call [`crate::Recorder::chunk_read`].
    Read {
        seq: Seq,
        /// Read them before the event is over, where the browser does that.
        is_urgent: bool,
    },
    /// Send the chunk as it is, in a way that outlives the page.
    SendTail { seq: Seq, header: TailHeader },
    /// Put these where a write is done when its call returns, in the place of what was there.
    Stash { record: SessionRecord, items: Vec<(Item, Millis)> },
    /// The page lives on: what it put aside is not needed.
    ForgetStash(SessionId),
    /// Send these in a way that outlives the page.
    Part(Vec<ClientMessage>),

    /// A session of this page's own begins. Keep other tabs away from it, and its storage from being
    /// cleared.
    Begin(SessionId),
    /// Write down what the session records, for the page that goes on with it.
    NoteSource(SessionId, Source),
    /// Everything is safe: another tab has nothing left to disturb.
    Unlock,
    /// Let go of the session and of everything that belongs to it: another tab goes on.
    LetGo,
}

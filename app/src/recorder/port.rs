//! What the recorder shows and what it can ask for: the border between the island and the browser
//! adapter that captures, stores and sends.

use std::cell::RefCell;
use std::rc::Rc;

use protocol::{Millis, Receipt, SessionId};
pub use recorder::{Companion, Device, RecorderState, Source};

/// The `video` element in which the adapter shows what the camera sees.
pub const PREVIEW_ID: &str = "preview";

/// The connection to the server, in parallel to [`RecorderState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    #[default]
    Online,
    Reconnecting,
}

impl LinkState {
    /// The word in `data-link`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Reconnecting => "reconnecting",
        }
    }
}

/// All that the recorder shows, apart from the level, which changes too often.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderView {
    pub state: RecorderState,
    pub link: LinkState,
    /// Items captured and not yet acked.
    pub pending: u64,
    /// How much of the recording those items are.
    pub pending_duration: Millis,
    /// Some of them could not be written to the browser's disk.
    pub only_in_memory: bool,
    /// Those of them that the server will never take.
    pub refused: u64,
    /// Something was recorded, or should have been, and is nowhere: the browser did not hand it over.
    pub has_losses: bool,
    pub session: Option<SessionId>,
    pub recorded: Millis,
    /// How much of it the server has acked.
    pub safe: Millis,
    /// The microphones to choose from; empty until the browser names them.
    pub devices: Vec<Device>,
    /// The id of the chosen one; none is the browser's default.
    pub device: Option<String>,
    pub source: Source,
    /// The id of the chosen second microphone; none is the first that is left.
    pub second_device: Option<String>,
    /// This browser can share the screen, and sound with it.
    pub can_share: bool,
    /// A camera or the screen is open, and shown in the preview.
    pub has_picture: bool,
    /// What should be recorded beside the microphone and is not. [`Command::RestoreCompanion`] may
    /// help.
    pub missing: Option<Companion>,
    /// The microphone test runs.
    pub testing: bool,
    /// What was captured before the sound was lost can be saved as it is.
    pub can_save: bool,
    pub room: Room,
    /// What an earlier page left, while this page has no session of its own.
    pub unfinished: Option<Unfinished>,
    /// Pieces stored in this browser that this version cannot read.
    pub unreadable: u32,
    /// This browser holds items that the server does not take, or cannot be sent now that nothing is
    /// recorded any more.
    pub is_kept_back: bool,
    /// What another tab is recording, while this page has no session of its own.
    pub elsewhere: Option<Elsewhere>,
    /// The address with which this page's session goes on, anywhere.
    pub recovery_link: Option<String>,
    /// The server takes nothing just now, and said why.
    pub server_trouble: Option<ServerTrouble>,
    pub alert: Option<Alert>,
    /// What endangers the recording while it goes on. Their messages hold no numbers that change, for
    /// they are read out with every change.
    pub warnings: Vec<Warning>,
    /// Things to know that are no errors.
    pub notices: Vec<String>,
    pub receipt: Option<Receipt>,
}

/// How much can be kept on this device while the server is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// The browser does not tell.
    #[default]
    Unknown,
    For(Millis),
    /// The browser stores nothing for this page.
    Nowhere,
}

/// Why the server takes nothing, when it can still be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTrouble {
    DiskFull,
    Busy,
}

/// A recording that another tab of this browser is at work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Written out in the reader's zone and language.
    pub started: String,
    /// The other tab was asked to let it go.
    pub is_taking_over: bool,
}

/// A recording that was neither finished nor given up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unfinished {
    /// Written out in the reader's zone and language.
    pub started: String,
    /// Nothing of it is in this browser; the rest is not known until it is resumed.
    pub is_remote: bool,
    pub recorded: Millis,
    /// Items that the server does not have yet.
    pub pending: u64,
    pub pending_duration: Millis,
}

/// Something is wrong: what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub title: String,
    pub detail: String,
    /// [`Command::Retry`] may help.
    pub retry: bool,
}

/// Something may go wrong soon: what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub title: String,
    pub detail: String,
}

/// What the candidate asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    TestMicrophone,
    StopTest,
    ChooseSource(Source),
    /// By [`Device::id`].
    ChooseDevice(String),
    /// The same for the second microphone.
    ChooseSecondDevice(String),
    Start,
    Pause,
    Resume,
    /// Go on with what is recorded beside the microphone.
    RestoreCompanion,
    Stop,
    /// Go on with [`RecorderView::unfinished`].
    ResumeUnfinished,
    /// Save it as it is.
    FinishUnfinished,
    /// Throw it away, here and on the server.
    DiscardUnfinished,
    /// Hand out [`RecorderView::unreadable`] as a file.
    SaveUnreadable,
    /// Hand out what this browser holds of recordings as files.
    SaveKept,
    /// Go on here with [`RecorderView::elsewhere`].
    TakeOver,
    Retry,
}

/// The browser adapter, as the island sees it.
pub trait RecorderPort {
    /// Called once. From then on the adapter reports each change of the view, the first at once,
    /// and while the microphone is open its level, 0 to 1, about 20 times a second.
    fn attach(&self, on_view: Box<dyn Fn(RecorderView)>, on_level: Box<dyn Fn(f32)>);

    fn command(&self, command: Command);
}

thread_local! {
    static PORT: RefCell<Option<Rc<dyn RecorderPort>>> = const { RefCell::new(None) };
}

/// Gives the island its adapter. To be called in the browser before hydration.
pub fn install(port: Rc<dyn RecorderPort>) {
    PORT.with(|slot| *slot.borrow_mut() = Some(port));
}

/// The installed adapter. Cloned out, because an adapter may report back while it is called.
pub(super) fn installed() -> Option<Rc<dyn RecorderPort>> {
    PORT.with(|slot| slot.borrow().clone())
}

/// Passes `command` on. Without an adapter no button is enabled, so there is nobody to tell.
pub(super) fn send(command: Command) {
    if let Some(port) = installed() {
        port.command(command);
    }
}

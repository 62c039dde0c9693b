//! The candidate's recorder, decided without IO: what each command, each event of a device, of the
//! browser's recorder, of the page and of other tabs means in the state in which it comes. It owns the
//! session's [`protocol::sender::Sender`]. What a microphone, a recorder's run or a chunk is to the
//! browser stays with the shell, under the number that it has here.
//!
//! There is no clock and no randomness in here. A shell drives a [`Recorder`] so:
//!
//! 1. say how what is open is just now ([`Recorder::microphone_is`], [`Recorder::companion_is`]),
//! 2. call one method with what happened, or the [`Recorder::sender_mut`] with what its link and its
//!    spool report,
//! 3. drain [`Recorder::poll_effect`] until it returns `None`, carrying out each effect; some are
//!    answered at once, before the next one,
//! 4. call [`Recorder::handle_timeout`], and drain again,
//! 5. arm one timer for [`Recorder::poll_timeout`].
//!
//! All of that before the event that brought it is over: a chunk has its number by then, runs that
//! belong together have begun and ended in the same turn, and a page that is being left gets no
//! second one.

mod capture_error;
mod companion_track;
pub mod devices;
mod effect;
mod input;
mod leaving;
mod opening;
mod recorder;
mod replacing;
mod run;
mod session;
mod source;
mod stopwatch;
mod view;
mod watch;
mod watching;

pub use capture_error::CaptureError;
pub use companion_track::Wanted;
pub use devices::Device;
pub use effect::Effect;
pub use input::{MicrophoneState, Moment, NewSession, RequestNo, RunForm, Started};
pub use recorder::Recorder;
pub use source::{Companion, Source};
pub use view::{Notice, RecorderState, Trouble, View, Warning};

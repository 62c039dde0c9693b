//! Holdfast's words, shared by the browser and the server: ids, items, messages, limits, and the
//! two state machines that speak the protocol.
//!
//! Nothing in here does IO. There is no async, no clock and no randomness: time and random seeds
//! come in as parameters, effects come out of `poll_*` methods. Both state machines are driven the
//! same way:
//!
//! 1. call one `handle_*(now, …)` method with what happened,
//! 2. drain `poll_effect()` until it returns `None`, carrying out each effect,
//! 3. arm one timer for `poll_timeout()` and call `handle_timeout(now)` when it fires.
//!
//! The one rule: never hold an effect back across the next `handle_*` call.

mod digest;
pub mod event;
pub mod frames;
pub mod ids;
pub mod item;
pub mod limits;
pub mod message;
pub mod receipt;
pub mod receiver;
pub mod sender;
pub mod seq_set;
pub mod status;
pub mod tail;
pub mod time;
pub mod version;

mod wire;

pub use event::Event;
pub use ids::{Epoch, SegmentNo, Seq, SessionId, SessionToken, TokenHash, TrackNo};
pub use item::{Content, Digest, Item, ItemError, Marker, TrackKind};
pub use message::{ClientMessage, Refusal, ServerMessage};
pub use receipt::Receipt;
pub use seq_set::SeqSet;
pub use status::{SessionEvent, SessionStatus};
pub use time::{Millis, UnixMillis};
pub use version::Version;
pub use wire::ProtocolError;

//! The rules of a session, once: what may happen to it, and what follows. Every store applies them, and
//! the simulation runs on them.
//!
//! Nothing in here does IO. A store works in one transaction: it loads a [`Session`], asks
//! [`rules::decide`] what a [`Command`] makes of it at a given time, and writes the [`Change`]: the
//! session as it is from then on, the events for its log, and the jobs that are due because of it. A
//! command that is not allowed is [`Refused`], and nothing is written.
//!
//! Items have a way of their own because they come in thousands: [`rules::Appending`] judges each of a
//! batch against the same [`Session`].

pub mod command;
pub mod conformance;
pub mod differential;
pub mod jobs;
pub mod limits;
pub mod memory;
pub mod rules;
pub mod session;
mod store;
pub mod work;

pub use command::{By, Command, MadeOf, Refused};
pub use jobs::Job;
pub use rules::Change;
pub use session::Session;
pub use store::{Append, Appended, Applied, Ledger};
pub use work::{Beside, Format, JobKey, JobKind, Work};

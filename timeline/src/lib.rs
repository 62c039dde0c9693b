//! One model of a session's time: the runs, pauses and gaps of its tracks, when the server was out of
//! reach, and where the moments of all that lie in the files that are made of it.
//!
//! A session has one timeline in milliseconds, which begins at 0 and passes as the clock does. A file
//! knows neither pauses nor gaps. What is stored of a session comes in as plain values; nothing here
//! reads a database, writes a file or knows how anything is shown.

mod alignment;
mod connection;
mod marks;
mod pauses;
mod segment;
mod session;
mod span;
mod track;

pub use alignment::{Alignment, Shift};
pub use connection::{origin, outages};
pub use marks::{ConnectionMark, Marks, PauseMark};
pub use segment::{PauseCut, RunEnd, Segment, main_track};
pub use session::Timeline;
pub use span::Span;
pub use track::{Gap, GapCause, Run, Splice, SpliceCause, TrackTimeline};

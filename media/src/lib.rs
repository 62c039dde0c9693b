//! Holdfast's media engine: reads what browsers' recorders write and joins it into one seekable
//! file without re-encoding. Bytes in, bytes out: no clock, no network, no async.
//!
//! A recorder writes *live* WebM: the sizes of the Segment and its Clusters are unknown, there is
//! no index and no trustworthy duration, and the stream may stop at any byte. [`Stitcher`] takes
//! any number of such runs in one pass and in bounded memory:
//!
//! ```
//! # fn stitch(runs: &[Vec<&[u8]>]) -> Result<Vec<u8>, media::MediaError> {
//! let mut stitcher = media::Stitcher::new(std::io::Cursor::new(Vec::new()))?;
//! for chunks in runs {
//!     stitcher.begin_segment()?;
//!     for chunk in chunks {
//!         stitcher.push(chunk)?;
//!     }
//!     stitcher.end_segment()?;
//! }
//! let (file, _report) = stitcher.finish()?;
//! # Ok(file.into_inner())
//! # }
//! # assert!(stitch(&[]).is_err());
//! ```
//!
//! [`verify`] then reads the finished file strictly, so that the chunks may be let go. Damage in
//! the input never fails a stitch: it is reported, and only a recording without a single packet
//! is an error. [`Inspector`] describes a file, finished or not, as it is.
//!
//! The formats are EBML (RFC 8794), Matroska (RFC 9559) and Opus (RFC 6716).

mod block;
mod clock;
mod ebml;
mod error;
mod grammar;
mod inspect;
mod lacing;
pub mod limits;
mod opus;
mod reader;
mod report;
mod resync;
mod seek_index;
mod segment;
mod source;
mod stitch;
mod tracks;
mod units;
mod verify;
mod writer;

pub use block::Block;
pub use ebml::ElementId;
pub use error::{Container, Flaw, MediaError, Refusal};
pub use inspect::{InspectedRun, InspectedTrack, Inspection, Inspector};
pub use opus::packet_duration as opus_packet_duration;
pub use reader::{Event, WebmReader};
pub use report::{Damage, DamageCause, Problem, SegmentReport, StitchReport};
pub use stitch::Stitcher;
pub use tracks::{TrackEntry, TrackKind};
pub use units::{Millis, SourceTime, TrackNumber};
pub use verify::{Verified, VerifiedTrack, verify};

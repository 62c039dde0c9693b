//! Holdfast's media engine: reads what browsers' recorders write, joins it into one seekable file
//! without re-encoding, and draws its sound. Bytes in, bytes out: no clock, no network, no async.
//!
//! A recorder writes *live* WebM: the sizes of the Segment and its Clusters are unknown, there is
//! no index and no trustworthy duration, and the stream may stop at any byte. [`Stitcher`] takes
//! any number of such runs in one pass and in bounded memory. Where a browser only writes
//! fragmented MP4, it takes that and writes an ordinary MP4; the caller need not know which:
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
//! let (file, _report) = stitcher.finish()?.accept(|_| ());
//! # Ok(file.into_inner())
//! # }
//! # assert!(stitch(&[]).is_err());
//! ```
//!
//! [`verify()`] then reads the finished file strictly, so that the chunks may be let go. Damage in
//! the input never fails a stitch: it is reported, and only a recording without a single packet
//! is an error. [`Inspector`] describes a file, finished or not, as it is.
//!
//! [`combine()`] puts finished files side by side on one timeline; of a single one it makes the same
//! with its gaps in time, as a [`Schedule`] tells them. [`combine_mp4`] does so with MP4.
//!
//! [`to_ogg`] takes the sound out without decoding it; [`mp4_to_ogg`] makes Opus of AAC.
//!
//! [`mix()`] puts one sound track before the others in which all of them are heard; so does
//! [`mix_mp4`].
//!
//! [`Waveforms`] decodes the sound of a file and keeps its [`Peaks`].
//!
//! The formats are EBML (RFC 8794), Matroska (RFC 9559), MP4 (ISO/IEC 14496-12), Opus (RFC 6716) and
//! AAC (ISO/IEC 14496-3).

mod account;
mod block;
mod clock;
mod combine;
mod decode;
mod ebml;
mod error;
mod finished_headers;
mod frame;
mod grammar;
mod headers;
mod headless;
mod inspect;
mod lacing;
pub mod limits;
mod mix;
mod mp4;
mod observer;
mod ogg;
mod ogg_reader;
mod opus;
mod peaks;
mod reader;
mod repeats;
mod report;
mod schedule;
mod seek_index;
mod segment;
mod silence;
mod source;
mod stitch;
mod stretch;
mod tracks;
mod units;
mod verify;
mod waveform;
mod webm_file;
mod write_behind;
mod writer;

pub use self::ogg::{OggReport, mp4_to_ogg, to_ogg};
pub use account::{Account, Bytes, Cause, LeftOut, Tally};
pub use block::Block;
pub use combine::{Combined, Source, combine};
pub use decode::{DecodeReport, SOUND_RATE_HZ, Sound, SoundTrack};
pub use ebml::ElementId;
pub use error::{Container, Flaw, MediaError, Refusal};
pub use grammar::{Opening, opening};
pub use headers::{HEADER_KNOWN_BY_BYTES, find_header};
pub use inspect::{InspectedRun, InspectedTrack, Inspection, Inspector};
pub use mix::{Mixed, mix};
pub use mp4::{BoxType, combine_mp4, mix_mp4};
pub use opus::packet_duration as opus_packet_duration;
pub use peaks::{Level, Loudest, Peak, Peaks, PeaksError};
pub use reader::{Event, WebmReader};
pub use report::{
    Damage, DamageCause, FileType, LeftOutPlace, Problem, SegmentReport, StitchReport,
};
pub use schedule::Schedule;
pub use silence::silence_bytes_max;
pub use stitch::{Headers, Stitched, Stitcher};
pub use tracks::{TrackEntry, TrackKind};
pub use units::{Millis, SourceTime, TrackNumber};
pub use verify::{Verified, VerifiedTrack, Verifier, verify};
pub use waveform::{Waveform, Waveforms};
pub use write_behind::WriteBehind;

//! Owns what can go wrong at this crate's border; damage that is survived is in `report`.

use std::io;

use crate::ebml::ElementId;
use crate::limits;
use crate::tracks::TrackKind;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No segment had a packet; this is what was wrong with the first that had anything.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The output or input failed. What was written so far is not a finished file.
    #[error("reading or writing media failed: {0}")]
    Io(#[from] io::Error),
    /// The file given to [`verify`](crate::verify) is not a finished, seekable WebM.
    #[error("not a finished recording: {flaw} (at byte {at})")]
    NotFinished {
        /// Offset from the start of the file, in bytes.
        at: u64,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// The calls came in an order that makes no sense.
    #[error("{0}")]
    OutOfOrder(&'static str),
    /// More than [`limits::SEGMENTS_MAX`] segments.
    #[error("more than {} segments in one recording", limits::SEGMENTS_MAX)]
    TooManySegments,
}

/// Why a segment could not be used at all. It does not spoil the other segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There were no bytes.
    #[error("the segment is empty")]
    Empty,
    /// The bytes do not begin with an EBML header (RFC 8794 section 11.2.1).
    #[error("the segment is not WebM: it does not begin with an EBML header")]
    NotWebm,
    /// An EBML file, but of another kind.
    #[error("the segment is not WebM: its document type is {doc_type:?}")]
    OtherDocType {
        /// What its header says, cut to a printable length.
        doc_type: String,
    },
    /// A container that is known but not handled.
    #[error("the segment is {container}, which can't be stitched: only WebM can")]
    UnsupportedContainer {
        /// Which one.
        container: Container,
    },
    /// The bytes end, or are damaged, before the description of the tracks.
    #[error("the segment has no usable track description")]
    NoTracks,
    /// Tracks, but not one packet.
    #[error("the segment has no media")]
    NoMedia,
    /// A track has no place in the file begun by an earlier segment.
    #[error("the segment's {kind} track ({codec}) does not fit the recording begun before it")]
    TrackMismatch {
        /// What the track carries.
        kind: TrackKind,
        /// Its Matroska codec id.
        codec: String,
    },
}

/// Containers that are recognised and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// ISO base media file format, fragmented or not.
    Mp4,
    /// Ogg.
    Ogg,
}

impl std::fmt::Display for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mp4 => "MP4",
            Self::Ogg => "Ogg",
        })
    }
}

/// What [`verify`](crate::verify) found wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file ends inside an element, or the bytes are no element.
    #[error("no complete element")]
    NotAnElement,
    /// An element of unknown size.
    #[error("element {0} has no known size")]
    UnknownSize(ElementId),
    /// An element reaches past the end of what holds it, or is larger than any we write.
    #[error("element {0} is larger than its place")]
    TooLarge(ElementId),
    /// An element that does not belong here, or stands here twice.
    #[error("element {0} does not belong here")]
    Unexpected(ElementId),
    /// An element that must be there isn't, or can't be read.
    #[error("element {0} is missing or unreadable")]
    Missing(ElementId),
    /// The Segment does not end where the file ends.
    #[error("the Segment does not end where the file ends")]
    SegmentSize,
    /// The SeekHead says an element is where it isn't.
    #[error("the SeekHead does not lead to {0}")]
    SeekHead(ElementId),
    /// A block of a track that isn't declared, or without a readable header.
    #[error("a block can't be read")]
    BadBlock,
    /// A track's timestamps go back.
    #[error("the timestamps of a track go back")]
    TimeGoesBack,
    /// A cue leads to no such block, or to one a player can't start at.
    #[error("a cue does not lead to a block one can start at")]
    Cue,
    /// Cues are not in the order of time.
    #[error("the cues are out of order")]
    CueOrder,
    /// The Duration is not the end of the last packet.
    #[error("the Duration is not the end of the last packet")]
    Duration,
    /// No packet at all.
    #[error("there is no packet")]
    NoPackets,
}

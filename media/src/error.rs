//! Owns what can go wrong at this crate's border; damage that is survived is in `report`.

use std::io;

use crate::ebml::ElementId;
use crate::limits;
use crate::mp4::BoxType;
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
    /// The file given to [`verify`](crate::verify()) is not a finished, seekable WebM or
    /// MP4.
    #[error("not a finished recording: {flaw} (at byte {at})")]
    NotFinished {
        /// Offset from the start of the file, in bytes.
        at: u64,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// The sound that was mixed is not taken by the encoder.
    #[error("mixed sound cannot be encoded: {0}")]
    Encoding(String),
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
    /// A container that is known but not handled: Ogg by the stitcher, MP4 too by what only reads
    /// WebM.
    #[error("the segment is {container}, which can't be read here")]
    UnsupportedContainer {
        /// Which one.
        container: Container,
    },
    /// A segment before it decided for a file of another container; packets can't move between.
    #[error("the segment is {container}, but the recording begun before it is not")]
    OtherContainer {
        /// The segment's.
        container: Container,
    },
    /// More than [`limits::SAMPLES_MAX`] samples in one MP4; the segment, or its rest, is left out.
    #[error("more than {} samples in one MP4", limits::SAMPLES_MAX)]
    TooManySamples,
    /// The stream begins in the middle, and no header is known by which it could be read.
    #[error("the beginning of the segment is missing: without a header it cannot be read")]
    NoHeader,
    /// Packets of a track lie further apart than the table of an MP4 can say: weeks.
    #[error("two packets are too far apart for an MP4")]
    TooFarApart,
    /// The bytes end, or are damaged, before the description of the tracks.
    #[error("the segment has no usable track description")]
    NoTracks,
    /// No track whose sound can be decoded.
    #[error("there is no sound in the recording that can be read")]
    NoSound,
    /// No track of Opus.
    #[error("there is no Opus sound in the recording")]
    NoOpus,
    /// Fewer than two tracks of Opus.
    #[error("{sounds} sound tracks need no mixing")]
    NothingToMix {
        /// So many.
        sounds: usize,
    },
    /// More than [`limits::TRACKS_MAX`] tracks to be put into one file.
    #[error("{tracks} tracks are more than one file may have ({})", limits::TRACKS_MAX)]
    TooManyTracks {
        /// So many.
        tracks: usize,
    },
    /// Tracks, but not one packet.
    #[error("the segment has no media")]
    NoMedia,
    /// A track has no place in the file begun by an earlier segment.
    #[error("the segment's {kind} track ({codec}) does not fit the recording begun before it")]
    TrackMismatch {
        /// What the track carries.
        kind: TrackKind,
        /// Its Matroska codec id, or its MP4 sample entry type.
        codec: String,
    },
}

/// Containers that are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// WebM, or Matroska as browsers write it.
    Webm,
    /// ISO base media file format, fragmented or not.
    Mp4,
    /// Ogg.
    Ogg,
}

impl std::fmt::Display for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Webm => "WebM",
            Self::Mp4 => "MP4",
            Self::Ogg => "Ogg",
        })
    }
}

/// What [`verify`](crate::verify()) found wrong.
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
    /// The bytes are no MP4 box, or one that reaches past its place.
    #[error("no complete box")]
    NotABox,
    /// A box that does not belong here, or is larger than any we write.
    #[error("box {0} does not belong here")]
    UnexpectedBox(BoxType),
    /// A box that must be there isn't, or can't be read.
    #[error("box {0} is missing or unreadable")]
    MissingBox(BoxType),
    /// A table does not agree with the other tables of its track.
    #[error("table {0} does not agree with the others")]
    Table(BoxType),
    /// The samples are not what the media is, byte for byte.
    #[error("the samples do not fill the media")]
    Media,
    /// No packet at all.
    #[error("there is no packet")]
    NoPackets,
}

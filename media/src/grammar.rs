//! Owns what may stand where in a recorder's stream (RFC 9559 section 5) and what its header says.
//! Does not move through the stream.

use crate::ebml::{self, ElementId, id};
use crate::error::Container;
use crate::limits;

/// TimestampScale when the source does not give one (RFC 9559 section 5.1.2.9).
pub(crate) const DEFAULT_SCALE_NANOS: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing was read yet.
    Start,
    Top,
    Segment,
    Cluster,
}

/// What to do with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Enter(Level),
    Keep { bytes_max: usize },
    Skip,
    Foreign,
}

/// Ids are told apart by where they stand.
/// Sizes of Segment and Cluster are ignored: what comes next says that they ended.
pub(crate) fn role(level: Level, element: ElementId) -> Role {
    let in_segment = matches!(level, Level::Segment | Level::Cluster);
    let in_cluster = level == Level::Cluster;
    match element {
        id::EBML => Role::Keep { bytes_max: limits::HEADER_BYTES_MAX },
        id::VOID | id::CRC_32 => Role::Skip,
        id::SEGMENT if level == Level::Top => Role::Enter(Level::Segment),
        id::CLUSTER if in_segment => Role::Enter(Level::Cluster),
        id::INFO | id::TRACKS if in_segment => Role::Keep { bytes_max: limits::HEADER_BYTES_MAX },
        id::SEEK_HEAD | id::CUES | id::TAGS | id::CHAPTERS | id::ATTACHMENTS if in_segment => {
            Role::Skip
        }
        id::TIMESTAMP if in_cluster => Role::Keep { bytes_max: 8 },
        id::SIMPLE_BLOCK | id::BLOCK_GROUP if in_cluster => {
            Role::Keep { bytes_max: limits::BLOCK_BYTES_MAX }
        }
        id::POSITION | id::PREV_SIZE | id::SILENT_TRACKS if in_cluster => Role::Skip,
        _ => Role::Foreign,
    }
}

/// How many bytes [`recognise`] looks at.
pub(crate) const RECOGNISED_BY_BYTES: usize = 8;

/// The longest id of an element that may stand in a file (RFC 9559 section 5).
pub(crate) const ID_BYTES_MAX: usize = 4;

/// The first byte of a WebM.
pub(crate) const EBML_BEGINS: u8 = 0x1A;

/// Whether bytes too few to tell may be the first of a WebM.
pub(crate) fn may_begin_webm(bytes: &[u8]) -> bool {
    id::EBML.0.to_be_bytes().starts_with(bytes) || bytes.starts_with(&id::EBML.0.to_be_bytes())
}

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A header, or what may stand before one.
    Header(Container),
    /// Something that only follows a header.
    Middle(Container),
    /// Too little to tell.
    Short,
    /// Something else: the middle of a stream, or no recorder's.
    Other,
}

/// What these bytes begin with.
#[must_use]
pub fn opening(bytes: &[u8]) -> Opening {
    const MP4_HEADERS: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];
    const MP4_MIDDLES: [&[u8]; 4] = [b"moof", b"styp", b"sidx", b"prft"];
    if bytes.starts_with(&id::EBML.0.to_be_bytes()) {
        return Opening::Header(Container::Webm);
    }
    if bytes.starts_with(b"OggS") {
        return Opening::Header(Container::Ogg);
    }
    match bytes.get(4..RECOGNISED_BY_BYTES) {
        None => Opening::Short,
        Some(name) if MP4_HEADERS.contains(&name) => Opening::Header(Container::Mp4),
        Some(name) if MP4_MIDDLES.contains(&name) => Opening::Middle(Container::Mp4),
        Some(_) if bytes.starts_with(&id::CLUSTER.0.to_be_bytes()) => {
            Opening::Middle(Container::Webm)
        }
        Some(_) => Opening::Other,
    }
}

/// The container that these bytes begin, or belong to.
pub(crate) fn recognise(bytes: &[u8]) -> Option<Container> {
    match opening(bytes) {
        Opening::Header(container) | Opening::Middle(container) => Some(container),
        Opening::Short | Opening::Other => None,
    }
}

pub(crate) fn doc_type(header_body: &[u8]) -> String {
    ebml::children(header_body)
        .flatten()
        .find(|child| child.id == id::DOC_TYPE)
        .map_or_else(String::new, |child| ebml::string(child.body))
}

pub(crate) fn timestamp_scale(info_body: &[u8]) -> u64 {
    ebml::children(info_body)
        .flatten()
        .find(|child| child.id == id::TIMESTAMP_SCALE)
        .and_then(|child| ebml::uint(child.body))
        .filter(|nanos| *nanos > 0)
        .unwrap_or(DEFAULT_SCALE_NANOS)
}

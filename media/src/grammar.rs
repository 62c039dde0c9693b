//! Owns what may stand where in a recorder's stream (RFC 9559 section 5) and what its header says.
//! Does not move through the stream.

use crate::ebml::{self, ElementId, id};
use crate::error::Container;
use crate::limits;

/// TimestampScale when the source does not give one (RFC 9559 section 5.1.2.9).
pub(crate) const DEFAULT_SCALE_NANOS: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
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

/// Ids are told apart by where they stand; an unknown one is damage, since recorders write none.
/// Sizes of Segment and Cluster are ignored: what comes next says that they ended.
pub(crate) fn role(level: Level, element: ElementId) -> Role {
    let in_segment = level != Level::Top;
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

pub(crate) fn recognise(bytes: &[u8]) -> Option<Container> {
    const MP4_BOXES: [&[u8]; 6] = [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"mdat"];
    if bytes.starts_with(&id::EBML.0.to_be_bytes()) {
        return Some(Container::Webm);
    }
    if bytes.starts_with(b"OggS") {
        return Some(Container::Ogg);
    }
    let name = bytes.get(4..8)?;
    MP4_BOXES.contains(&name).then_some(Container::Mp4)
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

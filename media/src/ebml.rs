//! Owns EBML on the level of bytes (RFC 8794): ids, variable-size integers, element headers and
//! writing elements. Does not know what an element means.

use std::fmt;

/// An EBML element id with its marker bits, as the specification prints it (RFC 8794 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementId(pub u32);

impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}", self.0)
    }
}

impl fmt::Debug for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementId({self})")
    }
}

/// The ids this crate reads or writes (RFC 8794 section 11.2, RFC 9559 section 5.1).
pub(crate) mod id {
    use super::ElementId;

    pub(crate) const EBML: ElementId = ElementId(0x1A45_DFA3);
    pub(crate) const EBML_VERSION: ElementId = ElementId(0x4286);
    pub(crate) const EBML_READ_VERSION: ElementId = ElementId(0x42F7);
    pub(crate) const EBML_MAX_ID_LENGTH: ElementId = ElementId(0x42F2);
    pub(crate) const EBML_MAX_SIZE_LENGTH: ElementId = ElementId(0x42F3);
    pub(crate) const DOC_TYPE: ElementId = ElementId(0x4282);
    pub(crate) const DOC_TYPE_VERSION: ElementId = ElementId(0x4287);
    pub(crate) const DOC_TYPE_READ_VERSION: ElementId = ElementId(0x4285);
    pub(crate) const VOID: ElementId = ElementId(0xEC);
    pub(crate) const CRC_32: ElementId = ElementId(0xBF);

    pub(crate) const SEGMENT: ElementId = ElementId(0x1853_8067);
    pub(crate) const SEEK_HEAD: ElementId = ElementId(0x114D_9B74);
    pub(crate) const SEEK: ElementId = ElementId(0x4DBB);
    pub(crate) const SEEK_ID: ElementId = ElementId(0x53AB);
    pub(crate) const SEEK_POSITION: ElementId = ElementId(0x53AC);
    pub(crate) const CHAPTERS: ElementId = ElementId(0x1043_A770);
    pub(crate) const TAGS: ElementId = ElementId(0x1254_C367);
    pub(crate) const ATTACHMENTS: ElementId = ElementId(0x1941_A469);

    pub(crate) const INFO: ElementId = ElementId(0x1549_A966);
    pub(crate) const TIMESTAMP_SCALE: ElementId = ElementId(0x002A_D7B1);
    pub(crate) const DURATION: ElementId = ElementId(0x4489);
    pub(crate) const MUXING_APP: ElementId = ElementId(0x4D80);
    pub(crate) const WRITING_APP: ElementId = ElementId(0x5741);

    pub(crate) const TRACKS: ElementId = ElementId(0x1654_AE6B);
    pub(crate) const TRACK_ENTRY: ElementId = ElementId(0xAE);
    pub(crate) const TRACK_NUMBER: ElementId = ElementId(0xD7);
    pub(crate) const NAME: ElementId = ElementId(0x536E);
    pub(crate) const TRACK_TYPE: ElementId = ElementId(0x83);
    pub(crate) const CODEC_ID: ElementId = ElementId(0x86);
    pub(crate) const CODEC_PRIVATE: ElementId = ElementId(0x63A2);
    pub(crate) const DEFAULT_DURATION: ElementId = ElementId(0x0023_E383);
    pub(crate) const TRACK_UID: ElementId = ElementId(0x73C5);
    pub(crate) const CODEC_DELAY: ElementId = ElementId(0x56AA);
    pub(crate) const SEEK_PRE_ROLL: ElementId = ElementId(0x56BB);
    pub(crate) const AUDIO: ElementId = ElementId(0xE1);
    pub(crate) const BIT_DEPTH: ElementId = ElementId(0x6264);
    pub(crate) const VIDEO: ElementId = ElementId(0xE0);
    pub(crate) const ALPHA_MODE: ElementId = ElementId(0x53C0);
    pub(crate) const STEREO_MODE: ElementId = ElementId(0x53B8);
    pub(crate) const PROJECTION: ElementId = ElementId(0x7670);
    pub(crate) const CONTENT_ENCODINGS: ElementId = ElementId(0x6D80);
    pub(crate) const SAMPLING_FREQUENCY: ElementId = ElementId(0xB5);
    pub(crate) const CHANNELS: ElementId = ElementId(0x9F);

    pub(crate) const CLUSTER: ElementId = ElementId(0x1F43_B675);
    pub(crate) const TIMESTAMP: ElementId = ElementId(0xE7);
    pub(crate) const SILENT_TRACKS: ElementId = ElementId(0x5854);
    pub(crate) const POSITION: ElementId = ElementId(0xA7);
    pub(crate) const PREV_SIZE: ElementId = ElementId(0xAB);
    pub(crate) const SIMPLE_BLOCK: ElementId = ElementId(0xA3);
    pub(crate) const BLOCK_GROUP: ElementId = ElementId(0xA0);
    pub(crate) const BLOCK: ElementId = ElementId(0xA1);
    pub(crate) const BLOCK_ADDITIONS: ElementId = ElementId(0x75A1);
    pub(crate) const BLOCK_DURATION: ElementId = ElementId(0x9B);
    pub(crate) const REFERENCE_BLOCK: ElementId = ElementId(0xFB);

    pub(crate) const CUES: ElementId = ElementId(0x1C53_BB6B);
    pub(crate) const CUE_POINT: ElementId = ElementId(0xBB);
    pub(crate) const CUE_TIME: ElementId = ElementId(0xB3);
    pub(crate) const CUE_TRACK_POSITIONS: ElementId = ElementId(0xB7);
    pub(crate) const CUE_TRACK: ElementId = ElementId(0xF7);
    pub(crate) const CUE_CLUSTER_POSITION: ElementId = ElementId(0xF1);
}

/// The bytes can't be what they should be, however many more come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The data size of an element (RFC 8794 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Known(u64),
    Unknown,
}

/// What stands before an element's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElementHeader {
    pub(crate) id: ElementId,
    pub(crate) size: Size,
    /// Length of the header itself, in bytes.
    pub(crate) len: usize,
}

impl ElementHeader {
    /// The longest header: 4 bytes of id and 8 of size.
    pub(crate) const BYTES_MAX: usize = 12;

    /// `Ok(None)`: more bytes are needed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((id, id_len)) = read_id(bytes)? else {
            return Ok(None);
        };
        let size = read_size(&bytes[id_len..])?;
        Ok(size.map(|(size, size_len)| Self { id, size, len: id_len + size_len }))
    }
}

/// An id and its length (RFC 8794 section 5). `Ok(None)`: more bytes are needed.
pub(crate) fn read_id(bytes: &[u8]) -> Result<Option<(ElementId, usize)>, Malformed> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    let len = first.leading_zeros() as usize + 1;
    if len > 4 {
        return Err(Malformed);
    }
    let Some(id) = bytes.get(..len) else {
        return Ok(None);
    };
    Ok(Some((ElementId(id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte))), len)))
}

/// A size and its length (RFC 8794 section 4). `Ok(None)`: more bytes are needed.
pub(crate) fn read_size(bytes: &[u8]) -> Result<Option<(Size, usize)>, Malformed> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    let len = first.leading_zeros() as usize + 1;
    if len > 8 {
        return Err(Malformed);
    }
    let Some(size) = bytes.get(..len) else {
        return Ok(None);
    };
    let unknown = (1u64 << (7 * len)) - 1;
    let value = size.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)) & unknown;
    let size = if value == unknown { Size::Unknown } else { Size::Known(value) };
    Ok(Some((size, len)))
}

/// A variable-size integer that is no size, such as a block's track number.
pub(crate) fn read_vint(bytes: &[u8]) -> Option<(u64, usize)> {
    match read_size(bytes).ok()?? {
        (Size::Known(value), len) => Some((value, len)),
        (Size::Unknown, _) => None,
    }
}

/// One element inside a body that is complete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) id: ElementId,
    pub(crate) body: &'a [u8],
    /// Header and body.
    pub(crate) whole: &'a [u8],
}

/// The elements inside a body that is complete; ends after the first that can't be read.
pub(crate) fn children(body: &[u8]) -> impl Iterator<Item = Result<Child<'_>, Malformed>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let child = first_child(rest);
        rest = child.as_ref().map_or(&[], |child| &rest[child.whole.len()..]);
        Some(child)
    })
}

fn first_child(bytes: &[u8]) -> Result<Child<'_>, Malformed> {
    let header = ElementHeader::parse(bytes)?.ok_or(Malformed)?;
    let Size::Known(size) = header.size else {
        return Err(Malformed);
    };
    let end = usize::try_from(size).ok().and_then(|size| header.len.checked_add(size));
    let whole = end.and_then(|end| bytes.get(..end)).ok_or(Malformed)?;
    Ok(Child { id: header.id, body: &whole[header.len..], whole })
}

/// An unsigned integer body (RFC 8794 section 7.2).
pub(crate) fn uint(body: &[u8]) -> Option<u64> {
    let value = || body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    (body.len() <= 8).then(value)
}

/// A float body (RFC 8794 section 7.3).
pub(crate) fn float(body: &[u8]) -> Option<f64> {
    match body.len() {
        4 => Some(f64::from(f32::from_be_bytes(body.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(body.try_into().ok()?)),
        _ => None,
    }
}

/// A string body, without the padding zeros (RFC 8794 section 7.4).
pub(crate) fn string(body: &[u8]) -> String {
    let text = body.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// A size field of 8 bytes that says "unknown".
pub(crate) const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// A size field of 8 bytes, for a place that is patched later.
pub(crate) fn size_of_8_bytes(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

pub(crate) fn put_id(out: &mut Vec<u8>, id: ElementId) {
    let skip = id.0.leading_zeros() as usize / 8;
    out.extend_from_slice(&id.0.to_be_bytes()[skip..]);
}

/// The shortest size field (RFC 8794 section 4).
pub(crate) fn put_size(out: &mut Vec<u8>, size: u64) {
    let len = (1..8).find(|len| size < (1u64 << (7 * len)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * len);
    out.extend_from_slice(&marked.to_be_bytes()[8 - len..]);
}

pub(crate) fn put_header(out: &mut Vec<u8>, id: ElementId, body_bytes: usize) {
    put_id(out, id);
    put_size(out, body_bytes as u64);
}

pub(crate) fn put_element(out: &mut Vec<u8>, id: ElementId, body: &[u8]) {
    put_header(out, id, body.len());
    out.extend_from_slice(body);
}

/// The shortest unsigned integer of at least one byte.
pub(crate) fn put_uint(out: &mut Vec<u8>, id: ElementId, value: u64) {
    let skip = (value.leading_zeros() as usize / 8).min(7);
    put_element(out, id, &value.to_be_bytes()[skip..]);
}

/// A Void element of exactly `total` bytes, its header included (RFC 8794 section 11.3.2).
/// `total` is at least 2: nothing shorter exists.
pub(crate) fn put_void(out: &mut Vec<u8>, total: usize) {
    put_id(out, id::VOID);
    let body = if total <= 128 {
        out.push(0x80 | (total - 2) as u8);
        total - 2
    } else {
        out.extend_from_slice(&size_of_8_bytes(total as u64 - 9));
        total - 9
    };
    out.resize(out.len() + body, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_back_as_it_was_written() {
        let edges = (1..=8).flat_map(|len| {
            let unknown = (1u64 << (7 * len)) - 1;
            [unknown - 2, unknown - 1, unknown.min((1 << 56) - 2)]
        });
        for size in edges.chain([0, 1]) {
            let mut bytes = Vec::new();
            put_size(&mut bytes, size);
            assert_eq!(read_size(&bytes), Ok(Some((Size::Known(size), bytes.len()))));
        }
    }

    #[test]
    fn all_ones_is_the_unknown_size_at_every_length() {
        for len in 1..=8u32 {
            let mut bytes = vec![0xFF; len as usize];
            bytes[0] = (0xFFu16 >> (len - 1)) as u8;
            assert_eq!(read_size(&bytes), Ok(Some((Size::Unknown, len as usize))));
        }
        assert_eq!(read_size(&UNKNOWN_SIZE), Ok(Some((Size::Unknown, 8))));
    }

    #[test]
    fn a_field_longer_than_the_format_allows_is_malformed() {
        assert_eq!(read_size(&[0x00, 0xFF]), Err(Malformed));
        assert_eq!(read_id(&[0x0F, 0xFF, 0xFF, 0xFF, 0xFF]), Err(Malformed));
    }

    #[test]
    fn a_cut_header_asks_for_more() {
        let whole = [0x1F, 0x43, 0xB6, 0x75, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        for cut in 0..whole.len() {
            assert_eq!(ElementHeader::parse(&whole[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(matches!(ElementHeader::parse(&whole), Ok(Some(ElementHeader { len: 12, .. }))));
    }

    #[test]
    fn a_void_fills_exactly_its_place() {
        for total in [2, 3, 128, 129, 1000] {
            let mut out = Vec::new();
            put_void(&mut out, total);
            assert_eq!(out.len(), total);
            assert_eq!(first_child(&out).map(|child| child.whole.len()), Ok(total));
        }
    }

    #[test]
    fn a_child_that_reaches_past_its_parent_is_malformed() {
        let read =
            |body: &[u8]| children(body).map(|child| child.map(|c| c.id)).collect::<Vec<_>>();
        assert_eq!(read(&[0xEC, 0x81, 0, 0xEC, 0x82, 0]), [Ok(id::VOID), Err(Malformed)]);
        assert_eq!(read(&[0xEC, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]), [Err(Malformed)]);
        assert_eq!(read(&[0xEC, 0xFF]), [Err(Malformed)]);
    }
}

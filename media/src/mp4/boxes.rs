//! Owns MP4 on the level of bytes (ISO/IEC 14496-12 section 4.2): box headers, their fields, and
//! writing boxes. Does not know what a box means.

use std::fmt;

use crate::ebml::Malformed;

/// The four characters that name a box or a codec (ISO/IEC 14496-12 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoxType(pub [u8; 4]);

impl fmt::Display for BoxType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for BoxType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoxType({self})")
    }
}

/// The boxes this crate reads or writes.
pub(crate) mod kind {
    use super::BoxType;

    pub(crate) const FTYP: BoxType = BoxType(*b"ftyp");
    pub(crate) const STYP: BoxType = BoxType(*b"styp");
    pub(crate) const SIDX: BoxType = BoxType(*b"sidx");
    pub(crate) const PRFT: BoxType = BoxType(*b"prft");
    pub(crate) const EMSG: BoxType = BoxType(*b"emsg");
    pub(crate) const FREE: BoxType = BoxType(*b"free");
    pub(crate) const SKIP: BoxType = BoxType(*b"skip");
    pub(crate) const WIDE: BoxType = BoxType(*b"wide");
    pub(crate) const UUID: BoxType = BoxType(*b"uuid");
    pub(crate) const META: BoxType = BoxType(*b"meta");
    pub(crate) const MFRA: BoxType = BoxType(*b"mfra");
    pub(crate) const MDAT: BoxType = BoxType(*b"mdat");

    pub(crate) const MOOF: BoxType = BoxType(*b"moof");
    pub(crate) const TRAF: BoxType = BoxType(*b"traf");
    pub(crate) const TFHD: BoxType = BoxType(*b"tfhd");
    pub(crate) const TFDT: BoxType = BoxType(*b"tfdt");
    pub(crate) const TRUN: BoxType = BoxType(*b"trun");

    pub(crate) const MOOV: BoxType = BoxType(*b"moov");
    pub(crate) const MVHD: BoxType = BoxType(*b"mvhd");
    pub(crate) const MVEX: BoxType = BoxType(*b"mvex");
    pub(crate) const TREX: BoxType = BoxType(*b"trex");
    pub(crate) const TRAK: BoxType = BoxType(*b"trak");
    pub(crate) const TKHD: BoxType = BoxType(*b"tkhd");
    pub(crate) const EDTS: BoxType = BoxType(*b"edts");
    pub(crate) const ELST: BoxType = BoxType(*b"elst");
    pub(crate) const MDIA: BoxType = BoxType(*b"mdia");
    pub(crate) const MDHD: BoxType = BoxType(*b"mdhd");
    pub(crate) const HDLR: BoxType = BoxType(*b"hdlr");
    pub(crate) const MINF: BoxType = BoxType(*b"minf");
    pub(crate) const VMHD: BoxType = BoxType(*b"vmhd");
    pub(crate) const SMHD: BoxType = BoxType(*b"smhd");
    pub(crate) const DINF: BoxType = BoxType(*b"dinf");
    pub(crate) const DREF: BoxType = BoxType(*b"dref");
    pub(crate) const URL: BoxType = BoxType(*b"url ");
    pub(crate) const STBL: BoxType = BoxType(*b"stbl");
    pub(crate) const STSD: BoxType = BoxType(*b"stsd");
    pub(crate) const STTS: BoxType = BoxType(*b"stts");
    pub(crate) const CTTS: BoxType = BoxType(*b"ctts");
    pub(crate) const STSS: BoxType = BoxType(*b"stss");
    pub(crate) const STSC: BoxType = BoxType(*b"stsc");
    pub(crate) const STSZ: BoxType = BoxType(*b"stsz");
    pub(crate) const STZ2: BoxType = BoxType(*b"stz2");
    pub(crate) const STCO: BoxType = BoxType(*b"stco");
    pub(crate) const CO64: BoxType = BoxType(*b"co64");
}

/// How long a box says its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodySize {
    Known(u64),
    /// Up to the end of the file.
    ToTheEnd,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxHeader {
    pub(crate) kind: BoxType,
    /// Bytes of the header itself.
    pub(crate) len: usize,
    pub(crate) body: BodySize,
}

impl BoxHeader {
    pub(crate) const BYTES_MAX: usize = 16;

    /// `None` if the bytes end inside the header.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut fields = Fields::new(bytes);
        let (Some(size), Some(kind)) = (fields.u32(), fields.take()) else {
            return Ok(None);
        };
        let kind = BoxType(kind);
        let (len, size) = match size {
            0 => return Ok(Some(Self { kind, len: 8, body: BodySize::ToTheEnd })),
            1 => match fields.u64() {
                Some(size) => (16, size),
                None => return Ok(None),
            },
            size => (8, u64::from(size)),
        };
        let body = BodySize::Known(size.checked_sub(len as u64).ok_or(Malformed)?);
        Ok(Some(Self { kind, len, body }))
    }
}

/// A box inside another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) kind: BoxType,
    pub(crate) body: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The boxes of a body, up to the first that is malformed or reaches past the end.
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
    let header = BoxHeader::parse(bytes)?.ok_or(Malformed)?;
    let BodySize::Known(body) = header.body else {
        return Err(Malformed);
    };
    let end = usize::try_from(body).ok().and_then(|body| body.checked_add(header.len));
    let whole = end.and_then(|end| bytes.get(..end)).ok_or(Malformed)?;
    Ok(Child { kind: header.kind, body: &whole[header.len..], whole })
}

/// The body of the first child of a kind.
pub(crate) fn child(body: &[u8], kind: BoxType) -> Option<&[u8]> {
    children(body).flatten().find(|child| child.kind == kind).map(|child| child.body)
}

/// The body of the box that a path of children leads to.
pub(crate) fn descend<'a>(body: &'a [u8], path: &[BoxType]) -> Option<&'a [u8]> {
    path.iter().try_fold(body, |body, kind| child(body, *kind))
}

/// Big-endian fields, front to back.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Version and flags of a full box (section 4.2), then its fields.
    pub(crate) fn of_full_box(body: &'a [u8]) -> Option<(u8, u32, Self)> {
        let mut fields = Self::new(body);
        let [version, flags @ ..] = fields.take::<4>()?;
        let [high, middle, low] = flags;
        Some((version, u32::from_be_bytes([0, high, middle, low]), fields))
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// A field that is 64 bits wide from version 1 on, and 32 before.
    pub(crate) fn wide(&mut self, version: u8) -> Option<u64> {
        if version == 0 { self.u32().map(u64::from) } else { self.u64() }
    }

    /// A signed field that is 64 bits wide from version 1 on, and 32 before.
    pub(crate) fn signed_wide(&mut self, version: u8) -> Option<i64> {
        if version == 0 { self.i32().map(i64::from) } else { self.take().map(i64::from_be_bytes) }
    }

    pub(crate) fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Appends a box whose body `fill` appends.
pub(crate) fn put_box(out: &mut Vec<u8>, kind: BoxType, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.0);
    fill(out);
    let size = u32::try_from(out.len() - at).expect("the limit on samples keeps boxes below 4 GiB");
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a box that begins with a version and flags (section 4.2).
pub(crate) fn put_full_box(
    out: &mut Vec<u8>,
    kind: BoxType,
    version: u8,
    flags: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, kind, |out| {
        let [_, flags @ ..] = flags.to_be_bytes();
        out.push(version);
        out.extend_from_slice(&flags);
        fill(out);
    });
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a field that is 64 bits wide from version 1 on. The version was chosen to fit.
pub(crate) fn put_wide(out: &mut Vec<u8>, version: u8, value: u64) {
    match u32::try_from(value) {
        Ok(value) if version == 0 => put_u32(out, value),
        Ok(_) | Err(_) => out.extend_from_slice(&value.to_be_bytes()),
    }
}

/// The version of a box that has to hold these values.
pub(crate) fn version_for(values: &[u64]) -> u8 {
    u8::from(values.iter().any(|value| u32::try_from(*value).is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_short_a_long_or_no_size() {
        let parse = |bytes: &[u8]| BoxHeader::parse(bytes).unwrap().map(|h| (h.len, h.body));
        assert_eq!(parse(b"\0\0\0\x18moof"), Some((8, BodySize::Known(16))));
        assert_eq!(parse(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x18"), Some((16, BodySize::Known(8))));
        assert_eq!(parse(b"\0\0\0\0mdat"), Some((8, BodySize::ToTheEnd)));
        assert_eq!(parse(b"\0\0\0\x18moo"), None);
        assert_eq!(parse(b"\0\0\0\x01mdat\0\0"), None);
        assert!(BoxHeader::parse(b"\0\0\0\x07moof").is_err(), "smaller than its header");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        put_box(&mut out, kind::MOOV, |out| {
            put_full_box(out, kind::MVHD, 1, 0x0203, |out| put_wide(out, 1, 7));
        });
        let moov = child(&out, kind::MOOV).unwrap();
        let (version, flags, mut fields) =
            Fields::of_full_box(child(moov, kind::MVHD).unwrap()).unwrap();
        assert_eq!((version, flags, fields.u64()), (1, 0x0203, Some(7)));
        assert!(fields.rest().is_empty());
    }

    #[test]
    fn a_child_that_reaches_past_its_parent_is_malformed() {
        let cut = b"\0\0\0\x09trak";
        assert!(children(cut).any(|child| child.is_err()));
        assert_eq!(children(cut).count(), 1, "nothing is read behind it");
    }
}

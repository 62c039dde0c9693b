//! Owns walking through the elements of a file that can be sought in. Does not know what they mean.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::ebml::{ElementHeader, ElementId, Size, id};
use crate::error::{Flaw, MediaError};

/// A file, read front to back. Positions count from where it was when it was handed over.
#[derive(Debug)]
pub(crate) struct Source<R> {
    input: BufReader<R>,
    at: u64,
    bytes: u64,
    body: Vec<u8>,
}

/// An element whose size is known and fits its place.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) id: ElementId,
    pub(crate) at: u64,
    pub(crate) body: Range<u64>,
}

impl Element {
    pub(crate) fn is_cluster(&self) -> bool {
        self.id == id::CLUSTER
    }

    pub(crate) fn flaw(&self, flaw: Flaw) -> MediaError {
        MediaError::NotFinished { at: self.at, flaw }
    }
}

impl<R: Read + Seek> Source<R> {
    pub(crate) fn new(mut input: R) -> Result<Self, MediaError> {
        let start = input.stream_position()?;
        let end = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(start))?;
        let bytes = end.saturating_sub(start);
        Ok(Self { input: BufReader::with_capacity(1 << 16, input), at: 0, bytes, body: Vec::new() })
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn range(&self) -> Range<u64> {
        0..self.bytes
    }

    /// The header of the next element, which begins before `end`. Leaves the source at its body.
    pub(crate) fn header(&mut self, end: u64) -> Result<ElementHeader, MediaError> {
        let at = self.at;
        let mut bytes = [0; ElementHeader::BYTES_MAX];
        let room = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = &mut bytes[..room.min(ElementHeader::BYTES_MAX)];
        self.input.read_exact(bytes)?;
        let header = ElementHeader::parse(bytes).ok().flatten();
        let header = header.ok_or(MediaError::NotFinished { at, flaw: Flaw::NotAnElement })?;
        self.input.seek_relative(header.len as i64 - bytes.len() as i64)?;
        self.at += header.len as u64;
        Ok(header)
    }

    /// The same of one that must end by `end`.
    pub(crate) fn element(&mut self, end: u64) -> Result<Element, MediaError> {
        let at = self.at;
        let flaw = |flaw| MediaError::NotFinished { at, flaw };
        let header = self.header(end)?;
        let Size::Known(size) = header.size else {
            return Err(flaw(Flaw::UnknownSize(header.id)));
        };
        let body_end = self.at.checked_add(size).filter(|body_end| *body_end <= end);
        let body_end = body_end.ok_or_else(|| flaw(Flaw::TooLarge(header.id)))?;
        Ok(Element { id: header.id, at, body: self.at..body_end })
    }

    /// The body of the element just met.
    pub(crate) fn body(&mut self, element: &Element, max: usize) -> Result<&[u8], MediaError> {
        let bytes = usize::try_from(element.body.end - element.body.start).ok();
        let bytes = bytes.filter(|bytes| *bytes <= max);
        let bytes = bytes.ok_or_else(|| element.flaw(Flaw::TooLarge(element.id)))?;
        self.body.resize(bytes, 0);
        self.input.read_exact(&mut self.body)?;
        self.at = element.body.end;
        Ok(&self.body)
    }

    /// The body of the next element, which must be this one.
    pub(crate) fn expect(
        &mut self,
        id: ElementId,
        end: u64,
        max: usize,
    ) -> Result<&[u8], MediaError> {
        let element = self.element(end)?;
        if element.id != id {
            return Err(element.flaw(Flaw::Missing(id)));
        }
        self.body(&element, max)
    }

    pub(crate) fn skip(&mut self, element: &Element) -> Result<(), MediaError> {
        self.skip_to(element.body.end)
    }

    /// Goes on at this place.
    pub(crate) fn skip_to(&mut self, place: u64) -> Result<(), MediaError> {
        let distance = i128::from(place) - i128::from(self.at);
        self.input.seek_relative(i64::try_from(distance).unwrap_or(i64::MAX))?;
        self.at = place;
        Ok(())
    }
}

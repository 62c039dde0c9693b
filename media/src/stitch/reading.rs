//! A segment while it is read: its reader, its packets, and the file that they go into.

use std::time::Duration;

use crate::error::MediaError;
use crate::report::SegmentReport;
use crate::segment::{Muxer, Reader, Segment};

/// What a segment's reader is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    Bytes(&'a [u8]),
    Hole,
    End,
    /// What is held is to be written: no more needs to be known.
    Settle,
}

/// A segment and what reads it.
#[derive(Debug)]
pub(crate) struct Reading<R: Reader> {
    reader: R,
    pub(super) segment: Segment<R::Kept>,
}

impl<R: Reader> Reading<R> {
    pub(crate) fn new(reader: R, start: Duration) -> Self {
        Self { reader, segment: Segment::starting_at(start) }
    }

    pub(crate) fn tell(
        &mut self,
        input: Input<'_>,
        file: &mut impl Muxer<R::Kept>,
    ) -> Result<(), MediaError> {
        match input {
            Input::Bytes(bytes) => self.reader.frame_mut().push(bytes),
            Input::Hole => self.reader.frame_mut().hole(),
            Input::End => self.reader.frame_mut().end(),
            Input::Settle => return self.segment.settle(file, false),
        }
        match self.reader.drain_into(file, &mut self.segment) {
            Err(MediaError::Refused(refusal)) => {
                self.segment.refuse_rest(refusal, self.reader.frame().told().start);
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        match input {
            Input::End => self.segment.settle(file, false),
            Input::Bytes(_) | Input::Hole | Input::Settle => Ok(()),
        }
    }

    pub(crate) fn into_report(self, end: Duration) -> SegmentReport {
        let frame = self.reader.frame();
        let report = self.segment.into_report(end, frame.account());
        SegmentReport { cut_off_at: frame.cut_off_at(), ..report }
    }
}

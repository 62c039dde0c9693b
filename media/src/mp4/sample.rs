//! Owns a sample on its way from a reader to a file.

use crate::segment::{Kept, Packet};
use crate::stretch::Stamp;
use crate::units::TrackNumber;

use super::moof::SampleInfo;
use super::moov::Track;

/// A sample as its reader hands it over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) info: SampleInfo,
    pub(crate) payload: &'a [u8],
}

/// A sample that outlives the reader's buffer.
#[derive(Debug)]
pub(crate) struct SampleCopy {
    info: SampleInfo,
    payload: Vec<u8>,
}

impl<'a> Packet for Sample<'a> {
    type Track = Track;
    type Kept = SampleCopy;

    fn track(&self) -> TrackNumber {
        self.info.track
    }

    fn stamp(&self, track: &Track) -> Stamp {
        let (order, shown) = (track.presented(self.info.at), track.presentation(&self.info));
        Stamp { order, shown, may_go_back: false }
    }

    fn payload(&self) -> &'a [u8] {
        self.payload
    }

    fn keep(&self) -> SampleCopy {
        SampleCopy { info: self.info, payload: self.payload.to_vec() }
    }
}

impl Kept for SampleCopy {
    type Track = Track;
    type Packet<'a> = Sample<'a>;

    fn packet(&self) -> Option<Sample<'_>> {
        Some(Sample { info: self.info, payload: &self.payload })
    }
}

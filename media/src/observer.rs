//! Owns looking on while a file is written. Has no say in what is written.

use std::time::Duration;

use crate::block::BlockBody;
use crate::tracks::TrackEntry;
use crate::units::{Millis, TrackNumber};

/// Hears of every track and block of the written file, in the order of the file.
///
/// `()` is the observer that does nothing, and costs nothing.
pub(crate) trait Observer {
    /// The file has this track. All of them come before the first block; `entry` is the one of the
    /// first run, which the file keeps.
    fn track(&mut self, number: TrackNumber, entry: &TrackEntry);

    /// The file has this block.
    fn block(&mut self, block: &PlacedBlock<'_>);
}

/// A block and its place in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedBlock<'a> {
    /// The file's track, not the source's.
    pub(crate) track: TrackNumber,
    /// Its timestamp.
    pub(crate) at: Millis,
    /// Where the track ends now.
    pub(crate) end: Duration,
    pub(crate) body: BlockBody<'a>,
}

impl<'a> PlacedBlock<'a> {
    /// The frames of the block, more than one if it is laced; `None` if the sizes in it don't add
    /// up.
    pub(crate) fn frames(&self) -> Option<Vec<&'a [u8]>> {
        self.body.lacing().frames(self.body.payload)
    }
}

impl Observer for () {
    fn track(&mut self, _: TrackNumber, _: &TrackEntry) {}

    fn block(&mut self, _: &PlacedBlock<'_>) {}
}

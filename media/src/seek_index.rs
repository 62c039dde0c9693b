//! Owns what makes a file seekable: SeekHead (RFC 9559 section 5.1.1) and Cues (section 5.1.5).
//! Does not decide which block deserves a cue.

use crate::ebml::{self, ElementId, id};
use crate::limits;
use crate::units::{Millis, TrackNumber};

/// Bytes kept free for the SeekHead at the start of the Segment: room for three entries and the
/// Void that fills what they leave.
pub(crate) const SEEK_HEAD_BYTES: usize = 96;

/// The SeekHead and the Void behind it, together [`SEEK_HEAD_BYTES`] long. Positions count from
/// the first byte inside the Segment.
pub(crate) fn seek_head(entries: [(ElementId, u64); 3]) -> Vec<u8> {
    let mut seeks = Vec::new();
    for (element, position) in entries {
        let mut seek = Vec::new();
        ebml::put_element(&mut seek, id::SEEK_ID, &element.0.to_be_bytes());
        ebml::put_element(&mut seek, id::SEEK_POSITION, &position.to_be_bytes());
        ebml::put_element(&mut seeks, id::SEEK, &seek);
    }
    let mut out = Vec::with_capacity(SEEK_HEAD_BYTES);
    ebml::put_element(&mut out, id::SEEK_HEAD, &seeks);
    let free = SEEK_HEAD_BYTES - out.len();
    ebml::put_void(&mut out, free);
    out
}

/// A place where playing can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) at: Millis,
    pub(crate) track: TrackNumber,
    /// From the first byte inside the Segment to the Cluster, in bytes.
    pub(crate) cluster: u64,
}

/// The cues of a file, bounded: past [`limits::CUES_MAX`] every second one goes and only every
/// second one to come is kept.
#[derive(Debug)]
pub(crate) struct CueIndex {
    cues: Vec<Cue>,
    offered: u64,
    stride: u64,
}

impl CueIndex {
    pub(crate) fn new() -> Self {
        Self { cues: Vec::new(), offered: 0, stride: 1 }
    }

    pub(crate) fn offer(&mut self, cue: Cue) {
        if self.offered.is_multiple_of(self.stride) {
            self.cues.push(cue);
        }
        self.offered += 1;
        if self.cues.len() > limits::CUES_MAX {
            let mut keep = false;
            self.cues.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cues.len()
    }

    /// The Cues element, in the order of time.
    pub(crate) fn into_element(mut self) -> Vec<u8> {
        self.cues.sort_by_key(|cue| cue.at);
        let mut points = Vec::new();
        for cue in &self.cues {
            let mut positions = Vec::new();
            ebml::put_uint(&mut positions, id::CUE_TRACK, cue.track.0);
            ebml::put_uint(&mut positions, id::CUE_CLUSTER_POSITION, cue.cluster);
            let mut point = Vec::new();
            ebml::put_uint(&mut point, id::CUE_TIME, cue.at.0);
            ebml::put_element(&mut point, id::CUE_TRACK_POSITIONS, &positions);
            ebml::put_element(&mut points, id::CUE_POINT, &point);
        }
        let mut out = Vec::with_capacity(points.len() + 16);
        ebml::put_element(&mut out, id::CUES, &points);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(count: usize) -> CueIndex {
        let mut index = CueIndex::new();
        for at in 0..count as u64 {
            index.offer(Cue { at: Millis(at), track: TrackNumber(1), cluster: at });
        }
        index
    }

    #[test]
    fn the_seek_head_fills_exactly_its_place_whatever_the_positions() {
        for position in [0, u64::MAX] {
            let entries = [(id::INFO, position), (id::TRACKS, position), (id::CUES, position)];
            assert_eq!(seek_head(entries).len(), SEEK_HEAD_BYTES);
        }
    }

    #[test]
    fn cues_up_to_the_limit_are_kept_and_past_it_thinned_evenly() {
        assert_eq!(index_of(limits::CUES_MAX).len(), limits::CUES_MAX);

        let thinned = index_of(limits::CUES_MAX + 9);
        assert_eq!(thinned.len(), limits::CUES_MAX / 2 + 5);
        let spacings = thinned.cues.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0);
        assert!(spacings.into_iter().all(|spacing| spacing == 2));
    }
}

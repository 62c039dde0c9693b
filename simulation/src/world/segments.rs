//! How segments must lie in a session: each begins once, its chunks lie behind its beginning, and none
//! behind its end.

use std::collections::BTreeMap;

use protocol::{Content, Digest, Item, Marker, SegmentNo, Seq, TrackNo};

#[derive(Default)]
pub(super) struct Segments(BTreeMap<(TrackNo, SegmentNo), Segment>);

struct Segment {
    start: Seq,
    started_by: Digest,
    last_chunk: Seq,
    end: Option<Seq>,
}

impl Segments {
    /// An item got its number. Returns with what its segment had begun before, if it begins once more.
    pub(super) fn given(&mut self, item: &Item) -> Result<Option<Digest>, String> {
        let Item { seq, digest, content, .. } = item;
        let segment = match content {
            Content::Marker(Marker::SegmentStarted(start)) => {
                let began =
                    Segment { start: *seq, started_by: *digest, last_chunk: *seq, end: None };
                let before = self.0.insert((start.track, start.segment), began);
                return Ok(before
                    .map(|before| before.started_by)
                    .filter(|before| before != digest));
            }
            Content::Marker(Marker::SegmentEnded(end)) => {
                let segment = self.of(end.track, end.segment)?;
                segment.end = Some(*seq);
                segment
            }
            Content::Chunk { track, segment, .. } => {
                let segment = self.of(*track, *segment)?;
                segment.last_chunk = segment.last_chunk.max(*seq);
                segment
            }
            Content::Marker(Marker::Paused | Marker::Resumed | Marker::Noted(_)) => {
                return Ok(None);
            }
        };
        if *seq < segment.start || segment.end.is_some_and(|end| end < segment.last_chunk) {
            return Err(format!("{seq} lies outside of its segment"));
        }
        Ok(None)
    }

    fn of(&mut self, track: TrackNo, segment: SegmentNo) -> Result<&mut Segment, String> {
        let not_begun = || format!("segment {segment} goes on without having begun");
        self.0.get_mut(&(track, segment)).ok_or_else(not_begun)
    }
}

//! The numbers that a page took while it was being left. What has them may reach the server without
//! ever reaching the spool, so the next page must not use them again.

use protocol::{SegmentNo, Seq, SessionId};

use crate::local_storage::Note;

const NEXT_SEQ: Note = Note("next-seq");
const NEXT_SEGMENT: Note = Note("next-segment");

/// Every number below these may have been used.
pub(crate) fn note(session: SessionId, next_seq: Seq, next_segment: SegmentNo) {
    NEXT_SEQ.write(session, &next_seq.to_string());
    NEXT_SEGMENT.write(session, &next_segment.to_string());
}

/// A note that is no number says nothing; then the session's record tells whether numbers are to be
/// skipped. The last release noted no segments.
pub(crate) fn read(session: SessionId) -> Option<(Seq, SegmentNo)> {
    let next_seq = NEXT_SEQ.read(session)?.parse().map(Seq::new).ok()?;
    let next_segment = NEXT_SEGMENT.read(session).and_then(|text| text.parse().ok());
    Some((next_seq, next_segment.map_or(SegmentNo::default(), SegmentNo::new)))
}

pub(crate) fn forget(session: SessionId) {
    NEXT_SEQ.forget(session);
    NEXT_SEGMENT.forget(session);
}

//! The numbers that a page took while it was being left. Their items may reach the server without
//! ever reaching the spool, so the next page must not use them again.

use protocol::{Seq, SessionId};

use crate::local_storage::Note;

const NEXT_SEQ: Note = Note("next-seq");

/// Every number below `next` may have been used.
pub(crate) fn note(session: SessionId, next: Seq) {
    NEXT_SEQ.write(session, &next.to_string());
}

/// A note that is no number says nothing; then the session's record tells whether numbers are to be
/// skipped.
pub(crate) fn read(session: SessionId) -> Option<Seq> {
    NEXT_SEQ.read(session)?.parse().map(Seq::new).ok()
}

pub(crate) fn forget(session: SessionId) {
    NEXT_SEQ.forget(session);
}

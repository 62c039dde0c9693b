//! What a session records, noted in this browser: the page that goes on with it records the same.

use protocol::SessionId;
use recorder::Source;

use crate::local_storage::Note;

const SOURCE: Note = Note("source");

pub(crate) fn note(session: SessionId, source: Source) {
    SOURCE.write(session, source.as_str());
}

/// The microphone when nothing was noted, as on another device.
pub(crate) fn read(session: SessionId) -> Source {
    let noted = SOURCE.read(session).unwrap_or_default();
    Source::ALL.into_iter().find(|source| source.as_str() == noted).unwrap_or_default()
}

pub(crate) fn forget(session: SessionId) {
    SOURCE.forget(session);
}

//! What came after the recording was made, as JSON.

use protocol::{SessionId, TrackKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{LeftOut, rfc3339};
use crate::store::{self, Session, SupplementFile};

/// What came after the recording was made, in files of its own. It is in no other form of the recording.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Supplement {
    /// Items that came late, markers included.
    items: u64,
    /// Of these, so many came since the files were made, or before there are any: they are made anew
    /// once nothing more comes for a while, unless that was given up: see `/jobs`.
    waiting_items: u64,
    /// RFC 3339, UTC: when the first of it came.
    first_at: String,
    /// When the last of it came.
    last_at: String,
    /// When the files were made.
    made_at: Option<String>,
    files: Vec<SupplementPart>,
    /// Pictures among it. They are kept, and are in no file.
    pictures: u64,
    /// Recorder runs that are in no file, or not wholly, because they cannot be read.
    left_out_segments: u32,
    left_out: Vec<LeftOut>,
}

/// All that came late of one track, or of one format of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SupplementPart {
    track: u8,
    /// Counted from 0, one for each format.
    part: u8,
    /// As of a track; `null` where nothing has said what it is.
    kind: Option<&'static str>,
    label: String,
    mime: String,
    recording_url: String,
    bytes: u64,
    duration_ms: u64,
}

impl Supplement {
    pub(super) fn new(session: &Session, supplement: store::Supplement) -> Self {
        let items = session.late.len();
        Self {
            items,
            waiting_items: items.saturating_sub(supplement.items),
            first_at: rfc3339(supplement.first_at),
            last_at: rfc3339(supplement.last_at),
            made_at: supplement.made_at.map(rfc3339),
            files: supplement.files.into_iter().map(|file| part(session.id, file)).collect(),
            pictures: supplement.pictures,
            left_out_segments: supplement.left_out,
            left_out: supplement.left_out_runs.into_iter().map(LeftOut::from).collect(),
        }
    }
}

fn part(id: SessionId, file: SupplementFile) -> SupplementPart {
    SupplementPart {
        track: file.track.get(),
        part: file.part,
        kind: file.kind.map(TrackKind::as_str),
        label: file.label,
        mime: file.mime,
        recording_url: app::paths::supplement(id, file.track, file.part),
        bytes: file.bytes,
        duration_ms: file.duration.get(),
    }
}

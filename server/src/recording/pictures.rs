//! Puts the pictures of a track one after the other into one file, and notes where each of them is.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::{Millis, SegmentNo, Seq, SeqSet, SessionId, TrackNo};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;

use super::assemble::AssembleError;
use super::stitching::READ_BYTES;
use crate::store::{LeftOutRun, Payload, Store, StoredChunk};

pub(super) const PICTURE_MIME: &str = "image/jpeg";
/// The files are no pictures themselves.
pub(super) const PICTURES_EXTENSION: &str = "pictures";
/// Pictures of one session: one a second for 13 hours. More are in no file.
pub(super) const PICTURES_MAX: usize = 50_000;
/// Start of Image (ISO/IEC 10918-1, B.1.1.3).
const JPEG_BEGINS: [u8; 2] = [0xFF, 0xD8];

/// The pictures of one track.
#[derive(Debug)]
pub(crate) struct Pictures {
    pub(super) track: TrackNo,
    pub(super) file: NamedTempFile,
    pub(super) taken: Vec<Picture>,
    /// Runs with something that is no picture, or one too many.
    pub(super) left_out: Vec<LeftOutRun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// On the session's timeline.
    pub(super) at: Millis,
    pub(super) first_byte: u64,
    pub(super) bytes: u64,
}

/// Of the chunks among these, as many as `pictures_max`.
pub(super) async fn gather(
    store: &Store,
    scratch: &Path,
    id: SessionId,
    track: TrackNo,
    have: &SeqSet,
    pictures_max: usize,
) -> Result<Pictures, AssembleError> {
    let file = NamedTempFile::new_in(scratch)?;
    let mut out = tokio::fs::File::from_std(file.reopen()?);
    let mut taken: Vec<Picture> = Vec::new();
    let mut left_out: BTreeMap<SegmentNo, LeftOutRun> = BTreeMap::new();
    let until = have.last().unwrap_or(Seq::ZERO);
    let (mut from, mut first_byte) = (Seq::ZERO, 0);
    loop {
        let chunks = store.chunks(id, track, from..=until, READ_BYTES).await?;
        if chunks.last_seq().is_none() {
            break;
        }
        let checking = spawn_blocking(move || chunks.checked().collect::<Vec<_>>());
        let chunks = checking.await.map_err(|_| AssembleError::BrokeOff)?;
        for StoredChunk { seq, segment, at, payload } in chunks {
            from = seq.next();
            if !have.contains(seq) {
                continue;
            }
            let (picture, lost_bytes) = match payload {
                Payload::Intact(bytes) => {
                    let length = bytes.len() as u64;
                    let fits = is_picture(&bytes) && taken.len() < pictures_max;
                    (Some(bytes).filter(|_| fits), length)
                }
                Payload::Unreadable(_) => (None, 0),
            };
            let Some(bytes) = picture else {
                let none = || {
                    tracing::warn!(
                        session = %id, %segment, %seq,
                        "no picture, unreadable, or one too many: the chunks are kept"
                    );
                    let why = "no pictures, unreadable, or more than a session may have".to_owned();
                    LeftOutRun { track, segment, packets: 0, bytes: 0, why }
                };
                let run = left_out.entry(segment).or_insert_with(none);
                run.packets += 1;
                run.bytes += lost_bytes;
                continue;
            };
            out.write_all(&bytes).await?;
            let length = bytes.len() as u64;
            taken.push(Picture { at, first_byte, bytes: length });
            first_byte += length;
        }
    }
    out.flush().await?;
    let left_out = left_out.into_values().collect();
    Ok(Pictures { track, file, taken, left_out })
}

fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(&JPEG_BEGINS)
}

//! Reads a session's chunks in order and has `media` stitch them into a verified file.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::{MediaError, Refusal, Stitcher};
use protocol::{Millis, SegmentNo, Seq, SessionId, TrackNo};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::ledger::payload::PayloadStore;
use crate::store::{Store, StoreError, StoredChunk};

/// Payload bytes read from the database at once.
const READ_BYTES: usize = 8 * 1024 * 1024;
/// Portions read ahead of the stitcher.
const READ_AHEAD: usize = 64;
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum AssembleError {
    #[error("nothing was recorded")]
    NothingRecorded,
    #[error("the recorded bytes cannot be made into a file: {0}")]
    Media(#[from] MediaError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the recording cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the recording cannot be stored: {0}")]
    Files(#[from] object_store::Error),
    #[error("stitching broke off")]
    BrokeOff,
}

/// A finished, synced, verified file that is not yet in its place.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) file: NamedTempFile,
    pub(crate) mime: String,
    pub(crate) duration: Millis,
    /// Track, segment and duration of each recorder run.
    pub(crate) segments: Vec<(u8, u32, Millis)>,
    /// Recorder runs that hold something which is not in the file.
    pub(crate) left_out: u32,
}

/// What the reader hands to the stitcher.
enum Portion {
    SegmentBegins(SegmentNo),
    Bytes(Bytes),
    /// Items are missing here.
    Hole,
}

pub(crate) async fn assemble(
    store: &Store,
    payloads: &Arc<dyn PayloadStore>,
    scratch: &Path,
    id: SessionId,
) -> Result<Assembled, AssembleError> {
    let tracks = store.tracks_with_chunks(id).await?;
    // One recording of the first track; the others follow with the combined recording.
    let track = *tracks.first().ok_or(AssembleError::NothingRecorded)?;
    let file = NamedTempFile::new_in(scratch)?;
    let (portions, stitching) = mpsc::channel(READ_AHEAD);
    let stitcher = tokio::task::spawn_blocking(move || stitch(id, file, track, stitching));
    let fed = feed(store, &**payloads, id, track, portions).await;
    let assembled = stitcher.await.map_err(|_| AssembleError::BrokeOff)?;
    // The stitcher's error is the cause when both have one.
    let mut assembled = assembled?;
    fed?;
    assembled.mime = container_of(store, id, track).await?;
    assembled.left_out += store.segments_with_chunks(id, &tracks[1..]).await?;
    Ok(assembled)
}

async fn feed(
    store: &Store,
    payloads: &dyn PayloadStore,
    id: SessionId,
    track: TrackNo,
    portions: mpsc::Sender<Portion>,
) -> Result<(), AssembleError> {
    let have = store.have(id).await?;
    let mut before: Option<(Seq, SegmentNo)> = None;
    loop {
        let from = before.map_or(Seq::ZERO, |(seq, _)| seq.next());
        let chunks = store.chunks(payloads, id, track, from, READ_BYTES).await?;
        if chunks.is_empty() {
            return Ok(());
        }
        for StoredChunk { seq, segment, bytes } in chunks {
            match before {
                Some((last, same)) if same == segment => {
                    if (last.get()..seq.get()).any(|seq| !have.contains(Seq::new(seq)))
                        && portions.send(Portion::Hole).await.is_err()
                    {
                        return Ok(());
                    }
                }
                Some(_) | None => {
                    if portions.send(Portion::SegmentBegins(segment)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            before = Some((seq, segment));
            // A stitcher that is gone tells why itself.
            if portions.send(Portion::Bytes(bytes)).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn stitch(
    id: SessionId,
    file: NamedTempFile,
    track: TrackNo,
    mut portions: mpsc::Receiver<Portion>,
) -> Result<Assembled, AssembleError> {
    let out = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file.reopen()?);
    let mut stitcher = Stitcher::new(out)?;
    let (mut segments, mut left_out) = (Vec::new(), 0);
    let mut open: Option<SegmentNo> = None;
    let mut end = |stitcher: &mut Stitcher<BufWriter<File>>, segment: SegmentNo| {
        let report = stitcher.end_segment()?;
        // Damage never stops a recording; the operator should know of it.
        for problem in &report.problems {
            tracing::warn!(session = %id, %segment, ?problem, "damaged recorder output");
        }
        left_out += u32::from(report.refusal().is_some_and(loses_something));
        segments.push((track.get(), segment.get(), millis(report.duration)));
        Ok::<_, MediaError>(())
    };
    while let Some(portion) = portions.blocking_recv() {
        match portion {
            Portion::SegmentBegins(segment) => {
                if let Some(before) = open.replace(segment) {
                    end(&mut stitcher, before)?;
                }
                stitcher.begin_segment()?;
            }
            Portion::Bytes(bytes) => stitcher.push(&bytes)?,
            Portion::Hole => stitcher.hole()?,
        }
    }
    if let Some(last) = open {
        end(&mut stitcher, last)?;
    }
    let (out, report) = stitcher.finish()?;
    let mut written = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    written.sync_all()?;
    written.seek(SeekFrom::Start(0))?;
    media::verify(written)?;
    let duration = millis(report.duration);
    Ok(Assembled { file, mime: String::new(), duration, segments, left_out })
}

/// A run that ended before its first packet has nothing that could be missed.
const fn loses_something(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Empty | Refusal::NoMedia)
}

fn millis(duration: Duration) -> Millis {
    Millis::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The MIME type of the recording: the container that the recorder named, without its codecs.
async fn container_of(
    store: &Store,
    id: SessionId,
    track: TrackNo,
) -> Result<String, AssembleError> {
    let segments = store.segments(id).await?;
    let mime = segments.iter().find(|segment| segment.track == track).map(|one| one.mime.as_str());
    let video = mime.is_some_and(|mime| mime.starts_with("video/"));
    Ok(if video { "video/webm" } else { "audio/webm" }.to_owned())
}

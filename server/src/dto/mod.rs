//! The shapes of the API's JSON, and of the JSON that goes with a recording.

mod events;
mod supplement;

use protocol::{Digest, Millis, Receipt, SeqSet, SessionId, TrackNo, UnixMillis};
use serde::Serialize;
use timeline::Segment;
use utoipa::ToSchema;

pub(crate) use events::{SessionEvents, events};
use supplement::Supplement;

use crate::store::{self, LeftOutRun, Session, Store, StoreError, TrackFile, media_of};

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionSummary {
    /// UUID of version 7, made by the client.
    id: String,
    /// `active`, `interrupted`, `incomplete`, `finalizing`, `completed`, `failed` or `discarded`.
    status: String,
    /// RFC 3339, UTC.
    created_at: String,
    /// The writer's last sign of life.
    last_heartbeat_at: String,
    /// When the recording was durable for good.
    completed_at: Option<String>,
    /// Of the recording; while there is none, of what has been captured.
    duration_ms: Option<u64>,
    /// Of the recording; while there is none, of the payloads.
    bytes: u64,
    /// Items stored, markers included.
    items: u64,
    /// Whether nothing but silence was recorded; `null` while that is not known, and of a recording
    /// whose sound is not decoded here.
    silent: Option<bool>,
}

/// A session with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDetails {
    #[serde(flatten)]
    summary: SessionSummary,
    /// The number of the last item that the writer captured, or the highest that arrived.
    last_seq: Option<u64>,
    /// Inclusive pairs of item numbers that never arrived.
    #[schema(value_type = Vec<[u64; 2]>)]
    missing: SeqSet,
    /// Of the payloads of all items stored, whether they are still needed or not.
    payload_bytes: u64,
    /// What was recorded, source by source.
    tracks: Vec<Track>,
    /// Where the recording is, once there is one: of all tracks that can be put into one file.
    recording_url: Option<String>,
    /// Recorder runs that are in no file, or not wholly, because they cannot be read. The server keeps
    /// all chunks then.
    left_out_segments: u32,
    /// What of each of them is in no file, and why.
    left_out: Vec<LeftOut>,
    /// What came after the recording was made: it is not in the recording.
    supplement: Option<Supplement>,
    /// Present once the session is completed.
    receipt: Option<ReceiptDto>,
    /// Why no recording could be made.
    failure: Option<String>,
}

/// Something that arrived and is in no file. Its chunks are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOut {
    track: u8,
    segment: u32,
    /// As far as they could be counted.
    packets: u64,
    bytes: u64,
    /// In words.
    why: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Track {
    track: u8,
    /// `microphone`, `camera`, `screen`, `system_audio` or `stills`.
    kind: &'static str,
    /// As the recorder named it.
    mime: String,
    /// As the browser named the device.
    label: String,
    segments: Vec<TrackSegment>,
    /// Where the track's own file is, once there is one. The only track's is the recording. Pictures
    /// have none: see `/frames`.
    recording_url: Option<String>,
    /// Of that file.
    bytes: Option<u64>,
    /// Of that file.
    duration_ms: Option<u64>,
    /// Files of recorder runs that do not fit into that one because their format is another. They are
    /// in the recording neither.
    further_parts: Vec<TrackPart>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrackPart {
    /// Counted from 1: 0 is the track's own file.
    part: u8,
    mime: String,
    recording_url: String,
    bytes: u64,
    duration_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrackSegment {
    segment: u32,
    /// On the session's timeline.
    started_at_ms: u64,
    /// The most of it that one file of its track holds. Known once the recording is made.
    duration_ms: Option<u64>,
    /// What the track's own file holds of it; the rest is in a further part, or in none.
    in_file_ms: Option<u64>,
}

/// Proof of what the server holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptDto {
    /// Items stored, markers and what came later included.
    items: u64,
    /// Of the recording file.
    bytes: u64,
    duration_ms: u64,
    /// SHA-256 of the recording file, in hexadecimal.
    #[schema(value_type = String)]
    digest: Digest,
    #[schema(value_type = Vec<[u64; 2]>)]
    missing: SeqSet,
    /// Recorder runs that are in no file, or not wholly.
    left_out_segments: u32,
    /// Whether nothing but silence was recorded; `null` while that is not known.
    silent: Option<bool>,
}

/// All that is known of a session.
pub(crate) async fn details(store: &Store, id: SessionId) -> Result<SessionDetails, StoreError> {
    let session = store.session(id).await?;
    let segments = store.segments(id).await?;
    let files = store.track_files(id).await?;
    let left_out = store.left_out(id).await?;
    let supplement = store.supplement(id).await?;
    Ok(SessionDetails::new(&session, &segments, &files, left_out, supplement))
}

/// A session and what happened to it, as the API tells them: to be kept with its recording.
pub(crate) async fn documents(
    store: &Store,
    id: SessionId,
) -> Result<(String, String), anyhow::Error> {
    let session = serde_json::to_string_pretty(&details(store, id).await?)?;
    let events = serde_json::to_string_pretty(&events::events(store, id).await?)?;
    Ok((session, events))
}

impl SessionSummary {
    pub(crate) fn new(session: &Session) -> Self {
        let recording = session.recording.as_ref();
        Self {
            id: session.id.to_string(),
            status: session.status.to_string(),
            created_at: rfc3339(session.created_at),
            last_heartbeat_at: rfc3339(session.last_heartbeat_at),
            completed_at: session.completed_at.map(rfc3339),
            duration_ms: recording
                .map(|recording| recording.duration)
                .or((!session.have.is_empty()).then_some(session.captured))
                .map(Millis::get),
            bytes: recording.map_or(session.payload_bytes, |recording| recording.bytes),
            items: session.items(),
            silent: session.is_silent(),
        }
    }
}

impl SessionDetails {
    pub(crate) fn new(
        session: &Session,
        segments: &[Segment],
        files: &[TrackFile],
        left_out: Vec<LeftOutRun>,
        supplement: Option<store::Supplement>,
    ) -> Self {
        Self {
            summary: SessionSummary::new(session),
            last_seq: session.have.end(session.last_seq).map(protocol::Seq::get),
            missing: session.missing(),
            payload_bytes: session.payload_bytes,
            tracks: tracks(session, segments, files),
            recording_url: session.recording.as_ref().map(|_| app::paths::recording(session.id)),
            left_out_segments: session.recording.as_ref().map_or(0, |recording| recording.left_out),
            left_out: left_out.into_iter().map(LeftOut::from).collect(),
            supplement: supplement.map(|supplement| Supplement::new(session, supplement)),
            receipt: session.receipt().map(|receipt| ReceiptDto::new(receipt, session.is_silent())),
            failure: session.failure.clone(),
        }
    }
}

impl From<LeftOutRun> for LeftOut {
    fn from(run: LeftOutRun) -> Self {
        let LeftOutRun { track, segment, packets, bytes, why } = run;
        Self { track: track.get(), segment: segment.get(), packets, bytes, why }
    }
}

impl ReceiptDto {
    fn new(receipt: Receipt, silent: Option<bool>) -> Self {
        Self {
            items: receipt.items,
            bytes: receipt.bytes,
            duration_ms: receipt.duration.get(),
            digest: receipt.digest,
            missing: receipt.missing,
            left_out_segments: receipt.left_out,
            silent,
        }
    }
}

fn tracks(session: &Session, segments: &[Segment], files: &[TrackFile]) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for segment in segments {
        let row = TrackSegment {
            segment: segment.segment.get(),
            started_at_ms: segment.started_at.get(),
            duration_ms: segment.duration.map(Millis::get),
            in_file_ms: segment.in_file.map(Millis::get),
        };
        match tracks.last_mut().filter(|track| track.track == segment.track.get()) {
            Some(track) => track.segments.push(row),
            None => {
                let recording = session.recording.as_ref();
                let file = media_of(segment.track, 0, files, segments, recording);
                tracks.push(Track {
                    track: segment.track.get(),
                    kind: segment.kind.as_str(),
                    mime: segment.mime.clone(),
                    label: segment.label.clone(),
                    segments: vec![row],
                    recording_url: file
                        .as_ref()
                        .map(|_| app::paths::track_recording(session.id, segment.track, 0)),
                    bytes: file.as_ref().map(|file| file.bytes),
                    duration_ms: file.and_then(|file| file.duration).map(Millis::get),
                    further_parts: further_parts(session, segment.track, files),
                });
            }
        }
    }
    tracks
}

fn further_parts(session: &Session, track: TrackNo, files: &[TrackFile]) -> Vec<TrackPart> {
    let further = files.iter().filter(|file| file.track == track && file.part > 0);
    let part = |file: &TrackFile| TrackPart {
        part: file.part,
        mime: file.mime.clone(),
        recording_url: app::paths::track_recording(session.id, track, file.part),
        bytes: file.bytes,
        duration_ms: file.duration.map_or(0, Millis::get),
    };
    further.map(part).collect()
}

pub(crate) fn rfc3339(at: UnixMillis) -> String {
    let millis = i64::try_from(at.get()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

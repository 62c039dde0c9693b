//! Rows of the database as typed values.

use media::Loudest;
use protocol::{Digest, Millis, Receipt, Seq, SeqSet, SessionId, SessionStatus, UnixMillis};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::StoreError;

/// A session as the history shows it.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub status: SessionStatus,
    pub created_at: UnixMillis,
    pub started_at: UnixMillis,
    pub last_heartbeat_at: UnixMillis,
    pub completed_at: Option<UnixMillis>,
    pub last_seq: Option<Seq>,
    /// What is stored.
    pub have: SeqSet,
    /// What of it the recording lacks, because it came later.
    pub late: SeqSet,
    pub payload_bytes: u64,
    /// Where the newest item lies on the session's timeline.
    pub captured: Millis,
    pub recording: Option<Recording>,
    /// Of the recording's sound, once that is known.
    pub loudest: Option<Loudest>,
    pub failure: Option<String>,
}

/// The file made from a session's chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub key: String,
    pub mime: String,
    pub bytes: u64,
    /// Of the file; `None` while that is being made.
    pub digest: Option<Digest>,
    pub duration: Millis,
    /// Recorder runs that are in no file, or not wholly. Their payloads are kept.
    pub left_out: u32,
}

impl Session {
    pub(super) const COLUMNS: &str = "id, status, created_at, started_at, last_heartbeat_at, \
        completed_at, last_seq, have, late, payload_bytes, captured_ms, recording_key, recording_mime, \
        recording_bytes, recording_digest, recording_ms, recording_left_out, \
        recording_loudest, failure";

    pub(super) fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: session_id(&row.try_get::<Vec<u8>, _>("id")?)?,
            status: status(row.try_get("status")?)?,
            created_at: unix_millis(row.try_get("created_at")?),
            started_at: unix_millis(row.try_get("started_at")?),
            last_heartbeat_at: unix_millis(row.try_get("last_heartbeat_at")?),
            completed_at: row.try_get::<Option<i64>, _>("completed_at")?.map(unix_millis),
            last_seq: row.try_get::<Option<i64>, _>("last_seq")?.map(unsigned).map(Seq::new),
            have: super::ruled::seqs(row.try_get("have")?)?,
            late: super::ruled::seqs(row.try_get("late")?)?,
            payload_bytes: unsigned(row.try_get("payload_bytes")?),
            captured: Millis::new(unsigned(row.try_get("captured_ms")?)),
            recording: Recording::from_row(row)?,
            loudest: row.try_get::<Option<u16>, _>("recording_loudest")?.map(Loudest::new),
            failure: row.try_get("failure")?,
        })
    }

    /// What was captured and never arrived, as far as the server can know.
    pub fn missing(&self) -> SeqSet {
        self.have.missing(self.last_seq)
    }

    /// What a recording is made of.
    pub fn in_time(&self) -> SeqSet {
        self.have.difference(&self.late)
    }

    pub fn items(&self) -> u64 {
        self.have.len()
    }

    /// Whether the recording has sound, and all of it is silence; `None` while that is not known.
    pub fn is_silent(&self) -> Option<bool> {
        self.recording.as_ref().and(self.loudest).map(Loudest::is_silence)
    }

    /// The receipt of a completed session.
    pub fn receipt(&self) -> Option<Receipt> {
        let recording = self.recording.as_ref()?;
        let digest = recording.digest?;
        (self.status == SessionStatus::Completed).then(|| Receipt {
            items: self.items(),
            bytes: recording.bytes,
            duration: recording.duration,
            digest,
            missing: self.missing(),
            left_out: recording.left_out,
        })
    }
}

impl Recording {
    fn from_row(row: &SqliteRow) -> Result<Option<Self>, StoreError> {
        let Some(key) = row.try_get::<Option<String>, _>("recording_key")? else {
            return Ok(None);
        };
        let digest: Option<Vec<u8>> = row.try_get("recording_digest")?;
        Ok(Some(Self {
            key,
            mime: row.try_get("recording_mime")?,
            bytes: unsigned(row.try_get("recording_bytes")?),
            digest: digest.as_deref().map(self::digest).transpose()?,
            duration: Millis::new(unsigned(row.try_get("recording_ms")?)),
            left_out: row.try_get("recording_left_out")?,
        }))
    }
}

/// SQLite's integers are signed; everything stored here is not.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Where there is one.
pub(super) fn millis(value: Option<i64>) -> Option<Millis> {
    value.map(|value| Millis::new(unsigned(value)))
}

pub(super) fn unix_millis(value: i64) -> UnixMillis {
    UnixMillis::new(unsigned(value))
}

pub(super) fn status(word: &str) -> Result<SessionStatus, StoreError> {
    word.parse().map_err(|_| StoreError::Corrupt("a session status"))
}

pub(super) fn session_id(bytes: &[u8]) -> Result<SessionId, StoreError> {
    <[u8; 16]>::try_from(bytes)
        .ok()
        .and_then(|bytes| SessionId::from_bytes(bytes).ok())
        .ok_or(StoreError::Corrupt("a session id"))
}

pub(super) fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    <[u8; 32]>::try_from(bytes).map(Digest::from_bytes).map_err(|_| StoreError::Corrupt("a digest"))
}

//! What each form of a recording is as a file.

use std::time::Duration;

use ledger::Format;

use crate::recording::extension_of;
use crate::store::{Recording, Session, TrackFile};

/// Bytes of a millisecond of uncompressed sound: two channels of 16 bits at 48 kHz.
const WAV_BYTES_PER_MS: u64 = 192;

/// Of an export of this recording.
pub(crate) fn extension(format: Format, recording: &Recording) -> &str {
    match format {
        Format::Timeline => extension_of(&recording.key),
        Format::Ogg | Format::Mp3 | Format::Wav | Format::Mp4 | Format::Zip => format.as_str(),
    }
}

/// Of an export of this recording.
pub(crate) fn mime(format: Format, recording: &Recording) -> String {
    match format {
        Format::Timeline => recording.mime.clone(),
        Format::Ogg => "audio/ogg".to_owned(),
        Format::Mp3 => "audio/mpeg".to_owned(),
        Format::Wav => "audio/wav".to_owned(),
        Format::Mp4 => "video/mp4".to_owned(),
        Format::Zip => "application/zip".to_owned(),
    }
}

pub(super) const fn needs_ffmpeg(format: Format) -> bool {
    match format {
        Format::Mp3 | Format::Wav | Format::Mp4 => true,
        Format::Timeline | Format::Ogg | Format::Zip => false,
    }
}

/// Beside the recording, under a name of its own.
pub(super) fn key(format: Format, recording: &Recording) -> String {
    let stem = recording.key.rsplit_once('.').map_or(&*recording.key, |(stem, _)| stem);
    format!("{stem}.{}.{}", format.as_str(), extension(format, recording))
}

/// About what it will take.
pub(super) fn room(
    format: Format,
    session: &Session,
    recording: &Recording,
    tracks: &[TrackFile],
) -> u64 {
    match format {
        Format::Wav => recording.duration.get().saturating_mul(WAV_BYTES_PER_MS),
        Format::Timeline => {
            let voices: u32 = tracks.iter().map(|file| file.sounds).sum();
            // No gap is longer than the session.
            let gaps = Duration::from_millis(session.captured.get());
            let silence = media::silence_bytes_max(gaps);
            recording.bytes.saturating_add(silence.saturating_mul(u64::from(voices.max(1))))
        }
        Format::Ogg | Format::Mp3 | Format::Mp4 => recording.bytes,
        Format::Zip => {
            tracks.iter().fold(recording.bytes, |sum, one| sum.saturating_add(one.bytes))
        }
    }
}

//! Puts all files of a session into their places, and tells what is to be noted of them.

use std::fs::File;

use protocol::SessionId;
use timeline::Alignment;

use super::assemble::{AssembleError, Assembled};
use super::files::{Kept, RecordingFiles};
use super::pictures::{PICTURE_MIME, PICTURES_EXTENSION, Pictures};
use super::stitching::MediaFile;
use crate::store::{Frame, Made, Recording, TrackFile};

/// Runs of which it is noted what is left out; the others are counted.
pub(super) const LEFT_OUT_LISTED_MAX: usize = 1_000;

impl RecordingFiles {
    /// Everything is durable on return. The recording's file comes back with it.
    pub(super) async fn store(
        &self,
        id: SessionId,
        assembled: Assembled,
    ) -> Result<(Made, File), AssembleError> {
        let Assembled { whole, tracks: first, parts, pictures, alignment, runs, left_out } =
            assembled;
        let frames = frames(&pictures, &alignment);
        // Runs, of whatever track.
        let runs_left_out = u32::try_from(left_out.len()).unwrap_or(u32::MAX);
        let left_out = left_out.into_iter().take(LEFT_OUT_LISTED_MAX).collect();
        let has_the_whole = whole.as_ref().or_else(|| first.first().map(|(_, media)| media));
        let has_the_whole = has_the_whole.ok_or(AssembleError::NothingRecorded)?;
        let (its_file, its_sounds) = (has_the_whole.file.reopen()?, has_the_whole.sounds);
        let mut tracks = Vec::new();
        let of_tracks = first.into_iter().map(|(track, media)| (track, 0, media)).chain(parts);
        for (track, part, MediaFile { file, file_type, duration, sounds }) in of_tracks {
            let Kept { key, bytes } = self.keep(id, file, file_type.extension()).await?;
            let (mime, duration) = (file_type.mime().to_owned(), Some(duration));
            tracks.push(TrackFile { track, part, key, mime, bytes, duration, sounds });
        }
        let recording = match whole {
            Some(MediaFile { file, file_type, duration, .. }) => {
                let Kept { key, bytes } = self.keep(id, file, file_type.extension()).await?;
                let (mime, left_out) = (file_type.mime().to_owned(), runs_left_out);
                Recording { key, mime, bytes, digest: None, duration, left_out }
            }
            None => recording_of(&tracks, runs_left_out)?,
        };
        for Pictures { track, file, .. } in pictures {
            let Kept { key, bytes } = self.keep(id, file, PICTURES_EXTENSION).await?;
            let (mime, part, duration, sounds) = (PICTURE_MIME.to_owned(), 0, None, 0);
            tracks.push(TrackFile { track, part, key, mime, bytes, duration, sounds });
        }
        tracks.sort_by_key(|file| (file.track, file.part));
        let made = Made { recording, sounds: its_sounds, runs, tracks, frames, left_out };
        Ok((made, its_file))
    }
}

/// The first track's file is the recording.
fn recording_of(tracks: &[TrackFile], left_out: u32) -> Result<Recording, AssembleError> {
    let first = tracks.first().ok_or(AssembleError::NothingRecorded)?;
    Ok(Recording {
        key: first.key.clone(),
        mime: first.mime.clone(),
        bytes: first.bytes,
        digest: None,
        duration: first.duration.unwrap_or_default(),
        left_out,
    })
}

/// All pictures, numbered in the order of time.
fn frames(pictures: &[Pictures], alignment: &Alignment) -> Vec<Frame> {
    let mut frames = Vec::new();
    for Pictures { track, taken, .. } in pictures {
        frames.extend(taken.iter().map(|picture| Frame {
            number: 0,
            track: *track,
            at: picture.at,
            place: alignment.place(picture.at),
            first_byte: picture.first_byte,
            bytes: picture.bytes,
        }));
    }
    frames.sort_by_key(|frame| (frame.at, frame.track, frame.first_byte));
    for (number, frame) in (0..).zip(&mut frames) {
        frame.number = number;
    }
    frames
}

//! The tracks and the pictures of a session, as its page shows them.

use app::views::{FrameView, TrackContent, TrackFileView, TrackView};
use protocol::TrackNo;
use timeline::Segment;

use crate::store::{Frame, Session, TrackFile, media_of};

/// `joined` are the tracks that the recording is made of, in the order of its own.
pub(super) fn track_views(
    session: &Session,
    segments: &[Segment],
    files: &[TrackFile],
    joined: &[TrackNo],
    frames: &[Frame],
) -> Vec<TrackView> {
    let mut views: Vec<TrackView> = Vec::new();
    for segment in segments {
        let track = segment.track;
        if views.iter().any(|view| view.track == track) {
            continue;
        }
        let media = media_of(track, 0, files, segments, session.recording.as_ref());
        let file = match media {
            Some(file) => Some(media_view(&file)),
            None => files.iter().find(|file| file.track == track).map(|file| {
                let own = frames.iter().filter(|frame| frame.track == track).count();
                TrackFileView { bytes: file.bytes, what: TrackContent::Pictures(own as u64) }
            }),
        };
        views.push(TrackView {
            track,
            kind: segment.kind,
            label: segment.label.clone(),
            file,
            further: files
                .iter()
                .filter(|file| file.track == track && file.part > 0)
                .map(media_view)
                .collect(),
            sounds: sounds(track, files, joined),
        });
    }
    views
}

fn media_view(file: &TrackFile) -> TrackFileView {
    let what = TrackContent::Media(file.duration.unwrap_or_default());
    TrackFileView { bytes: file.bytes, what }
}

/// Sound tracks of the recording are those of its tracks, one after the other.
fn sounds(track: TrackNo, files: &[TrackFile], joined: &[TrackNo]) -> Vec<u32> {
    let sounds_of = |track: &TrackNo| {
        files.iter().find(|file| file.track == *track).map_or(0, |one| one.sounds)
    };
    let before: u32 = joined.iter().take_while(|one| **one != track).map(sounds_of).sum();
    if joined.contains(&track) {
        (before..before + sounds_of(&track)).collect()
    } else {
        Vec::new()
    }
}

pub(super) fn frame_view(frame: &Frame) -> FrameView {
    FrameView { number: frame.number, at: frame.at, place: frame.place }
}

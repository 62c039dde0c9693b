//! The time of a whole session: all of its tracks.

use protocol::TrackNo;

use crate::{Alignment, Marks, PauseMark, Segment, Span, Splice, TrackTimeline, main_track};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Of all tracks.
    pub segments: Vec<Segment>,
    pub pauses: Marks<PauseMark>,
}

impl Timeline {
    /// The browser says of the main track's runs when they are paused. A run of another track that is
    /// begun meanwhile is paused from its beginning.
    pub fn of_track(&self, track: TrackNo) -> TrackTimeline {
        let new = |track, paused: &[Span]| {
            TrackTimeline::new(track, &self.segments, &self.pauses, paused)
        };
        match main_track(&self.segments) {
            Some(main) if main != track => new(track, &new(main, &[]).pauses),
            Some(_) | None => new(track, &[]),
        }
    }

    /// Of the [`main_track`].
    pub fn of_main_track(&self) -> TrackTimeline {
        main_track(&self.segments).map(|track| self.of_track(track)).unwrap_or_default()
    }

    /// These tracks side by side, in this order.
    pub fn alignment(&self, tracks: &[TrackNo]) -> Alignment {
        let tracks: Vec<_> = tracks.iter().map(|track| self.of_track(*track)).collect();
        Alignment::of(&tracks)
    }

    /// Where time is missing in the recording that is made of these tracks; of none, in the main
    /// track's file. One that is made of several goes on while any of them does; there the splices
    /// stand where the main one goes on.
    pub fn splices(&self, tracks: &[TrackNo]) -> Vec<Splice> {
        let splices = self.of_main_track().splices();
        if tracks.is_empty() {
            return splices;
        }
        let alignment = self.alignment(tracks);
        let moved = |splice: Splice| Splice { at: alignment.place(splice.span.to), ..splice };
        splices.into_iter().map(moved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Millis, SegmentNo, TrackKind};

    #[test]
    fn a_recording_of_several_tracks_goes_on_while_any_of_them_does() {
        let secs = Millis::from_secs;
        let run = |track, segment, start: u64, end: u64| Segment {
            in_file: Some(secs(end - start)),
            captured_until: Some(secs(end)),
            ..Segment::new(
                TrackNo::new(track),
                SegmentNo::new(segment),
                TrackKind::Microphone,
                secs(start),
            )
        };
        let segments = vec![run(0, 0, 0, 10), run(0, 2, 14, 20), run(1, 1, 0, 12)];
        let timeline = Timeline { segments, ..Timeline::default() };
        let places = |tracks: &[TrackNo]| -> Vec<Millis> {
            timeline.splices(tracks).into_iter().map(|splice| splice.at).collect()
        };
        assert_eq!(places(&[]), [secs(10)]);
        assert_eq!(places(&[TrackNo::new(0), TrackNo::new(1)]), [secs(12)]);
    }
}

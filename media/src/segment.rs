//! Owns what is known of the segment being read, whatever its container: its tracks, its place on
//! the timeline, its counts. Writes nothing.

use std::time::Duration;

use crate::error::Refusal;
use crate::limits;
use crate::report::{Damage, Damages, Problem, SegmentReport};
use crate::tracks::TrackKind;
use crate::units::{SourceTime, TrackNumber};

/// A track that a recorder run declared, in whichever container.
pub(crate) trait RunTrack {
    /// Where its packets go in the file.
    type Place: std::fmt::Debug;

    fn number(&self) -> TrackNumber;
    fn kind(&self) -> TrackKind;
    /// As the container calls it.
    fn codec(&self) -> String;
    /// Whether packets of `later` can follow packets of this track.
    fn can_be_continued_by(&self, later: &Self) -> bool;
}

/// One segment, from its beginning to its report.
#[derive(Debug)]
pub(crate) struct Segment<T: RunTrack> {
    start: Duration,
    run: Run<T>,
    refusal: Option<Refusal>,
    damages: Damages,
    bytes: u64,
    packets: u64,
    second_headers: bool,
    undeclared: u64,
    too_late: u64,
    went_back: u64,
}

/// What one recorder run says of itself.
#[derive(Debug)]
struct Run<T: RunTrack> {
    /// Where on the file's timeline its first packet plays.
    start: Duration,
    tracks: Vec<T>,
    /// For each of `tracks`; once the first packet came.
    places: Option<Vec<T::Place>>,
    /// The time of the first packet, by the recorder.
    first: Option<SourceTime>,
}

impl<T: RunTrack> Run<T> {
    fn starting_at(start: Duration) -> Self {
        Self { start, tracks: Vec::new(), places: None, first: None }
    }
}

impl<T: RunTrack> Segment<T> {
    pub(crate) fn starting_at(start: Duration) -> Self {
        Self {
            start,
            run: Run::starting_at(start),
            refusal: None,
            damages: Damages::default(),
            bytes: 0,
            packets: 0,
            second_headers: false,
            undeclared: 0,
            too_late: 0,
            went_back: 0,
        }
    }

    pub(crate) fn count_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn count_packet(&mut self, went_back: bool) {
        self.packets += 1;
        self.went_back += u64::from(went_back);
    }

    pub(crate) fn add_damage(&mut self, damage: Damage) {
        self.damages.add(damage);
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// A header: of this run, or of another that began where this one ended, at `end`.
    pub(crate) fn begin_run(&mut self, end: Duration) {
        if self.run.first.is_some() {
            self.second_headers = true;
            self.run = Run::starting_at(end);
        }
    }

    /// The tracks of the run. Once packets came, others are not believed.
    pub(crate) fn declare_tracks(&mut self, tracks: Vec<T>) {
        if self.run.places.is_none() {
            self.run.tracks = tracks;
        }
    }

    pub(crate) fn tracks(&self) -> &[T] {
        &self.run.tracks
    }

    /// Which of the run's tracks a packet is of; `None`, and counted, if it was not declared.
    pub(crate) fn find_track(&mut self, number: TrackNumber) -> Option<usize> {
        let found = self.run.tracks.iter().position(|track| track.number() == number);
        self.undeclared += u64::from(found.is_none());
        found
    }

    /// Where the packets of one of the run's tracks go, once [`set_places`](Self::set_places) told.
    pub(crate) fn place_of(&self, track: usize) -> Option<&T::Place> {
        self.run.places.as_ref()?.get(track)
    }

    pub(crate) fn set_places(&mut self, places: Vec<T::Place>) {
        self.run.places = Some(places);
    }

    /// Where on the file's timeline the run's first packet plays.
    pub(crate) fn run_start(&self) -> Duration {
        self.run.start
    }

    /// The time of the run's first packet, by the recorder.
    pub(crate) fn first(&self) -> Option<SourceTime> {
        self.run.first
    }

    /// Says when the first packet is, if it is not the first that comes.
    pub(crate) fn begin_at(&mut self, first: SourceTime) {
        self.run.first.get_or_insert(first);
    }

    /// A packet that is later than the file can say; it was dropped.
    pub(crate) fn count_too_late(&mut self) {
        self.too_late += 1;
    }

    /// When a packet plays in the file, and whether it had to be moved forward to its run's start;
    /// `None`, and counted, if that is too late to be true.
    pub(crate) fn locate(&mut self, time: SourceTime) -> Option<(Duration, bool)> {
        let first = *self.run.first.get_or_insert(time);
        let since = time.since(first);
        if since > limits::SEGMENT_DURATION_MAX {
            self.too_late += 1;
            return None;
        }
        Some((self.run.start.saturating_add(since), time < first))
    }

    /// `end` is where the file ends now.
    pub(crate) fn into_report(self, end: Duration, dangling_bytes: u64) -> SegmentReport {
        let nothing_came = (self.packets == 0).then(|| match (self.bytes, &*self.run.tracks) {
            (0, _) => Refusal::Empty,
            (_, []) => Refusal::NoTracks,
            (_, [..]) => Refusal::NoMedia,
        });
        let duration =
            if self.packets > 0 { end.saturating_sub(self.start) } else { Duration::ZERO };
        let counted = [
            (self.undeclared, Problem::UndeclaredTrack { packets: self.undeclared }),
            (self.too_late, Problem::TooLate { packets: self.too_late }),
            (self.went_back, Problem::TimeWentBack { packets: self.went_back }),
            (u64::from(self.second_headers), Problem::SecondHeader),
        ];
        let problems = self
            .refusal
            .or(nothing_came)
            .map(Problem::Refused)
            .into_iter()
            .chain(self.damages.into_problems())
            .chain(counted.into_iter().filter(|(count, _)| *count > 0).map(|(_, problem)| problem))
            .collect();
        SegmentReport {
            start: self.start,
            duration,
            packets: self.packets,
            bytes: self.bytes,
            dangling_bytes,
            problems,
        }
    }
}

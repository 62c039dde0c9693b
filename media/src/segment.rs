//! Owns what is known of the segment being read: its tracks, its place on the timeline, its
//! counts. Writes nothing.

use std::time::Duration;

use crate::error::Refusal;
use crate::limits;
use crate::report::{Damage, Damages, Problem, SegmentReport};
use crate::tracks::TrackEntry;
use crate::units::{SourceTime, TrackNumber};

/// One segment, from its beginning to its report.
#[derive(Debug)]
pub(crate) struct Segment {
    start: Duration,
    run: Run,
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
struct Run {
    /// Where on the file's timeline its first packet plays.
    start: Duration,
    doc_type: String,
    tracks: Vec<TrackEntry>,
    /// For each of `tracks`, its index among the file's; once the first packet came.
    places: Option<Vec<usize>>,
    /// The time of the first packet, by the recorder.
    first: Option<SourceTime>,
}

impl Run {
    fn starting_at(start: Duration) -> Self {
        Self { start, doc_type: String::new(), tracks: Vec::new(), places: None, first: None }
    }
}

impl Segment {
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
    pub(crate) fn begin_run(&mut self, doc_type: String, end: Duration) {
        if self.run.first.is_some() {
            self.second_headers = true;
            self.run = Run::starting_at(end);
        }
        self.run.doc_type = doc_type;
    }

    /// The tracks of the run. Once packets came, others are not believed.
    pub(crate) fn declare_tracks(&mut self, tracks: Vec<TrackEntry>) {
        if self.run.places.is_none() {
            self.run.tracks = tracks;
        }
    }

    pub(crate) fn doc_type(&self) -> &str {
        &self.run.doc_type
    }

    pub(crate) fn tracks(&self) -> &[TrackEntry] {
        &self.run.tracks
    }

    /// Which of the run's tracks a packet is of; `None`, and counted, if it was not declared.
    pub(crate) fn find_track(&mut self, number: TrackNumber) -> Option<usize> {
        let found = self.run.tracks.iter().position(|track| track.number == number);
        self.undeclared += u64::from(found.is_none());
        found
    }

    /// The file's track for one of the run's, once [`set_places`](Self::set_places) told.
    pub(crate) fn place_of(&self, track: usize) -> Option<usize> {
        self.run.places.as_ref()?.get(track).copied()
    }

    pub(crate) fn set_places(&mut self, places: Vec<usize>) {
        self.run.places = Some(places);
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

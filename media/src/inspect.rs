//! Owns describing a recorder's file that may be live, cut or damaged: what is in it, and what is wrong
//! with it. Changes nothing.

mod fragments;
mod webm;

use std::time::Duration;

use crate::error::{Container, Refusal};
use crate::grammar;
use crate::report::Problem;
use crate::tracks::TrackKind;
use crate::units::{SourceTime, TrackNumber};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes pushed.
    pub bytes: u64,
    /// Recorder runs, each from a header to the next. A finished file has one.
    pub runs: Vec<InspectedRun>,
    /// Bytes at the end that are the beginning of something that never came whole.
    pub dangling_bytes: u64,
    /// In the order they were met.
    pub problems: Vec<Problem>,
}

/// One recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedRun {
    /// `webm`, `matroska` or `mp4`.
    pub doc_type: String,
    /// Clusters, or fragments of an MP4.
    pub clusters: u64,
    /// From the first packet to the end of the last.
    pub duration: Duration,
    /// As the run declares them.
    pub tracks: Vec<InspectedTrack>,
}

/// One track of a recorder run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedTrack {
    /// As the run declares it.
    pub number: TrackNumber,
    /// What it carries.
    pub kind: TrackKind,
    /// Its Matroska codec id, or MP4 sample entry type.
    pub codec: String,
    /// Its blocks or samples.
    pub packets: u64,
    /// Those of them where decoding can start, as the source says.
    pub keyframes: u64,
    /// Of its packets, lacing included.
    pub payload_bytes: u64,
    /// Its first packet, by the recorder's own clock.
    pub first: Option<SourceTime>,
    /// Its last packet, likewise.
    pub last: Option<SourceTime>,
    /// The longest time from one packet to the next.
    pub longest_step: Duration,
}

/// Takes a file's bytes in any portions, in memory that does not grow with them. Of MP4 it knows the
/// fragmented kind that recorders write; one that is finished is for [`crate::verify`].
#[derive(Debug, Default)]
pub struct Inspector {
    bytes: u64,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// The first bytes, too few to tell the container by.
    Unknown(Vec<u8>),
    Webm(Box<webm::Inspector>),
    Fragments(Box<fragments::Inspector>),
}

impl Default for Reading {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

/// What is told of a file by those who read it.
struct Told {
    runs: Vec<InspectedRun>,
    dangling_bytes: u64,
    refusal: Option<Refusal>,
    damages: Vec<Problem>,
    /// Packets of tracks that were not declared.
    undeclared: u64,
}

impl Inspector {
    /// At the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.reading {
            Reading::Unknown(begun) => {
                begun.extend_from_slice(bytes);
                if begun.len() >= grammar::RECOGNISED_BY_BYTES {
                    self.reading = Reading::of(begun);
                }
            }
            Reading::Webm(inspector) => inspector.push(bytes),
            Reading::Fragments(inspector) => inspector.push(bytes),
        }
    }

    /// Nothing more comes.
    #[must_use]
    pub fn finish(self) -> Inspection {
        let told = match self.reading {
            Reading::Unknown(begun) => webm::Inspector::of(&begun).finish(),
            Reading::Webm(inspector) => inspector.finish(),
            Reading::Fragments(inspector) => inspector.finish(),
        };
        let undeclared = told.undeclared;
        let undeclared =
            (undeclared > 0).then_some(Problem::UndeclaredTrack { packets: undeclared });
        let second_header = (told.runs.len() > 1).then_some(Problem::SecondHeader);
        let empty = (self.bytes == 0).then_some(Refusal::Empty);
        let problems = told.refusal.or(empty).map(Problem::Refused).into_iter();
        Inspection {
            bytes: self.bytes,
            dangling_bytes: told.dangling_bytes,
            problems: problems.chain(told.damages).chain(undeclared).chain(second_header).collect(),
            runs: told.runs,
        }
    }
}

impl Reading {
    fn of(begun: &[u8]) -> Self {
        match grammar::recognise(begun) {
            Some(Container::Mp4) => Self::Fragments(Box::new(fragments::Inspector::of(begun))),
            // What is no WebM is told by the one who reads WebM.
            Some(Container::Webm | Container::Ogg) | None => {
                Self::Webm(Box::new(webm::Inspector::of(begun)))
            }
        }
    }
}

impl InspectedTrack {
    fn new(number: TrackNumber, kind: TrackKind, codec: String) -> Self {
        Self {
            number,
            kind,
            codec,
            packets: 0,
            keyframes: 0,
            payload_bytes: 0,
            first: None,
            last: None,
            longest_step: Duration::ZERO,
        }
    }

    fn take(&mut self, time: SourceTime, is_keyframe: bool, payload_bytes: usize) {
        self.packets += 1;
        self.keyframes += u64::from(is_keyframe);
        self.payload_bytes += payload_bytes as u64;
        if let Some(last) = self.last {
            self.longest_step = self.longest_step.max(time.since(last));
        }
        self.first.get_or_insert(time);
        self.last = Some(time);
    }
}

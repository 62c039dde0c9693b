//! Owns what a stitch tells about itself: counts, durations, and damage that was survived.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::account::{Account, Cause, LeftOut};
use crate::ebml::ElementId;
use crate::error::Refusal;
use crate::limits;
use crate::mp4::BoxType;

/// A place in a source that could not be read and was stepped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Offset from the start of the segment, in bytes; declared holes are not counted.
    pub at_byte: u64,
    /// How many bytes were stepped over.
    pub bytes: u64,
    /// What was wrong.
    pub cause: DamageCause,
}

/// Why bytes were stepped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageCause {
    /// Bytes are missing here, as the caller said that they might.
    Hole,
    /// The stream begins in the middle; its header is missing.
    NoBeginning,
    /// Something claims a size in which more would be swallowed.
    SwallowsMore,
    /// The index that says what is in the media never came.
    NoIndex,
    /// The bytes are no EBML element.
    NotAnElement,
    /// An element where it can't be.
    UnexpectedElement(ElementId),
    /// An element claims a size above its limit.
    ElementTooLarge(ElementId),
    /// An element other than Segment and Cluster has an unknown size (RFC 8794 section 6.2).
    UnknownSize(ElementId),
    /// An element's body makes no sense.
    Unreadable(ElementId),
    /// A block came before its cluster's timestamp, or its time overflows.
    NoTime,
    /// The bytes are no MP4 box.
    NotABox,
    /// A box where it can't be.
    UnexpectedBox(BoxType),
    /// A box claims a size above its limit.
    BoxTooLarge(BoxType),
    /// A box other than the media says it lasts to the end of the file.
    UnknownBoxSize(BoxType),
    /// A box is larger than what stands in it.
    WrongBoxSize(BoxType),
    /// A box's body makes no sense.
    UnreadableBox(BoxType),
    /// A sample is said to stand where no media is, or is larger than
    /// [`limits::BLOCK_BYTES_MAX`].
    SamplePlace,
    /// A fragment was described, but its media did not follow.
    NoMediaData,
    /// The bytes are no page of Ogg.
    NotAPage,
    /// A page of Ogg whose checksum is wrong.
    Checksum,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_byte, bytes, cause } = self;
        write!(f, "at byte {at_byte}: {cause}; {bytes} bytes stepped over")
    }
}

impl fmt::Display for DamageCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole => f.write_str("bytes are missing"),
            Self::NoBeginning => f.write_str("the beginning with its header is missing"),
            Self::SwallowsMore => f.write_str("a size that would swallow more"),
            Self::NoIndex => f.write_str("media without the index that describes it"),
            Self::NotAnElement => f.write_str("no EBML element"),
            Self::UnexpectedElement(id) => write!(f, "element {id} cannot stand here"),
            Self::ElementTooLarge(id) => write!(f, "element {id} claims to be too large"),
            Self::UnknownSize(id) => write!(f, "element {id} has no known size"),
            Self::Unreadable(id) => write!(f, "element {id} makes no sense"),
            Self::NoTime => f.write_str("a block without a time"),
            Self::NotABox => f.write_str("no MP4 box"),
            Self::UnexpectedBox(kind) => write!(f, "box {kind} cannot stand here"),
            Self::BoxTooLarge(kind) => write!(f, "box {kind} claims to be too large"),
            Self::UnknownBoxSize(kind) => write!(f, "box {kind} has no known size"),
            Self::WrongBoxSize(kind) => write!(f, "box {kind} is larger than what is in it"),
            Self::UnreadableBox(kind) => write!(f, "box {kind} makes no sense"),
            Self::SamplePlace => f.write_str("a sample cannot stand where it is said to"),
            Self::NoMediaData => f.write_str("a fragment without its media"),
            Self::NotAPage => f.write_str("no page of Ogg"),
            Self::Checksum => f.write_str("a page whose checksum is wrong"),
        }
    }
}

/// Something in a segment that a person may want to know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The segment, or the rest of it from a second header on, is not in the file.
    Refused(Refusal),
    /// Bytes were stepped over.
    Damaged(Damage),
    /// More damage than [`limits::DAMAGES_LISTED_MAX`]; this many places are not listed.
    MoreDamage {
        /// Places not listed.
        places: u64,
    },
    /// A second recorder run began inside the segment; it was joined like a segment of its own.
    SecondHeader,
    /// Something that came in is not in the file.
    LeftOut(LeftOut),
    /// Packets that came a second time, behind the run's own header or with their whole fragment; they are
    /// in the file once.
    Repeated {
        /// Packets that came again.
        packets: u64,
    },
    /// The recorder's clock broke; what follows each time is joined right behind.
    ClockBroke {
        /// How often.
        times: u64,
    },
    /// Packets whose time went back a little; kept, at the time of the packet before.
    TimeWentBack {
        /// Packets moved.
        packets: u64,
    },
}

/// What became of one segment.
#[must_use = "what is left out of the file must be kept elsewhere"]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentReport {
    /// Where in the file the segment starts.
    pub start: Duration,
    /// From its start to the end of its last packet.
    pub duration: Duration,
    /// What came in and what became of it.
    pub account: Account,
    /// In the order they were met.
    pub problems: Vec<Problem>,
    /// Where recorder runs begin, or the header of one stands again: the offsets from the start of the
    /// segment, in bytes, of the first [`limits::PLACES_LISTED_MAX`].
    pub headers: Vec<u64>,
    /// Where packets stand that are left out, by recorder run and reason. Bytes that were stepped over
    /// are among the [`problems`](Self::problems).
    pub places: Vec<LeftOutPlace>,
    /// Where at the end something begins whose rest never came.
    pub cut_off_at: Option<u64>,
}

/// Where in a segment something stands that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutPlace {
    /// Why it is not.
    pub cause: Cause,
    /// So many packets of this recorder run.
    pub packets: u64,
    /// From the first of them to behind the last: offsets from the start of the segment. Others may
    /// stand between.
    pub bytes: Range<u64>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Damaged(damage) => damage.fmt(f),
            Self::MoreDamage { places } => write!(f, "damage in {places} more places"),
            Self::SecondHeader => f.write_str("another recorder run begins in the middle"),
            Self::LeftOut(left_out) => write!(f, "left out: {left_out}"),
            Self::Repeated { packets } => write!(f, "{packets} packets came twice"),
            Self::ClockBroke { times } => {
                write!(f, "the clock broke {times} times; all was joined")
            }
            Self::TimeWentBack { packets } => write!(f, "{packets} packets whose time went back"),
        }
    }
}

impl SegmentReport {
    /// Packets that are in the file. A block holds one packet, or several if the recorder laced them.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.account.written
    }

    /// Why the segment, or its rest, is not in the file, if so.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.problems.iter().find_map(|problem| match problem {
            Problem::Refused(refusal) => Some(refusal),
            Problem::Damaged(_)
            | Problem::MoreDamage { .. }
            | Problem::SecondHeader
            | Problem::LeftOut(_)
            | Problem::Repeated { .. }
            | Problem::ClockBroke { .. }
            | Problem::TimeWentBack { .. } => None,
        })
    }
}

/// The kinds of file that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// WebM without pictures.
    AudioWebm,
    /// WebM with pictures.
    VideoWebm,
    /// MP4 without pictures.
    AudioMp4,
    /// MP4 with pictures.
    VideoMp4,
}

impl FileType {
    /// Its MIME type, without parameters.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::AudioWebm => "audio/webm",
            Self::VideoWebm => "video/webm",
            Self::AudioMp4 => "audio/mp4",
            Self::VideoMp4 => "video/mp4",
        }
    }

    /// What the name of such a file ends in, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::AudioWebm | Self::VideoWebm => "webm",
            Self::AudioMp4 | Self::VideoMp4 => "mp4",
        }
    }
}

/// What became of the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StitchReport {
    /// What was written.
    pub file_type: FileType,
    /// From 0 to the end of the last packet; the same as the file's Duration.
    pub duration: Duration,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Blocks in the file, or samples of an MP4.
    pub packets: u64,
    /// Clusters in the file, or chunks of an MP4.
    pub clusters: u64,
    /// Cue points in the file, or listed keyframes of an MP4: none for sound, which one can start
    /// anywhere.
    pub cues: u64,
    /// One for each segment begun, in order.
    pub segments: Vec<SegmentReport>,
}

impl StitchReport {
    /// What is not in the file, of all segments.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        let mut all = LeftOut::default();
        self.segments.iter().for_each(|segment| all += &segment.account.left_out);
        all
    }
}

/// Damage of one segment, bounded: the first places are kept, the rest counted.
#[derive(Debug, Default)]
pub(crate) struct Damages {
    listed: Vec<Damage>,
    more: u64,
}

impl Damages {
    pub(crate) fn add(&mut self, damage: Damage) {
        if self.listed.len() < limits::DAMAGES_LISTED_MAX {
            self.listed.push(damage);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    pub(crate) fn into_problems(self) -> impl Iterator<Item = Problem> {
        let more = (self.more > 0).then_some(Problem::MoreDamage { places: self.more });
        self.listed.into_iter().map(Problem::Damaged).chain(more)
    }
}

/// Where in a segment things stand, bounded: past [`limits::PLACES_LISTED_MAX`] the last place of a
/// reason grows.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// What was read last.
    reached: Range<u64>,
    headers: Vec<u64>,
    left_out: Vec<LeftOutPlace>,
    /// Those before are of earlier runs.
    of_this_run: usize,
    /// The beginning was read in another order.
    rearranged: Option<Rearranged>,
}

/// A header that was read first, and so many bytes that stand before it.
#[derive(Debug, Clone, Copy)]
struct Rearranged {
    header_bytes: u64,
    before_bytes: u64,
}

impl Rearranged {
    fn original(self, at: u64) -> u64 {
        let Self { header_bytes, before_bytes } = self;
        if at < header_bytes {
            at + before_bytes
        } else if at < header_bytes + before_bytes {
            at - header_bytes
        } else {
            at
        }
    }
}

impl Places {
    /// A header of so many bytes was read before what stands before it.
    pub(crate) fn rearranged(&mut self, header_bytes: u64, before_bytes: u64) {
        self.rearranged = Some(Rearranged { header_bytes, before_bytes });
    }

    /// Where a byte stood that was read at this one.
    pub(crate) fn original(&self, at: u64) -> u64 {
        self.rearranged.map_or(at, |rearranged| rearranged.original(at))
    }

    /// What is told next was read here.
    pub(crate) fn reach(&mut self, bytes: Range<u64>) {
        self.reached = bytes;
    }

    pub(crate) fn reached(&self) -> Range<u64> {
        self.reached.clone()
    }

    /// A header was read.
    pub(crate) fn header(&mut self) {
        self.of_this_run = self.left_out.len();
        if self.headers.len() < limits::PLACES_LISTED_MAX {
            self.headers.push(self.original(self.reached.start));
        }
    }

    /// A packet is left out.
    pub(crate) fn leave_out(&mut self, cause: Cause) {
        let start = self.original(self.reached.start);
        let bytes = start..start + (self.reached.end - self.reached.start);
        let is_full = self.left_out.len() >= limits::PLACES_LISTED_MAX;
        let from = if is_full { 0 } else { self.of_this_run };
        match self.left_out[from..].iter_mut().rev().find(|place| place.cause == cause) {
            Some(place) => {
                place.packets += 1;
                place.bytes.start = place.bytes.start.min(bytes.start);
                place.bytes.end = place.bytes.end.max(bytes.end);
            }
            None => self.left_out.push(LeftOutPlace { cause, packets: 1, bytes }),
        }
    }

    /// Everything from where reading stopped for good is left out.
    pub(crate) fn leave_rest(&mut self, cause: Cause, bytes: Range<u64>) {
        self.left_out.push(LeftOutPlace { cause, packets: 0, bytes });
    }

    /// The headers, and what is left out.
    pub(crate) fn into_lists(self) -> (Vec<u64>, Vec<LeftOutPlace>) {
        (self.headers, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_after(damages: usize) -> Vec<Problem> {
        let mut kept = Damages::default();
        for at in 0..damages {
            kept.add(Damage { at_byte: at as u64, bytes: 1, cause: DamageCause::NotAnElement });
        }
        kept.into_problems().collect()
    }

    #[test]
    fn damage_up_to_the_limit_is_listed_and_past_it_counted() {
        let at_limit = problems_after(limits::DAMAGES_LISTED_MAX);
        assert_eq!(at_limit.len(), limits::DAMAGES_LISTED_MAX);
        assert!(!at_limit.contains(&Problem::MoreDamage { places: 1 }));

        let past_limit = problems_after(limits::DAMAGES_LISTED_MAX + 1);
        assert_eq!(past_limit.last(), Some(&Problem::MoreDamage { places: 1 }));
    }

    #[test]
    fn places_are_told_by_run_and_reason_up_to_the_limit() {
        let mut places = Places::default();
        for run in 0..limits::PLACES_LISTED_MAX as u64 + 1 {
            places.reach(run * 100..run * 100 + 10);
            places.header();
            for packet in 1..3 {
                places.reach(run * 100 + packet * 20..run * 100 + packet * 20 + 7);
                places.leave_out(Cause::UndeclaredTrack);
            }
        }
        let (headers, left_out) = places.into_lists();
        let cause = Cause::UndeclaredTrack;
        assert_eq!(left_out[1], LeftOutPlace { cause, packets: 2, bytes: 120..147 });
        let max = limits::PLACES_LISTED_MAX;
        assert_eq!((headers.len(), headers[1], left_out.len()), (max, 100, max));
        assert_eq!(left_out.last().map(|place| place.packets), Some(4));
    }

    #[test]
    fn what_was_read_behind_a_later_header_is_told_where_it_stood() {
        let mut places = Places::default();
        places.rearranged(30, 500);
        let original = [0, 29, 30, 529, 530].map(|at| places.original(at));
        assert_eq!(original, [500, 529, 0, 499, 530]);
    }
}

//! Owns one segment on its way into a file, whatever its container: its runs, where their packets go,
//! and the account of what became of them. Reads and writes no bytes.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::account::{Account, Bytes, Cause};
use crate::error::{MediaError, Refusal};
use crate::frame::{Frame, Grammar};
use crate::limits;
use crate::repeats::{Digest, Repeats};
use crate::report::{Damage, Damages, Places, Problem, SegmentReport};
use crate::stretch::{Clock, Stamp, Verdict};
use crate::tracks::TrackKind;
use crate::units::{SourceTime, TrackNumber, nanos_of};

/// A track that a recorder run declared, in whichever container.
pub(crate) trait RunTrack: PartialEq + fmt::Debug {
    /// Where its packets go in the file.
    type Place: fmt::Debug;

    fn number(&self) -> TrackNumber;
    fn kind(&self) -> TrackKind;
    /// As the container calls it.
    fn codec(&self) -> String;
    /// Whether packets of `later` can follow packets of this track: what stands beside the packets has
    /// only one place in a file.
    fn can_be_continued_by(&self, later: &Self) -> bool;
}

/// A packet as its reader hands it over.
pub(crate) trait Packet: Copy {
    type Track: RunTrack;
    type Kept: Kept;

    fn track(&self) -> TrackNumber;
    fn stamp(&self, track: &Self::Track) -> Stamp;
    fn payload(&self) -> &[u8];
    /// What is taken of its own accord outlives the reader's buffer.
    fn keep(&self) -> Self::Kept;
}

/// A packet that outlives its reader's buffer.
pub(crate) trait Kept: fmt::Debug {
    type Track: RunTrack;
    type Packet<'a>: Packet<Track = Self::Track, Kept = Self>
    where
        Self: 'a;

    /// As it was when it was kept.
    fn packet(&self) -> Option<Self::Packet<'_>>;
}

/// What reads a recorder's stream, whatever its container.
pub(crate) trait Reader {
    type Kept: Kept;
    type Grammar: Grammar;

    /// What moves through the stream.
    fn frame(&self) -> &Frame<Self::Grammar>;

    /// To be told what comes; what it makes of that is drained before it is told more.
    fn frame_mut(&mut self) -> &mut Frame<Self::Grammar>;

    /// Hands everything that was read since to the segment.
    fn drain_into(
        &mut self,
        file: &mut impl Muxer<Self::Kept>,
        segment: &mut Segment<Self::Kept>,
    ) -> Result<(), MediaError>;
}

/// The file that packets go into.
pub(crate) trait Muxer<K: Kept> {
    fn end(&self) -> Duration;

    /// When the last packet of a track plays, in nanoseconds; `None` if it has none.
    fn edge(&self, place: &PlaceOf<K>) -> Option<i128>;

    /// A Cluster or fragment of the source begins.
    fn begin_cluster(&mut self) {}

    /// When a track ends.
    fn end_of(&self, place: &PlaceOf<K>) -> Duration;

    /// The tracks of a run become the file's, or continue them.
    fn place(&mut self, doc_type: &str, tracks: &[K::Track])
    -> Result<Vec<PlaceOf<K>>, MediaError>;

    /// Writes a packet `shift` nanoseconds from its stamp.
    fn write(
        &mut self,
        place: &mut PlaceOf<K>,
        packet: K::Packet<'_>,
        shift: i128,
    ) -> Result<Wrote, MediaError>;
}

pub(crate) type PlaceOf<K> = <<K as Kept>::Track as RunTrack>::Place;

/// What a file says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrote {
    AtItsTime,
    /// By less than [`limits::CLOCK_BLUR`] later, so that its track does not go back.
    Moved,
    /// The file cannot say when it plays.
    TooLate,
    /// The file is full.
    Full,
}

/// One segment, from its beginning to its report.
#[derive(Debug)]
pub(crate) struct Segment<K: Kept> {
    start: Duration,
    /// As the last header has it.
    doc_type: String,
    run: Run<K>,
    refusal: Option<Refusal>,
    damages: Damages,
    places: Places,
    /// From here on nothing could be read.
    refused_from: Option<u64>,
    account: Account,
    second_headers: bool,
    went_back: u64,
    breaks: u64,
    knows_tracks: bool,
    /// Its header is missing: that is what is wrong if nothing comes of it.
    without_header: Option<Refusal>,
}

/// What one recorder run says of itself.
#[derive(Debug)]
struct Run<K: Kept> {
    tracks: Vec<K::Track>,
    /// For each of `tracks`; once the first packet came.
    places: Option<Vec<PlaceOf<K>>>,
    is_refused: bool,
    clock: Clock,
    /// Packets whose stretch has no place yet.
    held: Vec<Held<K>>,
    held_bytes: usize,
    repeats: Repeats,
    has_begun: bool,
}

#[derive(Debug)]
struct Held<K> {
    track: usize,
    /// Never before that of the packet before in its track.
    order: SourceTime,
    /// Where it stands in the stream.
    at: Range<u64>,
    kept: K,
}

impl<K: Kept> Run<K> {
    fn new() -> Self {
        Self {
            tracks: Vec::new(),
            places: None,
            is_refused: false,
            clock: Clock::new(0),
            held: Vec::new(),
            held_bytes: 0,
            repeats: Repeats::default(),
            has_begun: false,
        }
    }
}

impl<K: Kept> Segment<K> {
    pub(crate) fn starting_at(start: Duration) -> Self {
        Self {
            start,
            run: Run::new(),
            doc_type: String::new(),
            refusal: None,
            damages: Damages::default(),
            places: Places::default(),
            refused_from: None,
            account: Account::default(),
            second_headers: false,
            went_back: 0,
            breaks: 0,
            knows_tracks: false,
            without_header: None,
        }
    }

    /// Its header is missing, and this is what is to be said if it is of no use without.
    pub(crate) fn lacks_header(&mut self, refusal: Refusal) {
        self.without_header = Some(refusal);
    }

    /// A header of so many bytes is read before so many that stand before it.
    pub(crate) fn rearranged(&mut self, header_bytes: u64, before_bytes: u64) {
        self.places.rearranged(header_bytes, before_bytes);
    }

    /// What is told next stands here in the stream.
    pub(crate) fn reach(&mut self, bytes: Range<u64>) {
        self.places.reach(bytes);
    }

    pub(crate) fn add_damage(&mut self, damage: Damage) {
        let at_byte = self.places.original(damage.at_byte);
        self.damages.add(Damage { at_byte, ..damage });
    }

    /// From this byte on nothing can be read.
    pub(crate) fn refuse_rest(&mut self, refusal: Refusal, from: u64) {
        self.refused_from.get_or_insert(from);
        self.refuse(refusal);
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
        self.run.is_refused = true;
    }

    /// A header: of a run that begins, or the run's own once more. Its tracks tell.
    pub(crate) fn header(&mut self, doc_type: String) {
        self.doc_type = doc_type;
        self.places.header();
    }

    /// The tracks of a run. Those of the run itself say that it goes on.
    pub(crate) fn tracks(
        &mut self,
        file: &mut impl Muxer<K>,
        tracks: Vec<K::Track>,
    ) -> Result<(), MediaError> {
        self.knows_tracks = true;
        if self.run.has_begun {
            if self.run.tracks == tracks {
                self.run.repeats.header_again();
                return Ok(());
            }
            self.second_headers = true;
            self.settle(file, false)?;
            self.breaks += self.run.clock.breaks();
            self.run = Run::new();
        }
        self.run.clock = Clock::new(tracks.len());
        self.run.tracks = tracks;
        Ok(())
    }

    /// Of the run.
    pub(crate) fn known_tracks(&self) -> &[K::Track] {
        &self.run.tracks
    }

    /// The stamps of what follows say nothing about what came before.
    pub(crate) fn break_off(&mut self) {
        self.run.clock.break_off();
    }

    /// The packets of a fragment follow, which is described so.
    pub(crate) fn fragment(&mut self, digest: Digest) {
        self.run.repeats.fragment(digest);
    }

    /// What follows of a track plays no earlier than this.
    pub(crate) fn announce(&mut self, track: TrackNumber, shown: SourceTime) {
        if let Some(track) = self.index_of(track) {
            self.run.clock.announce(track, shown);
        }
    }

    /// A packet that stands where no media is.
    pub(crate) fn out_of_place(&mut self) {
        self.account.found += 1;
        self.leave_out(Cause::OutsideItsPlace, 0);
    }

    /// A packet, with its bytes; it is where the stream has been reached.
    fn leave_out(&mut self, cause: Cause, bytes: u64) {
        self.account.leave_out(cause, 1, bytes);
        self.places.leave_out(cause);
    }

    fn index_of(&self, number: TrackNumber) -> Option<usize> {
        self.run.tracks.iter().position(|track| track.number() == number)
    }

    /// The next packet of the stream.
    pub(crate) fn packet(
        &mut self,
        file: &mut impl Muxer<K>,
        packet: K::Packet<'_>,
    ) -> Result<(), MediaError> {
        self.account.found += 1;
        self.run.has_begun = true;
        let bytes = packet.payload().len() as u64;
        let Some(track) = self.index_of(packet.track()) else {
            self.leave_out(Cause::UndeclaredTrack, bytes);
            return Ok(());
        };
        if self.run.places.is_none() && !self.run.is_refused {
            self.place_tracks(file)?;
        }
        if self.run.is_refused {
            self.leave_out(Cause::Refused, bytes);
            return Ok(());
        }
        let stamp = packet.stamp(&self.run.tracks[track]);
        if self.run.repeats.know(&packet, &stamp) {
            self.account.repeated += 1;
            return Ok(());
        }
        self.place_packet(file, track, &stamp, packet)
    }

    /// The first packet of a run: its tracks become the file's, or continue them.
    fn place_tracks(&mut self, file: &mut impl Muxer<K>) -> Result<(), MediaError> {
        match file.place(&self.doc_type, &self.run.tracks) {
            Ok(places) => self.run.places = Some(places),
            Err(MediaError::Refused(refusal)) => self.refuse(refusal),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn place_packet(
        &mut self,
        file: &mut impl Muxer<K>,
        track: usize,
        stamp: &Stamp,
        packet: K::Packet<'_>,
    ) -> Result<(), MediaError> {
        let place = self.run.places.as_ref().and_then(|places| places.get(track));
        let edge = place.and_then(|place| file.edge(place));
        let verdict = self.run.clock.judge(track, stamp, edge);
        match verdict {
            Verdict::Current => {}
            Verdict::Straggler => {
                let shift = self.run.clock.note_straggler(track, stamp).unwrap_or_default();
                return self.write(file, track, packet, shift);
            }
            Verdict::Back => {
                self.settle(file, true)?;
                self.run.clock.go_back();
            }
            Verdict::Break | Verdict::Leap => {
                self.settle(file, false)?;
                self.run.clock.begin(verdict);
            }
        }
        self.run.clock.note(track, stamp);
        if let Some(shift) = self.run.clock.shift() {
            return self.write(file, track, packet, shift);
        }
        self.run.held_bytes += packet.payload().len();
        let before = self.run.held.iter().rev().find(|one| one.track == track);
        let order = before.map_or(stamp.order, |before| before.order.max(stamp.order));
        let at = self.places.reached();
        self.run.held.push(Held { track, order, at, kept: packet.keep() });
        let clock = &self.run.clock;
        let is_known = clock.has_all_tracks() && !clock.leapt();
        let is_enough = clock.span() >= nanos_of(limits::HOLD_SPAN_MAX)
            || self.run.held_bytes >= limits::HOLD_BYTES_MAX;
        if is_known || is_enough { self.settle(file, false) } else { Ok(()) }
    }

    /// Writes what is held: no more needs to be known. `comes_back`: what follows is of the stretch
    /// before.
    pub(crate) fn settle(
        &mut self,
        file: &mut impl Muxer<K>,
        comes_back: bool,
    ) -> Result<(), MediaError> {
        if self.run.held.is_empty() {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.run.held);
        self.run.held_bytes = 0;
        let begins = self.beginning(file, &held);
        let shift = self.run.clock.settle(begins, comes_back);
        // In the order of time, each track in its own.
        held.sort_by_key(|one| one.order);
        let here = self.places.reached();
        for Held { track, kept, at, .. } in &held {
            if let Some(packet) = kept.packet() {
                self.places.reach(at.clone());
                self.write(file, *track, packet, shift)?;
            }
        }
        self.places.reach(here);
        Ok(())
    }

    /// Where the held packets' stretch begins: a run behind everything, a stretch behind the tracks that
    /// it has.
    fn beginning(&self, file: &impl Muxer<K>, held: &[Held<K>]) -> i128 {
        if self.run.clock.is_first() {
            return nanos_of(file.end());
        }
        let places = self.run.places.iter().flatten().enumerate();
        let is_in = |track: usize| held.iter().any(|one| one.track == track);
        let ends = places.filter(|(track, _)| is_in(*track)).map(|(_, place)| file.end_of(place));
        nanos_of(ends.max().unwrap_or_default())
    }

    fn write(
        &mut self,
        file: &mut impl Muxer<K>,
        track: usize,
        packet: K::Packet<'_>,
        shift: i128,
    ) -> Result<(), MediaError> {
        let Some(place) = self.run.places.as_mut().and_then(|places| places.get_mut(track)) else {
            return Ok(());
        };
        let bytes = packet.payload().len() as u64;
        match file.write(place, packet, shift)? {
            Wrote::AtItsTime => self.account.written += 1,
            Wrote::Moved => {
                self.account.written += 1;
                self.went_back += 1;
            }
            Wrote::TooLate => self.leave_out(Cause::TooLate, bytes),
            Wrote::Full => {
                self.refuse(Refusal::TooManySamples);
                self.leave_out(Cause::Refused, bytes);
            }
        }
        Ok(())
    }

    /// Nothing follows. `end` is where the file ends now, `bytes` what the reader tells of its stream.
    pub(crate) fn into_report(mut self, end: Duration, bytes: &Bytes) -> SegmentReport {
        self.account.bytes = *bytes;
        let stepped_over = bytes.stepped_over;
        if stepped_over > 0 {
            self.account.leave_out(Cause::BehindDamage, 0, stepped_over);
        }
        if let Some(from) = self.refused_from {
            self.places.leave_rest(Cause::BehindDamage, from..bytes.pushed);
        }
        debug_assert!(self.account.is_balanced(), "{:?}", self.account);
        if !self.account.is_balanced() {
            // Rather too much is kept than too little.
            self.account.leave_out(Cause::BehindDamage, 0, bytes.pushed);
        }
        let packets = self.account.written;
        let nothing_came = match (bytes.pushed, self.without_header) {
            _ if packets > 0 => None,
            (0, _) => Some(Refusal::Empty),
            (_, Some(refusal)) => Some(refusal),
            (_, None) if !self.knows_tracks => Some(Refusal::NoTracks),
            (_, None) => Some(Refusal::NoMedia),
        };
        let duration = if packets > 0 { end.saturating_sub(self.start) } else { Duration::ZERO };
        let breaks = self.breaks + self.run.clock.breaks();
        let left_out = self.account.left_out;
        let counted = [
            (self.account.repeated, Problem::Repeated { packets: self.account.repeated }),
            (breaks, Problem::ClockBroke { times: breaks }),
            (self.went_back, Problem::TimeWentBack { packets: self.went_back }),
            (u64::from(self.second_headers), Problem::SecondHeader),
        ];
        let problems = self
            .refusal
            .or(nothing_came)
            .map(Problem::Refused)
            .into_iter()
            .chain(self.damages.into_problems())
            .chain((!left_out.is_nothing()).then_some(Problem::LeftOut(left_out)))
            .chain(counted.into_iter().filter(|(count, _)| *count > 0).map(|(_, problem)| problem))
            .collect();
        let account = self.account;
        let (headers, places) = self.places.into_lists();
        let start = self.start;
        SegmentReport { start, duration, account, problems, headers, places, cut_off_at: None }
    }
}

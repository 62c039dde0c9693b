//! Owns where the packets of a recorder run play in the file, by their stamps alone. Packets of one
//! stretch keep their distances, in a track and between tracks; where the recorder's clock breaks,
//! another stretch begins. Writes nothing.

use crate::limits;
use crate::units::{SourceTime, nanos_of};

/// When a packet is, by its recorder's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// In the order in which packets are decoded.
    pub(crate) order: SourceTime,
    /// When it plays.
    pub(crate) shown: SourceTime,
    /// Packets of its track may come in another order than their stamps.
    pub(crate) may_go_back: bool,
}

/// To which stretch a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The one that is going on.
    Current,
    /// The one before, which goes on after what was between.
    Back,
    /// The one before; it is late in a stream that is in the next already.
    Straggler,
    /// Another, with which the clock breaks.
    Break,
    /// Another, unless the clock comes back soon: then this was an odd stamp, else a long silence.
    Leap,
}

/// The clock of a recorder run, as far as it has come.
#[derive(Debug)]
pub(crate) struct Clock {
    current: Stretch,
    before: Option<Stretch>,
    /// The next packet's stamp says nothing about those before.
    is_broken: bool,
    /// Stretches after the first.
    breaks: u64,
}

/// Packets whose stamps belong together.
#[derive(Debug, Clone)]
struct Stretch {
    /// From a stamp to its place in the file, in nanoseconds. `None` until it is known where the
    /// stretch begins.
    shift: Option<i128>,
    /// Where it will be after all, if the clock does not come back.
    leapt: Option<i128>,
    /// Of each track, when its last packet is, by order.
    last: Vec<Option<i128>>,
    /// Tracks whose earliest packet is known already.
    announced: Vec<bool>,
    /// The earliest that is known of it, by presentation.
    earliest: Option<i128>,
    /// Its first packet and its latest, by order.
    first: Option<i128>,
    latest: i128,
}

impl Stretch {
    fn new(tracks: usize) -> Self {
        Self {
            shift: None,
            leapt: None,
            last: vec![None; tracks],
            announced: vec![false; tracks],
            earliest: None,
            first: None,
            latest: i128::MIN,
        }
    }

    fn last_of(&self, track: usize) -> Option<i128> {
        self.last.get(track).copied().flatten()
    }

    /// How far a packet is from what the stretch has of its track, or at all; `None` if it cannot be of
    /// this stretch.
    fn distance(&self, track: usize, stamp: &Stamp) -> Option<i128> {
        let order = stamp.order.as_nanos();
        let Some(first) = self.first else {
            return Some(0);
        };
        if order.saturating_sub(self.latest) > nanos_of(limits::CLOCK_JUMP_MAX) {
            return None;
        }
        let (from, earliest) = match self.last_of(track) {
            Some(last) => {
                let back =
                    if stamp.may_go_back { limits::REORDERING_MAX } else { limits::CLOCK_BLUR };
                (last, last.saturating_sub(nanos_of(back)))
            }
            None => (self.latest, first.saturating_sub(nanos_of(limits::TRACK_EARLIER_MAX))),
        };
        (order >= earliest).then(|| order.saturating_sub(from).saturating_abs())
    }

    fn note(&mut self, track: usize, stamp: &Stamp) {
        let (order, shown) = (stamp.order.as_nanos(), stamp.shown.as_nanos());
        self.first.get_or_insert(order);
        self.latest = self.latest.max(order);
        self.earliest = Some(self.earliest.map_or(shown, |earliest| earliest.min(shown)));
        if let Some(last) = self.last.get_mut(track) {
            *last = Some(last.map_or(order, |last| last.max(order)));
        }
    }

    fn place(&self, stamp: &Stamp) -> Option<i128> {
        self.shift.map(|shift| shift.saturating_add(stamp.shown.as_nanos()))
    }

    fn lasts(&self) -> i128 {
        self.first.map_or(0, |first| self.latest.saturating_sub(first))
    }
}

impl Clock {
    /// Of a run of so many tracks.
    pub(crate) fn new(tracks: usize) -> Self {
        Self { current: Stretch::new(tracks), before: None, is_broken: false, breaks: 0 }
    }

    /// To which stretch the next packet of a track belongs. `edge` is when the last packet of its track
    /// in the file plays.
    pub(crate) fn judge(&self, track: usize, stamp: &Stamp, edge: Option<i128>) -> Verdict {
        let here = self.current.distance(track, stamp).filter(|_| !self.is_broken);
        let back = self.before.as_ref().and_then(|before| {
            before.last_of(track)?;
            let distance = before.distance(track, stamp)?;
            let place = before.place(stamp)?;
            is_free(place, edge).then_some((distance, place))
        });
        match (here, back) {
            (None, Some(_)) => Verdict::Back,
            (None, None) => Verdict::Break,
            (Some(here), Some((distance, _)))
                if self.current.last_of(track).is_none() && distance < here =>
            {
                Verdict::Straggler
            }
            (Some(_), Some((_, place))) if self.is_nearer(stamp, place, edge) => Verdict::Back,
            (Some(_), _) => self.judge_current(stamp, edge),
        }
    }

    fn judge_current(&self, stamp: &Stamp, edge: Option<i128>) -> Verdict {
        if self.current.place(stamp).is_some_and(|place| !is_free(place, edge)) {
            return Verdict::Break;
        }
        let since = stamp.order.as_nanos().saturating_sub(self.current.latest);
        let leaps = self.current.first.is_some() && since > nanos_of(limits::CLOCK_LEAP);
        if leaps && self.current.shift.is_some() { Verdict::Leap } else { Verdict::Current }
    }

    /// With the stretch before, the packet is nearer to what was written last.
    fn is_nearer(&self, stamp: &Stamp, place_before: i128, edge: Option<i128>) -> bool {
        let (Some(here), Some(edge)) = (self.current.place(stamp), edge) else {
            return false;
        };
        here.saturating_sub(edge) > nanos_of(limits::STEP_USUAL) && place_before < here
    }

    /// The packet is of the stretch that is going on.
    pub(crate) fn note(&mut self, track: usize, stamp: &Stamp) {
        self.is_broken = false;
        self.current.note(track, stamp);
        if self.current.lasts() > nanos_of(limits::CLOCK_RETURN_MAX) {
            self.before = None;
        }
    }

    /// The packet is of the stretch before, which does not go on for that.
    pub(crate) fn note_straggler(&mut self, track: usize, stamp: &Stamp) -> Option<i128> {
        let before = self.before.as_mut()?;
        before.note(track, stamp);
        before.shift
    }

    /// What is about to come of a track plays no earlier than this.
    pub(crate) fn announce(&mut self, track: usize, shown: SourceTime) {
        if self.current.shift.is_none() && self.current.first.is_none() {
            if let Some(announced) = self.current.announced.get_mut(track) {
                *announced = true;
            }
            let shown = shown.as_nanos();
            let earliest = self.current.earliest.map_or(shown, |earliest| earliest.min(shown));
            self.current.earliest = Some(earliest);
        }
    }

    /// Another stretch begins.
    pub(crate) fn begin(&mut self, verdict: Verdict) {
        let leapt = self.current.shift.filter(|_| verdict == Verdict::Leap);
        let next = Stretch { leapt, ..Stretch::new(self.current.last.len()) };
        let ended = std::mem::replace(&mut self.current, next);
        if ended.first.is_some() {
            self.before = Some(ended);
            self.breaks += u64::from(verdict != Verdict::Leap);
        }
        self.is_broken = false;
    }

    /// The stretch before goes on.
    pub(crate) fn go_back(&mut self) {
        if let Some(before) = self.before.take() {
            let between = std::mem::replace(&mut self.current, before);
            self.breaks += u64::from(between.leapt.is_some());
            self.before = Some(between);
        }
        self.is_broken = false;
    }

    /// What follows says nothing of when it is.
    pub(crate) fn break_off(&mut self) {
        if self.current.first.is_some() {
            self.is_broken = true;
        }
    }

    pub(crate) fn shift(&self) -> Option<i128> {
        self.current.shift
    }

    /// The stretch begins at this place of the file, in nanoseconds; or where the one before would have
    /// it, if nothing speaks against it.
    pub(crate) fn settle(&mut self, begins: i128, comes_back: bool) -> i128 {
        let joined = begins.saturating_sub(self.current.earliest.unwrap_or(0));
        let shift = match self.current.leapt.filter(|_| !comes_back) {
            Some(leapt) => leapt.max(joined),
            None => joined,
        };
        self.current.shift = Some(shift);
        shift
    }

    /// How much time the stretch has come through.
    pub(crate) fn span(&self) -> i128 {
        self.current.lasts()
    }

    /// Nothing of the run was placed before.
    pub(crate) fn is_first(&self) -> bool {
        self.before.is_none() && self.breaks == 0
    }

    pub(crate) fn leapt(&self) -> bool {
        self.current.leapt.is_some()
    }

    /// Whether each track that had packets in the stretch before, or of the first stretch every track,
    /// has one in this.
    pub(crate) fn has_all_tracks(&self) -> bool {
        let was_there = |track: usize| {
            self.before.as_ref().is_none_or(|before| before.last_of(track).is_some())
        };
        let mut tracks = (0..self.current.last.len()).filter(|track| was_there(*track));
        tracks.all(|track| self.current.last_of(track).is_some() || self.current.announced[track])
    }

    /// How often the clock broke.
    pub(crate) fn breaks(&self) -> u64 {
        self.breaks
    }
}

/// Whether a packet may be put there, behind the last of its track.
fn is_free(place: i128, edge: Option<i128>) -> bool {
    place >= edge.unwrap_or(0).saturating_sub(nanos_of(limits::CLOCK_BLUR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const STEP: i128 = 20_000_000;

    fn stamp(millis: i128) -> Stamp {
        let time = SourceTime::from_nanos(millis * 1_000_000);
        Stamp { order: time, shown: time, may_go_back: false }
    }

    /// Puts packets of one track, 20 ms each, where the clock says; returns their places.
    fn places(millis: &[i128]) -> Vec<i128> {
        let mut clock = Clock::new(1);
        let (mut places, mut held): (Vec<i128>, Vec<Stamp>) = (Vec::new(), Vec::new());
        let flush =
            |clock: &mut Clock, held: &mut Vec<Stamp>, places: &mut Vec<i128>, comes_back| {
                if !held.is_empty() {
                    let end = places.last().map_or(0, |last| last + STEP);
                    let shift = clock.settle(end, comes_back);
                    places.extend(held.drain(..).map(|one| one.shown.as_nanos() + shift));
                }
            };
        for millis in millis {
            let stamp = stamp(*millis);
            let verdict = clock.judge(0, &stamp, places.last().copied());
            match verdict {
                Verdict::Current | Verdict::Straggler => {}
                Verdict::Back => {
                    flush(&mut clock, &mut held, &mut places, true);
                    clock.go_back();
                }
                Verdict::Break | Verdict::Leap => {
                    flush(&mut clock, &mut held, &mut places, false);
                    clock.begin(verdict);
                }
            }
            clock.note(0, &stamp);
            match clock.shift() {
                Some(shift) => places.push(stamp.shown.as_nanos() + shift),
                None => held.push(stamp),
            }
            let is_enough = !clock.leapt() || clock.span() > nanos_of(limits::HOLD_SPAN_MAX);
            if is_enough {
                flush(&mut clock, &mut held, &mut places, false);
            }
        }
        flush(&mut clock, &mut held, &mut places, false);
        places.into_iter().map(|nanos| nanos / 1_000_000).collect()
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on_behind() {
        assert_eq!(places(&[500, 520, 540, 0, 20, 40]), [0, 20, 40, 60, 80, 100]);
        assert_eq!(places(&[3_600_000, 0, 20]), [0, 20, 40]);
    }

    #[test]
    fn a_wild_stamp_takes_its_place_and_the_rest_keeps_its_own() {
        for wild in [1_i128 << 41, 90_000, -(1 << 41), 0] {
            let wild = [wild, wild + 20];
            let stamps = [&[1_000, 1_020, 1_040], &wild[..], &[1_100, 1_120]].concat();
            assert_eq!(places(&stamps), [0, 20, 40, 60, 80, 100, 120], "{wild:?}");
        }
    }

    #[test]
    fn a_silence_keeps_its_length_up_to_the_limit_and_past_it_is_closed() {
        let max = limits::CLOCK_JUMP_MAX.as_millis() as i128;
        assert_eq!(places(&[0, 20, 5_000]), [0, 20, 5_000]);
        assert_eq!(places(&[0, 20, 47_000, 47_020]), [0, 20, 47_000, 47_020]);
        assert_eq!(places(&[0, 20, 20 + max, 40 + max]), [0, 20, 20 + max, 40 + max]);
        assert_eq!(places(&[0, 20, 21 + max, 41 + max]), [0, 20, 40, 60]);
    }

    #[test]
    fn a_small_step_back_is_rounding_and_a_larger_one_another_stretch() {
        let blur = limits::CLOCK_BLUR.as_millis() as i128;
        assert_eq!(places(&[0, 20, 40, 40 - blur, 60]), [0, 20, 40, 40 - blur, 60]);
        assert_eq!(places(&[0, 20, 40, 39 - blur, 59 - blur]), [0, 20, 40, 60, 80]);
    }

    #[test]
    fn tracks_that_begin_anew_one_after_the_other_stay_together() {
        let mut clock = Clock::new(2);
        for (track, millis) in [(0, 1_980), (1, 1_950)] {
            assert_eq!(clock.judge(track, &stamp(millis), None), Verdict::Current);
            clock.note(track, &stamp(millis));
        }
        clock.settle(0, false);
        assert_eq!(clock.judge(0, &stamp(0), Some(30_000_000)), Verdict::Break);
        clock.begin(Verdict::Break);
        clock.note(0, &stamp(0));
        assert!(!clock.has_all_tracks());
        assert_eq!(clock.judge(1, &stamp(1_983), Some(0)), Verdict::Straggler);
        assert_eq!(clock.judge(1, &stamp(0), Some(33_000_000)), Verdict::Current);
        clock.note(1, &stamp(0));
        assert!(clock.has_all_tracks() && clock.breaks() == 1);
    }

    #[test]
    fn a_run_begins_at_its_earliest_packet_whatever_comes_first() {
        let mut clock = Clock::new(2);
        clock.note(0, &stamp(600));
        assert_eq!(clock.judge(1, &stamp(0), None), Verdict::Current);
        clock.note(1, &stamp(0));
        assert_eq!(clock.settle(nanos_of(Duration::from_secs(1)), false), 1_000_000_000);
    }
}

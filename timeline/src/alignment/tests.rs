//! Tracks put side by side.

use protocol::SegmentNo;

use super::*;
use crate::PauseCut;

const fn ms(millis: u64) -> Millis {
    Millis::new(millis)
}

const fn span(from: u64, to: u64) -> Span {
    Span { from: ms(from), to: ms(to) }
}

/// Runs as when they began and ended by the clock, and their lengths in the file.
fn track(runs: &[(u64, u64, u64)], pauses: &[(u64, u64)]) -> TrackTimeline {
    let run = |(segment, (from, to, in_file)): (u32, &(u64, u64, u64))| Run {
        segment: SegmentNo::new(segment),
        span: span(*from, *to),
        in_file: Some(ms(*in_file)),
    };
    TrackTimeline {
        end: ms(runs.iter().map(|run| run.1).max().unwrap_or_default()),
        runs: (0..).zip(runs).map(run).collect(),
        pauses: pauses.iter().map(|(from, to)| span(*from, *to)).collect(),
        ..TrackTimeline::default()
    }
}

/// What [`Shift`]s do to a moment of the file: a later one never takes back what one before it added.
fn place(shifts: &[Shift], moment: u64) -> u64 {
    let passed = shifts.iter().take_while(|shift| shift.from <= ms(moment));
    moment + passed.map(|shift| shift.by.get()).max().unwrap_or_default()
}

fn shifts(pairs: &[(u64, u64)]) -> Vec<Shift> {
    pairs.iter().map(|(from, by)| Shift { from: ms(*from), by: ms(*by) }).collect()
}

#[test]
fn one_track_alone_has_no_dead_time_to_begin_with() {
    let alone = Alignment::of(&[track(&[(700, 10_700, 10_000), (14_000, 20_000, 6_000)], &[])]);
    assert_eq!(alone.shifts(0), shifts(&[(0, 0), (10_000, 0)]));
    assert_eq!(alone.shifts_by_clock(0), shifts(&[(0, 700), (10_000, 4_000)]));
    assert_eq!(alone.place(ms(0)), ms(0));
    assert_eq!(alone.place(ms(12_000)), ms(10_000), "nothing was recorded then");
    assert_eq!(alone.place(ms(15_000)), ms(11_000));
    assert_eq!(alone.place(ms(99_000)), ms(16_000));
}

#[test]
fn what_no_track_recorded_is_cut_out_of_all_alike() {
    // A reload takes both away from 10 to 13 s; the second comes back a second later.
    let both = Alignment::of(&[
        track(&[(0, 10_000, 10_000), (13_000, 20_000, 7_000)], &[]),
        track(&[(2_000, 10_000, 8_000), (14_000, 20_000, 6_000)], &[]),
    ]);
    assert_eq!(both.shifts(0), shifts(&[(0, 0), (10_000, 0)]));
    assert_eq!(both.shifts(1), shifts(&[(0, 2_000), (8_000, 3_000)]));
    assert_eq!(place(&both.shifts(1), 8_000), 11_000, "one second after the first track went on");
    assert_eq!(both.shifts_by_clock(1), shifts(&[(0, 2_000), (8_000, 6_000)]));
}

#[test]
fn what_one_track_recorded_is_time_for_the_others() {
    let both = Alignment::of(&[
        track(&[(0, 10_000, 10_000), (13_000, 20_000, 7_000)], &[]),
        track(&[(0, 20_000, 20_000)], &[]),
    ]);
    assert_eq!(both.shifts(0), shifts(&[(0, 0), (10_000, 3_000)]));
    assert_eq!(both.shifts(1), shifts(&[(0, 0)]));
}

#[test]
fn a_pause_is_cut_out_where_it_was() {
    let pause = [(4_000, 6_000)];
    let both = Alignment::of(&[
        track(&[(0, 10_000, 8_000)], &pause),
        track(&[(1_000, 10_000, 7_000)], &pause),
    ]);
    assert_eq!(both.shifts(0), shifts(&[(0, 0), (4_000, 0)]));
    assert_eq!(both.shifts(1), shifts(&[(0, 1_000), (3_000, 1_000)]));
    assert_eq!(both.shifts_by_clock(1), shifts(&[(0, 1_000), (3_000, 3_000)]));
    assert_eq!((both.place(ms(5_000)), both.place(ms(6_500))), (ms(4_000), ms(4_500)));
}

/// Every run of the first track is 40 ms longer in the file than by the clock, every run of the
/// second 20 ms shorter.
#[test]
fn what_file_and_clock_differ_by_does_not_add_up() {
    let runs = |differ: i64| -> Vec<(u64, u64, u64)> {
        let run = |no: u64| {
            let from = no * 13_000;
            (from, from + 10_000, 10_000_u64.checked_add_signed(differ).unwrap())
        };
        (0..100).map(run).collect()
    };
    let both = Alignment::of(&[track(&runs(40), &[]), track(&runs(-20), &[])]);
    let (long, short) = (both.shifts(0), both.shifts(1));
    for no in 0..100 {
        let (one, other) = (place(&long, no * 10_040), place(&short, no * 9_980));
        assert_eq!(one, other, "run {no}");
        assert_eq!(one, no * 10_040, "no dead time");
    }
}

/// As when a recorder is restarted at once.
#[test]
fn a_run_that_reaches_into_the_next_delays_it_and_no_more_than_that() {
    let seamless =
        track(&[(0, 10_000, 10_060), (10_000, 20_000, 9_990), (25_000, 30_000, 5_000)], &[]);
    let both = Alignment::of(&[seamless, track(&[(0, 30_000, 30_000)], &[])]);
    let first = both.shifts(0);
    assert_eq!(place(&first, 10_059), 10_059);
    assert_eq!(place(&first, 10_060), 10_060, "it follows, since both cannot play at once");
    assert_eq!(place(&first, 20_050), 25_000, "after a gap it is in step again");
}

/// The recorder took 100 ms to start, and one of 60 ms to give out the last packet before the pause.
#[test]
fn a_pause_whose_place_is_known_is_cut_out_there_and_as_long_as_it_was() {
    let cut = |before| (SegmentNo::new(0), PauseCut { over: ms(6_000), before: ms(before) });
    let pause = [(4_000, 6_000)];
    let slow = TrackTimeline { cuts: vec![cut(3_840)], ..track(&[(0, 10_000, 7_900)], &pause) };
    let quick = TrackTimeline { cuts: vec![cut(3_990)], ..track(&[(0, 10_000, 8_000)], &pause) };
    let both = Alignment::of(&[slow.clone(), quick]);
    assert_eq!(both.shifts_by_clock(0), shifts(&[(0, 0), (3_840, 2_000)]));
    assert_eq!(both.shifts_by_clock(1), shifts(&[(0, 0), (3_990, 2_000)]));
    let [one, other] = [both.shifts(0), both.shifts(1)];
    assert_eq!(place(&one, 5_000), place(&other, 5_000), "as far apart as before the pause");
    let drifted = TrackTimeline { cuts: vec![cut(3_600)], ..slow };
    let drifted = Alignment::of(&[drifted]);
    assert_eq!(drifted.shifts_by_clock(0), shifts(&[(0, 0), (3_600, 2_400)]), "in step again");
}

#[test]
fn what_pauses_add_to_a_run_is_spread_over_its_parts() {
    // Ten pauses, at each of which the file gained 30 ms.
    let pauses: Vec<_> = (1..=10).map(|no| (no * 5_000, no * 5_000 + 2_000)).collect();
    let both = Alignment::of(&[track(&[(0, 57_000, 37_300)], &pauses)]);
    let first = both.shifts(0);
    let last = first.last().unwrap();
    assert_eq!(first.len(), 11);
    assert!(last.from >= ms(32_200) && last.from <= ms(32_300), "{last:?}");
}

#[test]
fn what_is_missing_at_the_end_moves_nothing_before_it() {
    // The last thirty seconds never arrived.
    let cut = Alignment::of(&[track(&[(0, 62_000, 30_000)], &[(10_000, 12_000)])]);
    assert_eq!(cut.shifts(0), shifts(&[(0, 0), (10_000, 0)]));
    assert_eq!(cut.place(ms(13_000)), ms(11_000));
    assert_eq!(cut.place(ms(60_000)), ms(30_000));
}

#[test]
fn a_run_that_is_not_in_the_file_takes_no_place() {
    let both = Alignment::of(&[track(&[(0, 5_000, 0), (9_000, 12_000, 3_000)], &[])]);
    assert_eq!(both.shifts(0), shifts(&[(0, 0)]));
    assert_eq!(Alignment::of(&[]).shifts(0), []);
    assert_eq!(Alignment::of(&[TrackTimeline::default()]).place(ms(5)), ms(0));
}

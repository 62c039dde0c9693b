//! Tracks, told by what is stored of their sessions.

use protocol::TrackKind;

use super::*;
use crate::Timeline;

const TRACK: TrackNo = TrackNo::new(0);

const fn ms(millis: u64) -> Millis {
    Millis::new(millis)
}

const fn span(from: u64, to: u64) -> Span {
    Span { from: ms(from), to: ms(to) }
}

fn segment(segment: u32, start: u64, captured_until: Option<u64>) -> Segment {
    let captured_until = captured_until.map(ms);
    let segment = SegmentNo::new(segment);
    Segment { captured_until, ..Segment::new(TRACK, segment, TrackKind::Microphone, ms(start)) }
}

const fn ended(at: u64, cause: EndCause) -> Option<RunEnd> {
    Some(RunEnd { at: ms(at), cause })
}

/// The main track of a session without pauses.
fn main_track(segments: &[Segment]) -> TrackTimeline {
    Timeline { segments: segments.to_vec(), ..Timeline::default() }.of_main_track()
}

fn paused(at: u64) -> PauseMark {
    PauseMark::Paused(ms(at))
}

fn over(at: u64) -> PauseMark {
    PauseMark::Over(ms(at))
}

/// The pauses of a track of a session with these segments.
fn pauses_on(track: TrackNo, segments: &[Segment], pauses: Marks<PauseMark>) -> Vec<Span> {
    Timeline { segments: segments.to_vec(), pauses }.of_track(track).pauses
}

fn pauses(segments: &[Segment], marks: Marks<PauseMark>) -> Vec<Span> {
    pauses_on(TRACK, segments, marks)
}

#[test]
fn nothing_recorded_is_no_time() {
    assert_eq!(main_track(&[]), TrackTimeline::default());
    assert_eq!(main_track(&[segment(0, 0, None)]).end, Millis::ZERO);
}

#[test]
fn a_gap_lies_between_two_runs_and_has_the_cause_of_both_ends() {
    use GapCause as G;
    for (end, start, cause) in [
        (None, StartCause::PageReturned, G::PageGone),
        (Some(EndCause::PageLeft), StartCause::PageReturned, G::PageLeft),
        (Some(EndCause::TakenOver), StartCause::TakenOver, G::OtherTab),
        (None, StartCause::TakenOver, G::OtherTab),
        (Some(EndCause::DeviceLost), StartCause::Retried, G::MicrophoneLost),
        (Some(EndCause::DeviceLost), StartCause::DeviceChanged, G::MicrophoneChanged),
        (Some(EndCause::RecorderFailed), StartCause::Retried, G::RecorderFailed),
        (Some(EndCause::RecorderStalled), StartCause::RecorderRestarted, G::RecorderStalled),
        (None, StartCause::Begun, G::Unknown),
    ] {
        let end = end.and_then(|cause| ended(4_000, cause));
        let first = Segment { end, ..segment(0, 0, Some(4_000)) };
        let second = Segment { start_cause: Some(start), ..segment(1, 7_000, Some(9_000)) };
        let track = main_track(&[first, second]);
        assert_eq!(track.gaps, [Gap { span: span(4_000, 7_000), cause }], "{end:?} {start:?}");
        assert_eq!(track.end, ms(9_000));
    }
}

#[test]
fn a_run_reaches_to_its_last_chunk_or_its_end_and_never_into_the_next() {
    let runs = |segments: &[Segment]| -> Vec<Span> {
        main_track(segments).runs.iter().map(|run| run.span).collect()
    };
    let crashed = segment(0, 0, Some(3_750));
    assert_eq!(runs(std::slice::from_ref(&crashed)), [span(0, 3_750)]);
    let stopped = Segment { end: ended(4_000, EndCause::Stopped), ..crashed };
    assert_eq!(runs(&[stopped]), [span(0, 4_000)]);
    let before_this_was_kept = Segment { duration: Some(ms(2_000)), ..segment(0, 500, None) };
    assert_eq!(runs(&[before_this_was_kept]), [span(500, 2_500)]);
    let late_chunk = [segment(0, 0, Some(4_100)), segment(1, 4_000, Some(6_000))];
    assert_eq!(runs(&late_chunk), [span(0, 4_000), span(4_000, 6_000)]);
}

#[test]
fn a_pause_ends_with_its_run_if_not_before() {
    let runs = [segment(0, 0, Some(5_000)), segment(1, 9_000, Some(15_000))];
    let marks = vec![paused(1_000), over(2_000), paused(4_000), paused(12_000)];
    let told = [span(1_000, 2_000), span(4_000, 5_000), span(12_000, 15_000)];
    assert_eq!(pauses(&runs, Marks::all(marks)), told);
}

/// As when the microphone is replaced meanwhile.
#[test]
fn a_pause_over_two_runs_is_one_of_each() {
    let runs = [segment(0, 0, Some(5_000)), segment(1, 6_000, Some(9_000))];
    let marks = vec![paused(4_000), paused(6_000), over(7_000)];
    assert_eq!(pauses(&runs, Marks::all(marks)), [span(4_000, 5_000), span(6_000, 7_000)]);
}

#[test]
fn a_pause_does_not_last_to_the_end_of_its_run_where_its_own_end_was_not_kept() {
    let runs = [segment(0, 0, Some(9_000))];
    let marks =
        |has_more| Marks { kept: vec![paused(1_000), over(2_000), paused(4_000)], has_more };
    assert_eq!(pauses(&runs, marks(false)), [span(1_000, 2_000), span(4_000, 9_000)]);
    assert_eq!(pauses(&runs, marks(true)), [span(1_000, 2_000)]);
    let left_paused = [segment(0, 0, Some(3_000)), segment(1, 5_000, Some(9_000))];
    let kept = vec![paused(2_000), paused(6_000), over(7_000)];
    let marks = Marks { kept, has_more: true };
    assert_eq!(pauses(&left_paused, marks), [span(2_000, 3_000), span(6_000, 7_000)]);
}

#[test]
fn a_pause_goes_on_when_another_track_ends_its_run() {
    let other = Segment { track: TrackNo::new(1), ..segment(9, 0, Some(2_000)) };
    let marks = vec![paused(1_000), over(4_000)];
    let segments = [segment(0, 0, Some(9_000)), other];
    assert_eq!(pauses(&segments, Marks::all(marks)), [span(1_000, 4_000)]);
}

/// A screen that was lost and is shared again during the pause: it is paused as the microphone is.
#[test]
fn a_run_that_begins_during_a_pause_begins_paused() {
    let screen = TrackNo::new(1);
    let on_screen = |one: Segment| Segment { track: screen, ..one };
    let segments = [
        segment(0, 0, Some(9_000)),
        on_screen(segment(1, 0, Some(5_000))),
        on_screen(segment(2, 6_000, Some(9_000))),
    ];
    let marks = vec![paused(4_000), over(7_000)];
    let of = |track| pauses_on(track, &segments, Marks::all(marks.clone()));
    assert_eq!(of(TRACK), [span(4_000, 7_000)]);
    assert_eq!(of(screen), [span(4_000, 5_000), span(6_000, 7_000)]);
}

/// Other clients than ours may go on with one track alone.
#[test]
fn a_pause_of_one_track_is_one_while_the_main_track_records_nothing() {
    let screen = TrackNo::new(1);
    let other = Segment { track: screen, ..segment(1, 0, Some(9_000)) };
    let marks = vec![paused(6_000), over(7_000)];
    let segments = [segment(0, 0, Some(5_000)), other];
    assert_eq!(pauses_on(screen, &segments, Marks::all(marks)), [span(6_000, 7_000)]);
}

#[test]
fn another_track_does_not_disturb_the_one_that_is_in_the_file() {
    let camera = Segment { track: TrackNo::new(1), ..segment(1, 0, Some(90_000)) };
    let track = main_track(&[camera, segment(0, 0, Some(5_000))]);
    assert_eq!((track.runs.len(), track.end), (1, ms(5_000)));
}

#[test]
fn pictures_now_and_then_are_not_the_main_track() {
    let stills = Segment { kind: TrackKind::Stills, ..segment(0, 0, Some(90_000)) };
    let voice = Segment { track: TrackNo::new(1), ..segment(1, 0, Some(5_000)) };
    assert_eq!(main_track(&[stills.clone(), voice]).end, ms(5_000));
    assert_eq!(main_track(&[stills]), TrackTimeline::default());
}

#[test]
fn splices_stand_where_they_are_in_the_file_and_tell_where_it_goes_on() {
    // Ten seconds with a pause of two, three seconds without a page, five seconds.
    let in_file = |millis| Some(ms(millis));
    let run = |segment, span, in_file| Run { segment: SegmentNo::new(segment), span, in_file };
    let track = TrackTimeline {
        end: ms(18_000),
        runs: vec![
            run(0, span(0, 10_000), in_file(8_000)),
            run(1, span(13_000, 18_000), in_file(5_000)),
        ],
        gaps: vec![Gap { span: span(10_000, 13_000), cause: GapCause::PageLeft }],
        pauses: vec![span(4_000, 6_000)],
        ..TrackTimeline::default()
    };
    let pause = Splice { at: ms(4_000), span: span(4_000, 6_000), cause: SpliceCause::Pause };
    let left = SpliceCause::Gap(GapCause::PageLeft);
    let gap = Splice { at: ms(8_000), span: span(10_000, 13_000), cause: left };
    assert_eq!(track.splices(), [pause, gap]);
    let cut = PauseCut { over: ms(6_000), before: ms(3_900) };
    let exact = TrackTimeline { cuts: vec![(SegmentNo::new(0), cut)], ..track };
    assert_eq!(exact.splices(), [Splice { at: ms(3_900), ..pause }, gap]);
}

/// What a session may have at most: a product of runs and pauses would be minutes of work.
#[test]
fn as_many_runs_and_pauses_as_a_session_may_have_are_one_walk() {
    const RUNS: u32 = protocol::limits::SEGMENTS_PER_SESSION_MAX;
    const PAUSES: u64 = 2 * RUNS as u64;
    let cut = |over, before| PauseCut { over: ms(over), before: ms(before) };
    let segments: Vec<Segment> = (0..RUNS)
        .map(|number| {
            let start = u64::from(number) * 100;
            let cuts = vec![cut(start + 20, 10), cut(start + 40, 20)];
            let in_file = Some(ms(70));
            Segment { cuts, in_file, ..segment(number, start, Some(start + 90)) }
        })
        .collect();
    let marks = (0..PAUSES / 2).flat_map(|run| {
        let start = run * 100;
        [paused(start + 10), over(start + 20), paused(start + 30), over(start + 40)]
    });
    let pauses = Marks::all(marks.collect());
    let began = std::time::Instant::now();
    let timeline = Timeline { segments, pauses };
    let track = timeline.of_main_track();
    assert_eq!((track.runs.len(), track.pauses.len()), (RUNS as usize, PAUSES as usize));
    assert_eq!(track.splices().len(), RUNS as usize - 1 + PAUSES as usize);
    let shifts = timeline.alignment(&[TRACK]).shifts(0);
    assert_eq!(shifts.len(), RUNS as usize + PAUSES as usize);
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}

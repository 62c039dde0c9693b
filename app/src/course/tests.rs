//! Courses of sessions, told by their segments and events.

use protocol::TrackKind;
use protocol::event::{LossCause, Transport};

use super::*;
use crate::rendering::instant;

const TRACK: TrackNo = TrackNo::new(0);

const fn ms(millis: u64) -> Millis {
    Millis::new(millis)
}

const fn span(from: u64, to: u64) -> Span {
    Span { from: ms(from), to: ms(to) }
}

fn run(segment: u32, start: u64, captured_until: Option<u64>, duration: Option<u64>) -> SegmentRow {
    SegmentRow {
        track: TRACK,
        segment: SegmentNo::new(segment),
        kind: TrackKind::Microphone,
        mime: String::new(),
        label: String::new(),
        start: ms(start),
        duration: duration.map(ms),
        in_file: duration.map(ms),
        cuts: Vec::new(),
        captured_until: captured_until.map(ms),
    }
}

fn at(place: u64, event: Event) -> Happening {
    Happening { at: instant(9), place: ms(place), event: Some(event) }
}

fn started(place: u64, segment: u32, cause: StartCause) -> Happening {
    at(place, Event::SegmentStarted { track: TRACK, segment: SegmentNo::new(segment), cause })
}

fn ended(place: u64, segment: u32, cause: EndCause) -> Happening {
    at(place, Event::SegmentEnded { track: TRACK, segment: SegmentNo::new(segment), cause })
}

fn connected(place: u64) -> Happening {
    let transport = Transport::WebSocket;
    at(place, Event::Connected { epoch: protocol::Epoch::new(1), failed_tries: 0, transport })
}

fn lost(place: u64) -> Happening {
    at(place, Event::ConnectionLost { cause: LossCause::Broken })
}

fn resumed(place: u64, away: u64) -> Happening {
    at(place, Event::Resumed { away_ms: ms(away), within_grace: true })
}

#[test]
fn nothing_recorded_is_no_course() {
    assert_eq!(course(&[], &[connected(5)]), Course::default());
    assert_eq!(course(&[run(0, 0, None, None)], &[]).end, Millis::ZERO);
}

#[test]
fn a_gap_lies_between_two_runs_and_has_the_reason_of_both_ends() {
    use Absence as A;
    for (end, start, why) in [
        (None, StartCause::PageReturned, A::PageGone),
        (Some(EndCause::PageLeft), StartCause::PageReturned, A::PageLeft),
        (Some(EndCause::TakenOver), StartCause::TakenOver, A::OtherTab),
        (None, StartCause::TakenOver, A::OtherTab),
        (Some(EndCause::DeviceLost), StartCause::Retried, A::MicrophoneLost),
        (Some(EndCause::DeviceLost), StartCause::DeviceChanged, A::MicrophoneChanged),
        (Some(EndCause::RecorderFailed), StartCause::Retried, A::RecorderFailed),
        (Some(EndCause::RecorderStalled), StartCause::RecorderRestarted, A::RecorderStalled),
        (None, StartCause::Begun, A::Unknown),
    ] {
        let mut happened = vec![started(0, 0, StartCause::Begun)];
        happened.extend(end.map(|cause| ended(4_000, 0, cause)));
        happened.push(started(7_000, 1, start));
        let runs = [run(0, 0, Some(4_000), None), run(1, 7_000, Some(9_000), None)];
        let course = course(&runs, &happened);
        assert_eq!(course.gaps, [Gap { span: span(4_000, 7_000), why }], "{end:?} {start:?}");
        assert_eq!(course.end, ms(9_000));
    }
}

#[test]
fn a_run_reaches_to_its_last_chunk_or_its_end_and_never_into_the_next() {
    let bars = |runs: &[SegmentRow], happened: &[Happening]| -> Vec<Span> {
        course(runs, happened).bars.iter().map(|bar| bar.span).collect()
    };
    let crashed = [run(0, 0, Some(3_750), None)];
    assert_eq!(bars(&crashed, &[]), [span(0, 3_750)]);
    assert_eq!(bars(&crashed, &[ended(4_000, 0, EndCause::Stopped)]), [span(0, 4_000)]);
    let before_this_was_kept = [run(0, 500, None, Some(2_000))];
    assert_eq!(bars(&before_this_was_kept, &[]), [span(500, 2_500)]);
    let late_chunk = [run(0, 0, Some(4_100), None), run(1, 4_000, Some(6_000), None)];
    assert_eq!(bars(&late_chunk, &[]), [span(0, 4_000), span(4_000, 6_000)]);
}

#[test]
fn a_pause_ends_with_its_run_if_not_before() {
    let runs = [run(0, 0, Some(5_000), None), run(1, 9_000, Some(15_000), None)];
    let happened = [
        at(1_000, Event::Paused),
        at(2_000, Event::PauseOver),
        at(4_000, Event::Paused),
        started(9_000, 1, StartCause::PageReturned),
        at(12_000, Event::Paused),
        ended(15_000, 1, EndCause::Stopped),
    ];
    let course = course(&runs, &happened);
    assert_eq!(course.pauses, [span(1_000, 2_000), span(4_000, 5_000), span(12_000, 15_000)]);
}

#[test]
fn the_server_is_out_of_reach_from_the_loss_to_the_next_connection() {
    let runs = [run(0, 0, Some(60_000), None)];
    let losses = |happened: &[Happening]| course(&runs, happened).losses;
    assert_eq!(losses(&[connected(100)]), [], "a connection takes a moment");
    assert_eq!(losses(&[connected(9_000)]), [span(0, 9_000)], "it began without a network");
    assert_eq!(losses(&[]), [span(0, 60_000)]);
    let one = [connected(0), lost(5_000), resumed(8_000, 3_000), connected(8_000)];
    assert_eq!(losses(&one), [span(5_000, 8_000)]);
    let killed = [connected(0), lost(20_000), resumed(21_000, 14_000), connected(21_000)];
    assert_eq!(losses(&killed), [span(7_000, 21_000)], "a dead server notes nothing");
    assert_eq!(losses(&[connected(0), lost(50_000)]), [span(50_000, 60_000)]);
    assert_eq!(losses(&[connected(0), lost(61_000)]), [], "it was all recorded by then");
}

#[test]
fn another_track_does_not_disturb_the_one_that_is_in_the_file() {
    let camera = SegmentRow { track: TrackNo::new(1), ..run(1, 0, Some(90_000), None) };
    let course = course(&[camera, run(0, 0, Some(5_000), None)], &[]);
    assert_eq!((course.bars.len(), course.end), (1, ms(5_000)));
}

#[test]
fn pictures_now_and_then_are_not_the_first_track() {
    let stills = SegmentRow { kind: TrackKind::Stills, ..run(0, 0, Some(90_000), None) };
    let voice = SegmentRow { track: TrackNo::new(1), ..run(1, 0, Some(5_000), None) };
    assert_eq!(course(&[stills.clone(), voice], &[]).end, ms(5_000));
    assert_eq!(course(&[stills], &[]), Course::default());
}

#[test]
fn a_pause_goes_on_when_another_track_ends_its_run() {
    let other = |place| {
        let (track, segment) = (TrackNo::new(1), SegmentNo::new(9));
        at(place, Event::SegmentEnded { track, segment, cause: EndCause::Stopped })
    };
    let happened = [at(1_000, Event::Paused), other(2_000), at(4_000, Event::PauseOver)];
    let course = course(&[run(0, 0, Some(9_000), None)], &happened);
    assert_eq!(course.pauses, [span(1_000, 4_000)]);
}

#[test]
fn stops_stand_where_they_are_in_the_file_and_tell_where_it_goes_on() {
    // Ten seconds with a pause of two, three seconds without a page, five seconds.
    let in_file = |millis| Some(ms(millis));
    let bar = |segment, span, in_file| Bar { segment: SegmentNo::new(segment), span, in_file };
    let course = Course {
        end: ms(18_000),
        bars: vec![
            bar(0, span(0, 10_000), in_file(8_000)),
            bar(1, span(13_000, 18_000), in_file(5_000)),
        ],
        gaps: vec![Gap { span: span(10_000, 13_000), why: Absence::PageLeft }],
        pauses: vec![span(4_000, 6_000)],
        ..Course::default()
    };
    let pause = Stop { at: ms(4_000), span: span(4_000, 6_000), why: None };
    let gap = Stop { at: ms(8_000), span: span(10_000, 13_000), why: Some(Absence::PageLeft) };
    assert_eq!(course.stops(), [pause, gap]);
    let cut = Cut { over: ms(6_000), before: ms(3_900) };
    let exact = Course { cuts: vec![(SegmentNo::new(0), cut)], ..course };
    assert_eq!(exact.stops(), [Stop { at: ms(3_900), ..pause }, gap]);
}

/// What a session may have at most: a product of runs, pauses and events would be minutes of work.
#[test]
fn as_many_runs_pauses_and_events_as_a_session_may_have_are_one_walk() {
    const RUNS: u32 = protocol::limits::SEGMENTS_PER_SESSION_MAX;
    let runs: Vec<SegmentRow> = (0..RUNS)
        .map(|segment| {
            let start = u64::from(segment) * 100;
            let cut = |over, before| Cut { over: ms(start + over), before: ms(before) };
            let cuts = vec![cut(20, 10), cut(40, 20)];
            SegmentRow { cuts, ..run(segment, start, Some(start + 90), Some(70)) }
        })
        .collect();
    let mut happened = Vec::new();
    for run in 0..1_000_u64 {
        let start = run * 100;
        for (place, event) in [
            (10, Event::Paused),
            (20, Event::PauseOver),
            (30, Event::Paused),
            (40, Event::PauseOver),
        ] {
            happened.push(at(start + place, event));
        }
    }
    let began = std::time::Instant::now();
    let course = course(&runs, &happened);
    let stops = course.stops();
    assert_eq!((course.bars.len(), course.pauses.len()), (RUNS as usize, 2_000));
    assert_eq!(stops.len(), RUNS as usize - 1 + 2_000);
    let alignment = crate::alignment::Alignment::of(&[course]);
    assert_eq!(alignment.shifts(0).len(), RUNS as usize + 2_000);
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}

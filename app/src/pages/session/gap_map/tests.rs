//! The picture, the sentence and the table of one session.

use super::*;
use crate::rendering::{html, text};
use protocol::SegmentNo;
use timeline::GapCause;

const fn ms(millis: u64) -> Millis {
    Millis::new(millis)
}

const fn span(from: u64, to: u64) -> Span {
    Span { from: Millis::new(from), to: Millis::new(to) }
}

fn run(segment: u32, from: u64, to: u64, in_file: Option<u64>) -> Run {
    let segment = SegmentNo::new(segment);
    Run { segment, span: span(from, to), in_file: in_file.map(Millis::new) }
}

/// Of a session with one track.
fn map(main: TrackTimeline) -> Map {
    Map { end: main.end, main, ..Map::default() }
}

fn reloaded() -> Map {
    let main = TrackTimeline {
        end: Millis::new(17_000),
        runs: vec![run(0, 0, 6_000, Some(6_000)), run(1, 9_000, 17_000, Some(6_000))],
        gaps: vec![Gap { span: span(6_000, 9_000), cause: GapCause::PageLeft }],
        pauses: vec![span(11_000, 13_000)],
        ..TrackTimeline::default()
    };
    Map { outages: vec![span(5_000, 9_500)], ..map(main) }
}

#[test]
fn a_sentence_says_how_clock_and_file_belong_together() {
    let file = Some(Millis::new(12_000));
    assert_eq!(
        summary(&reloaded(), file),
        [
            "Recorded 12 s in 2 parts; 3 s without a page between them.",
            "Paused once, for 2 s.",
            "The server was out of reach for 4.5 s; the browser went on recording and kept it.",
            "From beginning to end 17 s passed by the clock. The file plays for 12 s: pauses \
             and gaps are not in it.",
        ]
    );
    let plain = TrackTimeline {
        end: Millis::new(12_400),
        runs: vec![run(0, 0, 12_400, None)],
        ..TrackTimeline::default()
    };
    assert_eq!(summary(&map(plain), None), ["Recorded 12 s in one part."]);
}

#[test]
fn what_is_not_kept_is_told() {
    let told = |has_more_pauses, has_more_outages| {
        summary(&Map { has_more_pauses, has_more_outages, ..reloaded() }, None)
    };
    assert!(told(true, false).contains(&MORE_PAUSES.to_owned()));
    assert!(told(false, true).contains(&MORE_OUTAGES.to_owned()));
    assert!(!told(false, false).iter().any(|sentence| sentence.contains("kept:")));
}

#[test]
fn reasons_of_one_kind_are_added_up() {
    let gap = |from, to, cause| Gap { span: span(from, to), cause };
    let gaps = [
        gap(0, 1_000, GapCause::PageGone),
        gap(2_000, 2_500, GapCause::MicrophoneLost),
        gap(3_000, 5_000, GapCause::PageLeft),
    ];
    assert_eq!(without(&gaps), ["3 s without a page", "0.5 s without a microphone"]);
}

#[test]
fn runs_follow_one_another_in_the_file() {
    assert_eq!(in_file(&reloaded().main.runs), [span(0, 6_000), span(6_000, 12_000)]);
}

#[test]
fn the_picture_and_the_table_hold_the_same_without_any_inline_style() {
    let picture = html(|| view! { <Picture map=reloaded() has_file=true/> });
    assert_eq!(picture.matches("map-recorded").count(), 2);
    assert_eq!(picture.matches("map-file").count(), 2);
    assert!(picture.contains("x=\"6000\" y=\"0\" width=\"3000\""), "{picture}");
    assert!(picture.contains("role=\"img\"") && !picture.contains("style="));
    let table = text(&html(|| view! { <Interruptions map=reloaded()/> }));
    assert!(table.contains("0:06 0:09 3 s No page: it was left or reloaded"), "{table}");
    assert!(table.contains("0:11 0:13 2 s Paused by the candidate"));
    assert!(table.contains("0:05 0:09 4.5 s Server out of reach"));
}

#[test]
fn as_many_spans_as_the_limit_are_drawn_as_they_are_and_more_side_by_side_as_one() {
    let spans =
        |count: u64| -> Vec<Span> { (0..count).map(|no| span(no * 10, no * 10 + 9)).collect() };
    let at_most = RECTS_MAX as u64;
    assert_eq!(drawn(&spans(at_most), ms(at_most * 10)).len(), RECTS_MAX);
    let one_more = drawn(&spans(at_most + 1), ms((at_most + 1) * 10));
    assert!(one_more.len() <= RECTS_MAX && one_more.len() > RECTS_MAX / 2);
    let many = drawn(&spans(80_000), ms(800_000));
    assert_eq!(many.len(), RECTS_MAX);
    assert_eq!((many[0].from, many[RECTS_MAX - 1].to), (ms(0), ms(799_999)));
}

#[test]
fn of_many_interruptions_the_first_are_told_and_how_many_more_there_are() {
    let page = |count: u64| {
        let pauses = (0..count).map(|no| span(no * 100, no * 100 + 50)).collect();
        let main = TrackTimeline { end: ms(count * 100), pauses, ..TrackTimeline::default() };
        html(|| view! { <Interruptions map=map(main)/> })
    };
    let most = INTERRUPTIONS_TOLD_MAX as u64;
    assert!(!page(most).contains("more"));
    let past = page(most + 7);
    assert_eq!(past.matches("<tr").count(), INTERRUPTIONS_TOLD_MAX + 1);
    assert!(text(&past).contains("7 more interruptions"), "{past}");
}

#[test]
fn a_companion_track_has_a_strip_on_the_same_scale() {
    let screen = TrackTimeline {
        end: Millis::new(20_000),
        runs: vec![run(7, 2_000, 8_000, None), run(8, 14_000, 20_000, None)],
        ..TrackTimeline::default()
    };
    let companions = vec![Companion { name: "Screen: Whole".to_owned(), time: screen }];
    let map = Map { companions, end: ms(20_000), ..reloaded() };
    let page = html(|| view! { <GapMap map recording=None/> });
    assert_eq!(page.matches("viewBox=\"0 0 20000 100\"").count(), 2, "{page}");
    assert!(page.contains("aria-label=\"Screen: Whole: 0:02 to 0:08, 0:14 to 0:20\""), "{page}");
    assert!(!page.contains("style="));
    let many = vec![span(0, 1_000); SPANS_TOLD_MAX + 1];
    assert_eq!(when(&many), "11 parts");
    assert!(when(&many[1..]).starts_with("0:00 to 0:01, "));
}

#[test]
fn a_short_gap_in_a_long_session_is_still_drawn() {
    let hour = 3_600_000;
    let main = TrackTimeline {
        end: Millis::new(hour),
        runs: vec![run(0, 0, hour - 10, None), run(1, hour - 5, hour, None)],
        gaps: vec![Gap { span: span(hour - 10, hour - 5), cause: GapCause::PageGone }],
        ..TrackTimeline::default()
    };
    let picture = html(|| view! { <Picture map=map(main) has_file=false/> });
    let least = hour / SMALLEST_PART;
    let gap =
        format!("x=\"{}\" y=\"0\" width=\"{least}\" height=\"34\" class=\"map-gap\"", hour - least);
    assert!(picture.contains(&gap), "{picture}");
    assert!(!picture.contains("map-file"), "there is no file yet");
}

#[test]
fn three_hundred_parts_are_all_drawn_and_their_table_is_folded() {
    let runs: Vec<Run> = (0..300u32)
        .map(|n| run(n, u64::from(n) * 1_000, u64::from(n) * 1_000 + 800, Some(800)))
        .collect();
    let gaps = (0..299u64)
        .map(|n| Gap { span: span(n * 1_000 + 800, (n + 1) * 1_000), cause: GapCause::PageGone })
        .collect();
    let end = Millis::new(299_800);
    let map = map(TrackTimeline { end, runs, gaps, ..TrackTimeline::default() });
    let table = html(|| view! { <Interruptions map=map.clone()/> });
    assert!(table.contains("Show all 299 interruptions"), "{table}");
    assert_eq!(table.matches("<tr").count(), 300);
    let picture = html(|| view! { <Picture map has_file=true/> });
    assert_eq!(picture.matches("map-recorded").count(), 300);
    assert_eq!(picture.matches("map-shift").count(), 300);
}

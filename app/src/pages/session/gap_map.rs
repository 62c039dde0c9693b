//! "Recorded over time": wall-clock against media time, in a sentence, as a picture, and as the
//! table that says the same.

use leptos::prelude::*;
use protocol::Millis;

use super::words::of_absence;
use super::{Folded, More};
use crate::course::{Bar, Course, Gap, Span, course_of, main_track};
use crate::format;
use crate::views::{RecordingView, SessionView};

/// The picture's height in its own units; its width is the session's in milliseconds, so that
/// places need no conversion.
const HEIGHT: u64 = 100;
/// From top to bottom: what was recorded, the connection, and the file.
const RECORDED: (u64, u64) = (0, 34);
const CONNECTION: (u64, u64) = (40, 6);
const FILE: (u64, u64) = (70, 30);
/// A track beside the main one has a picture of its own.
const WHOLE_STRIP: (u64, u64) = (0, HEIGHT);
/// Parts of such a track that are read out one by one.
const SPANS_TOLD_MAX: usize = 10;
/// Rectangles of one kind in a picture. Of more, those that lie side by side become one: no eye could
/// tell them apart.
const RECTS_MAX: usize = 1_000;
/// Runs whose place in the file is pointed at.
const SHIFTS_MAX: usize = 1_000;
/// Rows of the table.
const INTERRUPTIONS_TOLD_MAX: usize = 500;
/// The whole is at least so many times as long as what is drawn of anything: a short gap in a long
/// session can still be seen.
const SMALLEST_PART: u64 = 400;

/// A track beside the main one.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    name: String,
    course: Course,
}

pub(super) fn beside(view: &SessionView) -> Vec<Beside> {
    let main = main_track(&view.segments);
    let others = view.tracks.iter().filter(|track| Some(track.track) != main);
    others
        .map(|track| Beside {
            name: format::track_name(track.kind, &track.label),
            course: course_of(track.track, &view.segments, &view.happened),
        })
        .collect()
}

#[component]
pub(super) fn GapMap(
    mut course: Course,
    beside: Vec<Beside>,
    recording: Option<RecordingView>,
) -> impl IntoView {
    if course.end == Millis::ZERO {
        return ().into_any();
    }
    let end = beside.iter().map(|one| one.course.end).fold(course.end, Millis::max);
    course.end = end;
    let file = recording.map(|recording| recording.duration);
    let sentences = summary(&course, file);
    view! {
        <section>
            <h2 id="over-time">"Recorded over time"</h2>
            {sentences.into_iter().map(|sentence| view! { <p>{sentence}</p> }).collect_view()}
            <figure class="gap-map">
                <div class="gap-map-rows" aria-hidden="true">
                    <span>"Recorded"</span>
                    <span>"Connected"</span>
                    <span>"In the file"</span>
                </div>
                <Picture course=course.clone() has_file=file.is_some()/>
                {beside.into_iter().map(|one| view! { <Strip beside=one end/> }).collect_view()}
                <div class="gap-map-scale" aria-hidden="true">
                    <span>"0:00"</span>
                    <span>{format::duration(Millis::new(course.end.get() / 2))}</span>
                    <span>{format::duration(course.end)}</span>
                </div>
                <figcaption><Legend course=course.clone()/></figcaption>
            </figure>
            <Interruptions course/>
        </section>
    }
    .into_any()
}

/// How wall-clock, timeline and file belong together.
fn summary(course: &Course, file: Option<Millis>) -> Vec<String> {
    let paused = total(course.pauses.iter().copied());
    let captured = total(course.bars.iter().map(|bar| bar.span)).since(paused);
    let recorded = format::fine_span(file.unwrap_or(captured));
    let parts = match course.bars.len() {
        1 => "in one part".to_owned(),
        parts => format!("in {}", format::count(parts as u64, "part", "parts")),
    };
    let mut first = format!("Recorded {recorded} {parts}");
    let without = without(&course.gaps);
    if !without.is_empty() {
        first.push_str(&format!("; {} between them", without.join(", ")));
    }
    first.push('.');
    let mut sentences = vec![first];
    if !course.pauses.is_empty() {
        let paused = format::fine_span(paused);
        sentences.push(match course.pauses.len() {
            1 => format!("Paused once, for {paused}."),
            times => format!("Paused {times} times, for {paused} in all."),
        });
    }
    if !course.losses.is_empty() {
        let lost = format::fine_span(total(course.losses.iter().copied()));
        sentences.push(format!(
            "The server was out of reach for {lost}; the browser went on recording and kept it."
        ));
    }
    if let Some(file) = file {
        let (clock, file) = (format::fine_span(course.end), format::fine_span(file));
        sentences.push(if course.gaps.is_empty() && course.pauses.is_empty() {
            format!("From beginning to end {clock} passed by the clock; the file plays for {file}.")
        } else {
            format!(
                "From beginning to end {clock} passed by the clock. The file plays for {file}: \
                 pauses and gaps are not in it."
            )
        });
    }
    sentences
}

/// "3 s without a page", one for each kind of reason, in the order of their first time.
fn without(gaps: &[Gap]) -> Vec<String> {
    let mut kinds: Vec<(&'static str, Millis)> = Vec::new();
    for gap in gaps {
        let (_, what) = of_absence(gap.why);
        match kinds.iter_mut().find(|(kind, _)| *kind == what) {
            Some((_, sum)) => *sum = *sum + gap.span.length(),
            None => kinds.push((what, gap.span.length())),
        }
    }
    kinds
        .into_iter()
        .map(|(what, sum)| format!("{} without {what}", format::fine_span(sum)))
        .collect()
}

fn total(spans: impl Iterator<Item = Span>) -> Millis {
    spans.fold(Millis::ZERO, |sum, span| sum + span.length())
}

/// Stretched to whatever width there is: there is no text in it. The table says all of it again.
#[component]
fn Picture(course: Course, has_file: bool) -> impl IntoView {
    let end = course.end;
    let rects = |spans: &[Span], row, class| rects(spans, row, class, end);
    let bars: Vec<Span> = course.bars.iter().map(|bar| bar.span).collect();
    let gaps: Vec<Span> = course.gaps.iter().map(|gap| gap.span).collect();
    let whole = Span { from: Millis::ZERO, to: course.end };
    let pieces = if has_file { in_file(&course.bars) } else { Vec::new() };
    let shifts = bars.iter().zip(&pieces).take(SHIFTS_MAX);
    let shifts = shifts.map(|(bar, piece)| shift(*bar, *piece)).collect_view();
    view! {
        <svg
            class="gap-map-picture"
            viewBox=format!("0 0 {} {HEIGHT}", end.get())
            preserveAspectRatio="none"
            role="img"
            aria-label="When something was recorded, when the server was in reach, and where both \
                are in the file. The table below says the same."
        >
            {rects(&bars, RECORDED, "map-recorded")}
            {rects(&gaps, RECORDED, "map-gap")}
            {rects(&course.pauses, RECORDED, "map-pause")}
            {rects(&[whole], CONNECTION, "map-connected")}
            {rects(&course.losses, CONNECTION, "map-lost")}
            {shifts}
            {rects(&pieces, FILE, "map-file")}
        </svg>
    }
}

/// When a track beside the main one was recorded.
#[component]
fn Strip(beside: Beside, end: Millis) -> impl IntoView {
    let Beside { name, course } = beside;
    let bars: Vec<Span> = course.bars.iter().map(|bar| bar.span).collect();
    let told = format!("{name}: {}", when(&bars));
    view! {
        <span class="gap-map-track" title=name.clone() aria-hidden="true">{name.clone()}</span>
        <svg
            class="gap-map-strip"
            viewBox=format!("0 0 {} {HEIGHT}", end.get())
            preserveAspectRatio="none"
            role="img"
            aria-label=told
        >
            {rects(&bars, WHOLE_STRIP, "map-recorded", end)}
            {rects(&course.pauses, WHOLE_STRIP, "map-pause", end)}
        </svg>
    }
}

/// "0:02 to 0:14, 0:20 to 1:05"; of many, how many there are.
fn when(bars: &[Span]) -> String {
    if bars.len() > SPANS_TOLD_MAX {
        return format::count(bars.len() as u64, "part", "parts");
    }
    let span =
        |bar: &Span| format!("{} to {}", format::duration(bar.from), format::duration(bar.to));
    bars.iter().map(span).collect::<Vec<_>>().join(", ")
}

fn rects(
    spans: &[Span],
    (y, height): (u64, u64),
    class: &'static str,
    end: Millis,
) -> impl IntoView + use<> {
    let least = (end.get() / SMALLEST_PART).max(1);
    let rect = move |span: &Span| {
        let width = span.length().get().max(least);
        let x = span.from.get().min(end.get().saturating_sub(width));
        view! { <rect class=class x=x y=y width=width height=height></rect> }
    };
    drawn(spans, end).iter().map(rect).collect_view()
}

/// At most [`RECTS_MAX`] of these, which are in the order of time.
fn drawn(spans: &[Span], end: Millis) -> Vec<Span> {
    if spans.len() <= RECTS_MAX {
        return spans.to_vec();
    }
    let cell_of =
        |span: &Span| u128::from(span.from.get()) * RECTS_MAX as u128 / (u128::from(end.get()) + 1);
    let mut drawn: Vec<Span> = Vec::with_capacity(RECTS_MAX);
    for span in spans {
        match drawn.last_mut() {
            Some(last) if cell_of(last) == cell_of(span) => last.to = last.to.max(span.to),
            Some(_) | None => drawn.push(*span),
        }
    }
    drawn.truncate(RECTS_MAX);
    drawn
}

/// Where each run lies in the file: one after another.
fn in_file(bars: &[Bar]) -> Vec<Span> {
    let mut from = Millis::ZERO;
    let place = |bar: &Bar| {
        let span = Span { from, to: from + bar.in_file.unwrap_or_default() };
        from = span.to;
        span
    };
    bars.iter().map(place).collect()
}

/// Leads the eye from a run to its place in the file.
fn shift(bar: Span, piece: Span) -> impl IntoView {
    let (top, bottom) = (CONNECTION.0 + CONNECTION.1, FILE.0);
    let points = format!(
        "{},{top} {},{top} {},{bottom} {},{bottom}",
        bar.from.get(),
        bar.to.get(),
        piece.to.get(),
        piece.from.get()
    );
    view! { <polygon class="map-shift" points=points></polygon> }
}

#[component]
fn Legend(course: Course) -> impl IntoView {
    let key = |shown: bool, class: &'static str, words: &'static str| {
        shown.then(|| view! { <li><span class=format!("key {class}")></span>{words}</li> })
    };
    view! {
        <ul class="gap-map-legend" role="list">
            {key(true, "key-recorded", "recorded")}
            {key(!course.pauses.is_empty(), "key-pause", "paused")}
            {key(!course.gaps.is_empty(), "key-gap", "nothing recorded")}
            {key(!course.losses.is_empty(), "key-lost", "server out of reach")}
        </ul>
    }
}

#[component]
fn Interruptions(course: Course) -> impl IntoView {
    let gaps = course.gaps.iter().map(|gap| (gap.span, of_absence(gap.why).0));
    let pauses = course.pauses.iter().map(|span| (*span, "Paused by the candidate"));
    let losses = course
        .losses
        .iter()
        .map(|span| (*span, "Server out of reach; recording went on in the browser"));
    let mut rows: Vec<(Span, &'static str)> = gaps.chain(pauses).chain(losses).collect();
    rows.sort_by_key(|(span, _)| (span.from, span.to));
    let more = rows.len().saturating_sub(INTERRUPTIONS_TOLD_MAX);
    rows.truncate(INTERRUPTIONS_TOLD_MAX);
    if rows.is_empty() {
        return view! { <p>"There were no gaps, no pauses, and no lost connections."</p> }
            .into_any();
    }
    view! {
        <Folded rows=rows.len() what="interruptions">
            <div class="scroll scroll-small" role="region" aria-labelledby="interruptions" tabindex="0">
                <table>
                    <caption id="interruptions">"Gaps, pauses and lost connections"</caption>
                    <thead>
                        <tr>
                            <th scope="col" class="number">"From"</th>
                            <th scope="col" class="number">"To"</th>
                            <th scope="col" class="number">"Length"</th>
                            <th scope="col">"Reason"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.into_iter().map(|(span, why)| view! {
                            <tr>
                                <td class="number">{format::duration(span.from)}</td>
                                <td class="number">{format::duration(span.to)}</td>
                                <td class="number">{format::fine_span(span.length())}</td>
                                <td>{why}</td>
                            </tr>
                        }).collect_view()}
                    </tbody>
                </table>
                <More rows=more what="interruptions"/>
            </div>
        </Folded>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Absence;
    use crate::rendering::{html, text};
    use protocol::SegmentNo;

    const fn ms(millis: u64) -> Millis {
        Millis::new(millis)
    }

    const fn span(from: u64, to: u64) -> Span {
        Span { from: Millis::new(from), to: Millis::new(to) }
    }

    fn bar(segment: u32, from: u64, to: u64, in_file: Option<u64>) -> Bar {
        let segment = SegmentNo::new(segment);
        Bar { segment, span: span(from, to), in_file: in_file.map(Millis::new) }
    }

    fn reloaded() -> Course {
        Course {
            end: Millis::new(17_000),
            bars: vec![bar(0, 0, 6_000, Some(6_000)), bar(1, 9_000, 17_000, Some(6_000))],
            gaps: vec![Gap { span: span(6_000, 9_000), why: Absence::PageLeft }],
            pauses: vec![span(11_000, 13_000)],
            losses: vec![span(5_000, 9_500)],
            ..Course::default()
        }
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
        let plain = Course {
            end: Millis::new(12_400),
            bars: vec![bar(0, 0, 12_400, None)],
            ..Course::default()
        };
        assert_eq!(summary(&plain, None), ["Recorded 12 s in one part."]);
    }

    #[test]
    fn reasons_of_one_kind_are_added_up() {
        let gap = |from, to, why| Gap { span: span(from, to), why };
        let gaps = [
            gap(0, 1_000, Absence::PageGone),
            gap(2_000, 2_500, Absence::MicrophoneLost),
            gap(3_000, 5_000, Absence::PageLeft),
        ];
        assert_eq!(without(&gaps), ["3 s without a page", "0.5 s without a microphone"]);
    }

    #[test]
    fn runs_follow_one_another_in_the_file() {
        assert_eq!(in_file(&reloaded().bars), [span(0, 6_000), span(6_000, 12_000)]);
    }

    #[test]
    fn the_picture_and_the_table_hold_the_same_without_any_inline_style() {
        let picture = html(|| view! { <Picture course=reloaded() has_file=true/> });
        assert_eq!(picture.matches("map-recorded").count(), 2);
        assert_eq!(picture.matches("map-file").count(), 2);
        assert!(picture.contains("x=\"6000\" y=\"0\" width=\"3000\""), "{picture}");
        assert!(picture.contains("role=\"img\"") && !picture.contains("style="));
        let table = text(&html(|| view! { <Interruptions course=reloaded()/> }));
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
            let course = Course { end: ms(count * 100), pauses, ..Course::default() };
            html(|| view! { <Interruptions course/> })
        };
        let most = INTERRUPTIONS_TOLD_MAX as u64;
        assert!(!page(most).contains("more"));
        let past = page(most + 7);
        assert_eq!(past.matches("<tr").count(), INTERRUPTIONS_TOLD_MAX + 1);
        assert!(text(&past).contains("7 more interruptions"), "{past}");
    }

    #[test]
    fn a_track_beside_the_main_one_has_a_strip_on_the_same_scale() {
        let screen = Course {
            end: Millis::new(20_000),
            bars: vec![bar(7, 2_000, 8_000, None), bar(8, 14_000, 20_000, None)],
            ..Course::default()
        };
        let beside = vec![Beside { name: "Screen: Whole".to_owned(), course: screen }];
        let page = html(|| view! { <GapMap course=reloaded() beside recording=None/> });
        assert_eq!(page.matches("viewBox=\"0 0 20000 100\"").count(), 2, "{page}");
        assert!(
            page.contains("aria-label=\"Screen: Whole: 0:02 to 0:08, 0:14 to 0:20\""),
            "{page}"
        );
        assert!(!page.contains("style="));
        let many = vec![span(0, 1_000); SPANS_TOLD_MAX + 1];
        assert_eq!(when(&many), "11 parts");
        assert!(when(&many[1..]).starts_with("0:00 to 0:01, "));
    }

    #[test]
    fn a_short_gap_in_a_long_session_is_still_drawn() {
        let hour = 3_600_000;
        let course = Course {
            end: Millis::new(hour),
            bars: vec![bar(0, 0, hour - 10, None), bar(1, hour - 5, hour, None)],
            gaps: vec![Gap { span: span(hour - 10, hour - 5), why: Absence::PageGone }],
            ..Course::default()
        };
        let picture = html(|| view! { <Picture course has_file=false/> });
        let least = hour / SMALLEST_PART;
        let gap = format!(
            "x=\"{}\" y=\"0\" width=\"{least}\" height=\"34\" class=\"map-gap\"",
            hour - least
        );
        assert!(picture.contains(&gap), "{picture}");
        assert!(!picture.contains("map-file"), "there is no file yet");
    }

    #[test]
    fn three_hundred_parts_are_all_drawn_and_their_table_is_folded() {
        let bars: Vec<Bar> = (0..300u32)
            .map(|n| bar(n, u64::from(n) * 1_000, u64::from(n) * 1_000 + 800, Some(800)))
            .collect();
        let gaps = (0..299u64)
            .map(|n| Gap { span: span(n * 1_000 + 800, (n + 1) * 1_000), why: Absence::PageGone })
            .collect();
        let course = Course { end: Millis::new(299_800), bars, gaps, ..Course::default() };
        let table = html(|| view! { <Interruptions course=course.clone()/> });
        assert!(table.contains("Show all 299 interruptions"), "{table}");
        assert_eq!(table.matches("<tr").count(), 300);
        let picture = html(|| view! { <Picture course has_file=true/> });
        assert_eq!(picture.matches("map-recorded").count(), 300);
        assert_eq!(picture.matches("map-shift").count(), 300);
    }
}

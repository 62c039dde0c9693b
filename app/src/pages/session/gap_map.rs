//! "Recorded over time": wall-clock against media time, in a sentence, as a picture, and as the
//! table that says the same.

use leptos::prelude::*;
use protocol::Millis;
use timeline::{Gap, Run, Span, TrackTimeline, main_track, outages};

use super::descriptions::of_gap;
use super::{Folded, More};
use crate::format;
use crate::views::{RecordingView, SessionView, TrackView};

/// The picture's height in its own units; its width is the session's in milliseconds, so that
/// places need no conversion.
const HEIGHT: u64 = 100;
/// From top to bottom: what was recorded, the connection, and the file.
const RECORDED: (u64, u64) = (0, 34);
const CONNECTION: (u64, u64) = (40, 6);
const FILE: (u64, u64) = (70, 30);
/// A companion track has a picture of its own.
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
/// What is said where a session has more than it keeps.
const MORE_PAUSES: &str = "There were more pauses than are kept: the later ones are not told here.";
const MORE_OUTAGES: &str =
    "The connection was lost more often than is kept: the later times are not told here.";

/// What there is to draw and to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    main: TrackTimeline,
    companions: Vec<Companion>,
    /// When the server was out of reach.
    outages: Vec<Span>,
    /// Of the track that goes on longest.
    end: Millis,
    /// There were more than are kept.
    has_more_pauses: bool,
    has_more_outages: bool,
}

/// A track that was recorded together with the main one.
#[derive(Debug, Clone)]
struct Companion {
    name: String,
    time: TrackTimeline,
}

impl Map {
    pub(super) fn of(view: &SessionView) -> Self {
        let SessionView { timeline, connections, tracks, .. } = view;
        let main_track = main_track(&timeline.segments);
        let others = tracks.iter().filter(|track| Some(track.track) != main_track);
        let companion = |track: &TrackView| Companion {
            name: format::track_name(track.kind, &track.label),
            time: timeline.of_track(track.track),
        };
        let companions: Vec<Companion> = others.map(companion).collect();
        let main = timeline.of_main_track();
        Self {
            outages: outages(connections, main.end),
            end: companions.iter().map(|one| one.time.end).fold(main.end, Millis::max),
            has_more_pauses: timeline.pauses.has_more,
            has_more_outages: connections.has_more,
            companions,
            main,
        }
    }
}

#[component]
pub(super) fn GapMap(map: Map, recording: Option<RecordingView>) -> impl IntoView {
    if map.main.end == Millis::ZERO {
        return ().into_any();
    }
    let end = map.end;
    let file = recording.map(|recording| recording.duration);
    let sentences = summary(&map, file);
    let companions = map.companions.clone();
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
                <Picture map=map.clone() has_file=file.is_some()/>
                {companions
                    .into_iter()
                    .map(|companion| view! { <Strip companion end/> })
                    .collect_view()}
                <div class="gap-map-scale" aria-hidden="true">
                    <span>"0:00"</span>
                    <span>{format::duration(Millis::new(end.get() / 2))}</span>
                    <span>{format::duration(end)}</span>
                </div>
                <figcaption><Legend map=map.clone()/></figcaption>
            </figure>
            <Interruptions map/>
        </section>
    }
    .into_any()
}

/// How wall-clock, timeline and file belong together.
fn summary(map: &Map, file: Option<Millis>) -> Vec<String> {
    let TrackTimeline { runs, gaps, pauses, .. } = &map.main;
    let paused = total(pauses.iter().copied());
    let captured = total(runs.iter().map(|run| run.span)).since(paused);
    let recorded = format::fine_span(file.unwrap_or(captured));
    let parts = match runs.len() {
        1 => "in one part".to_owned(),
        parts => format!("in {}", format::count(parts as u64, "part", "parts")),
    };
    let mut first = format!("Recorded {recorded} {parts}");
    let without = without(gaps);
    if !without.is_empty() {
        first.push_str(&format!("; {} between them", without.join(", ")));
    }
    first.push('.');
    let mut sentences = vec![first];
    if !pauses.is_empty() {
        let paused = format::fine_span(paused);
        sentences.push(match pauses.len() {
            1 => format!("Paused once, for {paused}."),
            times => format!("Paused {times} times, for {paused} in all."),
        });
    }
    if map.has_more_pauses {
        sentences.push(MORE_PAUSES.to_owned());
    }
    if !map.outages.is_empty() {
        let lost = format::fine_span(total(map.outages.iter().copied()));
        sentences.push(format!(
            "The server was out of reach for {lost}; the browser went on recording and kept it."
        ));
    }
    if map.has_more_outages {
        sentences.push(MORE_OUTAGES.to_owned());
    }
    if let Some(file) = file {
        let (clock, file) = (format::fine_span(map.end), format::fine_span(file));
        sentences.push(if gaps.is_empty() && pauses.is_empty() {
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
        let (_, what) = of_gap(gap.cause);
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
fn Picture(map: Map, has_file: bool) -> impl IntoView {
    let Map { main, outages, end, .. } = map;
    let rects = |spans: &[Span], row, class| rects(spans, row, class, end);
    let runs: Vec<Span> = main.runs.iter().map(|run| run.span).collect();
    let gaps: Vec<Span> = main.gaps.iter().map(|gap| gap.span).collect();
    let whole = Span { from: Millis::ZERO, to: end };
    let pieces = if has_file { in_file(&main.runs) } else { Vec::new() };
    let shifts = runs.iter().zip(&pieces).take(SHIFTS_MAX);
    let shifts = shifts.map(|(run, piece)| shift(*run, *piece)).collect_view();
    view! {
        <svg
            class="gap-map-picture"
            viewBox=format!("0 0 {} {HEIGHT}", end.get())
            preserveAspectRatio="none"
            role="img"
            aria-label="When something was recorded, when the server was in reach, and where both \
                are in the file. The table below says the same."
        >
            {rects(&runs, RECORDED, "map-recorded")}
            {rects(&gaps, RECORDED, "map-gap")}
            {rects(&main.pauses, RECORDED, "map-pause")}
            {rects(&[whole], CONNECTION, "map-connected")}
            {rects(&outages, CONNECTION, "map-lost")}
            {shifts}
            {rects(&pieces, FILE, "map-file")}
        </svg>
    }
}

/// When a companion track was recorded.
#[component]
fn Strip(companion: Companion, end: Millis) -> impl IntoView {
    let Companion { name, time } = companion;
    let runs: Vec<Span> = time.runs.iter().map(|run| run.span).collect();
    let told = format!("{name}: {}", when(&runs));
    view! {
        <span class="gap-map-track" title=name.clone() aria-hidden="true">{name.clone()}</span>
        <svg
            class="gap-map-strip"
            viewBox=format!("0 0 {} {HEIGHT}", end.get())
            preserveAspectRatio="none"
            role="img"
            aria-label=told
        >
            {rects(&runs, WHOLE_STRIP, "map-recorded", end)}
            {rects(&time.pauses, WHOLE_STRIP, "map-pause", end)}
        </svg>
    }
}

/// "0:02 to 0:14, 0:20 to 1:05"; of many, how many there are.
fn when(runs: &[Span]) -> String {
    if runs.len() > SPANS_TOLD_MAX {
        return format::count(runs.len() as u64, "part", "parts");
    }
    let span =
        |run: &Span| format!("{} to {}", format::duration(run.from), format::duration(run.to));
    runs.iter().map(span).collect::<Vec<_>>().join(", ")
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
fn in_file(runs: &[Run]) -> Vec<Span> {
    let mut from = Millis::ZERO;
    let place = |run: &Run| {
        let span = Span { from, to: from + run.in_file.unwrap_or_default() };
        from = span.to;
        span
    };
    runs.iter().map(place).collect()
}

/// Leads the eye from a run to its place in the file.
fn shift(run: Span, piece: Span) -> impl IntoView {
    let (top, bottom) = (CONNECTION.0 + CONNECTION.1, FILE.0);
    let points = format!(
        "{},{top} {},{top} {},{bottom} {},{bottom}",
        run.from.get(),
        run.to.get(),
        piece.to.get(),
        piece.from.get()
    );
    view! { <polygon class="map-shift" points=points></polygon> }
}

#[component]
fn Legend(map: Map) -> impl IntoView {
    let key = |shown: bool, class: &'static str, label: &'static str| {
        shown.then(|| view! { <li><span class=format!("key {class}")></span>{label}</li> })
    };
    view! {
        <ul class="gap-map-legend" role="list">
            {key(true, "key-recorded", "recorded")}
            {key(!map.main.pauses.is_empty(), "key-pause", "paused")}
            {key(!map.main.gaps.is_empty(), "key-gap", "nothing recorded")}
            {key(!map.outages.is_empty(), "key-lost", "server out of reach")}
        </ul>
    }
}

#[component]
fn Interruptions(map: Map) -> impl IntoView {
    let Map { main: TrackTimeline { gaps, pauses, .. }, outages, .. } = map;
    let gaps = gaps.into_iter().map(|gap| (gap.span, of_gap(gap.cause).0));
    let pauses = pauses.into_iter().map(|span| (span, "Paused by the candidate"));
    let outages = outages
        .into_iter()
        .map(|span| (span, "Server out of reach; recording went on in the browser"));
    let mut rows: Vec<(Span, &'static str)> = gaps.chain(pauses).chain(outages).collect();
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
mod tests;

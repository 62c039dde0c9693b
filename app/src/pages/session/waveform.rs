//! The sounds of the recording as pictures to seek in; with the first, a mark wherever recording
//! stopped for a while. A script draws it (`style/waveform.js`); without it the player is all there is.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use protocol::{Millis, SessionId};
use timeline::{Splice, SpliceCause};

use super::More;
use super::descriptions::of_gap;
use crate::views::RecordingView;
use crate::{assets, format, paths};

/// Marks in one picture; more are a blur.
const MARKS_MAX: usize = 200;

/// A place in the file where time is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    at: Millis,
    kind: MarkKind,
    what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkKind {
    Pause,
    Gap,
}

#[component]
pub(super) fn Waveform(
    id: SessionId,
    recording: RecordingView,
    splices: Vec<Splice>,
    /// Of the track that it is of, where there are several.
    name: Option<String>,
) -> impl IntoView {
    let all = marks(splices);
    let (count, more) = (all.len(), all.len().saturating_sub(MARKS_MAX));
    let marks = all.into_iter().take(MARKS_MAX);
    view! {
        <div
            class="waveform"
            data-peaks=paths::waveform(id, 0)
            data-seconds=seconds_of(recording.duration)
            hidden
        >
            {name.clone().map(|name| view! { <p class="waveform-name">{name}</p> })}
            <Picture duration=recording.duration name/>
            <p class="waveform-zoom">
                <button type="button" class="button-small" data-zoom="2">"Zoom in"</button>
                <button type="button" class="button-small" data-zoom="0.5">"Zoom out"</button>
                <button type="button" class="button-small" data-zoom="0">"Show all"</button>
            </p>
            {(count > 0)
                .then(|| {
                    view! {
                        <details class="waveform-marks">
                            <summary>
                                {format::count(count as u64, "interruption", "interruptions")}
                            </summary>
                            <ul>{marks.map(mark_row).collect_view()}</ul>
                            <More rows=more what="interruptions"/>
                        </details>
                    }
                })}
            <script type="module" src=assets::address("style/waveform.js") nonce=use_nonce()></script>
        </div>
    }
}

/// Another sound of the recording.
#[component]
pub(super) fn MoreSound(
    id: SessionId,
    sound: u32,
    duration: Millis,
    name: String,
) -> impl IntoView {
    view! {
        <div
            class="waveform waveform-small"
            data-peaks=paths::waveform(id, sound)
            data-seconds=seconds_of(duration)
            hidden
        >
            <Picture duration name=Some(name)/>
        </div>
    }
}

#[component]
fn Picture(duration: Millis, name: Option<String>) -> impl IntoView {
    let label = match name {
        Some(name) => format!("Place in the recording, {name}"),
        None => "Place in the recording".to_owned(),
    };
    view! {
        <div
            class="waveform-picture"
            role="slider"
            tabindex="0"
            aria-label=label
            aria-valuemin="0"
            aria-valuemax=duration.get().div_ceil(1000)
            aria-valuenow="0"
        >
            <canvas aria-hidden="true"></canvas>
        </div>
    }
}

fn mark_row(mark: Mark) -> impl IntoView {
    let kind = match mark.kind {
        MarkKind::Pause => "pause",
        MarkKind::Gap => "gap",
    };
    view! {
        <li>
            <button
                type="button"
                class="button-small"
                data-seek=seconds_of(mark.at)
                data-kind=kind
            >
                {format::duration(mark.at)}
            </button>
            {mark.what}
        </li>
    }
}

/// As scripts read it.
pub(super) fn seconds_of(place: Millis) -> String {
    format!("{}.{:03}", place.get() / 1000, place.get() % 1000)
}

fn marks(splices: Vec<Splice>) -> Vec<Mark> {
    splices.into_iter().filter(|splice| splice.span.length() > Millis::ZERO).map(mark).collect()
}

fn mark(Splice { at, span, cause }: Splice) -> Mark {
    let length = format::fine_span(span.length());
    match cause {
        SpliceCause::Pause => {
            Mark { at, kind: MarkKind::Pause, what: format!("paused for {length}") }
        }
        SpliceCause::Gap(cause) => {
            let (_, without) = of_gap(cause);
            Mark { at, kind: MarkKind::Gap, what: format!("{length} without {without}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, session_id};
    use protocol::{Digest, SegmentNo};
    use timeline::{Gap, GapCause, Run, Span, TrackTimeline};

    fn span(from: u64, to: u64) -> Span {
        Span { from: Millis::new(from), to: Millis::new(to) }
    }

    fn run(segment: u32, from: u64, to: u64, in_file: u64) -> Run {
        let in_file = Some(Millis::new(in_file));
        Run { segment: SegmentNo::new(segment), span: span(from, to), in_file }
    }

    /// Ten seconds with a pause of two, three seconds without a page, five seconds.
    fn interrupted() -> TrackTimeline {
        TrackTimeline {
            end: Millis::new(18_000),
            runs: vec![run(0, 0, 10_000, 8_000), run(1, 13_000, 18_000, 5_000)],
            gaps: vec![Gap { span: span(10_000, 13_000), cause: GapCause::PageLeft }],
            pauses: vec![span(4_000, 6_000)],
            ..TrackTimeline::default()
        }
    }

    fn recording() -> RecordingView {
        RecordingView {
            items: 53,
            mime: "audio/webm".to_owned(),
            has_video: false,
            bytes: 1,
            duration: Millis::new(13_000),
            is_mixed: false,
            left_out: 0,
            is_silent: None,
            digest: Some(Digest::from_bytes([0; 32])),
        }
    }

    #[test]
    fn marks_stand_where_they_are_in_the_file() {
        let marks = marks(interrupted().splices());
        let places: Vec<_> = marks.iter().map(|mark| (mark.at.get(), mark.kind)).collect();
        assert_eq!(places, [(4_000, MarkKind::Pause), (8_000, MarkKind::Gap)]);
        assert_eq!(marks[0].what, "paused for 2 s");
        assert_eq!(marks[1].what, "3 s without a page");
    }

    #[test]
    fn as_many_marks_as_the_limit_are_drawn_and_of_more_it_is_told_how_many() {
        let pauses = |count: u64| TrackTimeline {
            runs: vec![run(0, 0, 100_000, 90_000)],
            pauses: (0..count).map(|no| span(no * 100, no * 100 + 50)).collect(),
            ..TrackTimeline::default()
        };
        let page = |count: usize| {
            let splices = pauses(count as u64).splices();
            html(|| view! { <Waveform id=session_id(1) recording=recording() splices name=None/> })
        };
        let most = page(MARKS_MAX);
        assert_eq!(most.matches("data-seek").count(), MARKS_MAX);
        assert!(most.contains("200 interruptions") && !most.contains("more"), "{most}");
        let past = page(MARKS_MAX + 1);
        assert_eq!(past.matches("data-seek").count(), MARKS_MAX);
        assert!(past.contains("201 interruptions") && past.contains("And 1 more"), "{past}");
    }

    #[test]
    fn the_picture_is_a_slider_and_hidden_until_it_is_drawn() {
        let recording = recording();
        let splices = interrupted().splices();
        let page = html(|| view! { <Waveform id=session_id(1) recording splices name=None/> });
        assert!(page.contains("role=\"slider\"") && page.contains("hidden"), "{page}");
        assert!(page.contains("data-seconds=\"13.000\"") && page.contains("aria-valuemax=\"13\""));
        assert!(page.contains("data-seek=\"8.000\"") && page.contains("2 interruptions"), "{page}");
    }
}

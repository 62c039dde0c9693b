//! The recorder runs of all tracks, and where they are to be had.

use leptos::prelude::*;
use protocol::Millis;
use timeline::Segment;

use super::{Folded, More};
use crate::format;

/// Rows of the table; the session's JSON has all.
const SEGMENTS_TOLD_MAX: usize = 500;

#[component]
pub(super) fn Segments(mut segments: Vec<Segment>) -> impl IntoView {
    if segments.is_empty() {
        return ().into_any();
    }
    let more = segments.len().saturating_sub(SEGMENTS_TOLD_MAX);
    segments.truncate(SEGMENTS_TOLD_MAX);
    view! {
        <section>
            <h2 id="segments">"Tracks and segments"</h2>
            <p>
                "A segment is one uninterrupted run of the recorder. A reload or a change of "
                "device starts a new one."
            </p>
            <Folded rows=segments.len() what="segments">
                <div class="scroll" role="region" aria-labelledby="segments" tabindex="0">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">"Track"</th>
                                <th scope="col" class="number">"Segment"</th>
                                <th scope="col">"Source"</th>
                                <th scope="col">"Format"</th>
                                <th scope="col" class="number">"Start"</th>
                                <th scope="col" class="number">"Duration"</th>
                            </tr>
                        </thead>
                        <tbody>
                            {segments.into_iter().map(|segment| view! { <Row segment/> }).collect_view()}
                        </tbody>
                    </table>
                    <More rows=more what="segments"/>
                </div>
            </Folded>
        </section>
    }
    .into_any()
}

/// People count from 1; the numbers on the wire start at 0.
#[component]
fn Row(segment: Segment) -> impl IntoView {
    let duration = segment.duration.map_or_else(|| "–".to_owned(), format::duration);
    let elsewhere = elsewhere(&segment).map(|what| view! { <span class="aside">{what}</span> });
    let label =
        (!segment.label.is_empty()).then(|| view! { <span class="aside">{segment.label}</span> });
    view! {
        <tr>
            <td>{u16::from(segment.track.get()) + 1}</td>
            <td class="number">{u64::from(segment.segment.get()) + 1}</td>
            <td>{format::track_kind(segment.kind)}{label}</td>
            <td><code>{segment.mime}</code>{elsewhere}</td>
            <td class="number">{format::duration(segment.started_at)}</td>
            <td class="number">{duration}</td>
        </tr>
    }
}

/// Of a run that is not, or not wholly, in the first file of its track.
fn elsewhere(segment: &Segment) -> Option<&'static str> {
    match (segment.duration?, segment.in_file?) {
        (Millis::ZERO, _) => Some("in no file"),
        (whole, in_file) if in_file < whole => Some("in another file"),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, text};
    use protocol::{SegmentNo, TrackKind, TrackNo};

    #[test]
    fn of_many_segments_the_first_are_told_and_how_many_more_there_are() {
        let segment = |number: usize| {
            let number = SegmentNo::new(u32::try_from(number).unwrap());
            Segment::new(TrackNo::new(0), number, TrackKind::Microphone, Millis::ZERO)
        };
        let page =
            |count| html(|| view! { <Segments segments=(0..count).map(segment).collect()/> });
        assert!(!page(SEGMENTS_TOLD_MAX).contains("more"));
        let past = page(SEGMENTS_TOLD_MAX + 1);
        assert_eq!(past.matches("<tr").count(), SEGMENTS_TOLD_MAX + 1);
        assert!(text(&past).contains("1 more segments"), "{past}");
    }
}

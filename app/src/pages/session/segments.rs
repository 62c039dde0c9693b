//! The recorder runs of all tracks, and where they are to be had.

use leptos::prelude::*;
use protocol::Millis;

use super::Folded;
use crate::format;
use crate::views::SegmentRow;

#[component]
pub(super) fn Segments(segments: Vec<SegmentRow>) -> impl IntoView {
    if segments.is_empty() {
        return ().into_any();
    }
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
                            {segments.into_iter().map(|row| view! { <Segment row/> }).collect_view()}
                        </tbody>
                    </table>
                </div>
            </Folded>
        </section>
    }
    .into_any()
}

/// People count from 1; the numbers on the wire start at 0.
#[component]
fn Segment(row: SegmentRow) -> impl IntoView {
    let duration = row.duration.map_or_else(|| "–".to_owned(), format::duration);
    let elsewhere = elsewhere(&row).map(|what| view! { <span class="aside">{what}</span> });
    let label = (!row.label.is_empty()).then(|| view! { <span class="aside">{row.label}</span> });
    view! {
        <tr>
            <td>{u16::from(row.track.get()) + 1}</td>
            <td class="number">{u64::from(row.segment.get()) + 1}</td>
            <td>{format::track_kind(row.kind)}{label}</td>
            <td><code>{row.mime}</code>{elsewhere}</td>
            <td class="number">{format::duration(row.start)}</td>
            <td class="number">{duration}</td>
        </tr>
    }
}

/// Of a run that is not, or not wholly, in the first file of its track.
fn elsewhere(row: &SegmentRow) -> Option<&'static str> {
    match (row.duration?, row.in_file?) {
        (Millis::ZERO, _) => Some("in no file"),
        (whole, in_file) if in_file < whole => Some("in another file"),
        (_, _) => None,
    }
}

//! Whether everything arrived, and the receipt for it.

use leptos::prelude::*;

use crate::format;
use crate::views::{LeftOutRow, RecordingView, SessionView};

#[component]
pub(super) fn Completeness(view: SessionView) -> impl IntoView {
    let open = view.status.takes_items();
    let arrived = format!(
        "{} received, {}.",
        format::count(view.items, "item", "items"),
        format::size(view.bytes)
    );
    let whole = view.missing.is_empty();
    // Before the end nobody knows the last number.
    let so_far = if open && whole { " so far." } else { "." };
    let left_out = view.recording.as_ref().map_or(0, |recording| recording.left_out);
    view! {
        <section>
            <h2>"Completeness"</h2>
            <p class=if whole { "whole" } else { "lost" }>
                {format::missing(&view.missing, open)}{so_far}
            </p>
            <p>
                {arrived}
                {(whole && !open).then_some(" Every number from the first to the last is there.")}
            </p>
            {(left_out > 0).then(|| view! { <LeftOut runs=left_out rows=view.left_out/> })}
        </section>
    }
}

/// What arrived and is in no file, run by run.
#[component]
fn LeftOut(runs: u32, rows: Vec<LeftOutRow>) -> impl IntoView {
    let rows: Vec<_> = rows.into_iter().map(|row| view! { <li>{left_out(&row)}</li> }).collect();
    view! {
        <p class="lost">
            {format::count(u64::from(runs), "segment is", "segments are")}
            " in no file, or not wholly. The server keeps all chunks of this session."
        </p>
        <ul class="left-out">{rows}</ul>
    }
}

fn left_out(row: &LeftOutRow) -> String {
    let LeftOutRow { track, segment, packets, bytes, why } = row;
    let track = u16::from(track.get()) + 1;
    let what = match packets {
        0 => format::size(*bytes),
        _ => format!("{}, {}", format::count(*packets, "packet", "packets"), format::size(*bytes)),
    };
    format!("Track {track}, segment {}: {what}. {why}.", segment.get() + 1)
}

#[component]
pub(super) fn Proof(items: u64, recording: RecordingView) -> impl IntoView {
    view! {
        <section>
            <h2>"Receipt"</h2>
            <dl class="facts">
                <div><dt>"Items"</dt><dd>{format::grouped(items)}</dd></div>
                <div><dt>"Duration"</dt><dd>{format::duration(recording.duration)}</dd></div>
                <div>
                    <dt>"File size"</dt>
                    <dd>
                        {format::size(recording.bytes)}" ("
                        {format::count(recording.bytes, "byte", "bytes")}")"
                    </dd>
                </div>
                <div>
                    <dt>"SHA-256"</dt>
                    <dd><code>{recording.digest.to_string()}</code></dd>
                </div>
            </dl>
        </section>
    }
}

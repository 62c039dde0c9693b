//! Whether everything arrived and can be played, and the receipt for it.

use leptos::prelude::*;
use protocol::item::ItemError;
use protocol::{Event, SessionStatus};

use crate::format;
use crate::views::{LeftOutRow, LogEntry, RecordingView, SessionView};

#[component]
pub(super) fn Completeness(view: SessionView) -> impl IntoView {
    let open = view.status.takes_items();
    let arrived = format!(
        "{} received, {}.",
        format::count(view.items, "item", "items"),
        format::size(view.bytes)
    );
    let flaws = flaws(&view);
    let whole = flaws.is_empty();
    // Before the end nobody knows the last number.
    let nothing = if open { "Nothing is missing so far." } else { "Nothing is missing." };
    view! {
        <section>
            <h2>"Completeness"</h2>
            {whole.then(|| view! { <p class="whole">{nothing}</p> })}
            {flaws.into_iter().map(|flaw| view! { <p class="lost">{flaw}</p> }).collect_view()}
            <p>
                {arrived}
                {(whole && !open).then_some(" Every number from the first to the last is there.")}
            </p>
            {(!view.left_out.is_empty()).then(|| view! { <LeftOut rows=view.left_out/> })}
        </section>
    }
}

/// All that keeps a session from being whole; only without any is nothing missing.
fn flaws(view: &SessionView) -> Vec<String> {
    let mut flaws = Vec::new();
    if !view.missing.is_empty() {
        flaws.push(format!("{}.", format::missing(&view.missing, view.status.takes_items())));
    }
    let refused = refused(&view.log);
    if refused > 0 {
        let items = format::count(refused, "item that was sent was", "items that were sent were");
        flaws.push(format!("{items} not accepted: see below what happened."));
    }
    let left_out = view.recording.as_ref().map_or(0, |recording| recording.left_out);
    if left_out > 0 {
        flaws.push(format!("{}.", format::left_out(left_out)));
    }
    if let Some(late) = &view.supplement {
        let items = format::count(late.items, "item", "items");
        flaws.push(format!("The recording lacks {items} that came later: see “Came later”."));
    }
    let left_out_later = view.supplement.as_ref().map_or(0, |late| late.left_out_runs);
    if left_out_later > 0 {
        let parts = format::count(left_out_later.into(), "part", "parts");
        flaws.push(format!(
            "{parts} of what came later could not be put into a file, or not wholly; the server \
             keeps what arrived."
        ));
    }
    if view.status == SessionStatus::Failed {
        flaws.push("No recording could be made; the server keeps what has arrived.".to_owned());
    }
    flaws
}

/// Items that the server would not take, then or later. What was only damaged on the way came again,
/// or is missing.
fn refused(log: &[LogEntry]) -> u64 {
    let mut refused: u64 = 0;
    let mut conflicts: u64 = 0;
    for event in log.iter().filter_map(|entry| entry.event.as_ref()) {
        if let Event::ItemsRefused { reasons } = event {
            let for_good =
                reasons.iter().filter(|(reason, _)| *reason != ItemError::WrongDigest.as_str());
            refused = for_good.fold(refused, |sum, (_, items)| sum.saturating_add(*items));
        } else if let Event::DigestConflict { .. } = event {
            conflicts += 1;
        }
    }
    // Those of a connection are counted when it ends, the first of them is told at once.
    refused.max(conflicts)
}

/// Recorder runs whose flaws are told one by one.
const LEFT_OUT_TOLD_MAX: usize = 100;

/// What arrived and is in no file, run by run.
#[component]
pub(super) fn LeftOut(rows: Vec<LeftOutRow>) -> impl IntoView {
    let more = rows.len().saturating_sub(LEFT_OUT_TOLD_MAX) as u64;
    let told = rows.iter().take(LEFT_OUT_TOLD_MAX).map(left_out);
    let told: Vec<_> = told.map(|row| view! { <li>{row}</li> }).collect();
    view! {
        <ul class="left-out">
            {told}
            {(more > 0).then(|| view! { <li>{format::count(more, "more run", "more runs")}</li> })}
        </ul>
    }
}

fn left_out(row: &LeftOutRow) -> String {
    let LeftOutRow { track, segment, packets, bytes, why } = row;
    let track = u16::from(track.get()) + 1;
    let what = match packets {
        0 => format::size(*bytes),
        _ => format!("{}, {}", format::count(*packets, "packet", "packets"), format::size(*bytes)),
    };
    format!("Track {track}, segment {}: {what} ({why})", segment.get() + 1)
}

#[component]
pub(super) fn Proof(recording: RecordingView) -> impl IntoView {
    let silent = recording.is_silent == Some(true);
    view! {
        <section>
            <h2>"Receipt"</h2>
            <dl class="facts">
                <div><dt>"Items"</dt><dd>{format::grouped(recording.items)}</dd></div>
                <div><dt>"Duration"</dt><dd>{format::duration(recording.duration)}</dd></div>
                <div>
                    <dt>"File size"</dt>
                    <dd>
                        {format::size(recording.bytes)}" ("
                        {format::count(recording.bytes, "byte", "bytes")}")"
                    </dd>
                </div>
                {silent.then(|| view! { <div><dt>"Sound"</dt><dd>"Nothing but silence"</dd></div> })}
                {recording.digest.map(|digest| view! {
                    <div>
                        <dt>"SHA-256"</dt>
                        <dd><code>{digest.to_string()}</code></dd>
                    </div>
                })}
            </dl>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::session::tests::a_completed_session;
    use crate::rendering::{html, instant, text};
    use crate::views::SupplementView;
    use protocol::{Millis, SegmentNo, Seq, TrackNo};

    fn shown(view: SessionView) -> String {
        text(&html(|| view! { <Completeness view/> }))
    }

    fn log(event: Event) -> Vec<LogEntry> {
        vec![LogEntry { at: instant(9), place: Millis::ZERO, event: Some(event) }]
    }

    fn refusals(reason: &str, items: u64) -> Vec<LogEntry> {
        let reasons = [(reason.to_owned(), items)].into_iter().collect();
        log(Event::ItemsRefused { reasons })
    }

    #[test]
    fn whatever_is_wrong_nothing_missing_is_not_said() {
        let whole = a_completed_session();
        let left_out = whole.recording.clone().map(|one| RecordingView { left_out: 1, ..one });
        let seven = Event::DigestConflict { seq: Seq::new(7) };
        for (view, says) in [
            (
                SessionView { missing: [Seq::new(5)].into_iter().collect(), ..whole.clone() },
                "Chunk 5 never arrived.",
            ),
            (
                SessionView { recording: left_out, ..whole.clone() },
                "1 part could not be put into the file, or not wholly; the server keeps what",
            ),
            (
                SessionView { status: SessionStatus::Failed, recording: None, ..whole.clone() },
                "No recording could be made; the server keeps what has arrived.",
            ),
            (
                SessionView { log: refusals("session_finished", 2), ..whole.clone() },
                "2 items that were sent were not accepted",
            ),
            (
                SessionView { log: log(seven), ..whole.clone() },
                "1 item that was sent was not accepted",
            ),
        ] {
            let shown = shown(view);
            assert!(shown.contains(says), "{shown}");
            assert!(!shown.contains("Nothing is missing"), "{shown}");
            assert!(!shown.contains("Every number"), "{shown}");
        }
        assert!(shown(whole).contains("Nothing is missing."));
    }

    #[test]
    fn a_recording_without_what_came_later_is_not_called_whole() {
        let late = SupplementView {
            items: 12,
            waiting_items: 0,
            given_up: None,
            last_came: instant(12),
            files: Vec::new(),
            pictures: 0,
            left_out_runs: 2,
            left_out: Vec::new(),
        };
        let shown = shown(SessionView { supplement: Some(late), ..a_completed_session() });
        assert!(shown.contains("The recording lacks 12 items that came later"), "{shown}");
        assert!(shown.contains("2 parts of what came later could not be put"), "{shown}");
        for whole in ["Nothing is missing", "Every number", "never arrived"] {
            assert!(!shown.contains(whole), "{shown}");
        }
    }

    #[test]
    fn what_is_in_no_file_is_listed_run_by_run() {
        let row = LeftOutRow {
            track: TrackNo::new(0),
            segment: SegmentNo::new(1),
            packets: 25,
            bytes: 1_600,
            why: "behind damage".to_owned(),
        };
        let shown = shown(SessionView { left_out: vec![row], ..a_completed_session() });
        let list = "Track 1, segment 2: 25 packets, 1.6 KB (behind damage)";
        assert!(shown.contains(list), "{shown}");
    }

    #[test]
    fn what_was_damaged_on_the_way_and_came_again_is_no_flaw() {
        let view = SessionView { log: refusals("wrong_digest", 3), ..a_completed_session() };
        assert!(shown(view).contains("Nothing is missing."));
    }
}

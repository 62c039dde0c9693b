//! "What happened": the log of a session as a list to be read.

use leptos::prelude::*;

use super::descriptions::{self, Tone};
use crate::format;
use crate::moment::Clock;
use crate::views::LogEntry;

/// Entries shown of a long story's beginning, and as many of its end; what lies between is folded.
const SHOWN_AT_EACH_END: usize = 12;
/// Folding less than this saves nobody anything.
const FOLDED_MIN: usize = 8;

#[component]
pub(super) fn Story(log: Vec<LogEntry>) -> impl IntoView {
    if log.is_empty() {
        return ().into_any();
    }
    let folded = folded(log.len());
    let mut entries = log.into_iter();
    let beginning: Vec<LogEntry> = match folded {
        0 => entries.by_ref().collect(),
        _ => entries.by_ref().take(SHOWN_AT_EACH_END).collect(),
    };
    let middle: Vec<LogEntry> = entries.by_ref().take(folded).collect();
    let end: Vec<LogEntry> = entries.collect();
    view! {
        <section>
            <h2>"What happened"</h2>
            <p class="aside">
                "The first time is that since the beginning, the second the time of day where you are."
            </p>
            <Entries entries=beginning/>
            {(!middle.is_empty()).then(|| view! {
                <details class="story-middle">
                    <summary>
                        {format!("Show the {} between", format::count(middle.len() as u64, "event", "events"))}
                    </summary>
                    <Entries entries=middle/>
                </details>
            })}
            {(!end.is_empty()).then(|| view! { <Entries entries=end/> })}
        </section>
    }
    .into_any()
}

/// How many entries of so many are folded away.
const fn folded(entries: usize) -> usize {
    let middle = entries.saturating_sub(2 * SHOWN_AT_EACH_END);
    if middle < FOLDED_MIN { 0 } else { middle }
}

/// The list's style hides its numbers, and with them, in some browsers, that it is a list.
#[component]
fn Entries(entries: Vec<LogEntry>) -> impl IntoView {
    view! {
        <ol class="story" role="list">
            {entries.into_iter().map(|entry| view! { <Entry entry/> }).collect_view()}
        </ol>
    }
}

#[component]
fn Entry(entry: LogEntry) -> impl IntoView {
    let (description, tone) = match &entry.event {
        Some(event) => descriptions::of_event(event),
        None => ("Something that this version of Holdfast does not know.".to_owned(), Tone::Plain),
    };
    view! {
        <li class=tone.class()>
            <span class="story-place">{format::duration(entry.place)}</span>
            <span class="story-words">{description}</span>
            <span class="story-clock"><Clock at=entry.at/></span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, instant, text};
    use protocol::{Event, Millis};

    fn story(events: usize) -> String {
        let entry = |place| LogEntry {
            at: instant(9),
            place: Millis::from_secs(place as u64),
            event: Some(Event::Paused),
        };
        html(|| view! { <Story log=(0..events).map(entry).collect()/> })
    }

    #[test]
    fn a_long_story_is_folded_in_the_middle_and_none_of_it_is_left_out() {
        let most = 2 * SHOWN_AT_EACH_END + FOLDED_MIN - 1;
        for (events, folds) in [(1, false), (most, false), (most + 1, true), (2_001, true)] {
            let page = story(events);
            assert_eq!(page.contains("<details"), folds, "{events}");
            assert_eq!(page.matches("<li").count(), events);
        }
        assert!(text(&story(600)).contains("Show the 576 events between"));
        assert!(!story(0).contains("What happened"));
    }

    #[test]
    fn what_only_a_newer_version_knows_is_not_hidden() {
        let entry = LogEntry { at: instant(9), place: Millis::ZERO, event: None };
        let page = html(|| view! { <Story log=vec![entry]/> });
        assert!(page.contains("does not know"));
    }

    #[test]
    fn a_reason_cannot_become_markup() {
        let reason = "<script>alert(1)</script>".to_owned();
        let event = Event::RecordingFailed { reason, took_ms: Millis::ZERO };
        let entry = LogEntry { at: instant(9), place: Millis::ZERO, event: Some(event) };
        assert!(!html(|| view! { <Story log=vec![entry]/> }).contains("<script>"));
    }
}

//! The list of recordings, newest first.

use leptos::prelude::*;
use protocol::SessionStatus;

use crate::badge::StatusBadge;
use crate::format;
use crate::moment::Moment;
use crate::paths;
use crate::shell::{Section, Shell};
use crate::views::{HistoryView, SessionRow};

#[component]
pub fn HistoryPage(view: HistoryView) -> impl IntoView {
    let HistoryView { rows, status, is_newest, older } = view;
    let list = if rows.is_empty() {
        view! { <Empty status is_newest/> }.into_any()
    } else {
        view! { <Rows rows/> }.into_any()
    };
    view! {
        <Shell
            title="Recordings"
            description="All recordings, newest first."
            section=Section::Recordings
            style_sheet="/assets/style/recordings.css"
        >
            <div class="title-row">
                <h1>"Recordings"</h1>
                <a class="button" href=paths::RECORD>"New recording"</a>
            </div>
            <Filter status/>
            {list}
            <Paging status is_newest older/>
            <p class="work-link"><a href=paths::JOBS>"Work that is due on this server"</a></p>
        </Shell>
    }
}

#[component]
fn Filter(status: Option<SessionStatus>) -> impl IntoView {
    let choices = std::iter::once(None).chain(SessionStatus::ALL.into_iter().map(Some));
    view! {
        <nav class="filter" aria-label="Filter by status">
            <ul>
                {choices
                    .map(|choice| view! {
                        <li>
                            <a
                                href=paths::history(choice, None)
                                aria-current=(choice == status).then_some("true")
                            >
                                {choice.map_or("All", SessionStatus::label)}
                            </a>
                        </li>
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}

/// A table whose rows become cards on narrow screens. The roles are spelled out because browsers
/// drop them from a table that is not laid out as one.
#[component]
fn Rows(rows: Vec<SessionRow>) -> impl IntoView {
    view! {
        <table class="rows" role="table">
            <caption class="unseen">"Recordings, newest first"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">"Started"</th>
                    <th role="columnheader" scope="col">"Status"</th>
                    <th role="columnheader" scope="col" class="number">"Duration"</th>
                    <th role="columnheader" scope="col" class="number">"Size"</th>
                    <th role="columnheader" scope="col">"Missing"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {rows.into_iter().map(|row| view! { <Row row/> }).collect_view()}
            </tbody>
        </table>
    }
}

#[component]
fn Row(row: SessionRow) -> impl IntoView {
    let duration = row.duration.map_or_else(|| "–".to_owned(), format::duration);
    let (missing, class) = missing(&row);
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <a href=paths::session(row.id)><Moment at=row.started/></a>
            </th>
            <td role="cell" class="status-cell">
                <StatusBadge status=row.status live=row.live silent=row.is_silent/>
            </td>
            <td role="cell" class="number" data-label="Duration">{duration}</td>
            <td role="cell" class="number" data-label="Size">{format::size(row.bytes)}</td>
            <td role="cell" data-label="Missing"><span class=class>{missing}</span></td>
        </tr>
    }
}

/// What is not in the recording, and how it is to be taken.
fn missing(row: &SessionRow) -> (String, &'static str) {
    match (row.missing, row.left_out, row.late) {
        (0, 0, _) if row.status == SessionStatus::Failed => ("No recording".to_owned(), "lost"),
        (0, 0, 0) => ("Nothing".to_owned(), "whole"),
        (0, 0, late) => (format!("{} came later", format::grouped(late)), "lost"),
        (0, runs, _) => (format::count(runs.into(), "part", "parts"), "lost"),
        (chunks, _, _) => (format::count(chunks, "chunk", "chunks"), "lost"),
    }
}

#[component]
fn Empty(status: Option<SessionStatus>, is_newest: bool) -> impl IntoView {
    let (title, detail, link, href) = match (status, is_newest) {
        (_, false) => (
            "No older recordings".to_owned(),
            "This is the end of the list.",
            "Newest recordings",
            paths::history(status, None),
        ),
        (Some(status), true) => (
            format!("No recording is {status}"),
            "There are none of this status at the moment.",
            "Show all recordings",
            paths::history(None, None),
        ),
        (None, true) => (
            "No recordings yet".to_owned(),
            "The first one appears here as soon as it starts.",
            "Make the first recording",
            paths::RECORD.to_owned(),
        ),
    };
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{detail}</p>
            <p><a class="button" href=href>{link}</a></p>
        </div>
    }
}

#[component]
fn Paging(status: Option<SessionStatus>, is_newest: bool, older: Option<String>) -> impl IntoView {
    let newest = (!is_newest).then(|| {
        view! { <a class="button button-quiet" href=paths::history(status, None)>"Newest recordings"</a> }
    });
    let older = older.map(|before| {
        let href = paths::history(status, Some(&before));
        view! { <a class="button button-quiet" rel="next" href=href>"Older recordings"</a> }
    });
    (newest.is_some() || older.is_some())
        .then(|| view! { <nav class="paging" aria-label="Pages">{newest}{older}</nav> })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, instant, session_id, text};
    use protocol::Millis;

    fn row(status: SessionStatus) -> SessionRow {
        SessionRow {
            id: session_id(1),
            status,
            started: instant(9),
            duration: Some(Millis::from_secs(725)),
            bytes: 1_240_000,
            missing: 0,
            left_out: 0,
            late: 0,
            is_silent: false,
            live: false,
        }
    }

    fn page(view: HistoryView) -> String {
        html(|| view! { <HistoryPage view/> })
    }

    fn listing(rows: Vec<SessionRow>) -> HistoryView {
        HistoryView { rows, status: None, is_newest: true, older: None }
    }

    #[test]
    fn a_row_tells_status_start_duration_size_and_what_is_missing() {
        let page = page(listing(vec![
            row(SessionStatus::Completed),
            SessionRow { missing: 3, ..row(SessionStatus::Incomplete) },
        ]));
        let text = text(&page);
        assert!(text.contains("14 Nov 2026, 09:30 UTC Completed 12:05 1.2 MB Nothing"), "{text}");
        assert!(text.contains("Incomplete 12:05 1.2 MB 3 chunks"), "{text}");
        assert!(page.contains(&format!("href=\"/sessions/{}\"", session_id(1))));
        assert!(page.contains(r#"datetime="2026-11-14T09:30:00Z""#));
    }

    #[test]
    fn nothing_is_missing_only_where_all_of_it_can_be_played() {
        let shown = |row: SessionRow| text(&page(listing(vec![row])));
        let left_out = SessionRow { left_out: 1, ..row(SessionStatus::Completed) };
        assert!(shown(left_out).contains("1.2 MB 1 part"));
        let failed = shown(row(SessionStatus::Failed));
        assert!(failed.contains("1.2 MB No recording"), "{failed}");
        let both = SessionRow { left_out: 1, missing: 2, ..row(SessionStatus::Completed) };
        assert!(shown(both).contains("1.2 MB 2 chunks"));
        let late = SessionRow { late: 12, ..row(SessionStatus::Completed) };
        assert!(shown(late).contains("1.2 MB 12 came later"));
    }

    #[test]
    fn a_recording_of_nothing_but_silence_is_marked() {
        let silent = SessionRow { is_silent: true, ..row(SessionStatus::Completed) };
        assert!(text(&page(listing(vec![silent]))).contains("Completed Silent 12:05"));
    }

    #[test]
    fn only_a_session_that_is_being_recorded_is_marked_live() {
        let live = SessionRow { live: true, duration: None, ..row(SessionStatus::Active) };
        assert!(text(&page(listing(vec![live]))).contains("Active Live – 1.2 MB"));
        assert!(!text(&page(listing(vec![row(SessionStatus::Active)]))).contains("Live"));
    }

    #[test]
    fn an_empty_history_invites_to_record() {
        let page = page(listing(vec![]));
        assert!(page.contains("No recordings yet") && page.contains("Make the first recording"));
        assert!(!page.contains("<table"));
    }

    #[test]
    fn an_empty_filter_leads_back_to_everything() {
        let view = HistoryView { status: Some(SessionStatus::Failed), ..listing(vec![]) };
        let page = page(view);
        assert!(page.contains("No recording is failed") && page.contains("Show all recordings"));
        assert!(!page.contains("Make the first recording"));
    }

    #[test]
    fn the_way_to_older_recordings_keeps_the_filter() {
        let view = HistoryView {
            status: Some(SessionStatus::Completed),
            older: Some("abc".to_owned()),
            ..listing(vec![row(SessionStatus::Completed)])
        };
        let page = page(view);
        assert!(page.contains(r#"href="/?before=abc&amp;status=completed""#), "{page}");
        assert!(!page.contains("Newest recordings"));
        let chosen = page.find(r#"aria-current="true""#).unwrap();
        assert!(page[chosen..].starts_with(r#"aria-current="true">Completed"#), "{page}");
    }

    #[test]
    fn the_history_loads_no_web_assembly_and_has_no_inline_code() {
        let page = page(listing(vec![row(SessionStatus::Completed)]));
        assert!(!page.contains("wasm") && !page.contains("style=\""));
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("<h1").count(), 1);
        assert!(page.starts_with("<!DOCTYPE html>"));
    }
}

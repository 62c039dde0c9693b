//! "Came later": what came after the recording was made, to be played by itself.

use leptos::prelude::*;
use protocol::{SessionId, TrackKind};

use super::completeness::LeftOut;
use crate::moment::Moment;
use crate::views::{GivenUpView, SupplementFileView, SupplementView};
use crate::{format, paths};

#[component]
pub(super) fn Supplement(id: SessionId, supplement: SupplementView) -> impl IntoView {
    let SupplementView {
        items, waiting_items, given_up, last_came, files, pictures, left_out, ..
    } = supplement;
    let nothing_plays = files.is_empty() && waiting_items < items;
    let files = files.into_iter().map(|file| view! { <File id file/> }).collect_view();
    view! {
        <section>
            <h2>"Came later"</h2>
            <p>
                {format::count(items, "item", "items")}
                " came from the candidate's device after the recording was made, the last of them on "
                <Moment at=last_came/> ". The recording above is as it was before."
            </p>
            <ul class="tracks" role="list">{files}</ul>
            {nothing_plays.then(|| view! { <p>"Nothing of it can be played."</p> })}
            {(waiting_items > 0).then(|| view! { <Waiting items=waiting_items given_up/> })}
            {(pictures > 0).then(|| view! { <p>{of_pictures(pictures)}</p> })}
            {(!left_out.is_empty()).then(|| view! { <LeftOut rows=left_out/> })}
        </section>
    }
}

/// What of it is in no file yet, and when it will be.
#[component]
fn Waiting(items: u64, given_up: Option<GivenUpView>) -> impl IntoView {
    let items = format::count(items, "item is", "items are");
    let Some(GivenUpView { why, is_begun_by_more }) = given_up else {
        let soon = "that is done once nothing more comes for a while.";
        return view! { <p>{format!("{items} yet to be put into a file: {soon}")}</p> }.into_any();
    };
    let when = if is_begun_by_more { "when more comes, or by" } else { "only by" };
    view! {
        <p class="lost">
            {format!("{items} in no file yet: making it was given up ({why}). It begins again {when} “Try again” on the page ")}
            <a href=paths::JOBS>"Work"</a>
            "."
        </p>
    }
    .into_any()
}

fn of_pictures(pictures: u64) -> String {
    let pictures = format::count(pictures, "picture", "pictures");
    format!("{pictures} among it: kept on the server, and not shown here.")
}

#[component]
fn File(id: SessionId, file: SupplementFileView) -> impl IntoView {
    let SupplementFileView { track, part, .. } = file;
    let name = name_of(&file);
    let source = paths::supplement(id, track, part);
    let player = if file.has_video {
        view! {
            <video controls preload="metadata" playsinline src=source aria-label=name.clone()></video>
        }
        .into_any()
    } else {
        view! { <audio controls preload="metadata" src=source aria-label=name.clone()></audio> }
            .into_any()
    };
    view! {
        <li>
            <p class="track-head">
                <strong>{name.clone()}</strong>
                <span class="aside">
                    {format!("{}, {}", format::duration(file.duration), format::size(file.bytes))}
                </span>
                <a
                    class="button-small"
                    href=paths::supplement_download(id, track, part)
                    download
                    aria-label=format!("Download {name}")
                >
                    "Download"
                </a>
            </p>
            {player}
        </li>
    }
}

fn name_of(file: &SupplementFileView) -> String {
    let numbered = || format!("Track {}", u16::from(file.track.get()) + 1);
    let of_kind = |kind: TrackKind| format::track_name(kind, &file.label);
    let name = file.kind.map_or_else(numbered, of_kind);
    match file.part {
        0 => format!("{name}, later"),
        further => format!("{name}, later, part {}", u16::from(further) + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, instant, session_id, text};
    use crate::views::LeftOutRow;
    use protocol::{Millis, SegmentNo, TrackNo};

    fn a_file(part: u8) -> SupplementFileView {
        SupplementFileView {
            track: TrackNo::new(0),
            part,
            kind: Some(TrackKind::Microphone),
            label: "Desk".to_owned(),
            has_video: false,
            bytes: 42_000,
            duration: Millis::from_secs(12),
        }
    }

    fn a_supplement() -> SupplementView {
        SupplementView {
            items: 40,
            waiting_items: 0,
            given_up: None,
            last_came: instant(12),
            files: vec![a_file(0)],
            pictures: 0,
            left_out_runs: 0,
            left_out: Vec::new(),
        }
    }

    fn page(supplement: SupplementView) -> String {
        html(|| view! { <Supplement id=session_id(1) supplement/> })
    }

    #[test]
    fn what_came_later_can_be_played_and_kept_and_it_is_told_when_it_came() {
        let page = page(a_supplement());
        let address = paths::supplement(session_id(1), TrackNo::new(0), 0);
        assert!(page.contains(&format!("src=\"{address}\"")), "{page}");
        assert!(page.contains(&format!("href=\"{address}?download=1\"")), "{page}");
        assert!(page.contains(&instant(12).rfc3339), "{page}");
        let shown = text(&page);
        assert!(shown.contains("40 items came"), "{shown}");
        assert!(shown.contains("Microphone: Desk, later 0:12, 42 KB"), "{shown}");
        assert!(!shown.contains("yet to be put"), "{shown}");
    }

    #[test]
    fn whatever_of_it_cannot_be_played_is_told() {
        let row = LeftOutRow {
            track: TrackNo::new(0),
            segment: SegmentNo::new(1),
            packets: 25,
            bytes: 1_600,
            why: "behind damage".to_owned(),
        };
        for (supplement, says) in [
            (SupplementView { waiting_items: 1, ..a_supplement() }, "1 item is yet to be put into"),
            (SupplementView { pictures: 7, ..a_supplement() }, "7 pictures among it: kept"),
            (SupplementView { files: Vec::new(), ..a_supplement() }, "Nothing of it can be played"),
            (
                SupplementView { left_out: vec![row], left_out_runs: 1, ..a_supplement() },
                "Track 1, segment 2: 25 packets, 1.6 KB (behind damage)",
            ),
        ] {
            let shown = text(&page(supplement));
            assert!(shown.contains(says), "{shown}");
        }
        let not_yet = SupplementView { waiting_items: 40, files: Vec::new(), ..a_supplement() };
        assert!(!text(&page(not_yet)).contains("Nothing of it can be played"));
    }

    #[test]
    fn a_file_that_nothing_names_has_its_number_and_names_cannot_become_markup() {
        let unnamed = SupplementFileView { kind: None, has_video: true, ..a_file(1) };
        let hostile =
            SupplementFileView { label: "\"><img src=x onerror=alert(1)>".to_owned(), ..a_file(0) };
        let page = page(SupplementView { files: vec![unnamed, hostile], ..a_supplement() });
        assert!(text(&page).contains("Track 1, later, part 2"), "{page}");
        assert!(page.contains("<video") && !page.contains("<img"), "{page}");
    }

    #[test]
    fn what_was_given_up_says_why_and_how_it_begins_again() {
        for (is_begun_by_more, says) in [
            (
                true,
                "(no header). It begins again when more comes, or by “Try again” on the page Work",
            ),
            (false, "(no header). It begins again only by “Try again” on the page Work"),
        ] {
            let given_up = Some(GivenUpView { why: "no header".to_owned(), is_begun_by_more });
            let page = page(SupplementView { waiting_items: 2, given_up, ..a_supplement() });
            assert!(page.contains(&format!("href=\"{}\"", paths::JOBS)), "{page}");
            let shown = text(&page);
            assert!(
                shown.contains("2 items are in no file yet: making it was given up"),
                "{shown}"
            );
            assert!(shown.contains(says), "{shown}");
            assert!(!shown.contains("that is done once"), "{shown}");
        }
    }
}

//! One session: its recording, what is missing, what happened, and what the server knows of it.

mod completeness;
mod deletion;
mod descriptions;
mod exports;
mod form;
mod frames;
mod gap_map;
mod player;
mod segments;
mod story;
mod supplement;
mod thumbnails;
mod tracks;
mod waveform;

use leptos::prelude::*;
use protocol::{SessionId, SessionStatus};

use crate::badge::StatusBadge;
use crate::format;
use crate::moment::Moment;
use crate::paths;
use crate::shell::{Section, Shell};
use crate::views::{Instant, SessionView};
use completeness::{Completeness, Proof};
use deletion::Deletion;
use form::Form;
use frames::Frames;
use gap_map::{GapMap, Map};
use player::Player;
use segments::Segments;
use story::Story;
use supplement::Supplement;
use tracks::{Tracks, name_of_sound};

/// Rows that a table shows before it folds up.
const ROWS_SHOWN_MAX: usize = 20;

#[component]
pub fn SessionPage(view: SessionView) -> impl IntoView {
    let id = view.id;
    let map = Map::of(&view);
    let splices = view.timeline.splices(&view.joined);
    let first_sound = name_of_sound(&view.tracks, 0);
    view! {
        <Shell
            title=format!("Recording of {}", view.started.human_utc)
            description="A recording, what is known of it, and what is missing."
            section=Section::Elsewhere
            style_sheet="/assets/style/recordings.css"
        >
            <p class="back"><a href=paths::HISTORY>"All recordings"</a></p>
            <div class="title-row">
                <h1>"Recording of "<Moment at=view.started.clone()/></h1>
                <StatusBadge status=view.status live=view.live/>
            </div>
            <Standing id status=view.status live=view.live failure=view.failure.clone()/>
            {view
                .recording
                .clone()
                .map(|recording| {
                    let exports = view.exports.clone();
                    let duration = recording.duration;
                    let form = Form::of(&recording.mime, &view.timeline.segments, &view.joined);
                    view! {
                        <Player id recording form splices first_sound exports/>
                        <Tracks id duration tracks=view.tracks.clone()/>
                        <Frames id frames=view.frames.clone()/>
                    }
                })}
            {view.supplement.clone().map(|supplement| view! { <Supplement id supplement/> })}
            <Completeness view=view.clone()/>
            <GapMap map recording=view.recording.clone()/>
            <Story log=view.log.clone()/>
            {view.recording.clone().map(|recording| view! { <Proof recording/> })}
            <Segments segments=view.timeline.segments.clone()/>
            <Facts view/>
            <Deletion id/>
        </Shell>
    }
}

/// What the status means for the reader, where the badge alone does not say enough.
#[component]
fn Standing(
    id: SessionId,
    status: SessionStatus,
    live: bool,
    failure: Option<String>,
) -> impl IntoView {
    let meaning = match status {
        SessionStatus::Active if live => "This session is being recorded right now.",
        SessionStatus::Active => "This session is open. Nothing is arriving at the moment.",
        SessionStatus::Interrupted => {
            "The connection to the candidate is lost. It usually comes back within seconds; what \
             is recorded meanwhile is kept on the candidate's device."
        }
        SessionStatus::Incomplete => {
            "The candidate has not come back. What has arrived can be played; if the candidate \
             returns, the rest is added."
        }
        SessionStatus::Finalizing => {
            "Everything has been handed over. The recording is being made."
        }
        SessionStatus::Failed => {
            "No recording could be made. Everything that arrived is still on the server."
        }
        SessionStatus::Discarded => "The candidate threw this recording away.",
        SessionStatus::Completed => return ().into_any(),
    };
    let class = if status == SessionStatus::Failed { "callout callout-bad" } else { "callout" };
    let changing = match status {
        SessionStatus::Active
        | SessionStatus::Interrupted
        | SessionStatus::Incomplete
        | SessionStatus::Finalizing => true,
        SessionStatus::Completed | SessionStatus::Failed | SessionStatus::Discarded => false,
    };
    view! {
        <div class=class>
            <p>{meaning}</p>
            {failure.map(|reason| view! { <p>"Reason: "{reason}</p> })}
            {changing.then(|| view! { <p><a href=paths::session(id)>"Reload to see the latest"</a></p> })}
        </div>
    }
    .into_any()
}

/// Shows a short table as it is, and a long one when it is asked for.
#[component]
fn Folded(rows: usize, what: &'static str, children: Children) -> impl IntoView {
    if rows <= ROWS_SHOWN_MAX {
        return children().into_any();
    }
    view! {
        <details>
            <summary>{format!("Show all {} {what}", format::grouped(rows as u64))}</summary>
            {children()}
        </details>
    }
    .into_any()
}

/// Says that a table ends before what it is of.
#[component]
fn More(rows: usize, what: &'static str) -> impl IntoView {
    (rows > 0).then(|| {
        let more =
            format!("And {} more {what}, which are not listed here.", format::grouped(rows as u64));
        view! { <p class="aside">{more}</p> }
    })
}

#[component]
fn Facts(view: SessionView) -> impl IntoView {
    let duration = view.duration.map_or_else(|| "not known yet".to_owned(), format::duration);
    let moment = |label: &'static str, at: Option<Instant>| {
        at.map(|at| view! { <div><dt>{label}</dt><dd><Moment at/></dd></div> })
    };
    view! {
        <section>
            <h2>"Details"</h2>
            <dl class="facts">
                {moment("Created", Some(view.started))}
                {moment("Last sign of life", view.last_heartbeat)}
                {moment("Completed", view.completed)}
                <div><dt>"Recorded"</dt><dd>{duration}</dd></div>
                <div><dt>"Session"</dt><dd><code>{view.id.to_string()}</code></dd></div>
            </dl>
            <p><a href=paths::session_json(view.id)>"This session as JSON"</a></p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, instant, session_id, text};
    use crate::views::{LogEntry, RecordingView};
    use protocol::{Digest, Event, Millis, SegmentNo, Seq, SeqSet, TrackKind, TrackNo};
    use timeline::{ConnectionMark, Marks, PauseMark, Segment, Timeline};

    pub(super) fn a_completed_session() -> SessionView {
        SessionView {
            id: session_id(1),
            status: SessionStatus::Completed,
            live: false,
            started: instant(9),
            last_heartbeat: Some(instant(10)),
            completed: Some(instant(11)),
            items: 53,
            bytes: 189_000,
            duration: Some(Millis::from_secs(12)),
            missing: SeqSet::new(),
            recording: Some(RecordingView {
                items: 53,
                mime: "audio/webm".to_owned(),
                has_video: false,
                bytes: 190_400,
                duration: Millis::from_secs(12),
                is_mixed: false,
                left_out: 0,
                is_silent: Some(false),
                digest: Some(Digest::from_bytes([0xab; 32])),
            }),
            left_out: Vec::new(),
            supplement: None,
            exports: Vec::new(),
            failure: None,
            timeline: Timeline { segments: vec![a_run()], ..Timeline::default() },
            connections: Marks::all(vec![ConnectionMark::Connected(Millis::ZERO)]),
            tracks: Vec::new(),
            joined: Vec::new(),
            frames: Vec::new(),
            log: Vec::new(),
        }
    }

    fn a_run() -> Segment {
        let (track, number) = (TrackNo::new(0), SegmentNo::new(0));
        Segment {
            mime: "audio/webm;codecs=opus".to_owned(),
            label: "Built-in microphone".to_owned(),
            duration: Some(Millis::from_secs(12)),
            in_file: Some(Millis::from_secs(12)),
            captured_until: Some(Millis::from_secs(12)),
            ..Segment::new(track, number, TrackKind::Microphone, Millis::ZERO)
        }
    }

    fn page(view: SessionView) -> String {
        html(|| view! { <SessionPage view/> })
    }

    #[test]
    fn a_completed_session_can_be_played_kept_and_checked() {
        let page = page(a_completed_session());
        let recording = paths::recording(session_id(1));
        assert!(page.contains("<audio controls preload=\"metadata\""), "{page}");
        assert!(page.contains(&format!("src=\"{recording}\"")));
        assert!(page.contains(&format!("href=\"{recording}?download=1\" download")), "{page}");
        assert!(page.contains("Download (190 KB)"));
        assert!(page.contains(&"ab".repeat(32)));
        assert!(text(&page).contains("Nothing is missing."));
        assert!(!page.contains("class=\"callout") && !page.contains("silence"));
        assert_eq!(page.matches("<h1").count(), 1);
    }

    #[test]
    fn what_happened_and_when_is_told_and_drawn_without_inline_styles() {
        let secs = Millis::from_secs;
        let entry =
            |place, event| LogEntry { at: instant(9), place: secs(place), event: Some(event) };
        let pauses = Marks::all(vec![PauseMark::Paused(secs(4)), PauseMark::Over(secs(7))]);
        let view = SessionView {
            timeline: Timeline { segments: vec![a_run()], pauses },
            log: vec![
                entry(0, Event::Created),
                entry(4, Event::Paused),
                entry(7, Event::PauseOver),
            ],
            ..a_completed_session()
        };
        let page = page(view);
        let shown = text(&page);
        assert!(shown.contains("Recorded 12 s in one part. Paused once, for 3 s."));
        assert!(shown.contains("0:04 Paused by the candidate."), "{shown}");
        assert!(page.contains("<svg") && !page.contains("style=\""));
    }

    #[test]
    fn video_is_shown_in_a_video_element() {
        let mut view = a_completed_session();
        if let Some(recording) = &mut view.recording {
            recording.has_video = true;
        }
        let page = page(view);
        assert!(page.contains("<video controls") && !page.contains("<audio"));
        assert!(page.contains("class=\"thumbnails\"") && page.contains("data-seconds=\"12.000\""));
        assert!(
            !self::page(a_completed_session()).contains("thumbnails"),
            "a voice has no picture"
        );
    }

    #[test]
    fn where_there_is_one_sound_for_all_that_is_played() {
        let mut view = a_completed_session();
        if let Some(recording) = &mut view.recording {
            recording.is_mixed = true;
        }
        let page = page(view);
        assert!(page.contains(&format!("src=\"{}\"", paths::playback(session_id(1)))), "{page}");
        assert!(!page.contains(&format!("src=\"{}\"", paths::recording(session_id(1)))));
    }

    #[test]
    fn holes_are_named() {
        let missing: SeqSet = (5..=9).map(Seq::new).collect();
        let lost = SessionView { missing: missing.clone(), ..a_completed_session() };
        let lost = text(&page(lost));
        assert!(lost.contains("Chunks 5–9 never arrived."), "{lost}");
        assert!(!lost.contains("Every number"));
        let open = SessionView { missing, status: SessionStatus::Active, ..a_completed_session() };
        assert!(text(&page(open)).contains("Chunks 5–9 have not arrived yet."));
    }

    #[test]
    fn nothing_but_silence_is_told() {
        let mut view = a_completed_session();
        if let Some(recording) = &mut view.recording {
            recording.is_silent = Some(true);
        }
        let page = text(&page(view));
        assert!(page.contains("Nothing but silence was recorded."), "{page}");
        assert!(page.contains("Sound Nothing but silence"), "{page}");
    }

    #[test]
    fn a_segment_that_is_not_in_the_first_file_says_so() {
        let of = |duration, in_file| {
            let mut view = a_completed_session();
            view.timeline.segments[0].duration = Some(Millis::from_secs(duration));
            view.timeline.segments[0].in_file = Some(Millis::from_secs(in_file));
            text(&page(view))
        };
        assert!(of(12, 0).contains("in another file"));
        assert!(of(12, 5).contains("in another file"), "not all of it");
        assert!(of(0, 0).contains("in no file"));
        assert!(!of(12, 12).contains("another file"));
    }

    #[test]
    fn a_live_session_says_so_and_has_no_player_yet() {
        let page = page(SessionView {
            status: SessionStatus::Active,
            live: true,
            recording: None,
            completed: None,
            duration: None,
            ..a_completed_session()
        });
        assert!(page.contains("This session is being recorded right now."));
        assert!(page.contains("Reload to see the latest"));
        assert!(text(&page).contains("Nothing is missing so far."), "the end is not known yet");
        assert!(!page.contains("<audio") && !page.contains("Receipt"));
        assert!(!page.contains("http-equiv"), "a page that reloads itself interrupts its reader");
    }

    #[test]
    fn a_failed_session_gives_its_reason() {
        let page = page(SessionView {
            status: SessionStatus::Failed,
            recording: None,
            failure: Some("no chunk opens with a WebM header".to_owned()),
            ..a_completed_session()
        });
        assert!(text(&page).contains("Reason: no chunk opens with a WebM header"), "{page}");
    }

    #[test]
    fn what_the_browser_called_its_device_cannot_become_markup() {
        let mut view = a_completed_session();
        view.timeline.segments[0].label = "<img src=x onerror=alert(1)>".to_owned();
        view.timeline.segments[0].mime = "\"><script>alert(1)</script>".to_owned();
        let page = page(view);
        assert!(!page.contains("<img src=x") && !page.contains("<script>alert"));
        assert!(page.contains("&lt;img src=x"));
    }
}

//! What plays the recording, what is said where a browser cannot, and all that can be kept of it.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use protocol::SessionId;
use timeline::Splice;

use super::exports::Exports;
use super::form::Form;
use super::thumbnails::Thumbnails;
use super::waveform::Waveform;
use crate::views::{ExportRow, RecordingView};
use crate::{assets, format, paths};

/// The forms that most browsers play, best first.
const PLAYED_NEARLY_EVERYWHERE: [&str; 3] = ["mp4", "mp3", "wav"];

#[component]
pub(super) fn Player(
    id: SessionId,
    recording: RecordingView,
    form: Form,
    splices: Vec<Splice>,
    first_sound: Option<String>,
    exports: Vec<ExportRow>,
) -> impl IntoView {
    // What is being played must not become another file.
    let source = if recording.is_mixed { paths::playback(id) } else { paths::recording(id) };
    let without = || {
        let kept = paths::recording_download(id);
        view! { <p>"This browser plays no recordings. "<a href=kept download>"Download it"</a></p> }
    };
    let what = form.description();
    let player = if recording.has_video {
        view! {
            <video controls preload="metadata" playsinline src=source aria-label="Recording">
                {without()}
            </video>
        }
        .into_any()
    } else {
        view! {
            <audio controls preload="metadata" src=source aria-label="Recording">{without()}</audio>
        }
        .into_any()
    };
    view! {
        <section class="player" aria-label="Player">
            {player}
            <Unplayable id form exports=exports.clone()/>
            {(recording.is_silent == Some(true)).then(|| view! { <Silent/> })}
            {recording.has_video.then(|| view! { <Thumbnails duration=recording.duration/> })}
            <Waveform id recording=recording.clone() splices name=first_sound/>
            <p>
                <a class="button" href=paths::recording_download(id) download>
                    {format!("Download ({})", format::size(recording.bytes))}
                </a>
            </p>
            <p class="aside player-form">
                {what}
                ". If it does not play here, download it"
                {(!exports.is_empty()).then_some(", or take another format")}
                "."
            </p>
            <Exports id exports/>
        </section>
    }
}

#[component]
fn Silent() -> impl IntoView {
    view! {
        <div class="callout callout-warn">
            <p>
                <strong>"Nothing but silence was recorded."</strong>
                " The microphone may have been muted, covered or the wrong one."
            </p>
        </div>
    }
}

/// Hidden until a script (`style/player.js`) finds that this browser cannot play the recording. Where no
/// script runs, the line below the download says what it is.
#[component]
fn Unplayable(id: SessionId, form: Form, exports: Vec<ExportRow>) -> impl IntoView {
    let (types, what) = (form.types(), form.description());
    let instead = instead(&exports).map(|format| view! { <Instead id format/> });
    let nothing_else = instead.is_none();
    view! {
        <div class="unplayable callout callout-warn" data-types=types role="status" hidden>
            <p data-when="none">
                <strong>"This browser cannot play this recording."</strong>
                " It is "{what.clone()}"."
            </p>
            <p data-when="sound">
                <strong>"This browser cannot show the pictures of this recording."</strong>
                " It is "{what.clone()}"."
            </p>
            <p data-when="some">
                <strong>"This browser may not be able to play all of this recording."</strong>
                " It is "{what}"."
            </p>
            {instead}
            <p>
                <a href=paths::recording_download(id) download>"Download it as it is"</a>
                " for a player that can"
                {nothing_else.then_some(", or try another browser")}
                "."
            </p>
        </div>
        <script type="module" src=assets::address("style/player.js") nonce=use_nonce()></script>
    }
}

/// A form that this browser will play. `style/exports.js` tells how far its making is.
#[component]
fn Instead(id: SessionId, format: &'static str) -> impl IntoView {
    view! {
        <p data-exports=paths::exports(id)>
            <a
                class="button"
                href=format!("{}?download=1", paths::export(id, format))
                download
                data-format=format
            >
                {format!("Get a copy that plays ({})", format.to_uppercase())}
            </a>
            " "
            <small role="status"></small>
        </p>
    }
}

/// What can be had of it that nearly every browser plays.
fn instead(exports: &[ExportRow]) -> Option<&'static str> {
    let can_be_had =
        |format: &&str| exports.iter().any(|one| one.format == *format && one.obstacle.is_none());
    PLAYED_NEARLY_EVERYWHERE.into_iter().find(can_be_had)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, session_id, text};

    fn unplayable(exports: Vec<ExportRow>) -> String {
        let form = Form::of("video/mp4", &[], &[]);
        html(|| view! { <Unplayable id=session_id(1) form exports/> })
    }

    #[test]
    fn what_cannot_be_played_can_be_had_in_a_form_that_can() {
        let row = |format, obstacle: Option<&str>| ExportRow {
            format,
            obstacle: obstacle.map(str::to_owned),
            failure: None,
        };
        let page = unplayable(vec![row("ogg", None), row("mp4", None), row("mp3", None)]);
        let mp4 = paths::export(session_id(1), "mp4");
        assert!(page.contains(&format!("href=\"{mp4}?download=1\"")), "{page}");
        assert!(text(&page).contains("Get a copy that plays (MP4)"), "{page}");
        let page = unplayable(vec![row("mp4", Some("This needs ffmpeg.")), row("ogg", None)]);
        assert!(!page.contains("Get a copy") && page.contains("try another browser"), "{page}");
    }

    #[test]
    fn it_says_what_the_recording_is_and_stays_hidden_while_it_plays() {
        let page = unplayable(Vec::new());
        assert!(page.contains("role=\"status\" hidden"), "{page}");
        assert!(text(&page).contains("This browser cannot play this recording. It is MP4."));
    }
}

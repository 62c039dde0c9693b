//! What plays the recording, and all that can be kept of it.

use leptos::prelude::*;
use protocol::SessionId;

use super::exports::Exports;
use super::thumbnails::Thumbnails;
use super::waveform::Waveform;
use crate::course::Stop;
use crate::format;
use crate::paths;
use crate::views::{ExportRow, RecordingView};

#[component]
pub(super) fn Player(
    id: SessionId,
    recording: RecordingView,
    stops: Vec<Stop>,
    first_sound: Option<String>,
    exports: Vec<ExportRow>,
) -> impl IntoView {
    // What is being played must not become another file.
    let source = if recording.is_mixed { paths::playback(id) } else { paths::recording(id) };
    let player = if recording.has_video {
        view! {
            <video controls preload="metadata" playsinline src=source aria-label="Recording"></video>
        }
        .into_any()
    } else {
        view! { <audio controls preload="metadata" src=source aria-label="Recording"></audio> }
            .into_any()
    };
    view! {
        <section class="player" aria-label="Player">
            {player}
            {recording.has_video.then(|| view! { <Thumbnails duration=recording.duration/> })}
            <Waveform id recording=recording.clone() stops name=first_sound/>
            <p>
                <a class="button" href=paths::recording_download(id) download>
                    {format!("Download ({})", format::size(recording.bytes))}
                </a>
            </p>
            <Exports id exports/>
        </section>
    }
}

//! The tracks of a session, where there are several: each with its file and its sound.

use leptos::prelude::*;
use protocol::{Millis, SessionId};

use super::waveform::MoreSound;
use crate::views::{TrackContent, TrackFileView, TrackView};
use crate::{format, paths};

#[component]
pub(super) fn Tracks(id: SessionId, duration: Millis, tracks: Vec<TrackView>) -> impl IntoView {
    let is_telling = tracks.len() > 1 || tracks.iter().any(|track| !track.further.is_empty());
    is_telling.then(|| {
        view! {
            <section>
                <h2>"Tracks"</h2>
                <ul class="tracks" role="list">
                    {tracks
                        .into_iter()
                        .map(|track| view! { <Track id duration track/> })
                        .collect_view()}
                </ul>
            </section>
        }
    })
}

/// The first sound is drawn below the player.
#[component]
fn Track(id: SessionId, duration: Millis, track: TrackView) -> impl IntoView {
    let name = format::track_name(track.kind, &track.label);
    let number = track.track;
    let further = (1..).zip(track.further).map(|(part, file)| {
        let name = format!("{name}, part {}", part + 1);
        view! { <TrackFile name file=Some(file) download=paths::track_download(id, number, part)/> }
    });
    let further = further.collect_view();
    let has_further = !further.is_empty();
    let sounds = track.sounds.into_iter().filter(|sound| *sound > 0);
    let sounds = sounds
        .map(|sound| {
            let name = name.clone();
            view! { <MoreSound id sound duration name/> }
        })
        .collect_view();
    view! {
        <li>
            <TrackFile name file=track.file download=paths::track_download(id, number, 0)/>
            {sounds}
            {further}
            {has_further
                .then(|| {
                    view! {
                        <p class="aside">
                            "Recorded in another format in between: what does not fit into one file is \
                             not in the recording above."
                        </p>
                    }
                })}
        </li>
    }
}

#[component]
fn TrackFile(name: String, file: Option<TrackFileView>, download: String) -> impl IntoView {
    let facts = file.map_or_else(|| "No file of its own.".to_owned(), facts);
    let is_media = file.is_some_and(|file| matches!(file.what, TrackContent::Media(_)));
    view! {
        <p class="track-head">
            <strong>{name.clone()}</strong>
            <span class="aside">{facts}</span>
            {is_media
                .then(|| {
                    view! {
                        <a
                            class="button-small"
                            href=download
                            download
                            aria-label=format!("Download {name}")
                        >
                            "Download"
                        </a>
                    }
                })}
        </p>
    }
}

fn facts(file: TrackFileView) -> String {
    let what = match file.what {
        TrackContent::Media(duration) => format::duration(duration),
        TrackContent::Pictures(number) => format::count(number, "picture", "pictures"),
    };
    format!("{what}, {}", format::size(file.bytes))
}

/// Whose sound track of the recording this is; `None` where there is nothing to tell apart.
pub(super) fn name_of_sound(tracks: &[TrackView], sound: u32) -> Option<String> {
    let all: usize = tracks.iter().map(|track| track.sounds.len()).sum();
    let track = tracks.iter().find(|track| track.sounds.contains(&sound))?;
    (all > 1).then(|| format::track_name(track.kind, &track.label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, session_id, text};
    use protocol::{TrackKind, TrackNo};

    fn track(number: u8, kind: TrackKind, label: &str, sounds: &[u32]) -> TrackView {
        let what = if kind == TrackKind::Stills {
            TrackContent::Pictures(7)
        } else {
            TrackContent::Media(Millis::from_secs(62))
        };
        TrackView {
            track: TrackNo::new(number),
            kind,
            label: label.to_owned(),
            file: Some(TrackFileView { bytes: 190_400, what }),
            further: Vec::new(),
            sounds: sounds.to_vec(),
        }
    }

    fn page(tracks: Vec<TrackView>) -> String {
        let duration = Millis::from_secs(62);
        html(|| view! { <Tracks id=session_id(1) duration tracks/> })
    }

    #[test]
    fn each_track_has_a_name_a_length_a_size_and_a_download() {
        let page = page(vec![
            track(0, TrackKind::Microphone, "Desk", &[0]),
            track(1, TrackKind::Screen, "", &[]),
        ]);
        let shown = text(&page);
        assert!(shown.contains("Microphone: Desk 1:02, 190 KB Download"), "{shown}");
        for number in [0, 1] {
            let address = paths::track_download(session_id(1), TrackNo::new(number), 0);
            assert!(page.contains(&format!("href=\"{address}\"")), "{page}");
        }
    }

    #[test]
    fn every_sound_but_the_first_is_drawn_here() {
        let page = page(vec![
            track(0, TrackKind::Microphone, "", &[0]),
            track(1, TrackKind::SystemAudio, "", &[1]),
        ]);
        assert_eq!(page.matches("role=\"slider\"").count(), 1);
        let address = paths::waveform(session_id(1), 1);
        assert!(page.contains(&format!("data-peaks=\"{address}\"")), "{page}");
        assert!(page.contains("aria-label=\"Place in the recording, System audio\""));
    }

    #[test]
    fn pictures_are_counted_and_one_track_alone_is_not_listed() {
        let pictures = track(1, TrackKind::Stills, "", &[]);
        let page_of_both = page(vec![track(0, TrackKind::Camera, "", &[0]), pictures.clone()]);
        assert!(text(&page_of_both).contains("7 pictures, 190 KB"), "{page_of_both}");
        assert_eq!(page_of_both.matches("Download").count(), 2, "a name and a word, once");
        assert_eq!(page(vec![pictures]).matches("<section").count(), 0);
    }

    #[test]
    fn a_track_in_several_formats_has_a_file_for_each() {
        let mut voice = track(0, TrackKind::Microphone, "Desk", &[0]);
        let what = TrackContent::Media(Millis::from_secs(5));
        voice.further = vec![TrackFileView { bytes: 42_000, what }];
        let page = page(vec![voice]);
        let shown = text(&page);
        assert!(shown.contains("Microphone: Desk, part 2 0:05, 42 KB Download"), "{shown}");
        assert!(page.contains("/tracks/0/recording?part=1&amp;download=1\""), "{page}");
        assert!(shown.contains("in another format"), "{shown}");
    }

    #[test]
    fn what_the_browser_called_its_device_cannot_become_markup() {
        let hostile = "\"><img src=x onerror=alert(1)>";
        let page = page(vec![
            track(0, TrackKind::Microphone, hostile, &[0]),
            track(1, TrackKind::Microphone, hostile, &[1]),
        ]);
        assert!(!page.contains("<img"), "{page}");
    }

    #[test]
    fn a_sound_has_the_name_of_its_track_where_there_are_several() {
        let voice = track(0, TrackKind::Microphone, "Desk", &[0]);
        assert_eq!(name_of_sound(std::slice::from_ref(&voice), 0), None);
        let both = [voice, track(1, TrackKind::Screen, "", &[1])];
        assert_eq!(name_of_sound(&both, 0).as_deref(), Some("Microphone: Desk"));
        assert_eq!(name_of_sound(&both, 2), None);
    }
}

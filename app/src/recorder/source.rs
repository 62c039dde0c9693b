//! Choosing what is recorded, and the camera's picture.

use leptos::prelude::*;

use super::island::{Readiness, Ui};
use super::port::{Command, Companion, PREVIEW_ID, RecorderState, RecorderView, Source, send};

const fn name(source: Source) -> &'static str {
    match source {
        Source::Microphone => "Sound only",
        Source::Camera => "Sound and camera",
        Source::With(Companion::Stills) => "Sound and pictures",
        Source::With(Companion::SecondMicrophone) => "Two microphones",
        Source::With(Companion::SystemAudio) => "Sound and this computer's sound",
        Source::With(Companion::Screen) => "Sound and screen",
    }
}

/// Phones cannot share their screens.
fn can_be_had(source: Source, can_share: bool) -> bool {
    can_share || !source.companion().is_some_and(Companion::is_shared)
}

/// Once something is recorded it stays with that.
fn may_choose(view: &RecorderView) -> bool {
    match view.state {
        RecorderState::Idle => true,
        RecorderState::Error => {
            view.session.is_none() && view.alert.as_ref().is_some_and(|alert| alert.retry)
        }
        RecorderState::Acquiring
        | RecorderState::Recording
        | RecorderState::Paused
        | RecorderState::Finishing
        | RecorderState::Done => false,
    }
}

#[component]
pub(super) fn SourceChoice(ui: Ui) -> impl IntoView {
    let is_shown = Memo::new(move |_| ui.view.with(may_choose));
    let can_share = Memo::new(move |_| ui.view.with(|view| view.can_share));
    let chosen = Memo::new(move |_| ui.view.with(|view| view.source));
    view! {
        <fieldset
            class="sources"
            hidden=move || !is_shown.get()
            disabled=move || ui.readiness.get() != Readiness::Attached
        >
            <legend>"What is recorded"</legend>
            {Source::ALL
                .map(|source| {
                    view! {
                        <label hidden=move || !can_be_had(source, can_share.get())>
                            <input
                                type="radio"
                                name="source"
                                prop:checked=move || chosen.get() == source
                                checked=source == Source::default()
                                on:change=move |_| send(Command::ChooseSource(source))
                            />
                            {name(source)}
                        </label>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}

/// The same picture that is recorded. Of a camera as in a mirror: people know themselves so.
#[component]
pub(super) fn Preview(ui: Ui) -> impl IntoView {
    let is_shown = Memo::new(move |_| ui.view.with(|view| view.has_picture));
    let is_screen =
        Memo::new(move |_| ui.view.with(|view| view.source == Source::With(Companion::Screen)));
    view! {
        <video
            id=PREVIEW_ID
            class="preview"
            class:preview-screen=move || is_screen.get()
            aria-label="What is recorded"
            autoplay
            playsinline
            prop:muted=true
            muted
            hidden=move || !is_shown.get()
        ></video>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::island::Recorder;
    use crate::recorder::port::Alert;
    use crate::rendering::html;

    #[test]
    fn what_cannot_be_had_or_is_settled_is_not_offered() {
        let screen = Source::With(Companion::Screen);
        assert!(can_be_had(screen, true) && !can_be_had(screen, false));
        assert!(can_be_had(Source::With(Companion::Stills), false));
        let retry = Some(Alert { title: String::new(), detail: String::new(), retry: true });
        let failed =
            RecorderView { state: RecorderState::Error, alert: retry, ..RecorderView::default() };
        assert!(may_choose(&failed), "another kind may be had");
        let session = Some(crate::rendering::session_id(1));
        assert!(!may_choose(&RecorderView { session, ..failed }), "this one is begun");
    }

    #[test]
    fn sound_only_is_the_choice_until_another_is_made() {
        let island = html(|| view! { <Recorder/> });
        assert!(island.contains("<legend>What is recorded</legend>"), "{island}");
        let first = island.find("type=\"radio\"").unwrap();
        let end = first + island[first..].find('>').unwrap();
        assert!(island[first..end].contains("checked"), "{island}");
        assert_eq!(island.matches(" checked").count(), 1);
        assert!(island.contains("id=\"preview\"") && island.contains("muted"));
    }
}

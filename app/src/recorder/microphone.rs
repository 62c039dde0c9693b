//! Choosing and testing the microphone, and its level.

use leptos::prelude::*;

use super::island::{Readiness, Ui};
use super::port::{Command, Companion, Device, RecorderState, RecorderView, Source, send};

#[component]
pub(super) fn Microphone(ui: Ui) -> impl IntoView {
    let is_idle = Memo::new(move |_| ui.state.get() == RecorderState::Idle);
    let is_shown = Memo::new(move |_| ui.view.with(may_choose));
    let testing = Memo::new(move |_| ui.view.with(|view| view.testing));
    let has_camera = Memo::new(move |_| ui.view.with(|view| view.source.has_camera()));
    let is_waiting = move || ui.readiness.get() != Readiness::Attached;
    let toggle = move |_| {
        send(if testing.get_untracked() { Command::StopTest } else { Command::TestMicrophone });
    };
    view! {
        <div class="microphone" hidden=move || !is_shown.get()>
            <DeviceChoice ui which=Which::First/>
            <DeviceChoice ui which=Which::Second/>
            <button
                type="button"
                class="button button-quiet"
                hidden=move || !is_idle.get()
                disabled=is_waiting
                on:click=toggle
            >
                {move || match (testing.get(), has_camera.get()) {
                    (true, _) => "Stop test",
                    (false, false) => "Test microphone",
                    (false, true) => "Test microphone and camera",
                }}
            </button>
        </div>
    }
}

/// While sound is captured, or should be, only a real choice is offered.
fn may_choose(view: &RecorderView) -> bool {
    match view.state {
        RecorderState::Idle => true,
        RecorderState::Recording | RecorderState::Paused => view.devices.len() > 1,
        RecorderState::Error => {
            !view.devices.is_empty() && view.alert.as_ref().is_some_and(|alert| alert.retry)
        }
        RecorderState::Acquiring | RecorderState::Finishing | RecorderState::Done => false,
    }
}

/// Before a recording: within one its track would change.
fn may_choose_second(view: &RecorderView) -> bool {
    view.state == RecorderState::Idle && view.source == Source::With(Companion::SecondMicrophone)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    First,
    Second,
}

impl Which {
    const fn id(self) -> &'static str {
        match self {
            Self::First => "microphone",
            Self::Second => "second-microphone",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::First => "Microphone",
            Self::Second => "Second microphone",
        }
    }

    /// What is taken when nothing is chosen.
    const fn default(self) -> &'static str {
        match self {
            Self::First => "Your default microphone",
            Self::Second => "Another one than the first",
        }
    }

    fn chosen(self, view: &RecorderView) -> Option<String> {
        match self {
            Self::First => view.device.clone(),
            Self::Second => view.second_device.clone(),
        }
    }

    fn command(self, id: String) -> Command {
        match self {
            Self::First => Command::ChooseDevice(id),
            Self::Second => Command::ChooseSecondDevice(id),
        }
    }
}

/// The default comes first: browsers name the devices only once the microphone is allowed.
#[component]
fn DeviceChoice(ui: Ui, which: Which) -> impl IntoView {
    let devices =
        Memo::new(move |_| ui.view.with(|view| (view.devices.clone(), which.chosen(view))));
    let is_shown = Memo::new(move |_| which == Which::First || ui.view.with(may_choose_second));
    let choices = move || {
        let (devices, chosen) = devices.get();
        // Browsers list the first one's default themselves.
        let default = (devices.is_empty() || which == Which::Second)
            .then(|| Device { id: String::new(), label: which.default().to_owned() });
        default
            .into_iter()
            .chain(devices)
            .map(|device| {
                let is_chosen = chosen.as_ref() == Some(&device.id);
                view! { <option value=device.id selected=is_chosen>{device.label}</option> }
            })
            .collect_view()
    };
    view! {
        <div class="field" hidden=move || !is_shown.get()>
            <label for=which.id()>{which.label()}</label>
            <select
                id=which.id()
                disabled=move || ui.readiness.get() != Readiness::Attached
                on:change=move |event| send(which.command(event_target_value(&event)))
            >
                {choices}
            </select>
        </div>
    }
}

#[component]
pub(super) fn Level(ui: Ui) -> impl IntoView {
    let is_shown = Memo::new(move |_| {
        ui.view.with(|view| view.testing || view.state == RecorderState::Recording)
    });
    view! {
        <div class="level" hidden=move || !is_shown.get()>
            <label for="level">"Microphone level"</label>
            <meter id="level" min="0" max="1" prop:value=move || ui.level.get()></meter>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::island::Recorder;
    use crate::recorder::port::Alert;
    use crate::rendering::html;

    #[test]
    fn the_microphone_and_its_level_have_labels() {
        let island = html(|| view! { <Recorder/> });
        assert!(island.contains(r#"<label for="microphone">Microphone</label>"#), "{island}");
        assert!(island.contains("Your default microphone") && island.contains("Test microphone"));
        assert!(island.contains(r#"<label for="level">Microphone level</label><meter id="level""#));
    }

    #[test]
    fn another_microphone_can_be_chosen_whenever_that_may_help() {
        let device = |id: &str| Device { id: id.to_owned(), label: id.to_owned() };
        let (one, two) = (vec![device("one")], vec![device("one"), device("two")]);
        let retry = |retry| Some(Alert { title: String::new(), detail: String::new(), retry });
        for (state, devices, alert, expected) in [
            (RecorderState::Idle, Vec::new(), None, true),
            (RecorderState::Recording, one.clone(), None, false),
            (RecorderState::Recording, two.clone(), None, true),
            (RecorderState::Paused, two.clone(), None, true),
            (RecorderState::Error, one.clone(), retry(true), true),
            (RecorderState::Error, Vec::new(), retry(true), false),
            (RecorderState::Error, one, retry(false), false),
            (RecorderState::Finishing, two, None, false),
        ] {
            let view = RecorderView { state, devices, alert, ..RecorderView::default() };
            assert_eq!(may_choose(&view), expected, "{view:?}");
        }
    }
}

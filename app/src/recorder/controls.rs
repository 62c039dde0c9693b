//! The buttons: which of them make sense, and where the keyboard's focus goes when they change.

use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;

use super::island::{Readiness, Ui};
use super::port::{Command, Companion, RecorderState, RecorderView, send};
use crate::paths;

/// One button of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Start,
    Pause,
    Resume,
    Share,
    Reconnect,
    Stop,
    Retry,
}

impl Control {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "Start recording",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Share => "Share again",
            Self::Reconnect => "Use it again",
            Self::Stop => "Stop and save",
            Self::Retry => "Try again",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Start | Self::Resume | Self::Retry => "button",
            Self::Stop => "button button-stop",
            Self::Pause | Self::Share | Self::Reconnect => "button button-quiet",
        }
    }

    const fn command(self) -> Command {
        match self {
            Self::Start => Command::Start,
            Self::Pause => Command::Pause,
            Self::Resume => Command::Resume,
            Self::Share | Self::Reconnect => Command::RestoreCompanion,
            Self::Stop => Command::Stop,
            Self::Retry => Command::Retry,
        }
    }

    fn makes_sense(self, view: &RecorderView) -> bool {
        let state = view.state;
        match self {
            Self::Start => state == RecorderState::Idle,
            Self::Pause => state == RecorderState::Recording,
            Self::Resume => state == RecorderState::Paused,
            Self::Share => view.missing.is_some_and(Companion::is_shared),
            Self::Reconnect => view.missing.is_some_and(|missing| !missing.is_shared()),
            Self::Stop => {
                matches!(state, RecorderState::Recording | RecorderState::Paused)
                    || (matches!(state, RecorderState::Error | RecorderState::Acquiring)
                        && view.can_save)
            }
            Self::Retry => match &view.alert {
                Some(alert) => alert.retry,
                None => state == RecorderState::Error,
            },
        }
    }
}

#[component]
pub(super) fn Controls(ui: Ui) -> impl IntoView {
    let focus = RwSignal::new(false);
    let is_done = Memo::new(move |_| ui.state.get() == RecorderState::Done);
    view! {
        <div class="controls" role="group" aria-label="Recording controls">
            <ControlButton ui focus control=Control::Start/>
            <ControlButton ui focus control=Control::Resume/>
            <ControlButton ui focus control=Control::Pause/>
            <ControlButton ui focus control=Control::Share/>
            <ControlButton ui focus control=Control::Reconnect/>
            <ControlButton ui focus control=Control::Stop/>
            <ControlButton ui focus control=Control::Retry/>
            {move || is_done.get().then(|| view! { <Afterwards ui/> })}
        </div>
    }
}

/// Hidden rather than removed when it makes no sense. A button that the keyboard pressed and that
/// then goes away hands its focus to the first one that appears; `focus` is that debt.
#[component]
fn ControlButton(ui: Ui, focus: RwSignal<bool>, control: Control) -> impl IntoView {
    let button = NodeRef::<html::Button>::new();
    let is_shown = Memo::new(move |_| ui.view.with(|view| control.makes_sense(view)));
    Effect::new(move |was_shown: Option<bool>| {
        let shown = is_shown.get();
        if shown && was_shown == Some(false) && focus.get_untracked() {
            if let Some(button) = button.get_untracked() {
                // A button that cannot take the focus leaves it where it is.
                let _ = button.focus();
            }
            focus.set(false);
        }
        shown
    });
    let press = move |event: MouseEvent| {
        // A click without clicks comes from the keyboard or from assistive technology.
        focus.set(event.detail() == 0);
        send(control.command());
    };
    view! {
        <button
            node_ref=button
            type="button"
            class=control.class()
            hidden=move || !is_shown.get()
            disabled=move || ui.readiness.get() != Readiness::Attached
            on:click=press
        >
            {control.name()}
        </button>
    }
}

#[component]
fn Afterwards(ui: Ui) -> impl IntoView {
    view! {
        {move || ui.session.get().map(|id| {
            view! { <a class="button" href=paths::session(id)>"View recording"</a> }
        })}
        <a class="button button-quiet" href=paths::RECORD>"Record another"</a>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::port::Alert;

    fn shown(view: &RecorderView) -> Vec<&'static str> {
        [Control::Start, Control::Pause, Control::Resume, Control::Stop, Control::Retry]
            .into_iter()
            .filter(|control| control.makes_sense(view))
            .map(Control::name)
            .collect()
    }

    #[test]
    fn only_the_buttons_that_make_sense_are_shown() {
        for (state, names) in [
            (RecorderState::Idle, &["Start recording"][..]),
            (RecorderState::Acquiring, &[]),
            (RecorderState::Recording, &["Pause", "Stop and save"]),
            (RecorderState::Paused, &["Resume", "Stop and save"]),
            (RecorderState::Finishing, &[]),
            (RecorderState::Done, &[]),
            (RecorderState::Error, &["Try again"]),
        ] {
            let view = RecorderView { state, ..RecorderView::default() };
            assert_eq!(shown(&view), names, "{state:?}");
        }
    }

    #[test]
    fn while_there_is_no_sound_what_was_recorded_before_can_be_saved() {
        let view = |state| RecorderView { state, can_save: true, ..RecorderView::default() };
        assert_eq!(shown(&view(RecorderState::Error)), ["Stop and save", "Try again"]);
        assert_eq!(shown(&view(RecorderState::Acquiring)), ["Stop and save"]);
    }

    #[test]
    fn trying_again_is_offered_only_where_it_may_help() {
        let alert = |retry| Alert { title: String::new(), detail: String::new(), retry };
        let view = |state, retry| RecorderView {
            state,
            alert: Some(alert(retry)),
            ..RecorderView::default()
        };
        assert_eq!(shown(&view(RecorderState::Error, false)), Vec::<&str>::new());
        assert_eq!(shown(&view(RecorderState::Finishing, true)), ["Try again"]);
    }
}

//! The way out of what this browser holds and the server does not take.

use leptos::prelude::*;

use super::island::Ui;
use super::port::Command;
use super::unfinished::Choice;

#[component]
pub(super) fn KeptBox(ui: Ui) -> impl IntoView {
    let is_kept = Memo::new(move |_| ui.view.with(|view| view.is_kept_back));
    let line = "What the server does not have of a recording is on this device. You can save it as a \
                file, too; it stays here all the same.";
    view! {
        <div class="unfinished callout" hidden=move || !is_kept.get()>
            <p aria-live="polite">{move || is_kept.get().then_some(line)}</p>
            <div class="controls">
                <Choice
                    name="Save what is here"
                    class="button button-quiet"
                    command=Command::SaveKept
                />
            </div>
        </div>
    }
}

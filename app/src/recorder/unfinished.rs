//! The recording that an earlier page left: what is known of it, and the ways on.

use leptos::prelude::*;

use super::island::Ui;
use super::port::{Command, RecorderState, Unfinished, send};
use super::words;

#[component]
pub(super) fn UnfinishedBox(ui: Ui) -> impl IntoView {
    let unfinished = Memo::new(move |_| {
        ui.view.with(|view| {
            let offered = view.state == RecorderState::Idle;
            view.unfinished.clone().filter(|_| offered)
        })
    });
    let line = Memo::new(move |_| {
        unfinished.with(|one| one.as_ref().map(words::unfinished).unwrap_or_default())
    });
    view! {
        <section
            class="unfinished callout"
            aria-labelledby="unfinished-title"
            hidden=move || unfinished.with(Option::<Unfinished>::is_none)
        >
            <h2 id="unfinished-title">"Unfinished recording"</h2>
            <p>{line}</p>
            <div class="controls">
                <button
                    type="button"
                    class="button"
                    on:click=move |_| send(Command::ResumeUnfinished)
                >
                    "Resume recording"
                </button>
                <button
                    type="button"
                    class="button button-quiet"
                    on:click=move |_| send(Command::FinishUnfinished)
                >
                    "Finish and save"
                </button>
            </div>
        </section>
    }
}

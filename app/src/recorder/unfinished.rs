//! A recording that an earlier page left or that another tab is at work on: what is known of it, and
//! the ways on.

use leptos::prelude::*;

use super::island::Ui;
use super::messages;
use super::port::{Command, Elsewhere, RecorderState, Unfinished, send};

#[component]
pub(super) fn UnfinishedBox(ui: Ui) -> impl IntoView {
    let unfinished = Memo::new(move |_| {
        ui.view.with(|view| {
            let offered = view.state == RecorderState::Idle;
            view.unfinished.clone().filter(|_| offered)
        })
    });
    let line = Memo::new(move |_| {
        unfinished.with(|one| one.as_ref().map(messages::unfinished).unwrap_or_default())
    });
    let is_doubting = RwSignal::new(false);
    view! {
        <section
            class="unfinished callout"
            aria-labelledby="unfinished-title"
            hidden=move || unfinished.with(Option::<Unfinished>::is_none)
        >
            <h2 id="unfinished-title">"Unfinished recording"</h2>
            <p>{line}</p>
            <div class="controls" hidden=move || is_doubting.get()>
                <Choice name="Resume recording" class="button" command=Command::ResumeUnfinished/>
                <Choice
                    name="Finish and save"
                    class="button button-quiet"
                    command=Command::FinishUnfinished
                />
                <button
                    type="button"
                    class="button button-quiet"
                    on:click=move |_| is_doubting.set(true)
                >
                    "Discard"
                </button>
            </div>
            <div hidden=move || !is_doubting.get()>
                <p role="alert">
                    {move || is_doubting.get().then_some(
                        "Discard this recording? It is deleted here and on the server, for good.",
                    )}
                </p>
                <div class="controls" on:click=move |_| is_doubting.set(false)>
                    <Choice
                        name="Discard for good"
                        class="button button-bad"
                        command=Command::DiscardUnfinished
                    />
                    <button type="button" class="button button-quiet">"Keep it"</button>
                </div>
            </div>
        </section>
    }
}

/// What lies in this browser and cannot be sent from here: a line that says so, if there is any, and the
/// way out.
#[component]
pub(super) fn SavingBox(
    line: Memo<String>,
    class: &'static str,
    name: &'static str,
    command: Command,
) -> impl IntoView {
    view! {
        <div class=class hidden=move || line.with(String::is_empty)>
            <p aria-live="polite">{line}</p>
            <div class="controls">
                <Choice name class="button button-quiet" command/>
            </div>
        </div>
    }
}

#[component]
pub(super) fn Choice(name: &'static str, class: &'static str, command: Command) -> impl IntoView {
    view! {
        <button type="button" class=class on:click=move |_| send(command.clone())>
            {name}
        </button>
    }
}

#[component]
pub(super) fn ElsewhereBox(ui: Ui) -> impl IntoView {
    let elsewhere = Memo::new(move |_| {
        ui.view.with(|view| {
            let offered = view.state == RecorderState::Idle;
            view.elsewhere.clone().filter(|_| offered)
        })
    });
    let line = Memo::new(move |_| {
        elsewhere.with(|one| one.as_ref().map(messages::elsewhere).unwrap_or_default())
    });
    let is_waiting =
        move || elsewhere.with(|one| one.as_ref().is_some_and(|one| one.is_taking_over));
    view! {
        <section
            class="unfinished callout"
            aria-labelledby="elsewhere-title"
            hidden=move || elsewhere.with(Option::<Elsewhere>::is_none)
        >
            <h2 id="elsewhere-title">"Recording in another tab"</h2>
            <p>{line}</p>
            <div class="controls">
                <button
                    type="button"
                    class="button"
                    disabled=is_waiting
                    on:click=move |_| send(Command::TakeOver)
                >
                    "Take over here"
                </button>
            </div>
        </section>
    }
}

/// With this link the recording goes on without anything that this browser keeps.
#[component]
pub(super) fn RecoveryLink(ui: Ui) -> impl IntoView {
    let link = Memo::new(move |_| ui.view.with(|view| view.recovery_link.clone()));
    move || {
        link.get().map(|link| {
            view! {
                <details class="recovery">
                    <summary>"If this device fails"</summary>
                    <p>
                        "Keep this link to yourself. It goes on with this recording on any device, "
                        "after everything here is gone."
                    </p>
                    <input class="recovery-link" type="text" readonly aria-label="Recovery link" value=link/>
                </details>
            }
        })
    }
}

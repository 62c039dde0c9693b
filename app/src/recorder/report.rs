//! What the recorder tells the candidate: state, safety, trouble, notices and the receipt.

use leptos::prelude::*;

use super::island::{Readiness, Ui};
use super::messages;
use super::port::{Alert, RecorderState, Warning};

/// The polite live region: it changes with the state and not each second.
#[component]
pub(super) fn Headline(ui: Ui) -> impl IntoView {
    let testing = Memo::new(move |_| ui.view.with(|view| view.testing));
    let is_interrupted = Memo::new(move |_| ui.view.with(|view| view.can_save));
    let is_whole = Memo::new(move |_| ui.view.with(messages::is_whole));
    let line = Memo::new(move |_| match ui.readiness.get() {
        Readiness::Waiting => "Getting ready…",
        Readiness::Attached => {
            let (state, link) = (ui.state.get(), ui.link.get());
            messages::headline(state, link, testing.get(), is_interrupted.get(), is_whole.get())
        }
        Readiness::NoAdapter => "Recording is not possible here",
    });
    let is_waiting = Memo::new(move |_| ui.readiness.get() == Readiness::Waiting);
    view! {
        <p
            class="headline"
            role="status"
            data-gaps=move || (!is_whole.get()).then_some("")
        >
            {line}
        </p>
        <p class="late-hint" hidden=move || !is_waiting.get()>
            "This takes longer than usual. If it does not go on, please reload the page."
        </p>
    }
}

/// Changes each second, so it is not read out by itself.
#[component]
pub(super) fn Safety(ui: Ui) -> impl IntoView {
    let line = Memo::new(move |_| ui.view.with(messages::safety));
    view! { <p class="safety" hidden=move || line.with(String::is_empty)>{line}</p> }
}

/// The container stays, so that what appears in it is read out at once.
#[component]
pub(super) fn AlertBox(ui: Ui) -> impl IntoView {
    let alert = Memo::new(move |_| match ui.readiness.get() {
        Readiness::NoAdapter => Some(Alert {
            title: "The recorder could not start".to_owned(),
            detail: "Please reload the page. If that does not help, try another browser."
                .to_owned(),
            retry: false,
        }),
        Readiness::Waiting | Readiness::Attached => ui.view.with(|view| view.alert.clone()),
    });
    let warnings = Memo::new(move |_| {
        ui.view.with(|view| {
            let before = Some(view.room).filter(|_| view.state == RecorderState::Idle);
            let before = before.and_then(messages::room_warning);
            before.into_iter().chain(view.warnings.clone()).collect::<Vec<_>>()
        })
    });
    view! {
        <div role="alert" class="alert">
            {move || alert.get().map(|Alert { title, detail, .. }| {
                view! { <Callout class="callout callout-bad" title detail/> }
            })}
            {move || {
                let shown = warnings.get().into_iter().map(|Warning { title, detail }| {
                    view! { <Callout class="callout callout-warn" title detail/> }
                });
                shown.collect_view()
            }}
        </div>
    }
}

#[component]
fn Callout(class: &'static str, title: String, detail: String) -> impl IntoView {
    view! {
        <div class=class>
            <p class="alert-title">{title}</p>
            <p>{detail}</p>
        </div>
    }
}

/// Said before anything is recorded.
#[component]
pub(super) fn RoomLine(ui: Ui) -> impl IntoView {
    let line = Memo::new(move |_| {
        ui.view.with(|view| match view.state {
            RecorderState::Idle => messages::room(view.room),
            RecorderState::Acquiring
            | RecorderState::Recording
            | RecorderState::Paused
            | RecorderState::Finishing
            | RecorderState::Done
            | RecorderState::Error => String::new(),
        })
    });
    view! { <p class="room" hidden=move || line.with(String::is_empty)>{line}</p> }
}

#[component]
pub(super) fn Notices(ui: Ui) -> impl IntoView {
    let notices = Memo::new(move |_| ui.view.with(|view| view.notices.clone()));
    view! {
        <ul
            class="notices"
            aria-label="Notices"
            aria-live="polite"
            hidden=move || notices.with(Vec::is_empty)
        >
            {move || notices.get().into_iter().map(|notice| view! { <li>{notice}</li> }).collect_view()}
        </ul>
    }
}

/// The digest, for whoever wants to check the file later; the message tells the rest of the receipt.
#[component]
pub(super) fn ReceiptBox(ui: Ui) -> impl IntoView {
    let digest = Memo::new(move |_| {
        ui.view.with(|view| view.receipt.as_ref().map(|receipt| receipt.digest))
    });
    move || {
        digest.get().map(|digest| {
            view! {
                <details class="receipt">
                    <summary>"Receipt for your records"</summary>
                    <p>"SHA-256 of the recording: "<code>{digest.to_string()}</code></p>
                </details>
            }
        })
    }
}

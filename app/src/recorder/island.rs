//! The island: joins the browser adapter's reports to the parts that show them.
#![expect(clippy::mem_forget, reason = "the island macro keeps a hydrated island for good")]

use leptos::prelude::*;
use protocol::SessionId;

use super::controls::Controls;
use super::messages;
use super::microphone::{Level, Microphone};
use super::port::{self, Command, LinkState, RecorderState, RecorderView};
use super::report::{AlertBox, Headline, Notices, ReceiptBox, RoomLine, Safety};
use super::source::{Preview, SourceChoice};
use super::unfinished::{ElsewhereBox, RecoveryLink, SavingBox, UnfinishedBox};
use crate::format;

/// How far the island has come in the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Rendered by the server; nothing runs yet.
    Waiting,
    Attached,
    /// The page was built without a browser adapter.
    NoAdapter,
}

/// What the parts share. The memos keep a report that changes one number from touching the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    pub(super) view: RwSignal<RecorderView>,
    pub(super) level: RwSignal<f32>,
    pub(super) readiness: RwSignal<Readiness>,
    pub(super) state: Memo<RecorderState>,
    pub(super) link: Memo<LinkState>,
    pub(super) session: Memo<Option<SessionId>>,
}

impl Ui {
    fn new() -> Self {
        let view = RwSignal::new(RecorderView::default());
        Self {
            view,
            level: RwSignal::new(0.0),
            readiness: RwSignal::new(Readiness::Waiting),
            state: Memo::new(move |_| view.with(|view| view.state)),
            link: Memo::new(move |_| view.with(|view| view.link)),
            session: Memo::new(move |_| view.with(|view| view.session)),
        }
    }

    /// Runs only in the browser: effects do not run on the server.
    fn attach(self) {
        Effect::new(move |_| match port::installed() {
            Some(port) => {
                port.attach(
                    Box::new(move |view| self.view.set(view)),
                    Box::new(move |level| self.level.set(level)),
                );
                self.readiness.set(Readiness::Attached);
            }
            None => self.readiness.set(Readiness::NoAdapter),
        });
    }
}

#[island]
pub fn Recorder() -> impl IntoView {
    let ui = Ui::new();
    ui.attach();
    view! { <Panel ui/> }
}

#[component]
fn Panel(ui: Ui) -> impl IntoView {
    let pending = Memo::new(move |_| ui.view.with(|view| view.pending));
    let unreadable = Memo::new(move |_| ui.view.with(|view| messages::unreadable(view.unreadable)));
    let kept = Memo::new(move |_| ui.view.with(|view| messages::kept_back(view.is_kept_back)));
    view! {
        <section
            class="recorder"
            aria-label="Recorder"
            data-state=move || ui.state.get().as_str()
            data-link=move || ui.link.get().as_str()
            data-pending=move || pending.get()
            data-session-id=move || ui.session.get().map(|id| id.to_string())
        >
            <ElsewhereBox ui/>
            <UnfinishedBox ui/>
            <SavingBox
                line=unreadable
                class="unfinished callout callout-warn"
                name="Save as a file"
                command=Command::SaveUnreadable
            />
            <Headline ui/>
            <Preview ui/>
            <Elapsed ui/>
            <Level ui/>
            <Safety ui/>
            <AlertBox ui/>
            <SavingBox
                line=kept
                class="unfinished callout"
                name="Save what is here"
                command=Command::SaveKept
            />
            <SourceChoice ui/>
            <Microphone ui/>
            <Controls ui/>
            <RoomLine ui/>
            <ReceiptBox ui/>
            <RecoveryLink ui/>
            <Notices ui/>
        </section>
    }
}

#[component]
fn Elapsed(ui: Ui) -> impl IntoView {
    let text = Memo::new(move |_| ui.view.with(|view| format::duration(view.recorded)));
    view! { <p class="elapsed" role="timer" aria-label="Recorded time">{text}</p> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::port::{Alert, Device, Elsewhere, Unfinished};
    use crate::rendering::{html, session_id, text};
    use protocol::{Digest, Millis, Receipt, SeqSet};

    fn island() -> String {
        html(|| view! { <Recorder/> })
    }

    /// What the attached island shows of `view`.
    fn shown(view: RecorderView) -> String {
        html(|| {
            let ui = Ui::new();
            ui.readiness.set(Readiness::Attached);
            ui.view.set(view);
            view! { <Panel ui/> }
        })
    }

    /// The opening tag of the button with this name.
    fn button<'a>(html: &'a str, name: &str) -> &'a str {
        let end = html.find(&format!(">{name}</button>")).unwrap();
        &html[html[..end].rfind("<button").unwrap()..end]
    }

    #[test]
    fn the_server_renders_the_contract_of_an_idle_recorder() {
        let island = island();
        assert!(
            island.contains(r#"data-state="idle" data-link="online" data-pending="0""#),
            "{island}"
        );
        assert!(!island.contains("data-session-id"));
    }

    #[test]
    fn start_is_there_but_waits_for_the_adapter() {
        let island = island();
        assert!(island.contains("Getting ready…"));
        let start = button(&island, "Start recording");
        assert!(start.contains("disabled") && !start.contains("hidden"), "{start}");
        let ready = shown(RecorderView::default());
        assert!(ready.contains("Ready to record"));
        assert!(!button(&ready, "Start recording").contains("disabled"));
    }

    #[test]
    fn a_report_reaches_the_contract_attributes() {
        let html = shown(RecorderView {
            state: RecorderState::Recording,
            link: LinkState::Reconnecting,
            pending: 4,
            session: Some(session_id(1)),
            recorded: Millis::new(12_250),
            ..RecorderView::default()
        });
        let contract = format!(
            r#"data-state="recording" data-link="reconnecting" data-pending="4" data-session-id="{}""#,
            session_id(1)
        );
        assert!(html.contains(&contract), "{html}");
        assert!(html.contains(">0:12</p>"), "{html}");
        assert!(button(&html, "Start recording").contains("hidden"));
        assert!(!button(&html, "Stop and save").contains("hidden"));
    }

    #[test]
    fn when_all_is_done_the_recording_and_the_receipt_are_at_hand() {
        let html = shown(RecorderView {
            state: RecorderState::Done,
            session: Some(session_id(1)),
            receipt: Some(Receipt {
                items: 53,
                bytes: 190_400,
                duration: Millis::from_secs(12),
                digest: Digest::from_bytes([0xab; 32]),
                missing: SeqSet::new(),
                left_out: 0,
            }),
            ..RecorderView::default()
        });
        assert!(html.contains(&format!(r#"href="/sessions/{}""#, session_id(1))), "{html}");
        assert!(html.contains(">View recording</a>"));
        assert!(text(&html).contains("All of it is safe: 53 items, 12 s, 190 KB."), "{html}");
        assert!(html.contains(&"ab".repeat(32)));
    }

    #[test]
    fn what_an_earlier_page_left_is_offered_while_nothing_else_is_recorded() {
        let view = |state| RecorderView {
            state,
            unfinished: Some(Unfinished {
                started: "11/14/2026, 9:30 AM".to_owned(),
                is_remote: false,
                recorded: Millis::from_secs(65),
                pending: 4,
                pending_duration: Millis::from_secs(1),
            }),
            ..RecorderView::default()
        };
        let html = shown(view(RecorderState::Idle));
        let from = html.find("Unfinished recording").unwrap();
        let told = text(&html[from..]);
        assert!(told.contains("From 11/14/2026, 9:30 AM: 1:05 recorded"), "{told}");
        let section = |html: &str| {
            let class = html.find("unfinished-title").unwrap();
            let start = html[..class].rfind("<section").unwrap();
            html[start..class + html[class..].find('>').unwrap()].to_owned()
        };
        assert!(!section(&html).contains("hidden"));
        assert!(section(&shown(view(RecorderState::Recording))).contains("hidden"));
    }

    #[test]
    fn what_the_server_does_not_take_can_be_saved() {
        let about = |is_kept_back| {
            let html = shown(RecorderView { is_kept_back, ..RecorderView::default() });
            let end = html.find("Save what is here").unwrap();
            let class = html[..end].rfind("unfinished callout").unwrap();
            let start = html[..class].rfind("<div").unwrap();
            html[start..end].to_owned()
        };
        let offered = about(true);
        assert!(offered.contains("is on this device") && !offered.contains("hidden"), "{offered}");
        assert!(about(false).contains("hidden"));
    }

    #[test]
    fn what_another_tab_records_can_be_taken_over() {
        let html = shown(RecorderView {
            elsewhere: Some(Elsewhere {
                started: "11/14/2026, 9:30 AM".to_owned(),
                is_taking_over: false,
            }),
            ..RecorderView::default()
        });
        let told = text(&html[html.find("Recording in another tab").unwrap()..]);
        assert!(told.contains("A recording from 11/14/2026, 9:30 AM is open"), "{told}");
        assert!(!button(&html, "Take over here").contains("disabled"));
    }

    #[test]
    fn the_recovery_link_is_at_hand_while_there_is_something_to_recover() {
        let link = "http://127.0.0.1/record#resume=a.b".to_owned();
        let html = shown(RecorderView { recovery_link: Some(link), ..RecorderView::default() });
        assert!(html.contains(r#"value="http://127.0.0.1/record#resume=a.b""#), "{html}");
        assert!(!shown(RecorderView::default()).contains("Recovery link"));
    }

    #[test]
    fn trouble_is_an_alert_and_its_words_cannot_become_markup() {
        let html = shown(RecorderView {
            state: RecorderState::Error,
            alert: Some(Alert {
                title: "The microphone is gone".to_owned(),
                detail: "<b>Plug it in</b>".to_owned(),
                retry: true,
            }),
            devices: vec![Device { id: "a\"b".to_owned(), label: "<i>mic</i>".to_owned() }],
            ..RecorderView::default()
        });
        let alert = &html[html.find(r#"role="alert""#).unwrap()..];
        assert!(text(alert).contains("The microphone is gone"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("<i>"));
        assert!(html.contains(r#"value="a&quot;b""#), "{html}");
        assert!(!button(&html, "Try again").contains("hidden"));
    }

    #[test]
    fn what_is_read_out_holds_no_number_that_changes_each_second() {
        let live = |recorded| {
            let html = shown(RecorderView {
                state: RecorderState::Recording,
                recorded: Millis::from_secs(recorded),
                pending: recorded,
                ..RecorderView::default()
            });
            let from = html.find(r#"role="status""#).unwrap();
            html[from..from + html[from..].find("</p>").unwrap()].to_owned()
        };
        assert_eq!(live(12), live(13));
    }
}

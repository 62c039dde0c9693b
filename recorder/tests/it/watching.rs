//! What is noticed while sound is captured.

use protocol::Millis;
use protocol::item::Incident;
use recorder::{Effect, MicrophoneState, RecorderState, Warning};

use crate::page::{FIRST, Page, live};

/// So much time passes, in which the recorder delivers.
fn record(page: &mut Page, span: Millis) {
    let until = page.now + span;
    while page.now < until {
        page.pass(Millis::new(120));
        page.chunk(FIRST, 10);
        page.spooled();
    }
}

#[test]
fn silence_is_told_and_noted_within_five_seconds_and_so_is_its_end() {
    let mut page = Page::recording("Desk");
    page.peak = Some(0.0);
    record(&mut page, Millis::from_secs(3));
    assert!(page.view().warnings.is_empty());
    record(&mut page, Millis::from_secs(1));
    assert_eq!(page.view().warnings, [Warning::Silent]);
    page.peak = Some(0.1);
    record(&mut page, Millis::new(300));
    assert!(page.view().warnings.is_empty());
    assert_eq!(page.incidents(), [Incident::MicrophoneSilent, Incident::MicrophoneHeard]);
}

#[test]
fn silence_of_a_test_belongs_to_the_recording_that_follows() {
    let mut page = Page::new();
    page.peak = Some(0.0);
    page.tell(|recorder, _| recorder.test_microphone());
    page.open("Desk");
    page.pass(Millis::from_secs(5));
    assert!(page.has_warning(&Warning::Silent) && page.items.is_empty());
    page.tell(|recorder, _| recorder.start());
    assert_eq!(page.incidents(), [Incident::MicrophoneSilent]);
}

#[test]
fn what_is_paused_or_not_measured_is_not_silent() {
    let mut page = Page::recording("Desk");
    page.peak = None;
    record(&mut page, Millis::from_secs(10));
    page.peak = Some(0.0);
    record(&mut page, Millis::from_secs(2));
    page.tell(|recorder, _| recorder.pause());
    page.spooled();
    page.pass(Millis::from_secs(10));
    page.tell(|recorder, _| recorder.resume());
    record(&mut page, Millis::from_secs(2));
    assert!(page.view().warnings.is_empty() && page.incidents().is_empty());
}

#[test]
fn what_the_system_has_muted_is_told_as_such_and_has_neither_stalled_nor_fallen_silent() {
    let mut page = Page::recording("Desk");
    let microphone = page.microphone;
    let muted = MicrophoneState { is_muted: true, ..live("Desk") };
    page.peak = Some(0.0);
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, muted));
    page.spooled();
    page.pass(Millis::from_secs(30));
    assert_eq!(page.view().warnings, [Warning::Muted]);
    assert!(!page.was_asked(&Effect::Stop(FIRST)));
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, live("Desk")));
    assert_eq!(page.incidents(), [Incident::MicrophoneMuted, Incident::MicrophoneUnmuted]);
}

#[test]
fn a_page_that_stood_still_is_noted_by_either_clock() {
    let mut page = Page::recording("Desk");
    record(&mut page, Millis::from_secs(1));
    page.jumped = Millis::from_secs(600);
    page.chunk(FIRST, 10);
    page.pass(Millis::new(250));
    let [Incident::PageSlept(span)] = page.incidents()[..] else {
        panic!("{:?}", page.incidents());
    };
    assert!(span >= Millis::from_secs(600) && span < Millis::from_secs(601));
    assert_eq!(page.state(), RecorderState::Recording, "a sleep is no stall");
}

#[test]
fn a_spool_that_takes_nothing_is_noted_once_and_told() {
    let mut page = Page::recording("Desk");
    let seq = page.chunk(FIRST, 10).unwrap();
    page.tell(|recorder, at| recorder.sender_mut().unwrap().handle_spool_failed(at.now, seq));
    page.pass(Millis::new(500));
    page.chunk(FIRST, 10);
    assert_eq!(page.incidents(), [Incident::SpoolFailed]);
    assert_eq!(page.view().warnings, [Warning::OnlyInMemory]);
}

#[test]
fn a_microphone_that_is_only_tested_is_watched_and_nothing_is_noted_of_it() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.test_microphone());
    let microphone = page.open("Desk");
    let is_live = false;
    let gone = MicrophoneState { is_live, ..live("Desk") };
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, gone));
    assert_eq!(page.state(), RecorderState::Error);
    assert!(page.was_asked(&Effect::Close(microphone)) && page.items.is_empty());
    page.tell(|recorder, _| recorder.devices_changed());
    page.open("Desk");
    assert!(page.view().is_testing, "a device that comes is tested, not recorded");
}

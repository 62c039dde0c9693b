//! A microphone or a recorder is lost while recording, or another one is chosen.

use protocol::item::{EndCause, StartCause};
use protocol::{Marker, Millis};
use recorder::{CaptureError, Device, Effect, Notice, RecorderState, Source, Trouble};

use crate::page::{FIRST, MAIN, Page, SECOND, THIRD, gone, live};

#[test]
fn the_recording_goes_on_in_a_new_segment_when_its_microphone_is_lost() {
    let mut page = Page::recording("Desk");
    let lost = page.microphone;
    page.tell(|recorder, at| recorder.microphone_is(at, lost, gone("Desk")));
    assert!(page.was_asked(&Effect::Stop(FIRST)) && page.microphones_asked().is_empty());
    let rest = page.chunk(FIRST, 10).unwrap();
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::DeviceLost)]);
    assert!(rest < page.items.last().unwrap().seq);
    assert!(page.was_asked(&Effect::Close(lost)) && page.recorder.is_at_work());
    assert_eq!(page.state(), RecorderState::Acquiring);
    page.open("Built-in");
    assert_eq!(page.starts()[1], (MAIN, SECOND, StartCause::DeviceChanged));
    assert!(page.has_notice(&Notice::Replaced("Built-in".into())));
    assert!(page.chunk(SECOND, 10).is_some() && page.chunk(FIRST, 10).is_none());
}

#[test]
fn a_recorder_that_ends_by_itself_is_told_from_a_microphone_that_is_gone() {
    let mut page = Page::recording("Desk");
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::RecorderFailed)]);
    assert_eq!(page.starts()[1], (MAIN, SECOND, StartCause::RecorderRestarted));
    assert!(page.has_notice(&Notice::Restarted), "the same microphone serves");
    assert!(page.microphones_asked().is_empty());
}

#[test]
fn a_microphone_is_asked_for_again_a_few_times_and_then_waited_for() {
    let mut page = Page::recording("Desk");
    page.lose_microphone();
    for tries in 1..4 {
        assert_eq!(page.microphones_asked().len(), tries);
        page.refuse(CaptureError::NoMicrophone);
        let error = CaptureError::Disconnected;
        assert_eq!(page.view().trouble, Some(Trouble::NoSound { error, has_recorded: true }));
        page.pass(Millis::new(999));
        assert_eq!(page.microphones_asked().len(), tries, "not at once");
        page.pass(Millis::new(1));
    }
    page.refuse(CaptureError::NoMicrophone);
    page.pass(Millis::from_secs(600));
    assert_eq!(page.microphones_asked().len(), 4, "not for ever");
    page.tell(|recorder, _| recorder.devices_changed());
    page.open("New");
    assert_eq!(page.starts()[1], (MAIN, SECOND, StartCause::DeviceChanged));
}

#[test]
fn who_tries_again_by_hand_starts_the_count_anew() {
    let mut page = Page::recording("Desk");
    page.lose_microphone();
    for _ in 0..4 {
        page.refuse(CaptureError::Busy);
        page.pass(Millis::from_secs(1));
    }
    page.tell(|recorder, at| recorder.retry(at.now));
    page.refuse(CaptureError::Busy);
    page.pass(Millis::from_secs(1));
    assert_eq!(page.microphones_asked().len(), 6);
    page.open("Desk");
    assert_eq!(page.starts()[1].2, StartCause::Retried);
}

#[test]
fn a_recording_that_was_paused_stays_so() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, _| recorder.pause());
    page.lose_microphone();
    page.open("Built-in");
    assert_eq!(page.state(), RecorderState::Paused);
    assert!(page.was_asked(&Effect::Pause(SECOND)));
    assert_eq!(page.markers().last(), Some(&Marker::Paused));
}

#[test]
fn the_microphone_in_use_is_kept_until_the_chosen_one_is_open() {
    let mut page = Page::recording("Desk");
    let before = page.microphone;
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    assert_eq!(page.microphones_asked(), [(Some("usb"), false)]);
    assert!(!page.was_asked(&Effect::Close(before)));
    let next = page.open("Headset");
    assert!(page.was_asked(&Effect::Stop(FIRST)) && !page.was_asked(&Effect::Use(next)));
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::DeviceChanged)]);
    assert!(page.was_asked(&Effect::Close(before)) && page.was_asked(&Effect::Use(next)));
    assert_eq!(page.starts()[1], (MAIN, SECOND, StartCause::DeviceChanged));
    assert_eq!(page.microphones_asked().len(), 1, "it is open already");
}

#[test]
fn a_chosen_microphone_that_is_gone_before_its_turn_is_asked_for_once_more() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    let next = page.open("Headset");
    page.tell(|recorder, at| recorder.microphone_is(at, next, gone("Headset")));
    page.stopped(FIRST);
    assert!(page.was_asked(&Effect::Close(next)) && !page.was_asked(&Effect::Use(next)));
    assert_eq!(page.microphones_asked(), [(Some("usb"), false), (Some("usb"), false)]);
}

#[test]
fn a_chosen_microphone_that_cannot_be_had_changes_nothing_and_that_is_told() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    page.refuse(CaptureError::ChosenIsGone);
    assert_eq!(page.state(), RecorderState::Recording);
    assert_eq!(page.microphones_asked().len(), 1, "nothing stands in for it");
    assert!(page.has_notice(&Notice::Stayed(CaptureError::ChosenIsGone, "Desk".into())));
    assert!(!page.was_asked(&Effect::Stop(FIRST)));
}

#[test]
fn only_the_latest_choice_counts_and_none_that_comes_after_the_end() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    let first = page.question();
    page.tell(|recorder, _| recorder.choose_device("other".into()));
    page.tell(|recorder, at| recorder.microphone_opened(at, first, Ok(live("Headset"))));
    assert!(page.was_asked(&Effect::Close(first)) && !page.was_asked(&Effect::Stop(FIRST)));
    page.tell(|recorder, at| recorder.stop(at.now));
    let second = page.open("Other");
    assert!(page.was_asked(&Effect::Close(second)));
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::Stopped)]);
}

#[test]
fn a_recorder_that_stalls_is_restarted_then_its_microphone_and_then_the_candidate_is_asked() {
    let mut page = Page::recording("Desk");
    page.pass(Millis::new(3_999));
    assert_eq!(page.runs_begun(), 0);
    page.pass(Millis::new(251));
    assert!(page.was_asked(&Effect::Stop(FIRST)), "4 s, and the time to the next look");
    page.pass(Millis::from_secs(1));
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::RecorderStalled)]);
    assert_eq!(page.starts()[1], (MAIN, SECOND, StartCause::RecorderRestarted));
    assert!(page.has_notice(&Notice::Restarted) && !page.view().has_losses);
    assert!(page.microphones_asked().is_empty(), "once on the same microphone");
    for asked in 1..3 {
        page.pass(Millis::from_secs(6));
        assert_eq!(page.microphones_asked().len(), asked);
        page.open("Desk");
    }
    page.pass(Millis::from_secs(6));
    assert_eq!((page.state(), page.microphones_asked().len()), (RecorderState::Error, 2));
    let error = CaptureError::RecorderStopped;
    assert_eq!(page.view().trouble, Some(Trouble::NoSound { error, has_recorded: true }));
    page.tell(|recorder, at| recorder.retry(at.now));
    page.open("Desk");
    assert_eq!(page.state(), RecorderState::Recording);
}

#[test]
fn a_run_that_delivers_makes_the_count_of_fruitless_ones_start_anew() {
    let mut page = Page::recording("Desk");
    for run in [FIRST, SECOND, THIRD] {
        page.chunk(run, 10);
        page.tell(|recorder, at| recorder.run_failed(at, run));
        page.stopped(run);
        assert!(page.microphones_asked().is_empty(), "each is the first in a row");
    }
}

#[test]
fn a_camera_that_is_gone_does_not_keep_the_sound_from_going_on() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_source(Source::Camera));
    page.tell(|recorder, _| recorder.start());
    page.microphone = page.open("Desk");
    page.lose_microphone();
    page.refuse(CaptureError::NoCamera);
    assert_eq!(page.microphones_asked().last(), Some(&(None, false)));
    page.open("Desk");
    assert_eq!(page.state(), RecorderState::Recording);
}

#[test]
fn the_candidate_hears_of_another_name_and_of_another_default() {
    let default = |label: &str| Device { id: "default".into(), label: label.to_owned() };
    let mut page = Page::recording("Desk");
    page.tell(|recorder, _| recorder.devices_listed(&[default("Default - Desk")]));
    page.tell(|recorder, _| recorder.devices_listed(&[default("Default - Headset")]));
    assert!(page.has_notice(&Notice::NewDefault("Headset".into(), "Desk".into())));
    let microphone = page.microphone;
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, live("Headset")));
    assert_eq!(page.view().notices, [Notice::Relabelled("Headset".into())]);
}

//! From the button to the first run, and pauses.

use protocol::item::{SegmentStart, StartCause};
use protocol::{Marker, Millis, TrackKind};
use recorder::{
    CaptureError, Effect, MicrophoneState, Notice, RecorderState, Source, Trouble, Warning,
};

use crate::page::{FIRST, MAIN, Page, SECOND, live, session};

#[test]
fn a_recording_begins_once_its_microphone_is_open_and_its_run_has_started() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.start());
    assert_eq!((page.state(), page.recorder.session()), (RecorderState::Acquiring, None));
    let microphone = page.open("Desk");
    assert_eq!(page.state(), RecorderState::Recording);
    let expected = [
        Effect::Use(microphone),
        Effect::StartRun { run: FIRST, microphone, has_picture: false, is_first: true },
        Effect::Begin(session()),
        Effect::NoteSource(session(), Source::Microphone),
    ];
    let begun: Vec<_> = page.asked.iter().filter(|one| expected.contains(one)).cloned().collect();
    assert_eq!(begun, expected, "in this order");
    let started = Marker::SegmentStarted(SegmentStart {
        track: MAIN,
        segment: FIRST,
        kind: TrackKind::Microphone,
        mime: "audio/webm;codecs=opus".into(),
        label: "named".into(),
        wall: page.at().wall,
        cause: StartCause::Begun,
    });
    assert_eq!(page.markers(), [started]);
}

#[test]
fn a_run_that_does_not_start_leaves_no_session_behind() {
    let mut page = Page::new();
    page.no_run = Some(CaptureError::Unsupported);
    page.tell(|recorder, _| recorder.start());
    let microphone = page.open("Desk");
    assert_eq!((page.state(), page.recorder.session()), (RecorderState::Error, None));
    assert!(page.was_asked(&Effect::Close(microphone)) && page.items.is_empty());
    let error = CaptureError::Unsupported;
    assert_eq!(page.view().trouble, Some(Trouble::NoSound { error, has_recorded: false }));
    page.no_run = None;
    page.tell(|recorder, at| recorder.retry(at.now));
    page.open("Desk");
    assert_eq!(page.starts(), [(MAIN, FIRST, StartCause::Begun)]);
}

#[test]
fn a_microphone_that_comes_too_late_is_closed_and_changes_nothing() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.test_microphone());
    let early = page.question();
    page.tell(|recorder, _| recorder.stop_test());
    page.tell(|recorder, _| recorder.test_microphone());
    assert_ne!(page.question(), early);
    page.tell(|recorder, at| recorder.microphone_opened(at, early, Ok(live("Late"))));
    assert_eq!(page.state(), RecorderState::Acquiring);
    assert!(page.was_asked(&Effect::Close(early)) && !page.was_asked(&Effect::Use(early)));
    page.open("Desk");
    assert!(page.view().is_testing);
    page.tell(|recorder, at| recorder.microphone_opened(at, early, Err(CaptureError::Busy)));
    assert!(page.view().is_testing, "a late refusal changes nothing either");
}

#[test]
fn the_microphone_that_was_tested_is_recorded_and_another_choice_asks_again() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.test_microphone());
    page.open("Desk");
    page.tell(|recorder, _| recorder.start());
    assert_eq!(page.state(), RecorderState::Recording);
    assert_eq!(page.microphones_asked(), [(None, false)]);

    let mut page = Page::new();
    page.tell(|recorder, _| recorder.test_microphone());
    let tested = page.open("Desk");
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    assert!(page.was_asked(&Effect::Close(tested)));
    assert_eq!(page.microphones_asked(), [(None, false), (Some("usb"), false)]);
}

#[test]
fn the_default_stands_in_for_a_chosen_microphone_that_is_gone_and_that_is_told() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    page.tell(|recorder, _| recorder.start());
    page.refuse(CaptureError::ChosenIsGone);
    assert_eq!(page.microphones_asked(), [(Some("usb"), false), (None, false)]);
    page.open("Built-in");
    assert_eq!(page.state(), RecorderState::Recording);
    assert!(page.has_notice(&Notice::StandIn));
    page.tell(|recorder, _| recorder.choose_device("other".into()));
    page.open("Other");
    assert!(!page.has_notice(&Notice::StandIn), "it was chosen");
}

#[test]
fn nothing_stands_in_for_a_microphone_that_was_refused() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_device("usb".into()));
    page.tell(|recorder, _| recorder.start());
    page.refuse(CaptureError::Blocked);
    assert_eq!((page.state(), page.microphones_asked().len()), (RecorderState::Error, 1));
    page.pass(Millis::from_secs(60));
    page.tell(|recorder, _| recorder.devices_changed());
    assert_eq!(page.microphones_asked().len(), 1, "nobody is asked twice");
}

/// Nobody is to be recorded without having asked for it just now.
#[test]
fn what_never_began_is_only_tested_once_the_microphone_is_allowed() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.start());
    page.refuse(CaptureError::Blocked);
    page.tell(|recorder, _| recorder.permission_granted());
    page.open("Desk");
    assert!(page.view().is_testing && page.recorder.session().is_none());
}

#[test]
fn a_camera_that_fails_before_the_beginning_is_an_error() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_source(Source::Camera));
    page.tell(|recorder, _| recorder.start());
    page.refuse(CaptureError::NoCamera);
    assert_eq!(page.microphones_asked(), [(None, true)]);
    assert_eq!(page.state(), RecorderState::Error);
    page.tell(|recorder, at| recorder.retry(at.now));
    page.open_as(MicrophoneState { has_picture: true, ..live("Desk") });
    assert!(page.view().has_picture && !page.has_warning(&Warning::CameraGone));
    let microphone = page.question();
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, live("Desk")));
    assert_eq!(page.state(), RecorderState::Recording);
    assert!(page.has_warning(&Warning::CameraGone));
}

#[test]
fn a_pause_is_marked_and_does_not_count() {
    let mut page = Page::recording("Desk");
    page.pass(Millis::from_secs(2));
    page.tell(|recorder, _| recorder.pause());
    page.tell(|recorder, _| recorder.pause());
    assert_eq!(page.state(), RecorderState::Paused);
    page.spooled();
    page.pass(Millis::from_secs(30));
    assert_eq!(page.view().recorded, Millis::from_secs(2));
    assert!(!page.was_asked(&Effect::Stop(FIRST)), "a recorder that is paused has not stalled");
    page.tell(|recorder, _| recorder.resume());
    page.pass(Millis::from_secs(1));
    assert_eq!(
        (page.state(), page.view().recorded),
        (RecorderState::Recording, Millis::from_secs(3))
    );
    assert_eq!(page.markers()[1..], [Marker::Paused, Marker::Resumed]);
    let at = |nth: usize| page.items[nth].at;
    assert_eq!((at(1), at(2)), (Millis::from_secs(2), Millis::from_secs(32)));
}

#[test]
fn a_recorder_that_cannot_be_paused_is_not_shown_as_paused() {
    let mut page = Page::recording("Desk");
    page.has_ended = true;
    page.tell(|recorder, _| recorder.pause());
    assert_eq!(page.state(), RecorderState::Recording);
    assert!(page.was_asked(&Effect::Pause(FIRST)) && page.markers().len() == 1);
}

#[test]
fn chunks_are_numbered_when_they_come_and_cover_the_time_since_the_last() {
    let mut page = Page::recording("Desk");
    page.pass(Millis::new(120));
    let first = page.unread_chunk(FIRST, 700_000).unwrap();
    page.pass(Millis::new(120));
    let second = page.unread_chunk(FIRST, 10).unwrap();
    assert_eq!(first.get() + 2, second.get(), "it needs two numbers");
    assert_eq!(page.items.len(), 1, "nothing of them is read");
    let bytes = vec![2; 10].into();
    page.tell(|recorder, at| recorder.chunk_read(at, second, Some(bytes)));
    let item = page.items.last().unwrap();
    assert_eq!((item.seq, item.at), (second, Millis::new(240)));
    let recorded = page.recorder.sender().unwrap().record().recorded;
    assert_eq!(recorded, Millis::new(120), "what each covers counts once it is read");
    assert_eq!(page.unread_chunk(SECOND, 10), None, "no such run");
}

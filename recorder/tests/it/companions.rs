//! What is recorded beside the microphone.

use protocol::Content;
use protocol::item::{EndCause, StartCause};
use recorder::{CaptureError, Companion, Effect, RecorderState, Source, Warning};

use crate::page::{BESIDE, FIRST, MAIN, Page, SECOND, THIRD};

const FOURTH: protocol::SegmentNo = protocol::SegmentNo::new(3);

fn ask_to_record(companion: Companion) -> Page {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_source(Source::With(companion)));
    page.tell(|recorder, _| recorder.start());
    page
}

#[test]
fn its_runs_begin_and_end_with_those_of_the_microphone() {
    let mut page = Page::recording_with(Companion::Stills);
    let starts = [(MAIN, FIRST, StartCause::Begun), (BESIDE, SECOND, StartCause::Begun)];
    assert_eq!(page.starts(), starts);
    page.tell(|recorder, _| recorder.pause());
    page.tell(|recorder, _| recorder.resume());
    page.tell(|recorder, at| recorder.stop(at.now));
    let of_both =
        [Effect::Pause, Effect::Resume, Effect::Stop].map(|what| [what(FIRST), what(SECOND)]);
    assert!(of_both.iter().flatten().all(|effect| page.was_asked(effect)));
    page.stopped(FIRST);
    assert!(page.ends().is_empty(), "the other one still hands over");
    assert!(page.chunk(SECOND, 10).is_some());
    page.stopped(SECOND);
    let ends = [(MAIN, FIRST, EndCause::Stopped), (BESIDE, SECOND, EndCause::Stopped)];
    assert_eq!(page.ends(), ends);

    let mut page = Page::recording_with(Companion::Stills);
    page.tell(|recorder, at| recorder.stop(at.now));
    page.stopped(SECOND);
    assert!(page.ends().is_empty() && page.chunk(FIRST, 10).is_some(), "the other way round");
    page.stopped(FIRST);
    assert_eq!(page.ends(), ends);
}

#[test]
fn its_chunks_are_its_own_and_a_picture_lies_where_it_was_taken() {
    let mut page = Page::recording_with(Companion::Stills);
    let began = page.now;
    page.pass(protocol::Millis::new(500));
    let taken_at = began + protocol::Millis::new(200);
    let mut seq = None;
    page.tell(|recorder, at| seq = recorder.chunk(at, SECOND, taken_at, 3));
    page.tell(|recorder, at| recorder.chunk_read(at, seq.unwrap(), Some(vec![1; 3].into())));
    let item = page.items.last().unwrap();
    let is_beside = matches!(item.content, Content::Chunk { track: BESIDE, segment: SECOND, .. });
    assert!(is_beside && item.at == protocol::Millis::new(200));
    assert_eq!(page.recorder.sender().unwrap().record().recorded, protocol::Millis::ZERO);
}

#[test]
fn nothing_begins_without_all_that_was_chosen() {
    let mut page = ask_to_record(Companion::SecondMicrophone);
    let microphone = page.open("Desk");
    page.refuse_companion(CaptureError::NoSecondMicrophone);
    assert_eq!((page.state(), page.recorder.session()), (RecorderState::Error, None));
    assert!(page.was_asked(&Effect::Close(microphone)));

    let mut page = ask_to_record(Companion::Screen);
    page.refuse_companion(CaptureError::NotShared);
    assert_eq!(page.state(), RecorderState::Error);
    assert!(page.microphones_asked().is_empty(), "the screen comes first");
}

#[test]
fn the_screen_is_not_asked_for_again_when_only_the_microphone_is_missing() {
    let mut page = ask_to_record(Companion::Screen);
    let screen = page.open_companion();
    page.refuse(CaptureError::Busy);
    assert!(!page.was_asked(&Effect::Close(screen)));
    page.tell(|recorder, at| recorder.retry(at.now));
    page.open("Desk");
    assert_eq!(page.starts().len(), 2);
}

#[test]
fn a_test_asks_for_no_screen_and_for_a_camera() {
    for (companion, questions) in [(Companion::Screen, 1), (Companion::Stills, 2)] {
        let mut page = Page::new();
        page.tell(|recorder, _| recorder.choose_source(Source::With(companion)));
        page.tell(|recorder, _| recorder.test_microphone());
        page.open("Desk");
        let is_question = |one: &&Effect| {
            matches!(one, Effect::OpenMicrophone { .. } | Effect::OpenCompanion { .. })
        };
        assert_eq!(page.asked.iter().filter(is_question).count(), questions, "{companion:?}");
    }
}

#[test]
fn what_is_open_is_closed_when_the_candidate_does_not_wait_for_the_rest() {
    let mut page = Page::new();
    page.tell(|recorder, _| recorder.choose_source(Source::With(Companion::Stills)));
    page.tell(|recorder, _| recorder.test_microphone());
    let microphone = page.open("Desk");
    page.tell(|recorder, _| recorder.stop_test());
    assert!(page.was_asked(&Effect::Close(microphone)));
    let camera = page.open_companion();
    assert!(page.was_asked(&Effect::Close(camera)));
    assert_eq!((page.state(), page.view().has_picture), (RecorderState::Idle, false));
}

#[test]
fn the_sound_goes_on_without_it_and_it_can_be_restored() {
    let mut page = Page::recording_with(Companion::Screen);
    let screen = page.companion;
    page.tell(|recorder, at| recorder.companion_is(at, screen, false));
    assert!(page.was_asked(&Effect::Stop(SECOND)) && !page.was_asked(&Effect::Stop(FIRST)));
    page.stopped(SECOND);
    assert_eq!(page.ends(), [(BESIDE, SECOND, EndCause::DeviceLost)]);
    assert_eq!(page.state(), RecorderState::Recording);
    assert!(page.has_warning(&Warning::Missing(Companion::Screen, CaptureError::ShareEnded)));
    page.tell(|recorder, _| recorder.devices_changed());
    let is_question = |one: &Effect| matches!(one, Effect::OpenCompanion { .. });
    assert!(!page.asked.iter().any(is_question), "nobody is asked to share without a click");
    page.tell(|recorder, _| recorder.restore_companion());
    page.open_companion();
    assert_eq!(page.starts()[2], (BESIDE, THIRD, StartCause::Retried));
    assert_eq!((page.view().missing, page.view().warnings), (None, Vec::new()));
    assert_eq!(page.runs_begun(), 0, "the microphone's run is the same");
}

#[test]
fn a_device_that_comes_back_is_opened_by_itself() {
    let mut page = Page::recording_with(Companion::Stills);
    let camera = page.companion;
    page.tell(|recorder, at| recorder.companion_is(at, camera, false));
    page.stopped(SECOND);
    assert!(page.has_warning(&Warning::Missing(Companion::Stills, CaptureError::NoCamera)));
    page.tell(|recorder, _| recorder.devices_changed());
    page.open_companion();
    assert_eq!(page.starts()[2], (BESIDE, THIRD, StartCause::Retried));
}

#[test]
fn one_that_comes_too_late_is_closed() {
    let mut page = Page::recording_with(Companion::Stills);
    let camera = page.companion;
    page.tell(|recorder, at| recorder.companion_is(at, camera, false));
    page.stopped(SECOND);
    page.tell(|recorder, _| recorder.restore_companion());
    let first = page.question();
    page.tell(|recorder, _| recorder.restore_companion());
    page.tell(|recorder, at| recorder.companion_opened(at, first, Ok(())));
    assert!(page.was_asked(&Effect::Close(first)) && page.starts().len() == 2);
    page.tell(|recorder, at| recorder.stop(at.now));
    let second = page.open_companion();
    assert!(page.was_asked(&Effect::Close(second)) && page.starts().len() == 2);
}

#[test]
fn one_whose_recorder_fails_is_told_from_one_that_is_gone() {
    let mut page = Page::recording_with(Companion::SecondMicrophone);
    page.tell(|recorder, at| recorder.run_failed(at, SECOND));
    assert!(page.was_asked(&Effect::Stop(SECOND)));
    page.stopped(SECOND);
    assert_eq!(page.ends(), [(BESIDE, SECOND, EndCause::RecorderFailed)]);
    assert!(
        page.was_asked(&Effect::Close(page.companion)) && page.was_asked(&Effect::Drop(SECOND))
    );
}

#[test]
fn one_whose_recorder_does_not_start_keeps_no_sound_from_being_recorded() {
    let mut page = ask_to_record(Companion::SecondMicrophone);
    page.no_companion_run = Some(CaptureError::Unsupported);
    page.open("Desk");
    let open = page.open_companion();
    assert_eq!((page.state(), page.starts().len()), (RecorderState::Recording, 1));
    let kind = Companion::SecondMicrophone;
    assert!(page.has_warning(&Warning::Missing(kind, CaptureError::Unsupported)));
    page.no_companion_run = None;
    page.tell(|recorder, _| recorder.restore_companion());
    assert!(page.was_asked(&Effect::Close(open)), "some devices can be opened only once");
    page.open_companion();
    assert_eq!(page.starts()[1], (BESIDE, SECOND, StartCause::Retried));
}

#[test]
fn it_goes_on_with_the_microphone_that_takes_the_place_of_another() {
    let mut page = Page::recording_with(Companion::SecondMicrophone);
    page.tell(|recorder, _| recorder.pause());
    page.lose_microphone();
    page.stopped(SECOND);
    page.open("Built-in");
    let starts =
        [(MAIN, THIRD, StartCause::DeviceChanged), (BESIDE, FOURTH, StartCause::DeviceChanged)];
    assert_eq!(page.starts()[2..], starts);
    assert!(page.was_asked(&Effect::Pause(THIRD)) && page.was_asked(&Effect::Pause(FOURTH)));
}

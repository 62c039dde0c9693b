//! Going on with what an earlier page or another tab left.

use protocol::item::{EndCause, StartCause};
use protocol::limits::RESUME_GAP_MAX;
use protocol::sender::{Sender, SessionRecord};
use protocol::{Millis, SegmentNo};
use recorder::{Companion, RecorderState, Source};

use crate::page::{BESIDE, FIRST, MAIN, Page, SECOND, THIRD};

const FOURTH: SegmentNo = SegmentNo::new(3);

/// What a page leaves that has recorded for so long.
fn left_after(span: Millis) -> (SessionRecord, Millis) {
    let mut page = Page::recording("Desk");
    page.pass(Millis::new(1_000));
    page.chunk(FIRST, 10);
    page.pass(span - Millis::new(1_000));
    page.chunk(FIRST, 10);
    (page.recorder.sender().unwrap().record().clone(), page.now)
}

fn taking_up(record: SessionRecord, now: Millis, source: Source, cause: StartCause) -> Page {
    let mut page = Page::new();
    page.now = now;
    page.tell(|recorder, at| {
        recorder.take_up(at, Sender::restore(at.now, record, []), source, cause);
    });
    page
}

#[test]
fn the_time_without_a_page_is_a_gap_by_the_wall_clock() {
    let (record, now) = left_after(Millis::from_secs(3));
    let away = Millis::from_secs(20);
    let mut page = taking_up(record, now + away, Source::Microphone, StartCause::PageReturned);
    page.open("Desk");
    assert_eq!(page.starts(), [(MAIN, SECOND, StartCause::PageReturned)]);
    assert_eq!(page.items[0].at, Millis::from_secs(23));
    assert_eq!(page.view().recorded, Millis::from_secs(3), "it counts on");
    page.tell(|recorder, at| recorder.run_failed(at, SECOND));
    page.stopped(SECOND);
    assert_eq!(page.starts()[1], (MAIN, THIRD, StartCause::RecorderRestarted), "said once");
}

#[test]
fn a_wall_clock_that_was_set_makes_no_gap_that_the_timeline_has_no_room_for() {
    let (record, now) = left_after(Millis::from_secs(3));
    let end = record.timeline_end;
    for (now, at) in [(Millis::ZERO, end), (now + RESUME_GAP_MAX + end, end + RESUME_GAP_MAX)] {
        let mut page = taking_up(record.clone(), now, Source::Microphone, StartCause::TakenOver);
        page.open("Desk");
        assert_eq!(page.items[0].at, at);
    }
}

#[test]
fn the_sound_goes_on_where_what_was_beside_it_cannot_be_had() {
    let (record, now) = left_after(Millis::from_secs(2));
    let source = Source::With(Companion::Stills);
    let mut page = taking_up(record, now, source, StartCause::PageReturned);
    page.open("Desk");
    page.refuse_companion(recorder::CaptureError::NoCamera);
    assert_eq!(page.starts(), [(MAIN, SECOND, StartCause::PageReturned)]);
    assert_eq!(
        (page.state(), page.view().missing),
        (RecorderState::Recording, Some(Companion::Stills))
    );
    page.tell(|recorder, _| recorder.devices_changed());
    page.open_companion();
    assert_eq!(page.starts()[1], (BESIDE, THIRD, StartCause::Retried));
    page.stopped(SECOND);
    page.stopped(THIRD);
    assert_eq!(page.ends()[0], (MAIN, SECOND, EndCause::RecorderFailed));
    assert_eq!(page.starts()[2].1, FOURTH);
}

#[test]
fn what_is_only_to_be_saved_is_recorded_no_further() {
    let (record, now) = left_after(Millis::from_secs(2));
    let mut page = Page::new();
    page.now = now;
    page.tell(|recorder, _| recorder.test_microphone());
    let tested = page.open("Desk");
    page.tell(|recorder, at| {
        recorder.take_up_to_finish(at, Sender::restore(at.now, record, []));
    });
    assert_eq!((page.state(), page.starts()), (RecorderState::Finishing, Vec::new()));
    assert!(page.was_asked(&recorder::Effect::Close(tested)));
    assert!(page.recorder.sender().unwrap().record().finish_asked);
    assert!(!page.recorder.is_free());
}

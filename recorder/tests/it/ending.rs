//! How a run is closed, and what follows: saving, or another tab.

use protocol::item::EndCause;
use protocol::{
    ClientMessage, Digest, Millis, Receipt, Refusal, Seq, SeqSet, ServerMessage, SessionId,
};
use recorder::{CaptureError, Effect, Notice, RecorderState, Trouble};

use crate::page::{FIRST, MAIN, Page, SECOND, WALL, gone, live, session};

fn receipt() -> Receipt {
    Receipt {
        items: 1,
        bytes: 1,
        duration: Millis::new(1),
        digest: Digest::from_bytes([0; 32]),
        missing: SeqSet::new(),
        left_out: 0,
    }
}

fn finishes(page: &Page) -> usize {
    page.sent.iter().filter(|one| matches!(one, ClientMessage::Finish(_))).count()
}

fn is_finish_asked(page: &Page) -> bool {
    page.recorder.sender().unwrap().record().finish_asked
}

#[test]
fn what_the_run_still_hands_over_comes_before_its_end() {
    let mut page = Page::recording("Desk");
    let microphone = page.microphone;
    page.tell(|recorder, at| recorder.stop(at.now));
    assert!(page.was_asked(&Effect::Stop(FIRST)));
    assert_eq!(page.state(), RecorderState::Finishing);
    let last = page.chunk(FIRST, 100).unwrap();
    assert!(!is_finish_asked(&page) && page.ends().is_empty());
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::Stopped)]);
    assert!(page.items.last().unwrap().seq > last && is_finish_asked(&page));
    assert!(page.was_asked(&Effect::Close(microphone)) && page.was_asked(&Effect::Drop(FIRST)));
    assert!(page.was_asked(&Effect::Preview(None)));
}

#[test]
fn a_run_that_hands_over_nothing_more_is_given_up_in_time_and_that_is_told() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.stop(at.now));
    page.pass(Millis::new(9_999));
    assert!(page.ends().is_empty() && !page.view().has_losses);
    page.pass(Millis::new(1));
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::Stopped)]);
    assert!(page.has_notice(&Notice::TailLost) && page.view().has_losses);
    assert_eq!(page.chunk(FIRST, 10), None, "the run is over");
}

#[test]
fn stopping_while_a_run_is_closed_to_go_on_saves() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.run_failed(at, FIRST));
    page.tell(|recorder, at| recorder.stop(at.now));
    assert_eq!(page.state(), RecorderState::Finishing);
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::Stopped)]);
    assert!(is_finish_asked(&page) && page.microphones_asked().is_empty());
}

#[test]
fn stopping_without_a_microphone_saves_what_there_is() {
    for is_refused in [false, true] {
        let mut page = Page::recording("Desk");
        page.lose_microphone();
        assert!(page.view().can_save);
        if is_refused {
            page.refuse(CaptureError::NoMicrophone);
            assert_eq!(page.state(), RecorderState::Error);
        }
        let late = page.question();
        page.tell(|recorder, at| recorder.stop(at.now));
        assert_eq!(page.state(), RecorderState::Finishing);
        assert!(is_finish_asked(&page));
        page.tell(|recorder, at| recorder.microphone_opened(at, late, Ok(live("Late"))));
        assert!(page.was_asked(&Effect::Close(late)) && page.starts().len() == 1);
    }
}

#[test]
fn a_chunk_that_cannot_be_read_is_a_hole_that_is_told() {
    let mut page = Page::recording("Desk");
    let first = page.unread_chunk(FIRST, 10).unwrap();
    let second = page.unread_chunk(FIRST, 10).unwrap();
    page.tell(|recorder, at| recorder.chunk_read(at, first, None));
    assert!(page.has_notice(&Notice::Unreadable(1)) && page.view().has_losses);
    page.tell(|recorder, at| recorder.chunk_read(at, second, Some(vec![1; 10].into())));
    assert_eq!(page.items.last().unwrap().seq, second);
    page.welcome();
    page.tell(|recorder, at| recorder.stop(at.now));
    page.stopped(FIRST);
    page.spooled();
    let everything: SeqSet = page.items.iter().map(|item| item.seq).collect();
    page.hear(ServerMessage::Ack { seqs: everything, duplicates: SeqSet::new() });
    let lost = page.sent.iter().find_map(|message| {
        let ClientMessage::Finish(finish) = message else { return None };
        Some(finish.lost.clone())
    });
    assert_eq!(lost.unwrap(), SeqSet::from_iter([first]), "the server is told, too");
}

#[test]
fn a_recording_that_the_server_could_not_make_is_asked_for_again() {
    let mut page = Page::recording("Desk");
    page.welcome();
    page.tell(|recorder, at| recorder.stop(at.now));
    page.stopped(FIRST);
    page.spooled();
    let everything: SeqSet = page.items.iter().map(|item| item.seq).collect();
    page.hear(ServerMessage::Ack { seqs: everything, duplicates: SeqSet::new() });
    assert_eq!(finishes(&page), 1);
    page.tell(|recorder, at| recorder.retry(at.now));
    assert_eq!(finishes(&page), 1, "it has not failed");
    page.hear(ServerMessage::Failed("no room".into()));
    assert_eq!(page.state(), RecorderState::Error);
    assert_eq!(page.view().trouble, Some(Trouble::NotMade("no room".into())));
    page.tell(|recorder, at| recorder.retry(at.now));
    assert_eq!((page.state(), finishes(&page)), (RecorderState::Finishing, 2));
    page.hear(ServerMessage::Completed(receipt()));
    assert_eq!(page.state(), RecorderState::Done);
    page.pass(Millis::from_secs(60));
    let unlocked = page.asked.iter().filter(|one| **one == Effect::Unlock).count();
    assert_eq!(unlocked, 1, "the lock is let go once");
}

#[test]
fn a_session_is_handed_over_once_the_spool_has_all_of_it() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.hand_over(at.now, SessionId::from_parts(WALL, [1; 10])));
    assert_eq!(page.state(), RecorderState::Recording, "another one was meant");
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    let last = page.unread_chunk(FIRST, 100).unwrap();
    page.stopped(FIRST);
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::TakenOver)]);
    assert_eq!(page.view().trouble, Some(Trouble::Refused(Refusal::Fenced)));
    page.spooled();
    assert!(!page.was_asked(&Effect::LetGo), "its last chunk is not read");
    page.tell(|recorder, at| recorder.chunk_read(at, last, Some(vec![1; 100].into())));
    assert!(!page.was_asked(&Effect::LetGo), "its last chunk is not on disk");
    page.spooled();
    assert!(page.was_asked(&Effect::LetGo) && page.recorder.session().is_none());
    assert!(!page.asked.contains(&Effect::Unlock));
}

#[test]
fn a_spool_that_does_not_answer_holds_no_hand_over_up() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    page.stopped(FIRST);
    page.pass(Millis::new(3_999));
    assert!(!page.was_asked(&Effect::LetGo));
    page.pass(Millis::new(1));
    assert!(page.was_asked(&Effect::LetGo));
}

#[test]
fn what_waits_for_a_microphone_is_handed_over_as_soon_as_it_is_on_disk() {
    let mut page = Page::recording("Desk");
    page.lose_microphone();
    let late = page.question();
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    assert!(!page.was_asked(&Effect::LetGo));
    page.spooled();
    assert!(page.was_asked(&Effect::LetGo));
    page.tell(|recorder, at| recorder.microphone_opened(at, late, Ok(live("Late"))));
    assert!(page.was_asked(&Effect::Close(late)));
}

#[test]
fn a_run_that_is_closed_to_go_on_is_handed_over_instead() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.run_failed(at, FIRST));
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    page.stopped(FIRST);
    page.spooled();
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::TakenOver)]);
    assert!(page.was_asked(&Effect::LetGo) && page.microphones_asked().is_empty());
}

#[test]
fn what_is_being_saved_is_saved_here() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.stop(at.now));
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    page.stopped(FIRST);
    page.tell(|recorder, at| recorder.hand_over(at.now, session()));
    page.spooled();
    assert!(is_finish_asked(&page) && !page.was_asked(&Effect::LetGo));
}

/// The other tab may be at work already: not a word more of it.
#[test]
fn a_session_that_was_taken_is_let_go_at_once_with_all_that_is_open() {
    let mut page = Page::recording("Desk");
    let microphone = page.microphone;
    page.tell(|recorder, _| recorder.lock_lost(SessionId::from_parts(WALL, [1; 10])));
    assert_eq!(page.state(), RecorderState::Recording, "another one was meant");
    page.tell(|recorder, _| recorder.lock_lost(session()));
    let at_the_end = [Effect::Drop(FIRST), Effect::Close(microphone), Effect::LetGo];
    assert!(at_the_end.iter().all(|effect| page.was_asked(effect)));
    assert!(page.recorder.session().is_none() && page.ends().is_empty());
    assert_eq!(page.chunk(FIRST, 10), None);
    page.tell(|recorder, at| recorder.microphone_is(at, microphone, gone("Desk")));
    page.tell(|recorder, _| recorder.start());
    assert_eq!((page.state(), page.chunk(SECOND, 1)), (RecorderState::Error, None::<Seq>));
}

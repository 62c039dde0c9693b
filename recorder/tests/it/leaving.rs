//! The page is left, or may be.

use protocol::item::EndCause;
use protocol::sender;
use protocol::{Millis, Seq};
use recorder::{Companion, Effect};

use crate::page::{BESIDE, FIRST, MAIN, Page, SECOND, THIRD, session};

/// As many as fill a beacon's quota.
const URGENT_CHUNKS: usize = 16;

fn flushes(page: &Page) -> usize {
    page.asked.iter().filter(|one| **one == Effect::Flush(FIRST)).count()
}

fn tails(page: &Page) -> Vec<Seq> {
    let tail = |effect: &Effect| {
        let Effect::SendTail { seq, header } = effect else { return None };
        assert_eq!((*seq, header.segment), (header.first_seq, FIRST));
        Some(*seq)
    };
    page.asked.iter().filter_map(tail).collect()
}

fn next_seq(page: &Page) -> Seq {
    page.recorder.sender().unwrap().record().next_seq
}

#[test]
fn what_the_recorder_hands_over_when_the_page_may_be_left_goes_out_unread_and_is_read_at_once() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.leaving(at.now));
    assert_eq!(flushes(&page), 1);
    page.asked.clear();
    let seq = page.unread_chunk(FIRST, 10).unwrap();
    let next_segment = SECOND;
    let note = Effect::Sender(sender::Effect::Note { next_seq: seq.next(), next_segment });
    assert_eq!(page.asked.first(), Some(&note), "its number is written down first");
    assert_eq!(tails(&page), [seq]);
    assert!(page.was_asked(&Effect::Read { seq, is_urgent: true }));
}

#[test]
fn only_so_many_chunks_go_out_unread_and_none_of_a_page_that_stays() {
    let mut page = Page::recording("Desk");
    page.unread_chunk(FIRST, 10);
    assert!(tails(&page).is_empty());
    page.tell(|recorder, at| recorder.leaving(at.now));
    for _ in 0..URGENT_CHUNKS + 3 {
        page.unread_chunk(FIRST, 10);
    }
    assert_eq!(tails(&page).len(), URGENT_CHUNKS);
}

#[test]
fn the_recorder_is_asked_again_and_again_as_long_as_the_page_may_be_gone() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.leaving(at.now));
    page.pass(Millis::new(60));
    assert_eq!(flushes(&page), 4);
    page.pass(Millis::from_secs(1));
    let all = flushes(&page);
    assert_eq!(all, 50);
    page.pass(Millis::from_secs(1));
    assert_eq!(flushes(&page), all, "it was not left");
}

#[test]
fn a_hidden_page_has_its_recorders_hand_over_what_they_have() {
    let mut page = Page::recording_with(Companion::Screen);
    page.tell(|recorder, _| recorder.hidden());
    assert!(page.was_asked(&Effect::Flush(FIRST)) && page.was_asked(&Effect::Flush(SECOND)));
}

#[test]
fn a_page_that_goes_ends_its_runs_and_puts_aside_what_is_not_on_disk() {
    let mut page = Page::recording_with(Companion::Stills);
    page.chunk(FIRST, 10);
    page.spooled();
    let on_disk = page.items.len();
    let unread = page.unread_chunk(FIRST, 10).unwrap();
    page.asked.clear();
    page.tell(|recorder, at| recorder.left(at));
    let ends = [(MAIN, FIRST, EndCause::PageLeft), (BESIDE, SECOND, EndCause::PageLeft)];
    assert_eq!(page.ends(), ends);
    assert_eq!(tails(&page), [unread]);
    let (next_seq, next_segment) = (next_seq(&page), THIRD);
    let note = Effect::Sender(sender::Effect::Note { next_seq, next_segment });
    let place = |effect: &Effect| page.asked.iter().position(|one| one == effect);
    let is_tail = |one: &Effect| matches!(one, Effect::SendTail { .. });
    assert!(place(&note).unwrap() < page.asked.iter().position(is_tail).unwrap());
    let stashed = page.asked.iter().find_map(|effect| {
        let Effect::Stash { record, items } = effect else { return None };
        assert_eq!(record.next_seq, next_seq);
        Some(items.iter().map(|(item, _)| item.clone()).collect::<Vec<_>>())
    });
    assert_eq!(stashed.unwrap(), page.items[on_disk..]);
    let is_beacon = |one: &Effect| matches!(one, Effect::Part(_));
    assert!(!page.asked.iter().any(is_beacon), "no server knows the session");
}

#[test]
fn a_page_with_a_connection_sends_what_it_has_once_more() {
    let mut page = Page::recording("Desk");
    page.welcome();
    page.tell(|recorder, at| recorder.left(at));
    assert!(
        page.asked.iter().any(|one| matches!(one, Effect::Part(messages) if messages.len() == 2))
    );
}

#[test]
fn a_recording_that_was_just_being_stopped_is_over_when_the_page_goes() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.stop(at.now));
    page.tell(|recorder, at| recorder.left(at));
    assert_eq!(page.ends(), [(MAIN, FIRST, EndCause::Stopped)]);
    let stashed = page.asked.iter().find_map(|effect| {
        let Effect::Stash { record, .. } = effect else { return None };
        Some(record.finish_asked)
    });
    assert_eq!(stashed, Some(true));
}

#[test]
fn a_page_that_comes_back_needs_nothing_of_what_it_put_aside() {
    let mut page = Page::recording("Desk");
    page.tell(|recorder, at| recorder.left(at));
    page.tell(|recorder, _| recorder.returned());
    assert_eq!(page.asked.last(), Some(&Effect::ForgetStash(session())));
}

#[test]
fn leaving_is_unsafe_while_anything_is_captured_or_not_at_the_server() {
    let mut page = Page::new();
    assert!(!page.recorder.is_unsafe_to_leave());
    page.tell(|recorder, _| recorder.left(Page::new().at()));
    assert!(page.asked.is_empty(), "there is nothing to part with");
    let mut page = Page::recording("Desk");
    assert!(page.recorder.is_unsafe_to_leave());
    page.tell(|recorder, at| recorder.stop(at.now));
    page.stopped(FIRST);
    assert!(!page.recorder.is_at_work() && page.recorder.is_unsafe_to_leave());
}

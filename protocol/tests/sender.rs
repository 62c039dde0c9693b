//! The sender's rules one by one, each at its limit and one past it.

use bytes::Bytes;
use protocol::item::ItemError;
use protocol::limits::{
    ANSWER_DEADLINE, CONNECT_DEADLINE, DAMAGED_RETRIES_MAX, IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_ITEMS_MAX, ITEM_HEADER_BYTES_COUNTED, ITEM_HEADER_BYTES_MAX, ITEM_PAYLOAD_BYTES_MAX,
    MEMORY_BYTES_MAX, SEGMENT_SKIP_AFTER_UNSPOOLED, SEQ_SKIP_AFTER_UNSPOOLED, SPOOL_DEADLINE,
    counted_bytes,
};
use protocol::message::{Finish, Opening, Progress, Refusal, Welcome};
use protocol::sender::{Effect, FinishStatus, LinkStatus, Sender, SessionRecord};
use protocol::{
    ClientMessage, Content, Digest, Epoch, Item, Millis, Receipt, SegmentNo, Seq, SeqSet,
    ServerMessage, SessionId, SessionStatus, SessionToken, TrackNo, UnixMillis,
};

const NOW: Millis = Millis::from_secs(100);

fn later(millis: u64) -> Millis {
    NOW + Millis::new(millis)
}

/// A sender with everything it asked for so far.
struct Page {
    sender: Sender,
    record: Option<SessionRecord>,
    noted: Option<Seq>,
    spooling: Vec<Item>,
    sent: Vec<Item>,
    forgotten: Vec<Seq>,
    loading: Vec<Seq>,
    other: Vec<Effect>,
}

impl Page {
    fn new() -> Self {
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [4; 10]);
        let token = SessionToken::from_random([6; 32]);
        Self::of(Sender::new(NOW, session, token, UnixMillis::new(1)))
    }

    fn of(sender: Sender) -> Self {
        let mut page = Self {
            sender,
            record: None,
            noted: None,
            spooling: Vec::new(),
            sent: Vec::new(),
            forgotten: Vec::new(),
            loading: Vec::new(),
            other: Vec::new(),
        };
        page.drain();
        page
    }

    fn online() -> Self {
        let mut page = Self::new();
        page.welcome(SeqSet::new());
        page
    }

    fn drain(&mut self) {
        while let Some(effect) = self.sender.poll_effect() {
            match effect {
                Effect::Remember(record) => self.record = Some(record),
                Effect::Spool { item, .. } => self.spooling.push(item),
                Effect::Forget { seqs, record } => {
                    self.forgotten.extend(seqs);
                    self.record = Some(record);
                }
                Effect::Note { next_seq, .. } => self.noted = Some(next_seq),
                Effect::Load(seqs) => self.loading.extend(seqs),
                Effect::Send(ClientMessage::Items(items)) => self.sent.extend(items),
                other
                @ (Effect::Erase | Effect::Connect | Effect::Send(_) | Effect::Disconnect) => {
                    self.other.push(other)
                }
            }
        }
    }

    fn welcome(&mut self, have: SeqSet) {
        self.sender.handle_connected(NOW);
        self.hear(ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(1),
            have,
            progress: Progress::default(),
            status: SessionStatus::Active,
        }));
    }

    fn hear(&mut self, message: ServerMessage) {
        self.sender.handle_message(NOW, message);
        self.drain();
    }

    fn capture(&mut self, bytes: usize) {
        let content = Content::Chunk {
            track: TrackNo::new(0),
            segment: SegmentNo::new(0),
            bytes: Bytes::from(vec![1; bytes]),
        };
        self.sender.capture(NOW, NOW, Millis::new(250), content);
        self.drain();
    }

    /// The spool has everything on disk.
    fn spooled(&mut self) {
        for item in std::mem::take(&mut self.spooling) {
            self.sender.handle_spooled(NOW, item.seq);
        }
        self.drain();
    }

    fn sent_seqs(&self) -> Vec<u64> {
        self.sent.iter().map(|item| item.seq.get()).collect()
    }

    fn ack(&mut self, seqs: &[u64]) {
        let seqs = set(seqs);
        let duplicates = SeqSet::new();
        self.hear(ServerMessage::Ack { seqs, duplicates });
    }
}

fn set(seqs: &[u64]) -> SeqSet {
    seqs.iter().copied().map(Seq::new).collect()
}

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

#[test]
fn an_item_is_numbered_at_capture_sent_once_spooled_and_deleted_once_acked() {
    let mut page = Page::online();
    page.capture(100);
    assert_eq!(page.spooling[0].seq, Seq::ZERO);
    assert!(page.sent.is_empty() && page.forgotten.is_empty());
    page.spooled();
    assert_eq!(page.sent_seqs(), [0]);
    assert!(page.forgotten.is_empty());
    page.ack(&[0]);
    assert_eq!(page.forgotten, [Seq::ZERO]);
    assert_eq!(page.record.unwrap().next_seq, Seq::new(1));
}

#[test]
fn only_what_the_server_does_not_have_is_sent_after_a_reconnect() {
    let mut page = Page::online();
    for _ in 0..4 {
        page.capture(10);
    }
    page.spooled();
    page.sent.clear();
    page.sender.handle_disconnected(NOW);
    page.sender.handle_timeout(later(10_000));
    page.drain();
    page.welcome(set(&[0, 2]));
    assert_eq!(page.sent_seqs(), [1, 3]);
    assert_eq!(page.forgotten, [Seq::new(0), Seq::new(2)]);
}

#[test]
fn a_chunk_at_the_limit_is_one_item_and_a_byte_more_makes_two() {
    let mut page = Page::online();
    page.capture(ITEM_PAYLOAD_BYTES_MAX);
    assert_eq!(page.spooling.len(), 1);
    page.capture(ITEM_PAYLOAD_BYTES_MAX + 1);
    let lengths: Vec<_> = page.spooling.iter().map(Item::payload_bytes).collect();
    assert_eq!(lengths, [ITEM_PAYLOAD_BYTES_MAX, ITEM_PAYLOAD_BYTES_MAX, 1]);
    page.capture(0);
    assert_eq!(page.spooling.len(), 3);
    assert!(page.spooling.iter().all(|item| item.check().is_ok()));
}

#[test]
fn the_window_of_unacked_bytes_is_never_exceeded() {
    let mut page = Page::online();
    let fit = IN_FLIGHT_BYTES_MAX / counted_bytes(ITEM_PAYLOAD_BYTES_MAX);
    for _ in 0..fit + 2 {
        page.capture(ITEM_PAYLOAD_BYTES_MAX);
    }
    page.spooled();
    assert_eq!(page.sent.len(), fit);
    page.ack(&[0]);
    assert_eq!(page.sent.len(), fit + 1);
}

#[test]
fn headers_fill_the_window_too() {
    let fit = IN_FLIGHT_BYTES_MAX / counted_bytes(ITEM_PAYLOAD_BYTES_MAX);
    let rest = IN_FLIGHT_BYTES_MAX - fit * counted_bytes(ITEM_PAYLOAD_BYTES_MAX);
    for (payload_bytes, more) in
        [(rest - ITEM_HEADER_BYTES_COUNTED, 1), (rest - ITEM_HEADER_BYTES_COUNTED + 1, 0)]
    {
        let mut page = Page::online();
        for _ in 0..fit {
            page.capture(ITEM_PAYLOAD_BYTES_MAX);
        }
        page.capture(payload_bytes);
        page.spooled();
        assert_eq!(page.sent.len(), fit + more, "{payload_bytes}");
    }
}

#[test]
fn the_window_of_unacked_items_is_never_exceeded() {
    let mut page = Page::online();
    for _ in 0..=IN_FLIGHT_ITEMS_MAX {
        page.capture(1);
    }
    page.spooled();
    assert_eq!(page.sent.len(), IN_FLIGHT_ITEMS_MAX);
    page.ack(&[0]);
    assert_eq!(page.sent.len(), IN_FLIGHT_ITEMS_MAX + 1);
}

#[test]
fn what_memory_does_not_hold_is_read_back_from_the_spool() {
    let mut page = Page::new();
    let fit = MEMORY_BYTES_MAX / counted_bytes(ITEM_PAYLOAD_BYTES_MAX);
    for _ in 0..=fit {
        page.capture(ITEM_PAYLOAD_BYTES_MAX);
        let item = page.spooling.last().unwrap().clone();
        page.sender.handle_spooled(NOW, item.seq);
    }
    let items: Vec<Item> = std::mem::take(&mut page.spooling);
    page.welcome(SeqSet::new());
    // Only the one that went past the limit was dropped from memory.
    for seq in 0..fit as u64 {
        page.ack(&[seq]);
    }
    assert_eq!(page.loading, [Seq::new(fit as u64)]);
    page.sender.handle_loaded(NOW, items[fit].clone());
    page.drain();
    assert_eq!(page.sent.last(), Some(&items[fit]));
}

#[test]
fn an_item_whose_spool_does_not_answer_is_sent_from_memory_in_time() {
    let mut page = Page::online();
    page.capture(10);
    let just_before = SPOOL_DEADLINE - Millis::new(1);
    page.sender.handle_timeout(NOW + just_before);
    page.drain();
    assert!(page.sent.is_empty());
    page.sender.handle_timeout(NOW + SPOOL_DEADLINE);
    page.drain();
    assert_eq!(page.sent_seqs(), [0]);
    page.ack(&[0]);
    assert!(page.forgotten.is_empty(), "deleted before it was written");
    page.spooled();
    assert_eq!(page.forgotten, [Seq::ZERO]);
}

#[test]
fn an_item_that_cannot_be_spooled_stays_in_memory_and_is_told() {
    let mut page = Page::new();
    page.capture(10);
    page.sender.handle_spool_failed(NOW, Seq::ZERO);
    assert_eq!(page.sender.backlog_status().memory_only_items, 1);
    page.welcome(SeqSet::new());
    assert_eq!(page.sent_seqs(), [0]);
    page.ack(&[0]);
    assert_eq!(page.sender.backlog_status().items, 0);
}

#[test]
fn after_unspooled_items_were_sent_a_restored_page_leaves_their_numbers_alone() {
    let mut page = Page::online();
    page.capture(10);
    page.sender.handle_spool_failed(NOW, Seq::ZERO);
    page.drain();
    let record = page.record.clone().unwrap();
    assert!(record.unspooled_sent, "not remembered before it was sent");
    let mut page = Page::of(Sender::restore(NOW, record, []));
    let next_segment = SegmentNo::new(1 + SEGMENT_SKIP_AFTER_UNSPOOLED);
    assert_eq!(page.sender.record().next_segment, next_segment);
    page.capture(10);
    assert_eq!(page.spooling[0].seq, Seq::new(1 + SEQ_SKIP_AFTER_UNSPOOLED));
    page.spooled();
    page.welcome(set(&[0]));
    page.ack(&[1 + SEQ_SKIP_AFTER_UNSPOOLED]);
    page.sender.finish(NOW);
    page.drain();
    let Some(Effect::Send(ClientMessage::Finish(Finish { lost, .. }))) = page.other.pop() else {
        panic!("no finish");
    };
    assert!(lost.contains(Seq::new(1)), "the hole holds the session up");
}

#[test]
fn the_number_of_an_item_sent_from_memory_is_noted_and_not_used_again() {
    let mut page = Page::online();
    let remembered = page.record.clone().unwrap();
    page.capture(10);
    assert_eq!(page.noted, None);
    page.sender.handle_spool_failed(NOW, Seq::ZERO);
    // Before it is sent, as the effects come in their order.
    let first = page.sender.poll_effect();
    let next_segment = SegmentNo::new(1);
    assert_eq!(first, Some(Effect::Note { next_seq: Seq::new(1), next_segment }));
    page.drain();
    assert_eq!(page.sent_seqs(), [0]);

    // The page dies before its record is written.
    let mut record = remembered;
    record.note(Seq::new(1), next_segment);
    let mut page = Page::of(Sender::restore(NOW, record, []));
    assert_eq!(page.sender.record().next_segment, next_segment, "a segment would begin twice");
    page.capture(10);
    assert_eq!(page.spooling[0].seq, Seq::new(1), "used again, or skipped without need");
}

#[test]
fn a_damaged_item_is_sent_again_so_many_times_and_then_kept() {
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    for times in 1..=usize::from(DAMAGED_RETRIES_MAX) {
        page.hear(ServerMessage::Refused(vec![(Seq::ZERO, ItemError::WrongDigest)]));
        assert_eq!(page.sent.len(), 1 + times);
    }
    page.hear(ServerMessage::Refused(vec![(Seq::ZERO, ItemError::WrongDigest)]));
    assert_eq!(page.sent.len(), 1 + usize::from(DAMAGED_RETRIES_MAX));
    assert_eq!(page.sender.backlog_status().refused_items, 1);
    assert!(page.forgotten.is_empty(), "the only copy was deleted");
}

#[test]
fn finish_waits_for_the_last_ack_and_is_repeated_after_a_reconnect() {
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    page.sender.finish(NOW);
    page.drain();
    let finishes = |page: &Page| {
        let finish = |effect: &&Effect| matches!(effect, Effect::Send(ClientMessage::Finish(_)));
        page.other.iter().filter(finish).count()
    };
    assert_eq!(finishes(&page), 0);
    page.ack(&[0]);
    assert_eq!(finishes(&page), 1);
    page.sender.handle_disconnected(NOW);
    page.sender.handle_timeout(later(10_000));
    page.drain();
    page.welcome(set(&[0]));
    assert_eq!(finishes(&page), 2);
    page.hear(ServerMessage::Completed(receipt()));
    assert_eq!(page.sender.finish_status(), FinishStatus::Completed(receipt()));
    assert!(page.other.contains(&Effect::Erase));
    assert_eq!(page.sender.poll_timeout(), None, "a completed sender rests");
}

#[test]
fn what_the_server_misses_and_the_page_does_not_have_is_declared_lost() {
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    page.ack(&[0]);
    page.sender.finish(NOW);
    page.drain();
    page.hear(ServerMessage::Missing(set(&[0])));
    let last = page.other.pop();
    let lost = set(&[0]);
    let last_seq = Some(Seq::ZERO);
    let expected = ClientMessage::Finish(Finish { last_seq, lost });
    assert_eq!(last, Some(Effect::Send(expected)));
}

#[test]
fn a_server_that_does_not_answer_is_given_up_and_tried_again() {
    let mut page = Page::new();
    page.sender.handle_timeout(NOW + CONNECT_DEADLINE);
    page.drain();
    assert_eq!(page.other, [Effect::Connect, Effect::Disconnect]);
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    page.other.clear();
    page.sender.handle_timeout(NOW + ANSWER_DEADLINE - Millis::new(1));
    page.drain();
    assert!(!page.other.contains(&Effect::Disconnect));
    page.sender.handle_timeout(NOW + ANSWER_DEADLINE);
    page.drain();
    assert!(page.other.contains(&Effect::Disconnect));
    assert_eq!(page.sender.link_status(), LinkStatus::Reconnecting);
}

#[test]
fn a_refusal_for_good_stops_the_link_and_keeps_every_item() {
    for (refusal, for_good) in [
        (Refusal::WrongToken, true),
        (Refusal::Fenced, true),
        (Refusal::ShuttingDown, false),
        (Refusal::Unavailable, false),
    ] {
        let mut page = Page::online();
        page.capture(10);
        page.spooled();
        page.hear(ServerMessage::Goodbye(refusal.clone()));
        let stopped = page.sender.link_status() == LinkStatus::Stopped(refusal);
        assert_eq!(stopped, for_good);
        assert_eq!(page.sender.backlog_status().items, 1);
        assert!(page.forgotten.is_empty());
    }
}

#[test]
fn the_network_coming_back_ends_the_wait() {
    let mut page = Page::online();
    page.sender.handle_disconnected(NOW);
    page.other.clear();
    page.sender.handle_network_online(NOW);
    page.drain();
    assert_eq!(page.other, [Effect::Connect]);
}

#[test]
fn a_restored_page_goes_on_where_the_record_says() {
    let mut page = Page::new();
    page.capture(10);
    page.capture(10);
    let record = page.sender.record().clone();
    assert_eq!((record.next_seq, record.next_segment), (Seq::new(2), SegmentNo::new(1)));
    assert_eq!((record.recorded, record.timeline_end), (Millis::new(500), NOW));
    let spooled = page.spooling.iter().map(|item| (item.seq, 10, Millis::new(250)));
    let mut page = Page::of(Sender::restore(NOW, record, spooled));
    assert_eq!(page.sender.backlog_status().items, 2);
    page.capture(10);
    assert_eq!(page.spooling[0].seq, Seq::new(2));
}

#[test]
fn numbers_are_taken_before_the_bytes_are_read_and_later_content_comes_after_them() {
    let mut page = Page::online();
    let content = |fill| Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: Bytes::from(vec![fill; ITEM_PAYLOAD_BYTES_MAX + 1]),
    };
    let early = page.sender.reserve(ITEM_PAYLOAD_BYTES_MAX + 1);
    let late = page.sender.reserve(ITEM_PAYLOAD_BYTES_MAX + 1);
    assert_eq!((early.first(), late.first()), (Seq::new(0), Seq::new(2)));
    page.sender.fill(NOW, late, NOW, Millis::new(250), content(2));
    page.sender.fill(NOW, early, NOW, Millis::new(250), content(1));
    page.drain();
    let spooled: Vec<_> = page.spooling.iter().map(|item| item.seq.get()).collect();
    assert_eq!(spooled, [2, 3, 0, 1]);
    assert_eq!(page.sender.backlog_status().span, Millis::new(500));
}

#[test]
fn a_session_does_not_finish_while_captured_bytes_are_still_being_read() {
    let mut page = Page::online();
    let reserved = page.sender.reserve(10);
    let unreadable = page.sender.reserve(10);
    page.sender.finish(NOW);
    page.drain();
    assert_eq!(page.other.iter().filter(|effect| is_finish(effect)).count(), 0);
    let content = Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: Bytes::from_static(b"0123456789"),
    };
    page.sender.fill(NOW, reserved, NOW, Millis::ZERO, content);
    page.drain();
    page.spooled();
    page.ack(&[0]);
    assert!(!page.sender.has_losses());
    page.sender.abandon(NOW, unreadable);
    page.drain();
    assert!(page.sender.has_losses());
    let expected = Finish { last_seq: Some(Seq::new(1)), lost: set(&[1]) };
    assert_eq!(page.other.last(), Some(&Effect::Send(ClientMessage::Finish(expected))));
}

fn is_finish(effect: &Effect) -> bool {
    matches!(effect, Effect::Send(ClientMessage::Finish(_)))
}

#[test]
fn a_discarded_session_sends_nothing_more_and_is_erased_once_the_server_knows() {
    let mut page = Page::online();
    page.capture(10);
    page.sender.discard(NOW);
    page.drain();
    page.spooled();
    assert!(page.sent.is_empty());
    assert_eq!(page.other.last(), Some(&Effect::Send(ClientMessage::Discard)));
    assert!(page.record.as_ref().unwrap().discard_asked);
    assert_eq!(page.sender.finish_status(), FinishStatus::Discarding);

    page.sender.handle_disconnected(NOW);
    page.sender.handle_timeout(later(10_000));
    page.drain();
    page.welcome(SeqSet::new());
    assert_eq!(page.other.last(), Some(&Effect::Send(ClientMessage::Discard)));
    page.hear(ServerMessage::Discarded);
    assert_eq!(page.sender.finish_status(), FinishStatus::Discarded);
    assert!(page.other.ends_with(&[Effect::Erase, Effect::Disconnect]));
}

#[test]
fn what_the_server_no_longer_knows_is_discarded() {
    for refusal in [Refusal::Discarded, Refusal::UnknownSession] {
        let mut page = Page::online();
        page.sender.discard(NOW);
        page.hear(ServerMessage::Goodbye(refusal));
        assert_eq!(page.sender.finish_status(), FinishStatus::Discarded);
    }
}

#[test]
fn a_session_completed_meanwhile_is_not_discarded() {
    let mut page = Page::online();
    page.sender.discard(NOW);
    page.hear(ServerMessage::Completed(receipt()));
    assert_eq!(page.sender.finish_status(), FinishStatus::Completed(receipt()));
}

#[test]
fn why_the_server_takes_nothing_is_known_until_it_does_again() {
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    page.hear(ServerMessage::Goodbye(Refusal::DiskFull));
    assert_eq!(page.sender.turned_away(), Some(&Refusal::DiskFull));
    assert_eq!(page.sender.link_status(), LinkStatus::Reconnecting);
    page.sender.handle_timeout(later(10_000));
    page.drain();
    page.welcome(SeqSet::new());
    page.ack(&[0]);
    assert_eq!(page.sender.turned_away(), None);
}

#[test]
fn a_page_that_goes_sends_what_it_has_at_hand_as_the_same_writer() {
    let mut page = Page::online();
    for _ in 0..3 {
        page.capture(100);
    }
    page.ack(&[0]);
    let messages = page.sender.parting(usize::MAX);
    let [ClientMessage::Hello(hello), ClientMessage::Items(items)] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(hello.opening, Opening::Joining { epoch: Epoch::new(1) });
    assert_eq!(items.iter().map(|item| item.seq.get()).collect::<Vec<_>>(), [1, 2]);

    let room_for_one = 100 + ITEM_HEADER_BYTES_MAX;
    let messages = page.sender.parting(room_for_one);
    assert!(matches!(&messages[1], ClientMessage::Items(items) if items[0].seq == Seq::new(2)));
    assert!(page.sender.parting(room_for_one - 1).is_empty());
    page.sender.handle_disconnected(NOW);
    assert!(page.sender.parting(usize::MAX).is_empty());
}

#[test]
fn a_session_whose_local_part_is_gone_goes_on_where_the_server_is() {
    let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [4; 10]);
    let mut page = Page::of(Sender::recover(NOW, session, SessionToken::from_random([6; 32])));
    page.sender.handle_connected(NOW);
    page.hear(ServerMessage::Welcome(Welcome {
        epoch: Epoch::new(3),
        have: SeqSet::up_to(Seq::new(40)),
        progress: Progress { next_segment: SegmentNo::new(2), timeline_end: later(500) },
        status: SessionStatus::Incomplete,
    }));
    let record = page.sender.record();
    assert_eq!((record.next_seq, record.next_segment), (Seq::new(41), SegmentNo::new(2)));
    assert_eq!((record.timeline_end, record.recorded), (later(500), later(500)));
    assert_eq!(record.started_at, UnixMillis::new(1_795_257_600_000));
}

#[test]
fn a_session_can_be_handed_over_once_the_spool_has_all_of_it() {
    let mut page = Page::online();
    assert!(page.sender.is_kept());
    page.capture(10);
    assert!(!page.sender.is_kept());
    page.spooled();
    assert!(page.sender.is_kept());
    page.capture(10);
    page.sender.handle_spool_failed(NOW, Seq::new(1));
    page.drain();
    assert!(!page.sender.is_kept());
    page.ack(&[0, 1]);
    assert!(page.sender.is_kept());
    let reserved = page.sender.reserve(10);
    assert!(!page.sender.is_kept());
    page.sender.abandon(NOW, reserved);
}

#[test]
fn a_late_word_on_a_damaged_copy_does_not_revive_an_item_refused_for_good() {
    let mut page = Page::online();
    page.capture(10);
    page.spooled();
    page.hear(ServerMessage::Refused(vec![(Seq::ZERO, ItemError::SessionFinished)]));
    page.hear(ServerMessage::Refused(vec![(Seq::ZERO, ItemError::WrongDigest)]));
    assert_eq!(page.sender.backlog_status().refused_items, 1);
    assert_eq!(page.sent_seqs(), [0]);
}

#[test]
fn what_a_finished_session_lacks_is_delivered_before_its_receipt_is_asked_for() {
    let mut page = Page::new();
    (0..3).for_each(|_| page.capture(10));
    page.spooled();
    page.sender.finish(NOW);
    page.sender.handle_connected(NOW);
    page.hear(ServerMessage::Welcome(Welcome {
        epoch: Epoch::new(2),
        have: set(&[0]),
        progress: Progress::default(),
        status: SessionStatus::Completed,
    }));
    let finish = |page: &Page| {
        let is_finish = |one: &Effect| matches!(one, Effect::Send(ClientMessage::Finish(_)));
        page.other.iter().any(is_finish)
    };
    assert_eq!((page.sent_seqs(), finish(&page)), (vec![1, 2], false));
    page.ack(&[1, 2]);
    assert!(finish(&page));
    page.hear(ServerMessage::Completed(receipt()));
    assert_eq!(page.forgotten, [0, 1, 2].map(Seq::new));
    assert!(page.other.contains(&Effect::Erase));
}

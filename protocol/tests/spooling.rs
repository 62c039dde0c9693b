//! A spool that takes nothing for a while: what it refused is written once there is room again.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::limits::{SPOOL_CALM_AFTER, SPOOL_DEADLINE, SPOOL_RETRIES_MAX, SPOOL_RETRY_AFTER};
use protocol::message::{ClientMessage, Progress, ServerMessage, Welcome};
use protocol::sender::{Effect, Sender, SessionRecord};
use protocol::{
    Content, Epoch, Millis, SegmentNo, Seq, SeqSet, SessionId, SessionStatus, SessionToken,
    TrackNo, UnixMillis,
};

const START: Millis = Millis::from_secs(100);
const A_MOMENT: Millis = Millis::new(1);

/// A page whose spool answers at once, with room or without.
struct Page {
    sender: Sender,
    now: Millis,
    has_room: bool,
    record: Option<SessionRecord>,
    spool: BTreeSet<Seq>,
    /// Every write, whether it went well or not.
    writes: Vec<u64>,
    sent: Vec<u64>,
}

impl Page {
    fn new() -> Self {
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [4; 10]);
        let token = SessionToken::from_random([6; 32]);
        let mut page = Self {
            sender: Sender::new(START, session, token, UnixMillis::new(1)),
            now: START,
            has_room: true,
            record: None,
            spool: BTreeSet::new(),
            writes: Vec::new(),
            sent: Vec::new(),
        };
        page.run();
        page
    }

    /// One that has just run out of room, with so many items in memory.
    fn without_room(items: u64) -> Self {
        let mut page = Self::new();
        page.has_room = false;
        (0..items).for_each(|_| page.capture());
        page.writes.clear();
        page
    }

    fn capture(&mut self) {
        let content = Content::Chunk {
            track: TrackNo::new(0),
            segment: SegmentNo::new(0),
            bytes: Bytes::from_static(b"sound"),
        };
        self.sender.capture(self.now, self.now, Millis::new(250), content);
        self.run();
    }

    fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
        self.sender.handle_timeout(self.now);
        self.run();
    }

    fn hear(&mut self, message: ServerMessage) {
        self.sender.handle_message(self.now, message);
        self.run();
    }

    fn connect(&mut self) {
        self.sender.handle_connected(self.now);
        self.hear(ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(1),
            have: SeqSet::new(),
            progress: Progress::default(),
            status: SessionStatus::Active,
        }));
    }

    fn ack(&mut self, seq: u64) {
        let seqs = [Seq::new(seq)].into_iter().collect();
        self.hear(ServerMessage::Ack { seqs, duplicates: SeqSet::new() });
    }

    fn run(&mut self) {
        while let Some(effect) = self.sender.poll_effect() {
            match effect {
                Effect::Spool { item, record, .. } => {
                    self.writes.push(item.seq.get());
                    if self.has_room {
                        self.spool.insert(item.seq);
                        self.record = Some(record);
                        self.sender.handle_spooled(self.now, item.seq);
                    } else {
                        self.sender.handle_spool_failed(self.now, item.seq);
                    }
                }
                Effect::Remember(record) => self.record = Some(record),
                Effect::Forget { seqs, record } => {
                    seqs.iter().for_each(|seq| assert!(self.spool.remove(seq)));
                    self.record = Some(record);
                }
                Effect::Erase => self.spool.clear(),
                Effect::Send(ClientMessage::Items(items)) => {
                    self.sent.extend(items.iter().map(|item| item.seq.get()));
                }
                Effect::Load(_)
                | Effect::Note { .. }
                | Effect::Connect
                | Effect::Send(_)
                | Effect::Disconnect => {}
            }
        }
    }

    fn memory_only(&self) -> u64 {
        self.sender.backlog_status().memory_only_items
    }
}

#[test]
fn what_the_spool_refused_is_tried_again_when_it_is_time_and_not_before() {
    let mut page = Page::without_room(3);
    page.wait(SPOOL_RETRY_AFTER - A_MOMENT);
    assert_eq!(page.writes, []);
    page.wait(A_MOMENT);
    assert_eq!(page.writes, [0], "one item is enough to see that there is no room");
    assert_eq!(page.memory_only(), 3, "an item that is tried again is still in memory only");
    page.wait(SPOOL_RETRY_AFTER);
    assert_eq!(page.writes, [0, 0]);
}

#[test]
fn once_there_is_room_everything_is_written_and_the_spool_counts_as_recovered() {
    let items = 4 * SPOOL_RETRIES_MAX;
    let mut page = Page::without_room(items);
    page.has_room = true;
    page.wait(SPOOL_RETRY_AFTER);
    assert_eq!(page.memory_only(), 0);
    assert_eq!(page.spool.len() as u64, items);
    assert_eq!(page.writes.len() as u64, items, "each is written once");
    assert!(!page.sender.is_spool_failing());
}

#[test]
fn a_new_item_that_can_be_written_brings_the_others_along_at_once() {
    let mut page = Page::without_room(5);
    page.has_room = true;
    page.capture();
    assert_eq!(page.memory_only(), 0);
    assert_eq!(page.spool.len(), 6);
}

#[test]
fn never_more_than_so_many_items_are_written_again_at_the_same_time() {
    let mut page = Page::without_room(4 * SPOOL_RETRIES_MAX);
    page.now = page.now + SPOOL_RETRY_AFTER;
    page.sender.handle_timeout(page.now);
    let mut writing = BTreeSet::new();
    let mut most = 0;
    loop {
        while let Some(effect) = page.sender.poll_effect() {
            if let Effect::Spool { item, .. } = effect {
                writing.insert(item.seq);
            }
        }
        most = most.max(writing.len());
        // The spool is slow: it finishes one write while many wait.
        let Some(seq) = writing.pop_first() else { break };
        page.sender.handle_spooled(page.now, seq);
    }
    assert_eq!(most as u64, SPOOL_RETRIES_MAX);
    assert_eq!(page.memory_only(), 0);
}

#[test]
fn an_item_acked_while_it_is_written_again_is_deleted_once_written() {
    let mut page = Page::without_room(1);
    page.connect();
    page.now = page.now + SPOOL_RETRY_AFTER;
    page.sender.handle_timeout(page.now);
    page.sender.handle_message(
        page.now,
        ServerMessage::Ack { seqs: [Seq::ZERO].into_iter().collect(), duplicates: SeqSet::new() },
    );
    page.has_room = true;
    page.run();
    assert_eq!(page.writes, [0]);
    assert!(page.spool.is_empty(), "an acked item stays in the spool");
    assert_eq!(page.sender.backlog_status().items, 0);
}

#[test]
fn what_was_acked_out_of_memory_is_not_written_any_more() {
    let mut page = Page::without_room(2);
    page.connect();
    assert_eq!(page.sent, [0, 1], "memory only is no reason not to send");
    page.ack(0);
    page.ack(1);
    page.has_room = true;
    page.wait(SPOOL_RETRY_AFTER);
    assert_eq!(page.writes, []);
}

#[test]
fn a_spool_that_takes_only_some_items_does_not_count_as_recovered() {
    let mut page = Page::without_room(1);
    page.connect();
    page.ack(0);
    assert!(page.sender.is_spool_failing());
    page.has_room = true;
    page.wait(SPOOL_CALM_AFTER - A_MOMENT);
    page.capture();
    assert!(page.sender.is_spool_failing());
    page.wait(A_MOMENT);
    page.capture();
    assert!(!page.sender.is_spool_failing());
}

#[test]
fn a_spool_that_does_not_answer_counts_as_failing() {
    let mut page = Page::new();
    let content = Content::Marker(protocol::Marker::Paused);
    page.sender.capture(page.now, page.now, Millis::ZERO, content);
    let just_before = page.now + SPOOL_DEADLINE - A_MOMENT;
    page.sender.handle_timeout(just_before);
    assert!(!page.sender.is_spool_failing());
    page.sender.handle_timeout(just_before + A_MOMENT);
    assert!(page.sender.is_spool_failing());
}

#[test]
fn once_everything_is_written_a_restored_page_need_not_leave_numbers_out() {
    let mut page = Page::without_room(2);
    page.connect();
    assert!(page.record.as_ref().unwrap().unspooled_sent);
    page.has_room = true;
    page.wait(SPOOL_RETRY_AFTER);
    let record = page.record.unwrap();
    assert!(!record.unspooled_sent);
    assert_eq!(record.next_seq, Seq::new(2));
}

#[test]
fn a_discarded_session_is_not_written_again() {
    let mut page = Page::without_room(2);
    page.connect();
    page.sender.discard(page.now);
    page.hear(ServerMessage::Discarded);
    page.has_room = true;
    page.writes.clear();
    page.wait(SPOOL_RETRY_AFTER);
    assert_eq!(page.writes, []);
    assert_eq!(page.sender.poll_timeout(), None, "a discarded sender rests");
}

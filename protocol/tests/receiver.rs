//! The receiver's deadlines and bounds.

use bytes::Bytes;
use protocol::limits::{
    HELLO_DEADLINE, IN_FLIGHT_BYTES_MAX, ITEM_PAYLOAD_BYTES_MAX, ITEMS_PER_MESSAGE_MAX,
    SILENCE_MAX, counted_bytes,
};
use protocol::message::{Hello, Opening, Progress, Refusal, Welcome};
use protocol::receiver::{DiscardStep, Effect, Receiver, Verdict};
use protocol::{
    ClientMessage, Content, Epoch, Item, Marker, Millis, SegmentNo, Seq, SeqSet, ServerMessage,
    SessionId, SessionStatus, SessionToken, TrackNo, UnixMillis,
};

const NOW: Millis = Millis::from_secs(50);

fn effects(receiver: &mut Receiver) -> Vec<Effect> {
    std::iter::from_fn(|| receiver.poll_effect()).collect()
}

fn open() -> Receiver {
    let mut receiver = Receiver::new(NOW, SILENCE_MAX);
    let hello = ClientMessage::Hello(Hello {
        version: protocol::limits::PROTOCOL_VERSION,
        session: SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [4; 10]),
        token: SessionToken::from_random([6; 32]),
        opening: Opening::Existing,
        failed_tries: 0,
    });
    receiver.handle_frame(NOW, &hello.encode());
    receiver.handle_opened(Ok(Welcome {
        epoch: Epoch::new(1),
        have: SeqSet::new(),
        progress: Progress::default(),
        status: SessionStatus::Active,
    }));
    effects(&mut receiver);
    receiver
}

fn full_item(seq: u64) -> Item {
    let content = Content::Chunk {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: Bytes::from(vec![1; ITEM_PAYLOAD_BYTES_MAX]),
    };
    Item::new(Seq::new(seq), Millis::ZERO, content)
}

fn goodbye(refusal: Refusal) -> [Effect; 2] {
    [Effect::Send(ServerMessage::Goodbye(refusal)), Effect::Close]
}

#[test]
fn a_connection_must_say_hello_in_time() {
    let mut receiver = Receiver::new(NOW, SILENCE_MAX);
    receiver.handle_timeout(NOW + HELLO_DEADLINE - Millis::new(1));
    assert_eq!(effects(&mut receiver), []);
    receiver.handle_timeout(NOW + HELLO_DEADLINE);
    assert_eq!(effects(&mut receiver), goodbye(Refusal::Silent));
}

#[test]
fn any_sign_of_life_puts_the_end_off() {
    let mut receiver = open();
    let almost = NOW + SILENCE_MAX - Millis::new(1);
    receiver.handle_sign_of_life(almost);
    receiver.handle_timeout(NOW + SILENCE_MAX);
    assert_eq!(effects(&mut receiver), []);
    receiver.handle_timeout(almost + SILENCE_MAX);
    assert_eq!(effects(&mut receiver), goodbye(Refusal::Silent));
}

#[test]
fn a_full_window_stops_the_reading_until_something_is_committed() {
    let mut receiver = open();
    // One past those that fit with their headers.
    let fit = (IN_FLIGHT_BYTES_MAX / counted_bytes(ITEM_PAYLOAD_BYTES_MAX)) as u64 + 1;
    for seq in 0..fit {
        assert!(receiver.wants_input());
        let frame = ClientMessage::Items(vec![full_item(seq)]).encode();
        receiver.handle_frame(NOW, &frame);
    }
    assert!(!receiver.wants_input());
    receiver.handle_stored([(Seq::ZERO, Verdict::Stored)]);
    assert!(receiver.wants_input());
}

/// With messages of markers alone, the window is full by their headers.
#[test]
fn headers_fill_the_window_too() {
    let mut receiver = open();
    let message_bytes = ITEMS_PER_MESSAGE_MAX * counted_bytes(0);
    let fit = IN_FLIGHT_BYTES_MAX / message_bytes;
    assert_eq!(fit * message_bytes, IN_FLIGHT_BYTES_MAX, "whole messages fill it");
    let marker = |seq| Item::new(Seq::new(seq), Millis::ZERO, Content::Marker(Marker::Paused));
    let frame = ClientMessage::Items((0..ITEMS_PER_MESSAGE_MAX as u64).map(marker).collect());
    let frame = frame.encode();
    for _ in 0..fit {
        assert!(receiver.wants_input());
        receiver.handle_frame(NOW, &frame);
    }
    assert!(!receiver.wants_input());
}

#[test]
fn an_item_is_acked_only_after_its_commit() {
    let mut receiver = open();
    let item = full_item(0);
    receiver.handle_frame(NOW, &ClientMessage::Items(vec![item.clone()]).encode());
    assert_eq!(effects(&mut receiver), [Effect::Store(vec![item])]);
    receiver.handle_stored([(Seq::ZERO, Verdict::Stored)]);
    let seqs: SeqSet = [Seq::ZERO].into_iter().collect();
    let duplicates = SeqSet::new();
    assert_eq!(effects(&mut receiver), [Effect::Send(ServerMessage::Ack { seqs, duplicates })]);
}

/// One flipped bit makes `Items` look like a `Hello` of another version. That must not turn the
/// page away for good: the same frame may arrive whole the next time.
#[test]
fn a_damaged_frame_is_not_taken_for_the_hello_of_another_version() {
    let mut receiver = open();
    let mut frame = ClientMessage::Items(vec![full_item(22)]).encode();
    frame[0] ^= 1;
    receiver.handle_frame(NOW, &frame);
    assert_eq!(effects(&mut receiver), goodbye(Refusal::UndecodableFrame));
    assert!(Refusal::UndecodableFrame.is_temporary());
}

#[test]
fn nothing_is_said_after_the_goodbye() {
    let mut receiver = open();
    receiver.handle_frame(NOW, &ClientMessage::Items(vec![full_item(0)]).encode());
    effects(&mut receiver);
    receiver.refuse(Refusal::Fenced);
    assert_eq!(effects(&mut receiver), goodbye(Refusal::Fenced));
    receiver.handle_stored([(Seq::ZERO, Verdict::Stored)]);
    receiver.handle_frame(NOW, &[]);
    receiver.refuse(Refusal::ShuttingDown);
    assert_eq!(effects(&mut receiver), []);
}

#[test]
fn a_discard_is_answered_once_the_session_is_gone() {
    let mut receiver = open();
    receiver.handle_frame(NOW, &ClientMessage::Discard.encode());
    assert_eq!(effects(&mut receiver), [Effect::Discard]);
    receiver.handle_discard(DiscardStep::Discarded);
    assert_eq!(effects(&mut receiver), [Effect::Send(ServerMessage::Discarded)]);
}

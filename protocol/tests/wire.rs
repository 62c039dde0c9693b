//! Messages survive their way as bytes, and bytes that are no message are refused.

use bytes::Bytes;
use proptest::prelude::*;
use protocol::item::{EndCause, Incident, ItemError, SegmentEnd, SegmentStart, StartCause};
use protocol::limits::{
    FRAME_BYTES_MAX, ITEM_HEADER_BYTES_MAX, ITEM_PAYLOAD_BYTES_MAX, ITEMS_PER_MESSAGE_MAX,
    LABEL_BYTES_MAX, MESSAGE_ITEM_BYTES_MAX, MIME_BYTES_MAX, PROTOCOL_VERSION, SILENCE_MAX,
};
use protocol::message::{Finish, Heartbeat, Hello, Opening, Progress, Refusal, Welcome};
use protocol::receiver::Receiver;
use protocol::{
    ClientMessage, Content, Digest, Epoch, Item, Marker, Millis, ProtocolError, Receipt, SegmentNo,
    Seq, SeqSet, ServerMessage, SessionId, SessionStatus, SessionToken, TrackKind, TrackNo,
    UnixMillis,
};

fn a_session() -> SessionId {
    SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [1; 10])
}

fn seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq::new)
}

fn seqs() -> impl Strategy<Value = SeqSet> {
    prop::collection::vec(any::<(u64, u16)>(), 0..8).prop_map(|ranges| {
        let mut set = SeqSet::new();
        for (start, length) in ranges {
            set.insert_range(Seq::new(start)..=Seq::new(start.saturating_add(length.into())));
        }
        set
    })
}

fn content() -> impl Strategy<Value = Content> {
    let place = || (any::<u8>().prop_map(TrackNo::new), any::<u32>().prop_map(SegmentNo::new));
    prop_oneof![
        (place(), prop::collection::vec(any::<u8>(), 0..2000)).prop_map(
            |((track, segment), bytes)| Content::Chunk { track, segment, bytes: bytes.into() }
        ),
        (place(), ".{0,40}", any::<u64>()).prop_map(|((track, segment), text, wall)| {
            Content::Marker(Marker::SegmentStarted(SegmentStart {
                track,
                segment,
                kind: TrackKind::Microphone,
                mime: text.clone(),
                label: text,
                wall: UnixMillis::new(wall),
                cause: StartCause::ALL[wall as usize % StartCause::ALL.len()],
            }))
        }),
        (place(), 0..EndCause::ALL.len()).prop_map(|((track, segment), cause)| {
            let cause = EndCause::ALL[cause];
            Content::Marker(Marker::SegmentEnded(SegmentEnd { track, segment, cause }))
        }),
        (any::<u64>(), any::<u32>()).prop_map(|(away, tries)| {
            let away = Millis::new(away);
            Content::Marker(Marker::Noted(Incident::LinkRestored { away, tries }))
        }),
        Just(Content::Marker(Marker::Paused)),
        Just(Content::Marker(Marker::Resumed)),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    (seq(), any::<u64>().prop_map(Millis::new), content())
        .prop_map(|(seq, at, content)| Item::new(seq, at, content))
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        (any::<[u8; 32]>(), any::<u64>()).prop_map(|(token, at)| ClientMessage::Hello(Hello {
            version: PROTOCOL_VERSION,
            session: a_session(),
            token: SessionToken::from_random(token),
            opening: Opening::New { started_at: UnixMillis::new(at) },
            failed_tries: at as u32,
        })),
        prop::collection::vec(item(), 0..5).prop_map(ClientMessage::Items),
        any::<(u64, u64)>().prop_map(|(pending, span)| {
            ClientMessage::Heartbeat(Heartbeat { pending, pending_span: Millis::new(span) })
        }),
        Just(ClientMessage::Discard),
        (prop::option::of(seq()), seqs())
            .prop_map(|(last_seq, lost)| ClientMessage::Finish(Finish { last_seq, lost })),
    ]
}

fn server_message() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        (any::<u64>(), seqs()).prop_map(|(epoch, have)| ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(epoch),
            have,
            progress: Progress::default(),
            status: SessionStatus::Active,
        })),
        (seqs(), seqs()).prop_map(|(seqs, duplicates)| ServerMessage::Ack { seqs, duplicates }),
        seq().prop_map(|seq| ServerMessage::Refused(vec![(seq, ItemError::WrongDigest)])),
        Just(ServerMessage::HeartbeatAck),
        seqs().prop_map(ServerMessage::Missing),
        Just(ServerMessage::Finalizing),
        (any::<[u8; 32]>(), seqs(), prop_oneof![Just(0), any::<u32>()]).prop_map(
            |(digest, missing, left_out)| ServerMessage::Completed(Receipt {
                items: 3,
                bytes: 4,
                duration: Millis::new(5),
                digest: Digest::from_bytes(digest),
                missing,
                left_out,
            })
        ),
        ".{0,60}".prop_map(ServerMessage::Failed),
        Just(ServerMessage::Discarded),
        Just(ServerMessage::Goodbye(Refusal::UnsupportedVersion { client: 9, server: 1 })),
    ]
}

proptest! {
    #[test]
    fn a_client_message_survives_its_way(message in client_message()) {
        prop_assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_server_message_survives_its_way(message in server_message()) {
        prop_assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn in_version_1_it_does_so_too_and_is_never_another_message(message in server_message()) {
        let mut receiver = Receiver::new(Millis::ZERO, SILENCE_MAX);
        let mut before = hello().encode();
        before[1] = 1;
        receiver.handle_frame(Millis::ZERO, &before);
        let frame = receiver.encode(&message, UnixMillis::new(1_795_257_600_000));
        prop_assert_eq!(ServerMessage::decode(&frame), Ok(message));
    }

    #[test]
    fn any_bytes_are_a_message_or_a_typed_error(bytes: Vec<u8>) {
        let _no_panic = ClientMessage::decode(&bytes);
        let _no_panic = ServerMessage::decode(&bytes);
    }

    #[test]
    fn a_damaged_item_never_passes_for_a_good_one(
        message in prop::collection::vec(item(), 1..3).prop_map(ClientMessage::Items),
        at: prop::sample::Index,
        bit in 0..8_u32,
    ) {
        let mut frame = message.encode();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        let ClientMessage::Items(sent) = &message else { unreachable!() };
        if let Ok(ClientMessage::Items(arrived)) = ClientMessage::decode(&frame) {
            for item in arrived {
                prop_assert!(item.check().is_err() || sent.contains(&item));
            }
        }
    }
}

fn hello() -> ClientMessage {
    ClientMessage::Hello(Hello {
        version: PROTOCOL_VERSION,
        session: a_session(),
        token: SessionToken::from_random([2; 32]),
        opening: Opening::Existing,
        failed_tries: 0,
    })
}

#[test]
fn a_hello_of_another_version_is_told_apart_from_noise() {
    let other = PROTOCOL_VERSION.number() + 1;
    let mut frame = hello().encode();
    frame[1] = 3;
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::UnsupportedVersion(other)));
    frame.extend([0xff; 9]);
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::UnsupportedVersion(other)));
    frame.truncate(4);
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::UnsupportedVersion(other)));
}

/// The service worker tells the server's answers apart by their first byte.
#[test]
fn the_numbers_that_the_service_worker_knows_stay() {
    let refused = ServerMessage::Refused(vec![(Seq::ZERO, ItemError::WrongDigest)]);
    assert_eq!(refused.encode()[0], 2);
    assert_eq!(ServerMessage::Failed(String::new()).encode()[0], 7);
    assert_eq!(ServerMessage::Goodbye(Refusal::Fenced).encode()[0], 9);
}

#[test]
fn a_hello_for_what_is_no_session_is_told_apart_from_noise() {
    let mut frame = hello().encode();
    let id = a_session();
    let at = frame.windows(16).position(|window| window == id.as_bytes()).unwrap();
    // Version 4.
    frame[at + 6] = 0x41;
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::InvalidSessionId));
}

#[test]
fn ranges_that_run_backwards_are_no_message() {
    let mut frame = ServerMessage::Missing(SeqSet::up_to(Seq::new(2))).encode();
    assert_eq!(frame, [4, 1, 0, 2]);
    frame[2] = 3;
    assert_eq!(ServerMessage::decode(&frame), Err(ProtocolError::Undecodable));
}

#[test]
fn trailing_or_missing_bytes_make_a_frame_undecodable() {
    let mut frame = hello().encode();
    frame.push(0);
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::Undecodable));
    frame.truncate(frame.len() - 2);
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::Undecodable));
    assert_eq!(ClientMessage::decode(&[]), Err(ProtocolError::Undecodable));
}

#[test]
fn a_length_that_claims_more_than_there_is_is_undecodable() {
    // Items(vec) with 2^63 elements, then nothing.
    let frame = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(ClientMessage::decode(&frame), Err(ProtocolError::Undecodable));
}

#[test]
fn a_frame_at_the_limit_is_read_and_one_past_it_refused() {
    assert_eq!(
        ClientMessage::decode(&vec![0xff; FRAME_BYTES_MAX]),
        Err(ProtocolError::Undecodable)
    );
    assert_eq!(
        ClientMessage::decode(&vec![0xff; FRAME_BYTES_MAX + 1]),
        Err(ProtocolError::FrameTooLarge(FRAME_BYTES_MAX + 1))
    );
}

#[test]
fn the_fullest_messages_fit_into_a_frame() {
    let chunk = |bytes| Content::Chunk {
        track: TrackNo::new(u8::MAX),
        segment: SegmentNo::new(u32::MAX),
        bytes: Bytes::from(vec![7; bytes]),
    };
    let item = |content| Item::new(Seq::new(u64::MAX), Millis::new(u64::MAX), content);
    let one_full = vec![item(chunk(ITEM_PAYLOAD_BYTES_MAX))];
    let many_small: Vec<_> = (0..ITEMS_PER_MESSAGE_MAX)
        .map(|_| {
            item(chunk(MESSAGE_ITEM_BYTES_MAX / ITEMS_PER_MESSAGE_MAX - ITEM_HEADER_BYTES_MAX))
        })
        .collect();
    for items in [one_full, many_small] {
        assert!(ClientMessage::Items(items).encode().len() <= FRAME_BYTES_MAX);
    }
    let marker = Content::Marker(Marker::SegmentStarted(SegmentStart {
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
        kind: TrackKind::SystemAudio,
        mime: "m".repeat(MIME_BYTES_MAX),
        label: "l".repeat(LABEL_BYTES_MAX),
        wall: UnixMillis::new(u64::MAX),
        cause: StartCause::Begun,
    }));
    let one = item(marker);
    assert!(ClientMessage::Items(vec![one.clone()]).encode().len() <= ITEM_HEADER_BYTES_MAX);
    let markers = vec![one; ITEMS_PER_MESSAGE_MAX];
    assert!(ClientMessage::Items(markers).encode().len() <= FRAME_BYTES_MAX);
}

#[test]
fn a_frame_holds_an_item_only_when_it_holds_nothing_else() {
    let item = Item::new(Seq::new(7), Millis::new(250), Content::Marker(Marker::Paused));
    let frame = |items: &[Item]| ClientMessage::Items(items.to_vec()).encode();
    assert_eq!(Item::of_frame(&frame(std::slice::from_ref(&item))), Some(item.clone()));
    assert_eq!(Item::of_frame(&frame(&[])), None);
    assert_eq!(Item::of_frame(&frame(&[item.clone(), item])), None);
    assert_eq!(Item::of_frame(&ClientMessage::Discard.encode()), None);
    assert_eq!(Item::of_frame(&[0xff]), None);
}

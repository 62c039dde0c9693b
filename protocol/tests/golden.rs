//! The exact bytes of everything that is sent or stored. Those of version 1 were written by the release
//! before; a change that breaks one of these breaks pages, servers, spools or databases that are there.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

use bytes::Bytes;
use protocol::frames::{self, Joined};
use protocol::item::{EndCause, Incident, ItemError, SegmentEnd, SegmentStart, StartCause};
use protocol::limits::SILENCE_MAX;
use protocol::message::{Finish, Heartbeat, Hello, Opening, Progress, Refusal, Welcome};
use protocol::receiver::Receiver;
use protocol::sender::SessionRecord;
use protocol::tail::TailHeader;
use protocol::{
    ClientMessage, Content, Digest, Epoch, Item, Marker, Millis, Receipt, SegmentNo, Seq, SeqSet,
    ServerMessage, SessionId, SessionStatus, SessionToken, TrackKind, TrackNo, UnixMillis, Version,
};

const WALL: UnixMillis = UnixMillis::new(1_795_257_600_000);
const TRACK: TrackNo = TrackNo::new(1);
const SEGMENT: SegmentNo = SegmentNo::new(2);
const LATE: Millis = Millis::new(75_000);

/// The id with its length before it, and the token.
const WHO: &str = "1001a1fdb10800710181010101010101010202020202020202020202020202020202020202020202020202020202020202";
/// 1 795 257 600 000.
const WALL_HEX: &str = "8090c4ed9f34";

fn session() -> SessionId {
    SessionId::from_parts(WALL, [1; 10])
}

fn token() -> SessionToken {
    SessionToken::from_random([2; 32])
}

fn seqs(seqs: &[u64]) -> SeqSet {
    seqs.iter().copied().map(Seq::new).collect()
}

fn chunk() -> Item {
    let bytes = Bytes::from_static(b"sound");
    let content = Content::Chunk { track: TRACK, segment: SEGMENT, bytes };
    Item::new(Seq::new(7), Millis::new(1_750), content)
}

fn client_messages(version: Version) -> Vec<(ClientMessage, String)> {
    let hello = |opening| {
        let failed_tries = 5;
        let (session, token) = (session(), token());
        ClientMessage::Hello(Hello { version, session, token, opening, failed_tries })
    };
    let hello_hex = |opening: &str| format!("00{:02x}{WHO}{opening}05", version.number());
    let paused = Item::new(Seq::new(300), LATE, Content::Marker(Marker::Paused));
    let heartbeat = Heartbeat { pending: 4, pending_span: Millis::new(1_000) };
    let finish = |last_seq, lost| ClientMessage::Finish(Finish { last_seq, lost });
    vec![
        (hello(Opening::New { started_at: WALL }), hello_hex(&format!("00{WALL_HEX}"))),
        (hello(Opening::Existing), hello_hex("01")),
        (hello(Opening::Joining { epoch: Epoch::new(3) }), hello_hex("0203")),
        (hello(Opening::Following { epoch: Epoch::new(300) }), hello_hex("03ac02")),
        (
            ClientMessage::Items(vec![chunk(), paused]),
            "010207d60d00010205736f756e64\
             af70a98ecc5b0cd14b8bff12b8fd382c6cc548f1df49b1a37908fa56b0b46c53\
             ac02f8c9040102\
             4aaa7ec77292e94bff966a5616fe66dd0120de108bc367cb920e4decc7f4f076"
                .to_owned(),
        ),
        (ClientMessage::Items(Vec::new()), "0100".to_owned()),
        (ClientMessage::Heartbeat(heartbeat), "0204e807".to_owned()),
        (finish(Some(Seq::new(300)), seqs(&[1, 2, 5])), "0301ac020201020505".to_owned()),
        (finish(None, SeqSet::new()), "030000".to_owned()),
        (ClientMessage::Discard, "04".to_owned()),
    ]
}

#[test]
fn what_the_client_says_has_these_bytes_in_both_versions() {
    for version in Version::ALL {
        for (message, hex) in client_messages(version) {
            assert_eq!(hex::encode(message.encode()), hex, "{message:?}");
            assert_eq!(ClientMessage::decode(&unhex(&hex)), Ok(message));
        }
    }
}

/// A message of the server, and its bytes in each version.
struct Said {
    message: ServerMessage,
    v1: String,
    v2: String,
}

fn alike(message: ServerMessage, hex: &str) -> Said {
    Said { message, v1: hex.to_owned(), v2: hex.to_owned() }
}

fn welcome((status, byte): (SessionStatus, &str)) -> Said {
    let progress = Progress { next_segment: SEGMENT, timeline_end: Millis::new(1_750) };
    let have = seqs(&[0, 1, 2, 5]);
    let v2 = format!("0003020002050502d60d{byte}");
    Said {
        message: ServerMessage::Welcome(Welcome { epoch: Epoch::new(3), have, progress, status }),
        v1: format!("{v2}80802180808002b0ea01{WALL_HEX}"),
        v2,
    }
}

fn completed(left_out: u32, v1: &str, v2: &str) -> Said {
    let receipt = Receipt {
        items: 3,
        bytes: 300,
        duration: Millis::new(1_750),
        digest: Digest::from_bytes([7; 32]),
        missing: seqs(&[3, 4]),
        left_out,
    };
    let hex = |rest| format!("0603ac02d60d{}{rest}", "07".repeat(32));
    Said { message: ServerMessage::Completed(receipt), v1: hex(v1), v2: hex(v2) }
}

/// In version 2 the words are told as well, so their bytes change with them.
fn goodbye((refusal, is_temporary, reason): (Refusal, bool, &str)) -> Said {
    let words = refusal.to_string();
    let length = |bytes: usize| format!("{:02x}", u8::try_from(bytes).unwrap());
    let v2 = [
        "09",
        if is_temporary { "01" } else { "00" },
        &length(words.len()),
        &hex::encode(&words),
        &length(reason.len() / 2),
        reason,
    ]
    .concat();
    Said { message: ServerMessage::Goodbye(refusal), v1: format!("09{reason}"), v2 }
}

fn goodbyes() -> [Said; 16] {
    [
        (Refusal::UnsupportedVersion { client: 9, server: 1 }, false, "000901"),
        (Refusal::UndecodableFrame, true, "01"),
        (Refusal::FrameTooLarge, false, "02"),
        (Refusal::TooManyItems, false, "03"),
        (Refusal::InvalidSessionId, false, "04"),
        (Refusal::UnknownSession, false, "05"),
        (Refusal::WrongToken, false, "06"),
        (Refusal::Discarded, false, "07"),
        (Refusal::HelloExpected, false, "08"),
        (Refusal::Fenced, false, "09"),
        (Refusal::Outdated { current: Epoch::new(300) }, true, "0aac02"),
        (Refusal::Silent, true, "0b"),
        (Refusal::ShuttingDown, true, "0c"),
        (Refusal::Unavailable, true, "0d"),
        (Refusal::DiskFull, true, "0e"),
        (Refusal::TooManyConnections, true, "0f"),
    ]
    .map(goodbye)
}

/// Of these, the first are known to version 1 too.
const KNOWN_TO_V1: usize = 10;

fn refused(errors: &[ItemError]) -> ServerMessage {
    ServerMessage::Refused((0..).map(Seq::new).zip(errors.iter().copied()).collect())
}

fn server_messages() -> Vec<Said> {
    let known_to_all = &ItemError::ALL[..KNOWN_TO_V1];
    let words = ServerMessage::Failed("no sound".to_owned());
    let mut messages = vec![
        alike(
            ServerMessage::Ack { seqs: seqs(&[0, 1, 2, 5]), duplicates: seqs(&[5]) },
            "010200020505010505",
        ),
        alike(refused(known_to_all), "020a0000010102020303040405050606070708080909"),
        alike(ServerMessage::HeartbeatAck, "03"),
        alike(ServerMessage::Missing(seqs(&[3, 4])), "04010304"),
        alike(ServerMessage::Finalizing, "05"),
        completed(0, "010304", "01030400"),
        completed(2, "01030402", "01030402"),
        alike(words, "07086e6f20736f756e64"),
        alike(ServerMessage::Discarded, "08"),
    ];
    let statuses = ["00", "01", "02", "03", "04", "05", "06"];
    messages.extend(SessionStatus::ALL.into_iter().zip(statuses).map(welcome));
    messages.extend(goodbyes());
    messages
}

/// The server's side of a connection whose client speaks this version.
fn greeted(version: Version) -> Receiver {
    let mut receiver = Receiver::new(Millis::ZERO, SILENCE_MAX);
    let (hello, _) = client_messages(version).swap_remove(0);
    receiver.handle_frame(Millis::ZERO, &hello.encode());
    receiver
}

#[test]
fn refusals_of_items_that_are_new_have_these_bytes_and_the_nearest_ones_in_version_1() {
    let message = refused(&ItemError::ALL[KNOWN_TO_V1..]);
    let (to_v1, to_v2) = (greeted(Version::V1), greeted(Version::V2));
    assert_eq!(hex::encode(to_v1.encode(&message, WALL)), "0203000901030203");
    let v2 = to_v2.encode(&message, WALL);
    assert_eq!(hex::encode(&v2), "0203000a010b020c");
    assert_eq!(ServerMessage::decode(&v2), Ok(message));
}

#[test]
fn what_the_server_says_has_these_bytes_in_each_version() {
    let (to_v1, to_v2) = (greeted(Version::V1), greeted(Version::V2));
    for Said { message, v1, v2 } in server_messages() {
        assert_eq!(hex::encode(to_v1.encode(&message, WALL)), v1, "{message:?}");
        assert_eq!(hex::encode(to_v2.encode(&message, WALL)), v2, "{message:?}");
        for hex in [v1, v2] {
            assert_eq!(ServerMessage::decode(&unhex(&hex)).as_ref(), Ok(&message));
        }
    }
}

/// The rest of a `Goodbye` is told by its words, which may change; these are the bytes of one whole.
#[test]
fn a_refusal_of_version_2_has_these_bytes() {
    let goodbye = ServerMessage::Goodbye(Refusal::DiskFull);
    let words = hex::encode("the server's disk is full; connect again");
    assert_eq!(hex::encode(goodbye.encode()), format!("090128{words}010e"));
}

#[test]
fn the_header_of_a_tail_has_these_bytes_in_both_versions() {
    for version in Version::ALL {
        let (token, first_seq) = (token(), Seq::new(300));
        let header =
            TailHeader { version, token, first_seq, at: LATE, track: TRACK, segment: SEGMENT };
        let hex = format!("28{:02x}{}ac02f8c9040102", version.number(), "02".repeat(32));
        assert_eq!(hex::encode(header.encode()), hex);
        let body = [&unhex(&hex)[..], b"sound"].concat();
        assert_eq!(TailHeader::decode(body.into()), Ok((header, Bytes::from_static(b"sound"))));
    }
}

#[test]
fn frames_in_one_body_have_these_bytes() {
    let mut joined = Joined::new(2);
    joined.push(&ClientMessage::Discard.encode()).unwrap();
    joined.push(&ServerMessage::Missing(seqs(&[3, 4])).encode()).unwrap();
    let hex = "01000000040400000004010304";
    assert_eq!(hex::encode(joined.into_body()), hex);
    let split = frames::split(unhex(hex).into(), 2).unwrap();
    assert_eq!(split, [&[4][..], &[4, 1, 3, 4]]);
}

fn started(kind: TrackKind, cause: StartCause) -> Marker {
    Marker::SegmentStarted(SegmentStart {
        track: TRACK,
        segment: SEGMENT,
        kind,
        mime: "audio/webm".to_owned(),
        label: "Mikrofon".to_owned(),
        wall: WALL,
        cause,
    })
}

fn started_hex(kind: usize, cause: usize) -> String {
    format!("000102{kind:02x}0a617564696f2f7765626d084d696b726f666f6e{WALL_HEX}{cause:02x}")
}

fn markers() -> Vec<(Marker, String)> {
    let ended = |cause| Marker::SegmentEnded(SegmentEnd { track: TRACK, segment: SEGMENT, cause });
    let noted = |(incident, hex): (Incident, &str)| (Marker::Noted(incident), format!("04{hex}"));
    let mut markers = vec![(Marker::Paused, "02".to_owned()), (Marker::Resumed, "03".to_owned())];
    for (place, kind) in TrackKind::ALL.into_iter().enumerate() {
        markers.push((started(kind, StartCause::Begun), started_hex(place, 0)));
    }
    for (place, cause) in StartCause::ALL.iter().enumerate() {
        markers.push((started(TrackKind::Microphone, *cause), started_hex(0, place)));
    }
    for (place, cause) in EndCause::ALL.iter().enumerate() {
        markers.push((ended(*cause), format!("010102{place:02x}")));
    }
    let incidents = [
        (Incident::PageLeft, "00"),
        (Incident::PageReturned, "01"),
        (Incident::PageSlept(LATE), "02f8c904"),
        (Incident::MicrophoneMuted, "03"),
        (Incident::MicrophoneUnmuted, "04"),
        (Incident::MicrophoneSilent, "05"),
        (Incident::MicrophoneHeard, "06"),
        (Incident::SpoolFailed, "07"),
        (Incident::SpoolRecovered, "08"),
        (Incident::LinkLost, "09"),
        (Incident::LinkRestored { away: LATE, tries: 5 }, "0af8c90405"),
    ];
    markers.extend(incidents.map(noted));
    markers
}

/// The digest of a stored marker is made of these bytes, so they have no version: they never change.
#[test]
fn markers_have_these_bytes_in_the_servers_database_and_in_digests() {
    for (marker, hex) in markers() {
        assert_eq!(hex::encode(postcard::to_stdvec(&marker).unwrap()), hex, "{marker:?}");
        assert_eq!(postcard::from_bytes(&unhex(&hex)), Ok(marker));
    }
    // The words by which the lists above go are as many as they were.
    assert_eq!((StartCause::ALL.len(), EndCause::ALL.len()), (6, 7));
    let digest = "af70a98ecc5b0cd14b8bff12b8fd382c6cc548f1df49b1a37908fa56b0b46c53";
    assert_eq!(chunk().digest.to_string(), digest);
}

#[test]
fn the_record_of_a_session_has_these_bytes_in_the_spool() {
    let record = |opening, finish_asked| SessionRecord {
        session: session(),
        token: token(),
        opening,
        started_at: WALL,
        next_segment: SEGMENT,
        timeline_end: LATE,
        recorded: Millis::new(1_750),
        next_seq: Seq::new(301),
        finish_asked,
        discard_asked: false,
        unspooled_sent: !finish_asked,
    };
    let hex = |opening: &str, flags| format!("{WHO}{opening}{WALL_HEX}02f8c904d60dad02{flags}");
    for (record, hex) in [
        (record(Opening::New { started_at: WALL }, false), hex(&format!("00{WALL_HEX}"), "000001")),
        (record(Opening::Following { epoch: Epoch::new(3) }, true), hex("0303", "010000")),
    ] {
        assert_eq!(hex::encode(record.encode()), hex);
        assert_eq!(SessionRecord::decode(&unhex(&hex)), Some(record));
        assert_eq!(SessionRecord::decode(&unhex(&(hex + "00"))), None, "bytes left over");
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

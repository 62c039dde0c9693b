//! Clients of the last release are served as it served them, byte by byte.

use protocol::frames::{Joined, split};
use protocol::limits::{FRAMES_PER_ANSWER_MAX, FRAMES_PER_REQUEST_MAX};
use protocol::message::{Finish, Opening};
use protocol::tail::TailHeader;
use protocol::{
    ClientMessage, Millis, SegmentNo, Seq, SeqSet, ServerMessage, SessionStatus, TrackNo, Version,
};

use crate::harness::{Candidate, NEW, TestServer, chunk, run};

/// What version 1 tells in a `Welcome` behind the rest: 540 672 bytes a frame, 4 MB in flight and 30 s
/// of silence; and the time, in six bytes.
const LIMITS: [u8; 10] = [0x80, 0x80, 0x21, 0x80, 0x80, 0x80, 0x02, 0xb0, 0xea, 0x01];
const TIME_BYTES: usize = 6;

fn hello(candidate: &Candidate, opening: Opening) -> ClientMessage {
    match candidate.hello(opening) {
        ClientMessage::Hello(mut hello) => {
            hello.version = Version::V1;
            ClientMessage::Hello(hello)
        }
        other => panic!("no hello: {other:?}"),
    }
}

fn expect_welcome(frame: &[u8]) {
    let ServerMessage::Welcome(welcome) = ServerMessage::decode(frame).unwrap() else {
        panic!("no welcome: {frame:?}");
    };
    assert_eq!(welcome.status, SessionStatus::Active);
    let told = ServerMessage::Welcome(welcome).encode();
    let beside = frame.strip_prefix(&told[..]).unwrap();
    assert_eq!((&beside[..LIMITS.len()], beside.len()), (&LIMITS[..], LIMITS.len() + TIME_BYTES));
}

/// A receipt of a recording in which nothing is left out does not say so.
fn expect_receipt(frame: &[u8]) {
    let receipt = ServerMessage::decode(frame).unwrap();
    assert!(matches!(receipt, ServerMessage::Completed(_)), "{receipt:?}");
    assert_eq!([frame, &[0]].concat(), receipt.encode());
}

#[tokio::test]
async fn a_page_of_version_1_records_to_its_receipt() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let mut socket = server.connect().await;
    socket.send(&hello(&candidate, NEW)).await;
    expect_welcome(&socket.receive_frame().await.unwrap());
    let items = run(0, 0, "beep1");
    let last_seq = Some(items.last().unwrap().seq);
    socket.deliver(items).await;
    socket.send(&ClientMessage::Finish(Finish { last_seq, lost: SeqSet::new() })).await;
    assert_eq!(socket.receive_frame().await.unwrap(), [5][..]);
    expect_receipt(&socket.receive_frame().await.unwrap());
}

#[tokio::test]
async fn a_page_of_version_1_is_turned_away_in_its_own_words() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(2);
    let mut socket = server.connect().await;
    socket.send(&hello(&candidate, Opening::Existing)).await;
    assert_eq!(socket.receive_frame().await.unwrap(), [9, 5][..]);

    let mut first = server.connect().await;
    first.send(&hello(&candidate, NEW)).await;
    first.receive_frame().await.unwrap();
    // A page of this release takes over.
    candidate.open(&server).await;
    assert_eq!(first.receive_frame().await.unwrap(), [9, 9][..]);
}

#[tokio::test]
async fn requests_of_version_1_are_answered_in_it() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(3);
    let mut body = Joined::new(FRAMES_PER_REQUEST_MAX);
    body.push(&hello(&candidate, NEW).encode()).unwrap();
    let items = run(0, 0, "beep1");
    let last_seq = Some(items.last().unwrap().seq);
    for item in items {
        body.push(&ClientMessage::Items(vec![item]).encode()).unwrap();
    }
    let finish = ClientMessage::Finish(Finish { last_seq, lost: SeqSet::new() });
    body.push(&finish.encode()).unwrap();
    let path = format!("/api/sessions/{}/items", candidate.session);
    let (status, answer) = server.post_bytes(&path, body.into_body()).await;
    assert_eq!(status, 200);
    let frames = split(answer, FRAMES_PER_ANSWER_MAX).unwrap();
    expect_welcome(frames.first().unwrap());
    expect_receipt(frames.last().unwrap());
}

#[tokio::test]
async fn a_tail_of_version_1_is_stored() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(4);
    let (mut socket, _) = candidate.open(&server).await;
    socket.deliver(vec![chunk(0, 0, b"zero")]).await;
    let header = TailHeader {
        version: Version::V1,
        token: candidate.token.clone(),
        first_seq: Seq::new(1),
        at: Millis::new(250),
        track: TrackNo::new(0),
        segment: SegmentNo::new(0),
    };
    let path = format!("/api/sessions/{}/tail", candidate.session);
    let body = [&header.encode()[..], b"the end"].concat();
    assert_eq!(server.post_bytes(&path, body).await.0, 204);
    assert_eq!(server.session(candidate.session).await["items"], 2);
}

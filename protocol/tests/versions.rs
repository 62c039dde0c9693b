//! Two releases meet: each side is understood by the one before it, and nothing is said that the other
//! would misread.

use proptest::prelude::*;
use protocol::item::ItemError;
use protocol::limits::SILENCE_MAX;
use protocol::message::{Hello, Opening, Progress, Refusal, Welcome};
use protocol::receiver::{Effect, Receiver};
use protocol::sender::{Effect as PageEffect, LinkStatus, Sender};
use protocol::{
    ClientMessage, Epoch, Millis, ProtocolError, Seq, SeqSet, ServerMessage, SessionId,
    SessionStatus, SessionToken, UnixMillis, Version,
};

const NOW: Millis = Millis::from_secs(50);
const SERVER_TIME: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn a_session() -> SessionId {
    SessionId::from_parts(SERVER_TIME, [4; 10])
}

fn hello(version: Version) -> Hello {
    Hello {
        version,
        session: a_session(),
        token: SessionToken::from_random([6; 32]),
        opening: Opening::Existing,
        failed_tries: 0,
    }
}

fn welcome() -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        epoch: Epoch::new(1),
        have: SeqSet::new(),
        progress: Progress::default(),
        status: SessionStatus::Active,
    })
}

/// The server's side of a connection whose client has said `Hello` in this version.
fn greeted(version: Version) -> Receiver {
    let mut receiver = Receiver::new(NOW, SILENCE_MAX);
    receiver.handle_frame(NOW, &ClientMessage::Hello(hello(version)).encode());
    assert_eq!(receiver.poll_effect(), Some(Effect::Open(hello(version))));
    receiver
}

/// What the client reads of what the server tells it in this version.
fn told(version: Version, message: &ServerMessage) -> Result<ServerMessage, ProtocolError> {
    ServerMessage::decode(&greeted(version).encode(message, SERVER_TIME))
}

/// Every refusal that both versions know.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::UnsupportedVersion { client: 2, server: 1 },
        Refusal::UndecodableFrame,
        Refusal::FrameTooLarge,
        Refusal::TooManyItems,
        Refusal::InvalidSessionId,
        Refusal::UnknownSession,
        Refusal::WrongToken,
        Refusal::Discarded,
        Refusal::HelloExpected,
        Refusal::Fenced,
        Refusal::Outdated { current: Epoch::new(300) },
        Refusal::Silent,
        Refusal::ShuttingDown,
        Refusal::Unavailable,
        Refusal::DiskFull,
        Refusal::TooManyConnections,
    ]
}

#[test]
fn every_refusal_means_the_same_in_both_versions() {
    for refusal in refusals() {
        let message = ServerMessage::Goodbye(refusal);
        for version in Version::ALL {
            assert_eq!(told(version, &message).as_ref(), Ok(&message), "version {version}");
        }
    }
}

#[test]
fn what_version_1_has_no_word_for_is_told_by_the_nearest_one() {
    for is_temporary in [true, false] {
        let words = "the moon is in the way".to_owned();
        let message = ServerMessage::Goodbye(Refusal::Other { is_temporary, words });
        let Ok(ServerMessage::Goodbye(refusal)) = told(Version::V1, &message) else {
            panic!("no goodbye");
        };
        assert_eq!(refusal.is_temporary(), is_temporary, "{refusal}");
        assert!(refusals().iter().any(|known| known.as_str() == refusal.as_str()));
    }
    for (error, nearest) in [
        (ItemError::SessionFull, ItemError::SessionFinished),
        (ItemError::TooFarAhead, ItemError::SeqTooLarge),
        (ItemError::TooManyHoles, ItemError::SeqTooLarge),
        (ItemError::Other(99), ItemError::SessionFinished),
    ] {
        let message = ServerMessage::Refused(vec![(Seq::ZERO, error)]);
        let nearest = ServerMessage::Refused(vec![(Seq::ZERO, nearest)]);
        assert_eq!(told(Version::V1, &message), Ok(nearest), "{error}");
    }
}

#[test]
fn a_refusal_of_a_newer_server_is_read_for_what_it_means() {
    // `Goodbye`: not for good, "wait", and a reason of two bytes that nobody knows here.
    let frame = [&[9, 1, 4][..], b"wait", &[2, 99, 7]].concat();
    let other = Refusal::Other { is_temporary: true, words: "wait".to_owned() };
    assert_eq!(ServerMessage::decode(&frame), Ok(ServerMessage::Goodbye(other)));
    let refused = ServerMessage::decode(&[2, 1, 5, 77]);
    assert_eq!(refused, Ok(ServerMessage::Refused(vec![(Seq::new(5), ItemError::Other(77))])));
}

proptest! {
    #[test]
    fn no_refusal_of_version_1_reads_as_another_one_of_version_2(client: u16, server in 1_u16..) {
        let message = ServerMessage::Goodbye(Refusal::UnsupportedVersion { client, server });
        prop_assert_eq!(told(Version::V1, &message), Ok(message));
    }

    #[test]
    fn no_epoch_makes_a_refusal_another_one(epoch: u64) {
        let message = ServerMessage::Goodbye(Refusal::Outdated { current: Epoch::new(epoch) });
        prop_assert_eq!(told(Version::V1, &message), Ok(message));
    }
}

#[test]
fn who_has_not_said_its_version_is_answered_in_the_oldest() {
    let mut receiver = Receiver::new(NOW, SILENCE_MAX);
    let mut newer = ClientMessage::Hello(hello(Version::V2)).encode();
    newer[1] = 3;
    receiver.handle_frame(NOW, &newer);
    let refusal = Refusal::UnsupportedVersion { client: 3, server: 2 };
    let goodbye = ServerMessage::Goodbye(refusal);
    assert_eq!(receiver.poll_effect(), Some(Effect::Send(goodbye.clone())));
    assert_eq!(receiver.encode(&goodbye, SERVER_TIME), [9, 0, 3, 2]);
}

#[test]
fn a_hello_for_what_is_no_session_is_refused_in_words() {
    let mut receiver = Receiver::new(NOW, SILENCE_MAX);
    let mut frame = ClientMessage::Hello(hello(Version::V1)).encode();
    let id = a_session();
    let at = frame.windows(16).position(|window| window == id.as_bytes()).unwrap();
    frame[at..at + 16].fill(0);
    receiver.handle_frame(NOW, &frame);
    let goodbye = ServerMessage::Goodbye(Refusal::InvalidSessionId);
    assert_eq!(receiver.poll_effect(), Some(Effect::Send(goodbye)));
    assert_eq!(receiver.poll_effect(), Some(Effect::Close));
}

/// The messages that the page sends, up to now.
fn sent(page: &mut Sender) -> Vec<ClientMessage> {
    let effects = std::iter::from_fn(|| page.poll_effect());
    effects
        .filter_map(|effect| match effect {
            PageEffect::Send(message) => Some(message),
            PageEffect::Remember(_)
            | PageEffect::Spool { .. }
            | PageEffect::Forget { .. }
            | PageEffect::Note { .. }
            | PageEffect::Load(_)
            | PageEffect::Erase
            | PageEffect::Connect
            | PageEffect::Disconnect => None,
        })
        .collect()
}

fn version_of_hello(page: &mut Sender) -> Option<Version> {
    page.handle_connected(NOW);
    sent(page).into_iter().find_map(|message| match message {
        ClientMessage::Hello(hello) => Some(hello.version),
        ClientMessage::Items(_)
        | ClientMessage::Heartbeat(_)
        | ClientMessage::Finish(_)
        | ClientMessage::Discard => None,
    })
}

fn a_page() -> Sender {
    Sender::new(NOW, a_session(), SessionToken::from_random([6; 32]), SERVER_TIME)
}

#[test]
fn a_page_speaks_the_version_before_with_a_server_of_the_release_before() {
    let mut page = a_page();
    assert_eq!(version_of_hello(&mut page), Some(Version::V2));
    let goodbye = ServerMessage::decode(&[9, 0, 2, 1]).unwrap();
    page.handle_message(NOW, goodbye);
    // At once: nobody is to wait for that.
    assert_eq!(version_of_hello(&mut page), Some(Version::V1));
    page.handle_message(NOW, welcome());
    assert_eq!((page.link_status(), page.version()), (LinkStatus::Online, Version::V1));
}

#[test]
fn a_page_that_no_server_understands_stops_and_says_so() {
    let mut page = a_page();
    assert_eq!(version_of_hello(&mut page), Some(Version::V2));
    let refusal = Refusal::UnsupportedVersion { client: 2, server: 9 };
    page.handle_message(NOW, ServerMessage::Goodbye(refusal.clone()));
    assert_eq!(page.link_status(), LinkStatus::Stopped(refusal));

    let mut page = a_page();
    version_of_hello(&mut page);
    page.handle_message(NOW, ServerMessage::decode(&[9, 0, 2, 1]).unwrap());
    version_of_hello(&mut page);
    let again = Refusal::UnsupportedVersion { client: 1, server: 1 };
    page.handle_message(NOW, ServerMessage::Goodbye(again.clone()));
    assert_eq!(page.link_status(), LinkStatus::Stopped(again));
}

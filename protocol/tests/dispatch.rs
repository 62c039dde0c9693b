//! What a courier says in a page's absence: never more than the candidate has asked for, and never
//! so that a newer page is fenced off.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

use bytes::Bytes;
use protocol::message::{Finish, Opening, Progress, Welcome};
use protocol::sender::{Effect, Sender, SessionRecord};
use protocol::{
    Content, Epoch, Millis, SegmentNo, Seq, SeqSet, ServerMessage, SessionId, SessionStatus,
    SessionToken, TrackNo, UnixMillis,
};

const NOW: Millis = Millis::from_secs(100);
const STARTED: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn page() -> Sender {
    let session = SessionId::from_parts(STARTED, [4; 10]);
    Sender::new(NOW, session, SessionToken::from_random([6; 32]), STARTED)
}

fn welcomed(epoch: u64) -> Sender {
    let mut page = page();
    page.handle_connected(NOW);
    page.handle_message(
        NOW,
        ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(epoch),
            have: SeqSet::new(),
            status: SessionStatus::Active,
            progress: Progress::default(),
        }),
    );
    page
}

fn capture(page: &mut Sender) {
    let bytes = Bytes::from_static(b"sound");
    let content = Content::Chunk { track: TrackNo::new(0), segment: SegmentNo::new(0), bytes };
    page.capture(NOW, NOW, Millis::new(250), content);
}

/// The record as the spool has it last.
fn spooled_record(page: &mut Sender) -> SessionRecord {
    let mut newest = None;
    while let Some(effect) = page.poll_effect() {
        match effect {
            Effect::Remember(record)
            | Effect::Spool { record, .. }
            | Effect::Forget { record, .. } => newest = Some(record),
            Effect::Load(_)
            | Effect::Erase
            | Effect::Note { .. }
            | Effect::Connect
            | Effect::Send(_)
            | Effect::Disconnect => {}
        }
    }
    newest.unwrap()
}

fn openings(record: &SessionRecord) -> Vec<Opening> {
    record.dispatch().unwrap().hellos.into_iter().map(|hello| hello.opening).collect()
}

#[test]
fn a_session_that_was_never_welcomed_is_opened_as_a_new_one_and_then_joined() {
    let mut page = page();
    capture(&mut page);
    let record = spooled_record(&mut page);
    let joining = Opening::Joining { epoch: Epoch::new(1) };
    assert_eq!(openings(&record), [Opening::New { started_at: STARTED }, joining]);
}

#[test]
fn a_courier_joins_the_newest_page_and_never_fences_off() {
    let mut page = welcomed(3);
    capture(&mut page);
    let record = spooled_record(&mut page);
    assert_eq!(openings(&record), [Opening::Joining { epoch: Epoch::new(3) }]);
    let following = Opening::Following { epoch: Epoch::new(3) };
    assert_eq!(record.opening, following, "the next page itself is a writer of its own");
}

#[test]
fn a_courier_finishes_only_what_the_candidate_has_finished() {
    let mut page = welcomed(1);
    capture(&mut page);
    capture(&mut page);
    assert_eq!(spooled_record(&mut page).dispatch().unwrap().finish, None);
    page.finish(NOW);
    let finish = Finish { last_seq: Some(Seq::new(1)), lost: SeqSet::new() };
    assert_eq!(spooled_record(&mut page).dispatch().unwrap().finish, Some(finish));
}

#[test]
fn nothing_is_captured_and_finished_without_a_number() {
    let mut page = page();
    page.finish(NOW);
    let finish = Finish { last_seq: None, lost: SeqSet::new() };
    assert_eq!(spooled_record(&mut page).dispatch().unwrap().finish, Some(finish));
}

#[test]
fn of_a_discarded_session_nothing_is_sent() {
    let mut page = welcomed(1);
    capture(&mut page);
    page.discard(NOW);
    assert_eq!(spooled_record(&mut page).dispatch(), None);
}

#[test]
fn of_a_session_recovered_by_its_link_nothing_is_sent_before_the_server_was_reached() {
    let session = SessionId::from_parts(STARTED, [4; 10]);
    let mut page = Sender::recover(NOW, session, SessionToken::from_random([6; 32]));
    capture(&mut page);
    assert_eq!(spooled_record(&mut page).dispatch(), None);
}

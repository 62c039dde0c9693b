//! What lies in the spool and this version cannot read is neither erased nor called lost.

use bytes::Bytes;
use protocol::message::{Finish, Opening, Progress, Welcome};
use protocol::sender::{Effect, FinishStatus, Sender, SessionRecord};
use protocol::{
    ClientMessage, Digest, Epoch, Millis, Receipt, SegmentNo, Seq, SeqSet, ServerMessage,
    SessionId, SessionStatus, SessionToken, UnixMillis,
};

const NOW: Millis = Millis::from_secs(100);
const SPAN: Millis = Millis::new(250);

fn record() -> SessionRecord {
    SessionRecord {
        session: SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [4; 10]),
        token: SessionToken::from_random([6; 32]),
        opening: Opening::Following { epoch: Epoch::new(1) },
        started_at: UnixMillis::new(1),
        next_segment: SegmentNo::new(1),
        timeline_end: Millis::new(750),
        recorded: Millis::new(750),
        next_seq: Seq::new(4),
        finish_asked: true,
        discard_asked: false,
        unspooled_sent: false,
    }
}

/// A page that took up items 0 to 3, of which some cannot be read, and was welcomed by a server that
/// has all others.
fn page(unreadable: &[Option<Seq>], have: &[u64]) -> Sender {
    let mut page = Sender::restore(NOW, record(), []);
    for seq in unreadable {
        page.handle_unreadable(NOW, *seq);
    }
    page.handle_connected(NOW);
    page.handle_message(
        NOW,
        ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(2),
            have: seqs(have),
            progress: Progress::default(),
            status: SessionStatus::Active,
        }),
    );
    page
}

fn seqs(seqs: &[u64]) -> SeqSet {
    seqs.iter().copied().map(Seq::new).collect()
}

fn effects(page: &mut Sender) -> Vec<Effect> {
    std::iter::from_fn(|| page.poll_effect()).collect()
}

/// What the page says when it asks for the recording, each time.
fn finishes(page: &mut Sender) -> Vec<Finish> {
    let of_finish = |effect| match effect {
        Effect::Send(ClientMessage::Finish(finish)) => Some(finish),
        Effect::Send(_)
        | Effect::Remember(_)
        | Effect::Spool { .. }
        | Effect::Forget { .. }
        | Effect::Note { .. }
        | Effect::Load(_)
        | Effect::Erase
        | Effect::Connect
        | Effect::Disconnect => None,
    };
    effects(page).into_iter().filter_map(of_finish).collect()
}

fn receipt() -> Receipt {
    Receipt {
        items: 3,
        bytes: 300,
        duration: Millis::new(750),
        digest: Digest::from_bytes([7; 32]),
        missing: seqs(&[2]),
        left_out: 0,
    }
}

#[test]
fn what_cannot_be_read_is_not_called_lost_and_the_session_does_not_finish_without_it() {
    let mut page = page(&[Some(Seq::new(2))], &[0, 1, 3]);
    let asked = Finish { last_seq: Some(Seq::new(3)), lost: SeqSet::new() };
    assert_eq!(finishes(&mut page), std::slice::from_ref(&asked));
    page.handle_message(NOW, ServerMessage::Missing(seqs(&[2])));
    assert_eq!(finishes(&mut page), []);
    assert!(matches!(page.finish_status(), FinishStatus::Failed(_)));
    // Tried again, it says the same.
    page.finish(NOW);
    assert_eq!(finishes(&mut page), [asked]);
}

#[test]
fn what_is_nowhere_is_lost_beside_what_cannot_be_read() {
    let mut page = page(&[Some(Seq::new(2))], &[0, 3]);
    page.handle_message(NOW, ServerMessage::Missing(seqs(&[1, 2])));
    page.finish(NOW);
    let last = finishes(&mut page).pop();
    assert_eq!(last, Some(Finish { last_seq: Some(Seq::new(3)), lost: seqs(&[1]) }));
}

#[test]
fn as_long_as_a_piece_has_no_number_nothing_is_called_lost() {
    let mut page = page(&[None], &[0, 3]);
    page.handle_message(NOW, ServerMessage::Missing(seqs(&[1, 2])));
    page.finish(NOW);
    let last = finishes(&mut page).pop();
    assert_eq!(last, Some(Finish { last_seq: Some(Seq::new(3)), lost: SeqSet::new() }));
    assert!(page.has_losses());
}

#[test]
fn a_session_with_something_unreadable_is_not_erased_when_it_is_completed() {
    let mut whole = page(&[], &[0, 1, 2, 3]);
    whole.handle_message(NOW, ServerMessage::Completed(receipt()));
    assert!(effects(&mut whole).contains(&Effect::Erase));

    for unreadable in [Some(Seq::new(2)), None] {
        let mut page = page(&[unreadable], &[0, 1, 3]);
        page.handle_message(NOW, ServerMessage::Completed(receipt()));
        assert!(!effects(&mut page).contains(&Effect::Erase), "{unreadable:?}");
        assert_eq!(page.finish_status(), FinishStatus::Completed(receipt()));
        assert_eq!(page.unreadable(), 1);
    }
}

#[test]
fn what_the_candidate_throws_away_is_erased_with_what_cannot_be_read() {
    let mut page = page(&[Some(Seq::new(2))], &[0, 1, 3]);
    page.discard(NOW);
    page.handle_message(NOW, ServerMessage::Discarded);
    assert!(effects(&mut page).contains(&Effect::Erase));
}

#[test]
fn the_number_of_an_unreadable_item_is_not_used_again() {
    let mut going_on = SessionRecord { finish_asked: false, ..record() };
    going_on.next_seq = Seq::ZERO;
    let mut page = Sender::restore(NOW, going_on, []);
    page.handle_unreadable(NOW, Some(Seq::new(8)));
    assert_eq!(page.reserve(1).first(), Seq::new(9));
}

#[test]
fn an_item_that_cannot_be_read_when_it_is_to_be_sent_is_kept_as_well() {
    let items = [(Seq::new(2), 5, SPAN)];
    let mut page = Sender::restore(NOW, record(), items);
    page.handle_unreadable(NOW, Some(Seq::new(2)));
    assert_eq!((page.backlog_status().items, page.unreadable()), (0, 1));
    // An answer that comes late changes nothing.
    let content = protocol::Content::Chunk {
        track: protocol::TrackNo::new(0),
        segment: SegmentNo::new(0),
        bytes: Bytes::from_static(b"sound"),
    };
    page.handle_loaded(NOW, protocol::Item::new(Seq::new(2), Millis::ZERO, content));
    assert_eq!(page.backlog_status().items, 0);
}

#[test]
fn two_copies_of_a_record_make_the_newer_one_and_take_nothing_back() {
    let mut of_spool = record();
    let older = SessionRecord { next_seq: Seq::new(2), finish_asked: false, ..record() };
    of_spool.catch_up(&older);
    assert_eq!(of_spool, record());
    let newer = SessionRecord {
        opening: Opening::Existing,
        next_seq: Seq::new(9),
        next_segment: SegmentNo::new(3),
        timeline_end: Millis::new(2_000),
        recorded: Millis::new(1_000),
        finish_asked: false,
        discard_asked: true,
        unspooled_sent: true,
        ..record()
    };
    of_spool.catch_up(&newer);
    let (opening, finish_asked) = (record().opening, true);
    assert_eq!(of_spool, SessionRecord { opening, finish_asked, ..newer });
}

#[test]
fn numbers_skipped_after_a_page_without_a_spool_are_not_given_up_beside_a_piece_without_one() {
    let skipping = SessionRecord { unspooled_sent: true, finish_asked: false, ..record() };
    let mut page = Sender::restore(NOW, skipping, []);
    assert!(page.has_losses());
    page.handle_unreadable(NOW, None);
    page.handle_connected(NOW);
    let progress = Progress::default();
    let (epoch, have, status) = (Epoch::new(2), seqs(&[0, 1, 2, 3]), SessionStatus::Active);
    page.handle_message(NOW, ServerMessage::Welcome(Welcome { epoch, have, progress, status }));
    page.finish(NOW);
    assert!(finishes(&mut page).pop().unwrap().lost.is_empty());
}

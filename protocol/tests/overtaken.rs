//! Two connections for one session: which is the newer, and what the older one makes of it.

use protocol::message::{Opening, Overtaken, Refusal, Welcome};
use protocol::sender::{Effect, LinkStatus, Sender};
use protocol::{
    ClientMessage, Epoch, Millis, SeqSet, ServerMessage, SessionId, SessionStatus, SessionToken,
    UnixMillis,
};

const STARTED: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

fn sender() -> Sender {
    let session = SessionId::from_parts(STARTED, [4; 10]);
    Sender::new(Millis::ZERO, session, SessionToken::from_random([6; 32]), STARTED)
}

/// Says `Hello` on a new connection, and how.
fn says_hello(sender: &mut Sender, now: Millis) -> Option<Opening> {
    sender.handle_timeout(now);
    sender.handle_connected(now);
    let mut said = None;
    while let Some(effect) = sender.poll_effect() {
        if let Effect::Send(ClientMessage::Hello(hello)) = effect {
            said = Some(hello.opening);
        }
    }
    said
}

fn welcome(sender: &mut Sender, now: Millis, epoch: Epoch) {
    let welcome = Welcome {
        epoch,
        have: SeqSet::new(),
        progress: protocol::message::Progress::default(),
        status: SessionStatus::Active,
    };
    sender.handle_message(now, ServerMessage::Welcome(welcome));
}

fn outdated(sender: &mut Sender, now: Millis, current: Epoch) {
    sender.handle_message(now, ServerMessage::Goodbye(Refusal::Outdated { current }));
}

#[test]
fn only_an_opening_that_knows_the_newest_epoch_follows_it() {
    let new = Opening::New { started_at: STARTED };
    let following = |number| Opening::Following { epoch: epoch(number) };
    let outdated = Err(Overtaken::Outdated { current: epoch(3) });
    assert_eq!(new.epoch_after(epoch(0)), Ok(epoch(1)));
    assert_eq!(new.epoch_after(epoch(3)), outdated);
    assert_eq!(following(3).epoch_after(epoch(3)), Ok(epoch(4)));
    assert_eq!(following(2).epoch_after(epoch(3)), outdated);
    assert_eq!(Opening::Existing.epoch_after(epoch(3)), Ok(epoch(4)));
    let joining = |number| Opening::Joining { epoch: epoch(number) };
    assert_eq!(joining(3).epoch_after(epoch(3)), Ok(epoch(3)));
    assert_eq!(joining(2).epoch_after(epoch(3)), Err(Overtaken::Fenced));
}

#[test]
fn a_page_whose_welcome_was_lost_follows_itself() {
    let mut sender = sender();
    let (first, second) = (Millis::ZERO, Millis::from_secs(20));
    says_hello(&mut sender, first);
    welcome(&mut sender, first, epoch(1));
    // Two more, and the welcome of one of them never arrives.
    for now in [second, Millis::from_secs(40)] {
        sender.handle_disconnected(now);
        let now = now + Millis::from_secs(5);
        assert_eq!(says_hello(&mut sender, now), Some(Opening::Following { epoch: epoch(1) }));
    }
    let now = Millis::from_secs(50);
    outdated(&mut sender, now, epoch(2));
    assert_eq!(sender.link_status(), LinkStatus::Reconnecting);
    // At once, and as the one that follows.
    assert_eq!(says_hello(&mut sender, now), Some(Opening::Following { epoch: epoch(2) }));
}

#[test]
fn a_page_that_said_nothing_meanwhile_knows_that_another_has_taken_over() {
    let mut sender = sender();
    says_hello(&mut sender, Millis::ZERO);
    welcome(&mut sender, Millis::ZERO, epoch(1));
    sender.handle_disconnected(Millis::from_secs(20));
    says_hello(&mut sender, Millis::from_secs(25));
    outdated(&mut sender, Millis::from_secs(26), epoch(2));
    assert_eq!(sender.link_status(), LinkStatus::Stopped(Refusal::Fenced));
}

#[test]
fn a_page_that_opens_takes_over_from_whoever_there_is() {
    let mut earlier = sender();
    says_hello(&mut earlier, Millis::ZERO);
    welcome(&mut earlier, Millis::ZERO, epoch(1));
    let mut sender = Sender::restore(Millis::ZERO, earlier.record().clone(), []);
    says_hello(&mut sender, Millis::ZERO);
    outdated(&mut sender, Millis::ZERO, epoch(7));
    let following = Some(Opening::Following { epoch: epoch(7) });
    assert_eq!(says_hello(&mut sender, Millis::ZERO), following);
}

//! What is posted beside any connection: by a page that is being left, and by the courier that
//! delivers what a gone page left in the spool.

use protocol::event::Transport;
use protocol::limits::ITEMS_PER_MESSAGE_MAX;
use protocol::message::{Finish, Hello, Opening};
use protocol::sender::Dispatch;
use protocol::{ClientMessage, Item};

use super::disk::DiskFull;
use super::event::Event;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::dice::Roll;
use crate::drive::Drive;
use crate::faults::FaultKind;

/// One request, or several that follow each other.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    /// To be tried one after the other.
    hellos: Vec<Hello>,
    items: Vec<Item>,
    finish: Option<Finish>,
}

impl<D: Drive> World<D> {
    /// What a page that is being left sends once more joins its connection.
    pub(super) fn post_at_hand(&mut self, messages: Vec<ClientMessage>) {
        let mut roll = self.dice.roll(self.now, Purpose::Network);
        let mut messages = messages.into_iter();
        let (Some(ClientMessage::Hello(hello)), Some(ClientMessage::Items(items))) =
            (messages.next(), messages.next())
        else {
            return;
        };
        self.post(Posted { hellos: vec![hello], items, finish: None }, &mut roll);
    }

    /// The courier comes some time after the page is gone.
    pub(super) fn maybe_send_courier(&mut self) {
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::Courier, 2) {
            self.schedule(roll.millis(50, 5_000), Event::Courier);
        }
    }

    /// It leaves a session alone that a page is at work on.
    pub(super) fn courier_comes(&mut self) {
        let record = self.spool.record.as_ref().filter(|_| self.pages.is_empty());
        let Some(dispatch) = record.and_then(|record| record.dispatch()) else { return };
        let Dispatch { mut hellos, finish } = dispatch;
        if self.breakage == Some(Breakage::CourierTakesOver) {
            hellos.iter_mut().for_each(|hello| hello.opening = Opening::Existing);
        }
        let mut posted = Posted {
            hellos,
            items: self.spool.items.values().map(|(item, _)| item.clone()).collect(),
            finish,
        };
        let mut roll = Roll::of(&[self.now.get(), 0xc0_0413]);
        // The network may be gone again in the middle.
        let taken = roll.between(0, 2 * posted.items.len() as u64 + 1) as usize;
        if taken < posted.items.len() {
            posted.items.truncate(taken);
            posted.finish = None;
        }
        self.post(posted, &mut roll);
    }

    fn post(&mut self, posted: Posted, roll: &mut Roll) {
        posted.items.iter().for_each(|item| self.model.left_page(item));
        let takes = if roll.once_in(2) { 200 } else { 10_000 };
        self.schedule(roll.millis(5, takes), Event::Posted(posted));
    }

    pub(super) fn posted_arrives(&mut self, posted: &Posted) {
        let (wall, now) = (self.server_wall(), self.now);
        let Some(process) = self.servers.entry else { return };
        let http = Transport::Http;
        let opened = posted
            .hellos
            .iter()
            .find_map(|hello| self.disk.open(hello, http, wall, now).ok().and_then(Result::ok));
        let Some(epoch) = opened.map(|opened| opened.after.epoch) else { return };
        for items in posted.items.chunks(ITEMS_PER_MESSAGE_MAX) {
            match self.disk.append(epoch, http, items, wall) {
                Ok(Ok(verdicts)) => {
                    self.model.stored(&self.disk.known, Some(epoch), items, &verdicts);
                }
                Ok(Err(_)) | Err(DiskFull) => return,
            }
        }
        if let Some(finish) = &posted.finish
            && let Ok(Ok(_)) = self.disk.finish(epoch, finish, wall, now)
        {
            self.look_for_work(process);
        }
    }
}

//! How pages come to their end: crashed, left, put to sleep, or taken over by another tab.

use protocol::limits::{ITEM_PAYLOAD_BYTES_MAX, PROTOCOL_VERSION};
use protocol::tail::TailHeader;
use protocol::{Content, Millis};

use super::World;
use super::event::Event;
use super::page::{PageNo, Piece, TIMESLICE, TRACK};
use crate::breakage::Breakage;
use crate::dice::Roll;
use crate::drive::Drive;

/// How long a tab may take to hand over before it is taken for dead.
const HAND_OVER_DEADLINE: Millis = Millis::from_secs(3);

impl<D: Drive> World<D> {
    /// Until the session's record is on disk nothing is there to come back to.
    fn page_with_record(&self) -> Option<PageNo> {
        self.only_page().filter(|_| self.spool.record.is_some())
    }

    pub(super) fn crash_page(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record() else { return };
        self.end_page_with_spool(no, roll);
        self.schedule(roll.millis(100, 8_000), Event::OpenPage);
    }

    /// Whatever has its number and could not be read and spooled in time is sent as a tail.
    pub(super) fn leave_page(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record().filter(|no| self.asleep_until(*no).is_none()) else {
            return;
        };
        if self.speaking {
            self.capture_chunk(no);
        }
        let noted = self.spool.noted;
        let Some(page) = self.pages.get_mut(&no) else { return };
        for piece in std::mem::take(&mut page.pieces).into_values() {
            self.send_tail(no, piece, roll);
        }
        self.stash(no);
        self.post_at_hand(no, roll);
        if self.breakage == Some(Breakage::ForgetTailNumber) {
            self.spool.noted = noted;
        }
        self.end_page_with_spool(no, roll);
        self.schedule(roll.millis(100, 5_000), Event::OpenPage);
    }

    /// The number is written down first: the tail may come after the next page's first item. Not
    /// every browser lets the page read the chunk as well; one that is too long for a tail has only that.
    fn send_tail(&mut self, no: PageNo, piece: Piece, roll: &mut Roll) {
        let Piece { reserved, at, bytes } = piece;
        let Some(page) = self.pages.get_mut(&no) else { return };
        let segment = page.segment;
        if bytes.len() <= ITEM_PAYLOAD_BYTES_MAX {
            let header = TailHeader {
                version: PROTOCOL_VERSION,
                token: page.sender.record().token.clone(),
                first_seq: reserved.first(),
                at,
                track: TRACK,
                segment,
            };
            self.spool.noted = Some(page.sender.record().next_seq);
            self.model.tail(no, &header, &bytes);
            let body = [&header.encode(), &bytes[..]].concat();
            for _ in 0..roll.between(0, 3) {
                let takes = if roll.once_in(2) { 200 } else { 15_000 };
                let body = body.clone();
                self.schedule(roll.millis(5, takes), Event::Tail { body });
            }
        }
        if roll.once_in(2) {
            let chunk = Content::Chunk { track: TRACK, segment, bytes };
            self.with_page(no, |sender, now| sender.fill(now, reserved, at, TIMESLICE, chunk));
        }
    }

    fn end_page_with_spool(&mut self, no: PageNo, roll: &mut Roll) {
        let asked = self.spool_queue_len() as u64;
        let take_effect = roll.between(0, asked + 1);
        self.decide_spool(usize::try_from(take_effect).unwrap());
        self.end_page(no);
        self.maybe_send_courier();
    }

    /// What only the page's memory held dies with it.
    pub(super) fn end_page(&mut self, no: PageNo) {
        let Some(page) = self.pages.remove(&no) else { return };
        self.model.page_died(no);
        if let Some(link) = page.link {
            self.close_from_page(link);
        }
    }

    /// Another tab asks for the session: this one captures no more, and ends when all it had is on
    /// disk.
    pub(super) fn ask_to_hand_over(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record().filter(|no| self.asleep_until(*no).is_none()) else {
            return;
        };
        let deadline = self.now + HAND_OVER_DEADLINE;
        if let Some(page) = self.pages.get_mut(&no) {
            page.is_capturing = false;
            page.hands_over_by = Some(deadline);
        }
        self.schedule(roll.millis(1, 200), Event::HandOver { page: no });
    }

    pub(super) fn hand_over(&mut self, no: PageNo) {
        let Some(page) = self.pages.get(&no).filter(|_| !self.is_done()) else { return };
        let is_ready = page.pieces.is_empty() && self.spool_is_idle();
        if !is_ready && page.hands_over_by.is_some_and(|deadline| self.now < deadline) {
            self.schedule(Millis::new(20), Event::HandOver { page: no });
            return;
        }
        self.decide_spool(usize::MAX);
        self.end_page(no);
        self.open_page();
    }

    /// Another tab takes the session from one that does not answer. That one finds its lock gone
    /// when it comes to itself, and writes nothing more.
    pub(super) fn steal(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record() else { return };
        let wakes = self.now + roll.millis(1_000, 20_000);
        self.decide_spool(usize::MAX);
        if let Some(page) = self.pages.get_mut(&no) {
            page.asleep_until = Some(wakes);
        }
        self.model.page_died(no);
        // Before anything else that waits for the page to come to itself.
        self.pages_to_end_at(wakes, no);
        self.open_page();
    }

    fn pages_to_end_at(&mut self, at: Millis, no: PageNo) {
        self.events.insert((at, 0), Event::LockLost { page: no });
    }

    pub(super) fn sleep(&mut self, roll: &mut Roll) {
        let Some(no) = self.only_page() else { return };
        let Some(page) = self.pages.get_mut(&no) else { return };
        let asleep = roll.millis(500, 12_000);
        page.asleep_until = Some(self.now + asleep);
        if roll.once_in(2) {
            page.stood_still = page.stood_still + asleep;
        }
    }
}

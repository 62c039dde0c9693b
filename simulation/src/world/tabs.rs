//! How pages come to their end: crashed, left, put to sleep, or taken over by another tab.

use protocol::limits::ITEM_PAYLOAD_BYTES_MAX;
use protocol::tail::TailHeader;
use protocol::{Millis, Seq};
use recorder::Moment;

use super::event::Event;
use super::page::PageNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::dice::Roll;
use crate::drive::Drive;

/// How long another tab waits for one that is to hand over.
const OTHER_TAB_WAITS: Millis = Millis::from_secs(5);

/// For so long a page does not let go of what only it has.
const HAND_OVER_TAKES: Millis = Millis::from_secs(4);

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

    /// What the recorder hands over at the last moment, and whatever has its number and is not read,
    /// goes out as a tail; what could not be spooled in time is put aside.
    pub(super) fn leave_page(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record().filter(|no| self.asleep_until(*no).is_none()) else {
            return;
        };
        let noted = self.spool.noted;
        self.with_page(no, |page, at| page.recorder.leaving(at.now));
        let run = self.pages.get(&no).and_then(|page| page.run.as_ref()).map(|run| run.no);
        if let Some(run) = run {
            self.hand_over_chunk(no, run);
        }
        self.with_page(no, |page, at| page.recorder.left(at));
        if self.breakage == Some(Breakage::ForgetTailNumber) {
            self.spool.noted = noted;
        }
        if self.pages.contains_key(&no) {
            self.end_page_with_spool(no, roll);
            self.schedule(roll.millis(100, 5_000), Event::OpenPage);
        }
    }

    /// It may come after the next page's first item, or never. One that is too long for a tail is none.
    pub(super) fn send_tail(&mut self, no: PageNo, seq: Seq, header: &TailHeader) {
        let mut roll = self.dice.roll(self.now, Purpose::Network);
        let page = self.pages.get(&no);
        let Some(bytes) = page.and_then(|page| page.pieces.get(&seq)).cloned() else { return };
        if bytes.len() > ITEM_PAYLOAD_BYTES_MAX {
            return;
        }
        self.model.tail(no, header, &bytes);
        let body = [&header.encode(), &bytes[..]].concat();
        for _ in 0..roll.between(0, 3) {
            let takes = if roll.once_in(2) { 200 } else { 15_000 };
            let body = body.clone();
            self.schedule(roll.millis(5, takes), Event::Tail { body });
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

    /// Another tab asks for the session, and if it does not get it in time, takes it.
    pub(super) fn ask_to_hand_over(&mut self) {
        let Some(no) = self.page_with_record().filter(|no| self.asleep_until(*no).is_none()) else {
            return;
        };
        let session = self.session;
        self.schedule(OTHER_TAB_WAITS, Event::TakeOver { page: no });
        self.with_page(no, |page, at| {
            page.hands_over = Some(at.now);
            page.recorder.hand_over(at.now, session);
        });
    }

    /// The page has let its session go: because another tab asked for it, or has taken it.
    pub(super) fn let_go(&mut self, no: PageNo, at: Moment) {
        let Some(page) = self.pages.get(&no) else { return };
        let asked_at = page.hands_over;
        let is_durable = |seq: &Seq| self.disk.known.items.contains_key(seq);
        let has_all_elsewhere = page.pieces.is_empty() && page.unspooled.iter().all(is_durable);
        if asked_at.is_some_and(|asked_at| at.now < asked_at + HAND_OVER_TAKES)
            && !has_all_elsewhere
        {
            self.model.broken("a session was handed over with what only its page had".into());
        }
        if asked_at.is_some() {
            self.decide_spool(usize::MAX);
            self.schedule(Millis::ZERO, Event::OpenPage);
        }
        self.end_page(no);
    }

    /// The other tab does not wait any longer.
    pub(super) fn take_over(&mut self, no: PageNo) {
        let is_over = self.is_done() || self.only_page() != Some(no);
        let Some(page) = self.pages.get(&no).filter(|_| !is_over) else { return };
        let wakes = page.asleep_until.unwrap_or(self.now).max(self.now);
        self.steal_from(no, wakes);
    }

    /// Another tab takes the session from one that does not answer.
    pub(super) fn steal(&mut self, roll: &mut Roll) {
        let Some(no) = self.page_with_record() else { return };
        self.steal_from(no, self.now + roll.millis(1_000, 20_000));
    }

    /// The page finds its lock gone when it comes to itself, before anything else that waits for that,
    /// and writes nothing more.
    fn steal_from(&mut self, no: PageNo, wakes: Millis) {
        self.decide_spool(usize::MAX);
        if let Some(page) = self.pages.get_mut(&no) {
            page.asleep_until = Some(wakes);
            page.hands_over = None;
        }
        self.model.page_died(no);
        self.events.insert((wakes, 0), Event::LockLost { page: no });
        self.open_page();
    }

    pub(super) fn lock_lost(&mut self, no: PageNo) {
        let session = self.session;
        self.with_page(no, |page, _| page.recorder.lock_lost(session));
        // One that has no session has nothing to lose.
        self.end_page(no);
    }

    pub(super) fn sleep(&mut self, roll: &mut Roll) {
        let Some(no) = self.only_page() else { return };
        let Some(page) = self.pages.get_mut(&no) else { return };
        let asleep = roll.millis(500, 12_000);
        page.asleep_until = Some(self.now + asleep);
        page.deaf_since = None;
        if roll.once_in(2) {
            page.stood_still = page.stood_still + asleep;
        }
    }
}

//! A page: captures, has its sender's effects carried out, and may be asleep.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::item::{SegmentStart, StartCause};
use protocol::limits::RESUME_GAP_MAX;
use protocol::sender::{Effect, FinishStatus, Reserved, Sender};
use protocol::{ClientMessage, Content, Marker, Millis, SegmentNo, Seq, TrackKind, TrackNo};

use super::event::Event;
use super::link::LinkNo;
use super::spool::Request;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::drive::Drive;
use crate::faults::FaultKind;

pub(super) const TIMESLICE: Millis = Millis::new(250);
pub(super) const TRACK: TrackNo = TrackNo::new(0);
const OVERSIZED_BYTES: u64 = 700_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageNo(pub(super) u64);

pub(super) struct Page {
    pub(super) sender: Sender,
    opened_at: Millis,
    /// How long its clock has stood still since.
    pub(super) stood_still: Millis,
    pub(super) asleep_until: Option<Millis>,
    pub(super) link: Option<LinkNo>,
    pub(super) is_capturing: bool,
    pub(super) segment: SegmentNo,
    has_announced: bool,
    /// Where on the timeline this page went on.
    went_on_at: Millis,
    /// Chunks that have their numbers and whose bytes are being read.
    pub(super) pieces: BTreeMap<u64, Piece>,
    pieces_taken: u64,
    /// Captured here, and not known to be in the spool.
    pub(super) unspooled: BTreeSet<Seq>,
    timer: Option<Millis>,
    /// Another tab has asked for the session.
    pub(super) hands_over_by: Option<Millis>,
}

pub(super) struct Piece {
    pub(super) reserved: Reserved,
    pub(super) at: Millis,
    pub(super) bytes: Bytes,
}

impl Page {
    pub(super) fn clock(&self, now: Millis) -> Millis {
        now.since(self.opened_at + self.stood_still)
    }

    fn timeline(&self, now: Millis) -> Millis {
        self.went_on_at + self.clock(now)
    }
}

impl<D: Drive> World<D> {
    pub(super) fn open_page(&mut self) {
        self.page_count += 1;
        self.move_stash();
        let no = PageNo(self.page_count);
        let (sender, went_on_at) = match self.spool.record.clone() {
            None => {
                let started_at = self.browser_wall();
                let (session, token) = (self.session, self.token.clone());
                (Sender::new(Millis::ZERO, session, token, started_at), Millis::ZERO)
            }
            Some(mut record) => {
                if let Some(next_seq) = self.spool.noted {
                    record.note(next_seq);
                }
                if self.breakage == Some(Breakage::Renumber) {
                    record.next_seq = Seq::new(record.next_seq.get().saturating_sub(3));
                }
                let by_the_wall = self.browser_wall().since(record.started_at);
                let latest = record.timeline_end + RESUME_GAP_MAX;
                let went_on_at = by_the_wall.clamp(record.timeline_end, latest);
                let items = self.spool.items.values();
                let items = items.map(|(item, span)| (item.seq, item.payload_bytes(), *span));
                (Sender::restore(Millis::ZERO, record, items), went_on_at)
            }
        };
        let page = Page {
            segment: sender.record().next_segment,
            sender,
            opened_at: self.now,
            stood_still: Millis::ZERO,
            asleep_until: None,
            link: None,
            is_capturing: true,
            has_announced: false,
            went_on_at,
            pieces: BTreeMap::new(),
            pieces_taken: 0,
            unspooled: BTreeSet::new(),
            timer: None,
            hands_over_by: None,
        };
        self.pages.insert(no, page);
        let speaking = self.speaking;
        self.with_page(no, |sender, now| {
            if !speaking {
                sender.finish(now);
            }
        });
        self.schedule(TIMESLICE, Event::Capture { page: no });
    }

    pub(super) fn asleep_until(&self, page: PageNo) -> Option<Millis> {
        self.pages.get(&page)?.asleep_until.filter(|until| *until > self.now)
    }

    /// The page that records, and no other page is at work.
    pub(super) fn only_page(&self) -> Option<PageNo> {
        let mut pages = self.pages.keys();
        let first = pages.next().copied();
        first.filter(|_| pages.next().is_none())
    }

    pub(super) fn capture(&mut self, no: PageNo) {
        let Some(page) = self.pages.get(&no) else { return };
        let discarding = matches!(
            page.sender.finish_status(),
            FinishStatus::Discarding | FinishStatus::Discarded
        );
        if !self.speaking || !page.is_capturing || discarding {
            return;
        }
        self.schedule(TIMESLICE, Event::Capture { page: no });
        self.announce(no);
        self.capture_chunk(no);
    }

    fn announce(&mut self, no: PageNo) {
        let wall = self.browser_wall();
        let Some(page) = self.pages.get_mut(&no) else { return };
        if std::mem::replace(&mut page.has_announced, true) {
            return;
        }
        let start = SegmentStart {
            track: TRACK,
            segment: page.segment,
            kind: TrackKind::Microphone,
            mime: "audio/webm;codecs=opus".into(),
            label: String::new(),
            wall,
            cause: if no == PageNo(1) { StartCause::Begun } else { StartCause::PageReturned },
        };
        let at = page.timeline(self.now);
        let marker = Content::Marker(Marker::SegmentStarted(start));
        self.with_page(no, |sender, now| sender.capture(now, at, Millis::ZERO, marker));
    }

    /// The chunk gets its number now, and its bytes are read later.
    pub(super) fn capture_chunk(&mut self, no: PageNo) {
        let mut roll = self.dice.roll(self.now, Purpose::Capture);
        let oversized = self.faults.strikes(self.now, FaultKind::Oversized, 250).is_some();
        let length = if oversized { OVERSIZED_BYTES } else { roll.between(1, 400) };
        let mut bytes = vec![roll.between(0, 256) as u8; usize::try_from(length).unwrap()];
        // No two chunks are alike.
        let mark = roll.between(0, 1 << 60).to_le_bytes();
        bytes.iter_mut().zip(mark).for_each(|(byte, mark)| *byte ^= mark);
        let mut takes = self.dice.millis(self.now, Purpose::Reading, 1, 40);
        if roll.once_in(40) {
            takes = roll.millis(100, 900);
        }
        let Some(page) = self.pages.get_mut(&no) else { return };
        let reserved = page.sender.reserve(bytes.len());
        page.pieces_taken += 1;
        let piece = page.pieces_taken;
        let at = page.timeline(self.now);
        page.pieces.insert(piece, Piece { reserved, at, bytes: bytes.into() });
        self.schedule(takes, Event::Read { page: no, piece });
    }

    pub(super) fn read(&mut self, no: PageNo, piece: u64) {
        let Some(page) = self.pages.get_mut(&no) else { return };
        let segment = page.segment;
        let Some(Piece { reserved, at, bytes }) = page.pieces.remove(&piece) else { return };
        if self.faults.strikes(self.now, FaultKind::Unreadable, 120).is_some() {
            self.with_page(no, |sender, now| sender.abandon(now, reserved));
            return;
        }
        let chunk = Content::Chunk { track: TRACK, segment, bytes };
        self.with_page(no, |sender, now| sender.fill(now, reserved, at, TIMESLICE, chunk));
    }

    pub(super) fn stop_speaking(&mut self) {
        self.speaking = false;
        for no in self.pages.keys().copied().collect::<Vec<_>>() {
            // A page that sleeps hears of it when it wakes.
            self.schedule(Millis::ZERO, Event::FinishAgain { page: no });
        }
    }

    pub(super) fn discard(&mut self) {
        if let Some(no) = self.only_page().filter(|no| self.asleep_until(*no).is_none()) {
            self.model.discard_asked = true;
            self.with_page(no, |sender, now| sender.discard(now));
        }
    }

    pub(super) fn page_timer(&mut self, no: PageNo) {
        if let Some(page) = self.pages.get_mut(&no) {
            page.timer = None;
        }
        self.with_page(no, |sender, now| sender.handle_timeout(now));
    }

    /// Lets the page's sender handle something, then carries out what it asks.
    pub(super) fn with_page(&mut self, no: PageNo, handle: impl FnOnce(&mut Sender, Millis)) {
        let Some(page) = self.pages.get_mut(&no) else { return };
        let clock = page.clock(self.now);
        let had_failed = matches!(page.sender.finish_status(), FinishStatus::Failed(_));
        handle(&mut page.sender, clock);
        while let Some(effect) = self.pages.get_mut(&no).and_then(|page| page.sender.poll_effect())
        {
            self.carry_out(no, effect);
        }
        let Some(page) = self.pages.get_mut(&no) else { return };
        if !had_failed && matches!(page.sender.finish_status(), FinishStatus::Failed(_)) {
            self.schedule(Millis::from_secs(2), Event::FinishAgain { page: no });
        }
        self.arm(no);
    }

    fn arm(&mut self, no: PageNo) {
        let Some(page) = self.pages.get_mut(&no) else { return };
        let Some(due) = page.sender.poll_timeout() else { return };
        let at = (page.opened_at + page.stood_still + due).max(self.now + Millis::new(1));
        if page.timer.is_none_or(|armed| at < armed) {
            page.timer = Some(at);
            self.schedule_at(at, Event::PageTimer { page: no });
        }
    }

    fn carry_out(&mut self, no: PageNo, effect: Effect) {
        match effect {
            Effect::Remember(record) => self.ask_spool(no, Request::Remember(record)),
            Effect::Spool { item, span, record } => {
                self.model.given(no, &item);
                if let Some(page) = self.pages.get_mut(&no) {
                    page.unspooled.insert(item.seq);
                }
                self.ask_spool(no, Request::Put { item, span, record });
            }
            Effect::Forget { seqs, record } => {
                self.ask_spool(no, Request::Forget { seqs, record });
            }
            Effect::Note { .. } if self.breakage == Some(Breakage::ForgetNotes) => {}
            Effect::Note { next_seq } => self.spool.noted = Some(next_seq),
            Effect::Load(seqs) => self.ask_spool(no, Request::Load(seqs)),
            Effect::Erase => self.ask_spool(no, Request::Erase),
            Effect::Connect => self.connect(no),
            Effect::Send(message) => self.send_message(no, &message),
            Effect::Disconnect => self.disconnect(no),
        }
    }

    fn send_message(&mut self, no: PageNo, message: &ClientMessage) {
        if let ClientMessage::Items(items) = message {
            for item in items {
                self.model.left_page(item);
                if self.breakage == Some(Breakage::DeleteOnSend) {
                    self.delete_from_spool(item.seq);
                }
            }
        }
        if let Some(link) = self.pages.get(&no).and_then(|page| page.link) {
            self.send_to_server(link, message);
        }
    }
}

//! A page: its recorder, what the browser has open for that, and how it carries out what the recorder
//! asks for. It may be asleep.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::item::StartCause;
use protocol::sender::{self, FinishStatus, LinkStatus, Sender};
use protocol::{ClientMessage, Millis, SegmentNo, Seq, UnixMillis};
use recorder::{Effect, MicrophoneState, Moment, Recorder, RequestNo, Source};

use super::World;
use super::devices::Run;
use super::event::Event;
use super::link::LinkNo;
use super::spool::Request;
use crate::breakage::Breakage;
use crate::drive::Drive;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageNo(pub(super) u64);

pub(super) struct Page {
    pub(super) recorder: Recorder,
    opened_at: Millis,
    /// How long its clock has stood still since.
    pub(super) stood_still: Millis,
    pub(super) asleep_until: Option<Millis>,
    pub(super) link: Option<LinkNo>,
    /// The microphones that are open, and whether they are live.
    pub(super) microphones: BTreeMap<RequestNo, bool>,
    pub(super) run: Option<Run>,
    /// Chunks that have their numbers and whose bytes are being read.
    pub(super) pieces: BTreeMap<Seq, Bytes>,
    /// Captured here, and not known to be in the spool.
    pub(super) unspooled: BTreeSet<Seq>,
    timer: Option<Millis>,
    /// When another tab has asked for the session, by this page's clock.
    pub(super) hands_over: Option<Millis>,
    /// Since when a microphone is there, the candidate speaks, and nothing is recorded.
    pub(super) deaf_since: Option<Millis>,
}

impl Page {
    pub(super) fn moment(&self, now: Millis, wall: UnixMillis) -> Moment {
        Moment { now: now.since(self.opened_at + self.stood_still), wall }
    }

    pub(super) fn sender(&self) -> Option<&Sender> {
        self.recorder.sender()
    }

    pub(super) fn link_status(&self) -> Option<LinkStatus> {
        self.sender().map(Sender::link_status)
    }

    /// As long as there is no session, nothing was asked for.
    pub(super) fn finish_status(&self) -> FinishStatus {
        self.sender().map_or(FinishStatus::NotAsked, Sender::finish_status)
    }

    fn look(&mut self, at: Moment) {
        for (request, is_live) in &self.microphones {
            let state = MicrophoneState { is_live: *is_live, ..MicrophoneState::default() };
            self.recorder.microphone_is(at, *request, state);
        }
    }
}

impl<D: Drive> World<D> {
    pub(super) fn open_page(&mut self) {
        self.page_count += 1;
        self.move_stash();
        let no = PageNo(self.page_count);
        let page = Page {
            recorder: Recorder::default(),
            opened_at: self.now,
            stood_still: Millis::ZERO,
            asleep_until: None,
            link: None,
            microphones: BTreeMap::new(),
            run: None,
            pieces: BTreeMap::new(),
            unspooled: BTreeSet::new(),
            timer: None,
            hands_over: None,
            deaf_since: None,
        };
        self.pages.insert(no, page);
        let earlier = self.restored();
        let goes_on = self.speaking && !self.discards;
        self.with_page(no, |page, at| match earlier {
            Some(sender) if goes_on && sender.finish_status() == FinishStatus::NotAsked => {
                let cause = StartCause::PageReturned;
                page.recorder.take_up(at, sender, Source::Microphone, cause);
            }
            Some(sender) => page.recorder.take_up_to_finish(at, sender),
            None => page.recorder.start(),
        });
        self.schedule(Millis::ZERO, Event::Candidate { page: no });
    }

    /// What an earlier page left in the spool.
    fn restored(&self) -> Option<Sender> {
        let mut record = self.spool.record.clone()?;
        if let Some((next_seq, next_segment)) = self.spool.noted {
            record.note(next_seq, next_segment);
        }
        if self.breakage == Some(Breakage::Renumber) {
            record.next_seq = Seq::new(record.next_seq.get().saturating_sub(3));
        }
        if self.breakage == Some(Breakage::RepeatSegment) {
            record.next_segment = SegmentNo::new(record.next_segment.get().saturating_sub(1));
        }
        let items = self.spool.items.values();
        let items = items.map(|(item, span)| (item.seq, item.payload_bytes(), *span));
        Some(Sender::restore(Millis::ZERO, record, items))
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

    pub(super) fn page_timer(&mut self, no: PageNo) {
        self.with_page(no, |page, _| page.timer = None);
    }

    pub(super) fn with_sender(&mut self, no: PageNo, handle: impl FnOnce(&mut Sender, Millis)) {
        self.with_page(no, |page, at| {
            if let Some(sender) = page.recorder.sender_mut() {
                handle(sender, at.now);
            }
        });
    }

    /// Lets the page handle something, then carries out what its recorder asks for.
    pub(super) fn with_page(&mut self, no: PageNo, handle: impl FnOnce(&mut Page, Moment)) {
        let wall = self.browser_wall();
        let Some(page) = self.pages.get_mut(&no) else { return };
        let at = page.moment(self.now, wall);
        page.look(at);
        handle(page, at);
        self.carry_out_all(no, at);
        if let Some(page) = self.pages.get_mut(&no) {
            page.recorder.handle_timeout(at);
        }
        self.carry_out_all(no, at);
        self.arm(no);
    }

    fn arm(&mut self, no: PageNo) {
        let Some(page) = self.pages.get_mut(&no) else { return };
        let Some(due) = page.recorder.poll_timeout() else { return };
        let at = (page.opened_at + page.stood_still + due).max(self.now + Millis::new(1));
        if page.timer.is_none_or(|armed| at < armed) {
            page.timer = Some(at);
            self.schedule_at(at, Event::PageTimer { page: no });
        }
    }

    fn carry_out_all(&mut self, no: PageNo, at: Moment) {
        while let Some(effect) =
            self.pages.get_mut(&no).and_then(|page| page.recorder.poll_effect())
        {
            self.carry_out(no, at, effect);
        }
    }

    fn carry_out(&mut self, no: PageNo, at: Moment, effect: Effect) {
        match effect {
            Effect::Sender(effect) => self.carry_out_of_sender(no, at, effect),
            Effect::OpenMicrophone { request, .. } => self.ask_for_microphone(no, request),
            Effect::Close(request) => self.close_microphone(no, request),
            Effect::StartRun { run, microphone, is_first, .. } => {
                self.start_run(no, at, run, microphone, is_first);
            }
            Effect::Pause(run) => self.pause_run(no, at, run),
            Effect::Resume(run) => self.resume_run(no, at, run),
            Effect::Stop(run) => self.stop_run(no, run),
            Effect::Flush(run) => self.flush_run(no, run),
            Effect::Drop(run) => self.drop_run(no, run),
            Effect::Listen(_) => {
                if let Some(page) = self.pages.get_mut(&no) {
                    page.recorder.heard(at, Some(1.0));
                }
            }
            Effect::Read { seq, is_urgent } => self.start_reading(no, at, seq, is_urgent),
            Effect::SendTail { seq, header } => self.send_tail(no, seq, &header),
            Effect::Stash { record, items } => self.stash(record, items),
            Effect::Part(messages) => self.post_at_hand(messages),
            Effect::LetGo => self.let_go(no, at),
            // Nothing is recorded beside the microphone here, and nobody looks at the page.
            Effect::OpenCompanion { .. }
            | Effect::StartCompanion { .. }
            | Effect::Use(_)
            | Effect::Preview(_)
            | Effect::ForgetStash(_)
            | Effect::Begin(_)
            | Effect::NoteSource(..)
            | Effect::Unlock => {}
        }
    }

    fn carry_out_of_sender(&mut self, no: PageNo, at: Moment, effect: sender::Effect) {
        use sender::Effect;
        match effect {
            Effect::Remember(record) => self.ask_spool(no, Request::Remember(record)),
            Effect::Spool { item, span, record } => {
                self.model.given(no, &item);
                let seq = item.seq;
                if let Some(page) = self.pages.get_mut(&no) {
                    page.unspooled.insert(seq);
                    if self.breakage == Some(Breakage::SpooledTooSoon)
                        && let Some(sender) = page.recorder.sender_mut()
                    {
                        sender.handle_spooled(at.now, seq);
                    }
                }
                self.ask_spool(no, Request::Put { item, span, record });
            }
            Effect::Forget { seqs, record } => {
                self.ask_spool(no, Request::Forget { seqs, record });
            }
            Effect::Note { .. } if self.breakage == Some(Breakage::ForgetNotes) => {}
            Effect::Note { next_seq, next_segment } => {
                self.spool.noted = Some((next_seq, next_segment));
            }
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

//! A connection as its server process sees it: drives one receiver, with the ledger behind it.

use std::collections::VecDeque;

use bytes::Bytes;
use ledger::{By, Command, Refused};
use protocol::event::{LossCause, Transport};
use protocol::item::ItemError;
use protocol::limits::{SESSION_DURATION_MAX, SILENCE_MAX, TRACKS_PER_SESSION_MAX};
use protocol::message::{Finish, Hello, Opening, Progress, Refusal, Welcome};
use protocol::receiver::{DiscardStep, Effect, FinishStep, Receiver, Verdict};
use protocol::tail::TailHeader;
use protocol::{ClientMessage, Content, Epoch, Item, Millis, SeqSet, ServerMessage};

use super::disk::DiskFull;
use super::event::Event;
use super::link::LinkNo;
use super::server::ProcessNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::drive::Drive;
use crate::faults::FaultKind;

pub(super) struct Peer {
    pub(super) receiver: Receiver,
    /// Frames that are not read yet.
    unread: VecDeque<Vec<u8>>,
    pub(super) epoch: Option<Epoch>,
    is_opening: bool,
    pub(super) is_gone: bool,
    /// Batches that the ledger owes an answer to, and when the last of them comes.
    storing: usize,
    stored_at: Millis,
    pub(super) is_finishing: bool,
    pub(super) heartbeat_at: Millis,
    timer: Option<Millis>,
}

impl<D: Drive> World<D> {
    fn peer(&mut self, link: LinkNo) -> Option<&mut Peer> {
        let process = self.links.process_of(link)?;
        self.servers.running.get_mut(&process)?.peers.get_mut(&link)
    }

    pub(super) fn accept(&mut self, link: LinkNo) -> bool {
        let peer = Peer {
            receiver: Receiver::new(self.now, SILENCE_MAX),
            unread: VecDeque::new(),
            epoch: None,
            is_opening: false,
            is_gone: false,
            storing: 0,
            stored_at: Millis::ZERO,
            is_finishing: false,
            heartbeat_at: Millis::ZERO,
            timer: None,
        };
        let process = self.links.process_of(link);
        let Some(process) = process.and_then(|no| self.servers.running.get_mut(&no)) else {
            return false;
        };
        process.peers.insert(link, peer);
        self.serve(link);
        true
    }

    pub(super) fn arrive_at_server(&mut self, link: LinkNo, mut frame: Vec<u8>) {
        if self.breakage == Some(Breakage::LimitsBeforeDigest) {
            frame = self.refuse_beyond_limits(link, frame);
        }
        if let Some(peer) = self.peer(link) {
            peer.unread.push_back(frame);
            self.serve(link);
        }
    }

    /// Refuses what breaks a limit without asking whether it is damaged.
    fn refuse_beyond_limits(&mut self, link: LinkNo, frame: Vec<u8>) -> Vec<u8> {
        let Ok(ClientMessage::Items(items)) = ClientMessage::decode(&frame) else { return frame };
        let limit = |item: &Item| match &item.content {
            _ if item.at > SESSION_DURATION_MAX => Some(ItemError::TooLate),
            Content::Chunk { track, .. } if track.get() >= TRACKS_PER_SESSION_MAX => {
                Some(ItemError::TrackOutOfRange)
            }
            Content::Chunk { .. } | Content::Marker(_) => None,
        };
        let refused: Vec<_> =
            items.iter().filter_map(|item| Some((item.seq, limit(item)?))).collect();
        if refused.is_empty() {
            return frame;
        }
        self.send_to_page(link, &ServerMessage::Refused(refused));
        ClientMessage::Items(items.into_iter().filter(|item| limit(item).is_none()).collect())
            .encode()
    }

    /// Reads what the receiver wants to read, and carries out what it asks.
    pub(super) fn serve(&mut self, link: LinkNo) {
        loop {
            while let Some(effect) = self.peer(link).and_then(|peer| peer.receiver.poll_effect()) {
                self.serve_effect(link, effect);
            }
            let now = self.now;
            let Some(peer) = self.peer(link) else { return };
            if peer.is_opening || !peer.receiver.wants_input() {
                break;
            }
            let Some(frame) = peer.unread.pop_front() else { break };
            peer.receiver.handle_frame(now, &frame);
        }
        let now = self.now;
        let Some(peer) = self.peer(link) else { return };
        if let Some(due) = peer.receiver.poll_timeout() {
            let at = due.max(now + Millis::new(1));
            if peer.timer.is_none_or(|armed| at < armed) {
                peer.timer = Some(at);
                self.schedule_at(at, Event::ServerTimer { link });
            }
        }
    }

    fn serve_effect(&mut self, link: LinkNo, effect: Effect) {
        match effect {
            Effect::Open(hello) => {
                if let Some(peer) = self.peer(link) {
                    peer.is_opening = true;
                }
                let takes = self.server_takes(1, 30);
                self.schedule(takes, Event::Opened { link, hello });
            }
            Effect::Store(items) => self.store(link, items),
            Effect::Heartbeat(_) => self.heartbeat(link),
            Effect::Discard => {
                let takes = self.server_takes(1, 80);
                self.schedule(takes, Event::Discard { link });
            }
            Effect::Finish(finish) => {
                let peer = self.peer(link).filter(|peer| !peer.is_finishing);
                if let Some(peer) = peer {
                    peer.is_finishing = true;
                    let takes = self.server_takes(1, 80);
                    self.schedule(takes, Event::Finish { link, finish });
                }
            }
            Effect::Send(message) => {
                self.model.said(&self.disk.known, &message);
                self.send_to_page(link, &message);
            }
            Effect::Close => {
                self.close_from_server(link);
                self.peer_gone(link);
            }
        }
    }

    fn heartbeat(&mut self, link: LinkNo) {
        let (now, wall) = (self.now, self.server_wall());
        // A full disk takes no note of it.
        if self.disk.is_full {
            return;
        }
        let Some(peer) = self.peer(link) else { return };
        peer.heartbeat_at = now;
        if let Some(epoch) = peer.epoch {
            self.disk.heartbeat(epoch, wall, now);
        }
    }

    fn server_takes(&mut self, from: u64, to: u64) -> Millis {
        let takes = self.dice.millis(self.now, Purpose::Server, from, to);
        match self.faults.strikes(self.now, FaultKind::SlowServer, 60) {
            Some(mut roll) => roll.millis(1_000, 15_000),
            None => takes,
        }
    }

    pub(super) fn opened(&mut self, link: LinkNo, hello: &Hello) {
        if self.peer(link).is_none() {
            return;
        }
        let wall = self.server_wall();
        let mut hello = hello.clone();
        if self.breakage == Some(Breakage::FollowLateHello) && self.disk.known.session.is_some() {
            hello.opening = Opening::Existing;
        }
        let opened = match self.disk.open(&hello, Transport::WebSocket, wall, self.now) {
            Ok(opened) => opened.map_err(|refused| refused.goodbye()),
            Err(DiskFull) => Err(Refusal::DiskFull),
        };
        let welcome = opened.map(|opened| Welcome {
            epoch: opened.after.epoch,
            have: self.have_as_told(opened.after.have),
            progress: Progress::default(),
            status: opened.after.status,
        });
        let epoch = welcome.as_ref().ok().map(|welcome| welcome.epoch);
        if let Some(epoch) = epoch {
            self.fence_off(link, epoch);
        }
        let Some(peer) = self.peer(link) else { return };
        peer.is_opening = false;
        peer.epoch = epoch;
        peer.receiver.handle_opened(welcome);
        let is_gone = peer.is_gone;
        self.serve(link);
        if is_gone {
            self.peer_gone(link);
        }
    }

    fn have_as_told(&self, have: SeqSet) -> SeqSet {
        match have.last() {
            Some(last) if self.breakage == Some(Breakage::AckLost) => SeqSet::up_to(last),
            _ => have,
        }
    }

    /// Ends the session's older writers, as far as this process has them.
    fn fence_off(&mut self, newest: LinkNo, epoch: Epoch) {
        let process = self.links.process_of(newest);
        let Some(process) = process.and_then(|no| self.servers.running.get(&no)) else { return };
        let older = |peer: &Peer| peer.epoch.is_some_and(|older| older < epoch) && !peer.is_gone;
        let older: Vec<LinkNo> =
            process.peers.iter().filter(|(_, peer)| older(peer)).map(|(link, _)| *link).collect();
        for link in older {
            self.refuse(link, Refusal::Fenced);
        }
    }

    fn refuse(&mut self, link: LinkNo, refusal: Refusal) {
        if let Some(peer) = self.peer(link) {
            peer.receiver.refuse(refusal);
        }
        self.serve(link);
    }

    /// Batches of one connection are answered in order.
    fn store(&mut self, link: LinkNo, items: Vec<Item>) {
        let (writes, commits) = (self.server_takes(1, 20), self.server_takes(1, 60));
        let now = self.now;
        let Some(peer) = self.peer(link) else { return };
        let written_at = peer.stored_at.max(now) + writes;
        peer.stored_at = written_at + commits;
        peer.storing += 1;
        let stored_at = peer.stored_at;
        if self.breakage == Some(Breakage::AckBeforeCommit)
            && let Some(peer) = self.peer(link)
        {
            let verdicts: Vec<_> = items.iter().map(|item| (item.seq, Verdict::Stored)).collect();
            peer.receiver.handle_stored(verdicts);
        }
        self.schedule_at(written_at, Event::Written { link, items: items.clone() });
        self.schedule_at(stored_at, Event::Committed { link, items });
    }

    /// Bytes on the disk that no commit speaks of yet: a crash here stores nothing.
    pub(super) fn written(&mut self, link: LinkNo, _items: Vec<Item>) {
        self.crash_here(link, 150);
    }

    fn crash_here(&mut self, link: LinkNo, once_in: u64) -> bool {
        let Some(process) = self.links.process_of(link) else { return false };
        if !self.servers.running.contains_key(&process) {
            return true;
        }
        let Some(mut roll) = self.faults.strikes(self.now, FaultKind::ServerCrash, once_in) else {
            return false;
        };
        let was_entry = self.servers.entry == Some(process);
        self.kill_process(process);
        if was_entry {
            self.schedule(roll.millis(100, 6_000), Event::ProcessStarts);
        }
        true
    }

    pub(super) fn committed(&mut self, link: LinkNo, items: &[Item]) {
        let Some(epoch) = self.peer(link).and_then(|peer| peer.epoch) else { return };
        let wall = self.server_wall();
        let appended = self.disk.append(epoch, Transport::WebSocket, items, wall);
        if let Ok(Ok(verdicts)) = &appended {
            self.model.stored(&self.disk.known, Some(epoch), items, verdicts);
        }
        // Killed between the commit and the ack.
        if self.crash_here(link, 150) {
            return;
        }
        let answers_late = self.breakage == Some(Breakage::AckBeforeCommit);
        let Some(peer) = self.peer(link) else { return };
        peer.storing -= 1;
        match appended {
            Ok(Ok(_)) if answers_late => {}
            Ok(Ok(verdicts)) => peer.receiver.handle_stored(verdicts),
            Ok(Err(refused)) => peer.receiver.refuse(refused.goodbye()),
            Err(DiskFull) => {
                if self.breakage == Some(Breakage::DropOnDiskFull) {
                    items.iter().for_each(|item| self.delete_from_spool(item.seq));
                }
                self.refuse(link, Refusal::DiskFull);
            }
        }
        self.serve(link);
        // Killed right after the ack.
        if self.crash_here(link, 300) {
            return;
        }
        self.note_lost(link);
    }

    pub(super) fn tail_arrives(&mut self, body: Vec<u8>) {
        if self.servers.entry.is_none() {
            return;
        }
        let Ok((header, chunk)) = TailHeader::decode(Bytes::from(body)) else {
            self.model.broken("a tail cannot be read".into());
            return;
        };
        if self.disk.known.session.is_none() || header.token != self.token {
            return;
        }
        let items = header.seal(chunk);
        let wall = self.server_wall();
        if let Ok(Ok(verdicts)) = self.disk.append_tail(header.token.hash(), &items, wall) {
            self.model.stored(&self.disk.known, None, &items, &verdicts);
        }
    }

    pub(super) fn finish_asked(&mut self, link: LinkNo, finish: &Finish) {
        if self.peer(link).is_none_or(|peer| peer.is_gone) {
            return;
        }
        let Some(epoch) = self.peer(link).and_then(|peer| peer.epoch) else { return };
        let (wall, now) = (self.server_wall(), self.now);
        match self.disk.finish(epoch, finish, wall, now) {
            Ok(Ok(_)) => {
                self.answer_finish(link, FinishStep::Finalizing);
                if let Some(process) = self.links.process_of(link) {
                    self.look_for_work(process);
                    self.tell_waiting(process);
                }
            }
            Ok(Err(Refused::Missing(missing))) => {
                self.answer_finish_last(link, FinishStep::Missing(missing));
            }
            Ok(Err(refused)) => self.refuse(link, refused.goodbye()),
            Err(DiskFull) => self.refuse(link, Refusal::DiskFull),
        }
    }

    pub(super) fn answer_finish(&mut self, link: LinkNo, step: FinishStep) {
        if let Some(peer) = self.peer(link) {
            peer.receiver.handle_finish(step);
        }
        self.serve(link);
    }

    pub(super) fn answer_finish_last(&mut self, link: LinkNo, step: FinishStep) {
        if let Some(peer) = self.peer(link) {
            peer.is_finishing = false;
        }
        self.answer_finish(link, step);
    }

    /// Who waits for the recording in this process.
    pub(super) fn waiting_for_recording(&self, process: ProcessNo) -> Vec<LinkNo> {
        let peers = self.servers.running.get(&process).map(|process| &process.peers);
        let peers = peers.into_iter().flatten();
        peers.filter(|(_, peer)| peer.is_finishing).map(|(link, _)| *link).collect()
    }

    pub(super) fn discard_asked(&mut self, link: LinkNo) {
        if self.peer(link).is_none_or(|peer| peer.is_gone) {
            return;
        }
        let Some(epoch) = self.peer(link).and_then(|peer| peer.epoch) else { return };
        let discard = Command::Discard { by: By::Writer(epoch) };
        match self.disk.apply(&discard, self.server_wall(), self.now) {
            Ok(Ok(_)) => self.answer_discard(link, DiscardStep::Discarded),
            Ok(Err(refused)) => match self.receipt() {
                Some(receipt) => self.answer_discard(link, DiscardStep::Completed(receipt)),
                None => self.refuse(link, refused.goodbye()),
            },
            Err(DiskFull) => self.refuse(link, Refusal::DiskFull),
        }
    }

    fn answer_discard(&mut self, link: LinkNo, step: DiscardStep) {
        if let Some(peer) = self.peer(link) {
            peer.receiver.handle_discard(step);
        }
        self.serve(link);
    }

    pub(super) fn server_timer(&mut self, link: LinkNo) {
        let now = self.now;
        if let Some(peer) = self.peer(link) {
            peer.timer = None;
            peer.receiver.handle_timeout(now);
            self.serve(link);
        }
    }

    pub(super) fn server_sees_end(&mut self, link: LinkNo) {
        let is_opening = self.peer(link).is_some_and(|peer| peer.is_opening);
        if let Some(peer) = self.peer(link) {
            if is_opening {
                peer.is_gone = true;
            } else {
                peer.receiver.handle_closed();
                self.serve(link);
                self.peer_gone(link);
            }
        }
    }

    /// What it sent is committed all the same; nobody hears the ack.
    fn peer_gone(&mut self, link: LinkNo) {
        if let Some(peer) = self.peer(link) {
            peer.is_gone = true;
            peer.unread.clear();
        }
        self.note_lost(link);
    }

    fn note_lost(&mut self, link: LinkNo) {
        let (wall, now) = (self.server_wall(), self.now);
        let Some(peer) = self.peer(link) else { return };
        if peer.is_gone && peer.storing == 0 && !peer.is_opening {
            if let Some(epoch) = peer.epoch {
                let lost = Command::LoseConnection { epoch, cause: LossCause::Broken };
                // A full disk takes no note of it: silence will tell.
                drop(self.disk.apply(&lost, wall, now));
            }
            let process = self.links.process_of(link);
            if let Some(process) = process.and_then(|no| self.servers.running.get_mut(&no)) {
                process.peers.remove(&link);
            }
        }
    }
}

//! What is said to the server, and what follows from its answers.

use super::finishing::Finishing;
use super::link::Phase;
use super::{Effect, Sender};
use crate::limits::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_ITEMS_MAX, ITEMS_PER_MESSAGE_MAX};
use crate::message::{ClientMessage, Hello, Opening, Progress, ServerMessage, Welcome};
use crate::{Epoch, Millis, Refusal, Seq, SeqSet, SessionStatus, Version};

impl Sender {
    pub fn handle_connected(&mut self, now: Millis) {
        if self.link.connected(now) {
            let hello = self.hello(self.record.opening);
            self.effects.push_back(Effect::Send(ClientMessage::Hello(hello)));
        }
    }

    pub fn handle_disconnected(&mut self, now: Millis) {
        self.lose_link(now);
    }

    /// The browser reports that the network is back.
    pub fn handle_network_online(&mut self, now: Millis) {
        self.link.network_is_back(now);
        self.handle_timeout(now);
    }

    pub fn handle_message(&mut self, now: Millis, message: ServerMessage) {
        self.link.heard(now);
        match message {
            ServerMessage::Welcome(welcome) => self.welcomed(now, welcome),
            ServerMessage::Ack { seqs, duplicates: _ } => self.acked(&seqs),
            ServerMessage::Refused(items) => {
                for (seq, error) in items {
                    self.backlog.refused(seq, error);
                }
            }
            ServerMessage::HeartbeatAck => {}
            ServerMessage::Missing(missing) => self.missing(&missing),
            ServerMessage::Finalizing => {
                self.server_status = Some(SessionStatus::Finalizing);
                if let Finishing::Sent { since } = &mut self.finishing {
                    *since = now;
                }
            }
            ServerMessage::Completed(receipt) => self.completed(receipt),
            ServerMessage::Failed(reason) => {
                self.server_status = Some(SessionStatus::Failed);
                self.finishing = Finishing::Failed(reason);
            }
            ServerMessage::Discarded => self.discarded(),
            ServerMessage::Goodbye(refusal) => self.refused(now, refusal),
        }
        self.pump(now);
    }

    /// What a page that is gone in a moment can still send, outside the connection: as many of the
    /// un-acked items as it has at hand. Empty when there is nothing to send, or no server that
    /// knows the session.
    pub fn parting(&self, bytes_max: usize) -> Vec<ClientMessage> {
        let Phase::Online { epoch, .. } = &self.link.phase else {
            return Vec::new();
        };
        let items = self.backlog.at_hand(bytes_max);
        if items.is_empty() || self.record.discard_asked {
            return Vec::new();
        }
        let hello = self.hello(Opening::Joining { epoch: *epoch });
        vec![ClientMessage::Hello(hello), ClientMessage::Items(items)]
    }

    fn hello(&self, opening: Opening) -> Hello {
        self.record.hello(self.version, opening, self.link.failed_tries())
    }

    fn welcomed(&mut self, now: Millis, welcome: Welcome) {
        if !matches!(self.link.phase, Phase::Greeting { .. }) {
            return;
        }
        let epoch = welcome.epoch;
        self.link.welcomed(now, epoch);
        self.server_status = Some(welcome.status);
        if let Some(last) = welcome.have.last() {
            self.record.next_seq = self.record.next_seq.max(last.next());
        }
        let Progress { next_segment, timeline_end } = welcome.progress;
        self.record.next_segment = self.record.next_segment.max(next_segment);
        self.record.timeline_end = self.record.timeline_end.max(timeline_end);
        // Less, if there were gaps; but a page that knows nothing can know no better.
        if self.record.recorded == Millis::ZERO {
            self.record.recorded = timeline_end;
        }
        self.record.opening = Opening::Following { epoch };
        self.effects.push_back(Effect::Remember(self.record.clone()));
        self.acked(&welcome.have);
    }

    fn refused(&mut self, now: Millis, refusal: Refusal) {
        let is_gone = matches!(refusal, Refusal::Discarded | Refusal::UnknownSession);
        if is_gone && matches!(self.finishing, Finishing::Discarding { .. }) {
            self.discarded();
            return;
        }
        self.link.turned_away();
        self.effects.push_back(Effect::Disconnect);
        self.lose_link(now);
        if let Some(version) = self.version_for(&refusal) {
            self.version = version;
            self.link.network_is_back(now);
        } else if let Refusal::Outdated { current } = refusal {
            self.outdated(now, current);
        } else if refusal.is_temporary() {
            self.turned_away = Some(refusal);
        } else {
            self.link.stopped(refusal);
        }
    }

    /// What to speak with a server of the release before: one may be there for a moment while servers
    /// are replaced, or for longer when that was taken back.
    fn version_for(&self, refusal: &Refusal) -> Option<Version> {
        let Refusal::UnsupportedVersion { server, .. } = refusal else { return None };
        Version::try_from(*server).ok().filter(|older| *older < self.version)
    }

    /// A newer connection was welcomed: one of this session's own that was given up, or that of a
    /// page before; or another page has taken over.
    fn outdated(&mut self, now: Millis, current: Epoch) {
        if self.link.is_fenced_by(current) {
            self.link.stopped(Refusal::Fenced);
        } else {
            self.record.opening = Opening::Following { epoch: current };
            self.link.network_is_back(now);
        }
    }

    fn acked(&mut self, seqs: &SeqSet) {
        self.turned_away = None;
        let spooled = self.backlog.acked(seqs);
        self.forget(spooled);
    }

    pub(super) fn forget(&mut self, seqs: Vec<Seq>) {
        if !seqs.is_empty() {
            let record = self.record.clone();
            self.effects.push_back(Effect::Forget { seqs, record });
        }
    }

    pub(super) fn lose_link(&mut self, now: Millis) {
        self.link.lost(now);
        self.backlog.link_lost();
        self.finish_again();
    }

    /// The oldest thing that the server still owes an answer to.
    pub(super) fn oldest_question(&self) -> Option<Millis> {
        [self.backlog.oldest_in_flight(), self.asked_at()].into_iter().flatten().min()
    }

    /// Sends what the window allows, then `Finish` once nothing is left to send.
    pub(super) fn pump(&mut self, now: Millis) {
        if matches!(self.link.phase, Phase::Down { retry_at } if now >= retry_at) {
            self.link.connecting(now);
            self.effects.push_back(Effect::Connect);
        }
        if !self.link.is_online() {
            return;
        }
        if let Finishing::Discarding { sent_at } = &mut self.finishing {
            if sent_at.is_none() {
                *sent_at = Some(now);
                self.effects.push_back(Effect::Send(ClientMessage::Discard));
            }
            return;
        }
        self.send_items(now);
        self.finish_if_settled(now);
    }

    fn send_items(&mut self, now: Millis) {
        let mut to_load = Vec::new();
        loop {
            let bytes_free = IN_FLIGHT_BYTES_MAX.saturating_sub(self.backlog.in_flight_bytes());
            let items_free = IN_FLIGHT_ITEMS_MAX.saturating_sub(self.backlog.in_flight_items());
            let items_max = items_free.min(ITEMS_PER_MESSAGE_MAX);
            let batch = self.backlog.next_batch(now, bytes_free, items_max);
            if batch.items.is_empty() && batch.to_load.is_empty() {
                break;
            }
            if batch.any_unspooled {
                self.note();
                self.remember_unspooled();
            }
            if !batch.items.is_empty() {
                self.effects.push_back(Effect::Send(ClientMessage::Items(batch.items)));
            }
            to_load.extend(batch.to_load);
        }
        if !to_load.is_empty() {
            self.effects.push_back(Effect::Load(to_load));
        }
    }

    /// Keeps later pages from using the numbers of what leaves without being in the spool.
    fn note(&mut self) {
        let next_seq = self.record.next_seq;
        if self.noted < next_seq {
            self.noted = next_seq;
            self.effects.push_back(self.record.to_note());
        }
    }

    /// For a page that finds no note.
    fn remember_unspooled(&mut self) {
        if !self.record.unspooled_sent {
            self.record.unspooled_sent = true;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
    }
}

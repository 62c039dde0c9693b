//! The server of the simulated world: receivers, and a ledger that survives its crashes.

use super::*;

impl World {
    pub(super) fn arrive_at_server(&mut self, link: u64, frame: &[u8]) {
        // What was on its way when a link was cut may still arrive.
        let lost = self.link != Some(link) && self.dice.once_in(2);
        if lost || !self.server_up {
            return;
        }
        let now = self.now;
        if let Some(receiver) = self.receivers.get_mut(&link) {
            receiver.handle_frame(now, frame);
        }
        self.serve(link);
    }

    pub(super) fn serve(&mut self, link: u64) {
        while let Some(effect) = self.receivers.get_mut(&link).and_then(Receiver::poll_effect) {
            match effect {
                receiver::Effect::Open(hello) => {
                    let opened = self.open_session(&hello);
                    if let Some(receiver) = self.receivers.get_mut(&link) {
                        receiver.handle_opened(opened);
                    }
                }
                receiver::Effect::Store(items) => {
                    if self.ack_before_commit
                        && let Some(receiver) = self.receivers.get_mut(&link)
                    {
                        let seqs: Vec<_> = items.iter().map(|item| item.seq).collect();
                        receiver.handle_stored(seqs.into_iter().map(|seq| (seq, Verdict::Stored)));
                    }
                    let delay = Millis::new(self.dice.between(1, 80));
                    self.schedule(delay, Event::Committed { link, items });
                }
                receiver::Effect::Heartbeat(_) | receiver::Effect::Discard => {}
                receiver::Effect::Finish(finish) => {
                    let delay = Millis::new(self.dice.between(1, 200));
                    self.schedule(delay, Event::Finished { link, finish });
                }
                receiver::Effect::Send(message) => self.send_to_page(link, &message),
                receiver::Effect::Close => {
                    self.receivers.remove(&link);
                }
            }
        }
        if let Some(at) = self.receivers.get(&link).and_then(Receiver::poll_timeout) {
            let at = at.max(self.now + Millis::new(1));
            if self.server_timer.replace((link, at)) != Some((link, at)) {
                self.schedule_at(at, Event::ServerTimer { link });
            }
        }
    }

    pub(super) fn open_session(
        &mut self,
        hello: &protocol::message::Hello,
    ) -> Result<Welcome, Refusal> {
        match hello.opening {
            Opening::New { .. } => self.ledger.known = true,
            Opening::Existing if !self.ledger.known => return Err(Refusal::UnknownSession),
            Opening::Existing | Opening::Joining { .. } => {}
        }
        self.ledger.epoch += 1;
        let status = self.ledger.status.unwrap_or(SessionStatus::Active);
        Ok(Welcome {
            epoch: Epoch::new(self.ledger.epoch),
            have: self.ledger.items.keys().copied().collect(),
            status,
            limits: Limits::default(),
            server_time: UnixMillis::new(self.now.get()),
        })
    }

    pub(super) fn committed(&mut self, link: u64, items: &[Item]) {
        // Killed before the commit: as if it had never arrived.
        let Some(receiver) = self.receivers.get_mut(&link) else {
            return;
        };
        let Some((_, epoch)) = receiver.writer() else {
            return;
        };
        if epoch.get() != self.ledger.epoch {
            receiver.refuse(Refusal::Fenced);
            self.serve(link);
            return;
        }
        let mut verdicts = Vec::new();
        for item in items {
            let verdict = match self.ledger.items.get(&item.seq) {
                Some(stored) => Verdict::of_second(&stored.digest, &item.digest),
                None => {
                    if self.captured.get(&item.seq) != Some(&item.digest) {
                        self.broken =
                            Some(format!("{} is stored otherwise than captured", item.seq));
                    }
                    self.ledger.items.insert(item.seq, item.clone());
                    Verdict::Stored
                }
            };
            if let Verdict::Refused(error) = verdict {
                self.broken = Some(format!("{} was refused: {error}", item.seq));
            }
            verdicts.push((item.seq, verdict));
        }
        if self.faults.server_crashes && self.speaking && self.dice.once_in(60) {
            // Killed between the commit and the ack.
            self.crash_server();
            return;
        }
        if !self.ack_before_commit {
            receiver.handle_stored(verdicts);
        }
        self.serve(link);
    }

    pub(super) fn finished(&mut self, link: u64, finish: &Finish) {
        let Some(receiver) = self.receivers.get_mut(&link) else {
            return;
        };
        let have: SeqSet = self.ledger.items.keys().copied().collect();
        let missing = finish
            .last_seq
            .map(|last| have.missing_up_to(last).difference(&finish.lost))
            .unwrap_or_default();
        if missing.is_empty() {
            self.ledger.status = Some(SessionStatus::Completed);
            receiver.handle_finish(FinishStep::Finalizing);
            receiver.handle_finish(FinishStep::Completed(Receipt {
                items: have.len(),
                bytes: 0,
                duration: Millis::ZERO,
                digest: Digest::from_bytes([0; 32]),
                missing: SeqSet::new(),
            }));
        } else {
            receiver.handle_finish(FinishStep::Missing(missing));
        }
        self.serve(link);
    }

    pub(super) fn server_timer(&mut self, link: u64) {
        let now = self.now;
        if let Some(receiver) = self.receivers.get_mut(&link)
            && receiver.poll_timeout().is_some_and(|at| at <= now)
        {
            receiver.handle_timeout(now);
            self.serve(link);
        }
    }

    pub(super) fn send_to_page(&mut self, link: u64, message: &ServerMessage) {
        if let ServerMessage::Ack { seqs, .. } = message {
            for seq in seqs.ranges().flat_map(|range| range.start().get()..=range.end().get()) {
                if !self.ledger.items.contains_key(&Seq::new(seq)) {
                    self.broken = Some(format!("{seq} was acked before it was durable"));
                }
            }
        }
        let at = self.delivery_time();
        self.schedule_at(at, Event::ToPage { link, frame: message.encode() });
    }

    pub(super) fn arrive_at_page(&mut self, link: u64, frame: &[u8]) {
        if self.link != Some(link) {
            return;
        }
        let Ok(message) = ServerMessage::decode(frame) else {
            self.broken = Some("the server sent what cannot be decoded".into());
            return;
        };
        self.with_page(self.page_no, |sender, now| sender.handle_message(now, message));
    }

    pub(super) fn crash_server(&mut self) {
        self.server_up = false;
        self.receivers.clear();
        self.cut_link();
        let away = self.dice.between(100, 6_000);
        self.schedule(Millis::new(away), Event::ServerReturns);
    }
}

//! The page of the simulated world: captures, spools, crashes, and carries out its sender's effects.

use super::*;

impl World {
    pub(super) fn open_page(&mut self) {
        self.page_no += 1;
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [3; 10]);
        let sender = match self.spool.record.clone().map(|one| one.record) {
            None => Sender::new(
                self.now,
                session,
                SessionToken::from_random([5; 32]),
                UnixMillis::new(0),
            ),
            Some(record) => {
                let items = self.spool.items.values();
                let span = Millis::new(TIMESLICE_MS);
                Sender::restore(
                    self.now,
                    record,
                    items.map(|item| (item.seq, item.payload_bytes(), span)),
                )
            }
        };
        let segment = SegmentNo::new(self.segments);
        self.segments += 1;
        self.page = Some(Page { sender, segment, segment_announced: false });
        self.with_page(self.page_no, |_, _| {});
        if !self.speaking {
            self.with_page(self.page_no, |sender, now| sender.finish(now));
        }
    }

    pub(super) fn capture(&mut self) {
        if !self.speaking {
            return;
        }
        self.schedule(Millis::new(TIMESLICE_MS), Event::Capture);
        let Some(page) = &mut self.page else { return };
        let (segment, track) = (page.segment, TrackNo::new(0));
        let announce = !std::mem::replace(&mut page.segment_announced, true);
        // Once in a while the browser hands over far more than an item may hold.
        let bytes = if self.dice.once_in(400) { 1_200_000 } else { self.dice.between(1, 900) };
        let fill = u8::try_from(self.dice.between(0, 256)).unwrap();
        let bytes = Bytes::from(vec![fill; usize::try_from(bytes).unwrap()]);
        self.with_page(self.page_no, |sender, now| {
            if announce {
                let start = SegmentStart {
                    track,
                    segment,
                    kind: TrackKind::Microphone,
                    mime: "audio/webm;codecs=opus".into(),
                    label: String::new(),
                    wall: UnixMillis::new(now.get()),
                    cause: StartCause::Begun,
                };
                let marker = Content::Marker(Marker::SegmentStarted(start));
                sender.capture(now, now, Millis::ZERO, marker);
            }
            let chunk = Content::Chunk { track, segment, bytes };
            sender.capture(now, now, Millis::new(TIMESLICE_MS), chunk);
        });
    }

    pub(super) fn stop_speaking(&mut self) {
        self.speaking = false;
        if self.page.is_some() {
            self.with_page(self.page_no, |sender, now| sender.finish(now));
        }
    }

    pub(super) fn spooled(&mut self, page: u64, item: Item, record: Versioned, well: bool) {
        if page != self.page_no || self.page.is_none() {
            return;
        }
        let seq = item.seq;
        if well {
            self.spool.items.insert(seq, item);
            self.once_spooled.insert(seq);
            self.spool.write_record(record);
        }
        self.with_page(page, |sender, now| {
            if well {
                sender.handle_spooled(now, seq)
            } else {
                sender.handle_spool_failed(now, seq)
            }
        });
    }

    pub(super) fn loaded(&mut self, page: u64, seqs: &[Seq]) {
        for seq in seqs {
            let item = self.spool.items.get(seq).cloned();
            self.with_page(page, |sender, now| match item {
                Some(item) => sender.handle_loaded(now, item),
                None => sender.handle_vanished(now, *seq),
            });
        }
    }

    pub(super) fn crash_page(&mut self) {
        let Some(page) = self.page.take() else { return };
        drop(page);
        self.cut_link();
        for seq in self.captured.keys() {
            if !self.spool.items.contains_key(seq) && !self.ledger.items.contains_key(seq) {
                if self.once_spooled.contains(seq) {
                    self.broken = Some(format!("{seq} was spooled and is nowhere"));
                }
                self.died_with_page.insert(*seq);
            }
        }
        let away = self.dice.between(100, 8_000);
        self.schedule(Millis::new(away), Event::PageReturns);
    }

    /// Lets the page's sender handle something, then carries out what it asks.
    pub(super) fn with_page(&mut self, page_no: u64, handle: impl FnOnce(&mut Sender, Millis)) {
        let Some(page) = self.page.as_mut().filter(|_| page_no == self.page_no) else {
            return;
        };
        handle(&mut page.sender, self.now);
        loop {
            let Some(page) = &mut self.page else { return };
            let Some(effect) = page.sender.poll_effect() else {
                break;
            };
            self.page_effect(effect);
        }
        if let Some(at) = self.page.as_ref().and_then(|page| page.sender.poll_timeout()) {
            let at = at.max(self.now + Millis::new(1));
            if self.page_timer.replace((page_no, at)) != Some((page_no, at)) {
                self.schedule_at(at, Event::PageTimer { page: page_no });
            }
        }
    }

    pub(super) fn page_effect(&mut self, effect: sender::Effect) {
        let page = self.page_no;
        match effect {
            sender::Effect::Remember(record) => self.remember(record),
            sender::Effect::Spool { item, record, .. } => self.spool_item(item, record),
            sender::Effect::Forget { seqs, record } => {
                for seq in seqs {
                    if !self.ledger.items.contains_key(&seq) {
                        self.broken = Some(format!("{seq} was deleted before it was durable"));
                    }
                    self.spool.items.remove(&seq);
                }
                self.remember(record);
            }
            sender::Effect::Load(seqs) => {
                let delay = self.dice.between(1, 50);
                self.schedule(Millis::new(delay), Event::Loaded { page, seqs });
            }
            sender::Effect::Release | sender::Effect::Erase => self.spool = Spool::default(),
            sender::Effect::Connect => {
                self.link_count += 1;
                let delay = Millis::new(self.dice.between(5, 300));
                if self.server_up {
                    let link = self.link_count;
                    self.schedule(delay, Event::Connected { page, link });
                } else {
                    self.schedule(delay, Event::Refused { page });
                }
            }
            sender::Effect::Send(message) => {
                if self.delete_on_send
                    && let ClientMessage::Items(items) = &message
                {
                    for item in items {
                        self.spool.items.remove(&item.seq);
                    }
                }
                self.send_to_server(message.encode());
            }
            sender::Effect::Disconnect => self.cut_link_silently(),
        }
    }

    pub(super) fn spool_item(&mut self, item: Item, record: SessionRecord) {
        let digest = item.digest;
        let record = self.versioned(record);
        if self
            .captured
            .insert(item.seq, digest)
            .is_some_and(|before| before != digest && !self.died_with_page.remove(&item.seq))
        {
            self.broken = Some(format!("{} was given to two items", item.seq));
        }
        let well = !(self.faults.spool_failures && self.dice.once_in(20));
        let slow = self.faults.spool_failures && self.dice.once_in(50);
        let delay = if slow { self.dice.between(4_000, 9_000) } else { self.dice.between(1, 40) };
        let page = self.page_no;
        self.schedule(Millis::new(delay), Event::Spooled { page, item, record, well });
    }

    fn remember(&mut self, record: SessionRecord) {
        let record = self.versioned(record);
        self.spool.write_record(record);
    }

    fn versioned(&mut self, record: SessionRecord) -> Versioned {
        self.event_count += 1;
        Versioned { version: self.event_count, record }
    }
}

impl Spool {
    fn write_record(&mut self, new: Versioned) {
        if self.record.as_ref().is_none_or(|old| old.version < new.version) {
            self.record = Some(new);
        }
    }
}

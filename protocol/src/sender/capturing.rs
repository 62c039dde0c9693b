//! What the page captures, and what its spool says of it: every piece has its number before anything is
//! awaited, and is spooled.

use super::{Effect, Reserved, Sender};
use crate::limits::ITEM_PAYLOAD_BYTES_MAX;
use crate::message::ClientMessage;
use crate::{Content, Item, Millis, SegmentNo, Seq, SeqSet};

impl Sender {
    /// Numbers captured content at once and has it spooled. A chunk above the item limit becomes
    /// several items; an empty one becomes none. `span` is the media time that it covers.
    pub fn capture(&mut self, now: Millis, at: Millis, span: Millis, content: Content) {
        if matches!(&content, Content::Chunk { bytes, .. } if bytes.is_empty()) {
            return;
        }
        let reserved = self.reserve(content.payload_bytes());
        self.fill(now, reserved, at, span, content);
    }

    /// Takes the numbers that a chunk of so many bytes needs, before its bytes are at hand. To be
    /// called in the very moment of its capture.
    pub fn reserve(&mut self, payload_bytes: usize) -> Reserved {
        let first = self.record.next_seq;
        let more = payload_bytes.saturating_sub(1) / ITEM_PAYLOAD_BYTES_MAX;
        let last = Seq::new(first.get().saturating_add(more as u64));
        self.record.next_seq = last.next();
        self.unfilled.insert_range(first..=last);
        Reserved { first, last }
    }

    /// Seals content under the numbers that were reserved for it, and has it spooled.
    pub fn fill(
        &mut self,
        now: Millis,
        reserved: Reserved,
        at: Millis,
        mut span: Millis,
        content: Content,
    ) {
        let Reserved { first, last } = reserved;
        self.unfilled.remove_range(first..=last);
        // As many as there are numbers, which were reserved by the length of the same bytes.
        let parts = content.into_parts();
        for (seq, part) in (first.get()..=last.get()).map(Seq::new).zip(parts) {
            self.capture_one(now, seq, at, span, part);
            span = Millis::ZERO;
        }
        self.pump(now);
    }

    /// The content could not be read: its numbers stay empty, and both sides know.
    pub fn abandon(&mut self, now: Millis, reserved: Reserved) {
        let Reserved { first, last } = reserved;
        self.unfilled.remove_range(first..=last);
        self.lost.insert_range(first..=last);
        self.pump(now);
    }

    fn capture_one(&mut self, now: Millis, seq: Seq, at: Millis, span: Millis, content: Content) {
        let record = &mut self.record;
        if let Some(segment) = content.segment() {
            let next = SegmentNo::new(segment.get().saturating_add(1));
            record.next_segment = record.next_segment.max(next);
        }
        let item = Item::new(seq, at, content);
        record.timeline_end = record.timeline_end.max(at);
        record.recorded = record.recorded + span;
        let (spooled, record) = (item.clone(), record.clone());
        self.effects.push_back(Effect::Spool { item: spooled, span, record });
        self.backlog.captured(now, item, span);
    }

    /// The spool has the item on disk.
    pub fn handle_spooled(&mut self, now: Millis, seq: Seq) {
        if self.backlog.spooled(now, seq) {
            self.forget(vec![seq]);
        }
        // The record now on its way covers every number that was ever used.
        if self.record.unspooled_sent && self.backlog.is_spooled() {
            self.record.unspooled_sent = false;
            self.effects.push_back(Effect::Remember(self.record.clone()));
        }
        self.respool(now);
        self.pump(now);
    }

    /// The spool cannot take the item; it stays in memory, and is tried again from time to time.
    pub fn handle_spool_failed(&mut self, now: Millis, seq: Seq) {
        self.backlog.not_spooled(now, seq);
        self.pump(now);
    }

    /// Has the spool try once more what it could not take before.
    pub(super) fn respool(&mut self, now: Millis) {
        for (item, span) in self.backlog.next_rewrites(now) {
            let record = self.record.clone();
            self.effects.push_back(Effect::Spool { item, span, record });
        }
    }

    /// An item asked for by [`Effect::Load`].
    pub fn handle_loaded(&mut self, now: Millis, item: Item) {
        if let Some(item) = self.backlog.loaded(now, item) {
            self.effects.push_back(Effect::Send(ClientMessage::Items(vec![item])));
        }
        self.pump(now);
    }

    /// An item asked for by [`Effect::Load`] is not in the spool.
    pub fn handle_vanished(&mut self, now: Millis, seq: Seq) {
        if self.backlog.vanished(seq) {
            self.lost.insert(seq);
        }
        self.pump(now);
    }

    /// A piece in the spool that this version cannot read, and its number, if that is known. The server
    /// is not told that it is lost: as long as it misses it, the session does not finish from here.
    pub fn handle_unreadable(&mut self, now: Millis, seq: Option<Seq>) {
        self.unreadable.note(seq);
        match seq {
            Some(seq) => {
                self.lost.remove(seq);
                self.backlog.vanished(seq);
                self.record.next_seq = self.record.next_seq.max(seq.next());
            }
            // Whatever was given up may be it.
            None => self.lost = SeqSet::new(),
        }
        self.pump(now);
    }

    /// What is lost with a page that is gone in a moment, unless it is written down where a write is
    /// done when its call returns: items that the spool is not known to have, and the media time that
    /// each covers.
    pub fn unspooled(&self, bytes_max: usize) -> Vec<(Item, Millis)> {
        if self.record.discard_asked { Vec::new() } else { self.backlog.unspooled(bytes_max) }
    }
}

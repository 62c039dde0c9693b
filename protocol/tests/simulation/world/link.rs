//! The link of the simulated world: delivers in order, damages, and breaks.

use super::*;

impl World {
    pub(super) fn connected(&mut self, page: u64, link: u64) {
        if page != self.page_no || self.page.is_none() {
            return;
        }
        if !self.server_up || link != self.link_count {
            self.with_page(page, |sender, now| sender.handle_disconnected(now));
            return;
        }
        self.link = Some(link);
        self.last_delivery = self.now;
        self.receivers.insert(link, Receiver::new(self.now, SILENCE_MAX));
        self.with_page(page, |sender, now| sender.handle_connected(now));
    }

    pub(super) fn send_to_server(&mut self, mut frame: Vec<u8>) {
        let Some(link) = self.link else { return };
        if self.faults.damaged_frames && self.speaking && self.dice.once_in(80) {
            let at = usize::try_from(self.dice.between(0, frame.len() as u64)).unwrap();
            frame[at] ^= 1 << self.dice.between(0, 8);
        }
        let at = self.delivery_time();
        self.schedule_at(at, Event::ToServer { link, frame });
    }

    pub(super) fn delivery_time(&mut self) -> Millis {
        let at = self.now + Millis::new(self.dice.between(1, 120));
        self.last_delivery = self.last_delivery.max(at);
        self.last_delivery
    }

    /// Both ends notice, the server at some later time.
    pub(super) fn cut_link(&mut self) {
        if self.link.take().is_some() && self.page.is_some() {
            self.with_page(self.page_no, |sender, now| sender.handle_disconnected(now));
        }
    }

    pub(super) fn cut_link_silently(&mut self) {
        self.link = None;
    }
}

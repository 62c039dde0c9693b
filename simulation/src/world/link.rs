//! Connections: frames arrive in order, late, twice, damaged, or not at all.

use std::collections::{BTreeMap, VecDeque};

use protocol::sender::LinkStatus;
use protocol::{ClientMessage, Millis, ServerMessage};

use super::event::Event;
use super::page::{Page, PageNo};
use super::server::ProcessNo;
use super::{Key, Purpose, World};
use crate::dice::Roll;
use crate::drive::Drive;
use crate::faults::FaultKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkNo(pub(super) u64);

#[derive(Default)]
pub(super) struct Links {
    count: u64,
    links: BTreeMap<LinkNo, Link>,
}

struct Link {
    page: PageNo,
    process: ProcessNo,
    to_server: Way,
    to_page: Way,
}

#[derive(Default)]
struct Way {
    /// Frames on one way arrive in order.
    last_at: Millis,
    in_flight: VecDeque<(Key, usize)>,
    is_dead: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToPage,
}

impl Links {
    pub(super) fn process_of(&self, link: LinkNo) -> Option<ProcessNo> {
        self.links.get(&link).map(|link| link.process)
    }

    fn way(&mut self, link: LinkNo, direction: Direction) -> Option<&mut Way> {
        let link = self.links.get_mut(&link)?;
        Some(match direction {
            Direction::ToServer => &mut link.to_server,
            Direction::ToPage => &mut link.to_page,
        })
    }
}

impl<D: Drive> World<D> {
    pub(super) fn connect(&mut self, page: PageNo) {
        self.links.count += 1;
        let link = LinkNo(self.links.count);
        if let Some(page) = self.pages.get_mut(&page) {
            page.link = Some(link);
        }
        let after = self.dice.millis(self.now, Purpose::Network, 2, 200);
        let reached = self.faults.strikes(self.now, FaultKind::NoConnection, 8).is_none();
        match self.servers.entry.filter(|_| reached) {
            Some(process) => {
                let (to_server, to_page) = (Way::default(), Way::default());
                self.links.links.insert(link, Link { page, process, to_server, to_page });
                self.schedule(after, Event::Connected { page, link });
            }
            None => {
                self.schedule(after, Event::NotConnected { page, link });
            }
        }
    }

    fn is_link_of(&self, page: PageNo, link: LinkNo) -> bool {
        self.pages.get(&page).is_some_and(|page| page.link == Some(link))
    }

    pub(super) fn connected(&mut self, page: PageNo, link: LinkNo) {
        if !self.is_link_of(page, link) {
            return;
        }
        if self.accept(link) {
            self.with_sender(page, |sender, now| sender.handle_connected(now));
        } else {
            self.not_connected(page, link);
        }
    }

    pub(super) fn not_connected(&mut self, page: PageNo, link: LinkNo) {
        if self.is_link_of(page, link) {
            self.forget_link(page);
            self.with_sender(page, |sender, now| sender.handle_disconnected(now));
        }
    }

    fn forget_link(&mut self, page: PageNo) {
        if let Some(page) = self.pages.get_mut(&page) {
            page.link = None;
        }
    }

    pub(super) fn send_to_server(&mut self, link: LinkNo, message: &ClientMessage) {
        let mut frame = message.encode();
        let is_hello = matches!(message, ClientMessage::Hello(_));
        if matches!(message, ClientMessage::Items(_))
            && let Some(mut roll) = self.faults.strikes(self.now, FaultKind::DamagedFrame, 60)
        {
            // Half of them where the headers are, which are short beside the bytes.
            let length = if roll.once_in(2) { frame.len().min(24) } else { frame.len() };
            let at = usize::try_from(roll.between(0, length as u64)).unwrap();
            frame[at] ^= 1 << roll.between(0, 8);
        }
        self.send(link, Direction::ToServer, frame, is_hello);
    }

    pub(super) fn send_to_page(&mut self, link: LinkNo, message: &ServerMessage) {
        let is_welcome = matches!(message, ServerMessage::Welcome(_));
        self.send(link, Direction::ToPage, message.encode(), is_welcome);
    }

    fn send(&mut self, link: LinkNo, direction: Direction, frame: Vec<u8>, is_greeting: bool) {
        let mut takes = self.dice.millis(self.now, Purpose::Network, 1, 60);
        let late = if is_greeting { 15 } else { 150 };
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::LateFrame, late) {
            takes = roll.millis(500, 20_000);
        }
        let Some(way) = self.links.way(link, direction).filter(|way| !way.is_dead) else { return };
        let at = way.last_at.max(self.now + takes);
        way.last_at = at;
        let length = frame.len();
        let arrives = |frame| match direction {
            Direction::ToServer => Event::ToServer { link, frame },
            Direction::ToPage => Event::ToPage { link, frame },
        };
        // A second greeting on one connection is refused by rule.
        if !is_greeting
            && let Some(mut roll) = self.faults.strikes(self.now, FaultKind::TwiceFrame, 40)
        {
            self.schedule_at(at + roll.millis(0, 3_000), arrives(frame.clone()));
        }
        let key = self.schedule_at(at, arrives(frame));
        if let Some(way) = self.links.way(link, direction) {
            way.in_flight.push_back((key, length));
            way.in_flight.retain(|((at, _), _)| *at >= self.now);
        }
        let cut = if is_greeting { 12 } else { 120 };
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::CutInFrame, cut) {
            self.cut_inside(link, direction, length, &mut roll);
        }
    }

    /// Cuts at a byte of the frame that was sent last.
    fn cut_inside(&mut self, link: LinkNo, cut: Direction, length: usize, roll: &mut Roll) {
        let Some(way) = self.links.way(link, cut) else { return };
        let before: usize = way.in_flight.iter().map(|(_, length)| length).sum::<usize>() - length;
        let inside = before + usize::try_from(roll.between(0, length as u64)).unwrap();
        self.cut_at(link, cut, inside);
        let other = match cut {
            Direction::ToServer => Direction::ToPage,
            Direction::ToPage => Direction::ToServer,
        };
        self.cut_somewhere(link, other, roll);
        self.both_notice(link, roll);
    }

    /// Of what is on its way, so many bytes arrive: a frame cut in the middle does not.
    fn cut_at(&mut self, link: LinkNo, direction: Direction, bytes: usize) {
        let Some(way) = self.links.way(link, direction) else { return };
        way.is_dead = true;
        let (mut sum, mut lost) = (0, Vec::new());
        way.in_flight.retain(|(key, length)| {
            sum += length;
            if sum > bytes {
                lost.push(*key);
            }
            sum <= bytes
        });
        way.last_at = way.in_flight.back().map_or(Millis::ZERO, |((at, _), _)| *at);
        for key in lost {
            self.events.remove(&key);
        }
    }

    fn cut_somewhere(&mut self, link: LinkNo, direction: Direction, roll: &mut Roll) {
        let Some(way) = self.links.way(link, direction) else { return };
        let bytes: usize = way.in_flight.iter().map(|(_, length)| length).sum();
        let at = usize::try_from(roll.between(0, bytes as u64 + 1)).unwrap();
        self.cut_at(link, direction, at);
    }

    /// Whatever still arrives arrives before the end is seen.
    fn both_notice(&mut self, link: LinkNo, roll: &mut Roll) {
        let Some(ends) = self.links.links.get(&link) else { return };
        let page_sees = (self.now + roll.millis(0, 2_000)).max(ends.to_page.last_at);
        let server_sees = (self.now + roll.millis(0, 8_000)).max(ends.to_server.last_at);
        self.schedule_at(page_sees, Event::PageSeesEnd { link });
        self.schedule_at(server_sees, Event::ServerSeesEnd { link });
    }

    pub(super) fn cut_some_link(&mut self, roll: &mut Roll) {
        let Some(link) = self.some_link() else { return };
        self.cut_somewhere(link, Direction::ToServer, roll);
        self.cut_somewhere(link, Direction::ToPage, roll);
        self.both_notice(link, roll);
    }

    pub(super) fn swallow_some_link(&mut self, _roll: &mut Roll) {
        let Some(link) = self.some_link() else { return };
        self.cut_at(link, Direction::ToServer, 0);
        self.cut_at(link, Direction::ToPage, 0);
    }

    fn some_link(&self) -> Option<LinkNo> {
        self.pages.values().find_map(|page| page.link)
    }

    /// The page drops the connection: what it sent is still on its way.
    pub(super) fn disconnect(&mut self, page: PageNo) {
        if let Some(link) = self.pages.get(&page).and_then(|page| page.link) {
            self.forget_link(page);
            self.close_from_page(link);
        }
    }

    pub(super) fn close_from_page(&mut self, link: LinkNo) {
        let takes = self.dice.millis(self.now, Purpose::Network, 1, 100);
        let Some(ends) = self.links.links.get_mut(&link) else { return };
        // Through a black hole the news does not come either.
        let tells = !ends.to_server.is_dead;
        (ends.to_server.is_dead, ends.to_page.is_dead) = (true, true);
        let at = (self.now + takes).max(ends.to_server.last_at);
        if tells {
            self.schedule_at(at, Event::ServerSeesEnd { link });
        }
    }

    pub(super) fn close_from_server(&mut self, link: LinkNo) {
        let takes = self.dice.millis(self.now, Purpose::Network, 1, 100);
        let Some(ends) = self.links.links.get_mut(&link) else { return };
        let tells = !ends.to_page.is_dead;
        (ends.to_server.is_dead, ends.to_page.is_dead) = (true, true);
        let at = (self.now + takes).max(ends.to_page.last_at);
        if tells {
            self.schedule_at(at, Event::PageSeesEnd { link });
        }
    }

    pub(super) fn page_sees_end(&mut self, link: LinkNo) {
        let Some(page) = self.links.links.get(&link).map(|link| link.page) else { return };
        if let Some(until) = self.asleep_until(page) {
            self.schedule_at(until, Event::PageSeesEnd { link });
            return;
        }
        self.not_connected(page, link);
    }

    pub(super) fn arrive_at_page(&mut self, link: LinkNo, frame: Vec<u8>) {
        let Some(page) = self.links.links.get(&link).map(|link| link.page) else { return };
        if let Some(until) = self.asleep_until(page) {
            self.schedule_at(until, Event::ToPage { link, frame });
            return;
        }
        if !self.is_link_of(page, link) {
            return;
        }
        match ServerMessage::decode(&frame) {
            Ok(message) => {
                self.with_sender(page, |sender, now| sender.handle_message(now, message))
            }
            Err(error) => self.model.broken(format!("the server sent what is no message: {error}")),
        }
    }

    /// A frame that claims the number of a stored item for something else.
    pub(super) fn forge(&mut self, roll: &mut Roll) {
        let stored = self.disk.known.items.len() as u64;
        let online = |page: &&Page| page.link_status() == Some(LinkStatus::Online);
        let link = self.pages.values().find(online).and_then(|page| page.link);
        let Some(link) = link.filter(|_| stored > 0) else { return };
        let nth = usize::try_from(roll.between(0, stored)).unwrap();
        let Some(seq) = self.disk.known.items.keys().nth(nth).copied() else { return };
        let other = protocol::Content::Marker(protocol::Marker::Paused);
        let item = protocol::Item::new(seq, Millis::new(roll.between(0, 1_000)), other);
        self.send_to_server(link, &ClientMessage::Items(vec![item]));
    }
}

//! What each address has brought today (UTC). In memory and bounded: a restart forgets it, and so does a
//! day on which more addresses come than are remembered, of those that brought least.

use std::collections::HashMap;

use protocol::{Millis, UnixMillis};

use super::address::Address;

pub(super) const DAY: Millis = Millis::from_secs(24 * 3_600);

/// Addresses that are remembered: a few megabytes.
pub(super) const ADDRESSES_MAX: usize = 65_536;

pub(super) const fn day_of(now: UnixMillis) -> u64 {
    now.get() / DAY.get()
}

#[derive(Debug, Clone, Copy, Default)]
struct OfAddress {
    sessions: u64,
    bytes: u64,
    /// What came did not fit any more. Who is welcomed again would only send it again.
    is_spent: bool,
}

#[derive(Debug)]
pub(super) struct Used {
    sessions_max: u64,
    bytes_max: u64,
    day: u64,
    addresses: HashMap<Address, OfAddress>,
}

impl Used {
    pub(super) fn new(sessions_max: u64, bytes_max: u64) -> Self {
        Self { sessions_max, bytes_max, day: 0, addresses: HashMap::new() }
    }

    pub(super) const fn sessions_max(&self) -> u64 {
        self.sessions_max
    }

    pub(super) const fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// False when the address may begin no more sessions today.
    pub(super) fn take_session(&mut self, address: Address, now: UnixMillis) -> bool {
        let sessions_max = self.sessions_max;
        let used = self.of(address, now);
        let may = used.sessions < sessions_max;
        used.sessions += u64::from(may);
        may
    }

    /// It was not made after all.
    pub(super) fn give_session_back(&mut self, address: Address, taken_at: UnixMillis) {
        if let Some(used) = self.taken_from(address, taken_at) {
            used.sessions = used.sessions.saturating_sub(1);
        }
    }

    /// False when the address was refused bytes today, or would be.
    pub(super) fn has_bytes_left(&mut self, address: Address, now: UnixMillis) -> bool {
        let bytes_max = self.bytes_max;
        let used = self.of(address, now);
        used.bytes < bytes_max && !used.is_spent
    }

    /// False when the address may not bring so much more today.
    pub(super) fn take_bytes(&mut self, address: Address, bytes: u64, now: UnixMillis) -> bool {
        let bytes_max = self.bytes_max;
        let used = self.of(address, now);
        let after = used.bytes.saturating_add(bytes);
        let may = after <= bytes_max;
        if may {
            used.bytes = after;
        } else {
            used.is_spent = true;
        }
        may
    }

    /// They were not stored after all.
    pub(super) fn give_bytes_back(&mut self, address: Address, bytes: u64, taken_at: UnixMillis) {
        if let Some(used) = self.taken_from(address, taken_at) {
            used.bytes = used.bytes.saturating_sub(bytes);
        }
    }

    fn of(&mut self, address: Address, now: UnixMillis) -> &mut OfAddress {
        if self.day != day_of(now) {
            self.day = day_of(now);
            self.addresses.clear();
        }
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&address) {
            self.forget_half();
        }
        self.addresses.entry(address).or_default()
    }

    /// Nothing is taken off what was brought on another day.
    fn taken_from(&mut self, address: Address, taken_at: UnixMillis) -> Option<&mut OfAddress> {
        self.addresses.get_mut(&address).filter(|_| self.day == day_of(taken_at))
    }

    /// Those that are farthest from their limits.
    fn forget_half(&mut self) {
        let part = |used: u64, max: u64| used as f64 / max.max(1) as f64;
        let (sessions_max, bytes_max) = (self.sessions_max, self.bytes_max);
        let nearness =
            |used: &OfAddress| part(used.sessions, sessions_max).max(part(used.bytes, bytes_max));
        let mut addresses: Vec<_> =
            self.addresses.iter().map(|(address, used)| (nearness(used), *address)).collect();
        addresses.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        for (_, address) in addresses.iter().take(ADDRESSES_MAX / 2) {
            self.addresses.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);

    fn address(number: u32) -> Address {
        Address::from(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn an_address_begins_as_many_sessions_a_day_as_it_may_and_no_more() {
        let mut used = Used::new(2, 0);
        assert!(used.take_session(address(1), NOW) && used.take_session(address(1), NOW));
        assert!(!used.take_session(address(1), NOW));
        assert!(used.take_session(address(2), NOW), "another address");
        used.give_session_back(address(1), NOW);
        assert!(used.take_session(address(1), NOW) && !used.take_session(address(1), NOW));
        assert!(used.take_session(address(1), NOW.plus(DAY)), "the next day");
    }

    #[test]
    fn an_address_brings_as_many_bytes_a_day_as_it_may_and_no_more() {
        let mut used = Used::new(0, 100);
        assert!(used.take_bytes(address(1), 60, NOW) && used.has_bytes_left(address(1), NOW));
        assert!(!used.take_bytes(address(1), 41, NOW) && !used.has_bytes_left(address(1), NOW));
        assert!(used.take_bytes(address(1), 40, NOW));
        assert!(used.take_bytes(address(2), 100, NOW) && !used.has_bytes_left(address(2), NOW));
        used.give_bytes_back(address(1), 1, NOW);
        assert!(!used.take_bytes(address(1), 2, NOW) && used.take_bytes(address(1), 1, NOW));
        let tomorrow = NOW.plus(DAY);
        assert!(used.take_bytes(address(1), 100, tomorrow), "the next day");
        used.give_bytes_back(address(1), 100, NOW);
        assert!(!used.take_bytes(address(1), 1, tomorrow), "given back to the day before");
    }

    #[test]
    fn as_many_addresses_as_the_limit_are_remembered_and_then_those_that_brought_most() {
        let mut used = Used::new(1, 1_000_000);
        assert!(used.take_session(address(0), NOW) && used.take_bytes(address(1), 999_999, NOW));
        for number in 2..ADDRESSES_MAX as u32 {
            used.take_bytes(address(number), 1, NOW);
        }
        assert_eq!(used.addresses.len(), ADDRESSES_MAX);
        used.take_bytes(address(u32::MAX), 1, NOW);
        assert_eq!(used.addresses.len(), ADDRESSES_MAX / 2 + 1);
        assert!(!used.take_session(address(0), NOW) && !used.take_bytes(address(1), 2, NOW));
    }
}

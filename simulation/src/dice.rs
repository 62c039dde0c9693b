//! Seeded randomness. What is rolled depends on the seed, on what it is for and on the virtual time,
//! and on nothing that happened before: a fault that is left out does not shuffle all others.

use protocol::Millis;

/// What a roll is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Setting,
    Devices,
    Capture,
    Reading,
    Spool,
    Network,
    Server,
}

const PURPOSES: usize = 7;

/// Rolls for everything that is no fault.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    at: Millis,
    rolled: [u64; PURPOSES],
}

/// One roll's numbers, as many as are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Roll(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, at: Millis::ZERO, rolled: [0; PURPOSES] }
    }

    pub(crate) fn roll(&mut self, now: Millis, purpose: Purpose) -> Roll {
        if self.at != now {
            (self.at, self.rolled) = (now, [0; PURPOSES]);
        }
        let index = purpose as usize;
        self.rolled[index] += 1;
        Roll::of(&[self.seed, index as u64, now.get(), self.rolled[index]])
    }

    /// A span of `from..to` milliseconds.
    pub(crate) fn millis(&mut self, now: Millis, purpose: Purpose, from: u64, to: u64) -> Millis {
        Millis::new(self.roll(now, purpose).between(from, to))
    }
}

impl Roll {
    pub(crate) fn of(parts: &[u64]) -> Self {
        Self(parts.iter().fold(0x5851_f42d_4c95_7f2d, |mixed, part| mix(mixed ^ mix(*part))))
    }

    fn next(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }

    /// A number in `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Millis {
        Millis::new(self.between(from, to))
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

//! Owns knowing packets again that came before: the first of a run behind the run's own header, and
//! those of a fragment that comes twice. Decides nothing about where they go.

use std::collections::VecDeque;

use crate::limits;
use crate::segment::Packet;
use crate::stretch::Stamp;
use crate::units::{SourceTime, TrackNumber};

/// Packets of a run that would be known again, bounded.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Of the first packets.
    first: Vec<Fingerprint>,
    first_bytes: u64,
    /// The run's own header came again, and so did so many of its first packets.
    behind_header: Option<usize>,
    /// The last fragments.
    fragments: VecDeque<Fragment>,
    current: Current,
}

/// The fragment that is being read.
#[derive(Debug, Clone, Copy, Default)]
enum Current {
    /// The last one that is known, if any.
    #[default]
    New,
    /// One that is known comes again, and this is the next of its packets.
    Again { fragment: usize, next: usize },
    /// It is described like one that is known, and has other packets.
    Other,
}

#[derive(Debug)]
struct Fragment {
    /// Of what describes it: when its samples are decoded, among others.
    digest: Digest,
    packets: Vec<Fingerprint>,
}

impl Fragment {
    /// All of its packets are known.
    fn is_whole(&self) -> bool {
        self.packets.len() <= limits::REPEATED_PACKETS_MAX
    }
}

/// What a packet is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    track: TrackNumber,
    order: SourceTime,
    digest: Digest,
}

impl Fingerprint {
    fn of<P: Packet>(packet: &P, stamp: &Stamp) -> Self {
        let digest = Digest::of(packet.payload());
        Self { track: packet.track(), order: stamp.order, digest }
    }
}

impl Repeats {
    /// The run's own header comes again. Perhaps it is a run like the one before: its fragments are its own.
    pub(crate) fn header_again(&mut self) {
        self.behind_header = Some(0);
        self.fragments.clear();
        self.current = Current::New;
    }

    /// The packets of a fragment follow that is described so.
    pub(crate) fn fragment(&mut self, digest: Digest) {
        let is_known = |known: &Fragment| known.digest == digest && known.is_whole();
        if let Some(fragment) = self.fragments.iter().position(is_known) {
            self.current = Current::Again { fragment, next: 0 };
            return;
        }
        if self.fragments.len() >= limits::REPEATED_FRAGMENTS_MAX {
            self.fragments.pop_front();
        }
        self.fragments.push_back(Fragment { digest, packets: Vec::new() });
        self.current = Current::New;
    }

    /// Whether a packet has been in the run already. The run's header, or the description of its
    /// fragment, must have come again before it.
    pub(crate) fn know<P: Packet>(&mut self, packet: &P, stamp: &Stamp) -> bool {
        if let Some(next) = self.behind_header {
            let fingerprint = Fingerprint::of(packet, stamp);
            let is_known = self.first.get(next).is_some_and(|known| *known == fingerprint);
            self.behind_header = is_known.then_some(next + 1);
            if is_known {
                return true;
            }
        } else if self.notes_first() {
            self.first_bytes += packet.payload().len() as u64;
            self.first.push(Fingerprint::of(packet, stamp));
        }
        self.know_of_fragment(packet, stamp)
    }

    fn notes_first(&self) -> bool {
        self.first.len() < limits::REPEATED_PACKETS_MAX
            && self.first_bytes < limits::REPEATED_BYTES_MAX
    }

    fn know_of_fragment<P: Packet>(&mut self, packet: &P, stamp: &Stamp) -> bool {
        match self.current {
            Current::New => {
                let fragment = self.fragments.back_mut().filter(|fragment| fragment.is_whole());
                if let Some(Fragment { packets, .. }) = fragment {
                    packets.push(Fingerprint::of(packet, stamp));
                }
                false
            }
            Current::Again { fragment, next } => {
                let known = self.fragments.get(fragment).and_then(|one| one.packets.get(next));
                let is_known = known.is_some_and(|one| *one == Fingerprint::of(packet, stamp));
                let again = Current::Again { fragment, next: next + 1 };
                self.current = if is_known { again } else { Current::Other };
                is_known
            }
            Current::Other => false,
        }
    }
}

/// Tells apart what differs by chance, and is quick. It resists nobody who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        const WORD: usize = size_of::<u64>();
        // Several at a time, as none has to wait for another then.
        let mut lanes =
            [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 1_u64];
        let mut blocks = bytes.chunks_exact(WORD * lanes.len());
        for block in &mut blocks {
            for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(WORD)) {
                *lane = fold(*lane, word_of(word));
            }
        }
        for word in blocks.remainder().chunks(WORD) {
            lanes[0] = fold(lanes[0], word_of(word));
        }
        Self(lanes.into_iter().fold(bytes.len() as u64, fold))
    }
}

fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; size_of::<u64>()];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

fn fold(state: u64, word: u64) -> u64 {
    const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15;
    let wide = u128::from(state.rotate_left(23) ^ word) * FACTOR;
    (wide as u64 ^ (wide >> 64) as u64).wrapping_add(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_changes_with_every_bit_and_with_the_length() {
        for length in [0, 1, 7, 8, 9, 31, 32, 33, 100] {
            let bytes = vec![0; length];
            let digest = Digest::of(&bytes);
            assert_ne!(digest, Digest::of(&[&bytes[..], &[0]].concat()));
            for bit in 0..length * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(Digest::of(&changed), digest, "bit {bit} of {length} bytes");
            }
        }
    }
}

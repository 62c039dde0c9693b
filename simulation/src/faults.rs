//! What can go wrong, and when it does in one run. Every fault that strikes has a name, so that a
//! run can be repeated without some of them.

use std::collections::BTreeSet;

use protocol::Millis;

use crate::dice::Roll;

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $($(#[$doc])* $kind,)+
        }

        impl FaultKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)+];
        }
    };
}

fault_kinds!(
    /// A connection breaks at any byte of what is on its way; both ends notice sooner or later.
    Cut,
    /// A connection breaks inside the very frame that is being sent.
    CutInFrame,
    /// From some moment on nothing arrives any more, and nobody is told.
    BlackHole,
    /// A frame, and all after it on its connection, comes seconds later.
    LateFrame,
    /// A frame comes twice.
    TwiceFrame,
    /// One bit of an items frame is flipped.
    DamagedFrame,
    /// The connection cannot be opened.
    NoConnection,
    /// The page's process dies.
    PageCrash,
    /// The page is left or reloaded: it sends its tail.
    PageLeft,
    /// Another tab takes the session over, and the older one hands it over.
    TakeOver,
    /// Another tab takes the session over from one that does not answer.
    Steal,
    /// The laptop sleeps: the page does nothing, and its clock stands still or jumps.
    Sleep,
    /// A write of the browser's disk takes seconds.
    SlowSpool,
    /// For a while the browser's disk takes no item.
    QuotaFull,
    /// A chunk's bytes cannot be read.
    Unreadable,
    /// A chunk is larger than an item may be.
    Oversized,
    /// The server is killed before it writes, after it wrote, after the commit, or after the ack.
    ServerCrash,
    /// Another server takes the new connections; the old one lives on for a while with its own.
    OtherServer,
    /// The server answers a `Hello` or commits seconds late.
    SlowServer,
    /// For a while the server's disk takes nothing.
    DiskFull,
    /// The grace period is about as long as an interruption.
    ShortGrace,
    /// The resume window is about as long as an interruption.
    ShortWindow,
    /// The server's or the browser's wall clock jumps.
    WallJump,
    /// Making the recording fails.
    RecordingFails,
    /// An item arrives that claims the number of a stored one for something else.
    Forged,
    /// The candidate throws the session away.
    Discard,
    /// The service worker delivers what a gone page left, before the next page opens or late.
    Courier,
    /// The microphone is unplugged, and there is none for a while.
    DeviceLost,
    /// The browser hands out the microphone seconds late.
    SlowDevice,
    /// The browser's recorder delivers nothing any more, and may not even stop.
    RecorderStalled,
    /// The candidate makes a pause.
    Pause,
);

const KINDS: usize = FaultKind::ALL.len();

/// Kinds of faults, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultSet(u32);

impl FaultSet {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self((1 << KINDS) - 1);

    pub fn of(kinds: &[FaultKind]) -> Self {
        kinds.iter().fold(Self::NONE, |set, kind| Self(set.0 | 1 << *kind as u32))
    }

    pub fn without(self, kind: FaultKind) -> Self {
        Self(self.0 & !(1 << kind as u32))
    }

    fn has(self, kind: FaultKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }

    /// What of it a seed has: one seed in eight everything, the others half of it, so that faults
    /// also meet without being drowned by the rest.
    pub(crate) fn drawn(self, seed: u64) -> Self {
        let mut roll = Roll::of(&[seed, 0x6472_6177]);
        let half = roll.between(0, 1 << KINDS);
        if roll.once_in(8) { self } else { Self(self.0 & half as u32) }
    }
}

/// One fault that strikes: its kind, when, and which of its kind in that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId {
    pub kind: FaultKind,
    pub at: u64,
    pub nth: u64,
}

/// The faults of one run.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    set: FaultSet,
    /// If given, no others strike.
    only: Option<BTreeSet<FaultId>>,
    struck: BTreeSet<FaultId>,
    at: Millis,
    rolled: [u64; KINDS],
    stopped: bool,
}

impl Faults {
    pub(crate) fn new(seed: u64, set: FaultSet, only: Option<BTreeSet<FaultId>>) -> Self {
        Self {
            seed,
            set,
            only,
            struck: BTreeSet::new(),
            at: Millis::ZERO,
            rolled: [0; KINDS],
            stopped: false,
        }
    }

    /// Strikes once in so many times; the roll decides how.
    pub(crate) fn strikes(&mut self, now: Millis, kind: FaultKind, once_in: u64) -> Option<Roll> {
        if self.stopped || !self.set.has(kind) {
            return None;
        }
        if self.at != now {
            (self.at, self.rolled) = (now, [0; KINDS]);
        }
        let nth = self.rolled[kind as usize];
        self.rolled[kind as usize] += 1;
        let mut roll = Roll::of(&[self.seed, 0xfa17, kind as u64, now.get(), nth]);
        let id = FaultId { kind, at: now.get(), nth };
        let strikes =
            roll.once_in(once_in) && self.only.as_ref().is_none_or(|only| only.contains(&id));
        if !strikes {
            return None;
        }
        self.struck.insert(id);
        Some(roll)
    }

    /// When each of the faults that come out of the blue tries to strike, up to `end`.
    pub(crate) fn schedule(&self, end: Millis) -> Vec<(Millis, FaultKind)> {
        let mut times = Vec::new();
        for (kind, every_ms) in OUT_OF_THE_BLUE {
            let mut roll = Roll::of(&[self.seed, 0x5c4e, *kind as u64]);
            let mut at = roll.millis(0, 2 * every_ms);
            while at < end {
                times.push((at, *kind));
                at = at + roll.millis(every_ms / 2, 3 * every_ms / 2);
            }
        }
        times
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Every fault that has struck so far.
    pub(crate) fn struck(&self) -> &BTreeSet<FaultId> {
        &self.struck
    }
}

/// Faults that strike by the clock, and how many milliseconds lie between two of a kind.
const OUT_OF_THE_BLUE: &[(FaultKind, u64)] = &[
    (FaultKind::Cut, 7_000),
    (FaultKind::BlackHole, 25_000),
    (FaultKind::PageCrash, 12_000),
    (FaultKind::PageLeft, 14_000),
    (FaultKind::TakeOver, 25_000),
    (FaultKind::Steal, 40_000),
    (FaultKind::Sleep, 30_000),
    (FaultKind::QuotaFull, 20_000),
    (FaultKind::ServerCrash, 14_000),
    (FaultKind::OtherServer, 20_000),
    (FaultKind::DiskFull, 20_000),
    (FaultKind::WallJump, 15_000),
    (FaultKind::Forged, 8_000),
    (FaultKind::Discard, 150_000),
    (FaultKind::DeviceLost, 15_000),
    (FaultKind::RecorderStalled, 25_000),
    (FaultKind::Pause, 15_000),
];

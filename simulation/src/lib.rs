//! The whole system under a seeded virtual clock: pages with their microphone and spool, links, servers
//! with their ledger, and everything that can go wrong between them. The promise is checked after every
//! step, and at the end: once the faults stop, every captured item that survived its page is durable
//! and the session completes.
//!
//! It runs on any [`ledger::Ledger`]: on the reference in memory by the thousand, on a real store for
//! some seeds.

#![expect(
    clippy::unwrap_used,
    reason = "what the simulation cannot unwrap is a failure of the run"
)]

mod breakage;
mod dice;
mod drive;
mod faults;
mod minimize;
mod seeds;
mod world;

pub use breakage::Breakage;
pub use drive::{Drive, InMemory};
pub use faults::{FaultId, FaultKind, FaultSet};
pub use minimize::{Smallest, minimize};
pub use seeds::run_seeds;
pub use world::{Outcome, Plan, run};

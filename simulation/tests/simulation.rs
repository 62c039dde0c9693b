//! The simulation on the reference ledger.

use std::io::Write as _;
use std::time::{Duration, Instant};

use ledger::memory::Memory;
use simulation::{FaultSet, InMemory, run_seeds};

const SEEDS: u64 = 4_000;
const TELL_EVERY: Duration = Duration::from_secs(10);

#[test]
fn without_faults_everything_captured_is_durable() {
    run_seeds(0..50, FaultSet::NONE, None, |policy| InMemory(Memory::new(policy)));
}

#[test]
fn all_faults_together_break_no_promise() {
    run_seeds(0..SEEDS, FaultSet::ALL, None, |policy| InMemory(Memory::new(policy)));
}

/// `make soak SEEDS=1000000`: from `HOLDFAST_SOAK_FROM` on, `HOLDFAST_SOAK_SEEDS` of them, for at
/// most `HOLDFAST_SOAK_MINUTES`.
#[test]
#[ignore = "takes as long as it is told to: make soak"]
fn soak() {
    let number = |name: &str, usual| match std::env::var(name) {
        Ok(text) => text.parse::<u64>().unwrap(),
        Err(_) => usual,
    };
    let from = number("HOLDFAST_SOAK_FROM", 1_000_000);
    let seeds = number("HOLDFAST_SOAK_SEEDS", 100_000);
    let limit = Duration::from_secs(60 * number("HOLDFAST_SOAK_MINUTES", 60));
    let started = Instant::now();
    let mut done = 0;
    while done < seeds && started.elapsed() < limit {
        let until = (Instant::now() + TELL_EVERY).min(started + limit);
        let rest = from + done..from + seeds;
        let make = |policy| InMemory(Memory::new(policy));
        done += run_seeds(rest, FaultSet::ALL, Some(until), make);
        let elapsed = started.elapsed().as_secs();
        writeln!(std::io::stderr(), "soak: {done} of {seeds} seeds from {from} in {elapsed} s")
            .unwrap();
    }
}

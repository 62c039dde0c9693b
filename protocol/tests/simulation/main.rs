//! The whole system under a seeded virtual clock: pages with their spool, links, servers with their
//! ledger, and everything that can go wrong between them. The promise is checked after every step,
//! and at the end: once the faults stop, every captured item that survived its page is durable and
//! the session completes.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

mod breakage;
mod dice;
mod faults;
mod minimize;
mod mutations;
mod soak;
mod world;

use faults::FaultSet;
use world::Plan;

const SEEDS: u64 = 4_000;

/// The shortest run that fails like this one.
fn report(plan: &Plan) -> String {
    let smallest = minimize::minimize(plan);
    let broken = smallest.outcome.broken.unwrap_or_default();
    let faults: Vec<String> = smallest
        .plan
        .only
        .iter()
        .flatten()
        .map(|id| format!("  {:>6} ms {:?} {}", id.at, id.kind, id.nth))
        .collect();
    let (seed, steps) = (plan.seed, smallest.outcome.steps);
    let (faults, trace) = (faults.join("\n"), smallest.outcome.trace);
    format!("seed {seed}: {broken}\nafter {steps} steps with the faults\n{faults}\n{trace}")
}

#[test]
fn without_faults_everything_captured_is_durable() {
    soak::run_seeds(0..50, FaultSet::NONE, None);
}

#[test]
fn all_faults_together_break_no_promise() {
    soak::run_seeds(0..SEEDS, FaultSet::ALL, None);
}

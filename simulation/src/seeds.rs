//! Many seeds, on as many threads as there are cores. Stops at the first that fails.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use ledger::rules::Policy;

use crate::drive::Drive;
use crate::faults::FaultSet;
use crate::minimize::minimize;
use crate::world::{Plan, run};

/// Runs every seed, or up to `until`, each on a ledger of its own; fails with the report on the first
/// seed that fails. Tells how many it ran.
pub fn run_seeds<D: Drive>(
    seeds: Range<u64>,
    faults: FaultSet,
    until: Option<Instant>,
    make: impl Fn(Policy) -> D + Sync,
) -> u64 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let first_failure = Mutex::new(None::<Plan>);
    let work = || {
        while !failed.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let plan = Plan { seed, faults: faults.drawn(seed), ..Plan::default() };
            if run(&plan, false, &make).broken.is_some() {
                failed.store(true, Ordering::Relaxed);
                *first_failure.lock().unwrap() = Some(plan);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some(plan) = first_failure.into_inner().unwrap() {
        panic!("{}", report(&plan, &make));
    }
    next.into_inner().min(seeds.end) - seeds.start
}

/// The shortest run that fails like this one.
fn report<D: Drive>(plan: &Plan, make: &impl Fn(Policy) -> D) -> String {
    let smallest = minimize(plan, make);
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

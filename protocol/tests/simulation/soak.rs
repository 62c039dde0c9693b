//! Many seeds, on as many threads as there are cores. Stops at the first that fails.

use std::io::Write as _;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::faults::FaultSet;
use crate::report;
use crate::world::{Plan, World};

const TELL_EVERY: Duration = Duration::from_secs(10);

/// Runs every seed, or up to `until`; fails with the report on the first seed that fails.
pub(crate) fn run_seeds(seeds: Range<u64>, faults: FaultSet, until: Option<Instant>) -> u64 {
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
            if World::new(&plan, false).run().broken.is_some() {
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
        panic!("{}", report(&plan));
    }
    next.into_inner().min(seeds.end) - seeds.start
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
        done += run_seeds(from + done..from + seeds, FaultSet::ALL, Some(until));
        let elapsed = started.elapsed().as_secs();
        writeln!(std::io::stderr(), "soak: {done} of {seeds} seeds from {from} in {elapsed} s")
            .unwrap();
    }
}

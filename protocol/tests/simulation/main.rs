//! The sender and the receiver joined by a faulty link, a crashing page and a crashing server,
//! under a seeded virtual clock. The promise is checked after every step, and at the end: once the
//! faults stop, every captured item that survived its page is durable and the session completes.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

mod dice;
mod world;

use world::{Faults, World};

const SEEDS: u64 = 500;

fn run(seed: u64, faults: Faults) {
    if let Err(broken) = World::new(seed, faults).run() {
        let mut again = World::new(seed, faults).traced();
        assert_eq!(again.run(), Err(broken.clone()), "seed {seed} does not repeat itself");
        panic!("seed {seed}: {broken}\n{}", again.trace());
    }
}

#[test]
fn without_faults_everything_captured_is_durable() {
    for seed in 0..50 {
        run(seed, Faults::NONE);
    }
}

#[test]
fn a_link_that_is_cut_again_and_again_loses_nothing() {
    for seed in 0..SEEDS {
        run(seed, Faults { link_cuts: true, ..Faults::NONE });
    }
}

#[test]
fn a_page_that_crashes_loses_nothing_that_was_spooled() {
    for seed in 0..SEEDS {
        run(seed, Faults { page_crashes: true, link_cuts: true, ..Faults::NONE });
    }
}

#[test]
fn a_server_that_is_killed_loses_nothing_that_was_acked() {
    for seed in 0..SEEDS {
        run(seed, Faults { server_crashes: true, link_cuts: true, ..Faults::NONE });
    }
}

#[test]
fn all_faults_together_break_no_promise() {
    for seed in 0..SEEDS {
        run(seed, Faults::ALL);
    }
}

/// A test of the test: a server that acks before it commits must be caught.
#[test]
fn an_ack_before_the_commit_is_caught() {
    let caught = (0..200).any(|seed| {
        let faults = Faults { server_crashes: true, ..Faults::NONE };
        World::new(seed, faults).acking_before_commit().run().is_err()
    });
    assert!(caught, "200 seeds did not notice an ack before the commit");
}

/// A test of the test: a browser that deletes on send must be caught.
#[test]
fn deleting_on_send_is_caught() {
    let caught = (0..200).any(|seed| {
        let faults = Faults { link_cuts: true, page_crashes: true, ..Faults::NONE };
        World::new(seed, faults).deleting_on_send().run().is_err()
    });
    assert!(caught, "200 seeds did not notice a deletion on send");
}

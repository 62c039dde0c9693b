//! The reference keeps its own rules, and a ledger that breaks one of them does not pass.

#![expect(clippy::wildcard_enum_match_arm, reason = "a mutation says which command it breaks")]

mod mutant;

use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ledger::conformance::{self, Broken, POLICY};
use ledger::differential;
use ledger::memory::Memory;
use mutant::{Mutant, Mutation};

/// A ledger in memory never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a ledger in memory waits"),
    }
}

fn claims_of(mutation: Option<Mutation>) -> Result<(), Broken> {
    at_once(conformance::all(|| ready(Mutant::new(Memory::new(POLICY), mutation))))
}

#[test]
fn the_reference_passes() {
    at_once(conformance::all(|| ready(Memory::new(POLICY)))).unwrap();
    claims_of(None).unwrap();
}

#[test]
fn each_broken_rule_is_noticed() {
    for mutation in Mutation::ALL {
        let broken = claims_of(Some(*mutation));
        assert!(broken.is_err(), "no claim notices {mutation:?}");
    }
}

#[test]
fn a_store_that_differs_from_the_reference_is_noticed() {
    let a_memory = || Memory::new(differential::POLICY);
    let noticed = |mutation: Mutation| {
        (0..200).any(|seed| {
            let mutant = Mutant::new(a_memory(), Some(mutation));
            at_once(differential::agree(&mutant, &a_memory(), seed, 200)).is_err()
        })
    };
    let missed: Vec<_> = Mutation::ALL.iter().filter(|one| !noticed(**one)).collect();
    // Numbers so far ahead, and so many holes, are no matter of chance.
    assert_eq!(missed, [&Mutation::TakeWhateverIsAhead]);
    for seed in 0..50 {
        at_once(differential::agree(&a_memory(), &a_memory(), seed, 200)).unwrap();
    }
}

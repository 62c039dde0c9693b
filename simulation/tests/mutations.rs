//! Tests of the simulation: each promise is broken on purpose, and a few hundred seeds must notice.

use ledger::memory::Memory;
use ledger::rules::Policy;
use simulation::{Breakage, FaultKind as F, FaultSet, InMemory, Outcome, Plan};

const SEEDS: u64 = 300;

fn in_memory(policy: Policy) -> InMemory {
    InMemory(Memory::new(policy))
}

fn run(plan: &Plan) -> Outcome {
    simulation::run(plan, false, in_memory)
}

/// Some seed notices, and says `what`.
fn is_caught(breakage: Breakage, faults: &[F], what: &str) {
    let faults = FaultSet::of(faults);
    let plan = |seed, breakage| Plan { seed, faults, breakage, only: None };
    let noticed = (0..SEEDS).find_map(|seed| {
        let broken = run(&plan(seed, Some(breakage))).broken?;
        Some((seed, broken))
    });
    let Some((seed, broken)) = noticed else {
        panic!("{SEEDS} seeds did not notice {breakage:?}");
    };
    assert!(broken.contains(what), "seed {seed} noticed {breakage:?} as: {broken}");
    let unbroken = run(&plan(seed, None)).broken;
    assert_eq!(unbroken, None, "seed {seed} fails without {breakage:?} as well");
}

#[test]
fn an_ack_before_the_commit_is_caught() {
    is_caught(Breakage::AckBeforeCommit, &[F::ServerCrash], "was acked and is not durable");
}

#[test]
fn deleting_on_send_is_caught() {
    is_caught(Breakage::DeleteOnSend, &[F::Cut], "was deleted and is not durable");
}

#[test]
fn renumbering_after_a_reload_is_caught() {
    is_caught(Breakage::Renumber, &[F::PageCrash], "was given");
}

#[test]
fn forgetting_the_epoch_is_caught() {
    let faults = [F::Cut, F::LateFrame, F::TakeOver, F::OtherServer];
    is_caught(Breakage::ForgetEpoch, &faults, "stored items beside");
}

#[test]
fn a_late_hello_that_fences_off_the_page_that_came_after_it_is_caught() {
    let faults = [F::PageCrash, F::LateFrame];
    is_caught(Breakage::FollowLateHello, &faults, "turned away for good: another tab");
}

#[test]
fn forgetting_what_was_sent_from_memory_is_caught() {
    let faults = [F::QuotaFull, F::SlowSpool, F::PageCrash];
    is_caught(Breakage::ForgetNotes, &faults, "was given again");
}

#[test]
fn storing_a_second_digest_is_caught() {
    is_caught(Breakage::StoreSecondDigest, &[F::Forged], "is no longer what was stored first");
}

#[test]
fn dropping_what_a_full_disk_did_not_take_is_caught() {
    is_caught(Breakage::DropOnDiskFull, &[F::DiskFull], "was deleted and is not durable");
}

#[test]
fn acking_what_was_lost_is_caught() {
    is_caught(Breakage::AckLost, &[F::Unreadable, F::Cut], "was acked and is not durable");
}

#[test]
fn finishing_without_looking_for_what_is_missing_is_caught() {
    let faults = [F::QuotaFull, F::PageCrash];
    is_caught(Breakage::FinishUnchecked, &faults, "of which the page knows nothing");
}

#[test]
fn dropping_payloads_before_the_recording_is_durable_is_caught() {
    is_caught(Breakage::DropPayloadsEarly, &[], "payloads were dropped before");
}

#[test]
fn a_tail_under_a_number_that_the_next_page_uses_is_caught() {
    is_caught(Breakage::ForgetTailNumber, &[F::PageLeft], "was given again");
}

#[test]
fn forgetting_what_a_page_put_aside_when_it_was_left_is_caught() {
    is_caught(Breakage::ForgetStash, &[F::PageLeft], "was on the browser's disk and is nowhere");
}

#[test]
fn a_courier_that_fences_off_the_page_that_came_after_it_is_caught() {
    let faults = [F::PageCrash, F::PageLeft, F::Courier];
    is_caught(Breakage::CourierTakesOver, &faults, "turned away for good: another tab");
}

#[test]
fn completing_with_a_partial_recording_is_caught() {
    let faults = [F::PageCrash, F::ShortGrace, F::SlowServer];
    is_caught(Breakage::CompleteWithPartial, &faults, "does not hold every item");
}

#[test]
fn making_nothing_of_what_comes_after_the_end_is_caught() {
    let faults = [F::PageCrash, F::ShortGrace, F::ShortWindow];
    is_caught(Breakage::ForgetSupplement, &faults, "in no supplement");
}

#[test]
fn finishing_over_the_head_of_a_writer_that_lives_is_caught() {
    let faults = [F::WallJump, F::OtherServer, F::ShortGrace, F::ShortWindow];
    is_caught(Breakage::IgnoreHeartbeat, &faults, "over the head of its writer");
}

/// Seed 357 of the simulation's first version found this one in the protocol itself.
#[test]
fn refusing_a_damaged_item_for_the_limit_that_it_breaks_is_caught() {
    is_caught(Breakage::LimitsBeforeDigest, &[F::DamagedFrame], "was captured and is nowhere");
}

#[test]
fn a_segment_that_begins_twice_is_caught() {
    is_caught(Breakage::RepeatSegment, &[F::PageCrash], "begins a segment that had begun before");
}

#[test]
fn a_run_that_is_taken_for_over_before_its_rest_is_caught() {
    is_caught(Breakage::EndBeforeRest, &[F::DeviceLost], "has handed over what got no number");
}

#[test]
fn a_recording_that_does_not_go_on_with_its_microphone_is_caught() {
    is_caught(Breakage::IgnoreDevices, &[F::DeviceLost], "a microphone is there, and nothing is");
}

#[test]
fn a_session_that_is_handed_over_too_soon_is_caught() {
    let faults = [F::TakeOver, F::SlowSpool];
    is_caught(Breakage::SpooledTooSoon, &faults, "handed over with what only its page had");
}

#[test]
fn a_failure_is_made_small() {
    let plan = Plan {
        seed: 7,
        faults: FaultSet::ALL.without(F::Discard),
        breakage: Some(Breakage::DropPayloadsEarly),
        only: None,
    };
    let smallest = simulation::minimize(&plan, in_memory);
    assert!(smallest.outcome.broken.is_some());
    // No fault is needed for that.
    assert_eq!(smallest.plan.only.map(|faults| faults.len()), Some(0));
    assert!(!smallest.outcome.trace.is_empty());
}

//! Makes a failing run small: leaves out kinds of faults, then single faults, as long as the run
//! still fails.

use std::collections::BTreeSet;

use ledger::rules::Policy;

use crate::drive::Drive;
use crate::faults::{FaultId, FaultKind};
use crate::world::{Outcome, Plan, run};

const RUNS_MAX: usize = 3_000;

/// The shortest failing run that was found.
#[derive(Debug)]
pub struct Smallest {
    pub plan: Plan,
    pub outcome: Outcome,
}

pub fn minimize<D: Drive>(plan: &Plan, make: impl Fn(Policy) -> D) -> Smallest {
    let mut search = Search { runs: 0, plan: plan.clone(), make };
    let mut faults = run(plan, false, &search.make).struck;
    for kind in FaultKind::ALL {
        let fewer: BTreeSet<_> = faults.iter().filter(|id| id.kind != *kind).copied().collect();
        faults = search.smaller(fewer).unwrap_or(faults);
    }
    let mut pieces = 2;
    while faults.len() >= 2 && pieces <= faults.len() * 2 {
        let all: Vec<_> = faults.iter().copied().collect();
        let length = all.len().div_ceil(pieces);
        let without = |piece: &[FaultId]| -> BTreeSet<FaultId> {
            all.iter().filter(|id| !piece.contains(id)).copied().collect()
        };
        let smaller = all.chunks(length).find_map(|piece| search.smaller(without(piece)));
        match smaller {
            Some(fewer) => {
                faults = fewer;
                pieces = 2.max(pieces - 1);
            }
            None if length == 1 => break,
            None => pieces *= 2,
        }
    }
    if let Some(none) = search.smaller(BTreeSet::new()) {
        faults = none;
    }
    let plan = Plan { only: Some(faults), ..plan.clone() };
    let outcome = run(&plan, true, &search.make);
    Smallest { plan, outcome }
}

struct Search<M> {
    runs: usize,
    plan: Plan,
    make: M,
}

impl<D: Drive, M: Fn(Policy) -> D> Search<M> {
    /// The faults that struck, if the run still fails with these alone.
    fn smaller(&mut self, only: BTreeSet<FaultId>) -> Option<BTreeSet<FaultId>> {
        if self.runs == RUNS_MAX || self.plan.only.as_ref() == Some(&only) {
            return None;
        }
        self.runs += 1;
        let plan = Plan { only: Some(only), ..self.plan.clone() };
        let outcome = run(&plan, false, &self.make);
        outcome.broken.map(|_| outcome.struck)
    }
}

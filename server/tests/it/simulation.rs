//! The simulation on the real store: the same worlds, and every rule of the ledger through SQL.

use ledger::rules::Policy;
use server::store::Store;
use simulation::{Drive, FaultSet, run_seeds};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SEEDS: u64 = 24;

struct OnDisk {
    store: Store,
    runtime: Runtime,
    _folder: TempDir,
}

impl OnDisk {
    fn new(policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = folder.path().join("simulated.db");
        let store = runtime.block_on(Store::open(&path, None, policy)).unwrap();
        Self { store, runtime, _folder: folder }
    }
}

impl Drive for OnDisk {
    type Ledger = Store;

    fn ledger(&self) -> &Store {
        &self.store
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

#[test]
fn all_faults_together_break_no_promise_on_a_database() {
    run_seeds(0..SEEDS, FaultSet::ALL, None, OnDisk::new);
}

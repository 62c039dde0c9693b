//! What the world's ledger runs on.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ledger::Ledger;
use ledger::memory::Memory;

/// A ledger, and how to wait for it.
pub trait Drive {
    type Ledger: Ledger;

    fn ledger(&self) -> &Self::Ledger;

    fn wait<T>(&self, future: impl Future<Output = T>) -> T;
}

/// The reference, which never waits.
#[derive(Debug)]
pub struct InMemory(pub Memory);

impl Drive for InMemory {
    type Ledger = Memory;

    fn ledger(&self) -> &Memory {
        &self.0
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a ledger in memory waits"),
        }
    }
}

//! Where payload bytes lie: the seam behind which a faster place can follow. The row in the
//! database stays the commit point wherever the bytes are.

use std::future::{Future, ready};
use std::pin::Pin;

use bytes::Bytes;
use protocol::{Content, Item};

use super::StoreError;

/// Where one payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// In the item's own row: as durable as the commit.
    InRow(Bytes),
    /// In some other place, which must be durable before the row is committed.
    At(String),
}

pub type Placing<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for payloads.
pub trait PayloadStore: std::fmt::Debug + Send + Sync {
    /// Finds a place for each item of a batch, in order. What is not [`Placed::InRow`] is durable
    /// on return.
    fn place<'a>(&'a self, items: &'a [&'a Item]) -> Placing<'a, Vec<Placed>>;

    /// Reads a payload back.
    fn fetch(&self, placed: Placed) -> Placing<'_, Bytes>;
}

/// Every payload in its row: one commit, one place, nothing to keep in step.
#[derive(Debug, Clone, Copy)]
pub struct InRow;

impl PayloadStore for InRow {
    fn place<'a>(&'a self, items: &'a [&'a Item]) -> Placing<'a, Vec<Placed>> {
        let placed = items.iter().map(|item| Placed::InRow(payload(item))).collect();
        Box::pin(ready(Ok(placed)))
    }

    fn fetch(&self, placed: Placed) -> Placing<'_, Bytes> {
        Box::pin(ready(match placed {
            Placed::InRow(bytes) => Ok(bytes),
            Placed::At(_) => Err(StoreError::Corrupt("a payload outside the database")),
        }))
    }
}

/// What is kept of an item beside its header: a chunk's bytes, or a marker's encoding.
fn payload(item: &Item) -> Bytes {
    match &item.content {
        Content::Chunk { bytes, .. } => bytes.clone(),
        Content::Marker(marker) => {
            postcard::to_stdvec(marker).expect("postcard encodes every marker").into()
        }
    }
}

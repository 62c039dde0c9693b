//! Owns finding the next Cluster in bytes that make no sense. Decides nothing about what was lost.

use crate::ebml::{self, ElementHeader, id};

/// A Cluster's id as it stands in the bytes.
pub(crate) const CLUSTER_ID_BYTES: [u8; 4] = id::CLUSTER.0.to_be_bytes();

/// Where a Cluster begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// At this offset, for certain enough: id, a readable size, then a Timestamp.
    Found(usize),
    /// Perhaps at this offset; the bytes end too early to tell.
    Perhaps(usize),
    NotFound,
}

/// Looks for the first Cluster. Four random bytes can look like its id, so its size and the id of
/// its first child, which recorders always make the Timestamp, must fit too.
pub(crate) fn find_cluster(bytes: &[u8]) -> Search {
    let mut from = 0;
    while let Some(step) = bytes[from..].iter().position(|byte| *byte == CLUSTER_ID_BYTES[0]) {
        let at = from + step;
        match is_cluster(&bytes[at..]) {
            Some(true) => return Search::Found(at),
            Some(false) => from = at + 1,
            None => return Search::Perhaps(at),
        }
    }
    Search::NotFound
}

/// `None`: the bytes end too early to tell.
fn is_cluster(bytes: &[u8]) -> Option<bool> {
    let seen = bytes.len().min(CLUSTER_ID_BYTES.len());
    if bytes[..seen] != CLUSTER_ID_BYTES[..seen] {
        return Some(false);
    }
    let header = match ElementHeader::parse(bytes) {
        Ok(header) => header?,
        Err(ebml::Malformed) => return Some(false),
    };
    let child = *bytes.get(header.len)?;
    Some(u32::from(child) == id::TIMESTAMP.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: [u8; 7] = [0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x81];

    #[test]
    fn a_cluster_is_found_behind_anything() {
        let garbage = [0x1F, 0x1F, 0x43, 0xB6, 0x75, 0x00, 0xA3, 0x1F, 0x43];
        let bytes = [&garbage[..], &CLUSTER].concat();
        assert_eq!(find_cluster(&bytes), Search::Found(garbage.len()));
        assert_eq!(find_cluster(&garbage), Search::Perhaps(7));
        assert_eq!(find_cluster(&[]), Search::NotFound);
    }

    #[test]
    fn a_cut_cluster_is_only_perhaps_one() {
        for cut in 1..=5 {
            assert_eq!(find_cluster(&CLUSTER[..cut]), Search::Perhaps(0), "cut at {cut}");
        }
        assert_eq!(find_cluster(&CLUSTER[..6]), Search::Found(0));
    }
}

//! Owns the bytes of peaks, as they are stored and sent.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `HFPK` |
//! | 1 | version, 1 |
//! | 1 | level: a bucket lasts 10 ms × 2^level |
//! | 2 | zero |
//! | 4 | number of buckets, little-endian |
//! | 2 each | lowest and highest sample of a bucket, signed bytes |
//!
//! Nothing follows. In a browser the buckets are `new Int8Array(buffer, 12)`.

use super::{Level, Peak, Peaks};

const MAGIC: [u8; 4] = *b"HFPK";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 12;

/// Why bytes are not peaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeaksError {
    /// They end inside the head, or do not begin with the mark.
    #[error("these bytes are no peaks")]
    NotPeaks,
    /// They are of another version.
    #[error("peaks of version {0} are not known")]
    UnknownVersion(u8),
    /// A level past [`PEAKS_LEVEL_MAX`](crate::limits::PEAKS_LEVEL_MAX).
    #[error("peaks have no level {0}")]
    UnknownLevel(u8),
    /// The two bytes that must be zero are not.
    #[error("the reserved bytes of the peaks are not zero")]
    Reserved,
    /// More buckets than [`PEAKS_MAX`](crate::limits::PEAKS_MAX) allows at this level.
    #[error("{0} buckets are more than peaks can have")]
    TooMany(u32),
    /// Not as many bytes as the number of buckets needs.
    #[error("the peaks have {found} bytes of buckets instead of {needed}")]
    WrongLength {
        /// By the number of buckets.
        needed: usize,
        /// What is there.
        found: usize,
    },
    /// The lowest sample of a bucket is above its highest.
    #[error("bucket {0} of the peaks is upside down")]
    UpsideDown(usize),
}

impl Peaks {
    /// The peaks as bytes; see [`from_bytes`](Self::from_bytes).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 2 * self.buckets.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, self.level.0, 0, 0]);
        // PEAKS_MAX is far below this.
        let count = u32::try_from(self.buckets.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_le_bytes());
        for peak in &self.buckets {
            bytes.extend_from_slice(&[peak.min.cast_unsigned(), peak.max.cast_unsigned()]);
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, and nothing else. Allocates no more than the
    /// bytes given.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PeaksError> {
        let (head, body) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(PeaksError::NotPeaks)?;
        let [m0, m1, m2, m3, version, level, zero0, zero1, c0, c1, c2, c3] = *head;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(PeaksError::NotPeaks);
        }
        if version != VERSION {
            return Err(PeaksError::UnknownVersion(version));
        }
        let level = Level::new(level).ok_or(PeaksError::UnknownLevel(level))?;
        if [zero0, zero1] != [0, 0] {
            return Err(PeaksError::Reserved);
        }
        let claimed = u32::from_le_bytes([c0, c1, c2, c3]);
        let count = usize::try_from(claimed).ok().filter(|count| *count <= level.buckets_max());
        let needed = count.ok_or(PeaksError::TooMany(claimed))? * 2;
        if body.len() != needed {
            return Err(PeaksError::WrongLength { needed, found: body.len() });
        }
        let (pairs, _) = body.as_chunks::<2>();
        let peak = |&[min, max]: &[u8; 2]| Peak { min: min.cast_signed(), max: max.cast_signed() };
        let buckets: Vec<_> = pairs.iter().map(peak).collect();
        match buckets.iter().position(|peak| peak.min > peak.max) {
            Some(bucket) => Err(PeaksError::UpsideDown(bucket)),
            None => Ok(Self { level, buckets }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use proptest::prelude::*;

    fn peaks(level: u8, buckets: usize) -> Peaks {
        let level = Level::new(level).unwrap();
        Peaks { level, buckets: vec![Peak { min: -3, max: 100 }; buckets] }
    }

    fn changed(at: usize, byte: u8) -> Result<Peaks, PeaksError> {
        let mut bytes = peaks(0, 3).to_bytes();
        bytes[at] = byte;
        Peaks::from_bytes(&bytes)
    }

    #[test]
    fn the_bytes_are_what_the_table_says() {
        let bytes = peaks(2, 2).to_bytes();
        assert_eq!(bytes, b"HFPK\x01\x02\0\0\x02\0\0\0\xFD\x64\xFD\x64");
    }

    #[test]
    fn every_field_is_checked() {
        assert_eq!(changed(0, b'h'), Err(PeaksError::NotPeaks));
        assert_eq!(changed(4, 0), Err(PeaksError::UnknownVersion(0)));
        assert_eq!(changed(4, 2), Err(PeaksError::UnknownVersion(2)));
        assert_eq!(changed(6, 1), Err(PeaksError::Reserved));
        assert_eq!(changed(7, 1), Err(PeaksError::Reserved));
        assert_eq!(changed(8, 4), Err(PeaksError::WrongLength { needed: 8, found: 6 }));
        assert_eq!(changed(8, 2), Err(PeaksError::WrongLength { needed: 4, found: 6 }));
        assert_eq!(changed(14, 101), Err(PeaksError::UpsideDown(1)));
    }

    #[test]
    fn the_coarsest_level_is_read_and_one_more_is_not() {
        let max = limits::PEAKS_LEVEL_MAX;
        assert!(changed(5, max).is_ok());
        assert_eq!(changed(5, max + 1), Err(PeaksError::UnknownLevel(max + 1)));
    }

    #[test]
    fn as_many_buckets_as_a_level_can_have_are_read_and_one_more_is_not() {
        for level in [0, 1, limits::PEAKS_LEVEL_MAX] {
            let max = limits::PEAKS_MAX.div_ceil(1 << level);
            let most = peaks(level, max);
            assert!(Peaks::from_bytes(&most.to_bytes()) == Ok(most));
            let claimed = u32::try_from(max + 1).unwrap();
            let too_many = Peaks::from_bytes(&peaks(level, max + 1).to_bytes());
            assert_eq!(too_many, Err(PeaksError::TooMany(claimed)));
        }
    }

    #[test]
    fn a_claim_without_bytes_allocates_nothing() {
        let mut bytes = peaks(0, 0).to_bytes();
        bytes[8..].copy_from_slice(&8_000_000u32.to_le_bytes());
        let wrong = PeaksError::WrongLength { needed: 16_000_000, found: 0 };
        assert_eq!(Peaks::from_bytes(&bytes), Err(wrong));
        bytes[8..].fill(0xFF);
        assert_eq!(Peaks::from_bytes(&bytes), Err(PeaksError::TooMany(u32::MAX)));
    }

    proptest! {
        #[test]
        fn peaks_read_back_as_they_were_written(
            level in 0..=limits::PEAKS_LEVEL_MAX,
            pairs in prop::collection::vec((any::<i8>(), any::<i8>()), 0..100),
        ) {
            let buckets = pairs.iter().map(|(a, b)| Peak { min: *a.min(b), max: *a.max(b) });
            let peaks = Peaks { level: Level::new(level).unwrap(), buckets: buckets.collect() };
            prop_assert_eq!(Peaks::from_bytes(&peaks.to_bytes()), Ok(peaks));
        }

        #[test]
        fn a_cut_or_lengthened_form_is_refused(
            buckets in 0..50usize,
            cut in 0..200usize,
            more in prop::collection::vec(any::<u8>(), 1..5),
        ) {
            let whole = peaks(0, buckets).to_bytes();
            let cut = &whole[..cut % whole.len()];
            prop_assert!(Peaks::from_bytes(cut).is_err());
            prop_assert!(Peaks::from_bytes(&[&whole[..], &more].concat()).is_err());
        }

        #[test]
        fn whatever_is_read_is_written_the_same(
            mut noise in prop::collection::vec(any::<u8>(), 0..60),
            is_headed in any::<bool>(),
        ) {
            if is_headed {
                let count = u32::try_from(noise.len() / 2).unwrap();
                let head = [&b"HFPK\x01\x00\0\0"[..], &count.to_le_bytes()].concat();
                noise.splice(..0, head);
            }
            if let Ok(peaks) = Peaks::from_bytes(&noise) {
                prop_assert_eq!(peaks.to_bytes(), noise);
            }
        }
    }
}

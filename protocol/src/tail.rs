//! The end of a recording, as a page sends it that is being left. Such a page has no time to read
//! and seal its last chunk: it puts a header before the raw bytes, and the server seals them, into
//! the very items that the page would have made.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::limits::{ITEM_PAYLOAD_BYTES_MAX, TAIL_HEADER_BYTES_MAX};
use crate::wire::{to_bytes, whole};
use crate::{Content, Item, Millis, ProtocolError, SegmentNo, Seq, SessionToken, TrackNo, Version};

/// What stands before the bytes: its length in one byte, then its postcard encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailHeader {
    /// First, so that any version of the server can read it. The header is the same in all of them.
    pub version: Version,
    pub token: SessionToken,
    /// The number reserved for the chunk; the following ones are its too if it must be split.
    pub first_seq: Seq,
    pub at: Millis,
    pub track: TrackNo,
    pub segment: SegmentNo,
}

impl TailHeader {
    /// What to put before the chunk's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let header = to_bytes(self);
        let length = u8::try_from(header.len()).expect("a header has fixed parts and is short");
        [&[length][..], &header].concat()
    }

    /// Splits a body into header and chunk.
    pub fn decode(mut body: Bytes) -> Result<(Self, Bytes), ProtocolError> {
        let most = 1 + TAIL_HEADER_BYTES_MAX + ITEM_PAYLOAD_BYTES_MAX;
        if body.len() > most {
            return Err(ProtocolError::FrameTooLarge(body.len()));
        }
        let length = usize::from(*body.first().ok_or(ProtocolError::Undecodable)?);
        if body.len() < 1 + length {
            return Err(ProtocolError::Undecodable);
        }
        let chunk = body.split_off(1 + length);
        let header = &body[1..];
        let (version, _) =
            postcard::take_from_bytes(header).map_err(|_| ProtocolError::Undecodable)?;
        if Version::try_from(version).is_err() {
            return Err(ProtocolError::UnsupportedVersion(version));
        }
        Ok((whole(header).ok_or(ProtocolError::Undecodable)?, chunk))
    }

    /// The items of the chunk; none when it is empty.
    pub fn seal(&self, chunk: Bytes) -> Vec<Item> {
        let content = Content::Chunk { track: self.track, segment: self.segment, bytes: chunk };
        let seqs = std::iter::successors(Some(self.first_seq), |seq| Some(seq.next()));
        seqs.zip(content.into_parts()).map(|(seq, part)| Item::new(seq, self.at, part)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> TailHeader {
        TailHeader {
            version: Version::V2,
            token: SessionToken::from_random([7; 32]),
            first_seq: Seq::new(41),
            at: Millis::new(10_250),
            track: TrackNo::new(0),
            segment: SegmentNo::new(2),
        }
    }

    fn body(header: &TailHeader, chunk: &[u8]) -> Bytes {
        [&header.encode(), chunk].concat().into()
    }

    #[test]
    fn a_tail_becomes_the_item_that_its_page_would_have_made() {
        let (header, chunk) = TailHeader::decode(body(&header(), b"the end")).unwrap();
        let content = Content::Chunk {
            track: TrackNo::new(0),
            segment: SegmentNo::new(2),
            bytes: Bytes::from_static(b"the end"),
        };
        assert_eq!(header.seal(chunk), [Item::new(Seq::new(41), Millis::new(10_250), content)]);
    }

    #[test]
    fn a_full_chunk_is_one_item_and_one_past_it_is_refused() {
        let most = ITEM_PAYLOAD_BYTES_MAX + TAIL_HEADER_BYTES_MAX - (header().encode().len() - 1);
        let (read, chunk) = TailHeader::decode(body(&header(), &vec![1; most])).unwrap();
        assert_eq!(read.seal(chunk).len(), 2);
        let larger = body(&header(), &vec![1; most + 1]);
        assert!(matches!(TailHeader::decode(larger), Err(ProtocolError::FrameTooLarge(_))));
    }

    #[test]
    fn a_tail_at_the_end_of_all_numbers_is_left_to_the_checks_of_items() {
        let far = TailHeader { first_seq: Seq::new(u64::MAX), ..header() };
        let items = far.seal(Bytes::from_static(b"x"));
        assert_eq!(items[0].check(), Err(crate::ItemError::SeqTooLarge));
    }

    #[test]
    fn what_is_no_tail_is_refused() {
        for bytes in [&[][..], &[0], &[200, 1, 2], &[3, 255, 255, 255]] {
            let refused = TailHeader::decode(Bytes::copy_from_slice(bytes));
            assert_eq!(refused, Err(ProtocolError::Undecodable), "{bytes:?}");
        }
        let mut newer = header().encode();
        newer[1] = 3;
        assert_eq!(
            TailHeader::decode([&newer[..], b"x"].concat().into()),
            Err(ProtocolError::UnsupportedVersion(3))
        );
    }

    #[test]
    fn a_tail_of_the_version_before_is_read_like_one_of_this() {
        let before = TailHeader { version: Version::V1, ..header() };
        let (read, _) = TailHeader::decode(body(&before, b"x")).unwrap();
        assert_eq!(read, before);
    }
}

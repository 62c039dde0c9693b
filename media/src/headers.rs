//! Owns finding where recorder runs begin in the middle of a file. Reads nothing of them.

use crate::grammar;
use crate::mp4;
use crate::reader;

/// So many bytes of a header are enough to know it by.
pub const HEADER_KNOWN_BY_BYTES: usize = 16;

/// Where the first header stands, of a WebM or an MP4. What stands before it may have been cut off: see
/// [`Stitcher::hole`](crate::Stitcher::hole).
#[must_use]
pub fn find_header(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|at| is_header(&bytes[*at..]) == Some(true))
}

/// `None`: the bytes end too early to tell.
pub(crate) fn is_header(bytes: &[u8]) -> Option<bool> {
    match *bytes.first()? {
        grammar::EBML_BEGINS => reader::is_header(bytes),
        // The size of an `ftyp` is small.
        0 => mp4::is_ftyp(bytes),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBM: &[u8] = include_bytes!("../tests/fixtures/a_opus.000.chunk");
    const MP4: &[u8] = include_bytes!("../tests/fixtures/g_audiomp4.000.chunk");

    #[test]
    fn headers_of_both_containers_are_found_behind_anything() {
        for header in [WEBM, MP4] {
            let bytes = [&b"\x1A\x45\xDF\xA3\0\0\0\x10ftyp"[..], &header[..HEADER_KNOWN_BY_BYTES]];
            assert_eq!(find_header(&bytes.concat()), Some(12));
            assert_eq!(find_header(&header[1..]), None, "there is no other");
        }
    }
}

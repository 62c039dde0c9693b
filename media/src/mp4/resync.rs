//! Owns finding the next fragment, or the next recorder run, in bytes that make no sense. Decides nothing
//! about what was lost.

use crate::frame::Search;
use crate::limits;

/// What stands behind the size of every `moof`: its name, then its first child, an `mfhd` whose
/// size is always the same (ISO/IEC 14496-12 section 8.8.5).
const BEHIND_SIZE: [u8; 12] = *b"moof\0\0\0\x10mfhd";
const SIZE_BYTES: usize = 4;

/// The name of an `ftyp` stands behind its size, too; then comes a brand (section 4.3).
const FTYP: [u8; 4] = *b"ftyp";
const BRAND_BYTES: usize = 4;
/// Four bytes for each brand that a file is compatible with: no recorder writes so many.
const FTYP_BYTES_MAX: u32 = 1024;

/// Looks for the first `moof`.
pub(crate) fn find_moof(bytes: &[u8]) -> Search {
    Search::first(bytes, is_moof)
}

/// Looks for the first place from which a stream can be read: a `moof`, or the `ftyp` of another run.
pub(crate) fn find_entry(bytes: &[u8]) -> Search {
    Search::first(bytes, |here| match is_ftyp(here) {
        Some(false) => is_moof(here),
        // Nothing is the beginning of both for long.
        is_ftyp @ (Some(true) | None) => is_ftyp,
    })
}

/// `None`: the bytes end too early to tell.
pub(crate) fn is_ftyp(bytes: &[u8]) -> Option<bool> {
    if *bytes.first()? != 0 {
        return Some(false);
    }
    let name = bytes.get(SIZE_BYTES..).unwrap_or(&[]);
    let seen = name.len().min(FTYP.len());
    if name[..seen] != FTYP[..seen] {
        return Some(false);
    }
    let brand = name.get(FTYP.len()..FTYP.len() + BRAND_BYTES)?;
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let is_named = brand.iter().all(|letter| letter.is_ascii_graphic() || *letter == b' ');
    Some(is_named && size <= FTYP_BYTES_MAX && size as usize >= SIZE_BYTES + seen + BRAND_BYTES)
}

/// `None`: the bytes end too early to tell.
fn is_moof(bytes: &[u8]) -> Option<bool> {
    // A size below the limit begins with a zero: that settles most places at once.
    if *bytes.first()? != 0 {
        return Some(false);
    }
    let behind = bytes.get(SIZE_BYTES..).unwrap_or(&[]);
    let seen = behind.len().min(BEHIND_SIZE.len());
    if behind[..seen] != BEHIND_SIZE[..seen] {
        return Some(false);
    }
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let is_small_enough = size as usize <= limits::MOOF_BYTES_MAX + 8;
    let is_large_enough = size as usize >= SIZE_BYTES + BEHIND_SIZE.len();
    if !(is_small_enough && is_large_enough) {
        return Some(false);
    }
    (seen == BEHIND_SIZE.len()).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOOF: &[u8; 16] = b"\0\0\0\xECmoof\0\0\0\x10mfhd";

    #[test]
    fn a_fragment_is_found_behind_anything() {
        let garbage = b"\0\0\0\0moofmoof\0\0\0\x10mfhd\0\0moov\0\0";
        let bytes = [&garbage[..], MOOF].concat();
        assert_eq!(find_moof(&bytes), Search::Found(garbage.len()));
        assert_eq!(find_moof(b"nothing here"), Search::NotFound);
        assert_eq!(find_moof(&[]), Search::NotFound);
        assert_eq!(find_moof(b"\xFF\0\0\xECmoof\0\0\0\x10mfhd"), Search::NotFound, "too large");
    }

    #[test]
    fn the_beginning_of_another_run_is_a_place_to_go_on_too() {
        let ftyp = b"\0\0\0\x10ftypisom\0\0\0\0";
        let bytes = [&b"\0ftypisom\0\0\xFF\xFFftypisom"[..], ftyp, MOOF].concat();
        assert_eq!(find_entry(&bytes), Search::Found(21));
        assert_eq!(find_moof(&bytes), Search::Found(21 + ftyp.len()));
        assert_eq!(find_entry(MOOF), Search::Found(0));
        assert_eq!(find_entry(&ftyp[..9]), Search::Perhaps(0));
    }

    #[test]
    fn a_cut_fragment_is_only_perhaps_one() {
        for cut in 1..MOOF.len() {
            assert_eq!(find_moof(&MOOF[..cut]), Search::Perhaps(0), "cut at {cut}");
        }
        assert_eq!(find_moof(MOOF), Search::Found(0));
    }
}

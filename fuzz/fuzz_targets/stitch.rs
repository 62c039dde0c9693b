//! The stitcher, WebM and MP4: whatever comes, what it calls finished is finished.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use media::{Stitched, Stitcher};

/// Between two segments, and where bytes are missing inside one.
const NEXT: &[u8] = b"\xFE\xFE\xFE\xFE";
const HOLE: &[u8] = b"\xFD\xFD\xFD\xFD";

fuzz_target!(|data: &[u8]| {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
    for segment in split(data, NEXT) {
        stitcher.begin_segment().unwrap();
        for (number, piece) in split(segment, HOLE).enumerate() {
            if number > 0 {
                stitcher.hole().unwrap();
            }
            stitcher.push(piece).unwrap();
        }
        let account = stitcher.end_segment().unwrap().account;
        assert!(account.is_balanced(), "what came in is not what came out: {account:?}");
    }
    if let Ok(stitched) = stitcher.finish() {
        let is_whole = matches!(stitched, Stitched::Whole(..));
        let (file, report) = stitched.accept(|left_out| assert!(!left_out.is_nothing()));
        assert_eq!(is_whole, report.left_out().is_nothing());
        let file = file.into_inner();
        assert_eq!(file.len() as u64, report.bytes);
        let verified = media::verify(Cursor::new(&file)).expect("a finished file verifies");
        assert_eq!((verified.packets, verified.duration), (report.packets, report.duration));
    }
});

fn split<'a>(bytes: &'a [u8], by: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match bytes.windows(by.len()).position(|window| window == by) {
            Some(at) => {
                rest = Some(&bytes[at + by.len()..]);
                Some(&bytes[..at])
            }
            None => rest.take(),
        }
    })
}

//! What reads files that say they are finished: strict, and never fooled into a panic.
#![no_main]

use std::io::Cursor;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use media::{Inspector, Schedule, Source, combine, verify};

fuzz_target!(|data: &[u8]| {
    let _ = verify(Cursor::new(data));
    let mut inspector = Inspector::new();
    inspector.push(data).expect("nothing is large enough to wait in a file");
    let _ = inspector.finish();
    let mut later = Schedule::new();
    later.shift(Duration::from_secs(1), Duration::from_secs(7));
    let source = |schedule| Source { file: data, schedule, labels: Vec::new() };
    let sources = vec![source(Schedule::new()), source(later)];
    if let Ok((file, combined)) = combine(sources, Cursor::new(Vec::new())) {
        let verified = verify(Cursor::new(file.into_inner())).expect("what is combined verifies");
        assert_eq!(verified.packets, combined.packets + combined.silences);
    }
});

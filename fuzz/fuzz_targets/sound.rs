//! What decodes, or takes sound apart: no packet makes it panic, and what it makes is whole.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use media::{Peaks, Waveforms, to_ogg};

fuzz_target!(|data: &[u8]| {
    for drawn in [Waveforms::from_webm(data), Waveforms::from_mp4(Cursor::new(data))] {
        let Ok(waveforms) = drawn else { continue };
        for waveform in waveforms {
            assert_eq!(Peaks::from_bytes(&waveform.peaks.to_bytes()), Ok(waveform.peaks));
        }
    }
    let _ = to_ogg(data, std::io::sink());
    let _ = Peaks::from_bytes(data);
});

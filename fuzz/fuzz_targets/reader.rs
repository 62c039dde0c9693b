//! The EBML reader: whatever comes, in whatever portions, it ends, and holds no more than it got.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Event, WebmReader};

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the portions are.
    let Some((portion, stream)) = data.split_first() else { return };
    let mut reader = WebmReader::new();
    let mut payload = 0;
    for (number, piece) in stream.chunks(usize::from(*portion) + 1).enumerate() {
        reader.push(piece);
        payload += drain(&mut reader);
        if *portion == 77 && number % 5 == 4 {
            reader.hole();
            payload += drain(&mut reader);
        }
    }
    reader.end();
    payload += drain(&mut reader);
    assert!(payload <= stream.len(), "packets out of nothing");
    assert!(reader.adds_up(), "a byte is in no account: {:?}", reader.bytes());
    assert!(reader.held_bytes() <= 4 * data.len() + 4096, "it holds more than came");
});

fn drain(reader: &mut WebmReader) -> usize {
    let mut payload = 0;
    while let Ok(Some(event)) = reader.next_event() {
        if let Event::Block(block) = event {
            payload += block.payload().len();
        }
    }
    payload
}

//! Sound drawn in a second of one core: an element is a millisecond of the recording, so
//! "500 Kelem/s" is 500 times real time.

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::{Stitcher, Waveform, Waveforms};

/// How often each recording is repeated: some minutes, as in an interview.
const REPEATS: usize = 20;

/// What a browser recorded; the chunks are the fixtures of the tests.
fn recording(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let chunk = |number| std::fs::read(folder.join(format!("{name}.{number:03}.chunk"))).ok();
    (0..).map_while(chunk).flatten().collect()
}

/// The repeats, stitched, and how many milliseconds they last.
fn finished(run: &[u8]) -> (Vec<u8>, u64) {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).expect("memory can't fail");
    for _ in 0..REPEATS {
        stitcher.begin_segment().expect("no segment is open");
        stitcher.push(run).expect("a segment is open");
        stitcher.end_segment().expect("a segment is open");
    }
    let (file, report) = stitcher.finish().expect("there are packets").accept(|_| ());
    (file.into_inner(), u64::try_from(report.duration.as_millis()).expect("some minutes"))
}

fn draw_webm(file: &[u8]) -> Vec<Waveform> {
    Waveforms::from_webm(file).expect("a finished file")
}

fn draw_mp4(file: &[u8]) -> Vec<Waveform> {
    Waveforms::from_mp4(Cursor::new(file)).expect("a finished file")
}

fn peaks(criterion: &mut Criterion) {
    let recordings = [
        ("chromium, mono, 60 ms", "a_opus"),
        ("chromium, stereo, 60 ms", "beep1"),
        ("firefox, mono, 20 ms", "ff_a"),
        ("AAC in MP4, mono, 48 kHz", "aac_beeps"),
        ("AAC in MP4, stereo, 44.1 kHz", "aac_edits"),
    ];
    let mut group = criterion.benchmark_group("peaks");
    group.sample_size(10);
    for (label, name) in recordings {
        let (file, millis) = finished(&recording(name));
        group.throughput(Throughput::Elements(millis));
        let draw = if name.starts_with("aac") { draw_mp4 } else { draw_webm };
        group.bench_function(label, |bencher| bencher.iter(|| draw(black_box(&file))));
    }
    group.finish();
}

criterion_group!(benches, peaks);
criterion_main!(benches);

//! Shared builders for the tests, and a second, naive WebM reader to check the first against.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its own part, and some use all: an expectation would fail there"
)]

pub(crate) mod mp4;
pub(crate) mod players;

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use media::{FileType, MediaError, StitchReport, Stitcher, Verified};

pub(crate) const AUDIO: [&str; 7] =
    ["a_opus", "c_pause", "d_run2", "e_req", "beep1", "beep2", "ff_a"];
pub(crate) const VIDEO: [&str; 4] = ["b_vp8", "b_vp9", "d_vrun2", "ff_v"];

pub(crate) fn samples() -> impl Iterator<Item = &'static str> {
    AUDIO.into_iter().chain(VIDEO)
}

/// The chunks of a sample, as the browser handed them over.
pub(crate) fn chunks(sample: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let chunk = |number| std::fs::read(folder.join(format!("{sample}.{number:03}.chunk"))).ok();
    let chunks: Vec<_> = (0..).map_while(chunk).collect();
    assert!(!chunks.is_empty(), "there is no sample {sample}");
    chunks
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    chunks(name).concat()
}

pub(crate) struct Stitched {
    pub(crate) file: Vec<u8>,
    pub(crate) report: StitchReport,
}

impl Stitched {
    /// A file that was made in another way, for the players, who only look at it.
    pub(crate) fn of_pictures(file: Vec<u8>, duration: Duration, packets: u64) -> Self {
        let report = StitchReport {
            file_type: FileType::VideoWebm,
            duration,
            bytes: file.len() as u64,
            packets,
            clusters: 0,
            cues: 0,
            segments: Vec::new(),
        };
        Self { file, report }
    }

    pub(crate) fn verified(&self) -> Verified {
        media::verify(Cursor::new(&self.file)).expect("a stitched file verifies")
    }

    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        payloads(&self.file)
    }
}

/// Stitches segments, each given as its portions.
pub(crate) fn stitch_portions(segments: &[Vec<&[u8]>]) -> Result<Stitched, MediaError> {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new()))?;
    for portions in segments {
        stitcher.begin_segment()?;
        for portion in portions {
            stitcher.push(portion)?;
        }
        stitcher.end_segment()?;
    }
    let (file, report) = stitcher.finish()?.accept(|_| ());
    Ok(Stitched { file: file.into_inner(), report })
}

/// Stitches segments, each given whole.
pub(crate) fn stitch(segments: &[&[u8]]) -> Result<Stitched, MediaError> {
    let portions: Vec<_> = segments.iter().map(|segment| vec![*segment]).collect();
    stitch_portions(&portions)
}

pub(crate) fn stitch_samples(names: &[&str]) -> Stitched {
    let segments: Vec<_> = names.iter().map(|name| sample(name)).collect();
    let segments: Vec<_> = segments.iter().map(Vec::as_slice).collect();
    stitch(&segments).expect("samples stitch")
}

/// A packet by the naive reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) track: u8,
    pub(crate) millis: i64,
    pub(crate) keyframe: bool,
    pub(crate) payload: Vec<u8>,
}

/// Every SimpleBlock up to the first element that is cut or makes no sense.
pub(crate) fn packets(bytes: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut cluster = 0;
    for (id, body) in elements(bytes) {
        match id {
            0xE7 => cluster = body.iter().fold(0, |value, byte| value << 8 | i64::from(*byte)),
            0xA3 => packets.push(Packet {
                track: body[0] & 0x7F,
                millis: cluster + i64::from(i16::from_be_bytes([body[1], body[2]])),
                keyframe: body[3] & 0x80 != 0,
                payload: body[4..].to_vec(),
            }),
            _ => {}
        }
    }
    packets
}

pub(crate) fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    packets(bytes).into_iter().map(|packet| packet.payload).collect()
}

/// All elements in order; the Segment and its Clusters are entered, so their bodies are empty.
pub(crate) fn elements(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    const ENTERED: [u32; 2] = [0x1853_8067, 0x1F43_B675];
    let mut elements = Vec::new();
    let mut rest = bytes;
    while let Some((id, after_id)) = field(rest, false) {
        let Some((size, after_size)) = field(after_id, true) else {
            break;
        };
        let id = u32::try_from(id).expect("ids have four bytes at most");
        let size = if ENTERED.contains(&id) { 0 } else { size };
        let Ok(size) = usize::try_from(size) else {
            break;
        };
        let Some(body) = after_size.get(..size) else {
            break;
        };
        elements.push((id, body));
        rest = &after_size[size..];
    }
    elements
}

/// Where the SimpleBlocks of a source end, in bytes.
pub(crate) fn block_ends(bytes: &[u8]) -> Vec<usize> {
    let end_of = |body: &[u8]| body.as_ptr() as usize - bytes.as_ptr() as usize + body.len();
    let blocks = elements(bytes).into_iter().filter(|(id, _)| *id == 0xA3);
    blocks.map(|(_, body)| end_of(body)).collect()
}

fn field(bytes: &[u8], drop_marker: bool) -> Option<(u64, &[u8])> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let value = bytes.get(..len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    let value = if drop_marker { value & !(1 << (7 * len)) } else { value };
    Some((value, &bytes[len..]))
}

/// The shortest live WebM of a test: the head of a real one, then clusters made by hand.
pub(crate) struct Handmade {
    pub(crate) bytes: Vec<u8>,
}

impl Handmade {
    /// The head of a one-track Opus recording.
    pub(crate) fn opus() -> Self {
        let sample = sample("a_opus");
        let head = sample.windows(4).position(|window| window == [0x1F, 0x43, 0xB6, 0x75]);
        Self { bytes: sample[..head.expect("a sample has a cluster")].to_vec() }
    }

    pub(crate) fn cluster(mut self, millis: u64) -> Self {
        self.bytes.extend_from_slice(&[0x1F, 0x43, 0xB6, 0x75, 0xFF]);
        self.raw(&[&[0xE7, 0x88][..], &millis.to_be_bytes()].concat())
    }

    /// A SimpleBlock of track 1 with a 4-byte size field.
    pub(crate) fn block(self, relative: i16, payload: &[u8]) -> Self {
        let size = (payload.len() as u32 + 4) | 1 << 28;
        let [high, low] = relative.to_be_bytes();
        let head = [&[0xA3][..], &size.to_be_bytes(), &[0x81, high, low, 0x80]].concat();
        self.raw(&head).raw(payload)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// A 20 ms Opus packet with a mark to know it by.
pub(crate) fn opus_20_ms(mark: u8) -> Vec<u8> {
    vec![0xF8, mark, mark]
}

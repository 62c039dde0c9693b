//! A file that is read while it is written is verified like one that is read at once.

mod common;

use std::io::{BufWriter, Cursor};

use common::{chunks, samples, stitch_samples};
use media::{Flaw, MediaError, Stitcher, Verifier, verify};

/// Of the last block of a file, some bytes before the Cues begin.
const BEFORE_THE_CUES: usize = 40;
const CUES: [u8; 4] = [0x1C, 0x53, 0xBB, 0x6B];
/// What stands in a cue before the length of its position.
const CUE_OF_TRACK_1: [u8; 4] = [0xF7, 0x81, 0x01, 0xF1];
const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
const SIMPLE_BLOCK: u8 = 0xA3;

fn place_of(file: &[u8], mark: &[u8]) -> usize {
    file.windows(mark.len()).position(|window| window == mark).expect("the mark is there")
}

/// The verifier after it was shown so many bytes more each time.
fn shown(file: &[u8], step: usize) -> Verifier {
    let mut verifier = Verifier::default();
    for shown in (0..file.len()).step_by(step) {
        verifier.advance(Cursor::new(&file[..shown])).expect("no flaw so far");
    }
    verifier
}

#[test]
fn what_is_read_while_it_is_written_is_verified_the_same() {
    for name in samples() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut stitcher = Stitcher::new(BufWriter::new(file.reopen().unwrap())).unwrap();
        let mut verifier = Verifier::default();
        for _run in 0..3 {
            stitcher.begin_segment().unwrap();
            for chunk in chunks(name) {
                stitcher.push(&chunk).unwrap();
                verifier.advance(file.reopen().unwrap()).unwrap();
            }
            stitcher.end_segment().unwrap();
        }
        let (out, report) = stitcher.finish().unwrap().accept(|_| ());
        drop(out);
        let verified = verifier.finish(file.reopen().unwrap()).unwrap();
        assert_eq!(verified, verify(file.reopen().unwrap()).unwrap(), "{name}");
        assert_eq!(verified.packets, report.packets, "{name}");
    }
}

#[test]
fn it_does_not_matter_in_which_portions_a_file_grows() {
    let file = stitch_samples(&["a_opus", "d_run2"]).file;
    let at_once = verify(Cursor::new(&file)).unwrap();
    for step in [1, 7, 1_000, file.len()] {
        assert_eq!(shown(&file, step).finish(Cursor::new(&file)).unwrap(), at_once, "{step}");
    }
}

#[test]
fn what_was_read_is_not_read_again() {
    let mut file = stitch_samples(&["a_opus", "d_run2"]).file;
    let verifier = shown(&file, 1_000);
    let cluster = place_of(&file, &CLUSTER);
    let block = cluster + place_of(&file[cluster..], &[SIMPLE_BLOCK]);
    file[block] = 0xEC;
    assert!(verify(Cursor::new(&file)).is_err());
    verifier.finish(Cursor::new(&file)).expect("it was right when it was read");
}

#[test]
fn a_flaw_is_found_before_and_behind_what_was_read() {
    let whole = stitch_samples(&["a_opus", "d_run2"]).file;
    let cluster = place_of(&whole, &CLUSTER);

    let mut early = whole.clone();
    let block = cluster + place_of(&early[cluster..], &[SIMPLE_BLOCK]);
    early[block] = 0xEC;
    let found = Verifier::default().advance(Cursor::new(&early)).unwrap_err();
    assert!(matches!(found, MediaError::NotFinished { flaw: Flaw::Unexpected(_), .. }), "{found}");

    let mut late = whole.clone();
    let cues = place_of(&late, &CUES);
    let shorter = &whole[..cues - BEFORE_THE_CUES];
    let verifier = shown(shorter, 1_000);
    late.remove(cues - BEFORE_THE_CUES);
    assert!(verifier.finish(Cursor::new(&late)).is_err());

    let mut misleading = whole.clone();
    let position = cues + place_of(&misleading[cues..], &CUE_OF_TRACK_1) + CUE_OF_TRACK_1.len() + 1;
    misleading[position] ^= 0x01;
    let verifier = shown(&whole, 1_000);
    let found = verifier.finish(Cursor::new(&misleading)).unwrap_err();
    assert!(matches!(found, MediaError::NotFinished { flaw: Flaw::Cue, .. }), "{found}");
}

#[test]
fn what_was_read_of_another_file_counts_for_nothing() {
    let other = stitch_samples(&["b_vp8"]).file;
    let mp4 = stitch_samples(&["g_audiomp4"]).file;
    for file in [stitch_samples(&["a_opus"]).file, stitch_samples(&["b_vp9"]).file, mp4] {
        let verifier = shown(&other, 10_000);
        assert_eq!(
            verifier.finish(Cursor::new(&file)).unwrap(),
            verify(Cursor::new(&file)).unwrap()
        );
    }
}

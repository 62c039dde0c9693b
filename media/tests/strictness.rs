//! `verify` says no to everything that is not a finished file.

mod common;

use common::{sample, samples, stitch_samples};
use media::{Flaw, MediaError, verify};
use proptest::prelude::*;
use std::io::Cursor;

fn flaw_of(file: &[u8]) -> Flaw {
    match verify(Cursor::new(file)) {
        Err(MediaError::NotFinished { flaw, .. }) => flaw,
        other => panic!("expected a flaw, not {other:?}"),
    }
}

fn find(file: &[u8], bytes: &[u8]) -> usize {
    file.windows(bytes.len()).position(|window| window == bytes).expect("the bytes are there")
}

/// A finished file with some bytes behind a mark replaced.
fn changed(mark: &[u8], skip: usize, replacement: &[u8]) -> Vec<u8> {
    let mut file = stitch_samples(&["a_opus", "d_run2"]).file;
    let at = find(&file, mark) + mark.len() + skip;
    file[at..at + replacement.len()].copy_from_slice(replacement);
    file
}

#[test]
fn what_a_recorder_writes_is_not_a_finished_file() {
    for name in samples() {
        let flaw = flaw_of(&sample(name));
        assert!(matches!(flaw, Flaw::UnknownSize(_)), "{name}: {flaw}");
    }
    assert!(matches!(flaw_of(&[]), Flaw::NotAnElement));
    assert!(matches!(flaw_of(&sample("g_audiomp4")), Flaw::MissingBox(_)));
}

#[test]
fn a_file_cut_short_or_with_something_behind_it_is_not_finished() {
    let file = stitch_samples(&["a_opus"]).file;
    assert!(matches!(flaw_of(&file[..file.len() - 1]), Flaw::TooLarge(_)));
    assert_eq!(flaw_of(&[&file[..], &[0]].concat()), Flaw::SegmentSize);
}

#[test]
fn a_wrong_duration_is_found() {
    assert_eq!(flaw_of(&changed(&[0x44, 0x89, 0x88], 0, &12361f64.to_be_bytes())), Flaw::Duration);
    assert_eq!(flaw_of(&changed(&[0x44, 0x89, 0x88], 0, &f64::NAN.to_be_bytes())), Flaw::Duration);
}

#[test]
fn a_seek_head_that_misleads_is_found() {
    assert!(matches!(flaw_of(&changed(&[0x53, 0xAC, 0x88], 7, &[0x61])), Flaw::SeekHead(_)));
}

#[test]
fn a_cue_that_misleads_is_found() {
    // CuePoint: B3 .. time B7 .. F7 81 track F1 .. position; the first has the time 0.
    let file = stitch_samples(&["a_opus", "d_run2"]).file;
    let mut ids = file.windows(4).enumerate();
    let cues = ids.rfind(|(_, id)| *id == [0x1C, 0x53, 0xBB, 0x6B]).expect("there are cues").0;
    let position = cues + find(&file[cues..], &[0xF1]) + 2;
    let mut wrong_position = file.clone();
    wrong_position[position] ^= 1;
    assert_eq!(flaw_of(&wrong_position), Flaw::Cue);
    let time = cues + find(&file[cues..], &[0xB3, 0x82]) + 2;
    let mut wrong_time = file;
    wrong_time[time + 1] ^= 1;
    assert_eq!(flaw_of(&wrong_time), Flaw::Cue);
}

#[test]
fn a_time_that_goes_back_is_found() {
    assert_eq!(flaw_of(&changed(&[0xA3, 0x8C, 0x81], 0, &[0x7F, 0xFF])), Flaw::TimeGoesBack);
}

#[test]
fn an_unfinished_output_is_not_a_finished_file() {
    let mut out = Cursor::new(Vec::new());
    let mut stitcher = media::Stitcher::new(&mut out).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&sample("a_opus")).unwrap();
    stitcher.end_segment().unwrap();
    drop(stitcher);
    assert!(matches!(flaw_of(out.get_ref()), Flaw::UnknownSize(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_change_of_a_finished_file_makes_it_panic(
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 1..8),
        in_head in any::<bool>(),
    ) {
        let mut file = stitch_samples(&["e_req"]).file;
        let reach = if in_head { 400 } else { file.len() };
        for (at, byte) in changes {
            file[(at * reach as f64) as usize] = byte;
        }
        let _ = verify(Cursor::new(file));
    }
}

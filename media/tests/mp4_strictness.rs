//! `verify` says no to every MP4 that is not a finished file.

mod common;

use common::mp4::{AUDIO, VIDEO};
use common::{sample, stitch_samples};
use media::{BoxType, Flaw, MediaError, verify};
use proptest::prelude::*;
use std::io::Cursor;

fn flaw_of(file: &[u8]) -> Flaw {
    match verify(Cursor::new(file)) {
        Err(MediaError::NotFinished { flaw, .. }) => flaw,
        other => panic!("expected a flaw, not {other:?}"),
    }
}

/// A finished file with the byte changed that stands so far behind the last box of this name.
fn changed(name: &[u8; 4], skip: usize) -> Vec<u8> {
    let mut file = stitch_samples(&[VIDEO, VIDEO]).file;
    let at = file.windows(4).rposition(|window| window == name).expect("the box is there");
    file[at + 4 + skip] ^= 1;
    file
}

fn table(name: &[u8; 4]) -> Flaw {
    Flaw::Table(BoxType(*name))
}

fn missing(name: &[u8; 4]) -> Flaw {
    Flaw::MissingBox(BoxType(*name))
}

#[test]
fn what_a_recorder_writes_is_not_a_finished_file() {
    for name in [AUDIO, VIDEO] {
        assert_eq!(flaw_of(&sample(name)), missing(b"mdat"));
    }
}

#[test]
fn a_file_cut_short_or_with_something_behind_it_is_not_finished() {
    let file = stitch_samples(&[AUDIO]).file;
    for cut in [0, 7, 8, 20, 36, 50, 100, file.len() - 1000, file.len() - 1] {
        assert!(verify(Cursor::new(&file[..cut])).is_err(), "cut at {cut}");
    }
    let behind = [&file[..], b"\0\0\0\x08free"].concat();
    assert_eq!(flaw_of(&behind), Flaw::UnexpectedBox(BoxType(*b"moov")));
}

#[test]
fn an_unfinished_output_is_not_a_finished_file() {
    let mut out = Cursor::new(Vec::new());
    let mut stitcher = media::Stitcher::new(&mut out).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&sample(AUDIO)).unwrap();
    stitcher.end_segment().unwrap();
    drop(stitcher);
    assert!(out.get_ref().len() > 50_000);
    assert_eq!(flaw_of(out.get_ref()), Flaw::NotABox);
}

#[test]
fn tables_that_disagree_are_found() {
    // Behind a name: version and flags (4), number of entries (4), then the entries.
    assert_eq!(flaw_of(&changed(b"stts", 8 + 3)), table(b"stts"), "a run of samples more");
    assert_eq!(flaw_of(&changed(b"stts", 8 + 7)), table(b"stts"), "a tick more");
    assert_eq!(flaw_of(&changed(b"stts", 7)), missing(b"stts"), "an entry more");
    assert_eq!(flaw_of(&changed(b"stsc", 8 + 7)), table(b"stsc"), "a sample more in a chunk");
    assert_eq!(flaw_of(&changed(b"stsc", 8 + 11)), table(b"stsc"), "no such description");
    assert_eq!(flaw_of(&changed(b"stss", 8 + 3)), table(b"stss"), "no sample 0");
    assert_eq!(flaw_of(&changed(b"stsz", 11)), missing(b"stsz"), "a sample more");
}

#[test]
fn samples_that_are_not_the_media_are_found() {
    assert_eq!(flaw_of(&changed(b"stsz", 12 + 3)), Flaw::Media, "a byte more or less");
    assert_eq!(flaw_of(&changed(b"stco", 8 + 3)), Flaw::Media, "a byte further");
}

#[test]
fn wrong_durations_are_found() {
    // Behind a name: version and flags (4), two dates (8), then what is counted here.
    assert_eq!(flaw_of(&changed(b"mvhd", 12 + 7)), Flaw::Duration);
    assert_eq!(flaw_of(&changed(b"mdhd", 12 + 7)), table(b"stts"));
    assert_eq!(flaw_of(&changed(b"tkhd", 12 + 10)), Flaw::Duration);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_of_a_finished_file_makes_it_panic(
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 1..8),
        name in prop::sample::select(vec![AUDIO, VIDEO]),
    ) {
        let mut file = stitch_samples(&[name]).file;
        let moov = file.windows(4).rposition(|window| window == b"moov").unwrap();
        let reach = file.len() - moov;
        for (at, byte) in changes {
            file[moov + (at * reach as f64) as usize] = byte;
        }
        let _ = verify(Cursor::new(file));
    }
}

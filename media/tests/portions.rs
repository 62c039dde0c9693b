//! How a segment is cut into pushes must not matter.

mod common;

use common::{chunks, packets, sample, stitch, stitch_portions};
use proptest::prelude::*;

/// Cuts bytes at fractions of their length.
fn portions<'a>(bytes: &'a [u8], cuts: &[f64]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_portioning_of_pushes_gives_the_same_file(
        cuts in prop::collection::vec(0.0..1.0, 0..40),
        names in prop::sample::select(vec![
            ["a_opus", "ff_a"], ["b_vp8", "d_vrun2"], ["ff_v", "b_vp8"],
            ["g_audiomp4", "g_audiomp4"], ["g_videomp4", "g_audiomp4"],
        ]),
    ) {
        let sources = names.map(sample);
        let whole = stitch(&[&sources[0], &sources[1]]).unwrap();
        let cut: Vec<_> = sources.iter().map(|source| portions(source, &cuts)).collect();
        let cut = stitch_portions(&cut).unwrap();
        prop_assert!(whole.file == cut.file);
        prop_assert_eq!(whole.report, cut.report);
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same_file() {
    for name in ["e_req", "g_audiomp4"] {
        let source = sample(name);
        let bytes = stitch_portions(&[source.chunks(1).collect()]).unwrap();
        assert!(bytes.file == stitch(&[&source]).unwrap().file, "{name}");
    }
}

#[test]
fn the_browsers_own_chunks_give_the_same_file() {
    for name in common::samples().chain(["g_audiomp4", "g_videomp4"]) {
        let chunks = chunks(name);
        let portions = chunks.iter().map(Vec::as_slice).collect();
        let chunked = stitch_portions(&[portions]).unwrap();
        assert!(chunked.file == stitch(&[&chunks.concat()]).unwrap().file, "{name}");
    }
}

#[test]
fn empty_pushes_change_nothing() {
    let source = sample("a_opus");
    let (start, end) = source.split_at(5000);
    let with_empty = stitch_portions(&[vec![&[], start, &[], &[], end, &[]]]).unwrap();
    assert!(with_empty.file == stitch(&[&source]).unwrap().file);
}

/// A mark between two of the browser's chunks lies between their packets; but Firefox's encoder of
/// pictures is late, and what it gives out later still belongs before the mark.
#[test]
fn a_mark_lies_between_what_has_come_and_what_follows() {
    for (name, is_late) in [("a_opus", false), ("ff_a", false), ("b_vp8", false), ("ff_v", true)] {
        let chunks = chunks(name);
        let mut stitcher = media::Stitcher::new(std::io::Cursor::new(Vec::new())).unwrap();
        stitcher.begin_segment().unwrap();
        let marks: Vec<_> =
            chunks.iter().map(|chunk| stitcher.push_marking(chunk).unwrap()).collect();
        stitcher.end_segment().unwrap();
        let (file, _) = stitcher.finish().unwrap().accept(|_| ());
        assert!(file.get_ref() == &stitch(&[&chunks.concat()]).unwrap().file, "{name}");
        let times: Vec<_> = packets(file.get_ref()).iter().map(|packet| packet.millis).collect();
        for (order, mark) in marks.iter().enumerate() {
            let mark = i64::try_from(mark.as_millis()).unwrap();
            let (came, follows) = times.split_at(packets(&chunks[..order].concat()).len());
            assert!(came.iter().all(|time| *time < mark), "{name}, {mark} ms: {:?}", came.last());
            let is_behind = |time: &i64| *time >= mark;
            assert!(is_late || follows.iter().all(is_behind), "{name}, {mark}: {follows:?}");
        }
    }
}

//! What is told of a file: as it is, whole or cut, finished or live.

mod common;

use std::time::Duration;

use common::mp4::{AUDIO, VIDEO};
use common::{packets, sample, samples, stitch_samples};
use media::{Inspection, Inspector, Problem, Refusal};

fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspector = Inspector::new();
    inspector.push(bytes).expect("nothing waits in a file");
    inspector.finish().expect("nothing waits in a file")
}

#[test]
fn a_live_recording_is_described_as_its_packets_are() {
    for name in samples() {
        let source = sample(name);
        let (expected, inspection) = (packets(&source), inspect(&source));
        assert_eq!(inspection.problems, [], "{name}");
        assert_eq!(inspection.bytes, source.len() as u64, "{name}");
        let [run] = &inspection.runs[..] else { panic!("{name}: {} runs", inspection.runs.len()) };
        let told: u64 = run.tracks.iter().map(|track| track.packets).sum();
        assert_eq!(told, expected.len() as u64, "{name}");
        let keyframes: u64 = run.tracks.iter().map(|track| track.keyframes).sum();
        let expected = expected.iter().filter(|packet| packet.keyframe).count();
        assert_eq!(keyframes, expected as u64, "{name}");
    }
}

#[test]
fn a_finished_recording_lasts_as_long_as_its_duration_says() {
    for name in samples() {
        let stitched = stitch_samples(&[name]);
        let inspection = inspect(&stitched.file);
        assert_eq!(inspection.problems, [], "{name}");
        assert_eq!(inspection.dangling_bytes, 0, "{name}");
        assert_eq!(inspection.runs[0].duration, stitched.report.duration, "{name}");
        assert_eq!(inspection.runs[0].clusters, stitched.report.clusters, "{name}");
    }
}

#[test]
fn the_same_is_told_whatever_the_portions() {
    let source = sample("b_vp8");
    let mut inspector = Inspector::new();
    source.chunks(7).for_each(|portion| inspector.push(portion).unwrap());
    assert_eq!(inspector.finish().unwrap(), inspect(&source));
}

#[test]
fn a_cut_recording_has_dangling_bytes_and_two_runs_a_second_header() {
    let source = sample("a_opus");
    let cut = inspect(&source[..source.len() - 5]);
    assert!(cut.dangling_bytes > 0);
    let two = inspect(&[sample("beep1"), sample("beep2")].concat());
    assert_eq!((two.runs.len(), &two.problems[..]), (2, &[Problem::SecondHeader][..]));
    assert_eq!(two.runs[0].duration, two.runs[1].duration);
    assert!(two.runs[0].tracks[0].longest_step <= Duration::from_millis(60));
}

#[test]
fn fragments_of_an_mp4_are_described_as_their_samples_are() {
    for name in [AUDIO, VIDEO] {
        let (stitched, inspection) = (stitch_samples(&[name]), inspect(&sample(name)));
        assert_eq!(inspection.problems, [], "{name}");
        let [run] = &inspection.runs[..] else { panic!("{name}: {} runs", inspection.runs.len()) };
        let told: u64 = run.tracks.iter().map(|track| track.packets).sum();
        assert_eq!((&*run.doc_type, told), ("mp4", stitched.report.packets), "{name}");
        assert_eq!(run.tracks.len(), stitched.verified().tracks.len(), "{name}");
        let apart = run.duration.abs_diff(stitched.report.duration);
        assert!(apart <= Duration::from_millis(60), "{name}: {apart:?}");
        let mut inspector = Inspector::new();
        sample(name).chunks(7).for_each(|portion| inspector.push(portion).unwrap());
        assert_eq!(inspector.finish().unwrap(), inspection, "{name}, whatever the portions");
    }
}

#[test]
fn a_cut_mp4_has_dangling_bytes_and_a_damaged_one_says_where() {
    let source = sample(AUDIO);
    assert!(inspect(&source[..source.len() - 5]).dangling_bytes > 0);
    let mut damaged = source.clone();
    let moof = source.windows(4).rposition(|name| name == b"moof").unwrap();
    damaged[moof..moof + 4].copy_from_slice(b"oops");
    assert!(
        matches!(inspect(&damaged).problems[..], [Problem::Damaged(_), ..]),
        "{:?}",
        inspect(&damaged).problems
    );
}

#[test]
fn what_is_no_webm_is_told() {
    let refused = |bytes: &[u8]| match &inspect(bytes).problems[..] {
        [Problem::Refused(refusal)] | [Problem::Refused(refusal), Problem::LeftOut(_)] => {
            refusal.clone()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b""), Refusal::Empty);
    assert_eq!(refused(&[b'x'; 100]), Refusal::NotWebm);
}

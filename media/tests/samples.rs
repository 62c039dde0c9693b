//! What real recorders wrote, alone and joined.

mod common;

use std::time::Duration;

use common::{AUDIO, VIDEO, packets, payloads, sample, samples, stitch_samples};
use media::TrackKind;

#[test]
fn every_sample_stitches_alone_and_verifies() {
    for name in samples() {
        let stitched = stitch_samples(&[name]);
        let verified = stitched.verified();
        assert_eq!(verified.duration, stitched.report.duration, "{name}");
        assert_eq!(verified.packets, stitched.report.packets, "{name}");
        assert_eq!(verified.clusters, stitched.report.clusters, "{name}");
        assert_eq!(verified.cues, stitched.report.cues, "{name}");
        assert_eq!(stitched.file.len() as u64, stitched.report.bytes, "{name}");
        assert_eq!(stitched.report.segments[0].problems, [], "{name}");
    }
}

#[test]
fn every_packet_of_a_sample_is_in_the_file_in_order_and_unchanged() {
    for name in samples() {
        let source = sample(name);
        assert!(stitch_samples(&[name]).payloads() == payloads(&source), "{name}");
    }
}

#[test]
fn packets_keep_their_distances_and_start_at_zero() {
    for name in samples() {
        let source = packets(&sample(name));
        let written = packets(&stitch_samples(&[name]).file);
        let times = |packets: &[common::Packet]| {
            let first = packets[0].millis;
            packets.iter().map(|packet| packet.millis - first).collect::<Vec<_>>()
        };
        assert_eq!(written[0].millis, 0, "{name}");
        assert_eq!(times(&source), times(&written), "{name}");
    }
}

#[test]
fn a_duration_is_the_sum_of_the_packets_durations() {
    let seconds = |name| stitch_samples(&[name]).report.duration.as_secs_f64();
    assert_eq!(seconds("a_opus"), 103.0 * 0.060);
    assert_eq!(seconds("e_req"), 66.0 * 0.060, "its own Duration says 1 ms");
    assert_eq!(seconds("ff_a"), 311.0 * 0.020, "its own Duration says 0");
}

#[test]
fn audio_blocks_are_all_key_and_video_blocks_as_they_were() {
    for name in AUDIO {
        let written = packets(&stitch_samples(&[name]).file);
        assert!(written.iter().all(|packet| packet.keyframe), "{name}");
    }
    for name in VIDEO {
        let stitched = stitch_samples(&[name]);
        let tracks = stitched.verified().tracks;
        let video = 1 + tracks.iter().position(|track| track.kind == TrackKind::Video).unwrap();
        let source = packets(&sample(name));
        for (before, after) in source.iter().zip(packets(&stitched.file)) {
            let expected = usize::from(after.track) != video || before.keyframe;
            assert_eq!(after.keyframe, expected, "{name} at {} ms", after.millis);
        }
    }
}

#[test]
fn a_chromium_recording_ends_in_its_dangling_byte_only_when_it_is_cut_at_a_chunk() {
    let dangling = |name| stitch_samples(&[name]).report.segments[0].account.bytes.cut_off;
    assert_eq!(dangling("a_opus"), 0, "stopped properly");
    assert_eq!(dangling("b_vp8"), 1, "cut after its fourth chunk");
    assert_eq!(dangling("ff_v"), 0, "Firefox cuts at element edges");
}

fn joins(first: &str, second: &str) {
    let (one, other) = (stitch_samples(&[first]), stitch_samples(&[second]));
    let both = stitch_samples(&[first, second]);
    let verified = both.verified();
    let sum = one.report.duration + other.report.duration;
    assert_eq!(verified.duration, sum, "{first} + {second}");
    assert_eq!(both.report.packets, one.report.packets + other.report.packets);
    assert_eq!(both.report.segments[1].start, one.report.duration);
    assert_eq!(both.report.segments[1].duration, other.report.duration);
    assert!(both.payloads() == [one.payloads(), other.payloads()].concat());
    let second_start = &packets(&both.file)[one.payloads().len()];
    assert_eq!(Duration::from_millis(second_start.millis as u64), one.report.duration);
}

#[test]
fn two_chromium_audio_runs_join_without_a_gap() {
    joins("a_opus", "d_run2");
    joins("beep1", "beep2");
    joins("c_pause", "e_req");
}

#[test]
fn two_chromium_video_runs_join_without_a_gap() {
    joins("b_vp8", "d_vrun2");
}

#[test]
fn chromium_and_firefox_join_in_either_order() {
    joins("a_opus", "ff_a");
    joins("ff_a", "a_opus");
    joins("b_vp8", "ff_v");
    joins("ff_v", "b_vp8");
}

#[test]
fn audio_is_cued_about_every_second_and_video_at_every_keyframe() {
    let audio = stitch_samples(&["a_opus", "d_run2"]);
    assert_eq!(audio.report.cues, audio.report.clusters);
    assert!((12..=14).contains(&audio.report.cues), "{} cues in 12.36 s", audio.report.cues);

    for name in VIDEO {
        let stitched = stitch_samples(&[name]);
        let tracks = stitched.verified().tracks;
        let video = 1 + tracks.iter().position(|track| track.kind == TrackKind::Video).unwrap();
        let keyframes = packets(&stitched.file)
            .iter()
            .filter(|packet| usize::from(packet.track) == video && packet.keyframe)
            .count();
        assert_eq!(stitched.report.cues, keyframes as u64, "{name}");
    }
}

#[test]
fn the_file_begins_where_the_output_stands() {
    use std::io::{Cursor, Seek, SeekFrom};
    let mut out = Cursor::new(b"before".to_vec());
    out.seek(SeekFrom::End(0)).unwrap();
    let mut stitcher = media::Stitcher::new(out).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&sample("a_opus")).unwrap();
    stitcher.end_segment().unwrap();
    let (mut out, report) = stitcher.finish().unwrap().accept(|_| ());
    assert_eq!(out.position(), 6 + report.bytes);
    out.set_position(6);
    assert_eq!(media::verify(&mut out).unwrap().packets, 103);
    assert!(out.into_inner()[6..] == stitch_samples(&["a_opus"]).file);
}

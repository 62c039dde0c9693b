//! What browsers that record fragmented MP4 wrote, alone and joined.

mod common;

use std::time::Duration;

use common::mp4::{self, AUDIO, Sample, VIDEO, file_samples, only, payloads, source_samples};
use common::{sample, stitch, stitch_samples};
use media::{Container, FileType, TrackKind};

const SOUND: [u8; 4] = *b"soun";
const PICTURE: [u8; 4] = *b"vide";

#[test]
fn every_sample_stitches_alone_and_verifies() {
    for name in [AUDIO, VIDEO] {
        let stitched = stitch_samples(&[name]);
        let verified = stitched.verified();
        assert_eq!(verified.container, Container::Mp4);
        assert_eq!(verified.duration, stitched.report.duration, "{name}");
        assert_eq!(verified.packets, stitched.report.packets, "{name}");
        assert_eq!(verified.clusters, stitched.report.clusters, "{name}");
        assert_eq!(verified.cues, stitched.report.cues, "{name}");
        assert_eq!(stitched.file.len() as u64, stitched.report.bytes, "{name}");
        assert_eq!(stitched.report.segments[0].problems, [], "{name}");
        assert_eq!(stitched.report.segments[0].account.bytes.cut_off, 0, "{name}");
    }
}

#[test]
fn the_report_tells_what_was_written() {
    let types = [
        (AUDIO, FileType::AudioMp4, "audio/mp4", "mp4"),
        (VIDEO, FileType::VideoMp4, "video/mp4", "mp4"),
        ("a_opus", FileType::AudioWebm, "audio/webm", "webm"),
        ("b_vp8", FileType::VideoWebm, "video/webm", "webm"),
    ];
    for (name, file_type, mime, extension) in types {
        let told = stitch_samples(&[name]).report.file_type;
        assert_eq!((told, told.mime(), told.extension()), (file_type, mime, extension));
    }
}

#[test]
fn every_sample_of_a_recording_is_in_the_file_in_order_and_unchanged() {
    for name in [AUDIO, VIDEO] {
        let source = source_samples(&sample(name));
        let written = file_samples(&stitch_samples(&[name]).file);
        assert!(payloads(&written) == payloads(&source), "{name}");
        let syncs = |samples: &[Sample]| {
            only(samples, PICTURE).iter().map(|one| one.is_sync).collect::<Vec<_>>()
        };
        assert_eq!(syncs(&written), syncs(&source), "{name}");
    }
}

/// What Chromium's header has players cut off from the beginning of its sound is sound.
#[test]
fn no_sound_is_cut_off_from_the_beginning_of_a_chromium_recording() {
    let pre_skip = |file: &[u8]| {
        let at = file.windows(4).position(|name| name == b"dOps").expect("a track of Opus");
        u16::from_be_bytes([file[at + 6], file[at + 7]])
    };
    for name in [AUDIO, VIDEO] {
        assert_eq!(pre_skip(&sample(name)), 3_840, "{name}");
        assert_eq!(pre_skip(&stitch_samples(&[name]).file), 0, "{name}");
    }
}

#[test]
fn every_sample_plays_at_its_own_tick() {
    for name in [AUDIO, VIDEO] {
        let source = source_samples(&sample(name));
        let written = file_samples(&stitch_samples(&[name]).file);
        for handler in [SOUND, PICTURE] {
            let times = |samples: &[Sample]| {
                only(samples, handler).iter().map(|one| one.at).collect::<Vec<_>>()
            };
            assert_eq!(times(&written), times(&source), "{name}");
        }
    }
}

#[test]
fn the_wrong_duration_at_the_end_of_a_fragment_is_not_believed() {
    let written = file_samples(&stitch_samples(&[AUDIO]).file);
    let steps = written.windows(2).map(|pair| pair[1].at - pair[0].at);
    // 60 ms at 48000 ticks a second, by the recorder's own clock; it claims 21 ms for each last.
    assert!(steps.clone().all(|step| (2_878..=2_882).contains(&step)), "{:?}", steps.max());
}

#[test]
fn a_duration_is_the_end_of_the_last_packet() {
    let sound = stitch_samples(&[AUDIO]);
    assert_eq!(sound.report.packets, 103);
    assert_eq!(sound.report.duration, Duration::from_millis(103 * 60));
    let verified = stitch_samples(&[VIDEO]).verified();
    let of = |kind| verified.tracks.iter().find(|track| track.kind == kind).unwrap();
    assert_eq!(of(TrackKind::Audio).end, Duration::from_millis(50 * 60));
    assert_eq!(of(TrackKind::Audio).codec, "Opus");
    assert_eq!(of(TrackKind::Video).codec, "vp09");
    assert_eq!(of(TrackKind::Video).packets, 60);
}

#[test]
fn every_keyframe_of_a_video_is_listed() {
    let stitched = stitch_samples(&[VIDEO]);
    let source = source_samples(&sample(VIDEO));
    let keyframes = only(&source, PICTURE).iter().filter(|one| one.is_sync).count();
    assert_eq!(stitched.report.cues, keyframes as u64);
    assert_eq!(stitch_samples(&[AUDIO]).report.cues, 0, "sound can be started anywhere");
}

#[test]
fn two_runs_join_without_a_gap() {
    for name in [AUDIO, VIDEO] {
        let one = stitch_samples(&[name]);
        let both = stitch_samples(&[name, name]);
        let report = &both.report;
        assert_eq!(both.verified().duration, report.duration);
        assert_eq!(report.packets, 2 * one.report.packets);
        assert_eq!(report.segments[1].start, one.report.duration);
        assert_eq!(report.duration, 2 * one.report.duration, "{name}");
        let source = payloads(&source_samples(&sample(name)));
        let written = file_samples(&both.file);
        assert!(payloads(&written) == [&source[..], &source].concat());

        // The second run is the first, moved as a whole in every track.
        for handler in [SOUND, PICTURE] {
            let times: Vec<_> = only(&written, handler).iter().map(|one| one.at).collect();
            let (first, second) = times.split_at(times.len() / 2);
            let moved: Vec<_> = first.iter().zip(second).map(|(one, two)| two - one).collect();
            assert!(moved.iter().all(|by| *by == moved[0]), "{name}: {moved:?}");
        }
    }
}

#[test]
fn a_run_of_sound_alone_continues_a_video() {
    let both = stitch_samples(&[VIDEO, AUDIO, VIDEO]);
    assert!(both.report.segments.iter().all(|segment| segment.problems.is_empty()));
    let sum: Duration = both.report.segments.iter().map(|segment| segment.duration).sum();
    assert_eq!(both.verified().duration, sum);
    assert!(stitch_samples(&[AUDIO, VIDEO]).report.segments[1].refusal().is_some());
}

#[test]
fn a_track_that_comes_late_is_held_back() {
    // Without its first fragment's sound, the video begins a fragment earlier than the sound.
    let source = sample(VIDEO);
    let mut late = source.clone();
    let traf = late.windows(4).position(|name| name == b"traf").unwrap();
    late[traf + 4 + 8 + 4 + 4 - 1] = 77; // The first tfhd's track id: nobody declared it.
    let trak = late.windows(4).filter(|name| name == b"traf").count();
    assert!(trak > 1);
    let stitched = stitch(&[&late]).unwrap();
    stitched.verified();
    let written = file_samples(&stitched.file);
    let (all, kept) = (only(&source_samples(&source), SOUND), only(&written, SOUND));
    assert!(kept[..] == all[all.len() - kept.len()..], "the sound that is left is where it was");
    assert!(kept.len() < all.len());
}

#[test]
fn the_file_begins_where_the_output_stands() {
    use std::io::{Cursor, Seek, SeekFrom};
    let mut out = Cursor::new(b"before".to_vec());
    out.seek(SeekFrom::End(0)).unwrap();
    let mut stitcher = media::Stitcher::new(out).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&sample(AUDIO)).unwrap();
    stitcher.end_segment().unwrap();
    let (mut out, report) = stitcher.finish().unwrap().accept(|_| ());
    assert_eq!(out.position(), 6 + report.bytes);
    out.set_position(6);
    assert_eq!(media::verify(&mut out).unwrap().packets, 103);
    assert!(out.into_inner()[6..] == stitch_samples(&[AUDIO]).file);
}

#[test]
fn a_file_is_laid_out_as_ftyp_mdat_moov() {
    let names = |file: &[u8]| mp4::top_boxes(file).iter().map(|one| one.0).collect::<Vec<_>>();
    for name in [AUDIO, VIDEO] {
        assert_eq!(names(&stitch_samples(&[name, name]).file), [*b"ftyp", *b"mdat", *b"moov"]);
    }
}

//! MP4 as recorders other than Chromium write it: H.264 and AAC, reordered frames, edit lists,
//! other timescales, other ways to say where samples are. Made by `ffmpeg`, for want of a Safari.

mod common;

use common::mp4::{Handmade, file_samples, only, payloads, source_samples};
use common::players::{Saved, decodes_without_a_word, probes_as_reported, run, text};
use common::{Stitched, stitch};
use media::{Refusal, TrackKind};

const PICTURE: [u8; 4] = *b"vide";

/// Three seconds of picture and sound.
struct Recorder {
    size: &'static str,
    rate: &'static str,
    /// Frames that are decoded before one that is shown earlier.
    reordered: &'static str,
    movflags: &'static str,
    profile: &'static str,
}

impl Recorder {
    const SAFARI: Self = Self {
        size: "320x240",
        rate: "30",
        reordered: "0",
        movflags: "frag_keyframe+empty_moov+default_base_moof",
        profile: "baseline",
    };

    fn record(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("recording.mp4");
        let picture = format!("testsrc2=size={}:rate={}:duration=3", self.size, self.rate);
        let output = run(
            "ffmpeg",
            &[
                &["-v", "error", "-f", "lavfi", "-i", &picture][..],
                &["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=3"],
                &["-c:v", "libx264", "-preset", "ultrafast", "-g", self.rate],
                &["-bf", self.reordered, "-profile:v", self.profile, "-pix_fmt", "yuv420p"],
                &["-c:a", "aac", "-movflags", self.movflags, file.to_str().expect("a plain path")],
            ]
            .concat(),
        );
        assert_eq!(text(&output.stderr), "", "ffmpeg can't make a recording");
        std::fs::read(file).expect("ffmpeg wrote a file")
    }
}

/// A hash of every picture, decoded.
fn pictures(path: &str) -> Vec<String> {
    let hashed = ["-map", "0:v", "-vsync", "passthrough", "-autoscale", "0", "-f", "framemd5", "-"];
    let output = run("ffmpeg", &[&["-v", "error", "-i", path][..], &hashed].concat());
    assert_eq!(text(&output.stderr), "");
    let hash = |line: &str| line.rsplit(',').next().unwrap_or_default().trim().to_owned();
    text(&output.stdout).lines().filter(|line| !line.starts_with('#')).map(hash).collect()
}

fn pictures_of(stitched: &Stitched) -> Vec<String> {
    pictures(Saved::new(stitched).path())
}

fn pictures_of_source(source: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("source.mp4");
    std::fs::write(&file, source).expect("room for a file");
    pictures(file.to_str().expect("a plain path"))
}

/// Two recordings join; every picture comes out as it does from the recordings themselves.
fn joins(first: &Recorder, second: &Recorder) -> Stitched {
    let sources = [first.record(), second.record()];
    let stitched = stitch(&[&sources[0], &sources[1]]).expect("a file");
    stitched.verified();
    for segment in &stitched.report.segments {
        assert_eq!(segment.problems, []);
    }
    probes_as_reported(&stitched, "joined");
    decodes_without_a_word(&stitched, "joined");
    let expected = sources.each_ref().map(|source| pictures_of_source(source)).concat();
    assert_eq!(expected.len(), 2 * 90);
    assert!(pictures_of(&stitched) == expected, "pictures differ");
    stitched
}

#[test]
fn h264_and_aac_are_joined_without_touching_a_sample() {
    let source = Recorder::SAFARI.record();
    let stitched = joins(&Recorder::SAFARI, &Recorder::SAFARI);
    let written = payloads(&file_samples(&stitched.file));
    let once = payloads(&source_samples(&source));
    assert!(written == [&once[..], &once].concat());
    let codecs: Vec<_> = stitched.verified().tracks.into_iter().map(|one| one.codec).collect();
    assert_eq!(codecs, ["avc1", "mp4a"]);
}

#[test]
fn frames_that_are_shown_in_another_order_stay_in_theirs() {
    let reordering = Recorder { reordered: "2", profile: "main", ..Recorder::SAFARI };
    joins(&reordering, &reordering);
    let with_edits = Recorder {
        movflags: "frag_keyframe+empty_moov+default_base_moof+delay_moov",
        ..reordering
    };
    joins(&with_edits, &with_edits);
    let with_negative_shifts = Recorder {
        movflags: "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
        ..reordering
    };
    joins(&with_negative_shifts, &with_negative_shifts);
}

#[test]
fn positions_may_count_from_the_start_of_the_recording() {
    let absolute = Recorder { movflags: "frag_keyframe+empty_moov", ..Recorder::SAFARI };
    let stitched = joins(&absolute, &absolute);
    assert!(stitched.file == joins(&Recorder::SAFARI, &Recorder::SAFARI).file);

    // Behind a hole, the start of the recording is not where it was.
    let source = absolute.record();
    let boxes = common::mp4::top_boxes(&source);
    let fragments: Vec<_> = boxes.iter().filter(|one| &one.0 == b"moof").collect();
    let holed = [&source[..fragments[1].1], &source[fragments[2].1..]].concat();
    let kept = file_samples(&stitch(&[&holed]).unwrap().file);
    let pictures = payloads(&only(&kept, PICTURE));
    let all = payloads(&only(&file_samples(&stitch(&[&source]).unwrap().file), PICTURE));
    assert!(pictures == [&all[..30], &all[60..]].concat());
}

#[test]
fn a_picture_described_otherwise_does_not_fit() {
    let first = Recorder::SAFARI.record();
    // Players know only a track's first description.
    for other in [
        Recorder { size: "640x480", ..Recorder::SAFARI },
        Recorder { rate: "24", ..Recorder::SAFARI },
    ] {
        let stitched = stitch(&[&first, &other.record(), &first]).unwrap();
        let refusal = stitched.report.segments[1].refusal();
        assert!(matches!(refusal, Some(Refusal::TrackMismatch { .. })), "{refusal:?}");
        assert!(!stitched.report.left_out().is_nothing());
        assert!(stitched.file == stitch(&[&first, &first]).unwrap().file);
    }
}

#[test]
fn runs_that_count_time_differently_keep_their_pace() {
    let packets = [1, 2, 3].map(common::opus_20_ms);
    let source = |rate: u32| {
        let ticks = rate / 50;
        let samples: Vec<_> = packets.iter().map(|packet| (ticks, &packet[..])).collect();
        let mut source = Handmade::opus().fragment(0, &samples).bytes;
        let mdhd = source.windows(4).position(|name| name == b"mdhd").unwrap();
        // Behind the name, the version and two dates.
        source[mdhd + 24..mdhd + 28].copy_from_slice(&rate.to_be_bytes());
        source
    };
    let stitched = stitch(&[&source(48_000), &source(1_000), &source(44_100)]).unwrap();
    stitched.verified();
    let times: Vec<_> = file_samples(&stitched.file).iter().map(|one| one.at).collect();
    assert_eq!(times, (0..9).map(|packet| packet * 960).collect::<Vec<_>>());
}

#[test]
fn a_run_of_another_codec_is_refused_and_the_rest_goes_on() {
    let h264 = Recorder::SAFARI.record();
    let vp9 = common::sample(common::mp4::VIDEO);
    let stitched = stitch(&[&h264, &vp9, &h264]).unwrap();
    let refused = Refusal::TrackMismatch { kind: TrackKind::Audio, codec: "Opus".into() };
    assert_eq!(stitched.report.segments[1].refusal(), Some(&refused));
    assert!(stitched.file == stitch(&[&h264, &h264]).unwrap().file);
}

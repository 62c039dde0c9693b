//! What other programs make of a stitched file. Needs `ffmpeg` and `ffprobe` on the PATH.

mod common;

use common::players::{Saved, decodes_without_a_word, probes_as_reported, run, text};
use common::{AUDIO, samples, stitch_samples};
use media::{Peak, Waveforms};

/// The peaks of what ffmpeg decodes, in buckets of 10 ms; it drops the pre-skip too.
fn peaks_by_ffmpeg(saved: &Saved) -> Vec<Peak> {
    let sound = ["-f", "s16le", "-ar", "16000", "-ac", "1", "-"];
    let output = run("ffmpeg", &[&["-v", "error", "-i", saved.path()][..], &sound].concat());
    assert_eq!(text(&output.stderr), "", "ffmpeg complains");
    let samples = output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let scaled: Vec<_> = samples.map(|sample| (sample / 256) as i8).collect();
    let peak = |bucket: &[i8]| Peak {
        min: *bucket.iter().min().expect("a bucket has samples"),
        max: *bucket.iter().max().expect("a bucket has samples"),
    };
    scaled.chunks(160).map(peak).collect()
}

/// How much two waveforms differ on average if the second is moved by so many buckets.
fn difference(ours: &[Peak], theirs: &[Peak], moved: usize) -> f64 {
    let pairs = ours.iter().zip(&theirs[moved..]);
    let off = |(a, b): (&Peak, &Peak)| {
        f64::from(a.min.abs_diff(b.min)) + f64::from(a.max.abs_diff(b.max))
    };
    let count = pairs.len() as f64;
    pairs.map(off).sum::<f64>() / 2.0 / count
}

#[test]
fn peaks_are_those_of_what_ffmpeg_decodes_and_at_the_same_times() {
    for name in AUDIO {
        let stitched = stitch_samples(&[name]);
        let waveforms = Waveforms::from_webm(&stitched.file[..]).unwrap();
        let ours = waveforms[0].peaks.buckets();
        let theirs = peaks_by_ffmpeg(&Saved::new(&stitched));
        assert!(ours.len().abs_diff(theirs.len()) <= 1, "{name}");
        let off = difference(ours, &theirs, 0);
        assert!(off < 1.0, "{name}: {off} of 128 on average");
        // A steady tone is the same wherever it is moved.
        if name != "ff_a" {
            assert!(off * 3.0 < difference(ours, &theirs, 1), "{name}: earlier is better");
            assert!(off * 3.0 < difference(&ours[1..], &theirs, 0), "{name}: later is better");
        }
    }
}

fn combinations() -> Vec<Vec<&'static str>> {
    let mut combinations: Vec<_> = samples().map(|name| vec![name]).collect();
    combinations.extend([
        vec!["beep1", "beep2"],
        vec!["a_opus", "d_run2", "c_pause"],
        vec!["a_opus", "ff_a"],
        vec!["b_vp8", "d_vrun2"],
        vec!["b_vp8", "ff_v"],
        vec!["g_audiomp4"],
        vec!["g_videomp4"],
        vec!["g_audiomp4", "g_audiomp4"],
        vec!["g_videomp4", "g_videomp4"],
        vec!["g_videomp4", "g_audiomp4", "g_videomp4"],
    ]);
    combinations
}

#[test]
fn ffprobe_reads_the_duration_and_every_packet() {
    for names in combinations() {
        probes_as_reported(&stitch_samples(&names), &names);
    }
}

#[test]
fn ffmpeg_decodes_every_combination_without_a_word() {
    for names in combinations() {
        decodes_without_a_word(&stitch_samples(&names), &names);
    }
}

#[test]
fn seeking_lands_where_it_was_asked_to_on_both_sides_of_the_join() {
    for names in [["a_opus", "d_run2"], ["a_opus", "ff_a"], ["b_vp8", "d_vrun2"]] {
        let saved = Saved::new(&stitch_samples(&names));
        let whole = saved.decoded_millis(0.0);
        for part in [0.2, 0.45, 0.55, 0.9] {
            let seek = saved.millis * part / 1000.0;
            let rest = saved.decoded_millis(seek);
            let expected = whole - seek * 1000.0;
            let off = (rest - expected).abs();
            assert!(off < 61.0, "{names:?} from {seek} s: {rest} ms instead of {expected} ms");
        }
    }
}

#[test]
fn seeking_in_an_mp4_lands_on_the_packet_or_the_keyframe_before() {
    // The longest packet of sound, and the longest way between two keyframes.
    for (name, stream, before_max) in [("g_audiomp4", "a", 0.060), ("g_videomp4", "v", 0.700)] {
        let saved = Saved::new(&stitch_samples(&[name, name]));
        for part in [0.2, 0.45, 0.55, 0.9] {
            let seek = saved.millis * part / 1000.0;
            let interval = format!("{seek}%+#1");
            let from = ["-select_streams", stream, "-read_intervals", &interval];
            let show = ["-show_entries", "packet=pts_time,flags"];
            let packet = saved.probe(&[&from[..], &show].concat());
            let (time, flags) = packet.split_once(',').expect("a time and flags");
            let before = seek - time.parse::<f64>().expect("seconds");
            assert!((0.0..=before_max).contains(&before), "{name} from {seek} s: {packet}");
            assert!(flags.starts_with('K'), "{name} from {seek} s: {packet}");
        }
    }
}

#[test]
fn an_mp4_sounds_as_long_as_it_says() {
    for names in [["g_audiomp4", "g_audiomp4"], ["g_videomp4", "g_videomp4"]] {
        let saved = Saved::new(&stitch_samples(&names));
        let sound = saved.decoded_millis(0.0);
        assert!((saved.millis - sound).abs() < 1.0, "{names:?}: {sound} ms");
    }
}

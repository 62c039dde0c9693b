//! Sound as Safari records it, AAC in MP4: where it is drawn, by what ffmpeg makes of the same file,
//! and what damaged packets do.

mod common;

use std::io::{Cursor, Write};

use common::players::{run, text};
use common::{sample, stitch_samples};
use media::{DecodeReport, MediaError, Peak, Refusal, SOUND_RATE_HZ, Waveform, Waveforms};
use proptest::prelude::*;

/// A tone from 300 to 600 ms of every second.
const BEEPS: &str = "aac_beeps";
/// The same in two channels at 44.1 kHz, with an edit list that cuts off what primes the decoder.
const EDITED: &str = "aac_edits";
/// The same beside a picture.
const CAMERA: &str = "aac_camera";
/// What WebKit's own recorder makes of its mock microphone, which beeps once a second.
const WEBKIT: &str = "webkit_audio";
const BUCKET_SAMPLES: usize = SOUND_RATE_HZ as usize / 100;

fn drawn(file: &[u8]) -> Vec<Waveform> {
    Waveforms::from_mp4(Cursor::new(file)).expect("a finished MP4")
}

fn only(file: &[u8]) -> Waveform {
    let [waveform] = &drawn(file)[..] else { panic!("one track of sound") };
    waveform.clone()
}

/// What ffmpeg hears, as samples of one channel that are drawn.
fn by_ffmpeg(file: &[u8]) -> Vec<i16> {
    let mut saved = tempfile::Builder::new().suffix(".mp4").tempfile().expect("a file");
    saved.write_all(file).expect("room for a file");
    let path = saved.path().to_str().expect("a plain path");
    let rate = SOUND_RATE_HZ.to_string();
    // Each channel is half of what is drawn.
    let mono = "pan=mono|c0=0.5*c0+0.5*c1";
    let is_stereo = run("ffprobe", &["-v", "error", "-show_entries", "stream=channels", path]);
    let is_stereo = text(&is_stereo.stdout).contains("channels=2");
    let from_zero = "aresample=async=1:first_pts=0";
    let filter = if is_stereo { format!("{mono},{from_zero}") } else { from_zero.to_owned() };
    let sound = ["-map", "0:a:0", "-f", "s16le", "-ar", &rate, "-ac", "1", "-"];
    let output =
        run("ffmpeg", &[&["-v", "error", "-i", path, "-af", &filter], &sound[..]].concat());
    assert_eq!(text(&output.stderr), "", "ffmpeg complains");
    output.stdout.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

/// The beeps in an ordinary MP4, as ffmpeg writes it: with an edit list that cuts off what primes
/// the decoder.
fn ordinary(flags: &str) -> Vec<u8> {
    let out = tempfile::Builder::new().suffix(".mp4").tempfile().expect("a file");
    let path = out.path().to_str().expect("a plain path");
    let beeps = "aevalsrc='0.5*sin(2*PI*880*t)*between(mod(t,1),0.3,0.6)':s=44100:d=3";
    let input = ["-v", "error", "-y", "-f", "lavfi", "-i", beeps, "-c:a", "aac"];
    let output = run("ffmpeg", &[&input[..], &["-movflags", flags, path]].concat());
    assert_eq!(text(&output.stderr), "", "ffmpeg complains");
    std::fs::read(out.path()).expect("what ffmpeg wrote")
}

fn assert_drawn_as_heard(file: &[u8], from: usize, label: &str) {
    let peaks = only(file).peaks;
    let heard = by_ffmpeg(file);
    assert!(
        peaks.buckets().len().abs_diff(heard.len() / BUCKET_SAMPLES) <= 2,
        "{label}: {} {}",
        peaks.buckets().len(),
        heard.len()
    );
    let buckets = peaks.buckets().iter().zip(heard.chunks(BUCKET_SAMPLES)).enumerate();
    for (at, (peak, heard)) in buckets.skip(from) {
        let extreme = |sample: Option<&i16>| i32::from(sample.copied().unwrap_or(0) / 256);
        let (low, high) = (extreme(heard.iter().min()), extreme(heard.iter().max()));
        let off = (i32::from(peak.min) - low).abs().max((i32::from(peak.max) - high).abs());
        assert!(off <= 4, "{label}: bucket {at} is {peak:?}, and ffmpeg hears {low} to {high}");
    }
}

fn loudness(peak: &Peak) -> i32 {
    i32::from(peak.max) - i32::from(peak.min)
}

/// Where it begins to be loud, in buckets.
fn onsets(peaks: &[Peak]) -> Vec<usize> {
    let is_loud = |peak: &Peak| loudness(peak) > 20;
    let is_onset = |at: &usize| is_loud(&peaks[*at]) && (*at == 0 || !is_loud(&peaks[at - 1]));
    (0..peaks.len()).filter(is_onset).collect()
}

#[test]
fn beeps_are_loud_where_they_sound_and_silent_between() {
    for name in [BEEPS, EDITED, CAMERA] {
        let waveform = only(&stitch_samples(&[name]).file);
        let buckets = waveform.peaks.buckets();
        let onsets = onsets(buckets);
        // What primes the decoder is 21 or 23 ms long, and nothing in the file says so.
        let seconds = buckets.len() / 100;
        assert_eq!(onsets.len(), seconds, "{name}: {onsets:?}");
        for (second, onset) in onsets.iter().enumerate() {
            assert!((31..=33).contains(&(onset - second * 100)), "{name}: {onsets:?}");
            let inside = &buckets[onset + 3..onset + 25];
            assert!(inside.iter().all(|peak| loudness(peak) > 60), "{name}: {inside:?}");
            let between = &buckets[onset + 40..(onset + 68).min(buckets.len())];
            assert!(between.iter().all(|peak| loudness(peak) <= 4), "{name}: {between:?}");
        }
    }
}

#[test]
fn peaks_are_what_ffmpeg_hears() {
    for name in [BEEPS, EDITED, CAMERA, WEBKIT] {
        assert_drawn_as_heard(&stitch_samples(&[name]).file, 0, name);
    }
    // Chromium says of its Opus in MP4 that the first 80 ms are to be dropped, which ffmpeg does.
    assert_drawn_as_heard(&stitch_samples(&["g_audiomp4"]).file, 8, "Opus");
}

#[test]
fn what_an_edit_list_cuts_off_is_not_drawn_wherever_the_tables_stand() {
    for flags in ["0", "+faststart"] {
        let file = ordinary(flags);
        assert_drawn_as_heard(&file, 0, flags);
        assert_eq!(onsets(only(&file).peaks.buckets()), [30, 130, 230], "{flags}");
    }
}

#[test]
fn every_packet_is_decoded_and_peaks_are_as_long_as_the_track() {
    for names in [
        &[BEEPS][..],
        &[EDITED],
        &[CAMERA],
        &[WEBKIT],
        &[WEBKIT, BEEPS],
        &[BEEPS, CAMERA],
        &[BEEPS, BEEPS, BEEPS],
    ] {
        let stitched = stitch_samples(names);
        let verified = stitched.verified();
        let track = verified.tracks.iter().find(|track| track.codec == "mp4a").expect("sound");
        let waveform = only(&stitched.file);
        let all = DecodeReport { decoded: track.packets, ..DecodeReport::default() };
        assert_eq!((waveform.report, waveform.bad_blocks), (all, 0), "{names:?}");
        let buckets = track.end.as_nanos().div_ceil(10_000_000);
        assert_eq!(waveform.peaks.buckets().len() as u128, buckets, "{names:?}");
    }
}

#[test]
fn a_second_recording_sounds_from_where_the_first_ends() {
    let first = only(&stitch_samples(&[BEEPS]).file);
    let both = only(&stitch_samples(&[BEEPS, BEEPS]).file);
    let length = stitch_samples(&[BEEPS]).report.duration.as_millis() as usize / 10;
    let (one, other) = (onsets(first.peaks.buckets()), onsets(both.peaks.buckets()));
    assert_eq!(other[..one.len()], one);
    for (first, second) in one.iter().zip(&other[one.len()..]) {
        assert!((first + length).abs_diff(*second) <= 1, "{one:?} {other:?}");
    }
}

#[test]
fn a_run_at_another_rate_does_not_fit_and_is_drawn_in_a_file_of_its_own() {
    let stitched = stitch_samples(&[BEEPS, EDITED, WEBKIT, BEEPS]);
    let fits: Vec<_> =
        stitched.report.segments.iter().map(|segment| segment.refusal().is_none()).collect();
    assert_eq!(fits, [true, false, false, true]);
    assert!(stitched.file == stitch_samples(&[BEEPS, BEEPS]).file);
    for name in [EDITED, WEBKIT] {
        assert_eq!(only(&stitch_samples(&[name]).file).report.bad, 0, "{name}");
    }
}

#[test]
fn a_file_without_sound_has_no_waveform_and_one_that_is_not_finished_is_refused() {
    let mut file = stitch_samples(&[BEEPS]).file;
    // The only track's sound is made something else.
    let entry = file.windows(4).rposition(|name| name == b"mp4a").expect("an entry");
    file[entry..entry + 4].copy_from_slice(b"lpcm");
    assert_eq!(drawn(&file), []);
    let live = Waveforms::from_mp4(Cursor::new(sample(BEEPS)));
    assert!(matches!(live, Err(MediaError::Refused(Refusal::NoMedia))), "{live:?}");
    assert!(Waveforms::from_mp4(Cursor::new(sample("a_opus"))).is_err());
}

#[test]
fn bad_packets_are_silent_and_what_follows_is_where_it_was() {
    let whole = stitch_samples(&[BEEPS]).file;
    let mdat = whole.windows(4).position(|name| name == b"mdat").expect("media") + 12;
    let mut file = whole.clone();
    // All that stands in the first third of the media: the first beep, and more.
    let end = mdat + (whole.len() - mdat) / 3;
    // A coupling channel: no part of what is decoded here.
    file[mdat..end].fill(0x40);
    let (whole, waveform) = (only(&whole), only(&file));
    assert!(waveform.report.bad > 50, "{:?}", waveform.report);
    assert_eq!(waveform.peaks.buckets().len(), whole.peaks.buckets().len());
    assert!(waveform.peaks.buckets()[..120].iter().all(|peak| *peak == Peak::default()));
    assert_eq!(waveform.peaks.buckets()[200..], whole.peaks.buckets()[200..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_file_holds_is_drawn_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        name in prop::sample::select(vec![BEEPS, EDITED]),
    ) {
        let mut file = stitch_samples(&[name]).file;
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        if let Ok(waveforms) = Waveforms::from_mp4(Cursor::new(&file)) {
            for waveform in waveforms {
                prop_assert!(waveform.peaks.buckets().len() <= media::limits::PEAKS_MAX);
            }
        }
    }
}

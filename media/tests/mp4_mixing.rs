//! Several sounds of an MP4 in one: what is heard of them, and what becomes of the tracks.

mod common;

use std::io::Cursor;
use std::time::Duration;

use common::mp4::{Sample, file_samples, only};
use common::players::{Saved, decodes_without_a_word, run, text};
use common::{Stitched, stitch, stitch_samples};
use media::limits::MP4_MIX_WAIT_MAX;
use media::{
    FileType, MediaError, Mixed, Peak, Refusal, Schedule, Source, Waveform, Waveforms, combine_mp4,
    mix_mp4,
};

/// Files side by side, each so many milliseconds later than the recording begins.
fn combined(files: &[(&str, u64)]) -> Vec<u8> {
    let source = |(name, later): &(&str, u64)| {
        let mut schedule = Schedule::new();
        schedule.shift(Duration::ZERO, Duration::from_millis(*later));
        let file = Cursor::new(stitch_samples(&[name]).file);
        Source { file, schedule, labels: vec![(*name).to_owned(); 2] }
    };
    let sources = files.iter().map(source).collect();
    combine_mp4(sources, Cursor::new(Vec::new())).expect("finished files").0.into_inner()
}

fn mixed(file: &[u8]) -> (Vec<u8>, Mixed) {
    let (out, mixed) = mix_mp4(Cursor::new(file), Cursor::new(Vec::new())).expect("two sounds");
    let out = out.into_inner();
    let verified = media::verify(Cursor::new(&out)).expect("a finished MP4");
    // Where tracks have no common measure, the movie's duration is rounded.
    assert!(verified.duration.abs_diff(mixed.duration) < Duration::from_millis(1));
    assert_eq!((out.len() as u64, mixed.late_samples), (mixed.bytes, 0));
    (out, mixed)
}

fn drawn(file: &[u8]) -> Vec<Waveform> {
    Waveforms::from_mp4(Cursor::new(file)).expect("a finished MP4")
}

fn loudness(peak: &Peak) -> i32 {
    (i32::from(peak.max) - i32::from(peak.min)) / 2
}

#[test]
fn the_first_sound_is_what_all_others_sound_like_together() {
    // The second beeps while the first is silent, the third together with it.
    let file = combined(&[("aac_beeps", 0), ("aac_edits", 450), ("g_videomp4", 2_000)]);
    let (out, mixed) = mixed(&file);
    let waveforms = drawn(&out);
    let [all, others @ ..] = &waveforms[..] else { panic!("no sound") };
    assert_eq!((others.len(), all.report.bad), (3, 0));
    assert_eq!(all.report.decoded, mixed.packets);
    for (at, peak) in all.peaks.buckets().iter().enumerate() {
        // The encoder rings, and is late by less than a bucket.
        let of = |waveform: &Waveform| {
            let around = at.saturating_sub(3)..at + 4;
            let around = around.filter_map(|at| waveform.peaks.buckets().get(at));
            around.map(loudness).max().unwrap_or(0)
        };
        let (is, sum) = (loudness(peak), others.iter().map(of).sum::<i32>());
        assert!(is <= sum + sum / 4 + 3, "bucket {at}: {is} of {sum}");
    }
    let is_heard = |waveform: &Waveform| {
        let buckets = waveform.peaks.buckets().windows(7).zip(all.peaks.buckets().windows(7));
        let loudest = |some: &[Peak]| some.iter().map(loudness).max().unwrap_or(0);
        // Sounds may be out of phase, but not for long.
        let missing = buckets.filter(|(own, all)| loudest(all) + 8 < loudest(own) * 2 / 3);
        missing.count() < 8
    };
    assert!(others.iter().all(is_heard));
}

#[test]
fn the_mix_is_in_step_with_what_it_is_made_of() {
    let file = combined(&[("aac_beeps", 0), ("aac_camera", 6_500)]);
    let (out, _) = mixed(&file);
    let waveforms = drawn(&out);
    let first_loud = |waveform: &Waveform| {
        waveform.peaks.buckets().iter().position(|peak| loudness(peak) > 20).expect("a beep")
    };
    // The encoder is 6.5 ms late, which the description says to the players.
    assert!(first_loud(&waveforms[0]).abs_diff(first_loud(&waveforms[1])) <= 1);
}

#[test]
fn every_other_track_is_as_it_was() {
    let file = combined(&[("aac_camera", 0), ("aac_edits", 700)]);
    let (out, _) = mixed(&file);
    let without = |samples: Vec<Sample>, payloads: &[Vec<u8>]| -> Vec<Sample> {
        samples.into_iter().filter(|sample| payloads.contains(&sample.payload)).collect()
    };
    let (was, is) = (file_samples(&file), file_samples(&out));
    assert!(only(&is, *b"vide") == only(&was, *b"vide"));
    let sounds = only(&was, *b"soun");
    let own: Vec<_> = sounds.iter().map(|sample| sample.payload.clone()).collect();
    let key = |sample: &Sample| (sample.at, sample.payload.clone());
    let (mut was, mut is) = (sounds.clone(), without(only(&is, *b"soun"), &own));
    was.sort_by_key(key);
    is.sort_by_key(key);
    assert!(was == is);

    let duration = media::verify(Cursor::new(&out)).unwrap().duration;
    let packets = media::verify(Cursor::new(&out)).unwrap().packets;
    let mut stitched = Stitched::of_pictures(out, duration, packets);
    stitched.report.file_type = FileType::VideoMp4;
    decodes_without_a_word(&stitched, "mixed");
    let saved = Saved::new(&stitched);
    let told = saved.probe(&["-show_entries", "stream=codec_name:stream_tags=handler_name"]);
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told, ["h264,aac_camera", "opus,All sound", "aac,aac_camera", "aac,aac_edits"]);
}

#[test]
fn what_needs_no_mixing_is_refused() {
    for name in ["aac_beeps", "aac_camera", "g_audiomp4"] {
        let file = stitch_samples(&[name]).file;
        let refused = mix_mp4(Cursor::new(file), Cursor::new(Vec::new()));
        let Err(MediaError::Refused(Refusal::NothingToMix { sounds: 1 })) = refused else {
            panic!("{name}: {refused:?}");
        };
    }
}

/// Two sounds of a recorder whose fragments are so long, each with all of one and then all of the
/// other.
fn in_fragments_of(millis: u64) -> Vec<u8> {
    let out = tempfile::Builder::new().suffix(".mp4").tempfile().expect("a file");
    let path = out.path().to_str().expect("a plain path");
    let fragments = (millis * 1_000).to_string();
    let tone = |hz: u32| format!("aevalsrc='0.3*sin(2*PI*{hz}*t)':s=48000:d=7");
    let (low, high) = (tone(300), tone(700));
    let input = ["-v", "error", "-y", "-f", "lavfi", "-i", &low, "-f", "lavfi", "-i", &high];
    let both = ["-map", "0:a", "-map", "1:a", "-c:a", "aac", "-b:a", "64k"];
    let flags = ["-movflags", "empty_moov+default_base_moof", "-frag_duration", &fragments, path];
    let output = run("ffmpeg", &[&input[..], &both, &flags].concat());
    assert_eq!(text(&output.stderr), "", "ffmpeg complains");
    let live = std::fs::read(out.path()).expect("what ffmpeg wrote");
    stitch(&[&live]).expect("a recording").file
}

#[test]
fn sounds_are_mixed_up_to_the_limit_apart_and_what_comes_later_is_counted() {
    let limit = u64::try_from(MP4_MIX_WAIT_MAX.as_millis()).expect("seconds");
    let late = |millis| {
        let file = Cursor::new(in_fragments_of(millis));
        mix_mp4(file, Cursor::new(Vec::new())).expect("two sounds").1.late_samples
    };
    assert_eq!(late(limit), 0);
    assert!(late(limit + 1_500) > 20_000);
}

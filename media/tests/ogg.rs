//! Opus out of a WebM and into Ogg, as ffmpeg reads it.

mod common;

use std::io::Write as _;

use common::players::{run, text};
use common::{AUDIO, sample, stitch_samples};
use media::{MediaError, OggReport, Refusal, Waveforms, to_ogg};

fn ogg_of(webm: &[u8]) -> Result<(Vec<u8>, OggReport), MediaError> {
    let mut out = Vec::new();
    let report = to_ogg(webm, &mut out)?;
    Ok((out, report))
}

/// What ffmpeg decodes, as samples of one channel.
fn decoded(bytes: &[u8], suffix: &str) -> Vec<i16> {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for a file");
    let path = file.path().to_str().expect("a plain path");
    let sound = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-"];
    let output = run("ffmpeg", &[&["-v", "error", "-i", path][..], &sound].concat());
    assert_eq!(text(&output.stderr), "", "ffmpeg complains");
    output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn ffmpeg_decodes_the_same_sound_from_both() {
    for name in AUDIO {
        let stitched = stitch_samples(&[name]);
        let (ogg, report) = ogg_of(&stitched.file).unwrap();
        assert_eq!((report.packets, report.bad), (stitched.report.packets, 0), "{name}");
        let (from_ogg, from_webm) = (decoded(&ogg, ".ogg"), decoded(&stitched.file, ".webm"));
        let shorter = from_ogg.len().min(from_webm.len());
        // A container may cut the end by what the other one keeps: less than a packet.
        assert!(from_ogg.len().abs_diff(from_webm.len()) < 2_880, "{name}");
        let off = from_ogg[..shorter].iter().zip(&from_webm).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off <= Some(1), "{name}: {off:?}");
        let millis = report.duration.as_millis();
        assert!(millis.abs_diff(stitched.report.duration.as_millis()) <= 60, "{name}: {millis}");
    }
}

#[test]
fn what_has_no_opus_is_refused() {
    for (bytes, refusal) in [
        (stitch_samples(&["b_vp8"]).file, Refusal::NoOpus),
        (vec![7; 900], Refusal::NotWebm),
        (Vec::new(), Refusal::NoTracks),
    ] {
        match ogg_of(&bytes) {
            Err(MediaError::Refused(why)) => assert_eq!(why, refusal),
            Ok((_, report)) => assert_eq!(report.packets, has_sound(&bytes), "{refusal:?}"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The video samples may come with sound.
fn has_sound(webm: &[u8]) -> u64 {
    Waveforms::from_webm(webm)
        .expect("there are packets")
        .iter()
        .map(|waveform| waveform.report.decoded)
        .sum()
}

#[test]
fn a_live_stream_of_a_recorder_is_read_as_well() {
    let (ogg, _) = ogg_of(&sample("beep1")).unwrap();
    assert_eq!(ogg, ogg_of(&stitch_samples(&["beep1"]).file).unwrap().0);
}

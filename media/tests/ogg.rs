//! Opus out of a WebM or an MP4 and into Ogg, and AAC made into Opus, as ffmpeg reads it.

mod common;

use std::io::{Cursor, Write as _};

use common::players::{run, text};
use common::{AUDIO, sample, stitch_samples};
use media::{MediaError, OggReport, Refusal, Waveforms, mp4_to_ogg, to_ogg};

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

fn ogg_of_mp4(mp4: &[u8]) -> Result<(Vec<u8>, OggReport), MediaError> {
    let mut out = Vec::new();
    let report = mp4_to_ogg(Cursor::new(mp4), &mut out)?;
    Ok((out, report))
}

/// How far the second sound has to be moved to be most like the first, in samples.
fn lag(one: &[i16], other: &[i16]) -> i64 {
    const MOST: i64 = 24;
    let likeness = |lag: i64| -> i64 {
        let at = |sound: &[i16], at: i64| i64::from(sound.get(at as usize).copied().unwrap_or(0));
        let samples = MOST..one.len().min(other.len()) as i64 - MOST;
        samples.map(|sample| at(one, sample) * at(other, sample + lag)).sum()
    };
    (-MOST..=MOST).max_by_key(|lag| likeness(*lag)).unwrap_or(0)
}

/// The loudest of every 10 ms.
fn loudness(sound: &[i16]) -> Vec<i32> {
    let loudest = |some: &[i16]| some.iter().map(|one| i32::from(one.unsigned_abs())).max();
    sound.chunks(480).filter_map(loudest).collect()
}

#[test]
fn aac_becomes_opus_that_sounds_the_same_at_the_same_time() {
    for name in ["aac_beeps", "aac_camera", "aac_edits", "webkit_audio"] {
        let stitched = stitch_samples(&[name]);
        let (ogg, report) = ogg_of_mp4(&stitched.file).unwrap();
        assert_eq!(report.bad, 0, "{name}");
        let sound = stitched.verified().tracks.iter().find(|one| one.codec == "mp4a").unwrap().end;
        let off = report.duration.as_millis().abs_diff(sound.as_millis());
        // The last packet of AAC plays for less than it holds.
        assert!(off <= 22, "{name}: {off} ms");
        let (from_ogg, from_mp4) = (decoded(&ogg, ".ogg"), decoded(&stitched.file, ".mp4"));
        assert!(lag(&from_mp4, &from_ogg).abs() <= 2, "{name}: {}", lag(&from_mp4, &from_ogg));
        let (is, was) = (loudness(&from_ogg), loudness(&from_mp4));
        let alike = |(is, was): (&i32, &i32)| is.abs_diff(*was) < 2_000 + was.unsigned_abs() / 3;
        let unlike = is.iter().zip(&was).filter(|pair| !alike(*pair)).count();
        assert!(unlike * 20 < was.len(), "{name}: {unlike} of {}", was.len());
    }
}

#[test]
fn opus_in_mp4_is_not_touched() {
    for name in ["g_audiomp4", "g_videomp4"] {
        let stitched = stitch_samples(&[name]);
        let sound = stitched.verified().tracks.iter().find(|one| one.codec == "Opus").cloned();
        let (ogg, report) = ogg_of_mp4(&stitched.file).unwrap();
        assert_eq!((report.packets, report.bad), (sound.expect("a sound").packets, 0), "{name}");
        let (from_ogg, from_mp4) = (decoded(&ogg, ".ogg"), decoded(&stitched.file, ".mp4"));
        assert_eq!(from_ogg.len(), from_mp4.len(), "{name}");
        let pairs = from_ogg.iter().zip(&from_mp4);
        let off = pairs.map(|(one, other)| one.abs_diff(*other)).max();
        assert!(off <= Some(1), "{name}: {off:?}");
    }
}

#[test]
fn an_mp4_without_sound_or_that_is_no_file_is_refused() {
    let mut file = stitch_samples(&["aac_beeps"]).file;
    let entry = file.windows(4).rposition(|name| name == b"mp4a").expect("an entry");
    file[entry..entry + 4].copy_from_slice(b"lpcm");
    assert!(matches!(ogg_of_mp4(&file), Err(MediaError::Refused(Refusal::NoSound))));
    assert!(matches!(ogg_of_mp4(&[7; 900]), Err(MediaError::NotFinished { .. })));
    let live = ogg_of_mp4(&sample("aac_beeps"));
    assert!(matches!(live, Err(MediaError::Refused(Refusal::NoMedia))));
}

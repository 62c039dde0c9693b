//! Several MP4s in one file, and one in step with the clock: every packet is there and plays when it
//! should, by a second reader, by ffmpeg, and by what is heard.

mod common;

use std::io::Cursor;
use std::time::Duration;

use common::mp4::{file_samples, only, payloads};
use common::players::{Saved, decodes_without_a_word};
use common::{Stitched, stitch_samples};
use media::limits::{MP4_SILENCE_MAX, TRACKS_MAX};
use media::{
    Combined, FileType, MediaError, Peak, Refusal, Schedule, Source, Waveform, Waveforms,
    combine_mp4,
};

const BEEPS: &str = "aac_beeps";
const STEREO: &str = "aac_edits";
const CAMERA: &str = "aac_camera";
const SOUND: [u8; 4] = *b"soun";
const PICTURE: [u8; 4] = *b"vide";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn source<'a>(
    file: &'a [u8],
    shifts: &[(Duration, Duration)],
    label: &str,
) -> Source<Cursor<&'a [u8]>> {
    let mut schedule = Schedule::new();
    for (from, by) in shifts {
        schedule.shift(*from, *by);
    }
    Source { file: Cursor::new(file), schedule, labels: vec![label.to_owned(); TRACKS_MAX] }
}

fn combined(sources: Vec<Source<Cursor<&[u8]>>>) -> (Vec<u8>, Combined) {
    let (out, combined) = combine_mp4(sources, Cursor::new(Vec::new())).expect("finished MP4s");
    let file = out.into_inner();
    let verified = media::verify(Cursor::new(&file)).expect("a finished MP4");
    assert_eq!(verified.packets, combined.packets + combined.silences);
    assert_eq!((verified.duration, file.len() as u64), (combined.duration, combined.bytes));
    (file, combined)
}

/// For the players, who only look at it.
fn for_players(file: &[u8], combined: &Combined) -> Stitched {
    let packets = combined.packets + combined.silences;
    let mut stitched = Stitched::of_pictures(file.to_vec(), combined.duration, packets);
    stitched.report.file_type = FileType::VideoMp4;
    stitched
}

fn drawn(file: &[u8]) -> Vec<Waveform> {
    let waveforms = Waveforms::from_mp4(Cursor::new(file)).expect("a finished MP4");
    for waveform in &waveforms {
        let report = waveform.report;
        // The last packet of a run may play for less than it holds.
        assert_eq!((report.bad, report.overlapping / 2, report.too_late), (0, 0, 0));
    }
    waveforms
}

/// Where it begins to be loud, in hundredths of a second.
fn onsets(waveform: &Waveform) -> Vec<usize> {
    let is_loud = |peak: &Peak| i32::from(peak.max) - i32::from(peak.min) > 20;
    let peaks = waveform.peaks.buckets();
    let is_onset = |at: &usize| is_loud(&peaks[*at]) && (*at == 0 || !is_loud(&peaks[at - 1]));
    (0..peaks.len()).filter(is_onset).collect()
}

#[test]
fn a_recording_in_step_with_the_clock_has_its_gaps_as_silence_and_every_packet() {
    for name in [BEEPS, STEREO, "webkit_audio", "g_audiomp4"] {
        let first = stitch_samples(&[name]).report.duration;
        let both = stitch_samples(&[name, name]).file;
        let gap = ms(2_500);
        let (file, report) = combined(vec![source(&both, &[(first, gap)], "")]);
        let (was, is) = (file_samples(&both), file_samples(&file));
        assert_eq!(report.packets, was.len() as u64, "{name}");
        // The packets of the source are there in their order, and nothing but silence between.
        let mut left = was.iter().map(|sample| &sample.payload).peekable();
        let put_in: Vec<_> =
            is.iter().filter(|sample| left.next_if_eq(&&sample.payload).is_none()).collect();
        assert_eq!(left.next(), None, "{name}");
        assert_eq!(put_in.len() as u64, report.silences, "{name}");
        assert!(put_in.iter().all(|sample| sample.payload.len() <= 14), "{name}");
        assert!(report.silences >= 20, "{name}: {}", report.silences);
        let moved = report.duration - stitch_samples(&[name, name]).report.duration;
        assert!(moved.abs_diff(gap) <= ms(1), "{name}: {moved:?}");

        let (before, after) = (onsets(&drawn(&both)[0]), onsets(&drawn(&file)[0]));
        let boundary = first.as_millis() as usize / 10;
        let expected = before.iter().map(|at| if *at < boundary { *at } else { at + 250 });
        let off = expected.zip(&after).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(name == "g_audiomp4" || (off <= Some(1) && before.len() == after.len()), "{name}");
        decodes_without_a_word(&for_players(&file, &report), name);
        let heard = Saved::new(&for_players(&file, &report)).decoded_millis(0.0);
        // What Chromium says is to be dropped of its Opus is dropped by ffmpeg.
        assert!((heard - report.duration.as_secs_f64() * 1_000.0).abs() <= 90.0, "{name}: {heard}");
    }
}

#[test]
fn all_tracks_of_several_files_are_in_step() {
    let (voice, camera) = (stitch_samples(&[BEEPS]).file, stitch_samples(&[CAMERA]).file);
    let sources =
        vec![source(&voice, &[], "Voice"), source(&camera, &[(ms(0), ms(1_600))], "The camera")];
    let (file, report) = combined(sources);
    let is = file_samples(&file);
    let pictures = file_samples(&camera);
    let (was, shown) = (only(&pictures, PICTURE), only(&is, PICTURE));
    assert!(payloads(&was) == payloads(&shown));
    // In the scale of the track: 10240 ticks a second.
    let ticks = shown[0].at - was[0].at;
    assert_eq!(ticks, 16_384, "1.6 s");
    assert!(was.iter().zip(&shown).all(|(was, is)| is.at - was.at == ticks));
    assert!(was.iter().zip(&shown).all(|(was, is)| is.is_sync == was.is_sync));
    let [one, other] = &drawn(&file)[..] else { panic!("two sounds") };
    assert_eq!(onsets(one), onsets(&drawn(&voice)[0]));
    let later: Vec<_> = onsets(&drawn(&camera)[0]).iter().map(|at| at + 160).collect();
    let off = later.iter().zip(onsets(other)).map(|(one, other)| one.abs_diff(other)).max();
    assert!(off <= Some(1), "{later:?} {:?}", onsets(other));
    assert!(report.silences > 60, "1.6 s before the camera's sound");

    let players = for_players(&file, &report);
    decodes_without_a_word(&players, "two files");
    let names = Saved::new(&players).probe(&["-show_entries", "stream_tags=handler_name"]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["Voice", "The camera", "The camera"]);
}

#[test]
fn opus_and_aac_and_their_pictures_share_a_file() {
    let (chromium, safari) = (stitch_samples(&["g_videomp4"]).file, stitch_samples(&[CAMERA]).file);
    let (file, report) = combined(vec![source(&chromium, &[], ""), source(&safari, &[], "")]);
    let (is, was) = (file_samples(&file), [file_samples(&chromium), file_samples(&safari)]);
    for handler in [SOUND, PICTURE] {
        let mut was: Vec<_> =
            was.iter().flat_map(|samples| payloads(&only(samples, handler))).collect();
        let mut is = payloads(&only(&is, handler));
        was.sort();
        is.sort();
        assert!(is == was, "{handler:?}");
    }
    assert_eq!(report.silences, 0);
    assert_eq!(drawn(&file).len(), 2);
    decodes_without_a_word(&for_players(&file, &report), "Opus and AAC");
}

#[test]
fn files_lie_in_the_order_of_time_but_for_a_second() {
    let voice = stitch_samples(&[BEEPS, BEEPS]);
    let gap = (voice.report.segments[1].start, ms(9_000));
    let camera = stitch_samples(&[CAMERA, CAMERA]);
    let late = [(ms(0), ms(4_500)), (camera.report.segments[1].start, ms(8_000))];
    let (file, report) =
        combined(vec![source(&voice.file, &[gap], ""), source(&camera.file, &late, "")]);
    assert!(report.silences > 700, "{} of 17 s", report.silences);
    let mut latest = 0.0_f64;
    for sample in file_samples(&file) {
        let scale = if sample.handler == SOUND { 48_000.0 } else { 10_240.0 };
        let at = sample.at as f64 / scale;
        // A recorder's fragment is a second long, of sound and then of pictures.
        assert!(at > latest - 2.1, "{at} after {latest}");
        latest = latest.max(at);
    }
}

#[test]
fn a_night_in_a_recording_is_a_hole_and_weeks_change_the_scale() {
    let first = stitch_samples(&[BEEPS]).report.duration;
    let both = stitch_samples(&[BEEPS, BEEPS]).file;
    for gap in [MP4_SILENCE_MAX + ms(100), Duration::from_secs(26 * 3_600), ms(20 * 86_400_000)] {
        let (file, report) = combined(vec![source(&both, &[(first, gap)], "")]);
        assert_eq!(report.silences, 0, "{gap:?}");
        let whole = stitch_samples(&[BEEPS, BEEPS]).report.duration + gap;
        assert!(report.duration.abs_diff(whole) <= ms(2), "{gap:?}: {:?}", report.duration);
        assert!(payloads(&file_samples(&file)) == payloads(&file_samples(&both)), "{gap:?}");
    }
    let refused = combine_mp4(
        vec![source(&both, &[(first, Duration::from_secs(60 * 86_400))], "")],
        Cursor::new(Vec::new()),
    );
    assert!(matches!(refused, Err(MediaError::Refused(Refusal::TooFarApart))), "{refused:?}");
}

#[test]
fn chunks_are_about_a_second_long() {
    let beeps = stitch_samples(&[BEEPS, BEEPS]);
    let (file, _) = combined(vec![source(&beeps.file, &[], "")]);
    let chunks = media::verify(Cursor::new(&file)).unwrap().clusters;
    assert!((7..=9).contains(&chunks), "{chunks} in {:?}", beeps.report.duration);
}

#[test]
fn too_many_tracks_or_none_are_refused() {
    let beeps = stitch_samples(&[BEEPS]).file;
    let refusal_of = |count: usize| {
        let sources = (0..count).map(|_| source(&beeps, &[], "")).collect();
        match combine_mp4(sources, Cursor::new(Vec::new())) {
            Ok(_) => None,
            Err(MediaError::Refused(refusal)) => Some(refusal),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refusal_of(TRACKS_MAX), None);
    let tracks = TRACKS_MAX + 1;
    assert_eq!(refusal_of(tracks), Some(Refusal::TooManyTracks { tracks }));
    assert_eq!(refusal_of(0), Some(Refusal::NoMedia));
}

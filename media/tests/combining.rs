//! Finished files side by side, and one file with its gaps in time.

mod common;

use std::io::Cursor;
use std::time::Duration;

use common::players::decodes_without_a_word;
use common::{AUDIO, Packet, Stitched, VIDEO, packets, samples, stitch_samples};
use media::{Combined, MediaError, Refusal, Schedule, Source, combine, limits};
use proptest::prelude::*;

fn source<'a>(stitched: &'a Stitched, schedule: Schedule, label: &str) -> Source<&'a [u8]> {
    Source { file: &stitched.file[..], schedule, labels: vec![label.to_owned()] }
}

fn combined(sources: Vec<Source<&[u8]>>) -> (Vec<u8>, Combined) {
    let (file, report) = combine(sources, Cursor::new(Vec::new())).expect("finished files");
    (file.into_inner(), report)
}

fn later(by: Duration) -> Schedule {
    let mut schedule = Schedule::new();
    schedule.shift(Duration::ZERO, by);
    schedule
}

fn of_track(file: &[u8], track: u8) -> Vec<Packet> {
    packets(file).into_iter().filter(|packet| packet.track == track).collect()
}

/// What stands in `is` beside the packets of `was`, which must all be there, in their order, each
/// where `place` says. Recorders write silence too, so it cannot be told by itself.
fn put_in(was: &[Packet], is: Vec<Packet>, place: impl Fn(i64) -> i64) -> Vec<Packet> {
    let mut left = was.iter().peekable();
    let is_of_it = |packet: &Packet, wanted: &Packet| {
        (packet.millis, &packet.payload) == (place(wanted.millis), &wanted.payload)
    };
    let more = is
        .into_iter()
        .filter(|packet| left.next_if(|wanted| is_of_it(packet, wanted)).is_none())
        .collect();
    assert!(left.next().is_none(), "{} packets are not where they should be", left.count() + 1);
    more
}

fn is_silence(packet: &Packet) -> bool {
    packet.payload.starts_with(&[0xFB])
        && packet.payload[2..].chunks(2).all(|two| two == [0xFF, 0xFE])
}

#[test]
fn a_recording_on_its_own_timeline_stays_as_it_is() {
    for name in samples() {
        let stitched = stitch_samples(&[name]);
        let (file, report) = combined(vec![source(&stitched, Schedule::new(), "")]);
        assert!(packets(&file) == packets(&stitched.file), "{name}");
        assert_eq!(report.duration, stitched.report.duration, "{name}");
        assert_eq!(media::verify(Cursor::new(&file)).unwrap().duration, report.duration, "{name}");
    }
}

#[test]
fn a_gap_is_a_gap_in_time() {
    for (first, second) in [("beep1", "beep2"), ("b_vp8", "d_vrun2")] {
        let stitched = stitch_samples(&[first, second]);
        let border = stitched.report.segments[1].start;
        let gap = Duration::from_secs(100);
        let mut schedule = Schedule::new();
        schedule.shift(border, gap);
        let (file, report) = combined(vec![source(&stitched, schedule, "")]);
        assert_eq!(report.duration, stitched.report.duration + gap);
        assert_eq!(media::verify(Cursor::new(&file)).unwrap().duration, report.duration);
        let border = i64::try_from(border.as_millis()).unwrap();
        let place = |millis| if millis >= border { millis + 100_000 } else { millis };
        let more = put_in(&packets(&stitched.file), packets(&file), place);
        assert_eq!(more.len() as u64, report.silences);
        assert!(more.iter().all(is_silence));
    }
}

#[test]
fn a_gap_of_a_voice_plays_as_silence_and_nothing_else_is_put_in() {
    let stitched = stitch_samples(&["beep1", "beep2"]);
    let border = stitched.report.segments[1].start;
    let mut schedule = Schedule::new();
    schedule.shift(border, Duration::from_secs(5));
    let (file, report) = combined(vec![source(&stitched, schedule, "")]);
    let border = i64::try_from(border.as_millis()).unwrap();
    let place = |millis| if millis >= border { millis + 5_000 } else { millis };
    let silences = put_in(&packets(&stitched.file), packets(&file), place);
    assert_eq!(silences.len() as u64, report.silences);
    let lasts: Duration =
        silences.iter().filter_map(|one| media::opus_packet_duration(&one.payload)).sum();
    assert!(Duration::from_secs(5).abs_diff(lasts) < Duration::from_millis(120), "{lasts:?}");
    assert!(silences.iter().all(|one| (border - 120..border + 5_000).contains(&one.millis)));
    let Combined { duration, packets, .. } = report;
    decodes_without_a_word(&Stitched::of_pictures(file, duration, packets), "a filled gap");
    let (_, unbroken) = combined(vec![source(&stitched, Schedule::new(), "")]);
    assert_eq!(unbroken.silences, 0);
}

/// A session may be resumed a day later.
#[test]
fn a_gap_of_hours_stays_a_hole_in_time_and_takes_little_room() {
    let stitched = stitch_samples(&["beep1", "beep2"]);
    let border = stitched.report.segments[1].start;
    let gap = Duration::from_secs(20 * 60 * 60);
    let with_gap = |gap: Duration| {
        let mut schedule = Schedule::new();
        schedule.shift(border, gap);
        combined(vec![source(&stitched, schedule, "")])
    };
    let (file, report) = with_gap(gap);
    assert_eq!(report.duration, stitched.report.duration + gap);
    assert_eq!(media::verify(Cursor::new(&file)).unwrap().duration, report.duration);
    let (unbroken, _) = with_gap(Duration::ZERO);
    let silence = (file.len() - unbroken.len()) as u64;
    assert!(silence < 1_000_000, "{silence} bytes");

    let (longest_filled, report) = with_gap(limits::SILENCE_GAP_MAX);
    let silence = (longest_filled.len() - unbroken.len()) as u64;
    assert!(silence <= media::silence_bytes_max(limits::SILENCE_GAP_MAX), "{silence} bytes");
    let packets = limits::SILENCE_GAP_MAX.as_millis() / 120;
    assert!(u128::from(report.silences).abs_diff(packets) < 3, "{} packets", report.silences);
}

#[test]
fn two_voices_and_a_picture_are_tracks_of_one_file() {
    let (voice, other, picture) =
        (stitch_samples(&["beep1"]), stitch_samples(&["a_opus"]), stitch_samples(&["b_vp8"]));
    let offset = Duration::from_millis(1_240);
    let (file, report) = combined(vec![
        source(&picture, Schedule::new(), "Camera"),
        source(&voice, Schedule::new(), "Microphone"),
        source(&other, later(offset), "Other end"),
    ]);
    let verified = media::verify(Cursor::new(&file)).unwrap();
    assert_eq!(verified.packets, report.packets + report.silences);
    let of_sources = [&picture, &voice, &other].map(|one| one.verified().tracks);
    let kinds: Vec<_> = verified.tracks.iter().map(|track| track.kind).collect();
    let wanted: Vec<_> = of_sources.iter().flatten().map(|track| track.kind).collect();
    assert_eq!(kinds, wanted);
    // Every packet is there, and plays when it should.
    let pictures = u8::try_from(of_sources[0].len()).unwrap();
    let millis = i64::try_from(offset.as_millis()).unwrap();
    for (stitched, track, by) in [(&voice, pictures + 1, 0), (&other, pictures + 2, millis)] {
        let is = of_track(&file, track);
        let more = put_in(&packets(&stitched.file), is, |millis| millis + by);
        assert!(more.iter().all(|one| is_silence(one) && one.millis < by), "before it begins");
    }
    for label in ["Camera", "Microphone", "Other end"] {
        assert!(file.windows(label.len()).any(|bytes| bytes == label.as_bytes()), "{label}");
    }
    let Combined { duration, packets, .. } = report;
    decodes_without_a_word(&Stitched::of_pictures(file, duration, packets), "three sources");
}

#[test]
fn what_is_no_recording_and_too_many_tracks_are_refused() {
    let stitched = stitch_samples(&["beep1"]);
    let sources = |count: usize| (0..count).map(|_| source(&stitched, Schedule::new(), ""));
    let refusal = |sources: Vec<_>| match combine(sources, Cursor::new(Vec::new())) {
        Err(MediaError::Refused(refusal)) => Some(refusal),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    };
    let max = limits::TRACKS_MAX;
    assert_eq!(refusal(sources(max).collect()), None);
    let tracks = max + 1;
    assert_eq!(refusal(sources(tracks).collect()), Some(Refusal::TooManyTracks { tracks }));
    assert_eq!(refusal(Vec::new()), Some(Refusal::NoMedia));
    let nothing = Source { file: &[][..], schedule: Schedule::new(), labels: Vec::new() };
    assert_eq!(refusal(vec![nothing]), Some(Refusal::NoTracks));
    let noise = Source { file: &[7; 900][..], schedule: Schedule::new(), labels: Vec::new() };
    assert_eq!(refusal(vec![noise]), Some(Refusal::NotWebm));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_combined_keeps_every_packet(
        audio in prop::sample::select(&AUDIO[..]),
        video in prop::sample::select(&VIDEO[..]),
        starts in (0..90_000_u64, 0..90_000_u64),
    ) {
        let (sound, pictures) = (stitch_samples(&[audio]), stitch_samples(&[video]));
        let (file, report) = combined(vec![
            source(&sound, later(Duration::from_millis(starts.0)), "a"),
            source(&pictures, later(Duration::from_millis(starts.1)), "b"),
        ]);
        let verified = media::verify(Cursor::new(&file)).unwrap();
        prop_assert_eq!(report.packets, sound.report.packets + pictures.report.packets);
        prop_assert_eq!(verified.packets, report.packets + report.silences);
        prop_assert_eq!(verified.duration, report.duration);
    }
}

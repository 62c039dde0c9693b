//! One sound track in which all others are heard, before them.

mod common;

use std::io::Cursor;
use std::time::Duration;

use common::players::decodes_without_a_word;
use common::{Packet, Stitched, packets, stitch_samples};
use media::{
    Event, MediaError, Mixed, Refusal, SOUND_RATE_HZ, Schedule, SoundTrack, Source, TrackKind,
    WebmReader, combine, mix,
};

fn later(millis: u64) -> Schedule {
    let mut schedule = Schedule::new();
    schedule.shift(Duration::ZERO, Duration::from_millis(millis));
    schedule
}

/// Samples side by side, each from its own moment on.
fn combined(samples: &[(&str, u64)]) -> Vec<u8> {
    let stitched: Vec<Stitched> = samples.iter().map(|(name, _)| stitch_samples(&[name])).collect();
    let source = |(stitched, (name, starts)): (&'_ Stitched, &(&str, u64))| Source {
        file: Cursor::new(stitched.file.clone()),
        schedule: later(*starts),
        labels: vec![(*name).to_owned(); 2],
    };
    let sources = stitched.iter().zip(samples).map(source).collect();
    let (file, _) = combine(sources, Cursor::new(Vec::new())).expect("finished files");
    file.into_inner()
}

fn mixed(file: &[u8]) -> (Vec<u8>, Mixed) {
    let (file, report) = mix(file, Cursor::new(Vec::new())).expect("several sounds");
    (file.into_inner(), report)
}

fn refusal(file: &[u8]) -> Refusal {
    match mix(file, Cursor::new(Vec::new())) {
        Err(MediaError::Refused(refusal)) => refusal,
        other => panic!("no refusal: {:?}", other.map(|(_, report)| report)),
    }
}

/// What each sound track of a file sounds like, from its zero on.
fn sounds(file: &[u8]) -> Vec<Vec<i16>> {
    let mut reader = WebmReader::new();
    let mut tracks = Vec::new();
    reader.push(file);
    reader.end();
    while let Some(event) = reader.next_event().expect("a finished file") {
        match event {
            Event::Tracks(entries) => {
                let decoded = entries.iter().filter_map(|entry| {
                    Some((entry.number, SoundTrack::new(entry)?, Vec::<i16>::new()))
                });
                tracks = decoded.collect();
            }
            Event::Block(block) => {
                let track = tracks.iter_mut().find(|(number, ..)| *number == block.track());
                if let Some((_, opus, heard)) = track {
                    let nanos = u64::try_from(block.time.as_nanos()).expect("after the zero");
                    let sound = opus.decode(Duration::from_nanos(nanos), block.payload());
                    heard.resize(heard.len() + sound.silence as usize, 0);
                    heard.extend_from_slice(sound.samples);
                }
            }
            Event::Header { .. } | Event::Cluster { .. } | Event::ClockBreak => {}
            Event::Damage(damage) => panic!("{damage}"),
        }
    }
    tracks.into_iter().map(|(_, _, heard)| heard).collect()
}

/// How alike two sounds are: 1 for the same, 0 for strangers.
fn likeness(one: &[f64], other: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

/// The sum of all tracks but the first, and the first.
fn sum_and_mix(file: &[u8]) -> (Vec<f64>, Vec<f64>) {
    let tracks = sounds(file);
    let (mix, others) = tracks.split_first().expect("sound");
    let length = others.iter().map(Vec::len).max().expect("other sounds");
    let at = |track: &Vec<i16>, at: usize| f64::from(track.get(at).copied().unwrap_or(0));
    let sum = (0..length).map(|place| others.iter().map(|track| at(track, place)).sum());
    (sum.collect(), (0..length).map(|place| at(mix, place)).collect())
}

#[test]
fn the_first_sound_is_the_sum_of_all_others_to_the_moment() {
    let (file, report) = mixed(&combined(&[("beep1", 0), ("a_opus", 1_240), ("beep2", 7_000)]));
    assert_eq!(report.late_samples, 0);
    let (sum, mix) = sum_and_mix(&file);
    let alike = likeness(&sum, &mix);
    assert!(alike > 0.95, "{alike}");
    let loudness = |sound: &[f64]| sound.iter().map(|sample| sample * sample).sum::<f64>();
    let louder = (loudness(&mix) / loudness(&sum)).sqrt();
    assert!((louder - 1.0).abs() < 0.1, "{louder}");
    // A tenth of a second later it is another sound: this test would notice.
    let moved = SOUND_RATE_HZ as usize / 10;
    let unlike = likeness(&sum[moved..], &mix[..mix.len() - moved]);
    assert!(unlike < alike - 0.1, "{unlike}");
}

#[test]
fn every_other_track_is_there_packet_by_packet_and_in_the_order_of_time() {
    let before = combined(&[("b_vp8", 0), ("beep1", 500), ("beep2", 2_000)]);
    let (file, report) = mixed(&before);
    let verified = media::verify(Cursor::new(&file)).expect("a finished file");
    assert_eq!(verified.duration, report.duration);
    let was = media::verify(Cursor::new(&before)).expect("a finished file");
    let first_sound = was.tracks.iter().position(|track| track.kind == TrackKind::Audio);
    let place = u8::try_from(first_sound.expect("sound")).expect("few tracks") + 1;
    assert_eq!(verified.tracks.len(), was.tracks.len() + 1);
    let of = |packets: Vec<Packet>, track: u8| -> Vec<Packet> {
        packets.into_iter().filter(|packet| packet.track == track).collect()
    };
    for track in 1..=u8::try_from(was.tracks.len()).expect("few tracks") {
        let moved = if track < place { track } else { track + 1 };
        let is: Vec<Packet> = of(packets(&file), moved);
        let is: Vec<Packet> = is.into_iter().map(|packet| Packet { track, ..packet }).collect();
        assert!(is == of(packets(&before), track), "track {track}");
    }
    let mixed = of(packets(&file), place);
    assert_eq!(mixed.len() as u64, report.packets);
    let times: Vec<i64> = mixed.iter().map(|packet| packet.millis).collect();
    assert!(times.iter().zip((0..).step_by(20)).all(|(is, wanted)| *is == wanted), "no gaps");
    let all: Vec<i64> = packets(&file).iter().map(|packet| packet.millis).collect();
    assert!(all.is_sorted(), "players read on, not back");
    // The last packet of 20 ms may begin just before the end.
    let longer = report.duration.saturating_sub(was.duration);
    assert!(longer < Duration::from_millis(30), "{longer:?}");
    assert!(file.windows(9).any(|bytes| bytes == b"All sound"));
    let packets = verified.packets;
    decodes_without_a_word(&Stitched::of_pictures(file, report.duration, packets), "mixed");
}

#[test]
fn where_only_pictures_go_on_the_sound_is_silent_and_ends_with_the_last() {
    let (file, report) = mixed(&combined(&[("beep1", 0), ("beep2", 0), ("b_vp8", 60_000)]));
    let verified = media::verify(Cursor::new(&file)).expect("a finished file");
    assert_eq!(verified.duration, report.duration);
    let packets = i64::try_from(report.packets).expect("few packets");
    let ends_at = packets * 20;
    assert!((59_000..75_000).contains(&ends_at), "{ends_at}");
}

#[test]
fn what_needs_no_mixing_is_refused() {
    let alone = stitch_samples(&["beep1"]).file;
    assert_eq!(refusal(&alone), Refusal::NothingToMix { sounds: 1 });
    assert_eq!(refusal(&[]), Refusal::NoTracks);
    assert_eq!(refusal(&[7; 900]), Refusal::NotWebm);
    let max = media::limits::TRACKS_MAX;
    let most: Vec<(&str, u64)> = vec![("beep1", 0); max];
    assert_eq!(refusal(&combined(&most)), Refusal::TooManyTracks { tracks: max + 1 });
    let (file, _) = mixed(&combined(&most[1..]));
    assert_eq!(media::verify(Cursor::new(&file)).expect("a finished file").tracks.len(), max);
}

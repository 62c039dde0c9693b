//! Sound that is known to the sample, encoded here: where it comes out, and what bad packets do.

mod common;

use std::time::Duration;

use common::{AUDIO, Handmade, packets, sample};
use media::limits::{CLOCK_JUMP_MAX, SOUND_DURATION_MAX};
use media::{
    DecodeReport, Event, Peak, SOUND_RATE_HZ, SoundTrack, Waveform, Waveforms, WebmReader,
    opus_packet_duration,
};
use proptest::prelude::*;
use ropus::{Application, Channels, Encoder};

/// What an encoder at 48 kHz is late by, in samples.
const LOOKAHEAD: u16 = 312;
const TONE_HZ: f64 = 440.0;
const SECOND: u64 = 1000;

/// A second in which a tone sounds from 300 to 600 ms, at its own strength in every channel.
fn encoded(strengths: &[f64], packet_millis: usize) -> Vec<Vec<u8>> {
    let channels = if strengths.len() == 1 { Channels::Mono } else { Channels::Stereo };
    let encoder = Encoder::builder(48_000, channels, Application::Audio).build();
    let mut encoder = encoder.expect("an encoder");
    assert_eq!(encoder.lookahead(), u32::from(LOOKAHEAD));
    let sample = |at: usize, strength: f64| {
        let is_on = (300 * 48..600 * 48).contains(&at);
        let phase = at as f64 / 48_000.0 * TONE_HZ * std::f64::consts::TAU;
        if is_on { (phase.sin() * strength * 32_767.0) as i16 } else { 0 }
    };
    let sound = |at| strengths.iter().map(move |strength| sample(at, *strength));
    let packet = |start: usize| {
        let pcm: Vec<_> = (start..start + packet_millis * 48).flat_map(sound).collect();
        let mut packet = vec![0; 4000];
        let bytes = encoder.encode(&pcm, &mut packet).expect("room for a packet");
        packet.truncate(bytes);
        packet
    };
    (0..48_000).step_by(packet_millis * 48).map(packet).collect()
}

/// The head of a recording of one track, with this pre-skip and gain.
fn head(pre_skip: u16, gain: i16) -> Handmade {
    let mut source = Handmade::opus();
    let opus_head = source.bytes.windows(8).position(|bytes| bytes == b"OpusHead");
    let opus_head = opus_head.expect("a recording of Opus");
    source.bytes[opus_head + 10..][..2].copy_from_slice(&pre_skip.to_le_bytes());
    source.bytes[opus_head + 16..][..2].copy_from_slice(&gain.to_le_bytes());
    source
}

fn with_packets(head: Handmade, packets: &[Vec<u8>], packet_millis: usize) -> Handmade {
    let times = (0..).step_by(packet_millis);
    packets.iter().zip(times).fold(head, |file, (packet, at)| file.cluster(at).block(0, packet))
}

fn drawn(source: &Handmade) -> Waveform {
    let mut waveforms = Waveforms::from_webm(&source.bytes[..]).expect("there are packets");
    waveforms.pop().expect("a track of sound")
}

/// The tone is where it was put, at this strength, and nowhere else.
fn assert_tone(buckets: &[Peak], strength: f64, label: &str) {
    let expected = strength * 128.0;
    for (at, peak) in buckets.iter().enumerate() {
        let loudness = (f64::from(peak.max) - f64::from(peak.min)) / 2.0;
        match at {
            // The edges ring.
            28..32 | 58..64 => {}
            32..58 => {
                let off = (loudness - expected).abs();
                assert!(off < expected * 0.15, "{label}: bucket {at} has {peak:?}");
            }
            _ => assert!(loudness <= 2.0, "{label}: bucket {at} has {peak:?}"),
        }
    }
}

#[test]
fn mono_and_stereo_at_every_usual_packet_length_are_where_they_were_put() {
    for packet_millis in [10, 20, 40] {
        for strengths in [&[0.5][..], &[0.5, 0.5], &[0.8, 0.0]] {
            let packets = encoded(strengths, packet_millis);
            let label = format!("{strengths:?}, {packet_millis} ms");
            let waveform = drawn(&with_packets(head(LOOKAHEAD, 0), &packets, packet_millis));
            assert_eq!(waveform.peaks.buckets().len(), 100, "{label}");
            let mixed = strengths.iter().sum::<f64>() / strengths.len() as f64;
            assert_tone(waveform.peaks.buckets(), mixed, &label);
        }
    }
}

#[test]
fn the_start_of_a_tone_is_in_its_bucket_with_pre_skip_and_later_by_it_without() {
    let packets = encoded(&[0.5], 20);
    let start = |pre_skip| {
        let waveform = drawn(&with_packets(head(pre_skip, 0), &packets, 20));
        waveform.peaks.buckets().iter().position(|peak| peak.max >= 32).unwrap()
    };
    // At 300 ms; half of its strength is reached within 1 ms.
    assert_eq!(start(LOOKAHEAD), 30);
    assert_eq!(start(LOOKAHEAD + 480), 29, "10 ms more");
    assert_eq!(start(0), 30, "6.5 ms later is the same bucket");
}

#[test]
fn the_gain_of_the_header_is_applied() {
    let packets = encoded(&[0.5], 20);
    // In 1/256 dB: a factor of a half, and of one and a half.
    for (gain, strength) in [(-1541, 0.25), (902, 0.75)] {
        let waveform = drawn(&with_packets(head(LOOKAHEAD, gain), &packets, 20));
        assert_tone(waveform.peaks.buckets(), strength, "gain");
    }
}

#[test]
fn a_clock_that_wobbles_is_not_taken_for_lost_packets() {
    let packets = encoded(&[0.5], 20);
    let times = (0..).step_by(20).zip([0, 8].into_iter().cycle());
    let wobbling =
        packets.iter().zip(times).fold(head(LOOKAHEAD, 0), |file, (packet, (at, off))| {
            file.cluster(at + off).block(0, packet)
        });
    let waveform = drawn(&wobbling);
    assert_eq!(waveform.report.decoded, 50);
    for (at, peak) in waveform.peaks.buckets().iter().enumerate().take(58).skip(32) {
        assert!(peak.max.max(-peak.min) > 50, "bucket {at}: {peak:?}");
    }
}

/// A block of track 1 with Xiph lacing.
fn laced(frames: &[Vec<u8>]) -> Vec<u8> {
    let all_but_last = &frames[..frames.len() - 1];
    let sizes = all_but_last.iter().flat_map(|frame| {
        let full = frame.len() / 255;
        std::iter::repeat_n(255, full).chain([(frame.len() % 255) as u8])
    });
    let payload = [(frames.len() - 1) as u8].into_iter().chain(sizes);
    let payload: Vec<_> = payload.chain(frames.concat()).collect();
    let size = (payload.len() as u32 + 4) | 1 << 28;
    [&[0xA3][..], &size.to_be_bytes(), &[0x81, 0, 0, 0x82], &payload].concat()
}

#[test]
fn laced_packets_are_heard_one_after_the_other() {
    let packets = encoded(&[0.5], 20);
    let plain = drawn(&with_packets(head(LOOKAHEAD, 0), &packets, 20));
    let blocks = packets.chunks(5).zip((0..).step_by(100));
    let source =
        blocks.fold(head(LOOKAHEAD, 0), |file, (frames, at)| file.cluster(at).raw(&laced(frames)));
    assert_eq!(drawn(&source), plain);
}

#[test]
fn a_laced_block_whose_sizes_do_not_add_up_is_silent_and_counted() {
    let packets = encoded(&[0.5], 20);
    let mut bad = laced(&packets[15..20]);
    bad[10] = 255;
    bad[11..15].fill(255);
    let source = with_packets(head(LOOKAHEAD, 0), &packets[..15], 20);
    let source = source.cluster(300).raw(&bad).cluster(980).block(0, &packets[49]);
    let waveform = drawn(&source);
    assert_eq!(waveform.bad_blocks, 1);
    assert_eq!(waveform.peaks.buckets().len(), 100);
    assert!(waveform.peaks.buckets()[31..].iter().all(|peak| peak.max <= 2 && peak.min >= -2));
}

#[test]
fn a_bad_packet_is_silent_and_what_follows_is_in_its_place() {
    let mut packets = encoded(&[0.5], 20);
    // Two frames of equal size in an odd number of bytes; the second is not even that.
    packets[20] = vec![0xF0 | 0b1001, 1, 2, 3];
    packets[21] = vec![];
    let waveform = drawn(&with_packets(head(LOOKAHEAD, 0), &packets, 20));
    let report = DecodeReport { decoded: 48, bad: 2, ..DecodeReport::default() };
    assert_eq!(waveform.report, report);
    let buckets = waveform.peaks.buckets();
    assert_eq!(buckets.len(), 100);
    assert!(buckets[41..43].iter().all(|peak| *peak == Peak::default()));
    assert!(buckets[50..58].iter().all(|peak| peak.max > 50));
    assert!(buckets[66..].iter().all(|peak| peak.max <= 2));
}

#[test]
fn sound_at_the_longest_is_drawn_and_a_packet_one_millisecond_later_is_dropped() {
    let packets = encoded(&[0.5], 20);
    let max = u64::try_from(SOUND_DURATION_MAX.as_millis()).unwrap();
    let with_last_at = |at: u64| {
        let source = head(0, 0).cluster(0).block(0, &packets[20]);
        // A longer silence would be closed.
        let step = u64::try_from(CLOCK_JUMP_MAX.as_millis()).unwrap();
        let source = (1..=at / step)
            .fold(source, |source, hour| source.cluster(hour * step - 10).block(0, &packets[20]));
        drawn(&source.cluster(at).block(0, &packets[20]))
    };
    let at_limit = with_last_at(max - 20);
    let decoded = 1 + max / u64::try_from(CLOCK_JUMP_MAX.as_millis()).unwrap();
    assert_eq!((at_limit.report.decoded, at_limit.report.too_late), (decoded, 0));
    assert_eq!(at_limit.peaks.buckets().len(), 8_640_000);
    let (first, last) = (&at_limit.peaks.buckets()[..2], &at_limit.peaks.buckets()[8_639_998..]);
    assert!(first == last && last[1] != Peak::default(), "the same packet, the same sound");

    let past_limit = with_last_at(max - 19);
    assert_eq!((past_limit.report.decoded, past_limit.report.too_late), (decoded - 1, 1));
    assert_eq!(past_limit.peaks.buckets().len(), 8_640_000);
    assert_eq!(past_limit.peaks.buckets()[8_639_999], Peak::default());
}

#[test]
fn packets_at_the_same_time_are_not_all_decoded() {
    let packets = encoded(&[0.5], 20);
    let same_time = |file: Handmade, _| file.block(0, &packets[20]);
    let waveform = drawn(&(0..1000).fold(head(0, 0).cluster(0), same_time));
    let report = DecodeReport { decoded: 1, overlapping: 999, ..DecodeReport::default() };
    assert_eq!(waveform.report, report);
}

/// A decoder without pre-skip.
fn decoder() -> SoundTrack {
    let mut reader = WebmReader::new();
    reader.push(&Handmade::opus().bytes);
    while let Ok(Some(event)) = reader.next_event() {
        if let Event::Tracks(tracks) = event {
            return SoundTrack::new(&tracks[0]).expect("a track of Opus");
        }
    }
    panic!("a recording says its tracks");
}

/// Decodes packets that follow each other, and checks that time adds up whatever they are.
fn assert_time_adds_up(packets: &[Vec<u8>]) {
    let mut track = decoder();
    let mut at = Duration::ZERO;
    let mut samples = 0;
    for packet in packets {
        let sound = track.decode(at, packet);
        samples += sound.silence + sound.samples.len() as u64;
        at += opus_packet_duration(packet).unwrap_or_default();
    }
    assert_eq!(Duration::from_secs(samples) / SOUND_RATE_HZ, at);
    let report = track.report();
    assert_eq!(report.decoded + report.bad, packets.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn noise_for_packets_never_panics_and_lasts_as_long_as_it_claims(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
    ) {
        assert_time_adds_up(&packets);
    }

    #[test]
    fn real_packets_with_some_bytes_changed_never_panic(
        name in prop::sample::select(AUDIO.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..400usize, any::<u8>()), 1..30),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut payloads: Vec<_> =
            packets(&sample(name)).into_iter().take(40).map(|packet| packet.payload).collect();
        for (packet, at, byte) in changes {
            let packet = packet.get_mut(&mut payloads);
            let len = packet.len();
            packet[at % len] = byte;
        }
        for packet in lost {
            packet.get_mut(&mut payloads).truncate(1);
        }
        assert_time_adds_up(&payloads);
    }

    #[test]
    fn any_times_give_sound_that_never_goes_back_or_past_the_limit(
        times in prop::collection::vec(0..3 * SECOND, 1..60),
    ) {
        let packet = [0xF8, 0xFF, 0xFE];
        let mut track = decoder();
        let mut samples = 0;
        let mut latest = 0;
        for at in &times {
            let sound = track.decode(Duration::from_millis(*at), &packet);
            samples += sound.silence + sound.samples.len() as u64;
            latest = latest.max(*at);
            let end = (latest + 20) * 16;
            prop_assert!(samples.abs_diff(end) <= 5 * 16 + 10 * 16, "{} of {}", samples, end);
        }
    }
}

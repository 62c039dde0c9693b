//! Peaks of what real recorders wrote: where it is loud, where it is silent, and how long it is.

mod common;

use std::io::Cursor;

use common::{AUDIO, Handmade, packets, sample, samples, stitch, stitch_samples};
use media::limits::PEAKS_MAX;
use media::{Level, Peak, TrackKind, Verified, VerifiedTrack, Waveform, Waveforms};
use proptest::prelude::*;

fn drawn(file: &[u8]) -> Vec<Waveform> {
    Waveforms::from_webm(file).expect("there are packets")
}

/// The peaks of a file with one track of sound.
fn buckets(file: &[u8]) -> Vec<Peak> {
    let [waveform] = &drawn(file)[..] else { panic!("one track of sound") };
    waveform.peaks.buckets().to_vec()
}

/// Half of the distance between the lowest and the highest sample.
fn loudness(peak: &Peak) -> i32 {
    (i32::from(peak.max) - i32::from(peak.min)) / 2
}

/// In these recordings a tone sounds in the first half of every second.
fn assert_beeps(buckets: &[Peak]) {
    for (at, peak) in buckets.iter().enumerate() {
        match at % 100 {
            0..50 => assert!(loudness(peak) >= 15, "bucket {at} is not loud: {peak:?}"),
            // The encoder is 6.5 ms late, and Chromium does not say so.
            50 => {}
            _ => assert!(loudness(peak) <= 1, "bucket {at} is not silent: {peak:?}"),
        }
    }
}

fn combinations() -> Vec<Vec<&'static str>> {
    let mut combinations: Vec<_> = samples().map(|name| vec![name]).collect();
    combinations.extend([
        vec!["beep1", "beep2"],
        vec!["a_opus", "ff_a"],
        vec!["ff_a", "a_opus", "c_pause"],
        vec!["b_vp8", "ff_v"],
    ]);
    combinations
}

/// The track of the file that a waveform is of; its end is the end of the peaks.
fn track_of<'a>(waveform: &Waveform, verified: &'a Verified) -> &'a VerifiedTrack {
    let track = &verified.tracks[waveform.track.0 as usize - 1];
    assert_eq!(track.kind, TrackKind::Audio);
    let to_end = track.end.as_nanos().div_ceil(Level::FINEST.bucket().as_nanos());
    let to_end = usize::try_from(to_end).expect("some days").min(PEAKS_MAX);
    assert_eq!(waveform.peaks.buckets().len(), to_end, "the track ends at {:?}", track.end);
    track
}

#[test]
fn beeps_are_loud_where_they_sound_and_silent_between() {
    for name in ["beep1", "beep2"] {
        let buckets = buckets(&stitch_samples(&[name]).file);
        assert_eq!(buckets.len(), 816, "8.16 s");
        assert_beeps(&buckets);
    }
}

#[test]
fn a_second_recording_sounds_from_where_the_first_ends() {
    let both = buckets(&stitch_samples(&["beep1", "beep2"]).file);
    let (first, second) = both.split_at(816);
    assert_beeps(first);
    assert_beeps(second);
    assert_eq!(second.len(), 816);
}

#[test]
fn firefox_sounds_from_the_first_bucket_and_its_pre_skip_does_not() {
    let buckets = buckets(&stitch_samples(&["ff_a"]).file);
    assert_eq!(buckets.len(), 622, "6.22 s");
    // A steady tone. Its last 6.5 ms are those that the pre-skip moved everything forward by.
    for (at, peak) in buckets[..620].iter().enumerate() {
        assert!((8..20).contains(&loudness(peak)), "bucket {at}: {peak:?}");
    }
}

#[test]
fn peaks_are_as_long_as_the_track_and_every_packet_is_decoded() {
    for names in combinations() {
        let stitched = stitch_samples(&names);
        let verified = stitched.verified();
        let [waveform] = &drawn(&stitched.file)[..] else { panic!("one track of sound") };
        assert_eq!(waveform.report.decoded, track_of(waveform, &verified).packets, "{names:?}");
        assert_eq!(waveform.bad_blocks, 0, "{names:?}");
    }
}

#[test]
fn a_live_stream_is_drawn_as_the_file_made_of_it() {
    for name in samples() {
        assert!(drawn(&sample(name)) == drawn(&stitch_samples(&[name]).file), "{name}");
    }
}

#[test]
fn lost_packets_are_silent_and_move_nothing() {
    let lost = 1_200..2_400;
    let mut source = Handmade::opus();
    for packet in packets(&sample("beep1")) {
        if !lost.contains(&packet.millis) {
            source = source.cluster(packet.millis as u64).block(0, &packet.payload);
        }
    }
    let buckets = buckets(&source.bytes);
    assert_eq!(buckets.len(), 816);
    assert!(buckets[120..240].iter().all(|peak| *peak == Peak::default()));
    assert_beeps(&buckets[..120]);
    assert_beeps(&buckets[300..]);
}

#[test]
fn a_recording_without_sound_has_no_waveform_and_none_at_all_is_refused() {
    // The track of sound is made one of subtitles.
    let mut source = Handmade::opus().cluster(0).block(0, &common::opus_20_ms(1)).bytes;
    let kind = source.windows(3).position(|bytes| bytes == [0x83, 0x81, 0x02]).unwrap();
    source[kind + 2] = 0x11;
    assert_eq!(drawn(&source), []);
    assert!(Waveforms::from_webm(&b""[..]).is_err());
    assert!(Waveforms::from_webm(&sample("g_audiomp4")[..]).is_err());
}

#[test]
fn a_reader_that_fails_is_an_error_and_one_that_is_interrupted_is_not() {
    struct Reader(Option<std::io::ErrorKind>, Cursor<Vec<u8>>);
    impl std::io::Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.take() {
                Some(kind) => Err(kind.into()),
                None => self.1.read(buffer),
            }
        }
    }
    let reader = |kind| Reader(Some(kind), Cursor::new(sample("a_opus")));
    assert!(Waveforms::from_webm(reader(std::io::ErrorKind::Interrupted)).is_ok());
    assert!(Waveforms::from_webm(reader(std::io::ErrorKind::TimedOut)).is_err());
}

fn assert_as_long_as_the_file(source: &[u8]) {
    // A part of an MP4 is stitched too, and not drawn.
    if let (Ok(stitched), Ok(waveforms)) = (stitch(&[source]), Waveforms::from_webm(source)) {
        for waveform in waveforms {
            track_of(&waveform, &stitched.verified());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_stream_cut_anywhere_has_peaks_as_long_as_what_is_left(
        name in prop::sample::select(AUDIO.to_vec()),
        cut in 0.0..1.0,
    ) {
        let source = sample(name);
        let cut = &source[..(cut * source.len() as f64) as usize];
        assert_as_long_as_the_file(cut);
    }

    #[test]
    fn corrupt_bytes_never_panic_and_peaks_stay_as_long_as_the_track(
        name in prop::sample::select(samples().collect::<Vec<_>>()),
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 1..60),
    ) {
        let mut source = sample(name);
        for (at, byte) in changes {
            let at = (at * source.len() as f64) as usize;
            source[at] = byte;
        }
        assert_as_long_as_the_file(&source);
    }

    #[test]
    fn packets_lost_anywhere_leave_the_rest_where_it_is(
        lost in prop::collection::vec(any::<bool>(), 136),
    ) {
        let mut source = Handmade::opus();
        for (packet, lost) in packets(&sample("beep1")).iter().zip(&lost) {
            // The first and the last say how long it is.
            if !lost || packet.millis == 0 || packet.millis == 8_100 {
                source = source.cluster(packet.millis as u64).block(0, &packet.payload);
            }
        }
        let stitched = stitch(&[&source.bytes]).unwrap();
        let buckets = buckets(&stitched.file);
        prop_assert_eq!(buckets.len(), 816);
        for (at, peak) in buckets.iter().enumerate() {
            let is_between = (60..100).contains(&(at % 100));
            prop_assert!(!is_between || loudness(peak) <= 3, "bucket {}: {:?}", at, peak);
        }
    }
}

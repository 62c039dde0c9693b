//! Each limit on MP4 is met at the limit and one past it. Those of one module are tested inside it.

mod common;

use common::mp4::{Handmade, file_samples};
use common::{opus_20_ms, stitch};
use media::limits::{
    BLOCK_BYTES_MAX, CLOCK_JUMP_MAX, FRAGMENT_SAMPLES_MAX, MOOF_BYTES_MAX, MOOV_BYTES_MAX,
    SKIPPED_UNSEEN_BYTES_MAX,
};
use media::{Problem, Refusal};
use std::time::Duration;

/// How many samples are taken of a source with a last fragment of one, and of how many problems.
fn samples_and_problems(source: Handmade) -> (u64, usize) {
    let source = source.fragment(96_000, &[(960, &opus_20_ms(1))]);
    let stitched = stitch(&[&source.bytes]).expect("the last fragment");
    stitched.verified();
    let segment = &stitched.report.segments[0];
    let damages = segment.problems.iter().filter(|one| matches!(one, Problem::Damaged(_))).count();
    assert_eq!(segment.account.left_out.is_nothing(), damages == 0, "{:?}", segment.problems);
    (stitched.report.packets, damages)
}

#[test]
fn a_sample_at_the_limit_is_taken_and_one_byte_more_is_damage() {
    let with_sample =
        |bytes| samples_and_problems(Handmade::opus().fragment(0, &[(960, &vec![0xF8; bytes])]));
    assert_eq!(with_sample(BLOCK_BYTES_MAX), (2, 0));
    assert_eq!(with_sample(BLOCK_BYTES_MAX + 1), (1, 1));
}

#[test]
fn a_box_of_no_interest_may_be_large_and_gives_back_a_fragment_past_the_limit() {
    let limit = usize::try_from(SKIPPED_UNSEEN_BYTES_MAX).unwrap();
    let with_free = |body: &[u8]| {
        let source = Handmade::opus().boxed(b"free", body);
        samples_and_problems(source.fragment(48_000, &[(960, &opus_20_ms(2))]))
    };
    assert_eq!(with_free(&vec![0; 3 * limit]), (2, 0));
    let inside = Handmade::nothing().fragment(0, &[(960, &opus_20_ms(3))]).bytes;
    let with_fragment = |bytes: usize| [inside.clone(), vec![0; bytes - inside.len()]].concat();
    assert_eq!(with_free(&with_fragment(limit)), (2, 0));
    let (samples, damages) = with_free(&with_fragment(limit + 1));
    assert_eq!((samples, damages > 0), (3, true));
}

#[test]
fn room_before_a_sample_is_stepped_over() {
    let with_room = |bytes: usize| {
        let mut source = Handmade::opus().moof(0, &[(960, 3)]);
        let trun = source.bytes.windows(4).rposition(|name| name == b"trun").expect("a run");
        let media = u32::from_be_bytes(*source.bytes[trun + 12..].first_chunk().expect("4 bytes"));
        let offset = media + bytes as u32;
        source.bytes[trun + 12..trun + 16].copy_from_slice(&offset.to_be_bytes());
        samples_and_problems(source.boxed(b"mdat", &[vec![0; bytes], opus_20_ms(2)].concat()))
    };
    assert_eq!(with_room(1), (2, 0));
    assert_eq!(with_room(3_000_000), (2, 0));
}

#[test]
fn a_description_at_the_limit_is_read_and_one_byte_more_is_damage() {
    let with_moof = |bytes: usize| {
        let source = Handmade::opus();
        let plain = Handmade::nothing().moof(0, &[(960, 3)]).bytes;
        let padding = vec![0; bytes - (plain.len() - 8) - 8];
        let padded = Handmade { bytes: plain }.boxed(b"free", &padding).bytes;
        let mut padded = padded;
        let size = padded.len() as u32;
        padded[..4].copy_from_slice(&size.to_be_bytes());
        let trun = padded.windows(4).position(|name| name == b"trun").expect("a run");
        padded[trun + 12..trun + 16].copy_from_slice(&(size + 8).to_be_bytes());
        samples_and_problems(source.raw(&padded).boxed(b"mdat", &opus_20_ms(2)))
    };
    assert_eq!(with_moof(MOOF_BYTES_MAX), (2, 0));
    assert_eq!(with_moof(MOOF_BYTES_MAX + 1), (1, 1));
}

#[test]
fn a_head_at_the_limit_is_read_and_one_byte_more_is_damage() {
    let with_moov = |bytes: usize| {
        let head = Handmade::opus().bytes;
        let moov = head.windows(4).position(|name| name == b"moov").expect("a moov") - 4;
        let body = &head[moov + 8..];
        let padding = Handmade::nothing().boxed(b"free", &vec![0; bytes - body.len() - 8]).bytes;
        let source = Handmade { bytes: head[..moov].to_vec() };
        let source = source.boxed(b"moov", &[body, &padding].concat());
        stitch(&[&source.fragment(0, &[(960, &opus_20_ms(1))]).bytes]).map(|one| one.report.packets)
    };
    assert_eq!(with_moov(MOOV_BYTES_MAX).unwrap(), 1);
    assert!(with_moov(MOOV_BYTES_MAX + 1).is_err());
}

#[test]
fn as_many_samples_as_a_fragment_may_have_are_taken_and_with_one_more_none() {
    let with_samples = |count| {
        let one = opus_20_ms(2);
        samples_and_problems(Handmade::opus().fragment(0, &vec![(1, &one[..]); count]))
    };
    assert_eq!(with_samples(FRAGMENT_SAMPLES_MAX), (FRAGMENT_SAMPLES_MAX as u64 + 1, 0));
    assert_eq!(with_samples(FRAGMENT_SAMPLES_MAX + 1), (1, 2), "the fragment, and its media");
}

#[test]
fn a_silence_at_the_limit_is_kept_and_one_a_tick_longer_closed() {
    let max = CLOCK_JUMP_MAX.as_secs() * 48_000;
    let with_sample_at = |at| {
        let source = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1))]);
        stitch(&[&source.fragment(at, &[(960, &opus_20_ms(2))]).bytes]).unwrap()
    };
    let at_limit = with_sample_at(max);
    assert_eq!(at_limit.verified().duration, CLOCK_JUMP_MAX + Duration::from_millis(20));
    assert_eq!(file_samples(&at_limit.file)[1].at, max);
    let past_limit = with_sample_at(max + 1);
    assert_eq!(past_limit.report.segments[0].problems, [Problem::ClockBroke { times: 1 }]);
    assert_eq!(file_samples(&past_limit.file)[1].at, 960);
}

#[test]
fn a_run_described_otherwise_does_not_fit() {
    // A codec that does not describe itself.
    let source = |description: u8| {
        let mut source = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1))]).bytes;
        let entry = source.windows(4).position(|name| name == b"Opus").expect("an entry");
        source[entry..entry + 4].copy_from_slice(b"mp4a");
        source[entry + 16] = description;
        source
    };
    let stitched = stitch(&[&source(0), &source(1), &source(0)]).unwrap();
    assert_eq!(stitched.verified().packets, 2);
    let refusal = stitched.report.segments[1].refusal();
    assert!(matches!(refusal, Some(Refusal::TrackMismatch { .. })), "{refusal:?}");
}

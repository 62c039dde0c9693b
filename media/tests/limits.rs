//! Each limit is met at the limit and one past it. Limits of one module are tested inside it.

mod common;

use common::{Handmade, opus_20_ms, packets, stitch};
use media::limits::{
    AUDIO_CLUSTER_DURATION_MAX, BLOCK_BYTES_MAX, CLOCK_JUMP_MAX, CLUSTER_BYTES_MAX,
    HEADER_BYTES_MAX, HEADLESS_BYTES_MAX, SEGMENTS_MAX, SKIPPED_UNSEEN_BYTES_MAX,
    STRANGER_BYTES_MAX, VIDEO_CLUSTER_DURATION_MAX,
};
use media::{MediaError, Problem, Stitcher};
use std::io::Cursor;
use std::time::Duration;

const BLOCK_HEAD: usize = 4;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("limits are short")
}

#[test]
fn a_block_at_the_limit_is_taken_and_one_byte_more_is_damage() {
    let with_block = |bytes: usize| {
        let source = Handmade::opus()
            .cluster(0)
            .block(0, &vec![0xF8; bytes - BLOCK_HEAD])
            .cluster(1000)
            .block(0, &opus_20_ms(1));
        stitch(&[&source.bytes]).unwrap()
    };
    let at_limit = with_block(BLOCK_BYTES_MAX);
    assert_eq!(at_limit.verified().packets, 2);
    assert_eq!(at_limit.report.segments[0].problems, []);

    let past_limit = with_block(BLOCK_BYTES_MAX + 1);
    assert_eq!(past_limit.verified().packets, 1);
    let problems = &past_limit.report.segments[0].problems[..];
    assert!(matches!(problems, [Problem::Damaged(_), Problem::LeftOut(_)]), "{problems:?}");
}

/// An element with a body of zeros.
fn element(id: &[u8], body_bytes: usize) -> Vec<u8> {
    let size = (body_bytes as u64 | 1 << 56).to_be_bytes();
    [id, &size, &vec![0; body_bytes]].concat()
}

#[test]
fn what_is_stepped_over_gives_back_a_cluster_only_past_the_limit_of_what_is_stepped_over_unseen() {
    let limit = usize::try_from(SKIPPED_UNSEEN_BYTES_MAX).unwrap();
    let inside = Handmade { bytes: Vec::new() }.cluster(500).block(0, &opus_20_ms(3)).bytes;
    let with_void = |bytes: usize| {
        let body = [inside.clone(), vec![0; bytes - inside.len()]].concat();
        let size = (bytes as u64 | 1 << 56).to_be_bytes();
        let source = Handmade::opus()
            .cluster(0)
            .raw(&[0xEC])
            .raw(&size)
            .raw(&body)
            .block(0, &opus_20_ms(1))
            .cluster(1000)
            .block(0, &opus_20_ms(2));
        stitch(&[&source.bytes]).unwrap().report
    };
    assert_eq!(with_void(limit).packets, 2);
    assert_eq!(with_void(limit).segments[0].problems, []);
    assert_eq!(with_void(limit + 1).packets, 3, "its size was wrong");
    assert!(!with_void(limit + 1).left_out().is_nothing());
    let large = Handmade::opus().cluster(0).raw(&element(&[0xEC], 3 * limit));
    let large = stitch(&[&large.block(0, &opus_20_ms(1)).bytes]).unwrap().report;
    assert_eq!((large.packets, large.left_out().is_nothing()), (1, true), "it is only large");
}

#[test]
fn a_stranger_up_to_the_limit_is_stepped_over_by_its_size_and_a_larger_one_is_damage() {
    let with_stranger = |bytes: usize| {
        // Two bytes of id, eight of size.
        let source = Handmade::opus()
            .cluster(0)
            .block(0, &opus_20_ms(1))
            .raw(&element(&[0x5D, 0xC1], bytes - 10))
            .block(20, &opus_20_ms(2))
            .block(40, &opus_20_ms(3));
        stitch(&[&source.bytes]).unwrap().report
    };
    let at_limit = with_stranger(STRANGER_BYTES_MAX);
    assert_eq!((at_limit.packets, at_limit.left_out().is_nothing()), (3, true));
    let past_limit = with_stranger(STRANGER_BYTES_MAX + 1);
    assert_eq!((past_limit.packets, past_limit.left_out().is_nothing()), (3, false));
}

#[test]
fn a_stream_without_its_header_is_held_up_to_the_limit_and_no_longer() {
    let header = Handmade::opus().bytes;
    let before = |bytes: usize| {
        let cluster = Handmade { bytes: Vec::new() }.cluster(0);
        let payload = vec![0xFF; bytes - cluster.bytes.len() - 9];
        let source = cluster.block(0, &payload);
        assert_eq!(source.bytes.len(), bytes);
        let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
        stitcher.begin_segment().unwrap();
        stitcher.push(&source.bytes).unwrap();
        stitcher.push(&header).unwrap();
        stitcher.push(&Handmade { bytes: Vec::new() }.cluster(9).block(0, &[0xF8]).bytes).unwrap();
        stitcher.end_segment().unwrap().packets()
    };
    assert_eq!(before(HEADLESS_BYTES_MAX), 2);
    assert_eq!(before(HEADLESS_BYTES_MAX + 1), 0);
}

#[test]
fn a_header_at_the_limit_is_read_and_one_byte_more_is_damage() {
    let head = Handmade::opus().bytes;
    let find = |id: [u8; 4]| head.windows(4).position(|window| window == id).unwrap();
    let (start, end) = (find([0x15, 0x49, 0xA9, 0x66]), find([0x16, 0x54, 0xAE, 0x6B]));
    let with_info = |bytes: usize| {
        // An Info that holds one Void, whose own header is 9 bytes long.
        let void = element(&[0xEC], bytes - 9);
        let size = (bytes as u64 | 1 << 56).to_be_bytes();
        let source = Handmade { bytes: head[..start].to_vec() };
        let source = source.raw(&[0x15, 0x49, 0xA9, 0x66]).raw(&size).raw(&void).raw(&head[end..]);
        source.cluster(0).block(0, &opus_20_ms(1))
    };
    assert_eq!(stitch(&[&with_info(HEADER_BYTES_MAX).bytes]).unwrap().report.packets, 1);
    assert!(stitch(&[&with_info(HEADER_BYTES_MAX + 1).bytes]).is_err());
}

#[test]
fn a_silence_at_the_limit_is_kept_and_a_longer_one_closed() {
    let max = millis(CLOCK_JUMP_MAX);
    let with_packet_at = |at: u64| {
        let source = Handmade::opus().cluster(0).block(0, &opus_20_ms(1));
        let source = source.cluster(at).block(0, &opus_20_ms(2));
        stitch(&[&source.bytes]).unwrap()
    };
    assert_eq!(with_packet_at(max).verified().duration, Duration::from_millis(max + 20));
    let past_limit = with_packet_at(max + 1);
    assert_eq!(past_limit.report.segments[0].problems, [Problem::ClockBroke { times: 1 }]);
    assert_eq!(past_limit.verified().duration, Duration::from_millis(40));
}

#[test]
fn as_many_segments_as_the_limit_are_joined_and_one_more_is_refused() {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
    for _ in 0..SEGMENTS_MAX {
        stitcher.begin_segment().unwrap();
        stitcher.end_segment().unwrap();
    }
    assert!(matches!(stitcher.begin_segment(), Err(MediaError::TooManySegments)));
}

#[test]
fn an_audio_cluster_is_closed_at_its_longest() {
    let max = i16::try_from(AUDIO_CLUSTER_DURATION_MAX.as_millis()).unwrap();
    let clusters_with_packet_at = |at: i16| {
        let source = Handmade::opus().cluster(0).block(0, &opus_20_ms(1));
        let stitched = stitch(&[&source.block(at, &opus_20_ms(2)).bytes]).unwrap();
        stitched.verified().clusters
    };
    assert_eq!(clusters_with_packet_at(max - 1), 1);
    assert_eq!(clusters_with_packet_at(max), 2);
}

#[test]
fn a_cluster_with_video_is_closed_at_its_longest() {
    let max = i16::try_from(VIDEO_CLUSTER_DURATION_MAX.as_millis()).unwrap();
    let sample = common::sample("b_vp8");
    let head = &sample[..189];
    let clusters_with_packet_at = |at: i16| {
        let source = Handmade { bytes: head.to_vec() }.cluster(0).block(0, &opus_20_ms(1));
        let stitched = stitch(&[&source.block(at, &opus_20_ms(2)).bytes]).unwrap();
        stitched.verified().clusters
    };
    assert_eq!(clusters_with_packet_at(max - 1), 1);
    assert_eq!(clusters_with_packet_at(max), 2);
}

#[test]
fn a_cluster_does_not_grow_past_its_largest() {
    let half = CLUSTER_BYTES_MAX / 2;
    let clusters_of = |second: usize| {
        let source =
            Handmade::opus().cluster(0).block(0, &vec![0xF8; half]).block(20, &vec![0xF8; second]);
        let stitched = stitch(&[&source.bytes]).unwrap();
        assert_eq!(packets(&stitched.file).len(), 2);
        stitched.verified().clusters
    };
    assert_eq!(clusters_of(half - 128), 1);
    assert_eq!(clusters_of(half), 2);
}

//! What can't be used is refused by name and spoils nothing else.

mod common;

use common::{Handmade, chunks, opus_20_ms, sample, stitch, stitch_samples};
use media::{Container, MediaError, Problem, Refusal, Stitcher, TrackKind};
use std::io::Cursor;

fn refusal_of(segments: &[&[u8]]) -> Refusal {
    match stitch(segments).map(|_| ()) {
        Err(MediaError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn mp4() -> Refusal {
    Refusal::UnsupportedContainer { container: Container::Mp4 }
}

#[test]
fn nothing_is_refused_as_empty() {
    assert_eq!(refusal_of(&[]), Refusal::Empty);
    assert_eq!(refusal_of(&[&[]]), Refusal::Empty);
    assert_eq!(refusal_of(&[&[], &[]]), Refusal::Empty);
}

#[test]
fn mp4_is_refused_by_name_even_without_its_first_chunk() {
    assert_eq!(refusal_of(&[&sample("g_audiomp4")]), mp4());
    assert_eq!(refusal_of(&[&sample("g_videomp4")]), mp4());
    assert_eq!(refusal_of(&[&chunks("g_audiomp4")[1]]), mp4());
    assert!(mp4().to_string().contains("MP4"));
}

#[test]
fn ogg_and_noise_and_other_ebml_are_refused() {
    let ogg = Refusal::UnsupportedContainer { container: Container::Ogg };
    assert_eq!(refusal_of(&[b"OggS\0\x02\0\0\0\0\0\0"]), ogg);
    assert_eq!(refusal_of(&[b"<!doctype html>"]), Refusal::NotWebm);
    assert_eq!(refusal_of(&[b"?"]), Refusal::NotWebm);
    let other = [&[0x1A, 0x45, 0xDF, 0xA3, 0x87, 0x42, 0x82, 0x84][..], b"test"].concat();
    assert_eq!(refusal_of(&[&other]), Refusal::OtherDocType { doc_type: "test".into() });
}

#[test]
fn a_head_without_media_is_refused_and_one_cut_before_its_tracks_too() {
    let head = Handmade::opus().bytes;
    assert_eq!(refusal_of(&[&head]), Refusal::NoMedia);
    assert_eq!(refusal_of(&[&Handmade::opus().cluster(0).bytes]), Refusal::NoMedia);
    for cut in 1..head.len() {
        assert_eq!(refusal_of(&[&head[..cut]]), Refusal::NoTracks, "cut at {cut}");
    }
}

#[test]
fn the_first_telling_reason_is_given_when_no_segment_is_of_use() {
    assert_eq!(refusal_of(&[&[], b"<!doctype html>", &sample("g_videomp4")]), Refusal::NotWebm);
}

#[test]
fn a_useless_segment_does_not_spoil_the_others() {
    let good = sample("a_opus");
    let head = Handmade::opus().bytes;
    let mp4_sample = sample("g_audiomp4");
    let useless: [(&[u8], Refusal); 5] = [
        (&[], Refusal::Empty),
        (&good[..100], Refusal::NoTracks),
        (&head, Refusal::NoMedia),
        (b"garbage garbage", Refusal::NotWebm),
        (&mp4_sample, mp4()),
    ];
    let alone = stitch_samples(&["a_opus", "a_opus"]);
    for (bytes, refusal) in useless {
        let stitched = stitch(&[bytes, &good, bytes, &good, bytes]).unwrap();
        assert!(stitched.file == alone.file, "{refusal}");
        for segment in stitched.report.segments.iter().step_by(2) {
            assert_eq!(segment.refusal(), Some(&refusal));
            assert_eq!(segment.duration.as_nanos(), 0);
        }
    }
}

#[test]
fn a_segment_of_another_codec_is_refused_and_the_rest_goes_on() {
    let segments = [sample("b_vp8"), sample("b_vp9"), sample("d_vrun2")];
    let stitched = stitch(&segments.each_ref().map(Vec::as_slice)).unwrap();
    let mismatch = Refusal::TrackMismatch { kind: TrackKind::Video, codec: "V_VP9".into() };
    assert_eq!(stitched.report.segments[1].problems, [Problem::Refused(mismatch)]);
    assert_eq!(stitched.report.segments[1].packets, 0);
    assert!(stitched.file == stitch_samples(&["b_vp8", "d_vrun2"]).file);
}

#[test]
fn a_segment_with_a_track_more_is_refused_and_with_one_less_is_joined() {
    let more = stitch_samples(&["a_opus", "b_vp8"]);
    assert!(more.report.segments[1].refusal().is_some());
    assert_eq!(more.report.packets, 103);

    let less = stitch_samples(&["b_vp8", "a_opus", "d_vrun2"]);
    assert!(less.report.segments.iter().all(|segment| segment.problems.is_empty()));
    less.verified();
}

#[test]
fn sound_that_outlasts_the_picture_is_cued() {
    let both = stitch_samples(&["b_vp8", "a_opus", "a_opus"]);
    both.verified();
    // 12.4 s of sound alone: one cue at each 5 s cluster and one at the last join.
    assert_eq!(both.report.cues, stitch_samples(&["b_vp8"]).report.cues + 3);
}

#[test]
fn a_first_segment_without_media_does_not_decide_the_tracks() {
    let vp9_head = &sample("b_vp9")[..190];
    let stitched = stitch(&[vp9_head, &sample("b_vp8")]).unwrap();
    assert!(stitched.file == stitch_samples(&["b_vp8"]).file);
}

#[test]
fn calls_out_of_order_are_errors() {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
    assert!(matches!(stitcher.push(&[1]), Err(MediaError::OutOfOrder(_))));
    assert!(matches!(stitcher.hole(), Err(MediaError::OutOfOrder(_))));
    assert!(matches!(stitcher.end_segment(), Err(MediaError::OutOfOrder(_))));
    stitcher.begin_segment().unwrap();
    assert!(matches!(stitcher.begin_segment(), Err(MediaError::OutOfOrder(_))));
    assert!(matches!(stitcher.finish(), Err(MediaError::OutOfOrder(_))));
}

#[test]
fn a_block_group_keeps_what_only_it_can_say() {
    let packet = opus_20_ms(1);
    let plain = [&[0xA0, 0x89, 0xA1, 0x87, 0x81, 0, 0, 0][..], &packet].concat();
    let padding = [0x75, 0xA2, 0x82, 0x01, 0x02];
    let padded = [&[0xA0, 0x8E, 0xA1, 0x87, 0x81, 0, 20, 0][..], &packet, &padding].concat();
    let source = Handmade::opus().cluster(0).raw(&plain).raw(&padded);
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(stitched.verified().packets, 2);
    assert_eq!(stitched.payloads(), [packet], "the plain group became a SimpleBlock");
    assert!(stitched.file.windows(padding.len()).any(|window| window == padding));
}

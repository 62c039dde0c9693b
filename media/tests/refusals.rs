//! What can't be used is refused by name and spoils nothing else.

mod common;

use common::{Handmade, chunks, opus_20_ms, sample, stitch, stitch_samples};
use media::{Container, MediaError, Refusal, Stitcher, Tally, TrackKind};
use std::io::Cursor;

fn refusal_of(segments: &[&[u8]]) -> Refusal {
    match stitch(segments).map(|_| ()) {
        Err(MediaError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn nothing_is_refused_as_empty() {
    assert_eq!(refusal_of(&[]), Refusal::Empty);
    assert_eq!(refusal_of(&[&[]]), Refusal::Empty);
    assert_eq!(refusal_of(&[&[], &[]]), Refusal::Empty);
}

#[test]
fn an_mp4_without_its_first_chunk_has_no_tracks() {
    assert_eq!(refusal_of(&[&chunks("g_audiomp4")[1]]), Refusal::NoHeader);
    assert_eq!(refusal_of(&[&chunks("g_audiomp4")[0]]), Refusal::NoMedia);
    for cut in 8..chunks("g_audiomp4")[0].len() {
        assert_eq!(refusal_of(&[&chunks("g_audiomp4")[0][..cut]]), Refusal::NoTracks);
    }
}

#[test]
fn a_segment_of_another_container_is_refused_and_the_rest_goes_on() {
    let (webm, mp4) = (sample("a_opus"), sample("g_audiomp4"));
    for (ours, other, container) in [(&webm, &mp4, Container::Mp4), (&mp4, &webm, Container::Webm)]
    {
        let stitched = stitch(&[ours, other, ours]).unwrap();
        let refusal = Refusal::OtherContainer { container };
        assert!(refusal.to_string().contains(&container.to_string()));
        let segment = &stitched.report.segments[1];
        assert_eq!(segment.refusal(), Some(&refusal));
        let left_out = Tally { packets: 0, bytes: other.len() as u64 };
        assert_eq!(segment.account.left_out.all(), left_out);
        assert_eq!(stitched.report.segments[1].account.bytes.pushed, other.len() as u64);
        assert!(stitched.file == stitch(&[ours, ours]).unwrap().file);
    }
}

#[test]
fn a_first_segment_without_media_does_not_decide_the_container() {
    let (webm, mp4) = (sample("a_opus"), sample("g_audiomp4"));
    let head = Handmade::opus().bytes;
    let mp4_head = &chunks("g_audiomp4")[0];
    assert!(stitch(&[&head, &mp4]).unwrap().file == stitch_samples(&["g_audiomp4"]).file);
    assert!(stitch(&[mp4_head, &webm]).unwrap().file == stitch_samples(&["a_opus"]).file);
    let in_turn = stitch(&[mp4_head, &head, mp4_head, b"noise and noise", &mp4]).unwrap();
    assert!(in_turn.file == stitch_samples(&["g_audiomp4"]).file);
    assert_eq!(in_turn.report.segments[3].refusal(), Some(&Refusal::NotWebm));
}

#[test]
fn ogg_and_noise_and_other_ebml_are_refused() {
    assert_eq!(refusal_of(&[b"OggS\0\x02\0\0\0\0\0\0"]), Refusal::NoTracks);
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
    let head = &chunks("g_videomp4")[0];
    assert_eq!(refusal_of(&[&[], b"<!doctype html>", head]), Refusal::NotWebm);
}

#[test]
fn a_useless_segment_does_not_spoil_the_others() {
    let good = sample("a_opus");
    let head = Handmade::opus().bytes;
    let mp4_head = &chunks("g_audiomp4")[0];
    let useless: [(&[u8], Refusal); 5] = [
        (&[], Refusal::Empty),
        (&good[..100], Refusal::NoTracks),
        (&head, Refusal::NoMedia),
        (b"garbage garbage", Refusal::NotWebm),
        (b"OggS\0\x02\0\0\0\0", Refusal::NoTracks),
    ];
    let check = |good: &[u8], bytes: &[u8], refusals: [&Refusal; 3]| {
        let stitched = stitch(&[bytes, good, bytes, good, bytes]).unwrap();
        assert!(stitched.file == stitch(&[good, good]).unwrap().file, "{refusals:?}");
        for (segment, refusal) in stitched.report.segments.iter().step_by(2).zip(refusals) {
            assert_eq!(segment.refusal(), Some(refusal));
            assert_eq!(segment.duration.as_nanos(), 0);
        }
    };
    for (bytes, refusal) in useless {
        check(&good, bytes, [&refusal; 3]);
    }
    let other = Refusal::OtherContainer { container: Container::Mp4 };
    check(&good, mp4_head, [&Refusal::NoMedia, &other, &other]);
    let good = sample("g_audiomp4");
    check(&good, mp4_head, [&Refusal::NoMedia; 3]);
    check(&good, b"garbage garbage", [&Refusal::NotWebm; 3]);
    check(&good, &[], [&Refusal::Empty; 3]);
}

#[test]
fn a_segment_of_another_codec_is_refused_and_the_rest_goes_on() {
    let segments = [sample("b_vp8"), sample("b_vp9"), sample("d_vrun2")];
    let stitched = stitch(&segments.each_ref().map(Vec::as_slice)).unwrap();
    let mismatch = Refusal::TrackMismatch { kind: TrackKind::Video, codec: "V_VP9".into() };
    assert_eq!(stitched.report.segments[1].refusal(), Some(&mismatch));
    let account = &stitched.report.segments[1].account;
    assert_eq!((account.written, account.left_out.all().packets), (0, account.found));
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

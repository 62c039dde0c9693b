//! Where in a segment something is wrong or left out: by the bytes that were pushed.

mod common;

use std::io::Cursor;

use common::{Handmade, opus_20_ms, sample, stitch};
use media::{Cause, Damage, DamageCause, LeftOutPlace, Problem, SegmentReport, Stitcher};

fn nothing() -> Handmade {
    Handmade { bytes: Vec::new() }
}

fn segment(bytes: &[u8]) -> SegmentReport {
    stitch(&[bytes]).expect("a packet").report.segments[0].clone()
}

#[test]
fn damage_is_told_where_it_stands_behind_a_byte_that_was_put_back_too() {
    let before = Handmade::opus().cluster(0).block(0, &opus_20_ms(1)).bytes;
    let after = nothing().cluster(500).block(0, &opus_20_ms(2)).bytes;
    let behind = nothing().cluster(600).block(0, &opus_20_ms(3)).bytes;
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&before).unwrap();
    stitcher.hole().unwrap();
    // A chunk whose first byte was in the one before it.
    stitcher.push(&[&after[1..], &[0; 50], &behind].concat()).unwrap();
    let problems = stitcher.end_segment().unwrap().problems.clone();
    let hole = Damage { at_byte: before.len() as u64, bytes: 0, cause: DamageCause::Hole };
    let at_byte = (before.len() + after.len() - 1) as u64;
    let damage = Damage { at_byte, bytes: 50, cause: DamageCause::NotAnElement };
    assert_eq!(problems[..2], [hole, damage].map(Problem::Damaged));
}

#[test]
fn every_header_is_told_where_it_stands() {
    for (first, second) in [("a_opus", "b_vp8"), ("beep1", "beep2"), ("g_audiomp4", "g_audiomp4")] {
        let (first, second) = (sample(first), sample(second));
        let headers = segment(&[&first[..], &second].concat()).headers;
        assert_eq!(headers, [0, first.len() as u64]);
    }
}

#[test]
fn packets_of_no_track_are_told_from_the_first_to_the_last() {
    let stranger = [0xA3, 0x86, 0x82, 0, 0, 0x80, 0xF8, 7];
    let before = Handmade::opus().cluster(0).block(0, &opus_20_ms(1)).bytes;
    let own = nothing().block(20, &opus_20_ms(2)).bytes;
    let source = [&before[..], &stranger, &own, &stranger, &own].concat();
    let (start, cause) = (before.len() as u64, Cause::UndeclaredTrack);
    let bytes = start..start + (2 * stranger.len() + own.len()) as u64;
    assert_eq!(segment(&source).places, [LeftOutPlace { cause, packets: 2, bytes }]);
}

#[test]
fn the_rest_that_nobody_can_read_is_told_from_where_it_begins() {
    let own = sample("a_opus");
    let other = [0x1A, 0x45, 0xDF, 0xA3, 0x87, 0x42, 0x82, 0x84, b'm', b'i', b'n', b'e'];
    let source = [&own[..], &other, &[7; 100]].concat();
    let bytes = own.len() as u64..source.len() as u64;
    let places = segment(&source).places;
    assert_eq!(places, [LeftOutPlace { cause: Cause::BehindDamage, packets: 0, bytes }]);
}

#[test]
fn a_run_of_another_container_is_left_out_from_its_first_byte_to_its_last() {
    let (own, other) = (sample("a_opus"), sample("g_audiomp4"));
    let stitched = stitch(&[&own, &other]).unwrap();
    let bytes = 0..other.len() as u64;
    let place = LeftOutPlace { cause: Cause::Refused, packets: 0, bytes };
    assert_eq!(stitched.report.segments[1].places, [place]);
}

#[test]
fn where_something_begins_that_never_came_whole_is_told() {
    let whole = Handmade::opus().cluster(0).block(0, &opus_20_ms(1)).bytes;
    let cut = nothing().block(20, &opus_20_ms(2)).bytes;
    let source = [&whole[..], &cut[..cut.len() - 1]].concat();
    assert_eq!(segment(&source).cut_off_at, Some(whole.len() as u64));
    assert_eq!(segment(&whole).cut_off_at, None);
}

#[test]
fn an_mp4_is_found_behind_bytes_that_are_none() {
    let own = sample("g_audiomp4");
    let segment = segment(&[&[0x77; 700][..], &own].concat());
    let cause = DamageCause::NoBeginning;
    let damage = Problem::Damaged(Damage { at_byte: 0, bytes: 700, cause });
    assert_eq!((&segment.problems[0], segment.packets()), (&damage, 103));
    assert_eq!(segment.headers, [700]);
}

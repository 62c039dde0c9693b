//! Fragmented MP4 that is cut, holed or corrupted: what is intact survives, and nothing panics.

mod common;

use common::mp4::{AUDIO, Handmade, VIDEO, file_samples, payloads, source_samples, top_boxes};
use common::{Stitched, chunks, opus_20_ms, sample, stitch};
use media::{BoxType, Cause, DamageCause, Problem, SegmentReport, Stitcher, Tally, limits};
use proptest::prelude::*;
use std::io::Cursor;
use std::time::Duration;

fn damages(problems: &[Problem]) -> Vec<DamageCause> {
    let cause = |problem: &Problem| match problem {
        Problem::Damaged(damage) => Some(damage.cause),
        Problem::Refused(_)
        | Problem::MoreDamage { .. }
        | Problem::SecondHeader
        | Problem::LeftOut(_)
        | Problem::Repeated { .. }
        | Problem::ClockBroke { .. }
        | Problem::TimeWentBack { .. } => None,
    };
    problems.iter().filter_map(cause).collect()
}

/// What a whole file holds, packet by packet.
fn kept(stitched: &Stitched) -> Vec<Vec<u8>> {
    payloads(&file_samples(&stitched.file))
}

/// Stitches one segment whose pushes have a hole between them.
fn with_holes(pushes: &[&[u8]]) -> (Stitched, SegmentReport) {
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).expect("a place to write");
    stitcher.begin_segment().expect("no segment is open");
    for (number, push) in pushes.iter().enumerate() {
        if number > 0 {
            stitcher.hole().expect("a segment is open");
        }
        stitcher.push(push).expect("a segment is open");
    }
    let segment = stitcher.end_segment().expect("a segment is open").clone();
    let (file, report) = stitcher.finish().expect("something intact").accept(|_| ());
    (Stitched { file: file.into_inner(), report }, segment)
}

/// Whether `kept` is `all` with some left out.
fn is_a_part(kept: &[Vec<u8>], all: &[Vec<u8>]) -> bool {
    let mut all = all.iter();
    kept.iter().all(|one| all.any(|other| other == one))
}

#[test]
fn a_stream_cut_at_any_byte_keeps_every_intact_sample() {
    let source = chunks(AUDIO)[..2].concat();
    // The head, a fragment, and the beginning of another.
    for cut in 0..12_000 {
        let cut = &source[..cut];
        let intact = payloads(&source_samples(cut));
        match stitch(&[cut]) {
            Ok(stitched) => {
                stitched.verified();
                assert!(kept(&stitched) == intact, "cut at {}", cut.len());
                assert_eq!(stitched.report.segments[0].problems, [], "cut at {}", cut.len());
            }
            Err(_) => assert!(intact.is_empty(), "cut at {}", cut.len()),
        }
    }
}

#[test]
fn a_cut_inside_a_sample_leaves_it_dangling() {
    let source = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1)), (960, &opus_20_ms(2))]);
    let cut = &source.bytes[..source.bytes.len() - 1];
    let stitched = stitch(&[cut]).unwrap();
    assert_eq!(kept(&stitched), [opus_20_ms(1)]);
    assert_eq!(stitched.report.segments[0].account.bytes.cut_off, 2);
}

#[test]
fn a_declared_hole_at_any_byte_resumes_at_the_next_fragment() {
    let source = Handmade::opus()
        .fragment(0, &[(960, &opus_20_ms(1)), (960, &opus_20_ms(2))])
        .fragment(1_920, &[(960, &opus_20_ms(3)), (960, &opus_20_ms(4))])
        .fragment(3_840, &[(960, &opus_20_ms(5)), (960, &opus_20_ms(6))]);
    let (head, all) = (Handmade::opus().bytes.len(), payloads(&source_samples(&source.bytes)));
    let boxes = top_boxes(&source.bytes);
    let (first_moof_end, last_fragment) = (boxes[2].3, boxes[6].1);
    for from in head..last_fragment {
        for to in [from, from + 1, from + 30, last_fragment] {
            if to > last_fragment {
                continue;
            }
            let (stitched, segment) = with_holes(&[&source.bytes[..from], &source.bytes[to..]]);
            stitched.verified();
            let intact = payloads(&source_samples(&source.bytes[..from]));
            let kept = kept(&stitched);
            assert!(kept[..intact.len()] == intact, "{from} to {to}");
            assert!(kept.ends_with(&all[4..]), "{from} to {to}");
            assert!(is_a_part(&kept, &all), "{from} to {to}");
            let damages = damages(&segment.problems);
            let of_hole = [DamageCause::Hole, DamageCause::NoMediaData];
            let is_hole = damages.iter().all(|cause| of_hole.contains(cause));
            assert!(is_hole, "{from} to {to}: {damages:?}");
            if from == to {
                assert!(kept == all && damages.is_empty(), "nothing is missing at {from}");
            }
            // A recording begins with the first fragment that is known of.
            if from >= first_moof_end {
                let duration = stitched.report.duration;
                assert_eq!(duration, Duration::from_millis(120), "{from} to {to}");
            }
        }
    }
}

#[test]
fn a_missing_chunk_costs_itself_and_what_follows_plays_in_its_place() {
    for name in [AUDIO, VIDEO] {
        let chunks = chunks(name);
        let all = source_samples(&sample(name));
        for missing in 1..chunks.len() - 1 {
            let (before, after) = (chunks[..missing].concat(), chunks[missing + 1..].concat());
            if after.is_empty() {
                continue;
            }
            let (stitched, segment) = with_holes(&[&before, &after]);
            stitched.verified();
            // The chunks end where boxes end.
            assert_eq!(segment.problems, [], "chunk {missing}");
            let written = file_samples(&stitched.file);
            if missing > 1 {
                assert_eq!(written.last(), all.last(), "{name}: chunk {missing}");
            }
            let lost = source_samples(&[&chunks[0][..], &chunks[missing]].concat()).len();
            assert_eq!(written.len(), all.len() - lost, "{name}: chunk {missing}");
        }
    }
}

#[test]
fn a_missing_chunk_that_nobody_declared_is_a_gap_in_time_and_no_more() {
    let chunks = chunks(AUDIO);
    let rest = [&chunks[..3], &chunks[4..]].concat().concat();
    let stitched = stitch(&[&rest]).unwrap();
    stitched.verified();
    assert_eq!(stitched.report.segments[0].problems, []);
    assert_eq!(stitched.report.duration, Duration::from_millis(6_180));
    assert_eq!(kept(&stitched).len(), 103 - 17);
}

#[test]
fn garbage_is_stepped_over_to_the_next_fragment_and_reported() {
    let source = chunks(AUDIO);
    for garbage in [&[0x00; 777][..], &[0xFF; 777], b"junkjunkjunkjunk"] {
        let mut with_garbage = source.clone();
        with_garbage.insert(3, garbage.to_vec());
        let stitched = stitch(&[&with_garbage.concat()]).unwrap();
        stitched.verified();
        assert!(kept(&stitched) == payloads(&source_samples(&source.concat())));
        assert_eq!(damages(&stitched.report.segments[0].problems).len(), 1);
    }
}

#[test]
fn a_wrong_size_that_swallows_fragments_gives_them_back() {
    let three = |wrong: fn(Handmade) -> Handmade| {
        let source = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1))]);
        wrong(source)
            .fragment(1_920, &[(960, &opus_20_ms(3))])
            .fragment(2_880, &[(960, &[0xF8; 9_000])])
    };
    type Wrong = (fn(Handmade) -> Handmade, DamageCause);
    let wrongs: [Wrong; 8] = [
        // A sample that is longer than its media, one above the limit, and one far behind.
        (
            |one| one.moof(960, &[(960, 4_000)]).boxed(b"mdat", &opus_20_ms(2)),
            DamageCause::SamplePlace,
        ),
        (
            |one| one.moof(960, &[(960, u32::MAX)]).boxed(b"mdat", &opus_20_ms(2)),
            DamageCause::SamplePlace,
        ),
        // Media that is longer than its samples, by a little and by more than there is.
        (
            |one| one.moof(960, &[(960, 3)]).raw(b"\0\0\x20\0mdat").raw(&opus_20_ms(2)),
            DamageCause::WrongBoxSize(BoxType(*b"mdat")),
        ),
        (
            |one| one.moof(960, &[(960, 3)]).raw(b"\x7F\0\0\0mdat").raw(&opus_20_ms(2)),
            DamageCause::WrongBoxSize(BoxType(*b"mdat")),
        ),
        // A description that is longer than it is, within the limit and above.
        (
            |one| one.raw(b"\0\0\x20\0moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\0"),
            DamageCause::WrongBoxSize(BoxType(*b"moof")),
        ),
        (
            |one| one.raw(b"\x7F\0\0\0moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\0"),
            DamageCause::BoxTooLarge(BoxType(*b"moof")),
        ),
        // Boxes that say nothing of their end.
        (|one| one.raw(b"\0\0\0\0free"), DamageCause::UnknownBoxSize(BoxType(*b"free"))),
        (|one| one.raw(b"\0\0\0\x07free"), DamageCause::NotABox),
    ];
    for (wrong, cause) in wrongs {
        let stitched = stitch(&[&three(wrong).bytes]).unwrap();
        stitched.verified();
        let kept = kept(&stitched);
        assert_eq!(
            (&kept[0], &kept[kept.len() - 2]),
            (&opus_20_ms(1), &opus_20_ms(3)),
            "{cause:?}"
        );
        assert_eq!(kept.last().map(Vec::len), Some(9_000), "{cause:?}");
        assert_eq!(damages(&stitched.report.segments[0].problems), [cause]);
    }
}

#[test]
fn media_and_its_description_need_each_other() {
    let kept_and_damage = |source: Handmade| {
        let stitched = stitch(&[&source.fragment(5_000, &[(960, &opus_20_ms(9))]).bytes]).unwrap();
        stitched.verified();
        assert_eq!(kept(&stitched), [opus_20_ms(9)]);
        damages(&stitched.report.segments[0].problems)
    };
    let alone = Handmade::opus().boxed(b"mdat", &[1, 2, 3]);
    assert_eq!(kept_and_damage(alone), [DamageCause::UnexpectedBox(BoxType(*b"mdat"))]);
    let promised = Handmade::opus().moof(0, &[(960, 3)]);
    assert_eq!(kept_and_damage(promised), [DamageCause::NoMediaData]);
    let strange = Handmade::opus().boxed(b"what", &[1, 2, 3]);
    assert_eq!(kept_and_damage(strange), [], "it is stepped over by its size");
    let stranger = Handmade::opus().raw(b"\0\0\0\x0B\x01\x02\x03\x04\x05\x06\x07");
    let unnamed = DamageCause::UnexpectedBox(BoxType([1, 2, 3, 4]));
    assert_eq!(kept_and_damage(stranger), [unnamed]);
}

#[test]
fn a_stream_cut_before_a_sample_that_stands_apart_ends_there() {
    let mut source = Handmade::opus().moof(0, &[(960, 3)]);
    let trun = source.bytes.windows(4).rposition(|name| name == b"trun").unwrap();
    source.bytes[trun + 15] += 100;
    let media = [&[0; 100][..], &opus_20_ms(1)].concat();
    let source = source.boxed(b"mdat", &media).bytes;
    assert_eq!(kept(&stitch(&[&source]).unwrap()), [opus_20_ms(1)]);
    for cut in source.len() - 110..source.len() {
        assert!(stitch(&[&source[..cut]]).is_err(), "cut at {cut}");
        let packets = [(960, &opus_20_ms(2)[..]), (960, &opus_20_ms(3)[..])];
        let again = Handmade::nothing().fragment(960, &packets).bytes;
        let (stitched, _) = with_holes(&[&source[..cut], &again]);
        assert_eq!(kept(&stitched), [opus_20_ms(2), opus_20_ms(3)], "cut at {cut}");
    }
}

#[test]
fn boxes_that_say_nothing_of_samples_are_stepped_over() {
    let source = Handmade::opus()
        .boxed(b"styp", b"msdh\0\0\0\0")
        .boxed(b"sidx", &[0; 24])
        .fragment(0, &[(960, &opus_20_ms(1))])
        .boxed(b"free", &[0; 100])
        .boxed(b"mfra", &[]);
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(kept(&stitched), [opus_20_ms(1)]);
    assert_eq!(stitched.report.segments[0].problems, []);
}

#[test]
fn a_second_header_inside_a_segment_is_joined_like_a_segment() {
    let source = sample(AUDIO);
    let mut other = source.clone();
    let mdhd = source.windows(4).position(|name| name == b"mdhd").unwrap() - 4;
    let size = u32::from_be_bytes(*source[mdhd..].first_chunk().unwrap()) as usize;
    // The language, so that it is not the same header again.
    other[mdhd + size - 3] ^= 1;
    let stitched = stitch(&[&[&source[..], &other].concat()]).unwrap();
    assert!(stitched.file == stitch(&[&source, &other]).unwrap().file);
    assert_eq!(stitched.report.segments[0].problems, [Problem::SecondHeader]);

    let again = stitch(&[&[&source[..], &source].concat()]).unwrap();
    assert!(
        again.file == stitch(&[&source]).unwrap().file,
        "the same packets behind their own header"
    );
    let packets = again.report.packets;
    assert_eq!(again.report.segments[0].problems, [Problem::Repeated { packets }]);
}

#[test]
fn a_sample_whose_time_goes_back_is_kept_and_reported() {
    let source = Handmade::opus()
        .fragment(48_000, &[(960, &opus_20_ms(1)), (960, &opus_20_ms(2))])
        .fragment(24_000, &[(960, &opus_20_ms(3))])
        .fragment(49_920, &[(960, &opus_20_ms(4))]);
    let stitched = stitch(&[&source.bytes]).unwrap();
    stitched.verified();
    let times: Vec<_> = file_samples(&stitched.file).iter().map(|one| one.at).collect();
    assert_eq!(times, [0, 960, 1_920, 1_920]);
    assert_eq!(stitched.report.segments[0].problems, [Problem::ClockBroke { times: 1 }]);
}

#[test]
fn samples_of_undeclared_tracks_are_dropped_and_reported() {
    let mut source = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1))]);
    let undeclared = source.bytes.len();
    source = source.fragment(960, &[(960, &opus_20_ms(2)), (960, &opus_20_ms(3))]);
    let tfhd = undeclared + 8 + 16 + 8 + 8;
    source.bytes[tfhd + 4 + 3] = 77;
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(kept(&stitched), [opus_20_ms(1)]);
    let problems = &stitched.report.segments[0].problems;
    let [Problem::LeftOut(left_out)] = problems[..] else { panic!("{problems:?}") };
    let told = (Cause::UndeclaredTrack, Tally { packets: 2, bytes: 6 });
    assert_eq!(left_out.causes().collect::<Vec<_>>(), [told]);
}

#[test]
fn a_promise_of_countless_samples_costs_nothing() {
    let mut source = Handmade::opus().moof(0, &[(960, 3)]);
    let trun = source.bytes.windows(4).position(|name| name == b"trun").unwrap();
    source.bytes[trun + 8..trun + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    let source = source.boxed(b"mdat", &opus_20_ms(1)).fragment(960, &[(960, &opus_20_ms(2))]);
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(kept(&stitched), [opus_20_ms(2)]);

    // Without any field of its own, a sample takes no byte of the description.
    let none_of_their_own = Handmade::opus().moof(0, &[]).bytes;
    let mut source = Handmade { bytes: none_of_their_own };
    let trun = source.bytes.windows(4).rposition(|name| name == b"trun").unwrap();
    source.bytes[trun + 6] = 0;
    source.bytes[trun + 8..trun + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    let stitched = stitch(&[&source.fragment(960, &[(960, &opus_20_ms(2))]).bytes]).unwrap();
    assert_eq!(kept(&stitched), [opus_20_ms(2)]);
}

#[test]
fn a_fragment_deep_in_boxes_does_not_exhaust_the_stack() {
    let deep: Vec<u8> = (1..=limits::MOOF_BYTES_MAX as u32 / 8)
        .rev()
        .flat_map(|left| [(left * 8).to_be_bytes(), *b"moof"].concat())
        .collect();
    let source = Handmade::opus().raw(&deep).fragment(0, &[(960, &opus_20_ms(1))]);
    assert_eq!(kept(&stitch(&[&source.bytes]).unwrap()), [opus_20_ms(1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_stream_cut_anywhere_does_not_spoil_the_next(
        name in prop::sample::select(vec![AUDIO, VIDEO]),
        cut in 0.0..1.0,
    ) {
        let whole = sample(name);
        let cut = &whole[..(cut * whole.len() as f64) as usize];
        let stitched = stitch(&[cut, &whole]).unwrap();
        stitched.verified();
        let expected = [source_samples(cut), source_samples(&whole)].concat();
        prop_assert!(kept(&stitched) == payloads(&expected));
    }

    #[test]
    fn corrupt_bytes_never_panic_and_the_file_still_verifies(
        name in prop::sample::select(vec![AUDIO, VIDEO]),
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 1..60),
    ) {
        let mut source = sample(name);
        for (at, byte) in changes {
            let at = (at * source.len() as f64) as usize;
            source[at] = byte;
        }
        if let Ok(stitched) = stitch(&[&source]) {
            stitched.verified();
        }
    }

    #[test]
    fn corrupt_descriptions_never_panic_and_the_file_still_verifies(
        name in prop::sample::select(vec![AUDIO, VIDEO]),
        changes in prop::collection::vec((0.0..1.0, 0..180_usize, any::<u8>()), 1..20),
    ) {
        let mut source = sample(name);
        let boxes = top_boxes(&source);
        for (which, step, byte) in changes {
            let (_, at, _, _) = boxes[(which * boxes.len() as f64) as usize];
            if let Some(place) = source.get_mut(at + step) {
                *place = byte;
            }
        }
        for sources in [vec![&source[..]], vec![&source, &source]] {
            if let Ok(stitched) = stitch(&sources) {
                stitched.verified();
            }
        }
    }

    #[test]
    fn pure_noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let behind_a_head = Handmade::opus().raw(&noise);
        let in_a_moov = Handmade::nothing().boxed(b"ftyp", &[]).boxed(b"moov", &noise);
        let in_a_moof = Handmade::opus().boxed(b"moof", &noise).boxed(b"mdat", &noise);
        for source in [behind_a_head, in_a_moov, in_a_moof] {
            if let Ok(stitched) = stitch(&[&source.bytes]) {
                stitched.verified();
            }
        }
    }
}

#[test]
fn a_fragment_that_comes_twice_is_kept_once() {
    let one = Handmade::opus().fragment(0, &[(960, &opus_20_ms(1)), (960, &opus_20_ms(2))]);
    let other = Handmade::nothing().fragment(1_920, &[(960, &opus_20_ms(3))]);
    let head = Handmade::opus().bytes.len();
    let (first, second) = (&one.bytes[head..], &other.bytes[..]);
    let orders =
        [vec![first, first, second], vec![first, second, second], vec![first, second, first]];
    for order in orders {
        let source = [&[&one.bytes[..head]], &order[..]].concat().concat();
        let stitched = stitch(&[&source]).unwrap();
        stitched.verified();
        assert_eq!(kept(&stitched), [1, 2, 3].map(opus_20_ms));
        let segment = &stitched.report.segments[0];
        let packets = segment.account.repeated;
        assert_eq!(segment.problems, [Problem::Repeated { packets }]);
        assert_eq!(stitched.report.duration, Duration::from_millis(60));
    }
}

#[test]
fn a_chunk_of_a_recorder_that_is_delivered_twice_is_kept_once() {
    for name in [AUDIO, VIDEO] {
        let whole = stitch(&[&sample(name)]).unwrap();
        let mut chunks = chunks(name);
        chunks.insert(2, chunks[1].clone());
        let (stitched, segment) =
            with_holes(&chunks.iter().map(|one| &one[..]).collect::<Vec<_>>());
        assert!(stitched.file == whole.file, "{name}");
        assert!(segment.account.repeated > 0 && segment.account.left_out.is_nothing(), "{name}");
    }
}

#[test]
fn a_fragment_at_the_time_of_another_with_other_bytes_is_kept() {
    let fragment = |number| Handmade::nothing().fragment(0, &[(960, &opus_20_ms(number))]).bytes;
    let source = Handmade::opus().raw(&fragment(1)).raw(&fragment(2)).raw(&fragment(1));
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(kept(&stitched), [1, 2].map(opus_20_ms));
    assert_eq!(stitched.report.segments[0].problems, [Problem::Repeated { packets: 1 }]);
}

#[test]
fn a_fragment_with_more_samples_than_are_known_again_is_kept_as_a_whole() {
    for (samples, repeated) in
        [(limits::REPEATED_PACKETS_MAX, true), (limits::REPEATED_PACKETS_MAX + 1, false)]
    {
        let payload = opus_20_ms(1);
        let fragment = Handmade::nothing().fragment(0, &vec![(960, &payload[..]); samples]).bytes;
        let source = Handmade::opus().raw(&fragment).raw(&fragment);
        let segment = &stitch(&[&source.bytes]).unwrap().report.segments[0];
        let expected = if repeated { samples as u64 } else { 0 };
        assert_eq!(segment.account.repeated, expected, "{samples}");
    }
}

#[test]
fn fragments_are_known_again_as_far_back_as_the_limit_and_no_further() {
    let fragment = |number: usize| {
        let payload = opus_20_ms(u8::try_from(number).unwrap());
        Handmade::nothing().fragment(960 * number as u64, &[(960, &payload)]).bytes
    };
    for (fragments, repeated) in
        [(limits::REPEATED_FRAGMENTS_MAX, 1), (limits::REPEATED_FRAGMENTS_MAX + 1, 0)]
    {
        let all: Vec<_> = (0..fragments).chain([0]).map(fragment).collect();
        let source = Handmade::opus().raw(&all.concat());
        let segment = &stitch(&[&source.bytes]).unwrap().report.segments[0];
        assert_eq!(segment.account.repeated, repeated, "{fragments}");
    }
}

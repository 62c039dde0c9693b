//! Streams that are cut, holed or corrupted: what is intact survives, and nothing panics.

mod common;

use common::{
    Handmade, block_ends, chunks, opus_20_ms, payloads, sample, samples, stitch, stitch_samples,
};
use media::{
    Cause, DamageCause, ElementId, Event, Problem, SegmentReport, Stitcher, Tally, WebmReader,
    limits,
};
use proptest::prelude::*;
use std::io::Cursor;

fn any_sample() -> impl Strategy<Value = &'static str> {
    prop::sample::select(samples().collect::<Vec<_>>())
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_stream_cut_anywhere_keeps_every_intact_packet(name in any_sample(), cut in 0.0..1.0) {
        let source = sample(name);
        let cut = &source[..(cut * source.len() as f64) as usize];
        let intact = payloads(cut);
        match stitch(&[cut]) {
            Ok(stitched) => {
                stitched.verified();
                prop_assert!(stitched.payloads() == intact);
            }
            Err(_) => prop_assert!(intact.is_empty()),
        }
    }

    #[test]
    fn a_stream_cut_anywhere_does_not_spoil_the_next(cut in 0.0..1.0) {
        let (first, second) = (sample("a_opus"), sample("d_run2"));
        let cut = &first[..(cut * first.len() as f64) as usize];
        let stitched = stitch(&[cut, &second]).unwrap();
        stitched.verified();
        prop_assert!(stitched.payloads() == [payloads(cut), payloads(&second)].concat());
    }

    #[test]
    fn corrupt_bytes_never_panic_and_the_file_still_verifies(
        name in any_sample(),
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
    fn corrupt_element_heads_never_panic_and_the_file_still_verifies(
        name in any_sample(),
        changes in prop::collection::vec((0.0..1.0, 0..12usize, any::<u8>()), 1..20),
    ) {
        let mut source = sample(name);
        let heads = block_ends(&source);
        for (block, step, byte) in changes {
            let at = heads[(block * heads.len() as f64) as usize] + step;
            if let Some(place) = source.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(stitched) = stitch(&[&source]) {
            stitched.verified();
        }
    }

    #[test]
    fn pure_noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let after_a_head = Handmade::opus().cluster(0).raw(&noise);
        for source in [&noise, &after_a_head.bytes] {
            if let Ok(stitched) = stitch(&[source]) {
                stitched.verified();
            }
        }
    }
}

/// What the reader holds at most while it is fed.
fn most_held_bytes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut reader = WebmReader::new();
    let mut most = 0;
    for piece in pieces {
        reader.push(piece);
        most = most.max(reader.held_bytes());
        while matches!(reader.next_event(), Ok(Some(_))) {}
    }
    most
}

#[test]
fn a_promised_size_is_never_allocated() {
    let block_of_8_mib = [0xA3, 0x08, 0, 0, 0, 0, 0x80, 0, 0, 0x81, 0, 0, 0x80];
    let source = Handmade::opus().cluster(0).raw(&block_of_8_mib);
    assert!(most_held_bytes(std::iter::once(&source.bytes[..])) < 4096);
}

#[test]
fn memory_stays_bounded_however_much_comes_and_is_promised() {
    let head = Handmade::opus().cluster(0);
    let size = (limits::BLOCK_BYTES_MAX as u32 | 1 << 28).to_be_bytes();
    let promise = Handmade { bytes: Vec::new() }.raw(&[0xA3]).raw(&size).bytes;
    let piece = promise.repeat(limits::PUSH_PIECE_BYTES / promise.len());
    let pieces = std::iter::repeat_n(&piece[..], 5 * limits::BLOCK_BYTES_MAX / piece.len());
    let most = most_held_bytes(std::iter::once(&head.bytes[..]).chain(pieces));
    assert!(most <= 2 * (limits::BLOCK_BYTES_MAX + limits::PUSH_PIECE_BYTES), "{most} bytes");
}

#[test]
fn huge_and_unknown_sizes_cost_nothing_that_can_be_found_again() {
    let huge = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE];
    let unknown = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    for (id, size) in [(0xA3, huge), (0xA0, huge), (0xEC, huge), (0xE7, huge)].into_iter().chain([
        (0xA3, unknown),
        (0xA0, unknown),
        (0xEC, unknown),
        (0xE7, unknown),
    ]) {
        let source = Handmade::opus()
            .cluster(0)
            .block(0, &opus_20_ms(1))
            .raw(&[id])
            .raw(&size)
            .block(20, &opus_20_ms(2))
            .block(40, &opus_20_ms(3))
            .cluster(1000)
            .block(0, &opus_20_ms(4));
        let stitched = stitch(&[&source.bytes]).unwrap();
        // What may be anything is only given up for a Cluster.
        let is_skipped = (id, size) == (0xEC, huge);
        let kept: &[u8] = if is_skipped { &[1, 4] } else { &[1, 2, 3, 4] };
        let kept: Vec<_> = kept.iter().copied().map(opus_20_ms).collect();
        assert_eq!(stitched.payloads(), kept, "{id:X} {size:?}");
        let segment = &stitched.report.segments[0];
        assert_eq!(damages(&segment.problems).len(), 1, "{id:X} {size:?}");
        assert!(!segment.account.left_out.is_nothing(), "{id:X} {size:?}");
        stitched.verified();
    }
}

#[test]
fn a_wrong_size_that_swallows_clusters_gives_them_back() {
    let swallowing = |size: u8| {
        Handmade::opus()
            .cluster(0)
            .block(0, &opus_20_ms(1))
            .raw(&[0xA3, 0x20, size, 0, 0x81, 0, 20, 0x80])
            .raw(&opus_20_ms(2))
            .cluster(1000)
            .block(0, &opus_20_ms(3))
            .cluster(2000)
            .block(0, &vec![0xF8; 9000])
            .block(20, &opus_20_ms(4))
    };
    // 0x1000 bytes end inside the long block, 0x6000 past the end of the stream.
    for size in [0x10, 0x60] {
        let stitched = stitch(&[&swallowing(size).bytes]).unwrap();
        assert_eq!(stitched.report.packets, 4, "size {size:#x}00");
        assert_eq!(stitched.payloads().last(), Some(&opus_20_ms(4)));
        assert_eq!(damages(&stitched.report.segments[0].problems).len(), 1);
    }
}

#[test]
fn garbage_is_stepped_over_to_the_next_block_and_counted() {
    let source = sample("a_opus");
    let ends = block_ends(&source);
    let (before, after) = source.split_at(ends[20]);
    let garbage = [0x00; 777];
    let stitched = stitch(&[&[before, &garbage, after].concat()]).unwrap();
    stitched.verified();
    let segment = &stitched.report.segments[0];
    assert_eq!(damages(&segment.problems), [DamageCause::NotAnElement]);
    assert_eq!(segment.account.left_out.all(), Tally { packets: 0, bytes: 777 });
    assert!(stitched.payloads() == payloads(&source));
}

#[test]
fn behind_damage_a_block_that_cannot_be_one_of_its_track_is_not_believed() {
    let begun = Handmade::opus().cluster(0).block(0, &opus_20_ms(1)).raw(&[0x55; 20]).bytes;
    let rest = Handmade { bytes: Vec::new() }.block(40, &opus_20_ms(3)).block(60, &opus_20_ms(4));
    let block =
        |relative, payload: &[u8]| Handmade { bytes: Vec::new() }.block(relative, payload).bytes;
    let laced = [0xA3, 0x87, 0x81, 0, 20, 0x84, 0x02, 0xF8, 7];
    for (garbage, why) in [
        (block(20, &[0xFB, 7, 1]), "140 ms"),
        (block(20, &[0xF9, 1]), "two frames of one size in one byte"),
        (block(20_000, &opus_20_ms(2)), "20 s later than what follows"),
        (laced.to_vec(), "frames that do not add up"),
    ] {
        let stitched = stitch(&[&[&begun[..], &garbage, &rest.bytes].concat()]).unwrap();
        assert_eq!(stitched.payloads(), [1, 3, 4].map(opus_20_ms), "{why}");
        let left_out = stitched.report.left_out().all();
        let bytes = 20 + garbage.len() as u64;
        assert_eq!(left_out, Tally { packets: 0, bytes }, "{why}");
    }
    let fine = block(20, &opus_20_ms(2));
    let stitched = stitch(&[&[&begun[..], &fine, &rest.bytes].concat()]).unwrap();
    assert_eq!(stitched.payloads(), [1, 2, 3, 4].map(opus_20_ms));
}

/// A segment of these pieces, between which bytes may be missing.
fn with_holes(pieces: &[&[u8]]) -> (Vec<u8>, SegmentReport) {
    let mut stitcher =
        Stitcher::new(Cursor::new(Vec::new())).expect("a place to write, and a packet");
    stitcher.begin_segment().expect("a place to write, and a packet");
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            stitcher.hole().expect("a place to write, and a packet");
        }
        stitcher.push(piece).expect("a place to write, and a packet");
    }
    let segment = stitcher.end_segment().expect("a place to write, and a packet").clone();
    let (file, _) = stitcher.finish().expect("a place to write, and a packet").accept(|_| ());
    media::verify(Cursor::new(file.get_ref())).expect("a place to write, and a packet");
    (file.into_inner(), segment)
}

#[test]
fn where_nothing_is_missing_a_possible_hole_costs_nothing() {
    for name in samples() {
        let source = sample(name);
        let whole = stitch(&[&source]).unwrap();
        for chunk in [1, 700, 5_003] {
            let pieces: Vec<_> = source.chunks(source.len().div_ceil(40).max(chunk)).collect();
            let (file, segment) = with_holes(&pieces);
            assert!(file == whole.file, "{name} in pieces of {chunk}");
            assert_eq!(segment.problems, [], "{name} in pieces of {chunk}");
        }
    }
}

#[test]
fn behind_a_hole_everything_that_came_plays_when_it_would_have_played() {
    for name in ["a_opus", "beep1", "ff_a", "b_vp8", "d_vrun2"] {
        let chunks = chunks(name);
        let all = common::packets(&stitch_samples(&[name]).file);
        for missing in 1..chunks.len() - 1 {
            let before = chunks[..missing].concat();
            let (file, segment) = with_holes(&[&before, &chunks[missing + 1..].concat()]);
            let kept = common::packets(&file);
            // Blocks whose Cluster is missing do not say when they play.
            let cluster = [0x43, 0xB6, 0x75];
            if chunks[missing + 1].windows(3).any(|bytes| bytes == cluster) {
                assert_eq!(kept.last(), all.last(), "{name} without chunk {missing}");
            }
            let kept: Vec<_> = kept.into_iter().map(|packet| packet.payload).collect();
            let lost = all.iter().filter(|packet| !kept.contains(&packet.payload));
            let lost: usize = lost.map(|packet| packet.payload.len()).sum();
            // The chunk itself, and a packet that lies half in it on each side.
            let largest = all.iter().map(|packet| packet.payload.len()).max().unwrap();
            let bound = chunks[missing].len() + 2 * largest;
            assert!(lost <= bound, "{name} without chunk {missing}: {lost} bytes of {bound}");
            let known = kept.iter().all(|payload| all.iter().any(|one| one.payload == *payload));
            assert!(known, "{name} without chunk {missing}: something was made up");
            assert!(segment.account.is_balanced());
        }
    }
}

#[test]
fn a_cluster_whose_first_byte_fell_into_the_hole_is_still_found() {
    let before = Handmade::opus().cluster(0).block(0, &opus_20_ms(1));
    let after = Handmade { bytes: Vec::new() }.cluster(500).block(0, &opus_20_ms(2));
    let mut stitcher = Stitcher::new(Cursor::new(Vec::new())).unwrap();
    stitcher.begin_segment().unwrap();
    stitcher.push(&before.bytes).unwrap();
    stitcher.hole().unwrap();
    stitcher.push(&after.bytes[1..]).unwrap();
    stitcher.end_segment().unwrap();
    let (file, report) = stitcher.finish().unwrap().accept(|_| ());
    assert_eq!(payloads(file.get_ref()), [opus_20_ms(1), opus_20_ms(2)]);
    assert_eq!(report.duration.as_millis(), 520);
}

#[test]
fn a_recording_whose_keyframe_was_lost_is_cued_at_its_start() {
    let source = sample("d_vrun2");
    let without_key: Vec<_> = [&source[..204], &source[2976..]].concat();
    let stitched = stitch(&[&without_key]).unwrap();
    assert_eq!(stitched.verified().cues, 1);

    // The video track declares itself to be of another type: nothing is known of its keyframes.
    let mut strange = source;
    strange[163] = 3;
    stitch(&[&strange]).unwrap().verified();
}

#[test]
fn a_hole_inside_a_packet_is_one_wherever_it_is() {
    let source = Handmade::opus().cluster(0).block(0, &opus_20_ms(1)).block(20, &vec![0xF8; 900]);
    let cut = source.bytes.len() - 600;
    let behind = Handmade { bytes: Vec::new() }.block(60, &opus_20_ms(3)).block(80, &opus_20_ms(4));
    let (file, segment) = with_holes(&[&source.bytes[..cut], &behind.bytes]);
    assert_eq!(payloads(&file), [opus_20_ms(1), opus_20_ms(3), opus_20_ms(4)]);
    assert_eq!(damages(&segment.problems), [DamageCause::Hole]);
    assert!(segment.account.left_out.is_nothing(), "{:?}", segment.account);
    // The rest of a packet whose beginning is missing is of no use, but it came.
    let rest = [&[0x55; 70][..], &behind.bytes].concat();
    let (file, segment) = with_holes(&[&source.bytes[..cut], &rest]);
    assert_eq!(payloads(&file), [opus_20_ms(1), opus_20_ms(3), opus_20_ms(4)]);
    assert_eq!(segment.account.left_out.all(), Tally { packets: 0, bytes: 70 });
}

#[test]
fn a_stream_without_its_first_chunk_is_read_by_what_its_packets_say() {
    let chunks = chunks("a_opus");
    let rest = chunks[1..].concat();
    let stitched = stitch(&[&rest]).unwrap();
    assert!(stitched.report.left_out().is_nothing());
    // One packet lies on both sides of the edge.
    let (all, kept) = (payloads(&sample("a_opus")), stitched.payloads());
    assert_eq!(kept.len(), all.len() - payloads(&chunks[0]).len());
    assert!(all.ends_with(&kept));
    stitched.verified();
    let pictures = common::chunks("d_vrun2")[1..].concat();
    let stitched = stitch(&[&pictures]).unwrap();
    assert!(stitched.report.segments[0].account.is_balanced());
    assert!(!stitched.report.left_out().is_nothing() || stitched.verified().tracks.len() == 2);
}

#[test]
fn a_run_without_its_first_chunk_is_read_by_the_header_of_the_one_before() {
    let (first, second) = (sample("b_vp8"), chunks("d_vrun2")[1..].concat());
    let stitched = stitch(&[&first, &second]).unwrap();
    stitched.verified();
    assert!(stitched.report.left_out().is_nothing(), "{:?}", stitched.report.segments[1]);
    assert!(payloads(&sample("d_vrun2")).ends_with(&stitched.payloads()[payloads(&first).len()..]));
}

#[test]
fn a_hole_nobody_declared_never_panics_and_keeps_what_follows() {
    for name in samples() {
        let chunks = chunks(name);
        for missing in 1..chunks.len() {
            let rest = [&chunks[..missing], &chunks[missing + 1..]].concat().concat();
            stitch(&[&rest]).unwrap().verified();
        }
    }
}

#[test]
fn a_second_header_inside_a_segment_is_joined_like_a_segment() {
    let concatenated = [sample("beep1"), sample("beep2")].concat();
    let stitched = stitch(&[&concatenated]).unwrap();
    assert!(stitched.file == stitch_samples(&["beep1", "beep2"]).file);
    assert_eq!(stitched.report.segments[0].problems, [Problem::SecondHeader]);
}

#[test]
fn a_packet_whose_time_goes_back_is_kept_and_reported() {
    let source = Handmade::opus()
        .cluster(1000)
        .block(0, &opus_20_ms(1))
        .block(20, &opus_20_ms(2))
        .block(-500, &opus_20_ms(3))
        .block(40, &opus_20_ms(4));
    let stitched = stitch(&[&source.bytes]).unwrap();
    assert_eq!(stitched.verified().packets, 4);
    let times: Vec<_> =
        common::packets(&stitched.file).iter().map(|packet| packet.millis).collect();
    assert_eq!(times, [0, 20, 40, 40]);
    assert_eq!(stitched.report.segments[0].problems, [Problem::ClockBroke { times: 1 }]);
}

#[test]
fn blocks_of_undeclared_tracks_are_counted_and_those_without_a_time_are_kept() {
    let source = Handmade::opus()
        .cluster(0)
        .block(0, &opus_20_ms(1))
        .raw(&[0xA3, 0x85, 0x87, 0, 0, 0x80, 9])
        .raw(&[0x1F, 0x43, 0xB6, 0x75, 0xFF])
        .block(7000, &opus_20_ms(2))
        .cluster(40)
        .block(0, &opus_20_ms(3))
        .raw(&[0xA3, 0x81, 0x81]);
    let stitched = stitch(&[&source.bytes]).unwrap();
    let kept = common::packets(&stitched.file);
    assert_eq!(stitched.payloads(), [1, 2, 3].map(opus_20_ms));
    assert_eq!(kept.iter().map(|packet| packet.millis).collect::<Vec<_>>(), [0, 20, 40]);
    let segment = &stitched.report.segments[0];
    assert_eq!(damages(&segment.problems), [DamageCause::Unreadable(ElementId(0xA3))]);
    let causes: Vec<_> = segment.account.left_out.causes().collect();
    let undeclared = (Cause::UndeclaredTrack, Tally { packets: 1, bytes: 1 });
    assert_eq!(causes, [undeclared, (Cause::BehindDamage, Tally { packets: 0, bytes: 3 })]);
}

#[test]
fn the_last_block_waits_for_what_follows_it_and_no_longer() {
    let source = Handmade::opus().cluster(0).block(0, &opus_20_ms(1));
    let mut reader = WebmReader::new();
    reader.push(&source.bytes);
    let blocks = |reader: &mut WebmReader| {
        let mut blocks = 0;
        while let Some(event) = reader.next_event().unwrap() {
            blocks += usize::from(matches!(event, Event::Block(_)));
        }
        blocks
    };
    assert_eq!(blocks(&mut reader), 0);
    reader.push(&[0xA3]);
    assert_eq!(blocks(&mut reader), 1);
    reader.end();
    assert_eq!(blocks(&mut reader), 0);
    assert_eq!(reader.bytes().cut_off, 1);
}

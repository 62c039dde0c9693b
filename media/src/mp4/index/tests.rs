use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::mp4::boxes::{BoxType, put_box, put_full_box, put_u32};
use crate::mp4::reader::{Event, Mp4Reader};
use crate::segment::Reader as _;
use crate::tracks::TrackKind;

const AUDIO: [&[u8]; 6] = [
    include_bytes!("../../../tests/fixtures/g_audiomp4.000.chunk"),
    include_bytes!("../../../tests/fixtures/g_audiomp4.001.chunk"),
    include_bytes!("../../../tests/fixtures/g_audiomp4.002.chunk"),
    include_bytes!("../../../tests/fixtures/g_audiomp4.003.chunk"),
    include_bytes!("../../../tests/fixtures/g_audiomp4.004.chunk"),
    include_bytes!("../../../tests/fixtures/g_audiomp4.005.chunk"),
];
const VIDEO: [&[u8]; 3] = [
    include_bytes!("../../../tests/fixtures/g_videomp4.000.chunk"),
    include_bytes!("../../../tests/fixtures/g_videomp4.001.chunk"),
    include_bytes!("../../../tests/fixtures/g_videomp4.002.chunk"),
];

/// A sample as a test compares it: its kind, time from the first of its track, keyframe, bytes.
type Seen = (TrackKind, i64, bool, Vec<u8>);

struct Timed {
    tracks: Vec<Track>,
    firsts: Vec<Option<i64>>,
}

impl Timed {
    fn of(tracks: Vec<Track>) -> Self {
        let firsts = vec![None; tracks.len()];
        Self { tracks, firsts }
    }

    fn see(&mut self, info: &SampleInfo, payload: &[u8]) -> Seen {
        let index = self.tracks.iter().position(|track| track.number == info.track).unwrap();
        let kind = self.tracks[index].kind;
        let first = *self.firsts[index].get_or_insert(info.at.0);
        // The table of a sound has no list of where one can start.
        let is_sync = info.is_sync || kind == TrackKind::Audio;
        (kind, info.at.0 - first, is_sync, payload.to_vec())
    }
}

fn seen_in_chunks(chunks: &[&[u8]]) -> Vec<Seen> {
    let mut reader = Mp4Reader::new();
    let mut timed = Timed::of(Vec::new());
    let mut seen = Vec::new();
    for chunk in chunks {
        reader.frame_mut().push(chunk);
        while let Some((event, _)) = reader.next_event().unwrap() {
            match event {
                Event::Tracks(tracks) => timed = Timed::of(tracks),
                Event::Sample(sample) => seen.push(timed.see(&sample.info, sample.payload)),
                Event::Header | Event::Fragment { .. } => {}
                Event::OutOfPlace => panic!("a sample is out of place"),
                Event::Damage(damage) => panic!("{damage:?}"),
            }
        }
    }
    seen
}

fn stitched(chunks: &[&[u8]]) -> Vec<u8> {
    let mut stitcher = crate::Stitcher::new(Cursor::new(Vec::new())).unwrap();
    stitcher.begin_segment().unwrap();
    for chunk in chunks {
        stitcher.push(chunk).unwrap();
    }
    stitcher.end_segment().unwrap();
    stitcher.finish().unwrap().accept(|_| ()).0.into_inner()
}

#[test]
fn a_finished_file_is_walked_sample_for_sample_as_the_recorder_wrote_it() {
    for (chunks, tracks) in [(&AUDIO[..], 1), (&VIDEO[..], 2)] {
        let file = stitched(chunks);
        let moov = boxes::child(&file, kind::MOOV).unwrap();
        let mut timed = Timed::of(moov::parse(moov).unwrap());
        assert_eq!(timed.tracks.len(), tracks);
        let mut index = SampleIndex::parse(moov, &timed.tracks).unwrap().unwrap();
        let mut seen = Vec::new();
        let samples = index.samples();
        while let Some(at) = index.peek() {
            let Extent { start, bytes, info } = index.next().unwrap();
            assert_eq!(at, start);
            let start = usize::try_from(start).unwrap();
            seen.push(timed.see(&info, &file[start..start + bytes as usize]));
        }
        assert!(index.next().is_none());
        assert_eq!(seen.len() as u64, samples);
        assert!(seen == seen_in_chunks(chunks), "{tracks} tracks");
    }
}

#[test]
fn the_file_of_a_recorder_has_no_samples_in_its_tables() {
    for head in [AUDIO[0], VIDEO[0]] {
        let moov = boxes::child(head, kind::MOOV).unwrap();
        let tracks = moov::parse(moov).unwrap();
        assert!(SampleIndex::parse(moov, &tracks).unwrap().is_none());
    }
}

/// Track 1 of the fixture: one description, 48000 ticks a second.
fn declared() -> Vec<Track> {
    moov::parse(boxes::child(AUDIO[0], kind::MOOV).unwrap()).unwrap()
}

type Table = (BoxType, Vec<u32>);

/// The body of a `moov` with a track of these tables, given as the words behind version and
/// flags.
fn moov(tables: &[Table]) -> Vec<u8> {
    let mut out = Vec::new();
    put_trak(&mut out, tables);
    out
}

fn put_trak(out: &mut Vec<u8>, tables: &[Table]) {
    let tkhd = boxes::descend(AUDIO[0], &[kind::MOOV, kind::TRAK, kind::TKHD]).unwrap();
    put_box(out, kind::TRAK, |out| {
        put_box(out, kind::TKHD, |out| out.extend_from_slice(tkhd));
        put_box(out, kind::MDIA, |out| {
            put_box(out, kind::MINF, |out| {
                put_box(out, kind::STBL, |out| {
                    for (kind, words) in tables {
                        put_full_box(out, *kind, 0, 0, |out| {
                            words.iter().for_each(|word| put_u32(out, *word));
                        });
                    }
                });
            });
        });
    });
}

/// Four samples in three chunks.
fn good() -> Vec<Table> {
    vec![
        (kind::STSZ, vec![0, 4, 10, 20, 30, 40]),
        (kind::STTS, vec![2, 3, 960, 1, 480]),
        (kind::STSC, vec![2, 1, 1, 1, 3, 2, 1]),
        (kind::STCO, vec![3, 100, 200, 300]),
    ]
}

/// The same with one table replaced, or added.
fn with(kind: BoxType, words: &[u32]) -> Vec<Table> {
    let mut tables = good();
    tables.retain(|(other, _)| *other != kind);
    tables.push((kind, words.to_vec()));
    tables
}

fn without(kind: BoxType) -> Vec<Table> {
    let mut tables = good();
    tables.retain(|(other, _)| *other != kind);
    tables
}

fn extents(tables: &[Table]) -> Vec<Extent> {
    let index = SampleIndex::parse(&moov(tables), &declared()).unwrap();
    index.expect("samples").collect()
}

fn places(tables: &[Table]) -> Vec<(u64, u32, i64)> {
    let extents = extents(tables).into_iter();
    extents.map(|one| (one.start, one.bytes, one.info.at.0)).collect()
}

fn is_refused(tables: &[Table]) -> bool {
    SampleIndex::parse(&moov(tables), &declared()).is_err()
}

#[test]
fn samples_stand_in_their_chunks_and_last_as_their_run_says() {
    let expected = [(100, 10, 0), (200, 20, 960), (300, 30, 1_920), (330, 40, 2_880)];
    assert_eq!(places(&good()), expected);
    let durations: Vec<_> = extents(&good()).iter().map(|one| one.info.duration).collect();
    assert_eq!(durations, [960, 960, 960, 480]);
    let long = [3, 0, 100, 0, 200, 1, 0];
    let mut far = without(kind::STCO);
    far.push((kind::CO64, long.to_vec()));
    assert_eq!(places(&far)[2..], [(1 << 32, 30, 1_920), ((1 << 32) + 30, 40, 2_880)]);
}

#[test]
fn sizes_are_one_for_all_or_of_four_to_thirty_two_bits() {
    let bytes = |tables: &[Table]| -> Vec<u32> {
        extents(tables).iter().map(|extent| extent.bytes).collect()
    };
    assert_eq!(bytes(&with(kind::STSZ, &[7, 4])), [7; 4]);
    let compact = |words: &[u32]| {
        let mut tables = without(kind::STSZ);
        tables.push((kind::STZ2, words.to_vec()));
        tables
    };
    assert_eq!(bytes(&compact(&[16, 4, 0x0001_0053, 0x0004_FFFF])), [1, 0x53, 4, 0xFFFF]);
    assert_eq!(bytes(&compact(&[8, 4, 0x0102_03FF])), [1, 2, 3, 255]);
    assert_eq!(bytes(&compact(&[4, 3, 0x12F0_0000])), [1, 2, 15]);
    assert!(is_refused(&compact(&[12, 4, 0, 0])));
    assert!(is_refused(&compact(&[8, 5, 0x0102_03FF])));
}

#[test]
fn shifts_and_keyframes_are_told_where_a_table_has_them() {
    let shifted = with(kind::CTTS, &[2, 1, 5, 3, (-7_i32).cast_unsigned()]);
    let shifts: Vec<_> = extents(&shifted).iter().map(|one| one.info.shift).collect();
    assert_eq!(shifts, [5, -7, -7, -7]);
    let keyed = |numbers: &[u32]| -> Vec<bool> {
        let keyed = with(kind::STSS, numbers);
        extents(&keyed).iter().map(|one| one.info.is_sync).collect()
    };
    assert_eq!(keyed(&[2, 1, 3]), [true, false, true, false]);
    assert_eq!(keyed(&[0]), [false; 4]);
    assert!(extents(&good()).iter().all(|one| one.info.is_sync));
    assert!(is_refused(&with(kind::STSS, &[2, 3, 1])));
    assert!(is_refused(&with(kind::CTTS, &[1, 3, 5])), "of three samples");
}

#[test]
fn a_sample_without_bytes_is_stepped_over_and_its_time_passes() {
    let hollow = with(kind::STSZ, &[0, 4, 10, 0, 0, 40]);
    assert_eq!(places(&hollow), [(100, 10, 0), (300, 40, 2_880)]);
    let index = SampleIndex::parse(&moov(&hollow), &declared()).unwrap().unwrap();
    assert_eq!(index.samples(), 4);
}

#[test]
fn a_sample_without_a_place_a_duration_or_a_description_is_refused() {
    for kind in [kind::STTS, kind::STSC, kind::STCO] {
        assert!(is_refused(&without(kind)), "without {kind}");
        assert!(is_refused(&with(kind, &[])), "an empty {kind}");
        assert!(is_refused(&with(kind, &[0])), "an {kind} of nothing");
    }
    assert!(is_refused(&with(kind::STTS, &[1, 3, 960])));
    assert!(is_refused(&with(kind::STCO, &[2, 100, 200])));
    let rules = |words: &[u32]| is_refused(&with(kind::STSC, words));
    assert!(rules(&[1, 2, 2, 1]), "none for the first chunk");
    assert!(rules(&[1, 1, 2, 0]) && rules(&[1, 1, 2, 2]), "no such description");
    assert!(rules(&[2, 1, 1, 1, 1, 2, 1]), "two for one chunk");
    assert!(rules(&[3, 1, 1, 1, 3, 1, 1, 2, 4, 1]), "not in order");
    assert!(!rules(&[1, 1, 2, 1]), "one that has room for more");
}

#[test]
fn chunks_that_overlap_or_go_back_are_refused() {
    assert!(is_refused(&with(kind::STCO, &[3, 100, 90, 300])));
    assert!(is_refused(&with(kind::STCO, &[3, 100, 109, 300])));
    assert!(!is_refused(&with(kind::STCO, &[3, 100, 110, 130])));
    let mut at_the_end = without(kind::STCO);
    at_the_end.push((kind::CO64, vec![3, 0, 1, 0, 200, u32::MAX, u32::MAX - 60]));
    assert!(is_refused(&at_the_end));
}

#[test]
fn a_claimed_count_costs_nothing() {
    for kind in [kind::STSZ, kind::STTS, kind::STSC, kind::STCO, kind::CTTS, kind::STSS] {
        assert!(is_refused(&with(kind, &[u32::MAX, u32::MAX, 1, 1])), "{kind}");
        let lead = if kind == kind::STSZ { vec![0, u32::MAX, 1] } else { vec![u32::MAX, 1] };
        assert!(is_refused(&with(kind, &lead)), "{kind}");
    }
    assert!(!is_refused(&with(kind::STSC, &[1, 1, u32::MAX, 1])), "room for more than there are");
    assert!(is_refused(&with(kind::STSC, &[1, 1, 0, 1])), "chunks without samples");
    assert!(!is_refused(&with(kind::STTS, &[3, 0, 9, 0, 9, u32::MAX, u32::MAX])));
}

#[test]
fn as_many_samples_as_the_limit_are_walked_and_one_more_is_refused() {
    let of = |samples: u32| {
        vec![
            (kind::STSZ, vec![1, samples]),
            (kind::STTS, vec![1, samples, 1]),
            (kind::STSC, vec![1, 1, samples, 1]),
            (kind::STCO, vec![1, 100]),
        ]
    };
    let max = u32::try_from(limits::SAMPLES_MAX).unwrap();
    let index = SampleIndex::parse(&moov(&of(max)), &declared()).unwrap().unwrap();
    assert_eq!(index.samples(), limits::SAMPLES_MAX as u64);
    assert!(is_refused(&of(max + 1)));
}

#[test]
fn a_track_that_is_not_asked_for_is_left_out_and_one_that_comes_twice_is_refused() {
    let mut other = declared();
    other[0].number = TrackNumber(77);
    assert!(SampleIndex::parse(&moov(&good()), &other).unwrap().is_none());
    let mut twice = moov(&good());
    put_trak(&mut twice, &good());
    assert!(SampleIndex::parse(&twice, &declared()).is_err());
}

proptest! {
    #[test]
    fn damaged_tables_are_refused_or_walked_in_the_order_of_their_bytes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let tables = with(kind::CTTS, &[2, 1, 5, 3, 7]);
        let mut bytes = moov(&tables);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(Some(index)) = SampleIndex::parse(&bytes, &declared()) {
            let samples = index.samples();
            let extents: Vec<_> = index.collect();
            prop_assert!(extents.len() as u64 <= samples);
            prop_assert!(extents.is_sorted_by_key(|extent| extent.start));
            prop_assert!(extents.iter().all(|extent| extent.info.description == 0));
        }
    }
}

//! Owns the picture of a track's sound: its lowest and highest sample in every bucket of time, at
//! levels to zoom through. Does not decode.

mod form;

use std::time::Duration;

pub use form::PeaksError;

use crate::decode::SOUND_RATE_HZ;
use crate::limits;

const BUCKET_SAMPLES: usize = (SOUND_RATE_HZ * limits::PEAKS_BUCKET_MILLIS / 1000) as usize;

/// The lowest and highest sample of a bucket, of -128 to 127; `min` is at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peak {
    /// The lowest.
    pub min: i8,
    /// The highest.
    pub max: i8,
}

impl Peak {
    fn of(low: i16, high: i16) -> Self {
        // Towards zero, so that the noise of a silent room is a line.
        let scaled = |sample: i16| i8::try_from(sample / 256).unwrap_or_default();
        Self { min: scaled(low), max: scaled(high) }
    }

    fn and(self, other: &Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// The loudest sample of some sound, 0 to 32,768, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Loudest(u16);

impl Loudest {
    /// The loudest that still is silence: -60 dBFS. A microphone that is muted, blocked or broken gives
    /// zeros or the last bits of its converter, and what an encoder makes of those is not much more; of
    /// a voice, even a faint one, single samples are ten times as loud.
    pub const SILENCE_MAX: Self = Self(32);

    /// Of a sample's distance from zero.
    #[must_use]
    pub const fn new(sample: u16) -> Self {
        Self(sample)
    }

    /// The sample's distance from zero.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// True when nobody can have spoken.
    #[must_use]
    pub fn is_silence(self) -> bool {
        self <= Self::SILENCE_MAX
    }
}

/// How long the buckets are: [`limits::PEAKS_BUCKET_MILLIS`] at the finest level, and twice as long
/// at each one above, up to [`limits::PEAKS_LEVEL_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Level(u8);

impl Level {
    /// The level that a track's peaks are made at.
    pub const FINEST: Self = Self(0);

    /// `None` past the coarsest.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (level <= limits::PEAKS_LEVEL_MAX).then_some(Self(level))
    }

    /// How long a bucket lasts.
    #[must_use]
    pub fn bucket(self) -> Duration {
        Duration::from_millis(u64::from(limits::PEAKS_BUCKET_MILLIS) << self.0)
    }

    fn buckets_max(self) -> usize {
        limits::PEAKS_MAX.div_ceil(1 << self.0)
    }
}

/// The peaks of one track at one level. Bucket `n` begins `n` times [`Level::bucket`] after the
/// zero of the file; the last one may reach past the end of the track.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peaks {
    level: Level,
    buckets: Vec<Peak>,
}

impl Peaks {
    /// Their level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// In the order of time; at most [`limits::PEAKS_MAX`].
    #[must_use]
    pub fn buckets(&self) -> &[Peak] {
        &self.buckets
    }

    /// The same one level up: each bucket is made of two. At the coarsest level, the same.
    #[must_use]
    pub fn coarser(&self) -> Self {
        let Some(level) = Level::new(self.level.0 + 1) else {
            return self.clone();
        };
        let merged = |pair: &[Peak]| pair.iter().skip(1).fold(pair[0], Peak::and);
        Self { level, buckets: self.buckets.chunks(2).map(merged).collect() }
    }

    /// The same at the finest level that has no more than so many buckets; at the coarsest if
    /// there is none.
    #[must_use]
    pub fn within(&self, buckets_max: usize) -> Self {
        let mut peaks = self.clone();
        while peaks.buckets.len() > buckets_max && peaks.level.0 < limits::PEAKS_LEVEL_MAX {
            peaks = peaks.coarser();
        }
        peaks
    }
}

/// Makes peaks of sound that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct PeaksBuilder {
    buckets: Vec<Peak>,
    loudest: Loudest,
    /// Of the bucket that is not full yet.
    low: i16,
    high: i16,
    filled: usize,
}

impl PeaksBuilder {
    /// Adds samples, at [`SOUND_RATE_HZ`].
    pub(crate) fn samples(&mut self, samples: &[i16]) {
        let (head, rest) = samples.split_at(samples.len().min(self.room()));
        self.part(head);
        let (whole, tail) = rest.as_chunks::<BUCKET_SAMPLES>();
        for bucket in whole {
            let (low, high) = extremes(bucket);
            self.push(low, high);
        }
        self.part(tail);
    }

    /// Of all that came so far.
    pub(crate) fn loudest(&self) -> Loudest {
        let open = if self.filled > 0 { distance(self.low, self.high) } else { Loudest::default() };
        self.loudest.max(open)
    }

    /// Adds so many samples of silence.
    pub(crate) fn silence(&mut self, samples: u64) {
        const NOTHING: [i16; BUCKET_SAMPLES] = [0; BUCKET_SAMPLES];
        let mut left = usize::try_from(samples).unwrap_or(usize::MAX);
        let head = left.min(self.room());
        self.part(&NOTHING[..head]);
        left -= head;
        let whole = (self.buckets.len() + left / BUCKET_SAMPLES).min(limits::PEAKS_MAX);
        self.buckets.resize(whole, Peak::default());
        self.part(&NOTHING[..left % BUCKET_SAMPLES]);
    }

    /// The peaks of a track that ends at `end`: silent up to there, and nothing after.
    pub(crate) fn build(mut self, end: Duration) -> Peaks {
        if self.filled > 0 {
            self.close();
        }
        let bucket = Level::FINEST.bucket().as_nanos();
        let buckets = usize::try_from(end.as_nanos().div_ceil(bucket)).unwrap_or(usize::MAX);
        self.buckets.resize(buckets.min(limits::PEAKS_MAX), Peak::default());
        Peaks { level: Level::FINEST, buckets: self.buckets }
    }

    /// What the open bucket can take; nothing if none is open.
    fn room(&self) -> usize {
        (BUCKET_SAMPLES - self.filled) % BUCKET_SAMPLES
    }

    /// Adds to the open bucket, or opens one.
    fn part(&mut self, samples: &[i16]) {
        if samples.is_empty() {
            return;
        }
        let (low, high) = extremes(samples);
        let is_open = self.filled > 0;
        self.low = if is_open { self.low.min(low) } else { low };
        self.high = if is_open { self.high.max(high) } else { high };
        self.filled += samples.len();
        if self.filled == BUCKET_SAMPLES {
            self.close();
        }
    }

    fn close(&mut self) {
        self.push(self.low, self.high);
        self.filled = 0;
    }

    fn push(&mut self, low: i16, high: i16) {
        self.loudest = self.loudest.max(distance(low, high));
        self.buckets.push(Peak::of(low, high));
    }
}

fn distance(low: i16, high: i16) -> Loudest {
    Loudest(low.unsigned_abs().max(high.unsigned_abs()))
}

/// Of at least one sample.
fn extremes(samples: &[i16]) -> (i16, i16) {
    let start = (i16::MAX, i16::MIN);
    samples.iter().fold(start, |(low, high), sample| (low.min(*sample), high.max(*sample)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(samples: &[i16]) -> Peaks {
        let mut builder = PeaksBuilder::default();
        builder.samples(samples);
        builder.build(Duration::from_micros(samples.len() as u64 * 125 / 2))
    }

    fn peak(min: i8, max: i8) -> Peak {
        Peak { min, max }
    }

    #[test]
    fn a_bucket_holds_its_lowest_and_highest_sample() {
        let mut samples = vec![0; 2 * BUCKET_SAMPLES];
        samples[0] = i16::MAX;
        samples[BUCKET_SAMPLES - 1] = i16::MIN;
        samples[BUCKET_SAMPLES] = 512;
        samples[BUCKET_SAMPLES + 1] = -511;
        assert_eq!(build(&samples).buckets(), [peak(-128, 127), peak(-1, 2)]);
    }

    #[test]
    fn the_loudest_sample_counts_in_either_direction_and_in_the_open_bucket() {
        let loudest = |samples: &[i16]| {
            let mut builder = PeaksBuilder::default();
            builder.samples(samples);
            builder.loudest().get()
        };
        assert_eq!(loudest(&[]), 0);
        assert_eq!(loudest(&[3, -7]), 7);
        assert_eq!(loudest(&[i16::MIN; BUCKET_SAMPLES]), 32_768);
        let mut samples = vec![1; BUCKET_SAMPLES + 1];
        samples[0] = 90;
        assert_eq!(loudest(&samples), 90);
        samples[BUCKET_SAMPLES] = 91;
        assert_eq!(loudest(&samples), 91);
    }

    #[test]
    fn what_is_at_the_limit_is_silence_and_one_more_is_not() {
        assert!(Loudest::SILENCE_MAX.is_silence());
        assert!(!Loudest::new(Loudest::SILENCE_MAX.get() + 1).is_silence());
        let dbfs = 20.0 * (f64::from(Loudest::SILENCE_MAX.get()) / 32_768.0).log10();
        assert!((dbfs + 60.0).abs() < 0.5, "{dbfs}");
    }

    #[test]
    fn a_bucket_without_a_zero_need_not_reach_zero() {
        assert_eq!(build(&[512; BUCKET_SAMPLES]).buckets(), [peak(2, 2)]);
        assert_eq!(build(&[-512; BUCKET_SAMPLES]).buckets(), [peak(-2, -2)]);
    }

    #[test]
    fn the_last_bucket_may_be_partly_filled() {
        assert_eq!(build(&[512; BUCKET_SAMPLES + 1]).buckets(), [peak(2, 2), peak(2, 2)]);
        assert_eq!(build(&[]).buckets(), []);
    }

    #[test]
    fn peaks_end_where_the_track_ends() {
        let mut builder = PeaksBuilder::default();
        builder.samples(&[512; 2 * BUCKET_SAMPLES + 16]);
        assert_eq!(builder.build(Duration::from_millis(20)).buckets(), [peak(2, 2); 2]);

        let mut builder = PeaksBuilder::default();
        builder.samples(&[512; 16]);
        let peaks = builder.build(Duration::from_millis(21));
        assert_eq!(peaks.buckets(), [peak(2, 2), peak(0, 0), peak(0, 0)]);
    }

    #[test]
    fn as_many_buckets_as_the_limit_are_kept_and_no_more() {
        for end in [limits::SOUND_DURATION_MAX, limits::SOUND_DURATION_MAX * 2] {
            assert_eq!(PeaksBuilder::default().build(end).buckets().len(), limits::PEAKS_MAX);
        }
        let mut builder = PeaksBuilder::default();
        builder.silence(u64::MAX);
        assert_eq!(builder.buckets.len(), limits::PEAKS_MAX);
    }

    #[test]
    fn a_coarser_level_merges_two_and_two() {
        let fine = Peaks {
            level: Level::FINEST,
            buckets: vec![peak(-1, 5), peak(-7, 2), peak(1, 3), peak(0, 0), peak(4, 6)],
        };
        let coarse = fine.coarser();
        assert_eq!(coarse.level().bucket(), Duration::from_millis(20));
        assert_eq!(coarse.buckets(), [peak(-7, 5), peak(0, 3), peak(4, 6)]);
        assert_eq!(coarse.coarser().buckets(), [peak(-7, 5), peak(4, 6)]);
    }

    #[test]
    fn levels_end_at_the_coarsest() {
        let coarsest = Level::new(limits::PEAKS_LEVEL_MAX).unwrap();
        assert_eq!(coarsest.bucket(), Duration::from_millis(655_360));
        assert_eq!(Level::new(limits::PEAKS_LEVEL_MAX + 1), None);
        let peaks = Peaks { level: coarsest, buckets: vec![peak(0, 1); 2] };
        assert_eq!(peaks.coarser(), peaks);
        assert_eq!(peaks.within(1), peaks, "there is nothing coarser");
    }

    #[test]
    fn peaks_are_made_to_fit_a_width() {
        let peaks = Peaks { level: Level::FINEST, buckets: vec![peak(-3, 4); 1000] };
        assert_eq!(peaks.within(1000), peaks);
        assert_eq!(peaks.within(999).buckets(), [peak(-3, 4); 500]);
        assert_eq!(peaks.within(1).buckets(), [peak(-3, 4)]);
        assert_eq!(peaks.within(0).level(), Level(limits::PEAKS_LEVEL_MAX));
    }

    proptest! {
        #[test]
        fn how_sound_is_cut_into_pieces_does_not_matter(
            pieces in prop::collection::vec(
                prop_oneof![
                    (0..500u64).prop_map(|silence| (silence, vec![])),
                    prop::collection::vec(any::<i16>(), 0..500).prop_map(|sound| (0, sound)),
                ],
                0..20,
            ),
        ) {
            let mut builder = PeaksBuilder::default();
            let mut whole = Vec::new();
            for (silence, samples) in &pieces {
                builder.silence(*silence);
                builder.samples(samples);
                whole.resize(whole.len() + *silence as usize, 0);
                whole.extend_from_slice(samples);
            }
            let expected: Vec<_> = whole
                .chunks(BUCKET_SAMPLES)
                .map(|bucket| {
                    Peak::of(*bucket.iter().min().unwrap(), *bucket.iter().max().unwrap())
                })
                .collect();
            let end = Duration::from_micros(whole.len() as u64 * 125 / 2);
            prop_assert_eq!(builder.build(end).buckets, expected);
        }
    }
}

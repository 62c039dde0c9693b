//! Owns walking the samples that the tables of an ordinary MP4 describe (ISO/IEC 14496-12 sections
//! 8.6 and 8.7), in the order in which their bytes stand in the file. Does not read those bytes.
//! The strict reading of what was written here is in `tables_read`.

use std::sync::Arc;

use crate::ebml::Malformed;
use crate::limits;
use crate::units::TrackNumber;

use super::boxes::{self, Fields, kind};
use super::moof::{Extent, First, SampleInfo};
use super::moov::{self, Track};
use super::time::Ticks;

/// The samples of all tracks, by where they stand.
///
/// It holds the tables as they were written and a place in each. All of them are walked through
/// once when they are read: what does not fit together is found out before the first sample is
/// taken, and no sample is missing later.
#[derive(Debug)]
pub(crate) struct SampleIndex {
    tracks: Vec<Ahead>,
    #[cfg(test)]
    samples: u64,
}

/// A track and the sample that was read ahead.
#[derive(Debug)]
struct Ahead {
    walk: Walk,
    next: Option<Extent>,
}

impl SampleIndex {
    /// Reads the tables in a `moov` body of those `tracks`. `None` if there is not one sample in
    /// them: the file of a recorder that writes fragments.
    ///
    /// It is malformed if a sample has no place, duration or description, if the chunks of a track
    /// overlap or stand in another order than they play, and above [`limits::SAMPLES_MAX`].
    pub(crate) fn parse(moov: &[u8], tracks: &[Track]) -> Result<Option<Self>, Malformed> {
        let mut walks: Vec<Walk> = Vec::new();
        for child in boxes::children(moov) {
            let child = child?;
            if child.kind != kind::TRAK {
                continue;
            }
            let Some(walk) = Walk::begin(child.body, tracks)? else {
                continue;
            };
            if walks.iter().any(|other| other.track == walk.track) {
                return Err(Malformed);
            }
            walks.push(walk);
        }
        let samples: u64 = walks.iter().map(|walk| walk.sizes.samples() as u64).sum();
        if samples > limits::SAMPLES_MAX as u64 {
            return Err(Malformed);
        }
        for walk in &walks {
            let mut all = walk.clone();
            while all.next_extent()?.is_some() {}
        }
        let tracks = walks.into_iter().map(Ahead::new).collect::<Result<_, _>>()?;
        Ok((samples > 0).then_some(Self {
            tracks,
            #[cfg(test)]
            samples,
        }))
    }

    /// The first sample of each track.
    pub(crate) fn firsts(&self, tracks: &[Track]) -> Vec<First> {
        let first = |ahead: &Ahead| {
            let info = ahead.next.as_ref()?.info;
            let track = tracks.iter().find(|track| track.number == info.track)?;
            let (order, shown) = (track.presented(info.at), track.presentation(&info));
            Some(First { track: info.track, order, shown })
        };
        self.tracks.iter().filter_map(first).collect()
    }

    /// Where the next sample stands.
    #[cfg(test)]
    pub(crate) fn peek(&self) -> Option<u64> {
        self.tracks.iter().filter_map(|track| Some(track.next?.start)).min()
    }

    /// What a track goes on with.
    pub(crate) fn upcoming(&self, track: TrackNumber) -> Option<SampleInfo> {
        let own = self.tracks.iter().find(|own| own.walk.track == track)?;
        own.next.map(|next| next.info)
    }

    /// How many there are in all, those without bytes too.
    #[cfg(test)]
    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }
}

impl Iterator for SampleIndex {
    type Item = Extent;

    fn next(&mut self) -> Option<Extent> {
        let waiting = self.tracks.iter_mut().filter(|track| track.next.is_some());
        waiting.min_by_key(|track| track.next.map(|next| next.start))?.take()
    }
}

impl Ahead {
    fn new(mut walk: Walk) -> Result<Self, Malformed> {
        let next = walk.next_extent()?;
        Ok(Self { walk, next })
    }

    fn take(&mut self) -> Option<Extent> {
        // It was walked through before, and nothing was wrong.
        let after = self.walk.next_extent().ok().flatten();
        std::mem::replace(&mut self.next, after)
    }
}

/// The tables of a track and how far they are read.
#[derive(Debug, Clone)]
struct Walk {
    track: TrackNumber,
    sizes: Sizes,
    durations: Runs,
    shifts: Option<Runs>,
    syncs: Option<Syncs>,
    chunks: Chunks,
    /// Samples read so far.
    read: usize,
    /// When the next one is decoded.
    at: Ticks,
}

impl Walk {
    /// `None` if the track is none of `tracks`, or has no samples.
    fn begin(trak: &[u8], tracks: &[Track]) -> Result<Option<Self>, Malformed> {
        let number = boxes::child(trak, kind::TKHD).and_then(moov::track_id);
        let number = number.map(|number| TrackNumber(u64::from(number)));
        let Some(track) = tracks.iter().find(|track| Some(track.number) == number) else {
            return Ok(None);
        };
        let Some(stbl) = boxes::descend(trak, &[kind::MDIA, kind::MINF, kind::STBL]) else {
            return Ok(None);
        };
        let sizes = Sizes::of(stbl)?;
        if sizes.samples() == 0 {
            return Ok(None);
        }
        let table = |kind| boxes::child(stbl, kind);
        Ok(Some(Self {
            track: track.number,
            sizes,
            durations: Runs::parse(table(kind::STTS).ok_or(Malformed)?)?,
            shifts: table(kind::CTTS).map(Runs::parse).transpose()?,
            syncs: table(kind::STSS).map(Syncs::parse).transpose()?,
            chunks: Chunks::of(stbl, track.descriptions.len())?,
            read: 0,
            at: Ticks::default(),
        }))
    }

    /// The next sample that has bytes; the time of the others passes.
    fn next_extent(&mut self) -> Result<Option<Extent>, Malformed> {
        while let Some(bytes) = self.sizes.get(self.read) {
            let extent = self.place(bytes).ok_or(Malformed)?;
            self.read += 1;
            if bytes > 0 {
                return Ok(Some(extent));
            }
        }
        Ok(None)
    }

    fn place(&mut self, bytes: u32) -> Option<Extent> {
        let duration = self.durations.next()?;
        let shift = match &mut self.shifts {
            // Version 0 calls it unsigned, and is written with negative values all the same.
            Some(shifts) => shifts.next()?.cast_signed(),
            None => 0,
        };
        let is_sync = match &mut self.syncs {
            Some(syncs) => syncs.has(self.read),
            None => true,
        };
        let (start, description) = self.chunks.place(bytes)?;
        let at = self.at;
        self.at = Ticks(at.0.checked_add(i64::from(duration))?);
        let info = SampleInfo { track: self.track, at, duration, shift, is_sync, description };
        Some(Extent { start, bytes, info })
    }
}

/// How large the samples are (section 8.7.3).
#[derive(Debug, Clone)]
enum Sizes {
    OneForAll {
        bytes: u32,
        samples: usize,
    },
    Words(Entries<4>),
    Halves(Entries<2>),
    Bytes(Entries<1>),
    /// Two in a byte, the first in its upper half.
    Nibbles {
        pairs: Entries<1>,
        samples: usize,
    },
}

impl Sizes {
    fn of(stbl: &[u8]) -> Result<Self, Malformed> {
        let sizes = match (boxes::child(stbl, kind::STSZ), boxes::child(stbl, kind::STZ2)) {
            (Some(stsz), _) => Self::parse(stsz),
            (None, Some(stz2)) => Self::parse_compact(stz2),
            (None, None) => Some(Self::OneForAll { bytes: 0, samples: 0 }),
        };
        sizes.ok_or(Malformed)
    }

    /// An `stsz` body.
    fn parse(stsz: &[u8]) -> Option<Self> {
        let (_, _, mut fields) = Fields::of_full_box(stsz)?;
        let bytes = fields.u32()?;
        if bytes > 0 {
            let samples = usize::try_from(fields.u32()?).ok()?;
            return Some(Self::OneForAll { bytes, samples });
        }
        Entries::parse(fields).map(Self::Words)
    }

    /// An `stz2` body.
    fn parse_compact(stz2: &[u8]) -> Option<Self> {
        let (_, _, mut fields) = Fields::of_full_box(stz2)?;
        let [_, _, _, bits] = fields.take()?;
        match bits {
            4 => {
                let samples = usize::try_from(fields.u32()?).ok()?;
                let pairs = Entries::read(fields.rest(), samples.div_ceil(2))?;
                Some(Self::Nibbles { pairs, samples })
            }
            8 => Entries::parse(fields).map(Self::Bytes),
            16 => Entries::parse(fields).map(Self::Halves),
            _ => None,
        }
    }

    fn samples(&self) -> usize {
        match self {
            Self::OneForAll { samples, .. } | Self::Nibbles { samples, .. } => *samples,
            Self::Words(sizes) => sizes.0.len(),
            Self::Halves(sizes) => sizes.0.len(),
            Self::Bytes(sizes) => sizes.0.len(),
        }
    }

    /// Of the sample with this index; `None` behind the last.
    fn get(&self, sample: usize) -> Option<u32> {
        match self {
            Self::OneForAll { bytes, samples } => (sample < *samples).then_some(*bytes),
            Self::Words(sizes) => sizes.get(sample).map(u32::from_be_bytes),
            Self::Halves(sizes) => sizes.get(sample).map(|size| u16::from_be_bytes(size).into()),
            Self::Bytes(sizes) => sizes.get(sample).map(|[size]| size.into()),
            Self::Nibbles { pairs, samples } => {
                let [pair] = pairs.get(sample / 2).filter(|_| sample < *samples)?;
                Some(u32::from(if sample.is_multiple_of(2) { pair >> 4 } else { pair & 0xF }))
            }
        }
    }
}

/// Values of samples in a row, of an `stts` or `ctts` (section 8.6.1).
#[derive(Debug, Clone)]
struct Runs {
    entries: Entries<8>,
    next_entry: usize,
    left: u32,
    value: u32,
}

impl Runs {
    fn parse(table: &[u8]) -> Result<Self, Malformed> {
        let entries = Entries::of_full_box(table)?;
        Ok(Self { entries, next_entry: 0, left: 0, value: 0 })
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            let entry = self.entries.get(self.next_entry)?;
            let mut fields = Fields::new(&entry);
            self.left = fields.u32()?;
            self.value = fields.u32()?;
            self.next_entry += 1;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// The samples one can start at (section 8.6.2), by number, from 1.
#[derive(Debug, Clone)]
struct Syncs {
    numbers: Entries<4>,
    next: usize,
}

impl Syncs {
    fn parse(stss: &[u8]) -> Result<Self, Malformed> {
        let numbers = Entries::of_full_box(stss)?;
        let ascend = numbers.0.is_sorted_by(|one, next| one < next);
        if ascend { Ok(Self { numbers, next: 0 }) } else { Err(Malformed) }
    }

    /// Whether the sample with this index is one of them. To be asked of each sample in turn.
    fn has(&mut self, sample: usize) -> bool {
        let number = self.numbers.get(self.next).map(u32::from_be_bytes);
        let is_sync = number.is_some_and(|number| number as usize == sample + 1);
        self.next += usize::from(is_sync);
        is_sync
    }
}

/// Where samples stand: one right behind another in chunks (sections 8.7.4 and 8.7.5).
#[derive(Debug, Clone)]
struct Chunks {
    offsets: Offsets,
    rules: Entries<12>,
    descriptions: usize,
    next_chunk: usize,
    next_rule: usize,
    rule: Option<Rule>,
    /// Samples that are still to come in the open chunk.
    left: u32,
    /// Where the last sample ends.
    end: u64,
}

#[derive(Debug, Clone)]
enum Offsets {
    Short(Entries<4>),
    Long(Entries<8>),
}

/// From a chunk on, each has so many samples, described so.
#[derive(Debug, Clone, Copy)]
struct Rule {
    first_chunk: u32,
    samples: u32,
    /// Index among the track's.
    description: usize,
}

impl Chunks {
    fn of(stbl: &[u8], descriptions: usize) -> Result<Self, Malformed> {
        let offsets = match (boxes::child(stbl, kind::STCO), boxes::child(stbl, kind::CO64)) {
            (Some(stco), _) => Offsets::Short(Entries::of_full_box(stco)?),
            (None, Some(co64)) => Offsets::Long(Entries::of_full_box(co64)?),
            (None, None) => return Err(Malformed),
        };
        let stsc = boxes::child(stbl, kind::STSC).ok_or(Malformed)?;
        Ok(Self {
            offsets,
            rules: Entries::of_full_box(stsc)?,
            descriptions,
            next_chunk: 0,
            next_rule: 0,
            rule: None,
            left: 0,
            end: 0,
        })
    }

    /// Where the next sample stands, and its description.
    fn place(&mut self, bytes: u32) -> Option<(u64, usize)> {
        while self.left == 0 {
            self.open_chunk()?;
        }
        self.left -= 1;
        let start = self.end;
        self.end = start.checked_add(u64::from(bytes))?;
        Some((start, self.rule?.description))
    }

    fn open_chunk(&mut self) -> Option<()> {
        let offset = self.offsets.get(self.next_chunk)?;
        self.next_chunk += 1;
        if let Some(entry) = self.rules.get(self.next_rule) {
            let rule = Rule::parse(&entry)?;
            let number = u32::try_from(self.next_chunk).ok()?;
            if rule.first_chunk < number || rule.description >= self.descriptions {
                return None;
            }
            if rule.first_chunk == number {
                self.rule = Some(rule);
                self.next_rule += 1;
            }
        }
        self.left = self.rule?.samples;
        let goes_on = offset >= self.end;
        self.end = offset;
        goes_on.then_some(())
    }
}

impl Offsets {
    fn get(&self, chunk: usize) -> Option<u64> {
        match self {
            Self::Short(offsets) => offsets.get(chunk).map(|at| u32::from_be_bytes(at).into()),
            Self::Long(offsets) => offsets.get(chunk).map(u64::from_be_bytes),
        }
    }
}

impl Rule {
    fn parse(entry: &[u8; 12]) -> Option<Self> {
        let mut fields = Fields::new(entry);
        Some(Self {
            first_chunk: fields.u32()?,
            samples: fields.u32()?,
            description: usize::try_from(fields.u32()?).ok()?.checked_sub(1)?,
        })
    }
}

/// The entries of a table, as they were written. Copies share them.
#[derive(Debug, Clone)]
struct Entries<const BYTES: usize>(Arc<[[u8; BYTES]]>);

impl<const BYTES: usize> Entries<BYTES> {
    /// Of a table that begins with how many there are.
    fn of_full_box(table: &[u8]) -> Result<Self, Malformed> {
        let fields = Fields::of_full_box(table).map(|(_, _, fields)| fields);
        fields.and_then(Self::parse).ok_or(Malformed)
    }

    /// How many there are, then so many; `None` if there are fewer.
    fn parse(mut fields: Fields<'_>) -> Option<Self> {
        let count = usize::try_from(fields.u32()?).ok()?;
        Self::read(fields.rest(), count)
    }

    fn read(bytes: &[u8], count: usize) -> Option<Self> {
        let (entries, _) = bytes.as_chunks::<BYTES>();
        entries.get(..count).map(|entries| Self(entries.into()))
    }

    fn get(&self, index: usize) -> Option<[u8; BYTES]> {
        self.0.get(index).copied()
    }
}

#[cfg(test)]
mod tests;

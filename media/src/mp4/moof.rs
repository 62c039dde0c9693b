//! Owns reading a fragment's description, the `moof` (ISO/IEC 14496-12 section 8.8): which samples
//! it has, when they play and where their bytes stand. Does not read those bytes.

use crate::ebml::Malformed;
use crate::limits;
use crate::units::{SourceTime, TrackNumber};

use super::boxes::{self, Fields, kind};
use super::moov::{Defaults, Track};
use super::time::Ticks;

/// What a fragment says of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleInfo {
    pub(crate) track: TrackNumber,
    /// When it is decoded, on the recorder's timeline of its track.
    pub(crate) at: Ticks,
    /// Only to be believed until the next fragment says when it begins.
    pub(crate) duration: u32,
    /// From decoding to presentation.
    pub(crate) shift: i32,
    pub(crate) is_sync: bool,
    /// Index among the track's descriptions.
    pub(crate) description: usize,
}

/// A sample and where its bytes stand, from the start of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) bytes: u32,
    pub(crate) info: SampleInfo,
}

/// A `moof`, understood.
#[derive(Debug, Default)]
pub(crate) struct Fragment {
    /// By where they stand; none is empty.
    pub(crate) samples: Vec<Extent>,
    /// When the first sample of each declared track is presented.
    pub(crate) firsts: Vec<First>,
    /// Samples without bytes: there is nothing to keep of them.
    pub(crate) empty: u64,
    /// Positions count from the start of a file that is not at hand: only their distances hold.
    pub(crate) is_elsewhere: bool,
    /// All that were claimed, those without bytes too: walking through them takes time as well.
    claimed: usize,
}

/// The earliest that a fragment, or an index, has of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) track: TrackNumber,
    /// When it is decoded, by the recorder's own clock.
    pub(crate) order: SourceTime,
    /// When it is presented.
    pub(crate) shown: SourceTime,
}

/// A track of the run and when its last fragment ended.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) track: Track,
    pub(crate) end: Ticks,
}

/// Reads a `moof` body. `moof_at` is where the box begins in the stream.
pub(crate) fn parse(
    moof: &[u8],
    moof_at: u64,
    tracks: &mut [Followed],
) -> Result<Fragment, Malformed> {
    let mut fragment = Fragment::default();
    let mut data_end = moof_at;
    for child in boxes::children(moof) {
        let child = child?;
        if child.kind == kind::TRAF {
            let traf = Traf::parse(child.body, moof_at, data_end, tracks).ok_or(Malformed)?;
            data_end = traf.read_runs(child.body, &mut fragment, tracks).ok_or(Malformed)?;
        }
    }
    fragment.samples.sort_by_key(|sample| sample.start);
    Ok(fragment)
}

/// The head of a track's part of a fragment.
#[derive(Debug)]
struct Traf {
    track: TrackNumber,
    /// Where its data offsets count from.
    base: u64,
    is_elsewhere: bool,
    defaults: Defaults,
    begins: Ticks,
}

impl Traf {
    fn parse(traf: &[u8], moof_at: u64, data_end: u64, tracks: &[Followed]) -> Option<Self> {
        const BASE: u32 = 0x01;
        const DESCRIPTION: u32 = 0x02;
        const DURATION: u32 = 0x08;
        const BYTES: u32 = 0x10;
        const FLAGS: u32 = 0x20;
        const BASE_IS_MOOF: u32 = 0x02_0000;

        let (_, flags, mut fields) = Fields::of_full_box(boxes::child(traf, kind::TFHD)?)?;
        let track = TrackNumber(u64::from(fields.u32()?));
        let followed = tracks.iter().find(|followed| followed.track.number == track);
        let mut defaults = followed.map(|followed| followed.track.defaults).unwrap_or_default();
        let base = if flags & BASE != 0 { Some(fields.u64()?) } else { None };
        for (flag, value) in [
            (DESCRIPTION, &mut defaults.description),
            (DURATION, &mut defaults.duration),
            (BYTES, &mut defaults.bytes),
            (FLAGS, &mut defaults.flags),
        ] {
            if flags & flag != 0 {
                *value = fields.u32()?;
            }
        }
        let relative_base = if flags & BASE_IS_MOOF != 0 { moof_at } else { data_end };
        let begins = match boxes::child(traf, kind::TFDT) {
            Some(tfdt) => decode_time(tfdt)?,
            // Without one the fragment follows the one before.
            None => followed.map(|followed| followed.end).unwrap_or_default(),
        };
        let is_elsewhere = base.is_some();
        Some(Self { track, base: base.unwrap_or(relative_base), is_elsewhere, defaults, begins })
    }

    /// Adds the samples to the fragment. Returns where their bytes end.
    fn read_runs(
        &self,
        traf: &[u8],
        fragment: &mut Fragment,
        tracks: &mut [Followed],
    ) -> Option<u64> {
        let mut at = self.begins;
        let mut data_end = self.base;
        let from = fragment.samples.len();
        for child in boxes::children(traf) {
            let child = child.ok()?;
            if child.kind == kind::TRUN {
                (at, data_end) = self.read_run(child.body, at, data_end, fragment)?;
            }
        }
        fragment.is_elsewhere |= self.is_elsewhere;
        if let Some(followed) = tracks.iter_mut().find(|one| one.track.number == self.track) {
            followed.end = at;
            let track = &followed.track;
            let shown = fragment.samples[from..].iter().map(|one| track.presentation(&one.info));
            let order = track.presented(self.begins);
            let first = |shown| First { track: self.track, order, shown };
            fragment.firsts.extend(shown.min().map(first));
        }
        Some(data_end)
    }

    /// A `trun` (section 8.8.8). Returns the time and the byte behind its last sample.
    fn read_run(
        &self,
        trun: &[u8],
        mut at: Ticks,
        data_end: u64,
        fragment: &mut Fragment,
    ) -> Option<(Ticks, u64)> {
        const DATA_OFFSET: u32 = 0x01;
        const FIRST_FLAGS: u32 = 0x04;
        const DURATION: u32 = 0x0100;
        const BYTES: u32 = 0x0200;
        const FLAGS: u32 = 0x0400;
        const SHIFT: u32 = 0x0800;
        const NOT_SYNC: u32 = 0x01_0000;

        let (_, present, mut fields) = Fields::of_full_box(trun)?;
        let count = usize::try_from(fields.u32()?).ok()?;
        fragment.claimed = fragment.claimed.checked_add(count)?;
        if fragment.claimed > limits::FRAGMENT_SAMPLES_MAX {
            return None;
        }
        let mut start = data_end;
        if present & DATA_OFFSET != 0 {
            start = self.base.checked_add_signed(i64::from(fields.i32()?))?;
        }
        let mut first_flags = if present & FIRST_FLAGS != 0 { Some(fields.u32()?) } else { None };
        for _ in 0..count {
            let mut field = |flag, default| {
                if present & flag != 0 { fields.u32() } else { Some(default) }
            };
            let duration = field(DURATION, self.defaults.duration)?;
            let bytes = field(BYTES, self.defaults.bytes)?;
            let flags = field(FLAGS, self.defaults.flags)?;
            let flags = first_flags.take().unwrap_or(flags);
            // Version 0 calls it unsigned, and is written with negative values all the same.
            let shift = field(SHIFT, 0)?.cast_signed();
            let info = SampleInfo {
                track: self.track,
                at,
                duration,
                shift,
                is_sync: flags & NOT_SYNC == 0,
                description: usize::try_from(self.defaults.description).ok()?.saturating_sub(1),
            };
            // A sample without bytes has nothing to keep; its time passes all the same.
            if bytes > 0 {
                fragment.samples.push(Extent { start, bytes, info });
            } else {
                fragment.empty += 1;
            }
            at = Ticks(at.0.wrapping_add(i64::from(duration)));
            start = start.checked_add(u64::from(bytes))?;
        }
        Some((at, start))
    }
}

/// A `tfdt` (section 8.8.12). One before zero has wrapped around.
fn decode_time(tfdt: &[u8]) -> Option<Ticks> {
    let (version, _, mut fields) = Fields::of_full_box(tfdt)?;
    fields.wide(version).map(|ticks| Ticks(ticks.cast_signed()))
}

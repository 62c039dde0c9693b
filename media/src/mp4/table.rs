//! Owns the table of a written track: how large each of its samples is, when it plays and where it
//! stands. Packs while it grows: run lengths where samples repeat, four bytes for a size.

use crate::ebml::Malformed;

use super::time::Ticks;

/// What the table is told of a sample that was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) at: Ticks,
    /// How long it plays if nothing follows.
    pub(crate) duration: Ticks,
    pub(crate) shift: i32,
    pub(crate) bytes: u32,
    pub(crate) is_sync: bool,
    /// Number of its description, from 1.
    pub(crate) description: u32,
    /// Where it stands, from the start of the file.
    pub(crate) offset: u64,
}

/// Samples in a row that are alike in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run<T> {
    pub(crate) samples: u32,
    pub(crate) value: T,
}

/// Samples that stand one right behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) samples: u32,
    pub(crate) description: u32,
}

#[derive(Debug, Default)]
pub(crate) struct SampleTable {
    pub(crate) deltas: Vec<Run<u32>>,
    pub(crate) shifts: Vec<Run<i32>>,
    pub(crate) sizes: Vec<u32>,
    /// Numbers of the samples one can start at, from 1.
    pub(crate) syncs: Vec<u32>,
    pub(crate) chunks: Vec<Chunk>,
    first: Option<Ticks>,
    last: Option<Last>,
    /// Where the last chunk ends, while it may still grow.
    open_end: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Ticks,
    duration: u32,
}

impl SampleTable {
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// When the first sample plays.
    pub(crate) fn start(&self) -> Ticks {
        self.first.unwrap_or_default()
    }

    /// When the last sample began.
    pub(crate) fn last(&self) -> Option<Ticks> {
        self.last.map(|last| last.at)
    }

    /// When the last sample has played.
    pub(crate) fn end(&self) -> Ticks {
        self.last.map_or(Ticks::default(), |last| {
            Ticks(last.at.0.saturating_add(i64::from(last.duration)))
        })
    }

    /// The next sample stands in a new chunk.
    pub(crate) fn close_chunk(&mut self) {
        self.open_end = None;
    }

    /// How long the sample before `at` plays then; an error if that is longer than a table can
    /// say, or `at` is before it.
    pub(crate) fn check(&self, at: Ticks) -> Result<u32, Malformed> {
        let before = self.last.map_or(at, |last| last.at);
        let step = at.0.checked_sub(before.0).ok_or(Malformed)?;
        u32::try_from(step).map_err(|_| Malformed)
    }

    /// Adds a sample, behind the last and in time too; returns an error as `check` does.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<(), Malformed> {
        let step = self.check(entry.at)?;
        if self.last.is_some() {
            extend(&mut self.deltas, step);
        }
        let duration = match u32::try_from(entry.duration.0) {
            // Nothing says how long: as long as the one before.
            Ok(0) | Err(_) => step,
            Ok(duration) => duration,
        };
        self.first.get_or_insert(entry.at);
        self.last = Some(Last { at: entry.at, duration });
        extend(&mut self.shifts, entry.shift);
        self.sizes.push(entry.bytes);
        if entry.is_sync {
            // The limit on samples is far below.
            self.syncs.push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
        }
        self.place(entry);
        Ok(())
    }

    fn place(&mut self, entry: &Entry) {
        let fits = self.open_end == Some(entry.offset);
        match self.chunks.last_mut() {
            Some(chunk) if fits && chunk.description == entry.description => chunk.samples += 1,
            Some(_) | None => self.chunks.push(Chunk {
                offset: entry.offset,
                samples: 1,
                description: entry.description,
            }),
        }
        self.open_end = Some(entry.offset + u64::from(entry.bytes));
    }

    /// No more samples come: the last one gets its duration.
    pub(crate) fn complete(&mut self) {
        self.open_end = None;
        let last = self.last.map(|last| last.duration);
        let is_open =
            self.deltas.iter().map(|run| run.samples as usize).sum::<usize>() < self.len();
        if let Some(duration) = last.filter(|_| is_open) {
            extend(&mut self.deltas, duration);
        }
    }
}

fn extend<T: Copy + PartialEq>(runs: &mut Vec<Run<T>>, value: T) {
    match runs.last_mut() {
        Some(run) if run.value == value => run.samples += 1,
        Some(_) | None => runs.push(Run { samples: 1, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, offset: u64) -> Entry {
        Entry {
            at: Ticks(at),
            duration: Ticks(20),
            shift: 0,
            bytes: 10,
            is_sync: true,
            description: 1,
            offset,
        }
    }

    fn table(entries: &[Entry]) -> SampleTable {
        let mut table = SampleTable::default();
        for entry in entries {
            table.add(entry).unwrap();
        }
        table.complete();
        table
    }

    #[test]
    fn a_sample_lasts_until_the_next_and_the_last_as_long_as_it_says() {
        let table = table(&[entry(5, 0), entry(26, 10), entry(47, 20), entry(60, 30)]);
        let run = |samples, value| Run { samples, value };
        assert_eq!(table.deltas, [run(2, 21), run(1, 13), run(1, 20)]);
        assert_eq!((table.start(), table.end()), (Ticks(5), Ticks(80)));
        assert_eq!(table.shifts, [Run { samples: 4, value: 0 }]);
        assert_eq!(table.syncs, [1, 2, 3, 4]);
    }

    #[test]
    fn a_last_sample_that_says_nothing_lasts_as_long_as_the_one_before() {
        let silent = |at| Entry { duration: Ticks(0), ..entry(at, 0) };
        assert_eq!(table(&[silent(0), silent(30)]).end(), Ticks(60));
        assert_eq!(table(&[silent(0)]).end(), Ticks(0));
    }

    #[test]
    fn samples_share_a_chunk_while_they_touch_and_are_described_alike() {
        let other = Entry { description: 2, ..entry(60, 40) };
        let table = table(&[entry(0, 0), entry(20, 10), entry(40, 30), other]);
        let chunk = |offset, samples, description| Chunk { offset, samples, description };
        assert_eq!(table.chunks, [chunk(0, 2, 1), chunk(30, 1, 1), chunk(40, 1, 2)]);
    }

    #[test]
    fn a_step_back_or_one_too_long_for_the_table_is_refused() {
        let mut table = SampleTable::default();
        table.add(&entry(100, 0)).unwrap();
        assert_eq!(table.check(Ticks(99)), Err(Malformed));
        assert_eq!(table.check(Ticks(100 + i64::from(u32::MAX))), Ok(u32::MAX));
        assert_eq!(table.check(Ticks(101 + i64::from(u32::MAX))), Err(Malformed));
        assert!(table.add(&entry(99, 10)).is_err());
        assert_eq!(table.len(), 1);
    }
}

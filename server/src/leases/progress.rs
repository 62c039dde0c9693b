//! How far a job has come, as far as it can be told without effort: mostly by the bytes that it has read.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// More is only said once it is done: what was read has to be written, too.
const THOUSANDTHS_MAX: u16 = 999;

/// Of one try of one job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    whole: AtomicU64,
}

/// A file whose bytes are counted as they are read.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl Progress {
    /// It is done when all `whole` bytes of this are read.
    pub(crate) fn by_reading<R>(&self, whole: u64, inner: R) -> Counted<R> {
        self.0.whole.store(whole, Ordering::Relaxed);
        Counted { inner, progress: self.clone() }
    }

    /// So much of all is done, of whatever it is.
    pub(crate) fn is_at(&self, done: u64, whole: u64) {
        self.0.whole.store(whole, Ordering::Relaxed);
        self.0.done.store(done, Ordering::Relaxed);
    }

    pub(crate) fn thousandths(&self) -> u16 {
        let done = self.0.done.load(Ordering::Relaxed);
        let whole = self.0.whole.load(Ordering::Relaxed);
        let thousandths = done.saturating_mul(1_000) / whole.max(1);
        u16::try_from(thousandths).unwrap_or(THOUSANDTHS_MAX).min(THOUSANDTHS_MAX)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.0.done.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_told_in_thousandths_and_never_all_of_it() {
        let progress = Progress::default();
        assert_eq!(progress.thousandths(), 0, "nobody knows of what");
        let mut file = progress.by_reading(2_000, io::repeat(0).take(5_000));
        let mut told = Vec::new();
        for bytes in [1, 1, 997, 999, 1, 1, 3_000] {
            file.read_exact(&mut vec![0; bytes]).unwrap();
            told.push(progress.thousandths());
        }
        assert_eq!(told, [0, 1, 499, 999, 999, 999, 999]);
        for (done, thousandths) in [(0, 0), (1, 333), (3, 999), (4, 999)] {
            progress.is_at(done, 3);
            assert_eq!(progress.thousandths(), thousandths);
        }
    }
}

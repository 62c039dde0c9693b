//! Owns media that comes before the index which describes it: it waits in a file, in memory while it
//! is small.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use crate::limits;
use crate::mp4::moof::Extent;

/// Media as it stood in the stream.
#[derive(Debug)]
pub(super) struct MediaAhead {
    kept: Kept,
    /// Where in the stream its file begins, from which an index counts.
    file_begins: u64,
    /// Parts of the stream that were kept, one behind the other.
    parts: Vec<Part>,
    bytes: u64,
    /// What went wrong with the file. It is told when something is read from it.
    failure: Option<io::Error>,
}

#[derive(Debug)]
enum Kept {
    InMemory(Vec<u8>),
    InFile(File),
}

/// In the order of the stream, which is that of the file too.
#[derive(Debug, Clone, Copy)]
struct Part {
    at: u64,
    kept_at: u64,
    bytes: u64,
}

impl MediaAhead {
    pub(super) fn new(file_begins: u64) -> Self {
        let kept = Kept::InMemory(Vec::new());
        Self { kept, file_begins, parts: Vec::new(), bytes: 0, failure: None }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where in the stream it begins.
    pub(super) fn begins(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.at)
    }

    pub(super) fn take(&mut self, bytes: &[u8], at: u64) {
        if self.failure.is_none()
            && let Err(error) = self.keep(bytes)
        {
            self.failure = Some(error);
        }
        let length = bytes.len() as u64;
        match self.parts.last_mut() {
            Some(last) if last.at + last.bytes == at => last.bytes += length,
            Some(_) | None => {
                self.parts.push(Part { at, kept_at: self.bytes, bytes: length });
            }
        }
        self.bytes += length;
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.kept {
            Kept::InMemory(kept) if kept.len() + bytes.len() <= limits::MEDIA_AHEAD_BYTES_MAX => {
                kept.extend_from_slice(bytes);
                Ok(())
            }
            Kept::InMemory(kept) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(kept)?;
                file.write_all(bytes)?;
                self.kept = Kept::InFile(file);
                Ok(())
            }
            Kept::InFile(file) => file.write_all(bytes),
        }
    }

    /// Reads a sample's bytes into `sample`. False if they were no media.
    pub(super) fn read(&mut self, extent: &Extent, sample: &mut Vec<u8>) -> io::Result<bool> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let bytes = extent.bytes as usize;
        let Some(kept_at) = self.place_of(extent).filter(|_| bytes <= limits::BLOCK_BYTES_MAX)
        else {
            return Ok(false);
        };
        sample.resize(bytes, 0);
        match &mut self.kept {
            Kept::InMemory(kept) => {
                // It is inside what was kept.
                let from = usize::try_from(kept_at).unwrap_or(usize::MAX);
                let Some(there) = kept.get(from..).and_then(|rest| rest.get(..bytes)) else {
                    return Ok(false);
                };
                sample.copy_from_slice(there);
            }
            Kept::InFile(file) => {
                file.seek(SeekFrom::Start(kept_at))?;
                file.read_exact(sample)?;
            }
        }
        Ok(true)
    }

    fn place_of(&self, extent: &Extent) -> Option<u64> {
        let start = extent.start.checked_add(self.file_begins)?;
        let end = start.checked_add(u64::from(extent.bytes))?;
        let part =
            self.parts.get(self.parts.partition_point(|part| part.at <= start).checked_sub(1)?)?;
        (end <= part.at + part.bytes).then(|| part.kept_at + (start - part.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::moof::SampleInfo;
    use crate::mp4::time::Ticks;
    use crate::units::TrackNumber;

    fn extent(start: u64, bytes: u32) -> Extent {
        let info = SampleInfo {
            track: TrackNumber(1),
            at: Ticks(0),
            duration: 0,
            shift: 0,
            is_sync: true,
            description: 0,
        };
        Extent { start, bytes, info }
    }

    #[test]
    fn what_waits_is_read_back_from_memory_and_from_a_file() {
        for length in [1_000, limits::MEDIA_AHEAD_BYTES_MAX, limits::MEDIA_AHEAD_BYTES_MAX + 1] {
            let media: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut ahead = MediaAhead::new(100);
            ahead.take(&media[..400], 108);
            ahead.take(&media[400..600], 508);
            // Something else stands between.
            ahead.take(&media[600..], 1_000);
            let mut sample = Vec::new();
            assert!(ahead.read(&extent(8 + 390, 20), &mut sample).unwrap());
            assert_eq!(sample, media[390..410]);
            assert!(ahead.read(&extent(900, 300), &mut sample).unwrap());
            assert_eq!(sample, media[600..900]);
            assert!(
                !ahead.read(&extent(8 + 590, 20), &mut sample).unwrap(),
                "across what is between"
            );
            assert!(!ahead.read(&extent(0, 4), &mut sample).unwrap(), "before it");
            let in_file = matches!(ahead.kept, Kept::InFile(_));
            assert_eq!(in_file, length > limits::MEDIA_AHEAD_BYTES_MAX);
        }
    }
}

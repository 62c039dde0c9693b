//! Owns writing a file from a thread of its own, so that who makes the bytes need not wait for the
//! system to take them.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::mem;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use crate::limits::{WRITE_BEHIND_BUFFERS, WRITE_BEHIND_BYTES};

/// A file, written a little behind what it is given. Whether all of it could be written is known after
/// [`flush`](Write::flush), and not before: what could not be is an error of a later call.
#[derive(Debug)]
pub struct WriteBehind {
    filling: Vec<u8>,
    /// Where in the file the next byte goes.
    position: u64,
    /// `None` once the file cannot be written any more.
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    work: SyncSender<Work>,
    /// Buffers that were written, to be filled again.
    written: Receiver<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

#[derive(Debug)]
enum Work {
    Write(Vec<u8>),
    Seek(u64),
    Flush(SyncSender<()>),
}

impl WriteBehind {
    /// Writes from the current position of `file`.
    ///
    /// # Errors
    /// Whatever the system says of the file, or of a further thread.
    pub fn new(mut file: File) -> io::Result<Self> {
        let position = file.stream_position()?;
        let (work, to_do) = mpsc::sync_channel(WRITE_BEHIND_BUFFERS);
        let (done, written) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("write-behind".to_owned())
            .spawn(move || carry_out(file, &to_do, &done))?;
        let writer = Some(Writer { work, written, thread });
        Ok(Self { filling: Vec::with_capacity(WRITE_BEHIND_BYTES), position, writer })
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.filling.is_empty() {
            return Ok(());
        }
        let writer = self.writer.as_ref().ok_or_else(broken)?;
        let empty = writer.written.try_recv().ok();
        let empty = empty.unwrap_or_else(|| Vec::with_capacity(WRITE_BEHIND_BYTES));
        let full = mem::replace(&mut self.filling, empty);
        self.order(Work::Write(full))
    }

    fn order(&mut self, work: Work) -> io::Result<()> {
        let writer = self.writer.as_ref().ok_or_else(broken)?;
        writer.work.send(work).map_err(|_| self.stop())
    }

    /// Why the thread is gone, or is to go.
    fn stop(&mut self) -> io::Error {
        let Some(Writer { work, thread, .. }) = self.writer.take() else { return broken() };
        drop(work);
        match thread.join() {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => broken(),
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier part of the file could not be written")
}

fn carry_out(mut file: File, to_do: &Receiver<Work>, done: &Sender<Vec<u8>>) -> io::Result<()> {
    for work in to_do {
        match work {
            Work::Write(mut bytes) => {
                file.write_all(&bytes)?;
                bytes.clear();
                // Nobody fills it again behind the end.
                let _ = done.send(bytes);
            }
            Work::Seek(to) => {
                file.seek(SeekFrom::Start(to))?;
            }
            Work::Flush(done) => {
                file.flush()?;
                // Who asked waits for it.
                let _ = done.send(());
            }
        }
    }
    Ok(())
}

impl Write for WriteBehind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filling.len() >= WRITE_BEHIND_BYTES {
            self.hand_over()?;
        }
        let taken = bytes.len().min(WRITE_BEHIND_BYTES - self.filling.len());
        self.filling.extend_from_slice(&bytes[..taken]);
        self.position += taken as u64;
        Ok(taken)
    }

    /// Waits until the system has taken all of it.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()?;
        let (done, is_done) = mpsc::sync_channel(1);
        self.order(Work::Flush(done))?;
        is_done.recv().map_err(|_| self.stop())
    }
}

impl Seek for WriteBehind {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let to = to.ok_or(io::ErrorKind::Unsupported)?;
        if to != self.position {
            self.hand_over()?;
            self.order(Work::Seek(to))?;
            self.position = to;
        }
        Ok(to)
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        // Whoever wanted to know whether all of it was written has flushed. Nothing is written behind
        // this.
        let _ = self.hand_over();
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// More than all buffers together hold.
    fn much() -> Vec<u8> {
        let bytes = WRITE_BEHIND_BYTES * (WRITE_BEHIND_BUFFERS + 3) + 17;
        (0..bytes).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_is_written_in_any_portions_is_in_the_file() {
        for portion in [1_000, WRITE_BEHIND_BYTES - 1, WRITE_BEHIND_BYTES, WRITE_BEHIND_BYTES + 1] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut out = WriteBehind::new(file.reopen().unwrap()).unwrap();
            for bytes in much().chunks(portion) {
                out.write_all(bytes).unwrap();
            }
            out.flush().unwrap();
            assert!(fs::read(file.path()).unwrap() == much(), "in portions of {portion}");
        }
    }

    #[test]
    fn what_stands_further_ahead_can_be_written_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut out = WriteBehind::new(file.reopen().unwrap()).unwrap();
        let mut expected = much();
        out.write_all(&expected).unwrap();
        let end = out.stream_position().unwrap();
        assert_eq!(end, expected.len() as u64);
        assert_eq!(out.seek(SeekFrom::Start(5)).unwrap(), 5);
        out.write_all(b"patched").unwrap();
        assert_eq!(out.stream_position().unwrap(), 12);
        assert_eq!(out.seek(SeekFrom::Current(2)).unwrap(), 14);
        out.write_all(b"again").unwrap();
        out.seek(SeekFrom::Start(end)).unwrap();
        out.write_all(b"the end").unwrap();
        out.flush().unwrap();
        expected[5..12].copy_from_slice(b"patched");
        expected[14..19].copy_from_slice(b"again");
        expected.extend_from_slice(b"the end");
        assert!(fs::read(file.path()).unwrap() == expected);
    }

    #[test]
    fn it_goes_on_where_the_file_stands() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(b"before").unwrap();
        let mut out = WriteBehind::new(file.as_file().try_clone().unwrap()).unwrap();
        assert_eq!(out.stream_position().unwrap(), 6);
        out.write_all(b", behind").unwrap();
        drop(out);
        assert_eq!(fs::read(file.path()).unwrap(), b"before, behind");
    }

    #[test]
    fn what_cannot_be_written_is_told_at_the_latest_by_flush_and_ever_after() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let only_read = File::open(file.path()).unwrap();
        let mut out = WriteBehind::new(only_read).unwrap();
        out.write_all(b"nothing comes of this").unwrap();
        let error = out.flush().unwrap_err();
        assert!(error.raw_os_error().is_some(), "the system's own error: {error}");
        out.write_all(b"nor of this").unwrap();
        assert_eq!(out.flush().unwrap_err().to_string(), broken().to_string());
    }

    #[test]
    fn much_that_cannot_be_written_is_told_before_all_of_it_was_given() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut out = WriteBehind::new(File::open(file.path()).unwrap()).unwrap();
        assert!(out.write_all(&much()).is_err());
    }

    #[test]
    fn nobody_knows_where_the_end_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut out = WriteBehind::new(file.reopen().unwrap()).unwrap();
        let error = out.seek(SeekFrom::End(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}

//! Owns the order of the parts in a written file: `ftyp`, the media, then the `moov` that describes
//! it; and the one size that is patched at the end. Does not know what a sample is.

use std::io::{self, Seek, SeekFrom, Write};

use super::boxes::{BoxHeader, kind};
use super::layout;

/// A size of 1 says that the real one follows the name, in 64 bits.
const SIZE_FOLLOWS: u32 = 1;

/// Writes one file front to back. Until it is finished no player can read it.
#[derive(Debug)]
pub(crate) struct Mp4Writer<W> {
    out: W,
    /// Where in `out` the file starts.
    origin: u64,
    /// Bytes written, from `origin`.
    written: u64,
    /// Where the `mdat` begins, once it does.
    media: Option<u64>,
}

impl<W: Write + Seek> Mp4Writer<W> {
    /// `out` stands at `origin`.
    pub(crate) fn new(out: W, origin: u64) -> Self {
        Self { out, origin, written: 0, media: None }
    }

    pub(crate) fn into_out(self) -> W {
        self.out
    }

    /// Writes a sample as it is. Returns where it stands, from the start of the file.
    pub(crate) fn write_sample(&mut self, payload: &[u8]) -> io::Result<u64> {
        if self.media.is_none() {
            let mut head = layout::ftyp();
            let media = head.len() as u64;
            head.extend_from_slice(&media_head(0));
            self.write(&head)?;
            self.media = Some(media);
        }
        let at = self.written;
        self.write(payload)?;
        Ok(at)
    }

    /// Completes the file and returns `out` positioned behind it, and the size of the file.
    pub(crate) fn finish(mut self, moov: &[u8]) -> io::Result<(W, u64)> {
        let Some(media) = self.media else {
            return Ok((self.out, 0));
        };
        let head = media_head(self.written - media);
        self.write(moov)?;
        self.out.seek(SeekFrom::Start(self.origin + media))?;
        self.out.write_all(&head)?;
        self.out.seek(SeekFrom::Start(self.origin + self.written))?;
        self.out.flush()?;
        Ok((self.out, self.written))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The header of an `mdat` of so many bytes, with itself.
fn media_head(bytes: u64) -> [u8; BoxHeader::BYTES_MAX] {
    let mut head = [0; BoxHeader::BYTES_MAX];
    head[..4].copy_from_slice(&SIZE_FOLLOWS.to_be_bytes());
    head[4..8].copy_from_slice(&kind::MDAT.0);
    head[8..].copy_from_slice(&bytes.to_be_bytes());
    head
}

//! Owns reading a finished MP4, sample for sample, wherever its `moov` stands. Checks nothing but
//! what it needs: `verify` has read the file before.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::ebml::Malformed;
use crate::error::{Flaw, MediaError, Refusal};
use crate::limits;
use crate::units::TrackNumber;

use super::boxes::{BodySize, BoxHeader, kind};
use super::index::SampleIndex;
use super::moof::SampleInfo;
use super::moov::{self, Track};

/// A file and its samples, in the order of their bytes. It holds the tables and one sample.
#[derive(Debug)]
pub(crate) struct FinishedMp4<R> {
    input: BufReader<R>,
    /// Where the input stands, from the start of the file.
    at: u64,
    tracks: Vec<Track>,
    /// What they are called.
    names: Vec<String>,
    index: SampleIndex,
    payload: Vec<u8>,
}

impl<R: Read + Seek> FinishedMp4<R> {
    /// Reads the tables of the file that begins where `input` stands.
    pub(crate) fn open(mut input: R) -> Result<Self, MediaError> {
        let start = input.stream_position()?;
        let end = input.seek(SeekFrom::End(0))?.saturating_sub(start);
        let mut input = BufReader::with_capacity(limits::FILE_BUFFER_BYTES, input);
        let (moov_at, moov) = find_moov(&mut input, start, end)?;
        let unreadable = |_: Malformed| not_finished(moov_at, Flaw::MissingBox(kind::MOOV));
        let tracks = moov::parse(&moov).map_err(unreadable)?;
        let names = tracks.iter().map(|track| moov::name_of(&moov, track.number)).collect();
        let index = SampleIndex::parse(&moov, &tracks).map_err(unreadable)?;
        let index = index.ok_or(Refusal::NoMedia)?;
        input.seek(SeekFrom::Start(start))?;
        Ok(Self { input, at: 0, tracks, names, index, payload: Vec::new() })
    }

    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// What the tracks are called, in their order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What a track goes on with, behind the last of [`next_sample`](Self::next_sample).
    pub(crate) fn upcoming(&self, track: TrackNumber) -> Option<SampleInfo> {
        self.index.upcoming(track)
    }

    /// The next sample and its bytes; `None` behind the last.
    pub(crate) fn next_sample(&mut self) -> Result<Option<(SampleInfo, &[u8])>, MediaError> {
        let Some(extent) = self.index.next() else {
            return Ok(None);
        };
        let bytes = extent.bytes as usize;
        // The samples follow one another, so this leads out of the buffer only where media that
        // isn't wanted lies between.
        let ahead = i128::from(extent.start) - i128::from(self.at);
        let ahead = i64::try_from(ahead).ok().filter(|_| bytes <= limits::BLOCK_BYTES_MAX);
        let ahead = ahead.ok_or_else(|| not_finished(extent.start, Flaw::Media))?;
        self.input.seek_relative(ahead)?;
        self.payload.resize(bytes, 0);
        self.input.read_exact(&mut self.payload)?;
        self.at = extent.start + u64::from(extent.bytes);
        Ok(Some((extent.info, &self.payload)))
    }
}

fn not_finished(at: u64, flaw: Flaw) -> MediaError {
    MediaError::NotFinished { at, flaw }
}

/// The body of the file's `moov`, and where that begins.
fn find_moov<R: Read + Seek>(
    input: &mut BufReader<R>,
    start: u64,
    end: u64,
) -> Result<(u64, Vec<u8>), MediaError> {
    let mut at = 0;
    while at < end {
        input.seek(SeekFrom::Start(start + at))?;
        let (header, size) = read_header(input, at, end)?;
        let body = at + header.len as u64;
        if header.kind != kind::MOOV {
            at = body + size;
            continue;
        }
        let bytes =
            usize::try_from(size).ok().filter(|bytes| *bytes <= limits::WRITTEN_MOOV_BYTES_MAX);
        let bytes = bytes.ok_or_else(|| not_finished(at, Flaw::UnexpectedBox(kind::MOOV)))?;
        input.seek(SeekFrom::Start(start + body))?;
        // The file is at least that long.
        let mut moov = vec![0; bytes];
        input.read_exact(&mut moov)?;
        return Ok((at, moov));
    }
    Err(not_finished(end, Flaw::MissingBox(kind::MOOV)))
}

/// A box at the top of the file and the size of its body, which must end in the file.
fn read_header<R: Read>(input: &mut R, at: u64, end: u64) -> Result<(BoxHeader, u64), MediaError> {
    let no_box = || not_finished(at, Flaw::NotABox);
    let mut bytes = [0; BoxHeader::BYTES_MAX];
    let room = end.saturating_sub(at).min(BoxHeader::BYTES_MAX as u64);
    let bytes = &mut bytes[..room as usize];
    input.read_exact(bytes)?;
    let header = BoxHeader::parse(bytes).ok().flatten().ok_or_else(no_box)?;
    let left = end.saturating_sub(at + header.len as u64);
    let size = match header.body {
        BodySize::Known(size) => size,
        BodySize::ToTheEnd => left,
    };
    if size <= left { Ok((header, size)) } else { Err(no_box()) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn stitched() -> Vec<u8> {
        let mut stitcher = crate::Stitcher::new(Cursor::new(Vec::new())).unwrap();
        stitcher.begin_segment().unwrap();
        for chunk in [
            &include_bytes!("../../tests/fixtures/g_videomp4.000.chunk")[..],
            include_bytes!("../../tests/fixtures/g_videomp4.001.chunk"),
        ] {
            stitcher.push(chunk).unwrap();
        }
        stitcher.end_segment().unwrap();
        stitcher.finish().unwrap().accept(|_| ()).0.into_inner()
    }

    fn payload_bytes(file: impl Read + Seek) -> Result<Vec<u8>, MediaError> {
        let mut file = FinishedMp4::open(file)?;
        let mut all = Vec::new();
        while let Some((_, payload)) = file.next_sample()? {
            all.extend_from_slice(payload);
        }
        Ok(all)
    }

    #[test]
    fn the_samples_are_the_media_wherever_the_file_begins() {
        let file = stitched();
        let mdat = file.windows(4).position(|name| name == b"mdat").unwrap() + 12;
        let moov = file.windows(4).rposition(|name| name == b"moov").unwrap() - 4;
        assert_eq!(payload_bytes(Cursor::new(&file)).unwrap(), file[mdat..moov]);
        let mut later = Cursor::new([&b"before"[..], &file].concat());
        later.set_position(6);
        assert_eq!(payload_bytes(later).unwrap(), file[mdat..moov]);
    }

    #[test]
    fn a_file_that_ends_early_or_is_no_mp4_is_an_error() {
        let file = stitched();
        for bytes in [0, 4, 20, 40, file.len() / 2, file.len() - 1] {
            assert!(payload_bytes(Cursor::new(&file[..bytes])).is_err(), "{bytes}");
        }
        assert!(payload_bytes(Cursor::new(vec![0; 100])).is_err());
        assert!(payload_bytes(Cursor::new(b"\0\0\0\x08free".repeat(9))).is_err());
    }

    #[test]
    fn a_recorders_own_file_has_no_samples_to_seek_to() {
        let head = include_bytes!("../../tests/fixtures/g_videomp4.000.chunk");
        let refused = payload_bytes(Cursor::new(head));
        assert!(matches!(refused, Err(MediaError::Refused(Refusal::NoMedia))));
    }
}

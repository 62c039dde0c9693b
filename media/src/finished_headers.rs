//! Owns taking the tracks out of a finished file: what came of the same recorders later may lack a header.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::error::{Container, MediaError};
use crate::grammar;
use crate::limits;
use crate::mp4::FinishedMp4;
use crate::reader::{Event, WebmReader};
use crate::stitch::Headers;

/// The tracks of a WebM stand right at its beginning.
const BEGINNING_BYTES_MAX: usize = 1024 * 1024;

impl Headers {
    /// Takes up the tracks of a file that a [`Stitcher`](crate::Stitcher) has written, in the place of
    /// others of its container.
    ///
    /// # Errors
    /// [`MediaError::Io`], and of an MP4 whatever keeps its tables from being read. Of a WebM that is
    /// damaged, or any other file, nothing is taken up.
    pub fn note_file(&mut self, mut file: impl Read + Seek) -> Result<(), MediaError> {
        let begins = file.stream_position()?;
        let mut first = Vec::with_capacity(grammar::RECOGNISED_BY_BYTES);
        (&mut file).take(grammar::RECOGNISED_BY_BYTES as u64).read_to_end(&mut first)?;
        file.seek(SeekFrom::Start(begins))?;
        match grammar::recognise(&first) {
            Some(Container::Mp4) => self.note_mp4(FinishedMp4::open(file)?.tracks()),
            Some(Container::Webm) => self.note_beginning(file)?,
            Some(Container::Ogg) | None => {}
        }
        Ok(())
    }

    fn note_beginning(&mut self, file: impl Read) -> Result<(), MediaError> {
        let mut file = BufReader::with_capacity(limits::PUSH_PIECE_BYTES, file);
        let mut reader = WebmReader::new();
        let mut piece = vec![0; limits::PUSH_PIECE_BYTES];
        let mut read_bytes = 0;
        while read_bytes < BEGINNING_BYTES_MAX {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            read_bytes += read;
            reader.push(&piece[..read]);
            while let Ok(Some(event)) = reader.next_event() {
                match event {
                    Event::Tracks(tracks) => {
                        self.note_webm(&tracks);
                        return Ok(());
                    }
                    Event::Header { .. } | Event::Damage(_) => {}
                    Event::Cluster { .. } | Event::ClockBreak | Event::Block(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{Stitcher, verify};

    fn chunks(fixture: &str) -> Vec<Vec<u8>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
        let read = |number| std::fs::read(format!("{folder}/{fixture}.{number:03}.chunk")).ok();
        (0..).map_while(read).collect()
    }

    /// One run of these chunks, and the packets in its file.
    fn stitched(headers: Headers, chunks: &[Vec<u8>]) -> Result<(Vec<u8>, u64), MediaError> {
        let mut stitcher = Stitcher::knowing(Cursor::new(Vec::new()), headers)?;
        stitcher.begin_segment()?;
        for chunk in chunks {
            stitcher.push(chunk)?;
        }
        stitcher.end_segment()?;
        let (out, report) = stitcher.finish()?.accept(|_| ());
        Ok((out.into_inner(), report.packets))
    }

    #[test]
    fn the_rest_of_a_run_is_read_by_the_file_of_its_beginning() {
        for fixture in
            ["beep1", "b_vp8", "b_vp9", "ff_v", "g_audiomp4", "g_videomp4", "webkit_audio"]
        {
            let chunks = chunks(fixture);
            let (_, all) = stitched(Headers::default(), &chunks).unwrap();
            let (beginning, rest) = chunks.split_at(chunks.len().div_ceil(2));
            let (file, before) = stitched(Headers::default(), beginning).unwrap();
            let mut headers = Headers::default();
            headers.note_file(Cursor::new(&file)).unwrap();
            let (late, after) = stitched(headers, rest).unwrap();
            assert_eq!(verify(Cursor::new(&late)).unwrap().packets, after, "{fixture}");
            // One may have been torn in two.
            assert!(before + after + 2 >= all, "{fixture}: {before} and {after} of {all}");
        }
    }

    #[test]
    fn other_files_have_no_tracks_and_are_no_error() {
        for file in [&b""[..], b"OggS", b"no file of ours at all", &[0x1A, 0x45, 0xDF, 0xA3]] {
            let mut headers = Headers::default();
            headers.note_file(Cursor::new(file)).unwrap();
            assert!(stitched(headers, &chunks("g_audiomp4")[1..]).is_err(), "{file:?}");
        }
    }
}

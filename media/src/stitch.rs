//! Owns the sequence of segments: which container each is of, and the file they all become. Leaves
//! the packets to `webm_file` and `mp4`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::error::{Container, MediaError, Refusal};
use crate::grammar;
use crate::limits;
use crate::mp4::{Mp4File, Mp4Reader, Track};
use crate::reader::WebmReader;
use crate::report::{FileType, SegmentReport, StitchReport};
use crate::segment::Segment;
use crate::tracks::TrackEntry;
use crate::webm_file::WebmFile;
use crate::writer::Written;

/// Joins recorder runs into one seekable file, in one pass and in bounded memory.
///
/// The file is of the container that the first segment with a packet has, WebM or MP4, and only
/// segments of that container are joined. The packets are not touched; timestamps, track numbers
/// and the key flag of sound are. After an [`MediaError::Io`] the output is incomplete and the
/// stitcher is good for nothing more.
#[derive(Debug)]
pub struct Stitcher<W> {
    /// Only ever missing while it is exchanged.
    file: Option<File<W>>,
    /// Where in the output the file begins.
    origin: u64,
    open: Option<Open>,
    reports: Vec<SegmentReport>,
}

/// The segment that is being read.
#[derive(Debug)]
enum Open {
    /// Its first bytes, too few to tell the container by.
    Unknown(Vec<u8>),
    Webm(WebmReader, Segment<TrackEntry>),
    Mp4(Mp4Reader, Segment<Track>),
    /// Of another container than the file.
    Foreign(Segment<TrackEntry>),
}

impl<W: Write + Seek> Stitcher<W> {
    /// Will write from the current position of `out`; writes nothing before the first packet.
    ///
    /// # Errors
    /// [`MediaError::Io`].
    pub fn new(mut out: W) -> Result<Self, MediaError> {
        let origin = out.stream_position()?;
        let file = Some(File::Webm(WebmFile::new(out, origin)));
        Ok(Self { file, origin, open: None, reports: Vec::new() })
    }

    /// A new recorder run follows, right after the end of the one before.
    ///
    /// # Errors
    /// [`MediaError::OutOfOrder`] while a segment is open, [`MediaError::TooManySegments`].
    pub fn begin_segment(&mut self) -> Result<(), MediaError> {
        if self.open.is_some() {
            return Err(MediaError::OutOfOrder("a segment begins before the last one was ended"));
        }
        if self.reports.len() >= limits::SEGMENTS_MAX {
            return Err(MediaError::TooManySegments);
        }
        self.open = Some(Open::Unknown(Vec::new()));
        Ok(())
    }

    /// The next bytes of the open segment, in any portions.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`]. Bad bytes are no error: see
    /// [`SegmentReport::problems`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        let Open::Unknown(begun) = self.open.as_mut().ok_or(NO_SEGMENT)? else {
            return self.feed(bytes);
        };
        let missing = grammar::RECOGNISED_BY_BYTES.saturating_sub(begun.len());
        let (first, rest) = bytes.split_at(missing.min(bytes.len()));
        begun.extend_from_slice(first);
        if begun.len() < grammar::RECOGNISED_BY_BYTES {
            return Ok(());
        }
        self.recognise()?;
        self.feed(rest)
    }

    /// Pushes the same, and tells a moment of the file between all packets that came before and those
    /// that begin with these bytes; zero before the first packet.
    ///
    /// # Errors
    /// As of [`push`](Self::push).
    pub fn push_marking(&mut self, bytes: &[u8]) -> Result<Duration, MediaError> {
        // A block is taken for one once it is known what follows it.
        let (first, rest) = bytes.split_at(bytes.len().min(grammar::ID_BYTES_MAX));
        self.push(first)?;
        let mark = self.file.as_ref().map_or(Duration::ZERO, File::frontier);
        self.push(rest)?;
        Ok(mark)
    }

    /// Bytes are missing here: the open segment goes on with the next Cluster, or fragment of an
    /// MP4, that comes.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`].
    pub fn hole(&mut self) -> Result<(), MediaError> {
        self.recognise()?;
        self.tell(Input::Hole)
    }

    /// The open segment is over.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`]. A segment that was of no use is no error:
    /// see [`SegmentReport::refusal`].
    pub fn end_segment(&mut self) -> Result<SegmentReport, MediaError> {
        self.recognise()?;
        self.tell(Input::End)?;
        let file = self.file.as_mut().expect(FILE_IS_THERE);
        file.end_segment()?;
        let end = file.end();
        let report = match self.open.take().ok_or(NO_SEGMENT)? {
            Open::Webm(reader, segment) => segment.into_report(end, reader.dangling_bytes()),
            Open::Mp4(reader, segment) => segment.into_report(end, reader.dangling_bytes()),
            Open::Foreign(segment) => segment.into_report(end, 0),
            Open::Unknown(_) => return Err(NO_SEGMENT),
        };
        self.reports.push(report.clone());
        Ok(report)
    }

    /// Completes the file and returns the output, positioned behind it.
    ///
    /// # Errors
    /// [`MediaError::Refused`] if no segment had a packet, with the first reason that isn't just
    /// [`Refusal::Empty`]; nothing was written then. [`MediaError::Io`],
    /// [`MediaError::OutOfOrder`] while a segment is open.
    pub fn finish(self) -> Result<(W, StitchReport), MediaError> {
        if self.open.is_some() {
            return Err(MediaError::OutOfOrder("the recording is finished with a segment open"));
        }
        let packets = self.reports.iter().map(|segment| segment.packets).sum();
        if packets == 0 {
            let mut refusals = self.reports.iter().filter_map(SegmentReport::refusal);
            let telling = refusals.find(|refusal| **refusal != Refusal::Empty);
            return Err(telling.cloned().unwrap_or(Refusal::Empty).into());
        }
        let file = self.file.expect(FILE_IS_THERE);
        let (duration, file_type) = (file.end(), file.file_type());
        let (out, Written { bytes, clusters, cues }) = file.finish()?;
        let segments = self.reports;
        let report = StitchReport { file_type, duration, bytes, packets, clusters, cues, segments };
        Ok((out, report))
    }

    /// Opens the reader for the segment, by what is known of its first bytes.
    fn recognise(&mut self) -> Result<(), MediaError> {
        let Open::Unknown(begun) = self.open.as_mut().ok_or(NO_SEGMENT)? else {
            return Ok(());
        };
        let begun = std::mem::take(begun);
        let container = match grammar::recognise(&begun) {
            Some(Container::Mp4) => Container::Mp4,
            // What is no WebM either is refused by its reader.
            Some(Container::Webm | Container::Ogg) | None => Container::Webm,
        };
        let file = self.file.take().expect(FILE_IS_THERE).in_favour_of(container, self.origin);
        let start = file.end();
        self.open = Some(match (&file, container) {
            (File::Mp4(_), Container::Mp4) => {
                Open::Mp4(Mp4Reader::new(), Segment::starting_at(start))
            }
            (File::Webm(_), Container::Webm | Container::Ogg) => {
                Open::Webm(WebmReader::new(), Segment::starting_at(start))
            }
            (File::Webm(_), Container::Mp4) | (File::Mp4(_), Container::Webm | Container::Ogg) => {
                Open::Foreign(foreign_segment(&begun, start))
            }
        });
        self.file = Some(file);
        self.feed(&begun)
    }

    /// Bytes of a segment whose container is known.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        bytes.chunks(limits::PUSH_PIECE_BYTES).try_for_each(|piece| self.tell(Input::Bytes(piece)))
    }

    fn tell(&mut self, input: Input<'_>) -> Result<(), MediaError> {
        match (self.file.as_mut(), self.open.as_mut()) {
            (Some(File::Webm(file)), Some(Open::Webm(reader, segment))) => {
                match input {
                    Input::Bytes(bytes) => {
                        segment.count_bytes(bytes.len());
                        reader.push(bytes);
                    }
                    Input::Hole => reader.hole(),
                    Input::End => reader.end(),
                }
                file.drain(reader, segment)
            }
            (Some(File::Mp4(file)), Some(Open::Mp4(reader, segment))) => {
                match input {
                    Input::Bytes(bytes) => {
                        segment.count_bytes(bytes.len());
                        reader.push(bytes);
                    }
                    Input::Hole => reader.hole(),
                    Input::End => reader.end(),
                }
                file.drain(reader, segment)
            }
            (_, Some(Open::Foreign(segment))) => {
                if let Input::Bytes(bytes) = input {
                    segment.count_bytes(bytes.len());
                }
                Ok(())
            }
            (_, Some(Open::Unknown(_) | Open::Webm(..) | Open::Mp4(..)) | None) => Ok(()),
        }
    }
}

/// What a segment's reader is told.
enum Input<'a> {
    Bytes(&'a [u8]),
    Hole,
    End,
}

const NO_SEGMENT: MediaError = MediaError::OutOfOrder("no segment is open");
const FILE_IS_THERE: &str = "the file is put back at once when it is exchanged";

/// A segment of another container than the file's. Noise is refused as what it is.
fn foreign_segment(begun: &[u8], start: Duration) -> Segment<TrackEntry> {
    let mut segment = Segment::starting_at(start);
    let refusal = match grammar::recognise(begun) {
        Some(container @ (Container::Webm | Container::Mp4)) => {
            Some(Refusal::OtherContainer { container })
        }
        Some(container @ Container::Ogg) => Some(Refusal::UnsupportedContainer { container }),
        None if begun.is_empty() => None,
        None => Some(Refusal::NotWebm),
    };
    if let Some(refusal) = refusal {
        segment.refuse(refusal);
    }
    segment
}

/// The file, in its container.
#[derive(Debug)]
enum File<W> {
    Webm(WebmFile<W>),
    Mp4(Mp4File<W>),
}

impl<W: Write + Seek> File<W> {
    /// As long as nothing is written, the next segment may have its container.
    fn in_favour_of(self, container: Container, origin: u64) -> Self {
        match (self, container) {
            (Self::Webm(file), Container::Mp4) if file.is_blank() => {
                Self::Mp4(Mp4File::new(file.into_out(), origin))
            }
            (Self::Mp4(file), Container::Webm) if file.is_blank() => {
                Self::Webm(WebmFile::new(file.into_out(), origin))
            }
            (file, Container::Webm | Container::Mp4 | Container::Ogg) => file,
        }
    }

    fn end(&self) -> Duration {
        match self {
            Self::Webm(file) => file.end(),
            Self::Mp4(file) => file.end(),
        }
    }

    fn frontier(&self) -> Duration {
        match self {
            Self::Webm(file) => file.frontier(),
            Self::Mp4(file) => file.frontier(),
        }
    }

    fn file_type(&self) -> FileType {
        match self {
            Self::Webm(file) if file.has_video() => FileType::VideoWebm,
            Self::Webm(_) => FileType::AudioWebm,
            Self::Mp4(file) if file.has_video() => FileType::VideoMp4,
            Self::Mp4(_) => FileType::AudioMp4,
        }
    }

    fn end_segment(&mut self) -> Result<(), MediaError> {
        match self {
            Self::Webm(file) => file.close_cluster(),
            Self::Mp4(file) => {
                file.close_chunks();
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(W, Written), MediaError> {
        match self {
            Self::Webm(file) => file.finish(),
            Self::Mp4(file) => file.finish(),
        }
    }
}

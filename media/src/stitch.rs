//! Owns the sequence of segments: which container each is of, and the file they all become. Leaves
//! the packets to `segment`, and the bytes of the file to `webm_file` and `mp4`.

mod file;
mod reading;

use std::io::{Seek, Write};
use std::time::Duration;

use crate::account::{Account, Cause, LeftOut};
use crate::error::{Container, MediaError, Refusal};
use crate::grammar::{self, Opening};
use crate::headless::{Headless, Later};
use crate::limits;
use crate::mp4::{Mp4Reader, Track};
use crate::ogg_reader::OggReader;
use crate::reader::WebmReader;
use crate::report::{LeftOutPlace, Problem, SegmentReport, StitchReport};
use crate::tracks::TrackEntry;
use crate::writer::Written;
use file::File;
pub(crate) use reading::{Input, Reading};

/// Joins recorder runs into one seekable file, in one pass and in bounded memory.
///
/// The file is of the container that the first segment with a packet has, WebM or MP4, and only
/// segments of that container are joined; what comes as Ogg becomes WebM. The packets are not touched;
/// timestamps, track numbers and the key flag of sound are. After an [`MediaError::Io`] the output is
/// incomplete and the stitcher is good for nothing more.
#[derive(Debug)]
pub struct Stitcher<W> {
    /// Only ever missing while it is exchanged.
    file: Option<File<W>>,
    /// Where in the output the file begins.
    origin: u64,
    open: Option<Open>,
    headers: Headers,
    reports: Vec<SegmentReport>,
}

/// The tracks of the last runs: a run whose beginning is missing may be of the same recorder.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    webm: Option<Vec<TrackEntry>>,
    mp4: Option<Vec<Track>>,
}

/// A finished file. What is not in it cannot be overlooked.
#[must_use = "what is left out of the file must be kept elsewhere"]
#[derive(Debug)]
pub enum Stitched<W> {
    /// Every packet that came in is in the file.
    Whole(W, StitchReport),
    /// All but these.
    Lacking(W, StitchReport, LeftOut),
}

impl<W> Stitched<W> {
    /// The output and the report, once it is decided what becomes of what was left out.
    pub fn accept(self, keep: impl FnOnce(&LeftOut)) -> (W, StitchReport) {
        match self {
            Self::Whole(out, report) => (out, report),
            Self::Lacking(out, report, left_out) => {
                keep(&left_out);
                (out, report)
            }
        }
    }
}

/// The segment that is being read.
#[derive(Debug)]
enum Open {
    /// Its first bytes, too few to tell the container by.
    Unknown(Vec<u8>),
    /// Its beginning is missing, and nothing is known to do without.
    Headless(Headless),
    Webm(Reading<WebmReader>),
    Mp4(Box<Reading<Mp4Reader>>),
    Ogg(Reading<OggReader>),
    /// Of another container than the file, or of none.
    Foreign {
        start: Duration,
        bytes: u64,
        refusal: Option<Refusal>,
    },
}

impl<W: Write + Seek> Stitcher<W> {
    /// Will write from the current position of `out`; writes nothing before the first packet.
    ///
    /// # Errors
    /// [`MediaError::Io`].
    pub fn new(out: W) -> Result<Self, MediaError> {
        Self::knowing(out, Headers::default())
    }

    /// The same, for segments among which some may lack a header like these.
    ///
    /// # Errors
    /// [`MediaError::Io`].
    pub fn knowing(mut out: W, headers: Headers) -> Result<Self, MediaError> {
        let origin = out.stream_position()?;
        let file = Some(File::new(out, origin));
        Ok(Self { file, origin, open: None, headers, reports: Vec::new() })
    }

    /// The headers met so far.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
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
        self.tell(Input::Settle)?;
        let mark = self.file.as_ref().map_or(Duration::ZERO, File::frontier);
        self.push(rest)?;
        Ok(mark)
    }

    /// Bytes may be missing here. The open segment goes on as if none were, as long as what is on both
    /// sides belongs together; else with the next block, Cluster, or fragment of an MP4.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`].
    pub fn hole(&mut self) -> Result<(), MediaError> {
        match self.open.as_ref().ok_or(NO_SEGMENT)? {
            // Before its first byte.
            Open::Unknown(begun) if begun.is_empty() => return Ok(()),
            Open::Unknown(_) => self.recognise()?,
            Open::Headless(_)
            | Open::Webm(_)
            | Open::Mp4(_)
            | Open::Ogg(_)
            | Open::Foreign { .. } => {}
        }
        self.tell(Input::Hole)
    }

    /// The open segment is over.
    ///
    /// # Errors
    /// [`MediaError::Io`], [`MediaError::OutOfOrder`]. A segment that was of no use is no error:
    /// see [`SegmentReport::refusal`].
    pub fn end_segment(&mut self) -> Result<&SegmentReport, MediaError> {
        self.recognise()?;
        self.do_without_header()?;
        self.tell(Input::End)?;
        let file = self.file.as_mut().expect(FILE_IS_THERE);
        file.end_segment()?;
        let end = file.end();
        let report = match self.open.take().ok_or(NO_SEGMENT)? {
            Open::Webm(reading) => {
                self.headers.note_webm(reading.segment.known_tracks());
                reading.into_report(end)
            }
            Open::Mp4(reading) => {
                self.headers.note_mp4(reading.segment.known_tracks());
                reading.into_report(end)
            }
            Open::Ogg(reading) => reading.into_report(end),
            Open::Foreign { start, bytes, refusal } => foreign_report(start, bytes, refusal),
            Open::Unknown(_) | Open::Headless(_) => return Err(NO_SEGMENT),
        };
        self.reports.push(report);
        self.reports.last().ok_or(NO_SEGMENT)
    }

    /// Completes the file and returns the output, positioned behind it.
    ///
    /// # Errors
    /// [`MediaError::Refused`] if no segment had a packet, with the first reason that isn't just
    /// [`Refusal::Empty`]; nothing was written then. [`MediaError::Io`],
    /// [`MediaError::OutOfOrder`] while a segment is open.
    pub fn finish(self) -> Result<Stitched<W>, MediaError> {
        if self.open.is_some() {
            return Err(MediaError::OutOfOrder("the recording is finished with a segment open"));
        }
        let packets = self.reports.iter().map(SegmentReport::packets).sum();
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
        let left_out = report.left_out();
        Ok(if left_out.is_nothing() {
            Stitched::Whole(out, report)
        } else {
            Stitched::Lacking(out, report, left_out)
        })
    }

    /// Opens the reader for the segment, by what is known of its first bytes.
    fn recognise(&mut self) -> Result<(), MediaError> {
        let Open::Unknown(begun) = self.open.as_mut().ok_or(NO_SEGMENT)? else {
            return Ok(());
        };
        let begun = std::mem::take(begun);
        match grammar::opening(&begun) {
            Opening::Header(container) => self.open(container)?,
            Opening::Middle(Container::Mp4) => {
                self.open_mp4(self.headers.mp4.clone())?;
                if let Some(Open::Mp4(reading)) = &mut self.open {
                    reading.segment.lacks_header(Refusal::NoHeader);
                }
            }
            Opening::Short if !begun.is_empty() && grammar::may_begin_webm(&begun) => {
                self.open(Container::Webm)?;
            }
            Opening::Short if begun.is_empty() => {
                let start = self.end();
                self.open = Some(Open::Foreign { start, bytes: 0, refusal: None });
            }
            Opening::Middle(Container::Webm | Container::Ogg) | Opening::Short | Opening::Other => {
                match self.headers.webm.clone() {
                    Some(tracks) => self.open_headless_webm(tracks)?,
                    None => self.open = Some(Open::Headless(Headless::default())),
                }
            }
        }
        self.feed(&begun)
    }

    /// A segment that begins with its header.
    fn open(&mut self, container: Container) -> Result<(), MediaError> {
        match container {
            Container::Mp4 => self.open_mp4(None)?,
            Container::Ogg => {
                let start = self.in_favour_of(Container::Webm);
                self.open = Some(match self.file {
                    Some(File::Mp4(_)) => Open::foreign(container, start),
                    Some(File::Webm(_)) | None => Open::Ogg(Reading::new(OggReader::new(), start)),
                });
            }
            Container::Webm => {
                let start = self.in_favour_of(Container::Webm);
                self.open = Some(match self.file {
                    Some(File::Mp4(_)) => Open::foreign(container, start),
                    Some(File::Webm(_)) | None => {
                        Open::Webm(Reading::new(WebmReader::new(), start))
                    }
                });
            }
        }
        Ok(())
    }

    /// A WebM of which the beginning is missing, and these are the tracks.
    fn open_headless_webm(&mut self, tracks: Vec<TrackEntry>) -> Result<(), MediaError> {
        let start = self.in_favour_of(Container::Webm);
        let Some(File::Webm(file)) = &mut self.file else {
            self.open = Some(Open::foreign(Container::Webm, start));
            return Ok(());
        };
        let mut reading = Reading::new(WebmReader::without_header(&tracks), start);
        reading.segment.lacks_header(Refusal::NotWebm);
        reading.segment.header("webm".to_owned());
        reading.segment.tracks(file, tracks)?;
        self.open = Some(Open::Webm(reading));
        Ok(())
    }

    /// An MP4; if its beginning is missing, these are its tracks, as far as they are known.
    fn open_mp4(&mut self, known: Option<Vec<Track>>) -> Result<(), MediaError> {
        let start = self.in_favour_of(Container::Mp4);
        let Some(File::Mp4(file)) = &mut self.file else {
            self.open = Some(Open::foreign(Container::Mp4, start));
            return Ok(());
        };
        let reading = match known {
            None => Reading::new(Mp4Reader::new(), start),
            Some(tracks) => {
                let mut reading = Reading::new(Mp4Reader::without_header(&tracks), start);
                if !tracks.is_empty() {
                    reading.segment.tracks(file, tracks)?;
                }
                reading
            }
        };
        self.open = Some(Open::Mp4(Box::new(reading)));
        Ok(())
    }

    /// As long as nothing is written, the next segment may have its container. Returns where the file
    /// ends.
    fn in_favour_of(&mut self, container: Container) -> Duration {
        let file = self.file.take().expect(FILE_IS_THERE).in_favour_of(container, self.origin);
        let start = file.end();
        self.file = Some(file);
        start
    }

    fn end(&self) -> Duration {
        self.file.as_ref().map_or(Duration::ZERO, File::end)
    }

    /// Bytes of a segment whose container is known, or never will be.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        if let Some(Open::Headless(headless)) = &mut self.open {
            headless.push(bytes);
            return self.look_for_header();
        }
        bytes.chunks(limits::PUSH_PIECE_BYTES).try_for_each(|piece| self.tell(Input::Bytes(piece)))
    }

    /// The header may stand further on. What came before that of a WebM is read behind it.
    fn look_for_header(&mut self) -> Result<(), MediaError> {
        let Some(Open::Headless(mut headless)) = self.open.take() else {
            return Ok(());
        };
        let rearranged = match headless.later_header() {
            Some(Later::Webm(rearranged)) => rearranged,
            Some(Later::Mp4) => {
                self.open_mp4(Some(Vec::new()))?;
                return self.feed(headless.bytes());
            }
            None => {
                let is_full = headless.is_full();
                self.open = Some(Open::Headless(headless));
                return if is_full { self.do_without_header() } else { Ok(()) };
            }
        };
        self.open(Container::Webm)?;
        if let Some(Open::Webm(reading)) = &mut self.open {
            let bytes = |part: &[u8]| part.len() as u64;
            reading.segment.rearranged(bytes(rearranged.header), bytes(rearranged.before));
        }
        self.feed(rearranged.header)?;
        self.tell(Input::Hole)?;
        self.feed(rearranged.before)?;
        self.tell(Input::Hole)?;
        self.feed(rearranged.behind)
    }

    /// No header came: perhaps one can be made up.
    fn do_without_header(&mut self) -> Result<(), MediaError> {
        let headless = match self.open.take() {
            Some(Open::Headless(headless)) => headless,
            other => {
                self.open = other;
                return Ok(());
            }
        };
        match headless.rebuilt() {
            Some(tracks) => {
                self.open_headless_webm(tracks)?;
                self.feed(headless.bytes())
            }
            None => {
                let refusal =
                    if headless.is_media() { Refusal::NoHeader } else { Refusal::NotWebm };
                let (start, bytes) = (self.end(), headless.bytes().len() as u64);
                self.open = Some(Open::Foreign { start, bytes, refusal: Some(refusal) });
                Ok(())
            }
        }
    }

    fn tell(&mut self, input: Input<'_>) -> Result<(), MediaError> {
        match (self.file.as_mut(), self.open.as_mut()) {
            (Some(File::Webm(file)), Some(Open::Webm(reading))) => reading.tell(input, file),
            (Some(File::Webm(file)), Some(Open::Ogg(reading))) => reading.tell(input, file),
            (Some(File::Mp4(file)), Some(Open::Mp4(reading))) => reading.tell(input, file),
            (_, Some(Open::Foreign { bytes, .. })) => {
                if let Input::Bytes(more) = input {
                    *bytes += more.len() as u64;
                }
                Ok(())
            }
            (_, Some(_) | None) => Ok(()),
        }
    }
}

const NO_SEGMENT: MediaError = MediaError::OutOfOrder("no segment is open");
const FILE_IS_THERE: &str = "the file is put back at once when it is exchanged";

impl Open {
    /// A segment of another container than the file's.
    fn foreign(container: Container, start: Duration) -> Self {
        Self::Foreign { start, bytes: 0, refusal: Some(Refusal::OtherContainer { container }) }
    }
}

fn foreign_report(start: Duration, bytes: u64, refusal: Option<Refusal>) -> SegmentReport {
    let account = Account::unread(bytes, refusal.as_ref());
    let problem = refusal.unwrap_or(Refusal::Empty);
    let left_out = account.left_out;
    let place = LeftOutPlace { cause: Cause::Refused, packets: 0, bytes: 0..bytes };
    let places = if left_out.is_nothing() { Vec::new() } else { vec![place] };
    let problems = std::iter::once(Problem::Refused(problem))
        .chain((!left_out.is_nothing()).then_some(Problem::LeftOut(left_out)))
        .collect();
    SegmentReport { start, account, problems, places, ..SegmentReport::default() }
}

impl Headers {
    pub(crate) fn note_webm(&mut self, tracks: &[TrackEntry]) {
        if !tracks.is_empty() {
            self.webm = Some(tracks.to_vec());
        }
    }

    pub(crate) fn note_mp4(&mut self, tracks: &[Track]) {
        if !tracks.is_empty() {
            self.mp4 = Some(tracks.to_vec());
        }
    }
}

//! Owns reading the fragmented MP4 of a recorder (ISO/IEC 14496-12 section 8.8), which comes in
//! pieces and may be damaged. Decides what is media and what is damage, not what becomes of either.

mod recovery;

use std::ops::Range;

use crate::ebml::Malformed;
use crate::limits;
use crate::report::{Damage, DamageCause};
use crate::resync::Search;
use crate::units::SourceTime;

use super::boxes::{BodySize, BoxHeader, BoxType, kind};
use super::moof::{self, Extent, Followed, Fragment, SampleInfo};
use super::moov::{self, Track};
use super::resync;
use super::time::Ticks;

/// What a recorder wrote, in its order.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    /// A recorder run begins.
    Header,
    /// The tracks of the run.
    Tracks(Vec<Track>),
    /// The samples of a fragment follow; none plays before `first`.
    Fragment {
        first: Option<SourceTime>,
    },
    Sample {
        info: SampleInfo,
        payload: &'a [u8],
    },
    /// Bytes that made no sense were stepped over.
    Damage(Damage),
}

/// A push parser: give it bytes in any portions, then drain its events until there is none.
///
/// It holds the unfinished box or sample, what the last push added, and a list of the samples of
/// one fragment. It allocates for bytes that came, never for what a size or a count promises.
#[derive(Debug)]
pub(crate) struct Mp4Reader {
    buffer: Vec<u8>,
    read: usize,
    /// Bytes before `buffer[read]`, from the start of the stream.
    offset: u64,
    state: State,
    to_skip: u64,
    cut: Option<Cut>,
    tracks: Vec<Followed>,
    /// The last `moof`, until its media has been read.
    fragment: Option<Pending>,
    dangling: u64,
}

#[derive(Debug)]
struct Pending {
    at_byte: u64,
    fragment: Fragment,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Boxes,
    /// In an `mdat` that says it ends at `end`; `next` of the fragment's samples is not read yet.
    Media {
        next: usize,
        end: Option<u64>,
    },
    Lost {
        since: u64,
        cause: DamageCause,
    },
    Over,
}

/// The bytes in the buffer are the last for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Hole,
    End,
}

enum Turn {
    Again,
    Wait,
    Yield(Step),
}

enum Step {
    Event(Event<'static>),
    Sample { info: SampleInfo, body: Range<usize> },
}

/// What to do with a box that stands at the top of the file.
enum Role {
    Keep { bytes_max: usize },
    Media,
    Skip,
    Foreign,
}

fn role(kind: BoxType) -> Role {
    match kind {
        kind::FTYP | kind::MOOV => Role::Keep { bytes_max: limits::HEADER_BYTES_MAX },
        kind::MOOF => Role::Keep { bytes_max: limits::MOOF_BYTES_MAX },
        kind::MDAT => Role::Media,
        kind::STYP
        | kind::SIDX
        | kind::PRFT
        | kind::EMSG
        | kind::FREE
        | kind::SKIP
        | kind::WIDE
        | kind::UUID
        | kind::META
        | kind::MFRA => Role::Skip,
        _ => Role::Foreign,
    }
}

impl Mp4Reader {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            offset: 0,
            state: State::Boxes,
            to_skip: 0,
            cut: None,
            tracks: Vec::new(),
            fragment: None,
            dangling: 0,
        }
    }

    /// Adds the next bytes of the stream; none are allowed too.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// An unknown number of bytes is missing here: the reader takes up the stream at the next
    /// `moof`. Drain the events before the next push.
    pub(crate) fn hole(&mut self) {
        self.cut = Some(Cut::Hole);
    }

    /// Nothing more comes. Drain the events, then ask for the dangling bytes.
    pub(crate) fn end(&mut self) {
        self.cut = Some(Cut::End);
    }

    /// Bytes at the end that began a box or sample but never came whole.
    pub(crate) fn dangling_bytes(&self) -> u64 {
        self.dangling
    }

    /// The next event, or `None` if more bytes are needed.
    pub(crate) fn next_event(&mut self) -> Option<Event<'_>> {
        Some(match self.step()? {
            Step::Event(event) => event,
            Step::Sample { info, body } => Event::Sample { info, payload: &self.buffer[body] },
        })
    }

    fn step(&mut self) -> Option<Step> {
        loop {
            if !self.skip_ahead() {
                return None;
            }
            let turn = match self.state {
                State::Boxes => self.next_box(),
                State::Media { next, end } => self.next_sample(next, end),
                State::Lost { since, cause } => self.find_moof(since, cause),
                State::Over => Turn::Wait,
            };
            match turn {
                Turn::Again => {}
                Turn::Wait => return None,
                Turn::Yield(step) => return Some(step),
            }
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.read..]
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes;
        self.offset += bytes as u64;
    }

    /// Whether nothing is left to skip.
    fn skip_ahead(&mut self) -> bool {
        let now = self.unread().len().min(usize::try_from(self.to_skip).unwrap_or(usize::MAX));
        self.consume(now);
        self.to_skip -= now as u64;
        if self.cut.is_some() {
            self.to_skip = 0;
        }
        self.to_skip == 0
    }

    fn next_box(&mut self) -> Turn {
        let header = match BoxHeader::parse(self.unread()) {
            Ok(Some(header)) => header,
            Ok(None) => return self.starved(),
            Err(Malformed) => return self.lose(self.offset, DamageCause::NotABox),
        };
        let limit = match role(header.kind) {
            Role::Keep { bytes_max } => bytes_max,
            Role::Skip => limits::SKIPPED_BYTES_MAX,
            Role::Media => return self.enter_media(&header),
            Role::Foreign => {
                return self.lose(self.offset, DamageCause::UnexpectedBox(header.kind));
            }
        };
        let size = match header.body {
            BodySize::ToTheEnd => {
                return self.lose(self.offset, DamageCause::UnknownBoxSize(header.kind));
            }
            BodySize::Known(size) => match usize::try_from(size) {
                Ok(size) if size <= limit => size,
                Ok(_) | Err(_) => {
                    return self.lose(self.offset, DamageCause::BoxTooLarge(header.kind));
                }
            },
        };
        if matches!(role(header.kind), Role::Skip) {
            self.consume(header.len);
            self.to_skip = size as u64;
            return Turn::Again;
        }
        let end = header.len + size;
        if self.unread().len() < end {
            return self.starved();
        }
        // A fragment that would swallow another is not read at all: else a stream made of nothing
        // but their beginnings would have every byte read once for each that claims it.
        let inside = &self.unread()[1..end];
        if header.kind == kind::MOOF
            && let Search::Found(at) = resync::find_moof(inside)
        {
            let since = self.offset;
            self.consume(at + 1);
            return self.resume(since, DamageCause::WrongBoxSize(header.kind));
        }
        self.understand(&header, size)
    }

    /// A box that says something of the samples to come, whole in the buffer.
    fn understand(&mut self, header: &BoxHeader, size: usize) -> Turn {
        if let Some(pending) = self.fragment.take() {
            let at_byte = pending.at_byte;
            let damage = Damage { at_byte, bytes: 0, cause: DamageCause::NoMediaData };
            return Turn::Yield(Step::Event(Event::Damage(damage)));
        }
        let at = self.offset;
        let body = self.read + header.len..self.read + header.len + size;
        let understood = match header.kind {
            kind::FTYP => Ok(Event::Header),
            kind::MOOV => moov::parse(&self.buffer[body]).map(|tracks| self.follow(tracks)),
            _ => moof::parse(&self.buffer[body], at, &mut self.tracks).map(|fragment| {
                let first = fragment.first;
                self.fragment = Some(Pending { at_byte: at, fragment });
                Event::Fragment { first }
            }),
        };
        match understood {
            Ok(event) => {
                self.consume(header.len + size);
                Turn::Yield(Step::Event(event))
            }
            Err(Malformed) => {
                // If it is its size that is wrong, a fragment may begin inside.
                self.consume(header.len);
                self.lose(at, DamageCause::UnreadableBox(header.kind))
            }
        }
    }

    fn follow(&mut self, tracks: Vec<Track>) -> Event<'static> {
        let end = Ticks::default();
        self.tracks = tracks.iter().map(|track| Followed { track: track.clone(), end }).collect();
        Event::Tracks(tracks)
    }

    /// An `mdat` begins.
    fn enter_media(&mut self, header: &BoxHeader) -> Turn {
        let Some(pending) = &mut self.fragment else {
            return self.lose(self.offset, DamageCause::UnexpectedBox(header.kind));
        };
        let start = self.offset + header.len as u64;
        if pending.fragment.is_elsewhere {
            move_to(&mut pending.fragment.samples, start);
        }
        let end = match header.body {
            BodySize::Known(size) => Some(start.saturating_add(size)),
            BodySize::ToTheEnd => None,
        };
        self.consume(header.len);
        self.state = State::Media { next: 0, end };
        Turn::Again
    }

    fn next_sample(&mut self, next: usize, end: Option<u64>) -> Turn {
        let samples = self.fragment.as_ref().map_or(&[][..], |one| &one.fragment.samples);
        let Some(Extent { start, bytes, info }) = samples.get(next).copied() else {
            return self.leave_media(end);
        };
        let Some(gap) = start.checked_sub(self.offset) else {
            // Before the media, or in bytes that belong to another sample.
            self.state = State::Media { next: next + 1, end };
            let damage =
                Damage { at_byte: start, bytes: u64::from(bytes), cause: DamageCause::SamplePlace };
            return Turn::Yield(Step::Event(Event::Damage(damage)));
        };
        let is_inside = start
            .checked_add(u64::from(bytes))
            .is_some_and(|behind| end.is_none_or(|end| behind <= end));
        let is_small_enough =
            bytes as usize <= limits::BLOCK_BYTES_MAX && gap <= limits::SKIPPED_BYTES_MAX as u64;
        if !(is_inside && is_small_enough) {
            return self.lose(self.offset, DamageCause::SamplePlace);
        }
        if gap > 0 {
            if self.cut.is_some() && (self.unread().len() as u64) < gap {
                return self.starved();
            }
            self.to_skip = gap;
            return Turn::Again;
        }
        let bytes = bytes as usize;
        if self.unread().len() < bytes {
            return self.starved();
        }
        let body = self.read..self.read + bytes;
        self.consume(bytes);
        self.state = State::Media { next: next + 1, end };
        Turn::Yield(Step::Sample { info, body })
    }

    /// Every sample was read. No recorder leaves room behind the last: if there is some, the size
    /// is wrong, and the next fragment may stand inside.
    fn leave_media(&mut self, end: Option<u64>) -> Turn {
        self.fragment = None;
        if end.is_some_and(|end| end != self.offset) {
            return self.lose(self.offset, DamageCause::WrongBoxSize(kind::MDAT));
        }
        self.state = State::Boxes;
        Turn::Again
    }
}

/// Moves samples whose positions count from elsewhere: the earliest stands at the `start` of the
/// media. (Positions in a whole file mean nothing in a stream with holes.)
fn move_to(samples: &mut [Extent], start: u64) {
    let Some(earliest) = samples.first().map(|sample| sample.start) else {
        return;
    };
    for sample in samples {
        sample.start = (sample.start - earliest).saturating_add(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = include_bytes!("../../tests/fixtures/g_audiomp4.000.chunk");

    /// What the reader holds at most while it is fed.
    fn most_held_bytes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut reader = Mp4Reader::new();
        let mut most = 0;
        for piece in pieces {
            reader.push(piece);
            most = most.max(reader.buffer.capacity());
            while reader.next_event().is_some() {}
        }
        most
    }

    #[test]
    fn a_promised_size_is_never_allocated() {
        for promise in [&b"\0\x0F\0\0moof"[..], b"\0\x0F\0\0moov", b"\0\x0F\0\0free"] {
            let most = most_held_bytes([HEAD, promise].into_iter());
            assert!(most < 4096, "{most} bytes for {promise:?}");
        }
    }

    #[test]
    fn memory_stays_bounded_however_much_comes_and_is_promised() {
        let promise = b"\0\x0F\0\0moof\0\0\0\x10mfhd";
        for noise in [&promise[..], b"\0\0\0\0moof\0\0\0\x10mfhd", &[0; 16], b"noise and noise!"] {
            let piece = noise.repeat(limits::PUSH_PIECE_BYTES / noise.len());
            let pieces = std::iter::repeat_n(&piece[..], 400);
            let most = most_held_bytes(std::iter::once(HEAD).chain(pieces));
            let limit = 2 * (limits::MOOF_BYTES_MAX + 2 * limits::PUSH_PIECE_BYTES);
            assert!(most <= limit, "{most} bytes of {noise:?}");
        }
    }

    #[test]
    fn media_is_not_held_longer_than_a_sample() {
        let chunk = include_bytes!("../../tests/fixtures/g_videomp4.001.chunk");
        let head = include_bytes!("../../tests/fixtures/g_videomp4.000.chunk");
        let largest = 0x2700;
        let most = most_held_bytes(head.chunks(100).chain(chunk.chunks(100)));
        assert!(most <= 2 * (largest + 200), "{most} bytes");
    }
}

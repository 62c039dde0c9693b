//! Owns reading a live WebM stream that comes in pieces and may be damaged (RFC 9559 section 5).
//! Decides what is media and what is damage; does not decide what becomes of either.

mod recovery;

use std::ops::Range;
use std::time::Duration;

use crate::block::{Block, BlockBody};
use crate::ebml::{self, ElementHeader, ElementId, Malformed, Size, id};
use crate::error::{Container, Refusal};
use crate::grammar::{self, DEFAULT_SCALE_NANOS, Level, Role, role};
use crate::limits;
use crate::report::{Damage, DamageCause};
use crate::resync::{self, Search};
use crate::tracks::{self, TrackEntry};
use crate::units::SourceTime;

/// What a recorder wrote, in its order.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The EBML header: a recorder run begins.
    Header {
        /// `webm` or `matroska`.
        doc_type: String,
    },
    /// The tracks of the run.
    Tracks(Vec<TrackEntry>),
    /// A cluster begins.
    Cluster {
        /// Its own timestamp.
        time: SourceTime,
    },
    /// A SimpleBlock or BlockGroup.
    Block(Block<'a>),
    /// Bytes that made no sense were stepped over.
    Damage(Damage),
}

/// A push parser: give it bytes in any portions, then drain its events until there is none.
///
/// It holds only the unfinished element and what the last push added, and allocates for bytes
/// that came, never for bytes that a size field promises. A block is only believed once what
/// follows it looks like an element, so the last block of a push waits for the next push or for
/// [`end`](Self::end).
#[derive(Debug)]
pub struct WebmReader {
    buffer: Vec<u8>,
    read: usize,
    /// Bytes before `buffer[read]`, from the start of the stream.
    offset: u64,
    state: State,
    to_skip: u64,
    cut: Option<Cut>,
    scale_nanos: u64,
    cluster_ticks: Option<u64>,
    dangling: u64,
}

#[derive(Debug)]
enum State {
    Start,
    Elements(Level),
    Lost { since: u64, cause: DamageCause },
    Refused(Refusal),
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
    Block { element: ElementId, body: Range<usize>, at_byte: u64 },
}

impl Default for WebmReader {
    fn default() -> Self {
        Self::new()
    }
}

impl WebmReader {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            offset: 0,
            state: State::Start,
            to_skip: 0,
            cut: None,
            scale_nanos: DEFAULT_SCALE_NANOS,
            cluster_ticks: None,
            dangling: 0,
        }
    }

    /// Adds the next bytes of the stream; none are allowed too.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that an unknown number of bytes is missing after what was pushed: the reader takes up
    /// the stream at the next Cluster. Drain the events before the next push.
    pub fn hole(&mut self) {
        self.cut = Some(Cut::Hole);
    }

    /// Says that nothing more comes. Drain the events, then ask for the dangling bytes.
    pub fn end(&mut self) {
        self.cut = Some(Cut::End);
    }

    /// Bytes at the end of the stream that began an element but never came whole. Known once the
    /// events after [`end`](Self::end) are drained.
    #[must_use]
    pub fn dangling_bytes(&self) -> u64 {
        self.dangling
    }

    /// Memory held for bytes that were pushed and not yet understood.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next event, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// The stream is not WebM; every later call says so again.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Refusal> {
        Ok(match self.step()? {
            None => None,
            Some(Step::Event(event)) => Some(event),
            Some(Step::Block { element, body, at_byte }) => {
                Some(self.block_event(element, body, at_byte))
            }
        })
    }

    fn step(&mut self) -> Result<Option<Step>, Refusal> {
        loop {
            if !self.skip_ahead() {
                return Ok(None);
            }
            let turn = match &self.state {
                State::Start => self.start()?,
                State::Elements(level) => self.element(*level)?,
                State::Lost { since, cause } => self.find_cluster(*since, *cause),
                State::Refused(refusal) => return Err(refusal.clone()),
                State::Over => Turn::Wait,
            };
            match turn {
                Turn::Again => {}
                Turn::Wait => return Ok(None),
                Turn::Yield(step) => return Ok(Some(step)),
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

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.consume(self.unread().len());
        self.state = State::Refused(refusal.clone());
        refusal
    }

    fn start(&mut self) -> Result<Turn, Refusal> {
        let bytes = self.unread();
        let magic = id::EBML.0.to_be_bytes();
        if bytes.starts_with(&magic) {
            self.state = State::Elements(Level::Top);
            return Ok(Turn::Again);
        }
        let too_short = bytes.len() < 8;
        if too_short && self.cut.is_none() {
            return Ok(Turn::Wait);
        }
        if too_short && magic.starts_with(bytes) {
            return Ok(self.starved());
        }
        let refusal = match grammar::recognise(bytes) {
            Some(container @ (Container::Mp4 | Container::Ogg)) => {
                Refusal::UnsupportedContainer { container }
            }
            Some(Container::Webm) | None => Refusal::NotWebm,
        };
        Err(self.refuse(refusal))
    }

    fn element(&mut self, level: Level) -> Result<Turn, Refusal> {
        let header = match ElementHeader::parse(self.unread()) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(self.starved()),
            Err(Malformed) => return Ok(self.lose(DamageCause::NotAnElement)),
        };
        let limit = match role(level, header.id) {
            Role::Enter(next) => {
                self.consume(header.len);
                self.cluster_ticks = None;
                self.state = State::Elements(next);
                return Ok(Turn::Again);
            }
            Role::Foreign => return Ok(self.lose(DamageCause::UnexpectedElement(header.id))),
            Role::Keep { bytes_max } => bytes_max,
            Role::Skip => limits::SKIPPED_BYTES_MAX,
        };
        let size = match header.size {
            Size::Unknown => return Ok(self.lose(DamageCause::UnknownSize(header.id))),
            Size::Known(size) => match usize::try_from(size) {
                Ok(size) if size <= limit => size,
                Ok(_) | Err(_) => return Ok(self.lose(DamageCause::ElementTooLarge(header.id))),
            },
        };
        if role(level, header.id) == Role::Skip {
            self.consume(header.len);
            self.to_skip = size as u64;
            return Ok(Turn::Again);
        }
        self.keep(header, size)
    }

    /// Handles an element that is only understood whole.
    fn keep(&mut self, header: ElementHeader, size: usize) -> Result<Turn, Refusal> {
        let end = header.len + size;
        if self.unread().len() < end {
            return Ok(self.starved());
        }
        let is_block = header.id == id::SIMPLE_BLOCK || header.id == id::BLOCK_GROUP;
        if is_block {
            match self.what_follows(end) {
                Follows::NotKnown => return Ok(Turn::Wait),
                Follows::Nonsense => {
                    let inside = resync::find_cluster(&self.unread()[header.len..]);
                    if let Search::Found(at) = inside
                        && at < size
                    {
                        let cause = DamageCause::WrongSize(header.id);
                        return Ok(self.resume_at_cluster(header.len + at, cause));
                    }
                }
                Follows::Element => {}
            }
        }
        let body = self.read + header.len..self.read + end;
        let at_byte = self.offset;
        self.consume(end);
        if is_block {
            return Ok(Turn::Yield(Step::Block { element: header.id, body, at_byte }));
        }
        self.understand(header.id, body, at_byte)
    }

    /// Handles an element that tells something about the blocks to come.
    fn understand(
        &mut self,
        element: ElementId,
        body: Range<usize>,
        at_byte: u64,
    ) -> Result<Turn, Refusal> {
        let bytes = body.len() as u64;
        let body = &self.buffer[body];
        let understood = match element {
            id::EBML => {
                let doc_type = grammar::doc_type(body);
                if doc_type != "webm" && doc_type != "matroska" {
                    let doc_type = doc_type.chars().take(32).collect();
                    return Err(self.refuse(Refusal::OtherDocType { doc_type }));
                }
                self.state = State::Elements(Level::Top);
                self.scale_nanos = DEFAULT_SCALE_NANOS;
                Some(Event::Header { doc_type })
            }
            id::INFO => {
                self.scale_nanos = grammar::timestamp_scale(body);
                return Ok(Turn::Again);
            }
            id::TRACKS => tracks::parse_tracks(body).ok().map(Event::Tracks),
            _ => {
                self.cluster_ticks = ebml::uint(body);
                let ticks = self.cluster_ticks.unwrap_or(u64::MAX);
                let time = SourceTime::from_ticks(ticks, 0, self.scale_nanos);
                time.map(|time| Event::Cluster { time })
            }
        };
        let damage = Damage { at_byte, bytes, cause: DamageCause::Unreadable(element) };
        Ok(Turn::Yield(Step::Event(understood.unwrap_or(Event::Damage(damage)))))
    }

    /// A block's size may be damaged: what stands behind it tells.
    fn what_follows(&self, end: usize) -> Follows {
        match ebml::read_id(&self.unread()[end..]) {
            Ok(Some((id, _))) if role(Level::Cluster, id) != Role::Foreign => Follows::Element,
            Ok(None) if self.cut.is_some() => Follows::Element,
            Ok(None) => Follows::NotKnown,
            Ok(Some(_)) | Err(Malformed) => Follows::Nonsense,
        }
    }

    fn block_event(&self, element: ElementId, body: Range<usize>, at_byte: u64) -> Event<'_> {
        let bytes = body.len() as u64;
        let damage = |cause| Event::Damage(Damage { at_byte, bytes, cause });
        let body = &self.buffer[body];
        let read = if element == id::SIMPLE_BLOCK {
            BlockBody::from_simple_block(body)
        } else {
            BlockBody::from_block_group(body)
        };
        let Ok(body) = read else {
            return damage(DamageCause::Unreadable(element));
        };
        let time = self
            .cluster_ticks
            .and_then(|ticks| SourceTime::from_ticks(ticks, body.relative, self.scale_nanos));
        let Some(time) = time else {
            return damage(DamageCause::NoTime);
        };
        let duration = body
            .duration_ticks
            .and_then(|ticks| ticks.checked_mul(self.scale_nanos))
            .map(Duration::from_nanos);
        Event::Block(Block { time, duration, body })
    }
}

/// What stands behind a block.
enum Follows {
    Element,
    Nonsense,
    NotKnown,
}

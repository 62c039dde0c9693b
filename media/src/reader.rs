//! Owns reading a live WebM stream that comes in pieces and may be damaged (RFC 9559 section 5).
//! Decides what is media and what is damage; does not decide what becomes of either.

mod entry;
mod plausible;

use std::ops::Range;
use std::time::Duration;

use crate::account::Bytes;
use crate::block::{Block, BlockBody, BlockCopy};
use crate::ebml::{self, ElementHeader, ElementId, Malformed, Size, id};
use crate::error::{Container, MediaError, Refusal};
use crate::frame::{Frame, Grammar, Measure, Missing, Search, Step, Taken};
use crate::grammar::{self, DEFAULT_SCALE_NANOS, Level, Role, role};
use crate::limits;
use crate::report::{Damage, DamageCause};
use crate::segment::{Muxer, Reader, Segment};
use crate::tracks::{self, TrackEntry};
use crate::units::{SourceTime, TrackNumber};

use self::plausible::Tracks;

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
    /// The times of what follows say nothing about what came before: their cluster's own is missing.
    ClockBreak,
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
    frame: Frame<Ebml>,
    /// A block whose clock breaks, until that has been told.
    waiting: Option<(Found, Range<usize>)>,
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
        Self { frame: Frame::new(Ebml::new()), waiting: None }
    }

    /// A reader in the middle of a stream, whose tracks are known from elsewhere. It tells them first.
    pub(crate) fn without_header(tracks: &[TrackEntry]) -> Self {
        let mut grammar = Ebml { level: Level::Cluster, ..Ebml::new() };
        grammar.follow(tracks);
        Self { frame: Frame::without_beginning(grammar), waiting: None }
    }

    /// A reader in the middle of a stream of which nothing is known.
    pub(crate) fn of_unknown_tracks() -> Self {
        let tracks = Tracks::unknown((1..=limits::TRACKS_MAX as u64).map(TrackNumber));
        let grammar = Ebml { level: Level::Cluster, tracks, ..Ebml::new() };
        Self { frame: Frame::without_beginning(grammar), waiting: None }
    }

    /// Adds the next bytes of the stream; none are allowed too.
    pub fn push(&mut self, bytes: &[u8]) {
        debug_assert!(self.waiting.is_none(), "events are drained before the next push");
        self.frame.push(bytes);
    }

    /// Says that bytes may be missing after what was pushed. The reader goes on as if none were, as
    /// long as the bytes on both sides belong together; else it looks for the next block.
    pub fn hole(&mut self) {
        self.frame.hole();
    }

    /// Says that nothing more comes. Drain the events, then ask for the account.
    pub fn end(&mut self) {
        self.frame.end();
    }

    /// What became of the bytes pushed; complete once the events after [`end`](Self::end) are drained.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.frame.account()
    }

    /// Whether every byte pushed is in its account, or still held.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.frame.adds_up()
    }

    /// How far the stream has been understood, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.frame.offset()
    }

    /// Memory held for bytes that were pushed and not yet understood.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.frame.held_bytes()
    }

    /// The next event, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// The stream is not WebM; every later call says so again.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Refusal> {
        Ok(self.next_placed()?.map(|(event, _)| event))
    }

    /// The next event, and where in the stream it stands.
    fn next_placed(&mut self) -> Result<Option<(Event<'_>, Range<u64>)>, Refusal> {
        let step = match self.waiting.take() {
            Some((found, range)) => Some(Step::Found(found, range)),
            None => self.frame.step()?,
        };
        let at = self.frame.told();
        let event = match step {
            None => None,
            Some(Step::Damage(damage)) => Some(Event::Damage(damage)),
            Some(Step::Found(Found::Event(event), _)) => Some(event),
            Some(Step::Found(Found::Block { after_break: true, block }, range)) => {
                self.waiting = Some((Found::Block { after_break: false, block }, range));
                Some(Event::ClockBreak)
            }
            Some(Step::Found(Found::Block { block, .. }, range)) => {
                block.read(self.frame.bytes_at(range)).map(Event::Block)
            }
        };
        Ok(event.map(|event| (event, at)))
    }
}

impl Reader for WebmReader {
    type Kept = BlockCopy;
    type Grammar = Ebml;

    fn frame(&self) -> &Frame<Ebml> {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame<Ebml> {
        &mut self.frame
    }

    fn drain_into(
        &mut self,
        file: &mut impl Muxer<BlockCopy>,
        segment: &mut Segment<BlockCopy>,
    ) -> Result<(), MediaError> {
        while let Some((event, at)) = self.next_placed()? {
            segment.reach(at);
            match event {
                Event::Header { doc_type } => segment.header(doc_type),
                Event::Tracks(tracks) => segment.tracks(file, tracks)?,
                Event::Cluster { .. } => file.begin_cluster(),
                Event::ClockBreak => segment.break_off(),
                Event::Block(block) => segment.packet(file, block)?,
                Event::Damage(damage) => segment.add_damage(damage),
            }
        }
        Ok(())
    }
}

/// Whether a WebM begins here. `None`: the bytes end too early to tell.
pub(crate) fn is_header(bytes: &[u8]) -> Option<bool> {
    entry::is_header(bytes)
}

/// What the bytes of a recorder's stream mean.
#[derive(Debug)]
pub(crate) struct Ebml {
    level: Level,
    scale_nanos: u64,
    cluster_ticks: Option<u64>,
    /// The last block had no cluster's time to go by.
    is_adrift: bool,
    /// Of the run.
    tracks: Tracks,
}

#[derive(Debug)]
pub(crate) enum Found {
    Event(Event<'static>),
    Block { block: Placed, after_break: bool },
}

/// A block that can be read, and its time.
#[derive(Debug)]
pub(crate) struct Placed {
    element: ElementId,
    /// Of the element's body, in the element.
    body: Range<usize>,
    time: SourceTime,
    duration: Option<Duration>,
}

impl Placed {
    /// It was read once already.
    fn read<'a>(&self, whole: &'a [u8]) -> Option<Block<'a>> {
        let body = read_block(self.element, &whole[self.body.clone()]).ok()?;
        Some(Block { time: self.time, duration: self.duration, body })
    }
}

fn read_block(element: ElementId, body: &[u8]) -> Result<BlockBody<'_>, Malformed> {
    if element == id::SIMPLE_BLOCK {
        BlockBody::from_simple_block(body)
    } else {
        BlockBody::from_block_group(body)
    }
}

impl Ebml {
    fn new() -> Self {
        Self {
            level: Level::Start,
            scale_nanos: DEFAULT_SCALE_NANOS,
            cluster_ticks: None,
            is_adrift: false,
            tracks: Tracks::default(),
        }
    }

    fn follow(&mut self, tracks: &[TrackEntry]) {
        self.tracks = Tracks::of(tracks, self.scale_nanos);
    }

    /// At the very beginning.
    fn measure_start(bytes: &[u8], is_end: bool) -> Measure {
        let magic = id::EBML.0.to_be_bytes();
        if bytes.starts_with(&magic) {
            return Measure::Whole(0);
        }
        let is_short = bytes.len() < grammar::RECOGNISED_BY_BYTES;
        if is_short && (!is_end || magic.starts_with(bytes)) {
            return Measure::Short;
        }
        Measure::Refused(match grammar::recognise(bytes) {
            Some(container @ (Container::Mp4 | Container::Ogg)) => {
                Refusal::UnsupportedContainer { container }
            }
            Some(Container::Webm) | None => Refusal::NotWebm,
        })
    }

    /// An element that nobody knows is stepped over, if what follows it is known (RFC 8794 section
    /// 11.1.1).
    fn measure_stranger(&self, header: &ElementHeader, ahead: &[u8], is_end: bool) -> Measure {
        let lost = Measure::Lost(DamageCause::UnexpectedElement(header.id));
        let Size::Known(size) = header.size else {
            return lost;
        };
        let whole = usize::try_from(size).ok().and_then(|size| size.checked_add(header.len));
        let Some(whole) = whole.filter(|whole| *whole <= limits::STRANGER_BYTES_MAX) else {
            return lost;
        };
        match self.what_follows(ahead, whole) {
            Follows::Element => Measure::Whole(whole),
            Follows::NotKnown if is_end && ahead.len() == whole => Measure::Whole(whole),
            Follows::NotKnown if !is_end => Measure::Short,
            Follows::NotKnown | Follows::Nonsense => lost,
        }
    }

    /// A block's size may be damaged: what stands behind it tells.
    fn measure_block(
        &self,
        header: &ElementHeader,
        ahead: &[u8],
        whole: usize,
        is_end: bool,
    ) -> Measure {
        if ahead.len() < whole {
            return Measure::Short;
        }
        match self.what_follows(ahead, whole) {
            Follows::Element => Measure::Whole(whole),
            Follows::NotKnown if is_end => Measure::Whole(whole),
            Follows::NotKnown => Measure::Short,
            Follows::Nonsense => match self.find_entry(&ahead[header.len..whole], is_end) {
                Search::Found(at) => {
                    let cause = DamageCause::SwallowsMore;
                    Measure::Damaged { bytes: header.len + at, cause }
                }
                Search::Perhaps(_) | Search::NotFound => Measure::Whole(whole),
            },
        }
    }

    fn what_follows(&self, ahead: &[u8], whole: usize) -> Follows {
        let Some(behind) = ahead.get(whole..) else {
            return Follows::NotKnown;
        };
        match ebml::read_id(behind) {
            Ok(Some((id, _))) if role(self.level, id) != Role::Foreign => Follows::Element,
            Ok(None) => Follows::NotKnown,
            Ok(Some(_)) | Err(Malformed) => Follows::Nonsense,
        }
    }

    /// An element that tells something about the blocks to come.
    fn understand(&mut self, element: ElementId, body: &[u8]) -> Taken<Found> {
        let understood = match element {
            id::EBML => {
                self.level = Level::Top;
                self.scale_nanos = DEFAULT_SCALE_NANOS;
                Some(Event::Header { doc_type: grammar::doc_type(body) })
            }
            id::INFO => {
                self.scale_nanos = grammar::timestamp_scale(body);
                self.tracks.set_scale(self.scale_nanos);
                return Taken::Structure(None);
            }
            id::TRACKS => tracks::parse_tracks(body).ok().map(|tracks| {
                self.follow(&tracks);
                Event::Tracks(tracks)
            }),
            id::TIMESTAMP => {
                self.cluster_ticks = ebml::uint(body);
                let time = |ticks| SourceTime::from_ticks(ticks, 0, self.scale_nanos);
                self.cluster_ticks.map(|ticks| Event::Cluster { time: time(ticks) })
            }
            // Nobody knows it.
            _ => return Taken::Structure(None),
        };
        match understood {
            Some(event) => Taken::Structure(Some(Found::Event(event))),
            None => Taken::Unreadable(DamageCause::Unreadable(element)),
        }
    }

    /// A block, at its time; without a cluster's time it only knows those beside it.
    fn place(&mut self, header: &ElementHeader, whole: &[u8]) -> Taken<Found> {
        let body = header.len..whole.len();
        let Ok(block) = read_block(header.id, &whole[body.clone()]) else {
            return Taken::Unreadable(DamageCause::Unreadable(header.id));
        };
        let time = SourceTime::from_ticks(
            self.cluster_ticks.unwrap_or(0),
            block.relative,
            self.scale_nanos,
        );
        let duration = block
            .duration_ticks
            .and_then(|ticks| ticks.checked_mul(self.scale_nanos))
            .map(Duration::from_nanos);
        let is_adrift = self.cluster_ticks.is_none();
        let after_break = is_adrift != self.is_adrift;
        self.is_adrift = is_adrift;
        let block = Placed { element: header.id, body, time, duration };
        Taken::Packet(Found::Block { block, after_break })
    }
}

impl Grammar for Ebml {
    type Found = Found;

    fn measure(&self, ahead: &[u8], _: u64, is_end: bool) -> Measure {
        if self.level == Level::Start {
            return Self::measure_start(ahead, is_end);
        }
        let header = match ElementHeader::parse(ahead) {
            Ok(Some(header)) => header,
            Ok(None) => return Measure::Short,
            Err(Malformed) => return Measure::Lost(DamageCause::NotAnElement),
        };
        let role = role(self.level, header.id);
        let bytes_max = match role {
            Role::Enter(_) => return Measure::Whole(header.len),
            Role::Foreign => return self.measure_stranger(&header, ahead, is_end),
            Role::Keep { bytes_max } => bytes_max as u64,
            Role::Skip => u64::MAX,
        };
        let size = match header.size {
            Size::Unknown => return Measure::Lost(DamageCause::UnknownSize(header.id)),
            Size::Known(size) if size <= bytes_max => size,
            Size::Known(_) => return Measure::Lost(DamageCause::ElementTooLarge(header.id)),
        };
        if role == Role::Skip {
            return Measure::Skip { head: header.len, body: size };
        }
        // The limits are far below what a usize can say.
        let whole = header.len + usize::try_from(size).unwrap_or(usize::MAX - header.len);
        match header.id {
            id::SIMPLE_BLOCK | id::BLOCK_GROUP => self.measure_block(&header, ahead, whole, is_end),
            id::EBML => match ahead.get(header.len..whole).map(grammar::doc_type) {
                Some(known) if known == "webm" || known == "matroska" => Measure::Whole(whole),
                Some(doc_type) => {
                    let doc_type = doc_type.chars().take(32).collect();
                    Measure::Refused(Refusal::OtherDocType { doc_type })
                }
                None => Measure::Short,
            },
            _ => Measure::Whole(whole),
        }
    }

    fn take(&mut self, whole: &[u8], _: u64) -> Taken<Found> {
        let Ok(Some(header)) = ElementHeader::parse(whole) else {
            // At the very beginning.
            self.level = Level::Top;
            return Taken::Structure(None);
        };
        match role(self.level, header.id) {
            Role::Enter(level) => {
                self.cluster_ticks = None;
                self.level = level;
                Taken::Structure(None)
            }
            Role::Keep { .. } if [id::SIMPLE_BLOCK, id::BLOCK_GROUP].contains(&header.id) => {
                self.place(&header, whole)
            }
            Role::Keep { .. } | Role::Skip | Role::Foreign => {
                self.understand(header.id, &whole[header.len..])
            }
        }
    }

    fn is_coherent(&self, ahead: &[u8], bytes: usize, _: u64, _: bool) -> Option<bool> {
        match self.what_follows(ahead, bytes) {
            Follows::Element => Some(is_plausible(&ahead[..bytes], &self.tracks)),
            Follows::Nonsense => Some(false),
            Follows::NotKnown => None,
        }
    }

    fn find_entry(&self, bytes: &[u8], is_end: bool) -> Search {
        entry::find(bytes, &self.tracks, is_end)
    }

    fn find_landmark(&self, bytes: &[u8]) -> Option<usize> {
        entry::find_cluster(bytes)
    }

    fn missing_first_byte(&self, bytes: &[u8], is_end: bool) -> Missing {
        entry::missing_first_byte(bytes, &self.tracks, is_end)
    }

    fn enter(&mut self, ahead: &[u8]) {
        self.level = match ahead.first() {
            Some(first) if *first == id::EBML.0.to_be_bytes()[0] => Level::Top,
            Some(first) if *first == id::CLUSTER.0.to_be_bytes()[0] => Level::Segment,
            Some(_) | None => Level::Cluster,
        };
    }
}

/// A block that can be one of these tracks, or no block.
fn is_plausible(whole: &[u8], tracks: &Tracks) -> bool {
    let Ok(Some(header)) = ElementHeader::parse(whole) else {
        return false;
    };
    match header.id {
        id::SIMPLE_BLOCK | id::BLOCK_GROUP => {
            read_block(header.id, &whole[header.len..]).is_ok_and(|block| tracks.fit(&block))
        }
        _ => true,
    }
}

/// What stands behind an element.
enum Follows {
    Element,
    Nonsense,
    NotKnown,
}

//! Owns what may stand where in a recorder's MP4, and what its boxes say of the samples to come. Does not
//! move through the stream.

use crate::ebml::Malformed;
use crate::frame::{Grammar, Measure, Missing, Search, Taken};
use crate::limits;
use crate::repeats::Digest;
use crate::report::DamageCause;

use super::behind::MediaAhead;
use super::boxes::{BodySize, BoxHeader, BoxType, kind};
use super::index::SampleIndex;
use super::moof::{self, Extent, First, Followed, Fragment, SampleInfo};
use super::moov::{self, Track};
use super::resync;
use super::time::Ticks;

/// What a stream says, in its order.
#[derive(Debug)]
pub(crate) enum Found {
    Header,
    Tracks {
        tracks: Vec<Track>,
        firsts: Option<Vec<First>>,
    },
    Fragment {
        firsts: Vec<First>,
        digest: Option<Digest>,
    },
    Sample(SampleInfo),
    /// Read back from where it waited.
    Waited(SampleInfo),
    OutOfPlace,
}

/// What the boxes of a recorder's stream mean.
#[derive(Debug)]
pub(crate) struct Boxes {
    state: State,
    tracks: Vec<Followed>,
    /// The last `moof`, until its media has been read.
    fragment: Option<Fragment>,
    /// Of an ordinary file: its samples that are not read yet.
    pub(super) index: Option<SampleIndex>,
    /// The next of them.
    next: Option<Extent>,
    /// Where in the stream the file begins of which positions are told.
    pub(super) file_begins: u64,
    /// Media whose index has not come.
    pub(super) ahead: Option<MediaAhead>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Boxes,
    /// In an `mdat` that says it ends at `end`; `next` of the fragment's samples is not read yet.
    Fragment {
        next: usize,
        end: Option<u64>,
    },
    /// In the `mdat` of an ordinary file.
    Indexed {
        end: Option<u64>,
    },
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
        kind::FTYP => Role::Keep { bytes_max: limits::HEADER_BYTES_MAX },
        kind::MOOV => Role::Keep { bytes_max: limits::MOOV_BYTES_MAX },
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

impl Boxes {
    pub(super) fn new() -> Self {
        Self {
            state: State::Boxes,
            tracks: Vec::new(),
            fragment: None,
            index: None,
            next: None,
            file_begins: 0,
            ahead: None,
        }
    }

    pub(super) fn follow(&mut self, tracks: &[Track]) {
        let end = Ticks::default();
        self.tracks = tracks.iter().map(|track| Followed { track: track.clone(), end }).collect();
    }

    fn measure_box(&self, ahead: &[u8], is_end: bool) -> Measure {
        let header = match BoxHeader::parse(ahead) {
            Ok(Some(header)) => header,
            Ok(None) => return Measure::Short,
            Err(Malformed) => return Measure::Lost(DamageCause::NotABox),
        };
        let bytes_max = match role(header.kind) {
            Role::Keep { bytes_max } => bytes_max as u64,
            Role::Skip => u64::MAX,
            Role::Media => return self.measure_media(&header),
            Role::Foreign => return measure_stranger(&header, ahead, is_end),
        };
        let size = match header.body {
            BodySize::ToTheEnd => {
                return Measure::Lost(DamageCause::UnknownBoxSize(header.kind));
            }
            BodySize::Known(size) if size <= bytes_max => size,
            BodySize::Known(_) => return Measure::Lost(DamageCause::BoxTooLarge(header.kind)),
        };
        if matches!(role(header.kind), Role::Skip) {
            return Measure::Skip { head: header.len, body: size };
        }
        // The limits are far below what a usize can say.
        let whole = header.len + usize::try_from(size).unwrap_or(usize::MAX - header.len);
        // A fragment that would swallow another is not read at all: else a stream made of nothing
        // but their beginnings would have every byte read once for each that claims it.
        if header.kind == kind::MOOF
            && let Some(inside) = ahead.get(1..whole.min(ahead.len()))
            && let Search::Found(at) = resync::find_moof(inside)
        {
            let cause = DamageCause::WrongBoxSize(header.kind);
            return Measure::Damaged { bytes: at + 1, cause };
        }
        if self.fragment.is_some() && ahead.len() >= whole {
            // The media of the one before never came; nothing is stepped over.
            return Measure::Damaged { bytes: 0, cause: DamageCause::NoMediaData };
        }
        Measure::Whole(whole)
    }

    /// An `mdat`.
    fn measure_media(&self, header: &BoxHeader) -> Measure {
        let is_described = self.fragment.is_some() || self.index.is_some();
        if is_described && self.ahead.is_none() {
            return Measure::Whole(header.len);
        }
        if !self.tracks.is_empty() {
            return Measure::Lost(DamageCause::UnexpectedBox(header.kind));
        }
        let body = match header.body {
            BodySize::Known(size) => Some(size),
            BodySize::ToTheEnd => None,
        };
        Measure::Divert { head: header.len, body }
    }

    fn measure_sample(&self, extent: Option<&Extent>, at: u64, end: Option<u64>) -> Measure {
        let Some(Extent { start, bytes, .. }) = extent.copied() else {
            return match end {
                // No recorder leaves room behind the last sample: if there is some, the size is
                // wrong, and the next fragment may stand inside.
                Some(end) if end != at && self.fragment.is_some() => {
                    Measure::Lost(DamageCause::WrongBoxSize(kind::MDAT))
                }
                Some(end) if end > at => Measure::Skip { head: 0, body: end - at },
                Some(_) | None => Measure::Whole(0),
            };
        };
        let behind = start.checked_add(u64::from(bytes));
        let is_inside = behind.is_some_and(|behind| end.is_none_or(|end| behind <= end));
        if start < at || (!is_inside && self.fragment.is_none()) {
            // Before the media, or in bytes that belong to another sample, or in another `mdat`.
            return Measure::Whole(0);
        }
        if !is_inside || bytes as usize > limits::BLOCK_BYTES_MAX {
            return Measure::Lost(DamageCause::SamplePlace);
        }
        match start - at {
            0 => Measure::Whole(bytes as usize),
            gap => Measure::Skip { head: 0, body: gap },
        }
    }

    /// The next sample of the media that is being read.
    fn sample(&self) -> Option<&Extent> {
        match self.state {
            State::Fragment { next, .. } => self.fragment.as_ref()?.samples.get(next),
            State::Indexed { .. } => self.next.as_ref(),
            State::Boxes => None,
        }
    }

    /// A box that says something of the samples to come.
    fn understand(&mut self, kind: BoxType, body: &[u8], at: u64) -> Taken<Found> {
        let understood = match kind {
            kind::FTYP => {
                self.file_begins = at;
                Ok(Found::Header)
            }
            kind::MOOV => self.understand_moov(body),
            kind::MOOF => moof::parse(body, at, &mut self.tracks).map(|fragment| {
                let firsts = fragment.firsts.clone();
                self.fragment = Some(fragment);
                Found::Fragment { firsts, digest: Some(Digest::of(body)) }
            }),
            // Nobody knows it.
            _ => return Taken::Structure(None),
        };
        match understood {
            Ok(found) => Taken::Structure(Some(found)),
            Err(Malformed) => Taken::Unreadable(DamageCause::UnreadableBox(kind)),
        }
    }

    fn understand_moov(&mut self, body: &[u8]) -> Result<Found, Malformed> {
        let tracks = moov::parse(body)?;
        self.index = SampleIndex::parse(body, &tracks)?;
        self.next = None;
        self.follow(&tracks);
        let firsts = self.index.as_ref().map(|index| index.firsts(&tracks));
        if self.ahead.is_none() {
            self.advance();
        }
        Ok(Found::Tracks { tracks, firsts })
    }

    fn advance(&mut self) {
        let begins = self.file_begins;
        let from_here =
            |extent: Extent| Extent { start: extent.start.saturating_add(begins), ..extent };
        self.next = self.index.as_mut().and_then(SampleIndex::next).map(from_here);
    }

    /// An `mdat` begins, whose body stands at `start`.
    fn enter_media(&mut self, header: &BoxHeader, start: u64) {
        let end = match header.body {
            BodySize::Known(size) => Some(start.saturating_add(size)),
            BodySize::ToTheEnd => None,
        };
        self.state = match &mut self.fragment {
            Some(fragment) => {
                if fragment.is_elsewhere {
                    move_to(&mut fragment.samples, start);
                }
                State::Fragment { next: 0, end }
            }
            None => State::Indexed { end },
        };
    }

    fn take_sample(&mut self, whole: &[u8]) -> Taken<Found> {
        let Some(Extent { bytes, info, .. }) = self.sample().copied() else {
            return self.leave_media();
        };
        let is_whole = whole.len() == bytes as usize;
        match &mut self.state {
            State::Fragment { next, .. } => *next += 1,
            State::Indexed { end } => {
                // It may be in another one.
                if !is_whole && end.is_some_and(|end| self.next.is_some_and(|one| one.start >= end))
                {
                    self.state = State::Boxes;
                    return Taken::Structure(None);
                }
                self.advance();
            }
            State::Boxes => {}
        }
        if is_whole {
            Taken::Packet(Found::Sample(info))
        } else {
            Taken::Structure(Some(Found::OutOfPlace))
        }
    }

    fn leave_media(&mut self) -> Taken<Found> {
        self.fragment = None;
        self.state = State::Boxes;
        Taken::Structure(None)
    }
}

/// A box that nobody knows is stepped over, if what follows it is known (section 4.2).
fn measure_stranger(header: &BoxHeader, ahead: &[u8], is_end: bool) -> Measure {
    let lost = Measure::Lost(DamageCause::UnexpectedBox(header.kind));
    let BodySize::Known(size) = header.body else {
        return lost;
    };
    let whole = usize::try_from(size).ok().and_then(|size| size.checked_add(header.len));
    let is_named = header.kind.0.iter().all(|letter| letter.is_ascii_graphic() || *letter == b' ');
    let Some(whole) = whole.filter(|whole| is_named && *whole <= limits::STRANGER_BYTES_MAX) else {
        return lost;
    };
    match ahead.get(whole..).map(is_known_box) {
        Some(Some(true)) => Measure::Whole(whole),
        Some(None) if is_end && ahead.len() == whole => Measure::Whole(whole),
        Some(None) | None if !is_end => Measure::Short,
        Some(Some(false) | None) | None => lost,
    }
}

/// `None`: the bytes end too early to tell.
fn is_known_box(bytes: &[u8]) -> Option<bool> {
    match BoxHeader::parse(bytes) {
        Ok(Some(header)) => Some(!matches!(role(header.kind), Role::Foreign)),
        Ok(None) => None,
        Err(Malformed) => Some(false),
    }
}

impl Grammar for Boxes {
    type Found = Found;

    fn measure(&self, ahead: &[u8], at: u64, is_end: bool) -> Measure {
        match self.state {
            State::Boxes => self.measure_box(ahead, is_end),
            State::Fragment { end, .. } | State::Indexed { end } => {
                self.measure_sample(self.sample(), at, end)
            }
        }
    }

    fn take(&mut self, whole: &[u8], at: u64) -> Taken<Found> {
        match self.state {
            State::Boxes => {}
            State::Fragment { .. } | State::Indexed { .. } => return self.take_sample(whole),
        }
        let Ok(Some(header)) = BoxHeader::parse(whole) else {
            return Taken::Unreadable(DamageCause::NotABox);
        };
        if header.kind == kind::MDAT {
            self.enter_media(&header, at + whole.len() as u64);
            return Taken::Structure(None);
        }
        self.understand(header.kind, &whole[header.len..], at)
    }

    fn is_coherent(&self, ahead: &[u8], bytes: usize, at: u64, is_end: bool) -> Option<bool> {
        let behind = match self.state {
            State::Boxes => match BoxHeader::parse(ahead) {
                // Its header alone says little.
                Ok(Some(BoxHeader { kind: kind::MDAT, len, body: BodySize::Known(body) })) => {
                    usize::try_from(body).ok()?.checked_add(len)?
                }
                Ok(_) | Err(Malformed) => bytes,
            },
            // All samples of an `mdat` stand or fall with what follows it.
            State::Fragment { end, .. } | State::Indexed { end } => {
                usize::try_from(end?.checked_sub(at)?).ok()?
            }
        };
        match ahead.get(behind..) {
            Some([]) if is_end => Some(true),
            Some(next) => is_known_box(next).or(is_end.then_some(false)),
            // It never comes to its end: so much is missing.
            None => is_end.then_some(false),
        }
    }

    fn find_entry(&self, bytes: &[u8], is_end: bool) -> Search {
        match resync::find_entry(bytes) {
            Search::Perhaps(_) if is_end => Search::NotFound,
            found @ (Search::Found(_) | Search::Perhaps(_) | Search::NotFound) => found,
        }
    }

    fn find_landmark(&self, bytes: &[u8]) -> Option<usize> {
        match resync::find_entry(bytes) {
            Search::Found(at) => Some(at),
            Search::Perhaps(_) | Search::NotFound => None,
        }
    }

    fn missing_first_byte(&self, _: &[u8], _: bool) -> Missing {
        Missing::None
    }

    fn enter(&mut self, _: &[u8]) {
        self.fragment = None;
        self.state = State::Boxes;
    }

    fn divert(&mut self, bytes: &[u8], at: u64) {
        let begins = self.file_begins;
        self.ahead.get_or_insert_with(|| MediaAhead::new(begins)).take(bytes, at);
    }

    fn damaged(&mut self, cause: DamageCause) {
        if cause == DamageCause::NoMediaData {
            self.fragment = None;
        }
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

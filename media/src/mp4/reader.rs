//! Owns reading the MP4 of a recorder (ISO/IEC 14496-12), which comes in pieces and may be damaged:
//! fragments (section 8.8), or an ordinary file with its index before or behind the media. Decides
//! what is media and what is damage, not what becomes of either.

mod behind;

use std::collections::VecDeque;
use std::ops::Range;

use crate::ebml::Malformed;
use crate::error::MediaError;
use crate::frame::{Frame, Grammar, Measure, Missing, Search, Step, Taken};
use crate::limits;
use crate::repeats::Digest;
use crate::report::{Damage, DamageCause};
use crate::segment::{Muxer, Reader, Segment};

use self::behind::MediaAhead;
use super::boxes::{BodySize, BoxHeader, BoxType, kind};
use super::index::SampleIndex;
use super::moof::{self, Extent, First, Followed, Fragment, SampleInfo};
use super::moov::{self, Track};
use super::resync;
use super::sample::{Sample, SampleCopy};
use super::time::Ticks;

/// What a recorder wrote, in its order.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    /// A recorder run may begin.
    Header,
    /// The tracks of the run.
    Tracks(Vec<Track>),
    /// The samples of a fragment, or of an ordinary file, follow. These are their tracks' earliest.
    Fragment {
        firsts: Vec<First>,
        /// Of what describes a fragment.
        digest: Option<Digest>,
    },
    Sample(Sample<'a>),
    /// A sample is described as standing where no media is.
    OutOfPlace,
    /// Bytes that made no sense were stepped over.
    Damage(Damage),
}

/// A push parser: give it bytes in any portions, then drain its events until there is none.
///
/// It holds the unfinished box or sample, what the last push added, and a list of the samples of
/// one fragment. It allocates for bytes that came, never for what a size or a count promises. Media
/// that comes before its index waits for it in a file.
#[derive(Debug)]
pub(crate) struct Mp4Reader {
    frame: Frame<Boxes>,
    /// Told before anything else is read.
    told: VecDeque<Found>,
    /// A sample of media that came before its index.
    sample: Vec<u8>,
    /// Where it stood, until it is told.
    waited_at: Option<Range<u64>>,
}

impl Mp4Reader {
    pub(crate) fn new() -> Self {
        Self {
            frame: Frame::new(Boxes::new()),
            told: VecDeque::new(),
            sample: Vec::new(),
            waited_at: None,
        }
    }

    /// A reader in the middle of a stream, whose tracks are known from elsewhere.
    pub(crate) fn without_header(tracks: &[Track]) -> Self {
        let mut grammar = Boxes::new();
        grammar.follow(tracks);
        Self { frame: Frame::without_beginning(grammar), ..Self::new() }
    }

    /// The next event and where in the stream it stands, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`MediaError::Io`] of the file in which media waits for its index.
    pub(crate) fn next_event(&mut self) -> Result<Option<(Event<'_>, Range<u64>)>, MediaError> {
        let step = match self.told.pop_front() {
            Some(found) => Some(Step::Found(found, 0..0)),
            None => self.next_found()?,
        };
        let at = self.waited_at.take().unwrap_or_else(|| self.frame.told());
        let found = match step {
            Some(Step::Damage(damage)) => return Ok(Some((Event::Damage(damage), at))),
            Some(Step::Found(found, range)) => (found, range),
            None => return Ok(None),
        };
        let event = match found {
            (Found::Header, _) => Event::Header,
            (Found::Tracks { tracks, firsts }, _) => {
                let fragment = |firsts| Found::Fragment { firsts, digest: None };
                self.told.extend(firsts.map(fragment));
                Event::Tracks(tracks)
            }
            (Found::Fragment { firsts, digest }, _) => Event::Fragment { firsts, digest },
            (Found::OutOfPlace, _) => Event::OutOfPlace,
            (Found::Waited(info), _) => Event::Sample(Sample { info, payload: &self.sample }),
            (Found::Sample(info), range) => {
                Event::Sample(Sample { info, payload: self.frame.bytes_at(range) })
            }
        };
        Ok(Some((event, at)))
    }

    fn next_found(&mut self) -> Result<Option<Step<Found>>, MediaError> {
        if let Some(found) = self.next_that_waited()? {
            return Ok(Some(Step::Found(found, 0..0)));
        }
        let step = self.frame.step()?;
        match step {
            None if self.frame.is_over() => Ok(self.give_up_waiting()),
            step => Ok(step),
        }
    }

    /// A sample of media that came before its index.
    fn next_that_waited(&mut self) -> Result<Option<Found>, MediaError> {
        let Self { frame, sample, waited_at, .. } = self;
        let Boxes { ahead, index, file_begins, .. } = &mut frame.grammar;
        let (Some(ahead), Some(index)) = (ahead, index) else {
            return Ok(None);
        };
        let Some(extent) = index.next() else {
            self.frame.grammar.ahead = None;
            return Ok(None);
        };
        let start = extent.start.saturating_add(*file_begins);
        *waited_at = Some(start..start.saturating_add(u64::from(extent.bytes)));
        if !ahead.read(&extent, sample)? {
            return Ok(Some(Found::OutOfPlace));
        }
        let account = frame.account_mut();
        // Samples may share bytes; none is counted twice.
        let bytes = u64::from(extent.bytes).min(account.structure);
        account.structure -= bytes;
        account.packets += bytes;
        Ok(Some(Found::Waited(extent.info)))
    }

    /// The index never came.
    fn give_up_waiting(&mut self) -> Option<Step<Found>> {
        let ahead = self.frame.grammar.ahead.take()?;
        let bytes = ahead.bytes();
        let account = self.frame.account_mut();
        account.structure -= bytes;
        account.stepped_over += bytes;
        let at_byte = ahead.begins();
        Some(Step::Damage(Damage { at_byte, bytes, cause: DamageCause::NoIndex }))
    }

    #[cfg(test)]
    fn held_bytes(&self) -> usize {
        self.frame.held_bytes()
    }
}

impl Reader for Mp4Reader {
    type Kept = SampleCopy;
    type Grammar = Boxes;

    fn frame(&self) -> &Frame<Boxes> {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame<Boxes> {
        &mut self.frame
    }

    fn drain_into(
        &mut self,
        file: &mut impl Muxer<SampleCopy>,
        segment: &mut Segment<SampleCopy>,
    ) -> Result<(), MediaError> {
        while let Some((event, at)) = self.next_event()? {
            segment.reach(at);
            match event {
                Event::Header => segment.header("mp4".to_owned()),
                Event::Tracks(tracks) => segment.tracks(file, tracks)?,
                Event::Fragment { firsts, digest } => {
                    file.begin_cluster();
                    digest.into_iter().for_each(|digest| segment.fragment(digest));
                    for First { track, shown, .. } in firsts {
                        segment.announce(track, shown);
                    }
                }
                Event::Sample(sample) => segment.packet(file, sample)?,
                Event::OutOfPlace => segment.out_of_place(),
                Event::Damage(damage) => segment.add_damage(damage),
            }
        }
        Ok(())
    }
}

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
    index: Option<SampleIndex>,
    /// The next of them.
    next: Option<Extent>,
    /// Where in the stream the file begins of which positions are told.
    file_begins: u64,
    /// Media whose index has not come.
    ahead: Option<MediaAhead>,
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
    fn new() -> Self {
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

    fn follow(&mut self, tracks: &[Track]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = include_bytes!("../../tests/fixtures/g_audiomp4.000.chunk");

    /// What the reader holds at most while it is fed.
    fn most_held_bytes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut reader = Mp4Reader::new();
        let mut most = 0;
        for piece in pieces {
            reader.frame.push(piece);
            most = most.max(reader.held_bytes());
            while reader.next_event().unwrap().is_some() {}
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

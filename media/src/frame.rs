//! Owns moving through a stream that comes in pieces, may be damaged and may have holes: what is held
//! of it, where reading goes on, and the account of its bytes. What the bytes mean is a grammar's.

use std::collections::VecDeque;
use std::ops::Range;

use crate::account::Bytes;
use crate::error::Refusal;
use crate::limits;
use crate::report::{Damage, DamageCause};

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The bytes end too early to tell, or before it does.
    Short,
    /// So many bytes are to be taken together.
    Whole(usize),
    /// So many bytes, and behind them so many that need not be looked at.
    Skip { head: usize, body: u64 },
    /// So many bytes, and behind them some that the grammar keeps: up to the end, if none is told.
    Divert { head: usize, body: Option<u64> },
    /// So many bytes that make no sense; behind them it goes on.
    Damaged { bytes: usize, cause: DamageCause },
    /// Nothing that makes sense.
    Lost(DamageCause),
    /// Nothing that will ever make sense.
    Refused(Refusal),
}

/// What bytes that were taken together are.
#[derive(Debug)]
pub(crate) enum Taken<F> {
    /// They say something about what follows, or nothing at all.
    Structure(Option<F>),
    Packet(F),
    /// They made no sense after all.
    Unreadable(DamageCause),
}

/// Where reading can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// At this offset, for certain enough.
    Found(usize),
    /// Perhaps at this offset; the bytes end too early to tell.
    Perhaps(usize),
    NotFound,
}

impl Search {
    /// The first place at which it stands. `is_it` says `None` where the bytes end too early to tell.
    pub(crate) fn first(bytes: &[u8], is_it: impl Fn(&[u8]) -> Option<bool>) -> Self {
        for at in 0..bytes.len() {
            match is_it(&bytes[at..]) {
                Some(true) => return Self::Found(at),
                Some(false) => {}
                None => return Self::Perhaps(at),
            }
        }
        Self::NotFound
    }
}

/// Whether a byte is missing before some others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    This(u8),
    /// The bytes end too early to tell.
    NotKnown,
    None,
}

/// What may stand where in a stream, and what it says.
pub(crate) trait Grammar {
    type Found;

    /// What `ahead` begins with; it stands `at` so many bytes in the stream. `is_end`: nothing follows.
    fn measure(&self, ahead: &[u8], at: u64, is_end: bool) -> Measure;

    /// Takes what was measured.
    fn take(&mut self, whole: &[u8], at: u64) -> Taken<Self::Found>;

    /// Whether the first `bytes` of `ahead` belong together, by what follows them. `None`: too little
    /// is there to tell. `is_end`: nothing follows.
    fn is_coherent(&self, ahead: &[u8], bytes: usize, at: u64, is_end: bool) -> Option<bool>;

    /// The first place in `bytes` from which reading can go on.
    fn find_entry(&self, bytes: &[u8], is_end: bool) -> Search;

    /// A first place that cannot be mistaken, for bytes that are said to be of no interest.
    fn find_landmark(&self, bytes: &[u8]) -> Option<usize>;

    /// The byte that is missing before `bytes`, if there is one with which reading can go on.
    fn missing_first_byte(&self, bytes: &[u8], is_end: bool) -> Missing;

    /// Reading goes on at an entry.
    fn enter(&mut self, ahead: &[u8]);

    /// Some bytes of what was diverted; they stand `at` so many in the stream.
    fn divert(&mut self, _bytes: &[u8], _at: u64) {}

    /// What was measured as damaged is behind.
    fn damaged(&mut self, _cause: DamageCause) {}
}

/// What comes out of the frame.
#[derive(Debug)]
pub(crate) enum Step<F> {
    /// With where its bytes are: see [`Frame::bytes_at`].
    Found(F, Range<usize>),
    Damage(Damage),
}

/// A push parser without a grammar: give it bytes in any portions, then drain its steps.
///
/// It holds only what is unfinished and what the last push added, and allocates for bytes that came,
/// never for bytes that a size promises. Where bytes may be missing it first reads on as if none
/// were: most often they were none of this stream's.
#[derive(Debug)]
pub(crate) struct Frame<G> {
    pub(crate) grammar: G,
    buffer: Vec<u8>,
    read: usize,
    /// Bytes before `buffer[read]`, from the start of the stream, restored ones included.
    offset: u64,
    /// Where bytes may be missing, in their order; all are ahead.
    seams: VecDeque<u64>,
    state: State,
    is_ended: bool,
    /// Where the last step stands.
    told: Range<u64>,
    /// Where at the end something begins whose rest never came.
    cut_off_at: Option<u64>,
    account: Bytes,
}

#[derive(Debug, Clone)]
enum State {
    Reading,
    Skipping { left: u64, since: u64, is_doubtful: bool },
    Diverting { left: Option<u64> },
    Lost(Lost),
    Refused(Refusal),
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Lost {
    since: u64,
    cause: DamageCause,
    /// Right here bytes are missing, so that the first of these may be the second of something.
    is_at_seam: bool,
}

enum Turn<F> {
    Again,
    Wait,
    Yield(Step<F>),
}

impl<G: Grammar> Frame<G> {
    pub(crate) fn new(grammar: G) -> Self {
        Self {
            grammar,
            buffer: Vec::new(),
            read: 0,
            offset: 0,
            seams: VecDeque::new(),
            state: State::Reading,
            is_ended: false,
            told: 0..0,
            cut_off_at: None,
            account: Bytes::default(),
        }
    }

    /// At a stream whose beginning is missing.
    pub(crate) fn without_beginning(grammar: G) -> Self {
        let lost = Lost { since: 0, cause: DamageCause::NoBeginning, is_at_seam: true };
        Self { state: State::Lost(lost), ..Self::new(grammar) }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let State::Refused(_) = self.state {
            self.account.pushed += bytes.len() as u64;
            self.account.stepped_over += bytes.len() as u64;
            return;
        }
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
        self.account.pushed += bytes.len() as u64;
    }

    /// Bytes may be missing behind those pushed so far.
    pub(crate) fn hole(&mut self) {
        let here = self.offset + self.unread().len() as u64;
        if self.seams.back() != Some(&here) && here > 0 {
            self.seams.push_back(here);
        }
    }

    pub(crate) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(crate) fn account(&self) -> &Bytes {
        &self.account
    }

    pub(crate) fn account_mut(&mut self) -> &mut Bytes {
        &mut self.account
    }

    /// Whether the account is right.
    pub(crate) fn adds_up(&self) -> bool {
        self.account.add_up(self.unread().len() as u64)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Everything was read, and nothing follows.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// How far the stream has been understood.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where in the stream, as it was pushed, the last step stands; behind a refusal, what was refused.
    pub(crate) fn told(&self) -> Range<u64> {
        self.told.clone()
    }

    /// Where at the end of the stream something begins whose rest never came.
    pub(crate) fn cut_off_at(&self) -> Option<u64> {
        self.cut_off_at
    }

    pub(crate) fn bytes_at(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The next step, or `None` if more bytes are needed.
    pub(crate) fn step(&mut self) -> Result<Option<Step<G::Found>>, Refusal> {
        loop {
            let turn = match &self.state {
                State::Reading => self.read_on()?,
                State::Skipping { left, since, is_doubtful } => {
                    self.skip_on(*left, *since, *is_doubtful)
                }
                State::Diverting { left } => self.divert_on(*left),
                State::Lost(lost) => self.search(*lost),
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

    fn read_on(&mut self) -> Result<Turn<G::Found>, Refusal> {
        self.forget_seams_before(self.offset);
        let is_at_seam = self.seams.front() == Some(&self.offset);
        let ahead = &self.buffer[self.read..];
        let bytes = match self.grammar.measure(ahead, self.offset, self.is_ended) {
            Measure::Short => return Ok(self.starved()),
            Measure::Whole(bytes) => bytes,
            Measure::Skip { head, body } => {
                let bytes = usize::try_from(body).ok().and_then(|body| body.checked_add(head));
                if let Some(bytes) = bytes
                    && let Some(turn) = self.doubt(bytes, is_at_seam)
                {
                    return Ok(turn);
                }
                let is_doubtful = body > limits::SKIPPED_UNSEEN_BYTES_MAX;
                let since = self.offset;
                self.consume(head);
                self.account.structure += head as u64;
                self.state = State::Skipping { left: body, since, is_doubtful };
                return Ok(Turn::Again);
            }
            Measure::Divert { head, body } => {
                self.consume(head);
                self.account.structure += head as u64;
                self.state = State::Diverting { left: body };
                return Ok(Turn::Again);
            }
            Measure::Damaged { bytes, cause } => {
                match self.seam_inside(bytes + limits::LANDMARK_BYTES_MAX) {
                    Some(seam) if seam <= self.offset + bytes as u64 => {
                        return Ok(self.fall_into(seam));
                    }
                    // What ends here by chance goes on behind the hole.
                    Some(_) => return Ok(self.cut_off_here(bytes)),
                    None => {}
                }
                let since = self.offset;
                self.step_over(bytes);
                self.grammar.damaged(cause);
                return Ok(self.damage(since, cause));
            }
            Measure::Lost(_) if is_at_seam => return Ok(self.fall_into(self.offset)),
            Measure::Lost(cause) => {
                // What begins here may be one thing, and what follows the seam another.
                return Ok(match self.seam_inside(limits::LANDMARK_BYTES_MAX) {
                    Some(seam) => self.fall_into(seam),
                    None => self.lose(self.offset, cause, false),
                });
            }
            Measure::Refused(refusal) => {
                self.told = self.as_pushed(self.offset..self.offset);
                self.step_over(self.unread().len());
                self.state = State::Refused(refusal.clone());
                return Err(refusal);
            }
        };
        if ahead.len() < bytes {
            return Ok(self.starved());
        }
        if let Some(turn) = self.doubt(bytes, is_at_seam) {
            return Ok(turn);
        }
        Ok(self.take(bytes))
    }

    /// Bytes may be missing among those that are to be taken together: then they are only believed once
    /// it shows that none are. `None`: they are.
    fn doubt(&mut self, bytes: usize, is_at_seam: bool) -> Option<Turn<G::Found>> {
        let here = is_at_seam.then_some(self.offset);
        let seam = here.or_else(|| self.seam_inside(bytes))?;
        let ahead = &self.buffer[self.read..];
        match self.grammar.is_coherent(ahead, bytes, self.offset, self.is_ended) {
            Some(true) => None,
            Some(false) => Some(self.fall_into(seam)),
            None if self.is_ended || ahead.len() > limits::SEAM_HELD_BYTES_MAX => None,
            None => Some(Turn::Wait),
        }
    }

    fn take(&mut self, bytes: usize) -> Turn<G::Found> {
        let (at, range) = (self.offset, self.read..self.read + bytes);
        self.told = self.as_pushed(at..at + bytes as u64);
        let taken = self.grammar.take(&self.buffer[range.clone()], at);
        match taken {
            Taken::Structure(found) => {
                self.consume(bytes);
                self.account.structure += bytes as u64;
                found.map_or(Turn::Again, |found| Turn::Yield(Step::Found(found, range)))
            }
            Taken::Packet(found) => {
                self.consume(bytes);
                self.account.packets += bytes as u64;
                Turn::Yield(Step::Found(found, range))
            }
            Taken::Unreadable(cause) => {
                self.step_over(bytes);
                self.damage(at, cause)
            }
        }
    }

    /// What stands here is not whole.
    fn starved(&mut self) -> Turn<G::Found> {
        if !self.is_ended {
            return Turn::Wait;
        }
        let rest = self.unread().len();
        if let Some(seam) = self.seam_inside(rest) {
            return self.fall_into(seam);
        }
        // Perhaps it only claims to be so long.
        if let Some((_, inside)) = self.unread().split_first()
            && let Search::Found(at) = self.grammar.find_entry(inside, true)
        {
            let since = self.offset;
            self.step_over(at + 1);
            self.enter();
            return self.damage(since, DamageCause::SwallowsMore);
        }
        let cut_off_at = self.as_pushed(self.offset..self.offset).start;
        self.cut_off_at = (rest > 0).then_some(cut_off_at);
        self.consume(rest);
        self.account.cut_off += rest as u64;
        self.state = State::Over;
        Turn::Wait
    }

    /// Bytes are missing at the seam: what stands before it was cut off there.
    fn fall_into(&mut self, seam: u64) -> Turn<G::Found> {
        let since = self.offset;
        let head = usize::try_from(seam.saturating_sub(since)).unwrap_or(usize::MAX);
        let head = head.min(self.unread().len());
        self.consume(head);
        self.account.cut_off += head as u64;
        self.forget_seams_before(self.offset + 1);
        self.lose(since, DamageCause::Hole, true)
    }

    /// So many bytes were cut off by a hole.
    fn cut_off_here(&mut self, bytes: usize) -> Turn<G::Found> {
        let since = self.offset;
        self.consume(bytes);
        self.account.cut_off += bytes as u64;
        self.damage(since, DamageCause::Hole)
    }

    fn lose(&mut self, since: u64, cause: DamageCause, is_at_seam: bool) -> Turn<G::Found> {
        self.state = State::Lost(Lost { since, cause, is_at_seam });
        Turn::Again
    }

    /// Looks for a place from which to go on.
    fn search(&mut self, lost: Lost) -> Turn<G::Found> {
        let is_end = self.is_ended;
        if lost.is_at_seam {
            match self.grammar.find_entry(self.unread(), is_end) {
                Search::Found(0) => return self.resume(lost, 0),
                Search::Perhaps(0) if !is_end => return Turn::Wait,
                Search::Found(_) | Search::Perhaps(_) | Search::NotFound => {}
            }
            match self.grammar.missing_first_byte(self.unread(), is_end) {
                Missing::This(byte) => {
                    self.buffer.insert(self.read, byte);
                    // The damage stands before it.
                    let turn = self.resume(lost, 0);
                    self.account.restored += 1;
                    return turn;
                }
                Missing::NotKnown if !is_end => return Turn::Wait,
                Missing::NotKnown | Missing::None => {}
            }
            return self.lose(lost.since, lost.cause, false);
        }
        let (bytes, is_found) = match self.grammar.find_entry(self.unread(), is_end) {
            Search::Found(at) => (at, true),
            Search::Perhaps(at) if !is_end => (at, false),
            Search::Perhaps(_) | Search::NotFound => (self.unread().len(), false),
        };
        // A later seam may be the better place: there everything begins anew.
        if let Some(seam) = self.seam_inside(bytes.saturating_add(1)) {
            let bytes = usize::try_from(seam - self.offset).unwrap_or(bytes).min(bytes);
            self.step_over(bytes);
            self.forget_seams_before(self.offset + 1);
            return self.lose(lost.since, lost.cause, true);
        }
        if is_found {
            return self.resume(lost, bytes);
        }
        self.step_over(bytes);
        if !is_end {
            return Turn::Wait;
        }
        self.state = State::Over;
        self.damage(lost.since, lost.cause)
    }

    /// Reading goes on after so many bytes.
    fn resume(&mut self, lost: Lost, bytes: usize) -> Turn<G::Found> {
        self.step_over(bytes);
        self.enter();
        self.damage(lost.since, lost.cause)
    }

    fn enter(&mut self) {
        self.grammar.enter(&self.buffer[self.read..]);
        self.state = State::Reading;
    }

    /// Goes past bytes that are of no interest. Those that are many may be so only by a wrong size.
    fn skip_on(&mut self, left: u64, since: u64, is_doubtful: bool) -> Turn<G::Found> {
        // It may have become known only now that bytes may be missing.
        let is_at_seam = self.seams.front() == Some(&self.offset);
        if let Ok(left) = usize::try_from(left)
            && let Some(turn) = self.doubt(left, is_at_seam)
        {
            return turn;
        }
        let unread = self.unread().len();
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(unread);
        if is_doubtful && let Some(at) = self.grammar.find_landmark(&self.unread()[..here]) {
            self.account.structure -= self.offset - since;
            self.account.stepped_over += self.offset - since;
            self.step_over(at);
            self.enter();
            return self.damage(since, DamageCause::SwallowsMore);
        }
        // A landmark may lie half in what came.
        let kept = if is_doubtful && !self.is_ended && here as u64 != left {
            limits::LANDMARK_BYTES_MAX.min(here)
        } else {
            0
        };
        let past = here - kept;
        self.consume(past);
        self.account.structure += past as u64;
        let left = left - past as u64;
        self.state = if left == 0 {
            State::Reading
        } else if self.is_ended {
            State::Over
        } else {
            State::Skipping { left, since, is_doubtful }
        };
        if left == 0 { Turn::Again } else { Turn::Wait }
    }

    fn divert_on(&mut self, left: Option<u64>) -> Turn<G::Found> {
        let unread = self.unread().len();
        let here =
            left.map_or(unread, |left| usize::try_from(left).unwrap_or(usize::MAX).min(unread));
        self.grammar.divert(&self.buffer[self.read..self.read + here], self.offset);
        self.consume(here);
        // Until it is known what is in them.
        self.account.structure += here as u64;
        let left = left.map(|left| left - here as u64);
        if left == Some(0) {
            self.state = State::Reading;
            return Turn::Again;
        }
        self.state = if self.is_ended { State::Over } else { State::Diverting { left } };
        Turn::Wait
    }

    fn step_over(&mut self, bytes: usize) {
        self.consume(bytes);
        self.account.stepped_over += bytes as u64;
    }

    /// The first place among the next `bytes` where some may be missing.
    fn seam_inside(&self, bytes: usize) -> Option<u64> {
        let end = self.offset + bytes as u64;
        self.seams.iter().copied().find(|seam| (self.offset + 1..end).contains(seam))
    }

    fn forget_seams_before(&mut self, offset: u64) {
        while self.seams.front().is_some_and(|seam| *seam < offset) {
            self.seams.pop_front();
        }
    }

    fn damage(&mut self, since: u64, cause: DamageCause) -> Turn<G::Found> {
        self.told = self.as_pushed(since..self.offset);
        let (at_byte, bytes) = (self.told.start, self.told.end - self.told.start);
        Turn::Yield(Step::Damage(Damage { at_byte, bytes, cause }))
    }

    /// Without the bytes that were put back before.
    fn as_pushed(&self, read: Range<u64>) -> Range<u64> {
        let restored = self.account.restored;
        read.start.saturating_sub(restored)..read.end.saturating_sub(restored)
    }
}
